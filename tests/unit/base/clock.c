/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <limits.h>

#include "unit.h"

START_TEST(deadlines_saturate)
{
	ck_assert_int_eq(rdy__deadline_ns(10, 5), 15);
	ck_assert_int_eq(rdy__deadline_ns(10, -1), RDY__NEVER);
	ck_assert_int_eq(rdy__deadline_ns(10, INT64_MAX), RDY__NEVER);
	ck_assert_int_eq(rdy__left_ns(10, RDY__NEVER), -1);
	ck_assert_int_eq(rdy__left_ns(10, 15), 5);
	ck_assert_int_eq(rdy__left_ns(20, 15), 0);
}
END_TEST

START_TEST(milliseconds_round_up_and_clamp)
{
	ck_assert_int_eq(rdy__ns_to_poll_ms(-1), -1);
	ck_assert_int_eq(rdy__ns_to_poll_ms(0), 0);
	ck_assert_int_eq(rdy__ns_to_poll_ms(1), 1);
	ck_assert_int_eq(rdy__ns_to_poll_ms(1000000), 1);
	ck_assert_int_eq(rdy__ns_to_poll_ms(1000001), 2);
	ck_assert_int_eq(rdy__ns_to_poll_ms(INT64_MAX), INT_MAX);
}
END_TEST

START_TEST(now_does_not_go_back)
{
	int64_t a = rdy__now_ns(), b = rdy__now_ns();

	ck_assert(a > 0 && b >= a);
}
END_TEST

UNIT_MAIN("base/clock", deadlines_saturate, milliseconds_round_up_and_clamp, now_does_not_go_back)
