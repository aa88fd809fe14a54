/* SPDX-License-Identifier: MIT */
/* Many events taken at once are those that come one by one. */
#include "reactor.h"

#define MOST 9

struct set {
	int fds[MOST];
	int n;
};

static void open_set(struct bench *b, struct set *s, int n)
{
	s->n = n;
	for (int i = 0; i < n; i++) {
		s->fds[i] = an_eventfd(1);
		ck_assert_int_eq(
			rdy_poll_register(b->poll, s->fds[i], 1u << i, RDY_READABLE, RDY_LEVEL), 0);
	}
}

static void close_set(struct bench *b, struct set *s)
{
	for (int i = 0; i < s->n; i++) {
		(void)rdy_poll_deregister(b->poll, s->fds[i]);
		shut(&s->fds[i]);
	}
}

/* Up to n, each with this readiness; returns the sum of their tokens and leaves what lies behind ret alone. */
static uint64_t sum_of(struct rdy_events *events, size_t n, size_t want)
{
	struct rdy_event ret[MANY + 1];
	uint64_t sum = 0;

	memset(ret, 0x5a, sizeof(ret));
	ck_assert_uint_eq(rdy_events_take(events, ret, n), want);
	for (size_t i = 0; i < want; i++) {
		ck_assert_uint_eq(ret[i].ready, RDY_READABLE);
		ck_assert_uint_eq(ret[i].pad0, 0);
		sum += ret[i].token;
	}
	ck_assert_uint_eq(ret[n].token, UINT64_C(0x5a5a5a5a5a5a5a5a));
	return sum;
}

START_TEST(all_at_once)
{
	for_each_variant(b)
	{
		ck_assert_uint_eq(rdy_events_take(b.events, NULL, 0), 0);
		sum_of(b.events, 3, 0);
		for (int n = 0; n <= MOST; n++) {
			struct set s;

			open_set(&b, &s, n);
			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), n);
			ck_assert_uint_eq(
				sum_of(b.events, MANY, (size_t)n), (1u << (unsigned int)n) - 1);
			sum_of(b.events, MANY, 0);
			close_set(&b, &s);
		}
	}
}
END_TEST

START_TEST(in_pieces)
{
	for_each_variant(b)
	{
		struct set s;

		open_set(&b, &s, MOST);
		for (size_t piece = 1; piece <= MOST; piece++) {
			struct rdy_event e;
			uint64_t sum = 0;
			size_t left = MOST;

			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), MOST);
			sum += sum_of(b.events, 0, 0);
			/* Both ways mix. */
			ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
			sum += e.token;
			for (left--; left; left -= piece < left ? piece : left)
				sum += sum_of(b.events, piece, piece < left ? piece : left);
			ck_assert_uint_eq(sum, (1u << MOST) - 1);
			ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
		}
		close_set(&b, &s);
	}
}
END_TEST

/* Invariant: TOKEN-1 */
START_TEST(ended_ones_are_left_out)
{
	for_each_variant(b)
	{
		for (unsigned int ended = 0; ended < 1u << 6; ended++) {
			struct set s;
			int n = 0;

			open_set(&b, &s, 6);
			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 6);
			for (unsigned int i = 0; i < 6; i++)
				if (ended >> i & 1)
					ck_assert_int_eq(rdy_poll_deregister(b.poll, s.fds[i]), 0);
				else
					n++;
			ck_assert_uint_eq(sum_of(b.events, MANY, (size_t)n), 0x3fu & ~ended);
			close_set(&b, &s);
		}
	}
}
END_TEST

/* Wakers and timers come with them, and count. */
START_TEST(of_all_kinds)
{
	for_each_variant(b)
	{
		struct rdy_event ret[8];
		struct rdy_waker *w;
		struct rdy_timer *t;
		struct set s;

		open_set(&b, &s, 5);
		ck_assert_int_eq(rdy_waker_new(b.poll, 32, &w), 0);
		ck_assert_int_eq(rdy_timer_new(b.poll, 64, &t), 0);
		for (size_t n = 1; n <= 8; n++) {
			uint64_t sum = 0;

			ck_assert_int_eq(rdy_waker_wake(w), 0);
			ck_assert_int_eq(rdy_timer_set(t, 0), 0);
			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 7);
			for (size_t got, left = 7; left; left -= got) {
				got = rdy_events_take(b.events, ret, n);
				ck_assert_uint_eq(got, n < left ? n : left);
				for (size_t i = 0; i < got; i++)
					sum += ret[i].token;
			}
			ck_assert_uint_eq(sum, 127);
			ck_assert_uint_eq(rdy_events_take(b.events, ret, n), 0);
		}
		rdy_timer_free(t);
		rdy_waker_free(w);
		close_set(&b, &s);
	}
}
END_TEST

UNIT_MAIN("reactor/batch", all_at_once, in_pieces, ended_ones_are_left_out, of_all_kinds)
