/* SPDX-License-Identifier: MIT */
/*
 * The wait: one system call in the usual case, then what it brought is checked against the table.
 * Threads: the waiting one.
 */
#include <errno.h>

#include "base/clock.h"
#include "reactor/core.h"

/* How often a wait without timeout looks again when all it fetched was stale. */
#define MAX_EMPTY_ROUNDS 8

/*
 * Look at what the selector filled in. Only stale events in front are dropped here, so that a batch of nothing
 * else is seen; the others are, when they are taken.
 */
static void accept_batch(struct rdy_poll *poll, struct rdy_events *ev, size_t n)
{
	/*
	 * A tag may come from a call that is still in progress in another thread: under the lock it has
	 * ended, and the slot has the tag's generation and token.
	 */
	if (!(poll->flags & RDY_POLL_SINGLE_THREAD)) {
		pthread_mutex_lock(&poll->registry->lock);
		ev->chunks = poll->table.chunks;
		pthread_mutex_unlock(&poll->registry->lock);
	} else {
		ev->chunks = poll->table.chunks;
	}
	ev->pos = ev->selected;
	ev->end = ev->selected + n;
	while (ev->pos < ev->end && rdy__unlikely(rdy__stale(ev->chunks, ev->pos->tag)))
		ev->pos++;
}

static void drop_wake_event(struct rdy_poll *poll, struct rdy_events *ev)
{
	uint64_t tag = rdy__wake_tag(&poll->hub->wake);
	size_t out = 0, n = (size_t)(ev->end - ev->selected);

	for (size_t i = 0; i < n; i++)
		if (ev->selected[i].tag != tag)
			ev->selected[out++] = ev->selected[i];
	accept_batch(poll, ev, out);
}

static size_t collect_wakers(struct rdy_poll *poll, struct rdy_events *ev, size_t n_fired)
{
	drop_wake_event(poll, ev);
	return rdy__hub_collect(
		poll->hub, ev, ev->capacity - rdy__events_left(ev) - n_fired, &poll->wakers_left);
}

/*
 * Timers and wakers that are due already go first, but leave room for descriptors, and take turns where there is
 * room for one only; the wait is shortened to the next deadline. Returns the number of both.
 *
 * Invariant: FAIR-1: what is due has its turn, however small the batch and whatever else is ready. Why: a descriptor
 * in mode LEVEL fills a small batch for ever. Test: tests/unit/reactor/properties.c/a_small_batch_is_fair
 */
static size_t before_wait(struct rdy_poll *poll, struct rdy_events *ev, int64_t *timeout_ns)
{
	size_t room = (ev->capacity + 1) / 2, n = 0;
	bool wakers_first;

	poll->turn++;
	if (ev->capacity == 1)
		room = poll->turn & 1;
	wakers_first = poll->turn & 2;
	if (poll->wakers_left && wakers_first)
		n = rdy__hub_collect(poll->hub, ev, room, &poll->wakers_left);
	if (poll->heap.n) {
		int64_t now = rdy__now_ns(), left;

		n += rdy__timers_fire(poll, ev, room - n, now);
		if (poll->heap.n) {
			left = rdy__left_ns(now, poll->heap.entries[0].deadline_ns);
			if (left >= 0 && (*timeout_ns < 0 || left < *timeout_ns))
				*timeout_ns = left;
		}
	}
	if (poll->wakers_left && !wakers_first)
		n += rdy__hub_collect(poll->hub, ev, room - n, &poll->wakers_left);
	if (n || poll->wakers_left)
		*timeout_ns = 0;
	return n;
}

/* What a batch has beside descriptors. Returns the number of all its events. */
__attribute__((noinline)) static size_t complete(
	struct rdy_poll *poll, struct rdy_events *ev, size_t n_fired)
{
	size_t n_wakers = 0;

	if (atomic_load_explicit(&poll->hub->any, memory_order_acquire) || poll->wakers_left)
		n_wakers = collect_wakers(poll, ev, n_fired);
	if (poll->heap.n)
		n_fired += rdy__timers_fire(poll, ev,
			ev->capacity - rdy__events_left(ev) - n_wakers - n_fired, rdy__now_ns());
	return rdy__events_left(ev) + n_wakers + n_fired;
}

/* One round. Returns the number of events, or -errno of the selector if there is none. */
static int wait_once(
	struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns, bool *ret_stale)
{
	size_t n_fired = 0, n;
	int r = 0;

	/* The usual case: descriptors and nothing else. */
	if (rdy__likely(!poll->heap.n && !poll->wakers_left)) {
		r = poll->ops->wait(poll->selector, ev->selected, ev->capacity, timeout_ns);
		accept_batch(poll, ev, r > 0 ? (size_t)r : 0);
		if (rdy__likely(ev->pos == ev->selected && r > 0 &&
				!atomic_load_explicit(&poll->hub->any, memory_order_acquire)))
			return r;
	} else {
		n_fired = before_wait(poll, ev, &timeout_ns);
		if (n_fired < ev->capacity)
			r = poll->ops->wait(
				poll->selector, ev->selected, ev->capacity - n_fired, timeout_ns);
		accept_batch(poll, ev, r > 0 ? (size_t)r : 0);
	}
	n = complete(poll, ev, n_fired);
	*ret_stale = r > 0;
	return n > 0 ? (int)n : r < 0 ? r : 0;
}

static int wait_until(struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns)
{
	int64_t end_ns = timeout_ns > 0 ? rdy__deadline_ns(rdy__now_ns(), timeout_ns) : RDY__NEVER;
	unsigned int rounds = 0;

	for (;;) {
		bool stale;
		int r = wait_once(poll, ev, timeout_ns, &stale);

		if (rdy__likely(r > 0))
			return r;
		if (r < 0 && (r != -EINTR || poll->flags & RDY_POLL_RETURN_EINTR))
			return r;
		/* A timeout, a signal, a wake that was reported before, or nothing but stale events. */
		if (timeout_ns == 0 && (!(stale || r < 0) || ++rounds == MAX_EMPTY_ROUNDS))
			return 0;
		if (end_ns != RDY__NEVER) {
			timeout_ns = rdy__left_ns(rdy__now_ns(), end_ns);
			if (timeout_ns == 0)
				return 0;
		}
	}
}

int rdy_poll_wait(struct rdy_poll *poll, struct rdy_events *events, int64_t timeout_ns)
{
	int r;

	if (rdy__unlikely(!poll || !events))
		return -EINVAL;
	if (rdy__unlikely(!rdy__poll_alive(poll)))
		return -ECHILD;
	if (poll->flags & RDY_POLL_SINGLE_THREAD) {
		rdy__events_bind(events, poll);
		return wait_until(poll, events, timeout_ns);
	}
	if (atomic_exchange(&poll->waiting, true))
		return -EBUSY;
	rdy__events_bind(events, poll);
	r = wait_until(poll, events, timeout_ns);
	atomic_store(&poll->waiting, false);
	return r;
}
