/* SPDX-License-Identifier: MIT */
/* libev on epoll; the environment is not read. Changes reach the kernel with the next turn. */
#include <ev.h>

#include "loop.h"

struct loop {
	struct loop_state state;
	struct ev_loop *ev;
	ev_async async;
	ev_io *watchers;
	ev_timer *timers;
	uint64_t *tokens;
};

const bool loop_one_a_turn = false;
const bool loop_defers = true;

static void done(struct loop *l)
{
	if (l->state.left <= 0)
		ev_break(l->ev, EVBREAK_ONE);
}

static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop *l = ev_userdata(ev);

	loop_handle(&l->state, (uint64_t)(uintptr_t)w->data);
	done(l);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop *l = ev_userdata(ev);

	loop_handle(&l->state, (uint64_t)(uintptr_t)w->data);
	done(l);
}

static void on_wake(struct ev_loop *ev, ev_async *w, int revents)
{
	struct loop *l = ev_userdata(ev);

	loop_handle(&l->state, 1);
	done(l);
}

struct loop *loop_new(const struct loop_options *o)
{
	struct loop *l = loop_alloc(1, sizeof(*l));

	l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!l->ev)
		loop_die("ev_loop_new", 0);
	ev_set_userdata(l->ev, l);
	l->watchers = loop_alloc(o->n, sizeof(*l->watchers));
	l->timers = loop_alloc(o->n_timers, sizeof(*l->timers));
	for (size_t i = 0; i < o->n_timers; i++) {
		ev_timer_init(&l->timers[i], on_timer, 0, 0);
		l->timers[i].data = (void *)(uintptr_t)i;
	}
	if (o->waker) {
		ev_async_init(&l->async, on_wake);
		ev_async_start(l->ev, &l->async);
	}
	return l;
}

void loop_add(struct loop *l, size_t i, int fd, uint64_t token)
{
	ev_io *w = &l->watchers[i];

	ev_io_init(w, on_io, fd, EV_READ);
	w->data = (void *)(uintptr_t)token;
	ev_io_start(l->ev, w);
}

void loop_modify(struct loop *l, size_t i)
{
	ev_io *w = &l->watchers[i];

	ev_io_stop(l->ev, w);
	ev_io_modify(w, EV_READ | EV_WRITE);
	ev_io_start(l->ev, w);
}

void loop_remove(struct loop *l, size_t i)
{
	ev_io_stop(l->ev, &l->watchers[i]);
}

void loop_run(struct loop *l)
{
	ev_run(l->ev, 0);
}

void loop_turn(struct loop *l)
{
	ev_run(l->ev, EVRUN_NOWAIT);
}

/* Relative to when the loop last looked at the clock, as is the rule there. */
void loop_timer_set(struct loop *l, size_t i, unsigned int ms)
{
	ev_timer *w = &l->timers[i];

	ev_timer_stop(l->ev, w);
	ev_timer_set(w, ms / 1e3, 0);
	ev_timer_start(l->ev, w);
}

/* A loop that waits does so for a millisecond at least (its backend_mintime), also for what is due. */
void loop_expire(struct loop *l)
{
	while (l->state.left > 0)
		ev_run(l->ev, EVRUN_NOWAIT);
}

void loop_wake(struct loop *l)
{
	ev_async_send(l->ev, &l->async);
}
