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
	ev->pos = ev->end = ev->selected;
	*ret = ev;
	return 0;
}

/* Wakers and timers whose events nobody took. */
static void release(struct rdy_events *ev)
{
	if (ev->others & RDY__OTHER_WAKERS) {
		bool locked = rdy__hub_lock(ev->poll->hub);

		while (rdy__list_pop(&ev->wakers))
			;
		rdy__hub_unlock(ev->poll->hub, locked);
	}
	while (rdy__list_pop(&ev->timers))
		;
	ev->others = 0;
}

void rdy__events_bind(struct rdy_events *ev, struct rdy_poll *poll)
{
	release(ev);
	ev->pos = ev->end = ev->selected;
	if (ev->poll == poll)
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

	if (ev->others & RDY__OTHER_WAKERS && rdy__poll_alive(ev->poll)) {
		bool locked = rdy__hub_lock(ev->poll->hub);

		l = rdy__list_pop(&ev->wakers);
		if (l)
			*ret = (struct rdy_event){
				rdy__list_entry(l, struct rdy_waker, fired)->token,
				RDY_WAKE | RDY_READABLE, 0};
		if (rdy__list_empty(&ev->wakers))
			ev->others &= ~RDY__OTHER_WAKERS;
		rdy__hub_unlock(ev->poll->hub, locked);
		if (l)
			return 1;
	}
	l = rdy__list_pop(&ev->timers);
	if (rdy__list_empty(&ev->timers))
		ev->others &= ~RDY__OTHER_TIMERS;
	if (!l)
		return 0;
	*ret = (struct rdy_event){rdy__list_entry(l, struct rdy_timer, fired)->token, RDY_TIMER, 0};
	return 1;
}

/* What the selector reported, as the caller sees it. False: its registration has ended since (TOKEN-1). */
static inline bool translate(const struct rdy__selected *s, struct rdy__slot *const *chunks,
	const struct rdy__ready *map, struct rdy_event *ret)
{
	const struct rdy__slot *slot = rdy__slot_of(chunks, s->tag);
	uint64_t token = atomic_load_explicit(&slot->token, memory_order_acquire);

	if (rdy__unlikely(rdy__slot_generation(slot) != (uint32_t)s->tag))
		return false;
	ret->token = token;
	memcpy((char *)ret + offsetof(struct rdy_event, ready), &map[RDY__RAW_INDEX(s->raw)],
		sizeof(*map));
	return true;
}

/* With stale ones in between, wakers or timers. */
__attribute__((noinline)) static size_t take_rest(
	struct rdy_events *ev, struct rdy_event *ret, size_t n_taken, size_t n)
{
	while (n_taken < n && ev->pos != ev->end && rdy_events_next(ev, &ret[n_taken]))
		n_taken++;
	while (n_taken < n && ev->others && next_other(ev, &ret[n_taken]))
		n_taken++;
	return n_taken;
}

/* How many of s lie before end, in bytes: a division less. */
static inline size_t bytes_left(const struct rdy__selected *s, const struct rdy__selected *end)
{
	return (size_t)((const char *)end - (const char *)s);
}

size_t rdy_events_take(struct rdy_events *ev, struct rdy_event *ret, size_t n)
{
	struct rdy__slot *const *chunks = ev->chunks;
	const struct rdy__selected *s = ev->pos, *end = ev->end;
	const struct rdy__ready *map = ev->ready_map;
	struct rdy_event *out = ret;

	if (n > ev->capacity)
		n = ev->capacity;
	if (s + n < end)
		end = s + n;
	/* Four at a time: the loop is a fifth of the work. What is not translated is left to take_rest(). */
	for (; bytes_left(s, end) >= 4 * sizeof(*s); s += 4, out += 4)
		if (!translate(&s[0], chunks, map, &out[0]) ||
			!translate(&s[1], chunks, map, &out[1]) ||
			!translate(&s[2], chunks, map, &out[2]) ||
			!translate(&s[3], chunks, map, &out[3]))
			break;
	while (s != end && translate(s, chunks, map, out)) {
		s++;
		out++;
	}
	ev->pos = s;
	if (rdy__unlikely(s != ev->end || ev->others))
		return take_rest(ev, ret, (size_t)(out - ret), n);
	return (size_t)(out - ret);
}

int rdy_events_next(struct rdy_events *ev, struct rdy_event *ret)
{
	for (const struct rdy__selected *s = ev->pos, *end = ev->end; s != end; s++) {
		if (!translate(s, ev->chunks, ev->ready_map, ret))
			continue;
		ev->pos = s + 1;
		return 1;
	}
	ev->pos = ev->end;
	return rdy__likely(!ev->others) ? 0 : next_other(ev, ret);
}
