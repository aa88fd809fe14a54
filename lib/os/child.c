/* SPDX-License-Identifier: MIT */
/* The end of a child as readiness: pidfd_open(2). Threads: one at a time for one io. May not block. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/io.h"
#include "ready/os.h"

/* Not in the headers of glibc 2.36 and before under these names. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int rdy_child_new(int pid, struct rdy_io **ret)
{
	int fd;

	if (pid < 1 || !ret)
		return -EINVAL;
	/* Always close-on-exec (pidfd_open(2)). PIDFD_NONBLOCK is younger, and waitid is told WNOHANG anyway. */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		/* Of a thread, or of a group whose leader is gone: EINVAL, in younger kernels ENOENT. */
		return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
	return rdy__io_take(fd, RDY__IO_CHILD, 0, ret);
}

int rdy_child_status(struct rdy_io *io, struct rdy_child_status *ret)
{
	siginfo_t info = {.si_pid = 0};
	int r;

	if (!io || io->kind != RDY__IO_CHILD || !ret)
		return -EINVAL;
	/* __WALL: also a child whose end raises another signal than SIGCHLD, or none, clone(2). */
	do
		r = waitid(P_PIDFD, (id_t)io->fd, &info, WEXITED | WNOHANG | __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (info.si_pid == 0)
		return (int)rdy__io_done(io, -EAGAIN);
	*ret = (struct rdy_child_status){
		.exited = info.si_code == CLD_EXITED,
		.status = info.si_status,
		.dumped_core = info.si_code == CLD_DUMPED,
	};
	return 0;
}
