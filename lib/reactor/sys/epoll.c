/* SPDX-License-Identifier: MIT */
/*
 * The epoll selector. All bookkeeping is the kernel's; batches are filled in place.
 * Threads: as reactor/selector.h says; epoll_ctl(2) and epoll_wait(2) may run at the same time.
 */
#include "reactor/selector.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ready/poll.h"

_Static_assert(
	sizeof(struct rdy__selected) == sizeof(struct epoll_event) &&
		offsetof(struct rdy__selected, raw) == offsetof(struct epoll_event, events) &&
		offsetof(struct rdy__selected, tag) == offsetof(struct epoll_event, data),
	"the kernel fills struct rdy__selected");
_Static_assert(RDY__RAW_IN == EPOLLIN && RDY__RAW_PRI == EPOLLPRI && RDY__RAW_OUT == EPOLLOUT &&
		       RDY__RAW_ERR == EPOLLERR && RDY__RAW_HUP == EPOLLHUP &&
		       RDY__RAW_RDHUP == EPOLLRDHUP,
	"the kernel's masks are reported as they are");

struct rdy__selector {
	int fd;
	bool no_pwait2; /* waiting thread: this kernel, or a sandbox, has no epoll_pwait2 */
};

static int ctl(struct rdy__selector *s, int op, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event ev = {.events = events, .data.u64 = tag};

	return epoll_ctl(s->fd, op, fd, &ev) < 0 ? -errno : 0;
}

static uint32_t events_of(uint32_t interest, uint32_t mode)
{
	uint32_t events = mode == RDY_EDGE ? EPOLLET : mode == RDY_ONESHOT ? EPOLLONESHOT : 0;

	/* The kernel refuses EPOLLRDHUP with EPOLLEXCLUSIVE. */
	if (mode & RDY_EXCLUSIVE)
		return EPOLLEXCLUSIVE | ((mode & ~RDY_EXCLUSIVE) == RDY_EDGE ? EPOLLET : 0) |
		       (interest & RDY_READABLE ? EPOLLIN : 0) |
		       (interest & RDY_WRITABLE ? EPOLLOUT : 0);
	if (interest & RDY_READABLE)
		events |= EPOLLIN | EPOLLRDHUP;
	if (interest & RDY_WRITABLE)
		events |= EPOLLOUT;
	if (interest & RDY_PRIORITY)
		events |= EPOLLPRI;
	if (interest & RDY_HANGUP_ONLY)
		events |= EPOLLRDHUP;
	return events;
}

static void epoll_deinit(struct rdy__selector *s)
{
	if (!s)
		return;
	/* No EPOLL_CTL_DEL: in a forked child it would reach the parent's registrations. */
	rdy__fd_close(s->fd);
	free(s);
}

static int epoll_init(struct rdy__selector **ret, uint32_t flags, const struct rdy__wake *wake)
{
	struct rdy__selector *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->fd < 0) {
		r = -errno;
		free(s);
		return r;
	}
	r = ctl(s, EPOLL_CTL_ADD, wake->fd, EPOLLIN | EPOLLET, rdy__wake_tag(wake));
	if (r < 0) {
		epoll_deinit(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int epoll_probe(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	rdy__fd_close(fd);
	return 0;
}

static int epoll_add(
	struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	return ctl(s, EPOLL_CTL_ADD, fd, events_of(interest, mode), tag);
}

static int epoll_mod(
	struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	return ctl(s, EPOLL_CTL_MOD, fd, events_of(interest, mode), tag);
}

static int epoll_rearm(
	struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	return mode == RDY_ONESHOT ? epoll_mod(s, fd, tag, interest, mode) : 0;
}

static int epoll_del(struct rdy__selector *s, int fd)
{
	/* Kernels before 2.6.9 want the argument. */
	return ctl(s, EPOLL_CTL_DEL, fd, 0, 0);
}

static int wait_ns(struct rdy__selector *s, struct epoll_event *events, int n, int64_t timeout_ns)
{
	struct {
		int64_t sec, nsec;
	} ts = {timeout_ns / RDY__NS_PER_S, timeout_ns % RDY__NS_PER_S};
	long r = -1;

#ifdef SYS_epoll_pwait2
	r = syscall(SYS_epoll_pwait2, s->fd, events, n, &ts, NULL, 0);
#else
	errno = ENOSYS;
#endif
	return r < 0 ? -errno : (int)r;
}

/* With a timeout: in ns where that can be had. */
__attribute__((noinline)) static int wait_timeout(
	struct rdy__selector *s, struct epoll_event *events, int n, int64_t timeout_ns)
{
	int r;

	if (!s->no_pwait2) {
		r = wait_ns(s, events, n, timeout_ns);
		/* ENOSYS before 5.11; EPERM is what sandboxes of that time answer. */
		if (r != -ENOSYS && r != -EPERM)
			return r;
		s->no_pwait2 = true;
	}
	r = epoll_wait(s->fd, events, n, rdy__ns_to_poll_ms(timeout_ns));
	return r < 0 ? -errno : r;
}

static int epoll_wait_(
	struct rdy__selector *s, struct rdy__selected *events, size_t n, int64_t timeout_ns)
{
	struct epoll_event *out = (struct epoll_event *)(void *)events;
	int r;

	if (timeout_ns > 0)
		return wait_timeout(s, out, (int)n, timeout_ns);
	r = epoll_wait(s->fd, out, (int)n, timeout_ns < 0 ? -1 : 0);
	return r < 0 ? -errno : r;
}

static int epoll_fd(struct rdy__selector *s)
{
	return s->fd;
}

const struct rdy__selector_ops rdy__selector_epoll = {
	.name = "epoll",
	.caps = RDY_CAP_EDGE | RDY_CAP_NESTABLE | RDY_CAP_EXCLUSIVE,
	.waker = &rdy__wake_eventfd,
	.ready_map = rdy__poll_ready_map,
	.probe = epoll_probe,
	.init = epoll_init,
	.deinit = epoll_deinit,
	.add = epoll_add,
	.mod = epoll_mod,
	.rearm = epoll_rearm,
	.del = epoll_del,
	.wait = epoll_wait_,
	.fd = epoll_fd,
};
