/* SPDX-License-Identifier: MIT */
/* A receiver in a process of its own, and what can be seen of it from outside. */
#ifndef LINK_PROCESS_H
#define LINK_PROCESS_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "link/link.h"
#include "unit.h"

#define PATIENCE_MS 20000 /* how long anything may take before the test fails */

struct receiver {
	pid_t pid;
	int sock;  /* our end; non-blocking, as the owner of a sender has it */
	int n_fds; /* descriptors it has when it holds nothing */
};

static inline int fds_of(pid_t pid);
static inline void wait_for_fds(pid_t pid, int n);

/* max_fds: limit of its descriptor table, 0 = as it is. */
static inline struct receiver receiver_start(rlim_t max_fds)
{
	struct receiver r;
	int sv[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	r.sock = sv[0];
	r.pid = fork();
	ck_assert_int_ge(r.pid, 0);
	if (r.pid == 0) {
		struct rlimit limit = {max_fds, max_fds};
		int status;

		/* Only the link: a copy of the test's descriptors would keep everything alive. */
		if (dup3(sv[1], LINK_FD_SELF, 0) < 0 && sv[1] != LINK_FD_SELF)
			_exit(100);
		if (syscall(SYS_close_range, LINK_FD_SELF + 1, ~0u, 0) < 0)
			_exit(101);
		if (max_fds && setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(102);
		status = -link_receiver_run(LINK_FD_SELF);
		_exit(status);
	}
	rdy__fd_close(sv[1]);
	r.n_fds = 1; /* the link, and what the test was started with */
	for (int fd = 0; fd < LINK_FD_SELF; fd++)
		r.n_fds += fcntl(fd, F_GETFD) >= 0;
	wait_for_fds(r.pid, r.n_fds);
	return r;
}

/* Wait for its end: the errno it said, or -signal. Our end is closed by the caller, before or after. */
static inline int receiver_wait(struct receiver *r)
{
	int status;

	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Descriptors in the table of a process; -1 if it is gone. */
static inline int fds_of(pid_t pid)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static inline void wait_for_fds(pid_t pid, int n)
{
	int64_t end = rdy__now_ns() + PATIENCE_MS * RDY__NS_PER_MS;

	while (fds_of(pid) != n) {
		ck_assert_msg(
			rdy__now_ns() < end, "process has %d descriptors, not %d", fds_of(pid), n);
		poll(NULL, 0, 1);
	}
}

/* What poll(2) says of one descriptor within ms. */
static inline short ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

/* DONE comes, and the sender takes it. */
static inline void wait_for_done(struct link_sender *l)
{
	ck_assert_int_eq(ready(l->sock, POLLIN, PATIENCE_MS) & POLLIN, POLLIN);
	ck_assert_int_eq(link_sender_readable(l), 1);
}

static inline void wait_for_hup(int fd)
{
	ck_assert_int_eq(ready(fd, 0, PATIENCE_MS) & POLLHUP, POLLHUP);
}

#endif
