/* SPDX-License-Identifier: MIT */
/* mio's tests/interest.rs. Interests are bits: nothing here depends on a selector. */
#include "conformance.h"

START_TEST(is_tests)
{
	static const struct {
		uint32_t bit;
		int (*is)(const struct rdy_event *e);
	} rows[] = {
		{RDY_READABLE, rdy_event_is_readable},
		{RDY_WRITABLE, rdy_event_is_writable},
		{RDY_PRIORITY, rdy_event_is_priority},
	};

	for (size_t i = 0; i < 3; i++) {
		struct rdy_event e = {.ready = rows[i].bit};

		for (size_t k = 0; k < 3; k++)
			gives(rows[k].is(&e), i == k);
		gives(rdy_event_is_aio(&e), 0);
		gives(rdy_event_is_lio(&e), 0);
		gives(rdy_interest_is_valid(rows[i].bit), 1);
	}
	gives(rdy_interest_is_valid(0), 0);
}
END_TEST

START_TEST(bit_or)
{
	struct rdy_event e = {.ready = RDY_READABLE};

	e.ready |= RDY_WRITABLE;
	gives(rdy_event_is_readable(&e), 1);
	gives(rdy_event_is_writable(&e), 1);
	gives(rdy_event_is_priority(&e), 0);
	gives(rdy_interest_is_valid(e.ready), 1);
	ck_assert_uint_eq(rdy_interest_remove(e.ready, RDY_READABLE), RDY_WRITABLE);
	ck_assert_uint_eq(rdy_interest_remove(RDY_WRITABLE, RDY_WRITABLE), 0);
}
END_TEST

START_TEST(fmt_debug)
{
	static const struct {
		uint32_t interest;
		const char *text;
	} rows[] = {
		{RDY_READABLE, "READABLE"},
		{RDY_WRITABLE, "WRITABLE"},
		{RDY_READABLE | RDY_WRITABLE, "READABLE | WRITABLE"},
		{RDY_WRITABLE | RDY_PRIORITY, "WRITABLE | PRIORITY"},
		{RDY_READABLE | RDY_PRIORITY, "READABLE | PRIORITY"},
		{RDY_READABLE | RDY_WRITABLE | RDY_PRIORITY, "READABLE | WRITABLE | PRIORITY"},
	};
	char text[RDY_READY_TEXT_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gives(rdy_ready_format(rows[i].interest, text, sizeof(text)),
			(int)strlen(rows[i].text));
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

/* Known to the compiler, as a const fn's result is. */
START_TEST(add)
{
	static const uint32_t interest = RDY_READABLE | RDY_WRITABLE;

	_Static_assert((RDY_READABLE | RDY_WRITABLE) == 3, "a constant");
	_Static_assert((RDY_READABLE | RDY_READABLE) == RDY_READABLE, "a set");
	_Static_assert(((RDY_READABLE | RDY_WRITABLE | RDY_PRIORITY) & ~RDY_INTERESTS) == 0, "all");
	gives(rdy_interest_is_valid(interest), 1);
}
END_TEST

UNIT_MAIN("conformance/interest", is_tests, bit_or, fmt_debug, add)
