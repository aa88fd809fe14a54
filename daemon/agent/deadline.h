/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of registrations: `at`, once, and `idle`, when nothing happened for so long. A table beside the
 * registrations, only for those that have one. An event costs a store, never a timer: the timer looks at the
 * last activity when it fires, and is set again for what is left. The reactor's thread.
 */
#ifndef AGENT_DEADLINE_H
#define AGENT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "registration.h"

struct reactor;
struct rdy_timer;
struct session;

struct deadline {
	struct rdy_timer *timer; /* NULL: a free row */
	int64_t at_ns;		 /* CLOCK_MONOTONIC; 0 = none */
	int64_t idle_ns;	 /* 0 = none */
	int64_t active_ns;	 /* last readiness, REARM, MODIFY or SET_DEADLINE */
	bool idle_over;		 /* it has fired; the next readiness starts it again */
	uint32_t next_free;
};

struct deadlines {
	struct deadline *rows;
	uint32_t n, free; /* free: index + 1 of the first free row */
};

void deadlines_deinit(struct deadlines *d);

/*
 * Replace both deadlines of a registration; active_ns: when it was last active. Returns 0, or -ENOMEM with
 * the old ones in place.
 */
int deadline_set(
	struct reactor *r, uint32_t index, int64_t at_ns, int64_t idle_ns, int64_t active_ns);

/* It has none any more. No-op when it had none. */
void deadline_clear(struct reactor *r, struct registration *reg);

/* Something happened at it; it has deadlines (reg->deadline != 0). */
void deadline_touch(struct reactor *r, const struct registration *reg);

/* Its idle time is over and was told (a predecessor did): the next readiness starts it again. */
void deadline_idle_is_over(struct reactor *r, const struct registration *reg);

/* What it has, NULL = nothing. */
const struct deadline *deadline_of(const struct reactor *r, const struct registration *reg);

/* When `idle` is over as things are now; 0 = it is not running. */
int64_t deadline_idle_at_ns(const struct deadline *d);

/* The timer's event, for a live registration. */
void deadline_fire(struct session *s, uint32_t index);

#endif
