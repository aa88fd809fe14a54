/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ready/types.h"
#include "unit.h"

static int64_t duration(const char *s)
{
	int64_t ns = -7;

	if (ctl_parse_duration(s, &ns))
		return ns;
	ck_assert_int_eq(ns, -7); /* untouched */
	return -1;
}

START_TEST(durations)
{
	ck_assert_int_eq(duration("5s"), INT64_C(5000000000));
	ck_assert_int_eq(duration("0s"), 0);
	ck_assert_int_eq(duration("250ms"), 250000000);
	ck_assert_int_eq(duration("7us"), 7000);
	ck_assert_int_eq(duration("9ns"), 9);
	ck_assert_int_eq(duration("2m"), INT64_C(120000000000));
	ck_assert_int_eq(duration("2min"), INT64_C(120000000000));
	ck_assert_int_eq(duration("1.5h"), INT64_C(5400000000000));
	ck_assert_int_eq(duration("0.000000001s"), 1);
	ck_assert_int_eq(duration("1.25d"), INT64_C(108000000000000));
	/* More digits than anything can tell apart are no error. */
	ck_assert_int_eq(duration("1.00000000000000000000s"), INT64_C(1000000000));
}
END_TEST

START_TEST(no_durations)
{
	static const char *const bad[] = {"", "5", "s", "-5s", "+5s", " 5s", "5 s", "5s ", "5x",
		"1.s", ".5s", "1e3s", "5S", "1m30s", "99999999999999999999s",
		"9223372036854775807s", "106752d", "0x5s"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(duration(bad[i]) == -1, "'%s' was taken", bad[i]);
	ck_assert_int_eq(duration("106750d"), INT64_C(106750) * 86400 * 1000000000);
}
END_TEST

START_TEST(names)
{
	struct ctl_problem p;
	struct ctl_name n;

	ck_assert_int_eq(ctl_parse_name("bell=4", &n, &p), 0);
	ck_assert_str_eq(n.name, "bell");
	ck_assert_int_eq(n.fd, 4);
	ck_assert_uint_eq(n.interest, RDY_READABLE);
	ck_assert_int_eq(ctl_parse_name("A.b_c-9=0:out,pri", &n, &p), 0);
	ck_assert_uint_eq(n.interest, RDY_WRITABLE | RDY_PRIORITY);
	ck_assert_int_eq(ctl_parse_name("x=2147483647:in,hup", &n, &p), 0);
	ck_assert_int_eq(n.fd, INT_MAX);
	ck_assert_uint_eq(n.interest, RDY_READABLE | RDY_HANGUP_ONLY);
}
END_TEST

START_TEST(no_names)
{
	static const char *const bad[] = {"", "bell", "=4", "bell=", "bell=-1", "bell=x", "bell=4x",
		"bell=2147483648", "bell=99999999999999999999", "a b=4", "a/b=4", "\x1b=4",
		"bell=4:", "bell=4:in,", "bell=4:,in", "bell=4:inn", "bell=4:in:out", "bell=4in"};
	char longest[CTL_NAME_MAX + 8];
	struct ctl_problem p;
	struct ctl_name n = {.fd = -7};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(
			ctl_parse_name(bad[i], &n, &p) == CTL_USAGE, "'%s' was taken", bad[i]);
		ck_assert_str_eq(p.error, "USAGE");
		ck_assert_msg(
			p.what[0] && p.why[0] && p.hint[0], "'%s': a line is missing", bad[i]);
		/* Nothing of the command line steers the terminal. */
		ck_assert_ptr_null(strchr(p.what, '\x1b'));
		ck_assert_int_eq(n.fd, -7);
	}
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + CTL_NAME_MAX, "=1", 3);
	ck_assert_int_eq(ctl_parse_name(longest, &n, &p), 0);
	memcpy(longest + CTL_NAME_MAX, "a=1", 4);
	ck_assert_int_eq(ctl_parse_name(longest, &n, &p), CTL_USAGE);
}
END_TEST

START_TEST(suggestions)
{
	static const char *const words[] = {"wait", "watch", "version", "help"};

	ck_assert_str_eq(ctl_suggest("wati", words, 4), "wait");
	ck_assert_str_eq(ctl_suggest("wach", words, 4), "watch");
	ck_assert_str_eq(ctl_suggest("versions", words, 4), "version");
	ck_assert_ptr_null(ctl_suggest("park", words, 4));
	ck_assert_ptr_null(ctl_suggest("", words, 4));
	ck_assert_ptr_null(ctl_suggest("waitwaitwaitwaitwaitwaitwait", words, 4));
}
END_TEST

UNIT_MAIN("ctl/parse", durations, no_durations, names, no_names, suggestions)
