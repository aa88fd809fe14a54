/* SPDX-License-Identifier: MIT */
/* Timers, and the heap below them. */
#include "reactor/heap.h"

#include "base/cleanup.h"
#include "reactor.h"

struct member {
	struct rdy__heap_node node;
	int64_t deadline_ns;
};

/* Against a linear search, over some thousand random steps from a fixed seed. */
START_TEST(heap_is_ordered)
{
	struct rdy__heap h = RDY__HEAP_NULL;
	struct member m[100];
	uint32_t x = 12345;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(rdy__heap_reserve(&h), 0);
		m[i] = (struct member){RDY__HEAP_NODE_NULL, 0};
	}
	for (int step = 0; step < 5000; step++) {
		struct member *t;
		int64_t lowest = INT64_MAX;
		int right = 1;
		size_t n = 0;

		x = x * 1664525 + 1013904223;
		t = &m[(x >> 8) % 100];
		if (x >> 30) {
			t->deadline_ns = x >> 16 & 255;
			rdy__heap_set(&h, &t->node, t->deadline_ns);
		} else {
			rdy__heap_remove(&h, &t->node);
		}
		for (int i = 0; i < 100; i++) {
			struct rdy__heap_entry *e;

			if (m[i].node.index == RDY__HEAP_NOT_IN)
				continue;
			n++;
			e = &h.entries[m[i].node.index];
			right &= e->node == &m[i].node && e->deadline_ns == m[i].deadline_ns;
			if (m[i].deadline_ns < lowest)
				lowest = m[i].deadline_ns;
		}
		ck_assert(right);
		ck_assert_uint_eq(h.n, n);
		if (n)
			ck_assert_int_eq(h.entries[0].deadline_ns, lowest);
	}
	for (int i = 0; i < 100; i++) {
		rdy__heap_remove(&h, &m[i].node);
		rdy__heap_unreserve(&h);
	}
	ck_assert_uint_eq(h.n + h.n_reserved, 0);
	rdy__heap_deinit(&h);
}
END_TEST

START_TEST(fires_once_and_not_early)
{
	for_each_variant(b)
	{
		struct rdy_timer *t;
		int64_t deadline;

		ck_assert_int_eq(rdy_timer_new(b.poll, 5, &t), 0);
		expect_none(&b);
		deadline = rdy_now_ns() + 300000;
		ck_assert_int_eq(rdy_timer_set(t, deadline), 0);
		ck_assert_int_eq(take(&b, -1), 1);
		ck_assert_int_ge(rdy_now_ns(), deadline);
		ck_assert_uint_eq(b.got[0].token, 5);
		ck_assert_uint_eq(b.got[0].ready, RDY_TIMER);
		expect_none(&b);
		/* In the past. */
		ck_assert_int_eq(rdy_timer_set(t, 0), 0);
		expect(&b, 5, RDY_TIMER);
		/* The timeout comes first. */
		ck_assert_int_eq(rdy_timer_set(t, rdy_now_ns() + LONG_NS), 0);
		ck_assert_int_eq(take(&b, MS), 0);
		rdy_timer_free(t);
	}
}
END_TEST

START_TEST(set_and_clear_withdraw)
{
	for_each_variant(b)
	{
		struct rdy_timer *t, *u;
		struct rdy_event e;

		ck_assert_int_eq(rdy_timer_new(b.poll, 5, &t), 0);
		ck_assert_int_eq(rdy_timer_new(b.poll, 6, &u), 0);
		rdy_timer_set(t, 0);
		rdy_timer_set(t, rdy_now_ns() + LONG_NS);
		expect_none(&b);
		rdy_timer_set(t, 0);
		ck_assert_int_eq(rdy_timer_clear(t), 0);
		ck_assert_int_eq(rdy_timer_clear(t), 0);
		expect_none(&b);
		/* After it was fetched. */
		for (int how = 0; how < 3; how++) {
			rdy_timer_set(t, 0);
			rdy_timer_set(u, 1);
			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 2);
			if (how == 0)
				rdy_timer_set(t, rdy_now_ns() + LONG_NS);
			else if (how == 1)
				rdy_timer_clear(t);
			else
				t = rdy_timer_free(t);
			ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
			ck_assert_uint_eq(e.token, 6);
			ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
			expect_none(&b);
		}
		rdy_timer_free(u);
	}
}
END_TEST

START_TEST(in_the_order_of_deadlines)
{
	for_each_variant(b)
	{
		struct rdy_timer *t[40];
		uint64_t want = 0;

		rdy_events_free(b.events);
		ck_assert_int_eq(rdy_events_new(8, &b.events), 0);
		for (unsigned int i = 0; i < 40; i++) {
			ck_assert_int_eq(rdy_timer_new(b.poll, i * 7 % 40, &t[i]), 0);
			rdy_timer_set(t[i], i * 7 % 40);
		}
		while (want < 40) {
			ck_assert_int_ge(take(&b, 0), 1);
			for (int i = 0; i < b.n; i++)
				ck_assert_uint_eq(b.got[i].token, want++);
		}
		expect_none(&b);
		for (int i = 0; i < 40; i++)
			rdy_timer_free(t[i]);
	}
}
END_TEST

/* Neither timers nor descriptors starve the other, whatever the size of the batch. */
START_TEST(shares_the_batch)
{
	for_each_variant(b)
	{
		for (size_t capacity = 1; capacity < 5; capacity++) {
			struct rdy_timer *t[4];
			int fds[4], n_timers = 0, n_fds = 0;

			rdy_events_free(b.events);
			ck_assert_int_eq(rdy_events_new(capacity, &b.events), 0);
			for (int i = 0; i < 4; i++) {
				fds[i] = an_eventfd(1);
				ck_assert_int_eq(rdy_poll_register(b.poll, fds[i], 1, RDY_READABLE,
							 RDY_LEVEL),
					0);
				ck_assert_int_eq(rdy_timer_new(b.poll, 2, &t[i]), 0);
			}
			for (int round = 0; round < 10; round++) {
				for (int i = 0; i < 4; i++)
					rdy_timer_set(t[i], 0);
				ck_assert_int_eq(take(&b, 0), (int)capacity);
				for (int i = 0; i < b.n; i++) {
					n_timers += b.got[i].token == 2;
					n_fds += b.got[i].token == 1;
				}
			}
			ck_assert_int_ge(n_timers, 5);
			ck_assert_int_ge(n_fds, 5);
			for (int i = 0; i < 4; i++) {
				ck_assert_int_eq(rdy_poll_deregister(b.poll, fds[i]), 0);
				rdy_timer_free(t[i]);
				shut(&fds[i]);
			}
		}
	}
}
END_TEST

START_TEST(inert_without_its_poll)
{
	for_each_variant(b)
	{
		struct rdy_timer *t;

		ck_assert_int_eq(rdy_timer_new(b.poll, 5, &t), 0);
		rdy_timer_set(t, 0);
		b.poll = rdy_poll_free(b.poll);
		ck_assert_int_eq(rdy_timer_set(t, 0), 0);
		ck_assert_int_eq(rdy_timer_clear(t), 0);
		ck_assert_ptr_null(rdy_timer_free(t));
	}
}
END_TEST

UNIT_MAIN("reactor/timer", heap_is_ordered, fires_once_and_not_early, set_and_clear_withdraw,
	in_the_order_of_deadlines, shares_the_batch, inert_without_its_poll)
