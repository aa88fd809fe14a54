/* SPDX-License-Identifier: MIT */
/* See quota.h. Relaxed order is enough: a counter publishes nothing but itself. */
#include "quota.h"

#include <assert.h>

void quota_init(struct quota *q, uint32_t limit)
{
	atomic_init(&q->used, 0);
	atomic_init(&q->limit, limit);
}

void quota_set_limit(struct quota *q, uint32_t limit)
{
	atomic_store_explicit(&q->limit, limit, memory_order_relaxed);
}

bool quota_charge(struct quota *q)
{
	uint32_t used = atomic_load_explicit(&q->used, memory_order_relaxed);

	do {
		if (used >= atomic_load_explicit(&q->limit, memory_order_relaxed))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&q->used, &used, used + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void quota_add(struct quota *q, uint32_t n)
{
	atomic_fetch_add_explicit(&q->used, n, memory_order_relaxed);
}

void quota_release(struct quota *q, uint32_t n)
{
	uint32_t before = atomic_fetch_sub_explicit(&q->used, n, memory_order_relaxed);

	assert(before >= n);
	(void)before;
}

bool quota_room(const struct quota *q, uint32_t n)
{
	uint64_t used = atomic_load_explicit(&q->used, memory_order_relaxed);

	return used + n <= atomic_load_explicit(&q->limit, memory_order_relaxed);
}
