/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include "reply.h"
#include "unit.h"

START_TEST(limits)
{
	struct quota q;

	quota_init(&q, 2);
	ck_assert(quota_room(&q, 2));
	ck_assert(!quota_room(&q, 3));
	ck_assert(quota_charge(&q));
	ck_assert(quota_charge(&q));
	ck_assert(!quota_charge(&q));
	quota_release(&q, 1);
	ck_assert(quota_charge(&q));
	/* Lowering refuses and evicts nobody. */
	quota_set_limit(&q, 1);
	ck_assert(!quota_charge(&q));
	quota_release(&q, 1);
	ck_assert(!quota_charge(&q));
	quota_release(&q, 1);
	ck_assert(quota_charge(&q));
	quota_release(&q, 1);
}
END_TEST

START_TEST(what_arrived_counts_over_the_limit)
{
	struct quota q;

	quota_init(&q, 10);
	quota_add(&q, 12);
	ck_assert(!quota_room(&q, 0));
	ck_assert(!quota_charge(&q));
	quota_release(&q, 3);
	ck_assert(quota_room(&q, 1));
	ck_assert(!quota_room(&q, UINT32_MAX));
}
END_TEST

START_TEST(replies_keep_their_order)
{
	struct replies q = REPLIES_NULL;

	for (uint8_t i = 0; i < 40; i++)
		ck_assert_int_eq(replies_append(&q, &i, 1), 0);
	for (uint8_t i = 0; i < 20; i++) {
		ck_assert_uint_eq(q.head->n_bytes, 1);
		ck_assert_uint_eq(q.head->bytes[0], i);
		replies_drop(&q);
	}
	ck_assert_uint_eq(q.n, 20);
	replies_deinit(&q);
	replies_deinit(&q);
	ck_assert_ptr_null(q.head);
	ck_assert_ptr_null(q.tail);
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

UNIT_MAIN("agent/quota", limits, what_arrived_counts_over_the_limit, replies_keep_their_order)
