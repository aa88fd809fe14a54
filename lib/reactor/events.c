/* SPDX-License-Identifier: MIT */
/*
 * Batches: what a wait brought, taken one by one.
 * Threads: the waiting one; another may deregister, or free a waker, at the same time.
 */
#include <stdlib.h>

#include <errno.h>

#include "reactor/core.h"

#define MAX_CAPACITY 1000000u

int rdy_events_new(size_t capacity, struct rdy_events **ret)
{
	struct rdy_events *ev;

	if (capacity == 0 || capacity > MAX_CAPACITY || !ret)
		return -EINVAL;
	ev = calloc(1, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	ev->capacity = capacity;
	ev->selected = calloc(capacity, sizeof(*ev->selected));
	ev->tokens = calloc(capacity, sizeof(*ev->tokens));
	rdy__list_init(&ev->link);
	rdy__list_init(&ev->wakers);
	rdy__list_init(&ev->timers);
	if (!ev->selected || !ev->tokens) {
		rdy_events_free(ev);
		return -ENOMEM;
	}
	*ret = ev;
	return 0;
}

/* Wakers and timers whose events nobody took. */
static void release(struct rdy_events *ev)
{
	if (ev->maybe_wakers) {
		bool locked = rdy__hub_lock(ev->poll->hub);

		while (rdy__list_pop(&ev->wakers))
			;
		rdy__hub_unlock(ev->poll->hub, locked);
		ev->maybe_wakers = false;
	}
	while (rdy__list_pop(&ev->timers))
		;
}

void rdy__events_bind(struct rdy_events *ev, struct rdy_poll *poll)
{
	if (rdy__unlikely(ev->maybe_wakers || !rdy__list_empty(&ev->timers)))
		release(ev);
	ev->pos = ev->n = 0;
	if (rdy__likely(ev->poll == poll))
		return;
	rdy__list_unlink(&ev->link);
	ev->poll = poll;
	if (!poll)
		return;
	rdy__list_append(&poll->batches, &ev->link);
	ev->copied = !(poll->flags & RDY_POLL_SINGLE_THREAD);
	ev->ready_map = poll->ops->ready_map;
}

struct rdy_events *rdy_events_free(struct rdy_events *ev)
{
	if (!ev)
		return NULL;
	rdy__events_bind(ev, NULL);
	free(ev->selected);
	free(ev->tokens);
	free(ev);
	return NULL;
}

/* After the descriptors: wakers, timers. */
static int next_other(struct rdy_events *ev, struct rdy_event *ret)
{
	struct rdy__list *l;

	if (ev->maybe_wakers && rdy__poll_alive(ev->poll)) {
		bool locked = rdy__hub_lock(ev->poll->hub);

		l = rdy__list_pop(&ev->wakers);
		if (l)
			*ret = (struct rdy_event){
				rdy__list_entry(l, struct rdy_waker, fired)->token,
				RDY_WAKE | RDY_READABLE, 0};
		rdy__hub_unlock(ev->poll->hub, locked);
		if (l)
			return 1;
		ev->maybe_wakers = false;
	}
	l = rdy__list_pop(&ev->timers);
	if (!l)
		return 0;
	*ret = (struct rdy_event){rdy__list_entry(l, struct rdy_timer, fired)->token, RDY_TIMER, 0};
	return 1;
}

int rdy_events_next(struct rdy_events *ev, struct rdy_event *ret)
{
	size_t i = ev->pos, n = ev->n;

	for (; i < n; i++) {
		const struct rdy__selected *s = &ev->selected[i];
		uint32_t index = (uint32_t)(s->tag >> 32), generation = (uint32_t)s->tag;
		const struct rdy__slot *slot =
			&ev->chunks[index >> RDY__CHUNK_BITS][index & (RDY__CHUNK_SLOTS - 1)];

		/* TOKEN-1: the registration may have ended since the event was fetched. */
		if (rdy__unlikely(rdy__slot_generation(slot) != generation))
			continue;
		ev->pos = i + 1;
		ret->token = rdy__unlikely(ev->copied) ? ev->tokens[i] : slot->token;
		ret->ready = ev->ready_map[RDY__RAW_INDEX(s->raw)];
		ret->pad0 = 0;
		return 1;
	}
	ev->pos = n;
	return next_other(ev, ret);
}
