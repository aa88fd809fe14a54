/* SPDX-License-Identifier: MIT */
/*
 * The wait: one system call in the usual case, then what it brought is checked against the table.
 * Threads: the waiting one.
 */
#include <errno.h>
#include <limits.h>

#include "base/clock.h"
#include "reactor/core.h"

/* How often a wait without timeout looks again when all it fetched was stale. */
#define MAX_EMPTY_ROUNDS 8

/* Of a round: no errno. */
#define ONLY_STALE INT_MIN

/*
 * Look at what the selector filled in. Only stale events in front are dropped here, so that a batch of nothing
 * else is seen; the others are, when they are taken.
 *
 * Invariant: TOKEN-2: an event that is fetched while its registration is still being made has the new token.
 * Why: the selector knows the descriptor before the table has the token. Test:
 * tests/faults/calls.c/fetched_while_registering
 */
static void accept_batch(struct rdy_poll *poll, struct rdy_events *ev, size_t n)
{
	if (atomic_load_explicit(&poll->registry->busy, memory_order_acquire))
		rdy__registry_settle(poll->registry);
	ev->chunks = atomic_load_explicit(&poll->table.chunks, memory_order_acquire);
	ev->pos = ev->selected;
	ev->end = ev->selected + n;
	while (ev->pos != ev->end && rdy__stale(ev->chunks, ev->pos->tag))
		ev->pos++;
}

/* The same where nobody registers and the first event is not stale; else false. */
static inline bool accept_usual(struct rdy_poll *poll, struct rdy_events *ev, size_t n)
{
	if (rdy__unlikely(atomic_load_explicit(&poll->registry->busy, memory_order_acquire)))
		return false;
	ev->chunks = atomic_load_explicit(&poll->table.chunks, memory_order_acquire);
	ev->pos = ev->selected;
	ev->end = ev->selected + n;
	return !rdy__stale(ev->chunks, ev->selected->tag);
}

/* It would be skipped, as a stale one is, but takes room. */
static void drop_wake_event(struct rdy_poll *poll, struct rdy_events *ev)
{
	uint64_t tag = rdy__wake_tag(&poll->hub->wake);
	struct rdy__selected *out = ev->selected + (ev->pos - ev->selected);

	for (const struct rdy__selected *s = ev->pos; s != ev->end; s++)
		if (s->tag != tag)
			*out++ = *s;
	ev->end = out;
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

static inline bool was_woken(const struct rdy_poll *poll)
{
	return atomic_load_explicit(&poll->hub->any, memory_order_acquire);
}

/*
 * What a batch has beside descriptors. slept: time has passed since before_wait().
 * Returns the number of all its events.
 */
static size_t complete(struct rdy_poll *poll, struct rdy_events *ev, size_t n_fired, bool slept)
{
	bool collect = was_woken(poll) || poll->wakers_left;
	size_t n = n_fired;

	if (ev->pos != ev->end) {
		if (collect)
			drop_wake_event(poll, ev);
		n += rdy__events_left(ev);
	}
	if (collect)
		n += rdy__hub_collect(poll->hub, ev, ev->capacity - n, &poll->wakers_left);
	if (slept && poll->heap.n)
		n += rdy__timers_fire(poll, ev, ev->capacity - n, rdy__now_ns());
	return n;
}

/* Returns the number of events, 0, ONLY_STALE, or -errno of the selector if there is none. */
static int finish(struct rdy_poll *poll, struct rdy_events *ev, int r, size_t n_fired, bool slept)
{
	size_t n = complete(poll, ev, n_fired, slept);

	return n > 0 ? (int)n : r > 0 ? ONLY_STALE : r;
}

/* One round, with all there may be. As finish(). */
static int one_round(struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns)
{
	size_t n_fired = before_wait(poll, ev, &timeout_ns);
	int r = 0;

	if (n_fired < ev->capacity)
		r = poll->ops->wait(
			poll->selector, ev->selected, ev->capacity - n_fired, timeout_ns);
	accept_batch(poll, ev, r > 0 ? (size_t)r : 0);
	return finish(poll, ev, r, n_fired, timeout_ns != 0);
}

/* After a round that brought r: on until there is something, or end_ns. */
static int go_on(
	struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns, int64_t end_ns, int r)
{
	for (unsigned int rounds = 0; r <= 0; r = one_round(poll, ev, timeout_ns)) {
		if (r < 0 && r != ONLY_STALE &&
			(r != -EINTR || poll->flags & RDY_POLL_RETURN_EINTR))
			return r;
		/* A timeout, a signal, a wake that was reported before, or nothing but stale events. */
		if (timeout_ns == 0 && (r == 0 || ++rounds == MAX_EMPTY_ROUNDS))
			return 0;
		if (end_ns != RDY__NEVER) {
			timeout_ns = rdy__left_ns(rdy__now_ns(), end_ns);
			if (timeout_ns == 0)
				return 0;
		}
	}
	return r;
}

static inline int leave(struct rdy_poll *poll, int r)
{
	/* A plain write: in a poll of one thread nobody reads it. */
	atomic_store_explicit(&poll->waiting, false, memory_order_release);
	return r;
}

__attribute__((noinline)) static int wait_for_all(
	struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns)
{
	int64_t end_ns = timeout_ns > 0 ? rdy__deadline_ns(rdy__now_ns(), timeout_ns) : RDY__NEVER;
	int r = one_round(poll, ev, timeout_ns);

	return leave(poll, go_on(poll, ev, timeout_ns, end_ns, r));
}

/* The selector said r, and that was not the usual case. */
__attribute__((noinline)) static int wait_on(
	struct rdy_poll *poll, struct rdy_events *ev, int64_t timeout_ns, int r)
{
	accept_batch(poll, ev, r > 0 ? (size_t)r : 0);
	r = finish(poll, ev, r, 0, false);
	return leave(poll, go_on(poll, ev, timeout_ns, RDY__NEVER, r));
}

int rdy_poll_wait(struct rdy_poll *poll, struct rdy_events *events, int64_t timeout_ns)
{
	int r;

	if (rdy__unlikely(!poll || !events))
		return -EINVAL;
	if (rdy__unlikely(!rdy__poll_alive(poll)))
		return -ECHILD;
	if (!(poll->flags & RDY_POLL_SINGLE_THREAD) && atomic_exchange(&poll->waiting, true))
		return -EBUSY;
	if (rdy__unlikely(events->poll != poll || events->others))
		rdy__events_bind(events, poll);
	/* The usual case, in few instructions: descriptors and nothing else. */
	if (rdy__unlikely(timeout_ns > 0 || poll->heap.n || poll->wakers_left))
		return wait_for_all(poll, events, timeout_ns);
	r = poll->ops->wait(poll->selector, events->selected, events->capacity, timeout_ns);
	if (rdy__unlikely(r <= 0 || !accept_usual(poll, events, (size_t)r) || was_woken(poll)))
		return wait_on(poll, events, timeout_ns, r);
	return leave(poll, r);
}
