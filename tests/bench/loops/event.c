/* SPDX-License-Identifier: MIT */
/*
 * libevent: persistent events on epoll, no locks unless another thread wakes. Its change list defers epoll_ctl(2) and
 * saves calls where descriptors come and go between turns; where there are no turns it would do nothing at all.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include "loop.h"

struct watcher {
	struct event event;
	struct loop *loop;
	uint64_t token;
};

struct loop {
	struct loop_state state;
	struct event_base *base;
	struct event waker;
	struct watcher *watchers, *timers;
};

const bool loop_one_a_turn = false;
const bool loop_defers = false;

static void check(const char *what, int r)
{
	if (r)
		loop_die(what, 0);
}

static void on_event(evutil_socket_t fd, short what, void *data)
{
	struct watcher *w = data;

	loop_handle(&w->loop->state, w->token);
	if (w->loop->state.left <= 0)
		event_base_loopbreak(w->loop->base);
}

static void on_wake(evutil_socket_t fd, short what, void *data)
{
	struct loop *l = data;

	loop_handle(&l->state, 1);
	if (l->state.left <= 0)
		event_base_loopbreak(l->base);
}

struct loop *loop_new(const struct loop_options *o)
{
	struct event_config *config = event_config_new();
	struct loop *l = loop_alloc(1, sizeof(*l));
	int flags = EVENT_BASE_FLAG_IGNORE_ENV;

	if (o->waker)
		check("evthread_use_pthreads", evthread_use_pthreads());
	else
		flags |= EVENT_BASE_FLAG_NOLOCK;
	if (o->changes)
		flags |= EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST;
	check("event_config_set_flag", !config || event_config_set_flag(config, flags));
	l->base = event_base_new_with_config(config);
	check("event_base_new_with_config", !l->base);
	event_config_free(config);
	l->watchers = loop_alloc(o->n, sizeof(*l->watchers));
	l->timers = loop_alloc(o->n_timers, sizeof(*l->timers));
	for (size_t i = 0; i < o->n_timers; i++) {
		l->timers[i].loop = l;
		l->timers[i].token = i;
		check("evtimer_assign",
			evtimer_assign(&l->timers[i].event, l->base, on_event, &l->timers[i]));
	}
	if (o->waker)
		check("event_assign", event_assign(&l->waker, l->base, -1, EV_PERSIST, on_wake, l));
	return l;
}

void loop_add(struct loop *l, size_t i, int fd, uint64_t token)
{
	struct watcher *w = &l->watchers[i];

	w->loop = l;
	w->token = token;
	check("event_assign",
		event_assign(&w->event, l->base, fd, EV_READ | EV_PERSIST, on_event, w));
	check("event_add", event_add(&w->event, NULL));
}

/* There is no other way: an event that is added cannot be changed. */
void loop_modify(struct loop *l, size_t i)
{
	struct watcher *w = &l->watchers[i];
	evutil_socket_t fd = event_get_fd(&w->event);

	check("event_del", event_del(&w->event));
	check("event_assign",
		event_assign(&w->event, l->base, fd, EV_READ | EV_WRITE | EV_PERSIST, on_event, w));
	check("event_add", event_add(&w->event, NULL));
}

void loop_remove(struct loop *l, size_t i)
{
	check("event_del", event_del(&l->watchers[i].event));
}

void loop_run(struct loop *l)
{
	if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		loop_die("event_base_loop", 0);
}

void loop_turn(struct loop *l)
{
	if (event_base_loop(l->base, EVLOOP_NONBLOCK) < 0)
		loop_die("event_base_loop", 0);
}

void loop_timer_set(struct loop *l, size_t i, unsigned int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	check("event_add", event_add(&l->timers[i].event, &tv));
}

void loop_expire(struct loop *l)
{
	while (l->state.left > 0)
		if (event_base_loop(l->base, EVLOOP_ONCE) < 0)
			loop_die("event_base_loop", 0);
}

void loop_wake(struct loop *l)
{
	event_active(&l->waker, EV_READ, 0);
}
