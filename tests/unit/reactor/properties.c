/* SPDX-License-Identifier: MIT */
/*
 * What holds of every history: random ones, from a seed that is printed before each; the last one before a
 * failure is the one. READYD_TEST_SEED=N runs that one alone.
 */
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "reactor.h"

#define HISTORIES 40
#define N 8 /* descriptors of a history */

static uint64_t state;

/* xorshift64*: the same numbers everywhere. */
static uint32_t some(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* A history: a seed of its own. */
#define for_each_history \
	for (uint64_t history = first_history(), last_ = last_history(); \
		history <= last_ && begin_history(history); history++)

static uint64_t wanted(void)
{
	const char *seed = getenv("READYD_TEST_SEED");

	return seed ? strtoull(seed, NULL, 0) : 0;
}

static uint64_t first_history(void)
{
	return wanted() ? wanted() : 1;
}

static uint64_t last_history(void)
{
	return wanted() ? wanted() : HISTORIES;
}

static bool begin_history(uint64_t seed)
{
	fprintf(stderr, "# READYD_TEST_SEED=%llu\n", (unsigned long long)seed);
	state = seed * UINT64_C(0x9e3779b97f4a7c15);
	return true;
}

static uint32_t some_mode(void)
{
	return RDY_EDGE + some(3);
}

static struct {
	int fds[2]; /* [0] is registered */
	uint64_t token;
	bool live;
} one[N];

static void open_all(void)
{
	for (int i = 0; i < N; i++) {
		stream_pair(one[i].fds);
		one[i].live = false;
	}
}

static void close_all(struct bench *b)
{
	for (int i = 0; i < N; i++) {
		if (one[i].live)
			ck_assert_int_eq(rdy_poll_deregister(b->poll, one[i].fds[0]), 0);
		shut(&one[i].fds[0]);
		shut(&one[i].fds[1]);
	}
}

/* Its index, or -1: nothing live has the token. */
static int whose(uint64_t token)
{
	for (int i = 0; i < N; i++)
		if (one[i].live && one[i].token == token)
			return i;
	return -1;
}

/* A batch of another size. */
static void batch_of(struct bench *b, size_t capacity)
{
	rdy_events_free(b->events);
	ck_assert_int_eq(rdy_events_new(capacity, &b->events), 0);
}

/* Every event that is taken, at any moment, is of what is registered at that moment, under its last token. */
START_TEST(events_are_of_the_living)
{
	for_each_variant(b) for_each_history
	{
		uint64_t last = 0;
		struct rdy_event e;

		open_all();
		batch_of(&b, 1 + some(N));
		for (int step = 0; step < 200; step++) {
			int i = (int)some(N), r;
			uint32_t mode = some_mode();

			switch (some(7)) {
			case 0:
				r = rdy_poll_register(
					b.poll, one[i].fds[0], last + 1, RDY_READABLE, mode);
				ck_assert_int_eq(r, one[i].live ? -EEXIST : 0);
				if (r == 0)
					one[i].token = ++last;
				one[i].live = true;
				break;
			case 1:
				r = rdy_poll_modify(
					b.poll, one[i].fds[0], last + 1, RDY_READABLE, mode);
				ck_assert_int_eq(r, one[i].live ? 0 : -ENOENT);
				if (r == 0)
					one[i].token = ++last;
				break;
			case 2:
				r = rdy_poll_deregister(b.poll, one[i].fds[0]);
				ck_assert_int_eq(r, one[i].live ? 0 : -ENOENT);
				one[i].live = false;
				break;
			case 3:
				r = rdy_poll_rearm(b.poll, one[i].fds[0]);
				ck_assert_int_eq(r, one[i].live ? 0 : -ENOENT);
				break;
			case 4:
				put(one[i].fds[1]);
				break;
			case 5:
				ck_assert_int_ge(rdy_poll_wait(b.poll, b.events, 0), 0);
				break;
			default:
				if (rdy_events_next(b.events, &e))
					ck_assert_int_ge(whose(e.token), 0);
				break;
			}
		}
		close_all(&b);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
	}
}
END_TEST

/* Whatever came before: once it was drained and armed, new data is an event. */
START_TEST(drained_and_written_is_an_event)
{
	for_each_variant(b) for_each_history
	{
		open_all();
		for (int i = 0; i < N; i++) {
			one[i].token = (uint64_t)i + 1;
			one[i].live = true;
			ck_assert_int_eq(rdy_poll_register(b.poll, one[i].fds[0], one[i].token,
						 RDY_READABLE, some_mode()),
				0);
		}
		for (int step = 0; step < 50; step++) {
			int i = (int)some(N);
			char buf[64];
			bool seen = false;

			for (uint32_t n = some(3); n > 0; n--)
				put(one[i].fds[1]);
			if (some(2))
				ck_assert_int_ge(take(&b, 0), 0);
			while (read(one[i].fds[0], buf, sizeof(buf)) > 0)
				;
			ck_assert_int_eq(rdy_poll_rearm(b.poll, one[i].fds[0]), 0);
			put(one[i].fds[1]);
			ck_assert_int_ge(take(&b, 0), 1);
			for (int k = 0; k < b.n; k++)
				seen |= b.got[k].token == one[i].token &&
					b.got[k].ready & RDY_READABLE;
			ck_assert(seen);
		}
		close_all(&b);
	}
}
END_TEST

/* After a modify, events are those of its token, interest and mode alone, and what is ready comes again. */
START_TEST(modify_replaces_all)
{
	for_each_variant(b) for_each_history
	{
		static const uint32_t interests[] = {RDY_READABLE, RDY_WRITABLE,
			RDY_READABLE | RDY_WRITABLE, RDY_PRIORITY, RDY_HANGUP_ONLY};

		open_all();
		ck_assert_int_eq(
			rdy_poll_register(b.poll, one[0].fds[0], 1, RDY_READABLE, some_mode()), 0);
		one[0].live = true;
		put(one[0].fds[1]);
		for (uint64_t token = 2; token < 30; token++) {
			uint32_t interest = interests[some(5)], mode = some_mode();
			uint32_t ready = interest & (RDY_READABLE | RDY_WRITABLE);

			if (some(2))
				ck_assert_int_ge(rdy_poll_wait(b.poll, b.events, 0), 0);
			ck_assert_int_eq(
				rdy_poll_modify(b.poll, one[0].fds[0], token, interest, mode), 0);
			ck_assert_int_eq(rdy_events_next(b.events, &b.got[0]), 0);
			if (!ready) {
				expect_none(&b);
				continue;
			}
			expect(&b, token, ready);
			if (mode == RDY_LEVEL)
				expect(&b, token, ready);
			else
				expect_none(&b);
		}
		close_all(&b);
	}
}
END_TEST

/*
 * However small the batch, and whatever shares it: descriptors, timers and wakers that are due again in every wait
 * all come, within some waits. Invariant: FAIR-1
 */
START_TEST(a_small_batch_is_fair)
{
	for_each_variant(b) for_each_history
	{
		size_t capacity = 1 + some(4);
		uint32_t mode = some_mode(), seen = 0, all = (1u << N) - 1, due = 3u << N;
		bool timer = some(2), wake = some(2);
		struct rdy_timer *t[2];
		struct rdy_waker *w[2];
		int waits = 0;

		open_all();
		batch_of(&b, capacity);
		for (unsigned int k = 0; k < 2; k++) {
			ck_assert_int_eq(rdy_timer_new(b.poll, N + k, &t[k]), 0);
			ck_assert_int_eq(rdy_waker_new(b.poll, N + 2 + k, &w[k]), 0);
		}
		all |= (timer ? 3u << N : 0) | (wake ? 3u << (N + 2) : 0);
		for (int i = 0; i < N; i++) {
			one[i].token = (uint64_t)i;
			one[i].live = true;
			put(one[i].fds[1]);
			ck_assert_int_eq(rdy_poll_register(b.poll, one[i].fds[0], one[i].token,
						 RDY_READABLE, mode),
				0);
		}
		while (seen != all) {
			for (int k = 0; k < 2; k++) {
				/* A timer that has come is due again, behind one that has not. */
				if (timer && due & 1u << (N + k))
					ck_assert_int_eq(rdy_timer_set(t[k], rdy_now_ns()), 0);
				/* A waker that has come is woken again, one that has not stays so. */
				if (wake)
					ck_assert_int_eq(rdy_waker_wake(w[k]), 0);
			}
			ck_assert_int_le(take(&b, 0), (int)capacity);
			due = 0;
			for (int k = 0; k < b.n; k++)
				due |= 1u << b.got[k].token;
			seen |= due;
			ck_assert_msg(++waits < 100, "batch of %zu, mode %u: only %#x came",
				capacity, mode, seen);
		}
		for (int k = 0; k < 2; k++) {
			rdy_timer_free(t[k]);
			rdy_waker_free(w[k]);
		}
		close_all(&b);
	}
}
END_TEST

/* A wait that brings nothing lasts at least as long as asked, to the nanosecond. */
START_TEST(never_shorter_than_asked)
{
	for_each_variant(b)
	{
		for (int i = 0; i < 60; i++) {
			int64_t timeout, start;

			begin_history((uint64_t)i + 1);
			timeout = (int64_t)some(2000000);
			start = rdy_now_ns();
			ck_assert_int_eq(take(&b, timeout), 0);
			ck_assert_int_ge(rdy_now_ns() - start, timeout);
		}
	}
}
END_TEST

/* In milliseconds: never less, less than one more, and what is too long is the longest. */
START_TEST(milliseconds_round_up)
{
	for_each_history
	{
		for (int i = 0; i < 1000; i++) {
			int64_t ns = (int64_t)((uint64_t)some(INT_MAX) << some(32) | some(1000000));
			int64_t ms = rdy__ns_to_poll_ms(ns);

			ck_assert_int_ge(ms, 0);
			if (ns > (int64_t)INT_MAX * RDY__NS_PER_MS) {
				ck_assert_int_eq(ms, INT_MAX);
				continue;
			}
			ck_assert_int_ge(ms * RDY__NS_PER_MS, ns);
			ck_assert_int_lt((ms - 1) * RDY__NS_PER_MS, ns);
		}
	}
}
END_TEST

static uint32_t ready_with(struct bench *b, int fd, uint32_t interest)
{
	uint32_t ready = 0;

	ck_assert_int_eq(rdy_poll_register(b->poll, fd, 1, interest, RDY_LEVEL), 0);
	ck_assert_int_ge(take(b, 0), 0);
	for (int i = 0; i < b->n; i++)
		ready |= b->got[i].ready;
	ck_assert_int_eq(rdy_poll_deregister(b->poll, fd), 0);
	return ready;
}

/* Something of every state: idle, readable, full, half closed, closed. */
static void some_state(int fds[2])
{
	static const char page[4096];

	stream_pair(fds);
	if (some(2))
		put(fds[1]);
	if (some(2))
		while (send(fds[0], page, sizeof(page), MSG_NOSIGNAL) > 0)
			;
	if (some(3) == 0)
		ck_assert_int_eq(shutdown(fds[(int)some(2)], SHUT_WR), 0);
	if (some(3) == 0)
		shut(&fds[1]);
}

/* Two interests together report what each of them reports alone, and no interest has bits of its own but hangups. */
START_TEST(interests_add_up)
{
	for_each_variant(b) for_each_history
	{
		int fds[2];

		some_state(fds);
		for (uint32_t x = 1; x <= RDY_INTERESTS; x++) {
			uint32_t y = 1 + some(RDY_INTERESTS);
			uint32_t both = ready_with(&b, fds[0], x | y);

			ck_assert_uint_eq(
				both, ready_with(&b, fds[0], x) | ready_with(&b, fds[0], y));
			ck_assert_uint_eq(ready_with(&b, fds[0], x | x), ready_with(&b, fds[0], x));
			if (!((x | y) & RDY_READABLE))
				ck_assert_uint_eq(both & RDY_READABLE, 0);
			if (!((x | y) & RDY_WRITABLE))
				ck_assert_uint_eq(both & RDY_WRITABLE, 0);
		}
		shut(&fds[0]);
		if (fds[1] >= 0)
			shut(&fds[1]);
	}
}
END_TEST

/* A token is 64 bits, each of them the caller's. */
START_TEST(tokens_come_back_whole)
{
	for_each_variant(b) for_each_history
	{
		int fd = an_eventfd(1);

		for (int i = 0; i < 64; i++) {
			uint64_t token = UINT64_C(1) << i;
			struct rdy_waker *w;
			struct rdy_timer *t;

			token |= (uint64_t)some(INT_MAX) << some(33);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, fd, token, RDY_READABLE, some_mode()), 0);
			expect(&b, token, RDY_READABLE);
			ck_assert_int_eq(
				rdy_poll_modify(b.poll, fd, ~token, RDY_READABLE, some_mode()), 0);
			expect(&b, ~token, RDY_READABLE);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
			ck_assert_int_eq(rdy_waker_new(b.poll, token, &w), 0);
			ck_assert_int_eq(rdy_waker_wake(w), 0);
			expect(&b, token, RDY_WAKE | RDY_READABLE);
			ck_assert_int_eq(rdy_timer_new(b.poll, token, &t), 0);
			ck_assert_int_eq(rdy_timer_set(t, 0), 0);
			expect(&b, token, RDY_TIMER);
			rdy_waker_free(w);
			rdy_timer_free(t);
		}
		shut(&fd);
	}
}
END_TEST

UNIT_MAIN("reactor/properties", events_are_of_the_living, drained_and_written_is_an_event,
	modify_replaces_all, a_small_batch_is_fair, never_shorter_than_asked, milliseconds_round_up,
	interests_add_up, tokens_come_back_whole)
