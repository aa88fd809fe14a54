/* SPDX-License-Identifier: MIT */
/*
 * Common to all unit tests: every case is checked for descriptors it left open. Cases are registered in
 * one table per file; UNIT_MAIN makes the main() that check runs (TAP on standard output).
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <dirent.h>
#include <stdlib.h>

static int unit_fds_before;

static inline int unit_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -1; /* the directory's own descriptor */

	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void unit_setup(void)
{
	unit_fds_before = unit_count_fds();
}

static void unit_teardown(void)
{
	ck_assert_msg(unit_count_fds() == unit_fds_before, "descriptors: %d before, %d after",
		unit_fds_before, unit_count_fds());
}

/* UNIT_MAIN("base/fd", every_block_is_taken, ...) with cases written as START_TEST(name) ... END_TEST. */
#define UNIT_MAIN(name, ...) UNIT_MAIN_WITH(name, unit_setup, unit_teardown, __VA_ARGS__)

/* The same with a module's own fixture, which calls unit_setup() first and unit_teardown() last. */
#define UNIT_MAIN_WITH(name, setup_fn, teardown_fn, ...) \
	int main(void) \
	{ \
		const TTest *const unit_tests[] = {__VA_ARGS__}; \
		Suite *suite = suite_create(name); \
		TCase *tc = tcase_create(name); \
		SRunner *runner; \
		int failed; \
\
		tcase_add_checked_fixture(tc, setup_fn, teardown_fn); \
		for (size_t i = 0; i < sizeof(unit_tests) / sizeof(unit_tests[0]); i++) \
			tcase_add_test(tc, unit_tests[i]); \
		suite_add_tcase(suite, tc); \
		runner = srunner_create(suite); \
		srunner_run_all(runner, CK_ENV); \
		failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
	}

#endif
