/* SPDX-License-Identifier: MIT */
/*
 * Things that block whoever closes the last copy of them, made without any privilege. The process that makes
 * them closes its own copies without waiting: somebody else has one by then.
 */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A TCP connection with unsent data, a closed window and a linger time: its last close() takes so long, unless
 * the process ends or is killed. The other end is *ret_end.
 */
int object_lingering(int linger_s, int *ret_end);

/*
 * A pipe whose lock a process of ours holds, in splice(2): its last close(), and the end of whoever has it, take
 * until that process ends. SIGKILL does not help.
 */
struct held_pipe {
	pid_t holder;
	int fd; /* the end that it does not have */
};

enum pipe_end { PIPE_READ_END, PIPE_WRITE_END };

void held_pipe_make(struct held_pipe *h, enum pipe_end end);
/* Our copy. */
void held_pipe_forget(struct held_pipe *h);
/* The holder ends, and with it all waiting. */
void held_pipe_free(struct held_pipe *h);

/*
 * A unix socket (SEQPACKET) with this one (borrowed) in its receive queue; whoever closes it closes that. The
 * other end is *ret_end.
 */
int object_in_queue(int fd, int *ret_end);

/*
 * Our copy (consumed) must not be the last one, however fast the other side is: a process of ours sends it, and
 * ends with it. Returns that process, which ends when it can.
 */
pid_t object_send(int sock, const void *buf, size_t n_bytes, int take_fd);
void object_sent(pid_t pid);

#endif
