/* SPDX-License-Identifier: MIT */
/*
 * libready. One thread does everything but wake. Events are taken together; with LOOP_ONE_BY_ONE each is taken when the
 * one before it is handled, so that a handler may end any registration.
 */
#include <ready/ready.h>

#include "loop.h"

#define BATCH_MIN 1024
#define TAKE 64

struct watcher {
	int fd;
	uint64_t token;
};

struct loop {
	struct loop_state state;
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct rdy_waker *waker;
	struct watcher *watchers;
	struct rdy_timer **timers;
};

const bool loop_one_a_turn = false;
const bool loop_defers = false;

static void check(const char *what, int r)
{
	if (r < 0)
		loop_die(what, r);
}

struct loop *loop_new(const struct loop_options *o)
{
	struct rdy_poll_options po = {
		.size = sizeof(po), .selector = "epoll", .flags = RDY_POLL_SINGLE_THREAD};
	struct loop *l = loop_alloc(1, sizeof(*l));

	check("rdy_poll_new", rdy_poll_new(&po, &l->poll));
	check("rdy_events_new", rdy_events_new(o->n > BATCH_MIN ? o->n : BATCH_MIN, &l->events));
	l->watchers = loop_alloc(o->n, sizeof(*l->watchers));
	l->timers = loop_alloc(o->n_timers, sizeof(struct rdy_timer *));
	for (size_t i = 0; i < o->n_timers; i++)
		check("rdy_timer_new", rdy_timer_new(l->poll, i, &l->timers[i]));
	if (o->waker)
		check("rdy_waker_new", rdy_waker_new(l->poll, 1, &l->waker));
	return l;
}

void loop_add(struct loop *l, size_t i, int fd, uint64_t token)
{
	l->watchers[i] = (struct watcher){fd, token};
	check("rdy_poll_register", rdy_poll_register(l->poll, fd, token, RDY_READABLE, RDY_LEVEL));
}

void loop_modify(struct loop *l, size_t i)
{
	check("rdy_poll_modify", rdy_poll_modify(l->poll, l->watchers[i].fd, l->watchers[i].token,
					 RDY_READABLE | RDY_WRITABLE, RDY_LEVEL));
}

void loop_remove(struct loop *l, size_t i)
{
	check("rdy_poll_deregister", rdy_poll_deregister(l->poll, l->watchers[i].fd));
}

#ifdef LOOP_ONE_BY_ONE
static void handle_all(struct loop *l)
{
	struct rdy_event e;

	while (rdy_events_next(l->events, &e))
		loop_handle(&l->state, e.token);
}
#else
static void handle_all(struct loop *l)
{
	struct rdy_event e[TAKE];
	size_t n;

	do {
		n = rdy_events_take(l->events, e, TAKE);
		for (size_t i = 0; i < n; i++)
			loop_handle(&l->state, e[i].token);
	} while (n == TAKE);
}
#endif

static void look(struct loop *l, int64_t timeout_ns)
{
	check("rdy_poll_wait", rdy_poll_wait(l->poll, l->events, timeout_ns));
	handle_all(l);
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

void loop_timer_set(struct loop *l, size_t i, unsigned int ms)
{
	check("rdy_timer_set", rdy_timer_set(l->timers[i], rdy_now_ns() + ms * (int64_t)1000000));
}

void loop_expire(struct loop *l)
{
	loop_run(l);
}

void loop_wake(struct loop *l)
{
	check("rdy_waker_wake", rdy_waker_wake(l->waker));
}
