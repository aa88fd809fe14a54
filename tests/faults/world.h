/* SPDX-License-Identifier: MIT */
/* Where the reactor's calls are made: a poll with a witness that was registered before. */
#ifndef FAULTS_WORLD_H
#define FAULTS_WORLD_H

#include "reactor.h"
#include "table.h"

#define TOKEN 7u
#define WITNESS 100u
#define OTHERS \
	15 /* with the wake descriptor and the witness: one more than the poll selector has room for */
#define KINDS (INJECT_MEMORY | INJECT_KERNEL)

struct world {
	struct bench b;
	int witness, fd, others[OTHERS];
	/* What the calls make. */
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct rdy_timer *timers[17];
	struct rdy_waker *waker;
	struct rdy_source source;
};

/* An output that nobody has written. */
#define UNTOUCHED ((void *)&untouched)
static char untouched;

static void put_out(void *ret, int r, void *field)
{
	/* check allocates, too. */
	inject_stop();
	if (r < 0)
		ck_assert_ptr_eq(ret, UNTOUCHED);
	else
		*(void **)field = ret;
}

static void open_world(void *world)
{
	struct world *w = world;
	const struct variant *v = w->b.v;
	struct rdy_poll_options o = {.size = sizeof(o), .selector = v->selector, .flags = v->flags};

	*w = (struct world){.b.v = v, .fd = -1};
	ck_assert_int_eq(rdy_poll_new(&o, &w->b.poll), 0);
	ck_assert_int_eq(rdy_events_new(MANY, &w->b.events), 0);
	w->witness = an_eventfd(1);
	ck_assert_int_eq(
		rdy_poll_register(w->b.poll, w->witness, WITNESS, RDY_READABLE, RDY_LEVEL), 0);
	for (int i = 0; i < OTHERS; i++)
		w->others[i] = -1;
}

static void close_world(void *world)
{
	struct world *w = world;

	rdy_source_deinit(&w->source);
	rdy_poll_free(w->poll);
	rdy_events_free(w->events);
	for (int i = 0; i < 17; i++)
		rdy_timer_free(w->timers[i]);
	rdy_waker_free(w->waker);
	bench_close(&w->b);
	shut(&w->witness);
	if (w->fd >= 0)
		shut(&w->fd);
	for (int i = 0; i < OTHERS; i++)
		if (w->others[i] >= 0)
			shut(&w->others[i]);
}

/* What is ready of token, or 0. The witness is there in any case. */
static uint32_t seen(struct world *w, uint64_t token)
{
	uint32_t ready = 0;
	int witnessed = 0;

	ck_assert_int_ge(take(&w->b, 0), 1);
	for (int i = 0; i < w->b.n; i++) {
		if (w->b.got[i].token == token)
			ready = w->b.got[i].ready;
		else
			ck_assert_uint_eq(w->b.got[i].token, WITNESS);
		witnessed |= w->b.got[i].token == WITNESS;
	}
	ck_assert(witnessed);
	return ready;
}

static bool nothing_is_seen(void *world, int r)
{
	ck_assert_uint_eq(seen(world, TOKEN), 0);
	return true;
}

#endif
