/* SPDX-License-Identifier: MIT */
/*
 * Wake by eventfd(2). Its counter cannot overflow: 2^64 - 2 wakes. Each write is a new edge for epoll, so
 * an edge-triggered watch never has to read it (tests/kernel/reactor.c).
 * Threads: signal by any, drain by the waiting one.
 */
#include "reactor/wake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int eventfd_init(struct rdy__wake *w)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	*w = (struct rdy__wake){&rdy__wake_eventfd, fd, fd};
	return 0;
}

static void eventfd_signal(const struct rdy__wake *w)
{
	uint64_t one = 1;

	/* Non-blocking: neither EINTR nor, with this counter, EAGAIN. */
	if (write(w->write_fd, &one, sizeof(one)) < 0)
		return;
}

static void eventfd_drain(const struct rdy__wake *w)
{
	uint64_t count;

	/* EAGAIN: somebody else's wake was drained already. */
	if (read(w->fd, &count, sizeof(count)) < 0)
		return;
}

const struct rdy__wake_ops rdy__wake_eventfd = {
	.name = "eventfd",
	.edge_refires = true,
	.init = eventfd_init,
	.signal = eventfd_signal,
	.drain = eventfd_drain,
};
