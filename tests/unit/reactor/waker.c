/* SPDX-License-Identifier: MIT */
/* Wakers: several on one descriptor, coalescing, ends in any order. */
#include <pthread.h>
#include <signal.h>

#include "reactor.h"

START_TEST(wakes_are_one_event)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;

		ck_assert_int_eq(rdy_waker_new(b.poll, 9, &w), 0);
		expect_none(&b);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(rdy_waker_wake(w), 0);
		expect(&b, 9, RDY_WAKE | RDY_READABLE);
		expect_none(&b);
		ck_assert_uint_eq(rdy_waker_count(w), 3);
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		expect(&b, 9, RDY_WAKE | RDY_READABLE);
		ck_assert_uint_eq(rdy_waker_count(w), 4);
		ck_assert_uint_eq(rdy_waker_count(NULL), 0);
		rdy_waker_free(w);
		expect_none(&b);
	}
}
END_TEST

/* Invariant: WAKE-1 */
START_TEST(wake_after_the_event_is_a_new_event)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;
		struct rdy_event e;

		ck_assert_int_eq(rdy_waker_new(b.poll, 9, &w), 0);
		for (int i = 0; i < 100; i++) {
			ck_assert_int_eq(rdy_waker_wake(w), 0);
			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, LONG_NS), 1);
			ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
		}
		/* Also between fetching and taking: one event more, or the same one; never none. */
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 1);
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
		expect(&b, 9, RDY_WAKE | RDY_READABLE);
		expect_none(&b);
		rdy_waker_free(w);
	}
}
END_TEST

START_TEST(each_has_its_token)
{
	for_each_variant(b)
	{
		struct rdy_waker *w[5];
		uint64_t seen = 0;
		int fd = an_eventfd(1);

		for (unsigned int i = 0; i < 5; i++)
			ck_assert_int_eq(rdy_waker_new(b.poll, 1u << i, &w[i]), 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 32, RDY_READABLE, RDY_LEVEL), 0);
		for (int i = 0; i < 5; i += 2)
			ck_assert_int_eq(rdy_waker_wake(w[i]), 0);
		ck_assert_int_eq(take(&b, 0), 4);
		for (int i = 0; i < b.n; i++)
			seen |= b.got[i].token;
		ck_assert_uint_eq(seen, 1 | 4 | 16 | 32);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
		/* More than the batch holds: the rest comes with the next waits. */
		rdy_events_free(b.events);
		ck_assert_int_eq(rdy_events_new(2, &b.events), 0);
		for (int i = 0; i < 5; i++)
			ck_assert_int_eq(rdy_waker_wake(w[i]), 0);
		seen = 0;
		for (int left = 5; left > 0; left -= b.n) {
			ck_assert_int_eq(take(&b, LONG_NS), left > 2 ? 2 : left);
			for (int i = 0; i < b.n; i++)
				seen += b.got[i].token;
		}
		ck_assert_uint_eq(seen, 31);
		expect_none(&b);
		for (int i = 0; i < 5; i++)
			rdy_waker_free(w[i]);
		shut(&fd);
	}
}
END_TEST

START_TEST(freed_before_it_was_told)
{
	for_each_variant(b)
	{
		struct rdy_waker *w, *other;
		struct rdy_event e;

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		ck_assert_int_eq(rdy_waker_new(b.poll, 2, &other), 0);
		rdy_waker_wake(w);
		ck_assert_ptr_null(rdy_waker_free(w));
		expect_none(&b);
		/* Withdrawn even from a fetched batch. */
		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		rdy_waker_wake(w);
		rdy_waker_wake(other);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 2);
		rdy_waker_free(w);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
		ck_assert_uint_eq(e.token, 2);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
		rdy_waker_free(other);
	}
}
END_TEST

/* A wake that comes after the poll was freed hits no descriptor that has its number by now. */
START_TEST(the_poll_ends_first)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;
		int fds[8];
		eventfd_t value;

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		b.poll = rdy_poll_free(b.poll);
		for (int i = 0; i < 8; i++)
			fds[i] = an_eventfd(0);
		ck_assert_int_eq(rdy_waker_wake(w), -EPIPE);
		for (int i = 0; i < 8; i++) {
			ck_assert_int_eq(eventfd_read(fds[i], &value), -1);
			shut(&fds[i]);
		}
		ck_assert_ptr_null(rdy_waker_free(w));
	}
}
END_TEST

static void *wake_once(void *waker)
{
	rdy_waker_wake(waker);
	return NULL;
}

START_TEST(from_another_thread)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;
		pthread_t t;

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		for (int i = 0; i < 20; i++) {
			ck_assert_int_eq(pthread_create(&t, NULL, wake_once, w), 0);
			ck_assert_int_eq(take(&b, LONG_NS), 1);
			ck_assert_int_eq(b.n, 1);
			pthread_join(t, NULL);
		}
		rdy_waker_free(w);
	}
}
END_TEST

static struct rdy_waker *handlers_waker;

static void handler(int sig)
{
	rdy_waker_wake(handlers_waker);
}

START_TEST(from_a_signal_handler)
{
	for_each_variant(b)
	{
		struct sigaction sa = {.sa_handler = handler};

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &handlers_waker), 0);
		sigaction(SIGUSR1, &sa, NULL);
		errno = 12345;
		raise(SIGUSR1);
		ck_assert_int_eq(errno, 12345);
		expect(&b, 1, RDY_WAKE | RDY_READABLE);
		rdy_waker_free(handlers_waker);
	}
}
END_TEST

UNIT_MAIN("reactor/waker", wakes_are_one_event, wake_after_the_event_is_a_new_event,
	each_has_its_token, freed_before_it_was_told, the_poll_ends_first, from_another_thread,
	from_a_signal_handler)
