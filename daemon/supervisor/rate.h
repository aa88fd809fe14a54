/* SPDX-License-Identifier: MIT */
/*
 * Connects per second and uid: a token bucket, one per uid seen lately. Pure but for its memory; the clock
 * is the caller's. Bounded: the fullest bucket is forgotten first, and a full one says nothing.
 */
#ifndef SUPERVISOR_RATE_H
#define SUPERVISOR_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RATE_BUCKETS 256u

struct bucket {
	uid_t uid;
	bool used;
	int64_t filled_at_ns;
	int64_t tokens_ns; /* time's worth of tokens: one costs 1 s / rate */
};

struct rate {
	struct bucket buckets[RATE_BUCKETS];
	int64_t cost_ns, full_ns; /* of one connect; of a full bucket (two seconds' worth) */
};

/* per_s: connects per second, >= 1. The burst is twice that. */
void rate_init(struct rate *l, uint64_t per_s);

/* Take one token of uid's bucket; false when there is none. */
bool rate_connect(struct rate *l, uid_t uid, int64_t now_ns);

#endif
