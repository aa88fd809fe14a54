/* SPDX-License-Identifier: MIT */
/*
 * Common to all unit tests: every case is checked for descriptors it left open. Cases are registered in
 * one table per file; UNIT_MAIN makes the main() that check runs (TAP on standard output).
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

__attribute__((unused)) static void unit_setup(void)
{
	unit_fds_before = unit_count_fds();
}

__attribute__((unused)) static void unit_teardown(void)
{
	ck_assert_msg(unit_count_fds() == unit_fds_before, "descriptors: %d before, %d after",
		unit_fds_before, unit_count_fds());
}

/* Written by the compiler's runtime where tests/coverage counts. */
extern void __gcov_dump(void) __attribute__((weak));

/* The end of a child that a case has forked: no handlers, but what was counted is kept. */
__attribute__((noreturn, unused)) static void unit_exit(int status)
{
	if (__gcov_dump)
		__gcov_dump();
	_exit(status);
}

/*
 * Leave out one case, with the reason: unit_skip("no %s here", "FUSE") in the case itself. check knows no such
 * thing and calls the case passed; its line is changed on the way out, which takes glibc. Cases are processes
 * of their own, so what they say lies in shared memory.
 */
#define unit_skip(...) \
	do { \
		unit_skip_case(__func__, __VA_ARGS__); \
		return; \
	} while (0)

#define UNIT_SKIPS_MAX 16

static struct unit_skipped {
	char name[96], why[160];
} * unit_skips;

/* Of the case whose function this is: START_TEST(x) makes x_fn. */
__attribute__((format(printf, 2, 3), unused)) static void unit_skip_case(
	const char *function, const char *format, ...)
{
	size_t i = 0;
	va_list ap;

	while (unit_skips && i < UNIT_SKIPS_MAX && unit_skips[i].name[0])
		i++;
	if (!unit_skips || i == UNIT_SKIPS_MAX)
		return;
	va_start(ap, format);
	vsnprintf(unit_skips[i].why, sizeof(unit_skips[i].why), format, ap);
	va_end(ap);
	snprintf(unit_skips[i].name, sizeof(unit_skips[i].name), ":%.*s: Passed",
		(int)strlen(function) - 3, function);
}

#ifdef __GLIBC__
/* Our standard output, line by line. */
static inline ssize_t unit_write(void *cookie, const char *text, size_t n)
{
	size_t left = n;

	while (left > 0) {
		const char *end = memchr(text, '\n', left), *why = NULL;
		size_t line = end ? (size_t)(end - text) : left;

		for (size_t i = 0; end && i < UNIT_SKIPS_MAX && strncmp(text, "ok ", 3) == 0; i++)
			if (unit_skips[i].name[0] &&
				memmem(text, line, unit_skips[i].name, strlen(unit_skips[i].name)))
				why = unit_skips[i].why;
		if (why)
			dprintf(STDOUT_FILENO, "%.*s # SKIP %s\n", (int)(line - strlen(": Passed")),
				text, why);
		else if (write(STDOUT_FILENO, text, line + !!end) < 0)
			return 0;
		text += line + !!end;
		left -= line + !!end;
	}
	return (ssize_t)n;
}

static inline void unit_show_skips(void)
{
	FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){.write = unit_write});

	unit_skips = mmap(NULL, UNIT_SKIPS_MAX * sizeof(*unit_skips), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!out || unit_skips == MAP_FAILED)
		exit(EXIT_FAILURE);
	setvbuf(out, NULL, _IOLBF, 4096);
	stdout = out;
}
#else
static inline void unit_show_skips(void)
{
}
#endif

/* UNIT_CASE=name in the environment, by hand: only this one. */
static inline int unit_wanted(const TTest *t)
{
	const char *only = getenv("UNIT_CASE");

	return !only || strcmp(only, t->name) == 0;
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
		unit_show_skips(); \
		tcase_add_checked_fixture(tc, setup_fn, teardown_fn); \
		for (size_t i = 0; i < sizeof(unit_tests) / sizeof(unit_tests[0]); i++) \
			if (unit_wanted(unit_tests[i])) \
				tcase_add_test(tc, unit_tests[i]); \
		suite_add_tcase(suite, tc); \
		runner = srunner_create(suite); \
		srunner_run_all(runner, CK_ENV); \
		failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
	}

#endif
