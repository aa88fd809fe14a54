/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Room for a full set of descriptors and for credentials nobody asked for: a control buffer that is too
 * small makes the kernel close what does not fit (MSG_CTRUNC), for ever. Source: unix(7), cmsg(3).
 */
#define CONTROL_BYTES (CMSG_SPACE(RDY__FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)))

union control {
	struct cmsghdr align;
	char bytes[CONTROL_BYTES];
};

int rdy__fd_close(int fd)
{
	int saved = errno;

	/* EINTR included, the descriptor is gone after close() on Linux; a retry could close a stranger. */
	if (fd >= 0)
		(void)close(fd);
	errno = saved;
	return -1;
}

void rdy__fd_closep(int *fd)
{
	*fd = rdy__fd_close(*fd);
}

int rdy__recv_fds(int sock, void *buf, size_t buf_bytes, int *fds, uint32_t recv_flags,
	struct rdy__received *ret)
{
	union control control;
	struct iovec iov = {.iov_base = buf, .iov_len = buf_bytes};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct rdy__received out = {0};
	int flags = MSG_CMSG_CLOEXEC | (recv_flags & RDY__RECV_BLOCK ? 0 : MSG_DONTWAIT);
	ssize_t n;

	/* Only the kernel-written part is parsed (msg_controllen), so the buffer is not cleared. */
	do
		n = recvmsg(sock, &msg, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;

	out.n_bytes = (size_t)n;
	/* Invariant: FD-1: every descriptor of every block has an owner from here on.
	 * Why: the kernel has installed all of them already; one that is skipped is leaked.
	 * Test: tests/unit/base/fd.c/every_block_is_taken */
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t k;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred who;

			memcpy(&who, CMSG_DATA(c), sizeof(who));
			out.flags |= RDY__RECV_CREDENTIALS;
			out.pid = who.pid;
			out.uid = who.uid;
		}
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		assert(out.n_fds + k <= RDY__FDS_MAX);
		memcpy(fds + out.n_fds, CMSG_DATA(c), k * sizeof(int));
		out.n_fds += k;
	}
	if (msg.msg_flags & MSG_CTRUNC)
		out.flags |= RDY__RECV_FDS_LOST;
	if (msg.msg_flags & MSG_TRUNC)
		out.flags |= RDY__RECV_CUT;
	*ret = out;
	return 0;
}

int rdy__send_fds(int sock, const void *buf, size_t n_bytes, const int *fds, size_t n_fds)
{
	union control control;
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = n_bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	assert(n_fds <= RDY__FDS_MAX);
	if (n_fds) {
		struct cmsghdr *c;

		memset(control.bytes, 0, CMSG_SPACE(n_fds * sizeof(int)));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
