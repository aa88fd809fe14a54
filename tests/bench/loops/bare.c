/* SPDX-License-Identifier: MIT */
/* No library: what one would write by hand over epoll, an eventfd for wakes and a heap of deadlines. */
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "heap.h"
#include "loop.h"

#define BATCH_MIN 1024

struct watcher {
	int fd;
	uint64_t token;
};

struct loop {
	struct loop_state state;
	int ep, wake_fd, capacity;
	struct epoll_event *batch;
	struct watcher *watchers;
	struct heap timers;
};

const bool loop_one_a_turn = false;
const bool loop_defers = false;

static void ctl(struct loop *l, int op, int fd, uint32_t events, uint64_t token)
{
	struct epoll_event e = {.events = events, .data.u64 = token};

	if (epoll_ctl(l->ep, op, fd, &e))
		loop_die("epoll_ctl", errno);
}

struct loop *loop_new(const struct loop_options *o)
{
	struct loop *l = loop_alloc(1, sizeof(*l));

	l->ep = epoll_create1(EPOLL_CLOEXEC);
	if (l->ep < 0)
		loop_die("epoll_create1", errno);
	l->capacity = o->n > BATCH_MIN ? (int)o->n : BATCH_MIN;
	l->batch = loop_alloc((size_t)l->capacity, sizeof(*l->batch));
	l->watchers = loop_alloc(o->n, sizeof(*l->watchers));
	l->timers.deadline_ns = loop_alloc(o->n_timers, sizeof(*l->timers.deadline_ns));
	l->timers.at = loop_alloc(o->n_timers, sizeof(*l->timers.at));
	l->timers.order = loop_alloc(o->n_timers, sizeof(*l->timers.order));
	if (o->waker) {
		/* An edge each time it is written to: nobody has to read it. */
		l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (l->wake_fd < 0)
			loop_die("eventfd", errno);
		ctl(l, EPOLL_CTL_ADD, l->wake_fd, EPOLLIN | EPOLLET, 1);
	}
	return l;
}

void loop_add(struct loop *l, size_t i, int fd, uint64_t token)
{
	l->watchers[i] = (struct watcher){fd, token};
	ctl(l, EPOLL_CTL_ADD, fd, EPOLLIN, token);
}

void loop_modify(struct loop *l, size_t i)
{
	ctl(l, EPOLL_CTL_MOD, l->watchers[i].fd, EPOLLIN | EPOLLOUT, l->watchers[i].token);
}

void loop_remove(struct loop *l, size_t i)
{
	ctl(l, EPOLL_CTL_DEL, l->watchers[i].fd, 0, 0);
}

static void look(struct loop *l, int timeout)
{
	int n = epoll_wait(l->ep, l->batch, l->capacity, timeout);

	if (n < 0)
		loop_die("epoll_wait", errno);
	for (int i = 0; i < n; i++)
		loop_handle(&l->state, l->batch[i].data.u64);
}

void loop_run(struct loop *l)
{
	while (l->state.left > 0)
		look(l, -1);
}

void loop_turn(struct loop *l)
{
	look(l, 0);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void loop_timer_set(struct loop *l, size_t i, unsigned int ms)
{
	heap_set(&l->timers, i, now_ns() + ms * (int64_t)1000000);
}

/* A wait shortened to the next deadline, then what is due. */
void loop_expire(struct loop *l)
{
	struct heap *h = &l->timers;

	while (l->state.left > 0) {
		int64_t left_ns = h->n ? h->deadline_ns[h->order[0]] - now_ns() : INT64_MAX;
		int64_t now;

		look(l, left_ns <= 0			       ? 0
			: left_ns < INT_MAX * (int64_t)1000000 ? (int)(left_ns / 1000000 + 1)
							       : -1);
		now = now_ns();
		while (h->n && h->deadline_ns[h->order[0]] <= now)
			loop_handle(&l->state, heap_pop(h));
	}
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) != sizeof(one))
		loop_die("write", errno);
}
