/* SPDX-License-Identifier: MIT */
/*
 * Which files can be watched: to poll(2) those that cannot are always ready, and it does not say so. epoll(7)
 * does, when it is asked to watch them: no event is ever fetched from the one that is made for that.
 * Threads: any.
 */
#include "can_poll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/fd.h"

static int by_kind(mode_t mode)
{
	return S_ISCHR(mode) ? 0 : -EPERM;
}

int rdy__can_poll(int fd, mode_t mode)
{
	struct epoll_event none = {.events = 0};
	int ep, r = 0;

	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISCHR(mode) && !S_ISBLK(mode))
		return 0;
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		return by_kind(mode);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &none) < 0)
		r = errno == EPERM ? -EPERM : by_kind(mode);
	rdy__fd_close(ep);
	return r;
}
