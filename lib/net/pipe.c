/* SPDX-License-Identifier: MIT */
/* Pipes. */
#include "ready/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/io.h"

int rdy_pipe_new(struct rdy_io **ret_sender, struct rdy_io **ret_receiver)
{
	struct rdy_io *receiver;
	int fds[2], r;

	if (!ret_sender || !ret_receiver)
		return -EINVAL;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	r = rdy__io_take(fds[0], RDY__IO_ANY, 0, &receiver);
	if (r < 0) {
		rdy__fd_close(fds[1]);
		return r;
	}
	r = rdy__io_take(fds[1], RDY__IO_ANY, 0, ret_sender);
	if (r < 0) {
		rdy_io_free(receiver);
		return r;
	}
	*ret_receiver = receiver;
	return 0;
}
