/* SPDX-License-Identifier: MIT */
/*
 * The flood bucket: an EDGE registration that is ready more often than its rate is paused: the poll looks for
 * hangups only, until the bucket has room again; then the level is reported. Nothing is lost, and a
 * descriptor that changes all the time costs its owner's agent a bounded share. ONESHOT and LEVEL are silent
 * after each event anyway. The reactor's thread; nothing is allocated, the clock is read once per round.
 */
#ifndef AGENT_FLOOD_H
#define AGENT_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include "channel/channel.h"
#include "registration.h"

struct reactor;
struct rdy_timer;
struct session;

#define FLOOD_LOOK_NS (100 * INT64_C(1000000)) /* how often paused ones are looked at */

struct flood {
	struct rdy_timer *timer;  /* set only while something is paused */
	int64_t tick_ns;	  /* per_tick events leave a bucket in each; 0 = no bound */
	uint32_t per_tick, burst; /* burst: at most 65535 */
	uint16_t tick;		  /* now, in ticks; wraps */
	uint32_t n_paused;
};

/* The configuration's rate and burst; what is paused stays so until the next look. */
void flood_configure(struct reactor *r, const struct channel_config *c);

/* Events of a batch are gone through next, at now_ns. */
static inline void flood_round(struct flood *f, int64_t now_ns)
{
	f->tick = (uint16_t)(now_ns / f->tick_ns);
}

bool flood_spend_slowly(struct flood *f, struct registration *reg);

/*
 * One more event of an EDGE registration. Returns true when it is one too many: pause it.
 * Its bucket: events not yet worked off in the upper half of `flood`, the tick of the last one in the lower.
 * A tick that has wrapped (after 65536 of them) only makes the bucket leak less than it should.
 */
static inline bool flood_spend(struct flood *f, struct registration *reg)
{
	/* Nearly always: nothing has leaked since the last one, and there is room. */
	if (__builtin_expect((uint16_t)reg->flood != f->tick || reg->flood >> 16 >= f->burst, 0))
		return flood_spend_slowly(f, reg);
	reg->flood += 1u << 16;
	return false;
}

/* Pause it. It is EDGE and not paused. */
void flood_pause(struct session *s, uint32_t index);

/* It ends or changes: it is not paused any more. No-op when it was not. */
void flood_forget(struct reactor *r, struct registration *reg);

/* The timer: those whose buckets have room go on. */
void flood_look(struct reactor *r);

#endif
