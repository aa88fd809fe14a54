/* SPDX-License-Identifier: MIT */
/* See flood.h. */
#include "flood.h"

#include "base/clock.h"
#include "deadline.h"
#include "deliver.h"
#include "reactor.h"
#include "session.h"

#define TICKS_PER_S 100u /* or as many as the rate has events */

void flood_configure(struct reactor *r, const struct channel_config *c)
{
	struct flood *f = &r->flood;

	f->burst = c->flood_burst ? c->flood_burst : 1;
	if (f->burst > UINT16_MAX)
		f->burst = UINT16_MAX;
	f->per_tick = c->flood_rate > TICKS_PER_S ? c->flood_rate / TICKS_PER_S : 1;
	/* What edges there are is told by the poll only if it has native ones; others go silent by themselves. */
	f->tick_ns =
		c->flood_rate && r->native_edge ? RDY__NS_PER_S * f->per_tick / c->flood_rate : 0;
}

static uint32_t level_now(const struct flood *f, const struct registration *reg)
{
	uint32_t level = reg->flood >> 16;
	uint32_t ticks = (uint16_t)(f->tick - (uint16_t)reg->flood);
	uint64_t leaked = (uint64_t)ticks * f->per_tick;

	return leaked < level ? level - (uint32_t)leaked : 0;
}

bool flood_spend_slowly(struct flood *f, struct registration *reg)
{
	uint32_t level = level_now(f, reg) + 1;

	reg->flood = (level < UINT16_MAX ? level : UINT16_MAX) << 16 | f->tick;
	return level > f->burst;
}

void flood_pause(struct session *s, uint32_t index)
{
	struct reactor *r = s->reactor;
	struct registration *reg = registrations_at(&r->registrations, index);

	reg->flags |= REGISTRATION_PAUSED;
	if (deliver_watch(s, index) < 0) {
		/* It goes on flooding, which costs wakeups and loses nothing. */
		reg->flags &= (uint8_t)~REGISTRATION_PAUSED;
		r->counters.surprises++;
		return;
	}
	r->counters.paused++;
	if (r->flood.n_paused++ == 0)
		rdy_timer_set(r->flood.timer, rdy__deadline_ns(rdy__now_ns(), FLOOD_LOOK_NS));
}

void flood_forget(struct reactor *r, struct registration *reg)
{
	if (!(reg->flags & REGISTRATION_PAUSED))
		return;
	reg->flags &= (uint8_t)~REGISTRATION_PAUSED;
	if (--r->flood.n_paused == 0)
		rdy_timer_clear(r->flood.timer);
}

static void look_at(struct reactor *r, uint32_t index)
{
	struct registration *reg = registrations_at(&r->registrations, index);

	if (!reg->mode || !(reg->flags & REGISTRATION_PAUSED))
		return;
	if (r->flood.tick_ns && level_now(&r->flood, reg) >= r->flood.burst)
		return;
	reg->flags &= (uint8_t)~REGISTRATION_PAUSED;
	if (deliver_watch(r->sessions[reg->owner], index) < 0) {
		/* Without memory for it: again at the next look. */
		reg->flags |= REGISTRATION_PAUSED;
		r->counters.surprises++;
		return;
	}
	r->flood.n_paused--;
	/* What it has to say is found by the next wait: it is not idle before. */
	if (reg->deadline)
		deadline_touch(r, reg);
}

/* All slots are gone through: pausing is rare, and a list would cost every registration its links. */
void flood_look(struct reactor *r)
{
	int64_t now_ns = rdy__now_ns();

	r->now_ns = now_ns;
	if (r->flood.tick_ns)
		flood_round(&r->flood, now_ns);
	for (uint32_t i = 0;
		i < r->registrations.n_chunks * REGISTRATION_CHUNK && r->flood.n_paused; i++)
		look_at(r, i);
	if (r->flood.n_paused)
		rdy_timer_set(r->flood.timer, rdy__deadline_ns(now_ns, FLOOD_LOOK_NS));
}
