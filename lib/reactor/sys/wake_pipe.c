/* SPDX-License-Identifier: MIT */
/*
 * Wake by a pipe, for systems without eventfd and to keep that path tested.
 * Threads: signal by any, drain by the waiting one.
 */
#include "reactor/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

static int pipe_init(struct rdy__wake *w)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*w = (struct rdy__wake){&rdy__wake_pipe, fds[0], fds[1]};
	return 0;
}

static void pipe_signal(const struct rdy__wake *w)
{
	/* EAGAIN: full, so it is readable. */
	if (write(w->write_fd, "", 1) < 0)
		return;
}

static void pipe_drain(const struct rdy__wake *w)
{
	char buf[256];

	/* A short read has emptied it; a byte that comes now is a new edge. */
	while (read(w->fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf))
		;
}

const struct rdy__wake_ops rdy__wake_pipe = {
	.name = "pipe",
	.edge_refires = false,
	.init = pipe_init,
	.signal = pipe_signal,
	.drain = pipe_drain,
};

void rdy__wake_deinit(struct rdy__wake *w)
{
	if (w->write_fd != w->fd)
		rdy__fd_close(w->write_fd);
	rdy__fd_close(w->fd);
	*w = RDY__WAKE_NULL;
}
