/* SPDX-License-Identifier: MIT */
/* The set of frozen uids. */
#include <errno.h>

#include "frozen.h"
#include "unit.h"

START_TEST(in_and_out)
{
	struct frozen f = {0};

	ck_assert(!frozen_has(&f, 0));
	ck_assert(!frozen_remove(&f, 0));
	ck_assert_int_eq(frozen_add(&f, 0, 5), 1);
	ck_assert_int_eq(frozen_add(&f, 1000, 6), 1);
	ck_assert_int_eq(frozen_add(&f, 1001, 7), 1);
	/* Again: it stays what it was. */
	ck_assert_int_eq(frozen_add(&f, 1000, 8), 0);
	ck_assert_int_eq(frozen_since(&f, 1000), 6);
	ck_assert_int_eq(frozen_since(&f, 1002), 0);
	ck_assert(frozen_remove(&f, 0));
	ck_assert(!frozen_has(&f, 0) && frozen_has(&f, 1000) && frozen_has(&f, 1001));
	ck_assert(frozen_remove(&f, 1001));
	ck_assert(frozen_remove(&f, 1000));
	ck_assert_uint_eq(f.n, 0);
	frozen_deinit(&f);
	frozen_deinit(&f);
}
END_TEST

START_TEST(bounded)
{
	struct frozen f = {0};

	for (uid_t u = 0; u < FROZEN_MAX; u++)
		ck_assert_int_eq(frozen_add(&f, u, 1), 1);
	ck_assert_int_eq(frozen_add(&f, FROZEN_MAX, 1), -ENOSPC);
	ck_assert_int_eq(frozen_add(&f, 3, 1), 0);
	frozen_deinit(&f);
}
END_TEST

UNIT_MAIN("supervisor/frozen", in_and_out, bounded)
