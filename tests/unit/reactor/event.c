/* SPDX-License-Identifier: MIT */
/* What events say; text; batches; how often a waker was woken. */
#include <pthread.h>

#include "reactor.h"
#include "ready/event.h"

START_TEST(predicates)
{
	static const struct {
		uint32_t bit;
		int (*is)(const struct rdy_event *e);
	} rows[] = {
		{RDY_READABLE, rdy_event_is_readable},
		{RDY_WRITABLE, rdy_event_is_writable},
		{RDY_PRIORITY, rdy_event_is_priority},
		{RDY_ERROR, rdy_event_is_error},
		{RDY_READ_CLOSED, rdy_event_is_read_closed},
		{RDY_WRITE_CLOSED, rdy_event_is_write_closed},
		{RDY_TIMER, rdy_event_is_timer},
		{RDY_WAKE, rdy_event_is_wake},
		{0, rdy_event_is_aio},
		{0, rdy_event_is_lio},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rdy_event one = {.ready = rows[i].bit},
				       others = {.ready = ~rows[i].bit};

		ck_assert_int_eq(rows[i].is(&one), rows[i].bit != 0);
		ck_assert_int_eq(rows[i].is(&others), 0);
	}
}
END_TEST

START_TEST(interests)
{
	uint32_t both = RDY_READABLE | RDY_WRITABLE;

	ck_assert_uint_eq(rdy_interest_remove(both, RDY_READABLE), RDY_WRITABLE);
	ck_assert_uint_eq(rdy_interest_remove(both, both), 0);
	ck_assert_uint_eq(rdy_interest_remove(RDY_READABLE, RDY_WRITABLE), RDY_READABLE);
	ck_assert_int_eq(rdy_interest_is_valid(both | RDY_PRIORITY | RDY_HANGUP_ONLY), 1);
	ck_assert_int_eq(rdy_interest_is_valid(0), 0);
	ck_assert_int_eq(rdy_interest_is_valid(both | RDY_ERROR), 0);
}
END_TEST

START_TEST(text)
{
	static const struct {
		uint32_t ready;
		const char *text;
	} rows[] = {
		{0, "0"},
		{RDY_READABLE, "READABLE"},
		{RDY_READABLE | RDY_WRITABLE, "READABLE | WRITABLE"},
		{RDY_WAKE | RDY_READABLE, "READABLE | WAKE"},
		{RDY_TIMER | 0x80000000u, "TIMER | 0x80000000"},
		{UINT32_MAX, "READABLE | WRITABLE | PRIORITY | HANGUP_ONLY | ERROR | READ_CLOSED | "
			     "WRITE_CLOSED | TIMER | WAKE | 0xfffffc80"},
	};
	char buf[RDY_READY_TEXT_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].text);

		ck_assert_int_eq(rdy_ready_format(rows[i].ready, buf, sizeof(buf)), (int)n);
		ck_assert_str_eq(buf, rows[i].text);
		memset(buf, 'x', sizeof(buf));
		ck_assert_int_eq(rdy_ready_format(rows[i].ready, buf, n), -ENOSPC);
		ck_assert_int_eq(buf[0], 'x');
		ck_assert_int_eq(rdy_ready_format(rows[i].ready, buf, n + 1), (int)n);
	}
	ck_assert_int_eq(rdy_ready_format(1, NULL, 100), -EINVAL);
}
END_TEST

START_TEST(batches)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(1), other = an_eventfd(1);
		struct rdy_event e;

		ck_assert_uint_eq(rdy_events_capacity(b.events), MANY);
		ck_assert_uint_eq(rdy_events_capacity(NULL), 0);
		rdy_events_clear(NULL);
		rdy_events_clear(b.events);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, other, 2, RDY_READABLE, RDY_LEVEL), 0);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 2);
		rdy_events_clear(b.events);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
		/* The edge is gone, the level is not. */
		expect(&b, 2, RDY_READABLE);
		shut(&fd);
		shut(&other);
	}
}
END_TEST

static void *wake_often(void *arg)
{
	for (int i = 0; i < 1000; i++)
		rdy_waker_wake(arg);
	return NULL;
}

START_TEST(wakes_are_counted)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;
		pthread_t t[2];

		ck_assert_uint_eq(rdy_waker_count(NULL), 0);
		ck_assert_int_eq(rdy_waker_new(b.poll, 9, &w), 0);
		ck_assert_uint_eq(rdy_waker_count(w), 0);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(rdy_waker_wake(w), 0);
		expect(&b, 9, RDY_WAKE | RDY_READABLE);
		ck_assert_uint_eq(rdy_waker_count(w), 3);
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(pthread_create(&t[i], NULL, wake_often, w), 0);
		while (rdy_waker_count(w) < 2003)
			take(&b, LONG_NS);
		for (int i = 0; i < 2; i++)
			pthread_join(t[i], NULL);
		ck_assert_uint_eq(rdy_waker_count(w), 2003);
		rdy_waker_free(w);
	}
}
END_TEST

UNIT_MAIN("reactor/event", predicates, interests, text, batches, wakes_are_counted)
