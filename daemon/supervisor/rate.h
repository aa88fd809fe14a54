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
};

void rate_init(struct rate *l);

/*
 * Take one token of uid's bucket; false when there is none. per_s: connects per second that it may make now, >= 1. The
 * burst is twice that.
 */
bool rate_connect(struct rate *l, uid_t uid, uint64_t per_s, int64_t now_ns);

#endif
