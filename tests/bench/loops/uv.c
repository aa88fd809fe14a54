/* SPDX-License-Identifier: MIT */
/* libuv: uv_poll_t, which is for descriptors of one's own. Changes reach the kernel with the next turn. */
#include <uv.h>

#include "loop.h"

struct loop {
	struct loop_state state;
	uv_loop_t uv;
	uv_async_t async;
	uv_poll_t *watchers;
	uv_timer_t *timers;
};

const bool loop_one_a_turn = false;
const bool loop_defers = true;

static void check(const char *what, int r)
{
	if (r < 0)
		loop_die(what, r);
}

static void done(struct loop *l)
{
	if (l->state.left <= 0)
		uv_stop(&l->uv);
}

static void on_io(uv_poll_t *w, int status, int events)
{
	struct loop *l = w->loop->data;

	loop_handle(&l->state, (uint64_t)(uintptr_t)w->data);
	done(l);
}

static void on_timer(uv_timer_t *w)
{
	struct loop *l = w->loop->data;

	loop_handle(&l->state, (uint64_t)(uintptr_t)w->data);
}

static void on_wake(uv_async_t *w)
{
	struct loop *l = w->loop->data;

	loop_handle(&l->state, 1);
	done(l);
}

struct loop *loop_new(const struct loop_options *o)
{
	struct loop *l = loop_alloc(1, sizeof(*l));

	check("uv_loop_init", uv_loop_init(&l->uv));
	l->uv.data = l;
	l->watchers = loop_alloc(o->n, sizeof(*l->watchers));
	l->timers = loop_alloc(o->n_timers, sizeof(*l->timers));
	for (size_t i = 0; i < o->n_timers; i++) {
		check("uv_timer_init", uv_timer_init(&l->uv, &l->timers[i]));
		l->timers[i].data = (void *)(uintptr_t)i;
	}
	if (o->waker)
		check("uv_async_init", uv_async_init(&l->uv, &l->async, on_wake));
	return l;
}

void loop_add(struct loop *l, size_t i, int fd, uint64_t token)
{
	uv_poll_t *w = &l->watchers[i];

	check("uv_poll_init", uv_poll_init(&l->uv, w, fd));
	w->data = (void *)(uintptr_t)token;
	check("uv_poll_start", uv_poll_start(w, UV_READABLE, on_io));
}

void loop_modify(struct loop *l, size_t i)
{
	check("uv_poll_start", uv_poll_start(&l->watchers[i], UV_READABLE | UV_WRITABLE, on_io));
}

/* With the next turn it is closed, and its memory is free. */
void loop_remove(struct loop *l, size_t i)
{
	uv_close((uv_handle_t *)&l->watchers[i], NULL);
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_turn(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_NOWAIT);
}

/* Relative to when the loop last looked at the clock, as is the rule there. */
void loop_timer_set(struct loop *l, size_t i, unsigned int ms)
{
	check("uv_timer_start", uv_timer_start(&l->timers[i], on_timer, ms, 0));
}

void loop_expire(struct loop *l)
{
	while (l->state.left > 0)
		uv_run(&l->uv, UV_RUN_NOWAIT);
}

void loop_wake(struct loop *l)
{
	check("uv_async_send", uv_async_send(&l->async));
}
