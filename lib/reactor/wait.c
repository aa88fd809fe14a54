/* SPDX-License-Identifier: MIT */
/*
 * The wait: one system call in the usual case, then what it brought is checked against the table.
 * Threads: the waiting one; the table is read under the poll's lock.
 */
#include <errno.h>

#include "base/clock.h"
#include "reactor/core.h"

/* How often a wait without timeout looks again when all it fetched was stale. */
#define MAX_EMPTY_ROUNDS 8

/*
 * Drop what is stale, copy the tokens: after the lock is released another thread may change the slots.
 * Generations are checked once more when an event is taken.
 */
static void translate_shared(struct rdy_poll *poll, struct rdy_events *ev, size_t n)
{
	size_t out = 0;

	pthread_mutex_lock(&poll->lock);
	ev->chunks = poll->table.chunks;
	for (size_t i = 0; i < n; i++) {
		uint32_t index = (uint32_t)(ev->selected[i].tag >> 32);

		if (rdy__stale(ev->chunks, ev->selected[i].tag))
			continue;
		ev->tokens[out] =
			ev->chunks[index >> RDY__CHUNK_BITS][index & (RDY__CHUNK_SLOTS - 1)].token;
		ev->selected[out++] = ev->selected[i];
	}
	pthread_mutex_unlock(&poll->lock);
	ev->pos = 0;
	ev->n = out;
}

/* Only what lies in front is dropped here, so that a batch of nothing but stale events is seen. */
static void translate_single(struct rdy_poll *poll, struct rdy_events *ev, size_t n)
{
	size_t pos = 0;

	ev->chunks = poll->table.chunks;
	while (pos < n && rdy__unlikely(rdy__stale(ev->chunks, ev->selected[pos].tag)))
		pos++;
	ev->pos = pos;
	ev->n = n;
}

static void drop_wake_event(struct rdy_events *ev, uint64_t tag)
{
	size_t out = ev->pos;

	for (size_t i = ev->pos; i < ev->n; i++)
		if (ev->selected[i].tag != tag)
			ev->selected[out++] = ev->selected[i];
	ev->n = out;
}

static size_t collect_wakers(struct rdy_poll *poll, struct rdy_events *ev, size_t n_fired)
{
	/* With copied tokens the wake event was dropped as stale: no registration has its tag. */
	if (!ev->copied)
		drop_wake_event(ev, rdy__wake_tag(&poll->hub->wake));
	return rdy__hub_collect(
		poll->hub, ev, ev->capacity - (ev->n - ev->pos) - n_fired, &poll->wakers_left);
}

/*
 * Timers and wakers that are due already go first, but leave room for descriptors; the wait is shortened
 * to the next deadline. Returns the number of timers that fired.
 */
static size_t before_wait(struct rdy_poll *poll, struct rdy_events *ev, int64_t *timeout_ns)
{
	size_t n = 0;

	if (poll->heap.n) {
		int64_t now = rdy__now_ns(), left;
		size_t room = (ev->capacity + 1) / 2;

		if (ev->capacity == 1)
			room = (poll->timers_yield = !poll->timers_yield) ? 1 : 0;
		n = rdy__timers_fire(poll, ev, room, now);
		if (poll->heap.n) {
			left = rdy__left_ns(now, poll->heap.entries[0].deadline_ns);
			if (left >= 0 && (*timeout_ns < 0 || left < *timeout_ns))
				*timeout_ns = left;
		}
	}
	if (n || poll->wakers_left)
		*timeout_ns = 0;
	return n;
}

/* One round. Returns the number of events, or -errno of the selector if there is none. */
static int wait_once(
	struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns, bool *ret_stale)
{
	size_t n_fired = 0, n_wakers = 0;
	int r = 0;

	if (rdy__unlikely(poll->heap.n || poll->wakers_left))
		n_fired = before_wait(poll, ev, &timeout_ns);
	if (rdy__likely(n_fired < ev->capacity))
		r = poll->ops->wait(
			poll->selector, ev->selected, ev->capacity - n_fired, timeout_ns);
	if (ev->copied)
		translate_shared(poll, ev, r > 0 ? (size_t)r : 0);
	else
		translate_single(poll, ev, r > 0 ? (size_t)r : 0);
	if (rdy__unlikely(atomic_load_explicit(&poll->hub->any, memory_order_acquire) ||
			  poll->wakers_left))
		n_wakers = collect_wakers(poll, ev, n_fired);
	if (rdy__unlikely(poll->heap.n))
		n_fired += rdy__timers_fire(poll, ev,
			ev->capacity - (ev->n - ev->pos) - n_wakers - n_fired, rdy__now_ns());
	*ret_stale = r > 0;
	if (ev->n - ev->pos + n_wakers + n_fired > 0)
		return (int)(ev->n - ev->pos + n_wakers + n_fired);
	return r < 0 ? r : 0;
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
