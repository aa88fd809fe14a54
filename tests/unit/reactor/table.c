/* SPDX-License-Identifier: MIT */
/* The table of registrations: chunks never move, outgrown arrays stay readable, generations skip 0. */
#include "reactor/table.h"

#include "base/cleanup.h"
#include "reactor.h"
#include "reactor/selector.h"

START_TEST(slots_never_move)
{
	struct rdy__table t = RDY__TABLE_NULL;
	static const int fds[] = {0, 255, 256, 5, 70000, 1, 1000000, 1024};
	struct rdy__slot *slots[RDY__ARRAY_SIZE(fds)], *again;
	struct rdy__slot **first;

	ck_assert_ptr_null(rdy__table_get(&t, 0));
	ck_assert_ptr_null(rdy__table_get(&t, -1));
	ck_assert_int_eq(rdy__table_reserve(&t, 0, &again), 0);
	first = t.chunks;
	for (size_t i = 0; i < RDY__ARRAY_SIZE(fds); i++) {
		ck_assert_int_eq(rdy__table_reserve(&t, fds[i], &slots[i]), 0);
		ck_assert_uint_eq(rdy__slot_generation(slots[i]), 1);
		ck_assert_uint_eq(slots[i]->state, 0);
		slots[i]->state = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < RDY__ARRAY_SIZE(fds); i++) {
		ck_assert_ptr_eq(rdy__table_get(&t, fds[i]), slots[i]);
		ck_assert_uint_eq(slots[i]->state, i + 1);
	}
	/* The array of the beginning, as a batch may still have it. */
	ck_assert_ptr_ne(t.chunks, first);
	ck_assert_ptr_eq(&first[0][5], rdy__table_get(&t, 5));
	ck_assert_ptr_null(rdy__table_get(&t, 2000000));
	ck_assert_ptr_null(rdy__table_get(&t, INT32_MAX));
	ck_assert_ptr_null(rdy__table_get(&t, INT32_MIN));
	ck_assert_uint_eq(sizeof(struct rdy__slot), 16);
	rdy__table_deinit(&t);
	rdy__table_deinit(&t);
}
END_TEST

START_TEST(generations_skip_the_wakers)
{
	struct rdy__table t = RDY__TABLE_NULL;
	struct rdy__slot *slot;

	ck_assert_int_eq(rdy__table_reserve(&t, 3, &slot), 0);
	rdy__slot_next_generation(slot);
	ck_assert_uint_eq(rdy__slot_generation(slot), 2);
	atomic_store(&slot->generation, UINT32_MAX);
	ck_assert_uint_eq(rdy__generation_after(UINT32_MAX), 1);
	rdy__slot_next_generation(slot);
	ck_assert_uint_eq(rdy__slot_generation(slot), 1);
	rdy__table_deinit(&t);
}
END_TEST

/* Every combination of the kernel's six bits, against the rules in words. */
START_TEST(masks_mean)
{
	for (unsigned int i = 0; i < 64; i++) {
		uint32_t raw = (i & 31u) | (i & 32u ? RDY__RAW_RDHUP : 0);
		uint32_t in = raw & RDY__RAW_IN, pri = raw & RDY__RAW_PRI, out = raw & RDY__RAW_OUT;
		uint32_t err = raw & RDY__RAW_ERR, hup = raw & RDY__RAW_HUP;
		uint32_t rdhup = raw & RDY__RAW_RDHUP, ready = 0;

		if (in || pri)
			ready |= RDY_READABLE;
		if (pri)
			ready |= RDY_PRIORITY;
		if (out)
			ready |= RDY_WRITABLE;
		if (err)
			ready |= RDY_ERROR;
		if (hup || rdhup)
			ready |= RDY_READ_CLOSED;
		if (hup || (out && err) || raw == RDY__RAW_ERR)
			ready |= RDY_WRITE_CLOSED;
		ck_assert_uint_eq(RDY__RAW_INDEX(raw), i);
		ck_assert_uint_eq(rdy__poll_ready_map[i].ready, ready);
		ck_assert_uint_eq(rdy__poll_ready_map[i].pad0, 0);
	}
}
END_TEST

UNIT_MAIN("reactor/table", slots_never_move, generations_skip_the_wakers, masks_mean)
