/* SPDX-License-Identifier: MIT */
#include "failures.h"

#include "unit.h"

#define S INT64_C(1000000000)

static struct failures f;

START_TEST(three_in_a_row)
{
	failures_init(&f);
	ck_assert(!failures_block(&f, 5, 0));
	ck_assert(!failures_note(&f, 5, S));
	ck_assert(!failures_note(&f, 5, 2 * S));
	ck_assert(!failures_block(&f, 5, 2 * S));
	ck_assert(failures_note(&f, 5, 3 * S));
	ck_assert(failures_block(&f, 5, 3 * S));
	ck_assert(failures_block(&f, 5, 8 * S - 1));
	ck_assert(!failures_block(&f, 5, 8 * S));
	ck_assert(!failures_block(&f, 6, 3 * S));
}
END_TEST

START_TEST(one_try_after_the_pause)
{
	failures_init(&f);
	for (int i = 0; i < 3; i++)
		failures_note(&f, 5, 0);
	ck_assert(!failures_block(&f, 5, 5 * S));
	ck_assert(failures_note(&f, 5, 6 * S));
	ck_assert(failures_block(&f, 5, 7 * S));
}
END_TEST

START_TEST(a_life_forgives)
{
	failures_init(&f);
	failures_note(&f, 5, 0);
	failures_note(&f, 5, 0);
	failures_note(&f, 0, 0);
	failures_forgive(&f, 5);
	failures_forgive(&f, 77);
	ck_assert(!failures_note(&f, 5, 0));
	ck_assert(!failures_note(&f, 5, 0));
	ck_assert(failures_note(&f, 5, 0));
	/* Root's uid is a uid like any other, not "nobody". */
	ck_assert(!failures_note(&f, 0, 0));
	ck_assert(failures_note(&f, 0, 0));
	ck_assert(failures_block(&f, 0, 0));
}
END_TEST

START_TEST(the_oldest_is_forgotten)
{
	failures_init(&f);
	for (int i = 0; i < 3; i++)
		failures_note(&f, 1, S);
	for (int i = 0; i < 3; i++)
		failures_note(&f, 2, 2 * S);
	for (uid_t uid = 100; uid < 100 + FAILURES_KEPT - 1; uid++)
		failures_note(&f, uid, 3 * S);
	ck_assert(!failures_block(&f, 1, 3 * S));
	ck_assert(failures_block(&f, 2, 3 * S));
}
END_TEST

UNIT_MAIN("supervisor/failures", three_in_a_row, one_try_after_the_pause, a_life_forgives,
	the_oldest_is_forgotten)
