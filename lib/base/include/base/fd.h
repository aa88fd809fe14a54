/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: closing, and passing them over a unix socket without losing or leaking one.
 * Threads: any. Only for sockets and descriptors of our own; what a client sent is closed through a
 * disposal link (daemon/link), never here, because its close() may block for ever.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's limit of descriptors in one message (SCM_MAX_FD, include/net/scm.h). */
#define RDY__FDS_MAX 253u

/* close() unless negative; always returns -1: x = rdy__fd_close(x). Keeps errno. */
int rdy__fd_close(int fd);

/* For rdy__cleanup(). */
void rdy__fd_closep(int *fd);

/* What recvmsg() said about the message beside its bytes. */
#define RDY__RECV_FDS_LOST 1u /* MSG_CTRUNC: descriptors were closed by the kernel */
#define RDY__RECV_CUT 2u      /* MSG_TRUNC: the message was longer than the buffer */
/*
 * Credentials came along. A socket with SO_PASSCRED has them with every message, an empty one too, and not
 * at the end of file: the only way to tell the two apart.
 */
#define RDY__RECV_CREDENTIALS 4u

struct rdy__received {
	size_t n_bytes;
	size_t n_fds;
	uint32_t flags; /* RDY__RECV_* */
	/* With RDY__RECV_CREDENTIALS: who sent it, as the kernel has verified. pid 0: foreign namespace. */
	pid_t pid;
	uid_t uid;
};

/*
 * Receive one message with its descriptors, MSG_DONTWAIT | MSG_CMSG_CLOEXEC.
 * fds must have room for RDY__FDS_MAX. Every descriptor that arrived is in fds, whatever else is wrong
 * with the message (Invariant FD-1: the caller owns all of them from here on).
 * Returns 0, or -errno of recvmsg(2) with nothing received; n_bytes = 0 and n_fds = 0 is end of file
 * on a SEQPACKET socket (or an empty message, which our protocols treat the same way).
 * recv_flags: extra flags, e.g. 0; RDY__RECV_BLOCK to leave MSG_DONTWAIT out.
 */
#define RDY__RECV_BLOCK 1u
int rdy__recv_fds(int sock, void *buf, size_t buf_bytes, int *fds, uint32_t recv_flags,
	struct rdy__received *ret);

/*
 * Send one message with up to RDY__FDS_MAX descriptors (borrowed), MSG_DONTWAIT | MSG_NOSIGNAL.
 * Returns 0 or -errno of sendmsg(2): -EAGAIN full, -ETOOMANYREFS too many in flight, -EPIPE closed.
 */
int rdy__send_fds(int sock, const void *buf, size_t n_bytes, const int *fds, size_t n_fds);

#endif
