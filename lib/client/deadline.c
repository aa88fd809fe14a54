/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of registrations: what the user asked for, what the broker knows of it, and what has passed.
 * Owner: the client's thread.
 */
#include "deadline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "internal.h"

void rdy__deadline_drop(struct rdy_client *c, struct rdy__reg *reg)
{
	if (!reg->deadline || !rdy__list_linked(&reg->deadline->due))
		return;
	rdy__list_unlink(&reg->deadline->due);
	c->n_queued--;
}

/* To be sent, as soon as there is an id to send it for. */
static void want(struct rdy_client *c, struct rdy__reg *reg)
{
	if (reg->state != RDY__REG_LIVE || rdy__list_linked(&reg->deadline->due))
		return;
	rdy__list_append(&c->deadlines, &reg->deadline->due);
	c->n_queued++;
}

int rdy__deadline_set(struct rdy_client *c, struct rdy__reg *reg, int64_t at_ns, int64_t idle_ns)
{
	struct rdy__deadline *d = reg->deadline;

	if (!d) {
		if (!at_ns && !idle_ns)
			return 0;
		d = calloc(1, sizeof(*d));
		if (!d)
			return -ENOMEM;
		rdy__list_init(&d->due);
		d->reg = reg;
		reg->deadline = d;
	}
	d->at_ns = at_ns;
	d->idle_ns = idle_ns;
	d->active_ns = rdy__now_ns();
	d->idle_over = d->partial = false;
	/* Of the deadlines that it had. */
	rdy__client_withdraw_timeouts(c, reg, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE);
	want(c, reg);
	return 0;
}

/* The protocol's longest time is 146 years. */
static uint64_t clamp(int64_t ns)
{
	return (uint64_t)ns < WIRE_DEADLINE_MAX_NS ? (uint64_t)ns : WIRE_DEADLINE_MAX_NS;
}

/* What is left by now, but never nothing, which would be none. */
static uint64_t left(int64_t now_ns, int64_t at_ns)
{
	return at_ns > now_ns ? clamp(at_ns - now_ns) : 1;
}

struct wire_set_deadline rdy__deadline_record(const struct rdy__deadline *d, int64_t now_ns)
{
	struct wire_set_deadline q = {.id = d->reg->id};

	if (d->at_ns)
		q.at_ns = left(now_ns, d->at_ns);
	if (d->idle_ns && !d->partial)
		q.idle_ns = clamp(d->idle_ns);
	else if (d->idle_ns && !d->idle_over)
		q.idle_ns = left(now_ns, rdy__deadline_ns(d->active_ns, d->idle_ns));
	return q;
}

void rdy__deadline_lost(struct rdy_client *c, struct rdy__reg *reg)
{
	struct rdy__deadline *d = reg->deadline;

	if (!d)
		return;
	rdy__deadline_drop(c, reg);
	d->n_asked = 0;
	d->partial = d->idle_ns != 0;
}

void rdy__deadline_live(struct rdy_client *c, struct rdy__reg *reg)
{
	const struct rdy__deadline *d = reg->deadline;

	if (!d || (!d->at_ns && !d->idle_ns))
		return;
	if (c->features & WIRE_FEATURE_DEADLINE) {
		/* Idle for long, and nothing else: there is nothing to tell before it is not. */
		if (d->at_ns || !d->partial || !d->idle_over)
			want(c, reg);
		return;
	}
	/* Older than the one it was set at, which would end the session for it: silence is no answer either. */
	rdy__client_fail(c, reg, WIRE_E_DEADLINE_INVALID);
	rdy__client_want(c, reg, RDY__WANT_DEREGISTER);
}

void rdy__deadline_touch(struct rdy_client *c, struct rdy__reg *reg)
{
	struct rdy__deadline *d = reg->deadline;

	if (!d || !d->idle_ns)
		return;
	d->active_ns = rdy__now_ns();
	d->idle_over = false;
	if (!d->partial)
		return;
	d->partial = false;
	want(c, reg);
}

void rdy__deadline_over(struct rdy_client *c, struct rdy__reg *reg, uint16_t over)
{
	struct rdy__deadline *d = reg->deadline;

	/*
	 * Invariant: DEADLINE-1: nothing is told while the broker has not answered the newest SET_DEADLINE.
	 * Why: what crosses it is about deadlines that were replaced; the new ones are told by themselves.
	 * Test: tests/unit/client/deadlines.c/deadlines_cross
	 */
	if (!d || d->n_asked || rdy__list_linked(&d->due))
		return;
	over &= (uint16_t)((d->at_ns ? WIRE_TIMEOUT_AT : 0) | (d->idle_ns ? WIRE_TIMEOUT_IDLE : 0));
	if (over & WIRE_TIMEOUT_AT)
		d->at_ns = 0;
	if (over & WIRE_TIMEOUT_IDLE)
		d->idle_over = true;
	if (over)
		rdy__client_post_timeouts(c, reg, (uint8_t)over);
}
