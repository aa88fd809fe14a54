/* SPDX-License-Identifier: MIT */
/*
 * Batches: what a wait brought, taken one by one.
 * Threads: the waiting one; another may deregister, or free a waker, at the same time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/core.h"

#define MAX_CAPACITY 1000000u

_Static_assert(offsetof(struct rdy_event, pad0) - offsetof(struct rdy_event, ready) ==
			       offsetof(struct rdy__ready, pad0) &&
		       offsetof(struct rdy_event, ready) + sizeof(struct rdy__ready) ==
			       sizeof(struct rdy_event),
	"a map's entry is the end of an event");

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
	rdy__list_init(&ev->link);
	rdy__list_init(&ev->wakers);
	rdy__list_init(&ev->timers);
	if (!ev->selected) {
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
	ev->pos = ev->end = ev->selected;
	if (rdy__likely(ev->poll == poll))
		return;
	rdy__list_unlink(&ev->link);
	ev->poll = poll;
	if (!poll)
		return;
	rdy__list_append(&poll->batches, &ev->link);
	ev->ready_map = poll->ops->ready_map;
}

struct rdy_events *rdy_events_free(struct rdy_events *ev)
{
	if (!ev)
		return NULL;
	rdy__events_bind(ev, NULL);
	free(ev->selected);
	free(ev);
	return NULL;
}

size_t rdy_events_capacity(const struct rdy_events *ev)
{
	return ev ? ev->capacity : 0;
}

void rdy_events_clear(struct rdy_events *ev)
{
	if (ev)
		rdy__events_bind(ev, ev->poll);
}

/* After the descriptors: wakers, timers. */
__attribute__((noinline, cold)) static int next_other(struct rdy_events *ev, struct rdy_event *ret)
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
	for (const struct rdy__selected *s = ev->pos, *end = ev->end; s != end; s++) {
		const struct rdy__slot *slot = rdy__slot_of(ev->chunks, s->tag);
		uint64_t token = atomic_load_explicit(&slot->token, memory_order_acquire);
		const struct rdy__ready *ready = &ev->ready_map[RDY__RAW_INDEX(s->raw)];

		/* TOKEN-1: the registration may have ended since the event was fetched. */
		if (rdy__unlikely(rdy__slot_generation(slot) != (uint32_t)s->tag))
			continue;
		ret->token = token;
		memcpy((char *)ret + offsetof(struct rdy_event, ready), ready, sizeof(*ready));
		ev->pos = s + 1;
		return 1;
	}
	ev->pos = ev->end;
	return next_other(ev, ret);
}
