/* SPDX-License-Identifier: MIT */
/*
 * Parking: all reactors stop between two rounds, with no session half ended, and the main thread owns
 * everything that is theirs, until it lets them go on. For handing sessions over and for taking them over.
 * Main thread, but for what says otherwise.
 */
#ifndef AGENT_PARK_H
#define AGENT_PARK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct agent;
struct reactor;

struct park {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	uint64_t round; /* under the lock: which time it is */
	bool shut;	/* under the lock */
	uint32_t n_missing;
};

int park_init(struct park *p);
void park_deinit(struct park *p);

/* Ask all reactors. When they are in, hand_over_parked() or take_over_parked() is called. */
void park_ask(struct agent *a);

/* A reactor, at the end of a round: it was asked. Returns when the park is opened. */
void park_enter(struct reactor *r);

/* The main thread: are they asked; and are all of them in, so that what they have is ours? */
bool park_is_asked(const struct agent *a);
bool park_is_full(const struct agent *a);

/* One more is in. */
void park_arrived(struct agent *a, uint64_t round);

/*
 * Everybody goes on, also whoever has not come in yet. What reactor 0, whose poll goes on meanwhile, was told
 * and could not use is reported again. No-op when it is open.
 */
void park_open(struct agent *a);

#endif
