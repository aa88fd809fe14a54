/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include "unit.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

static struct rate r;
static uint64_t per_s;

/* How many connects of a uid are allowed at this moment. */
static int allowed(uid_t uid, int64_t now_ns)
{
	int n = 0;

	while (n < 1000 && rate_connect(&r, uid, per_s, now_ns))
		n++;
	return n;
}

START_TEST(two_seconds_worth_at_once)
{
	rate_init(&r);
	per_s = 10;
	ck_assert_int_eq(allowed(1000, 0), 20);
	ck_assert_int_eq(allowed(1000, 0), 0);
	/* Another user is not concerned. */
	ck_assert_int_eq(allowed(1001, 0), 20);
}
END_TEST

START_TEST(then_as_configured)
{
	rate_init(&r);
	per_s = 10;
	ck_assert_int_eq(allowed(0, 5 * S), 20);
	ck_assert_int_eq(allowed(0, 5 * S + 99 * MS), 0);
	ck_assert_int_eq(allowed(0, 5 * S + 100 * MS), 1);
	ck_assert_int_eq(allowed(0, 6 * S + 100 * MS), 10);
	/* What nobody used does not pile up beyond the burst. */
	ck_assert_int_eq(allowed(0, 3600 * S), 20);
	/* A refused connect costs nothing. */
	for (int i = 0; i < 50; i++)
		ck_assert(!rate_connect(&r, 0, per_s, 3600 * S));
	ck_assert_int_eq(allowed(0, 3601 * S), 10);
}
END_TEST

START_TEST(slow_and_fast)
{
	rate_init(&r);
	per_s = 1;
	ck_assert_int_eq(allowed(7, S), 2);
	ck_assert_int_eq(allowed(7, 2 * S - 1), 0);
	ck_assert_int_eq(allowed(7, 2 * S), 1);
	rate_init(&r);
	per_s = 100000;
	for (int i = 0; i < 200000; i++)
		ck_assert(rate_connect(&r, 7, per_s, S));
	ck_assert(!rate_connect(&r, 7, per_s, S));
	/* A clock that stands, or went back, gives nothing. */
	ck_assert(!rate_connect(&r, 7, per_s, 0));
}
END_TEST

/* Each uid has its own, and it may become another one. */
START_TEST(other_rates)
{
	rate_init(&r);
	per_s = 10;
	ck_assert_int_eq(allowed(1, 0), 20);
	per_s = 100;
	ck_assert_int_eq(allowed(2, 0), 200);
	ck_assert_int_eq(allowed(1, S / 10), 10);
	per_s = 1;
	ck_assert_int_eq(allowed(2, S / 10), 0);
	ck_assert_int_eq(allowed(2, S), 1);
}
END_TEST

/* More uids than buckets: the one that used most of its own is not forgotten. */
START_TEST(the_fullest_is_forgotten)
{
	rate_init(&r);
	per_s = 10;
	ck_assert_int_eq(allowed(1, 0), 20);
	for (uid_t uid = 100; uid < 100 + 4 * RATE_BUCKETS; uid++)
		ck_assert(rate_connect(&r, uid, per_s, 0));
	ck_assert_int_eq(allowed(1, 0), 0);
}
END_TEST

UNIT_MAIN("supervisor/rate", two_seconds_worth_at_once, then_as_configured, slow_and_fast,
	other_rates, the_fullest_is_forgotten)
