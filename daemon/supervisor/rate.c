/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define FULL_NS (2 * SECOND_NS)

void rate_init(struct rate *l)
{
	memset(l, 0, sizeof(*l));
}

static void fill(struct bucket *b, int64_t now_ns)
{
	int64_t passed = now_ns - b->filled_at_ns;

	b->filled_at_ns = now_ns;
	if (passed >= FULL_NS - b->tokens_ns)
		b->tokens_ns = FULL_NS;
	else if (passed > 0)
		b->tokens_ns += passed;
}

/* The uid's bucket, or one that is free, or the fullest: forgetting that one forgives least. */
static struct bucket *bucket_of(struct rate *l, uid_t uid, int64_t now_ns)
{
	struct bucket *best = NULL;

	for (size_t i = 0; i < RATE_BUCKETS; i++) {
		struct bucket *b = &l->buckets[i];

		if (b->used && b->uid == uid) {
			fill(b, now_ns);
			return b;
		}
		if (b->used)
			fill(b, now_ns);
		if (!best || (best->used && (!b->used || b->tokens_ns > best->tokens_ns)))
			best = b;
	}
	*best = (struct bucket){uid, true, now_ns, FULL_NS};
	return best;
}

bool rate_connect(struct rate *l, uid_t uid, uint64_t per_s, int64_t now_ns)
{
	struct bucket *b = bucket_of(l, uid, now_ns);
	int64_t cost_ns = SECOND_NS / (int64_t)per_s;

	if (b->tokens_ns < cost_ns)
		return false;
	b->tokens_ns -= cost_ns;
	return true;
}
