/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

static int out[2], saved;

/* Standard error goes to a pipe of ours. */
static void setup(void)
{
	unit_setup();
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	ck_assert_int_ge(saved, 0);
	ck_assert_int_ge(dup2(out[1], STDERR_FILENO), 0);
	log_set_level(LOG_P_INFO);
}

static void teardown(void)
{
	dup2(saved, STDERR_FILENO);
	rdy__fd_close(saved);
	rdy__fd_close(out[0]);
	rdy__fd_close(out[1]);
	unit_teardown();
}

static const char *said(void)
{
	static char buf[65536];
	ssize_t n = read(out[0], buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = 0;
	return buf;
}

static int lines(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

START_TEST(a_line_with_its_priority)
{
	log_line(LOG_P_WARNING, "a=%d b=\"%s\"", 1, "x y");
	ck_assert_str_eq(said(), "<4>readyd: a=1 b=\"x y\"\n");
	log_line(LOG_P_DEBUG, "a=1");
	ck_assert_str_eq(said(), "");
	log_set_level(LOG_P_ERROR);
	log_line(LOG_P_WARNING, "a=1");
	log_line(LOG_P_ERROR, "a=2");
	ck_assert_str_eq(said(), "<3>readyd: a=2\n");
}
END_TEST

START_TEST(a_long_line_is_cut)
{
	char longest[2000];
	const char *s;

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	log_line(LOG_P_INFO, "a=%s", longest);
	s = said();
	ck_assert_uint_lt(strlen(s), 513 + strlen("<6>readyd: "));
	ck_assert_uint_gt(strlen(s), 500);
	ck_assert_int_eq(lines(s), 1);
	ck_assert_int_eq(s[strlen(s) - 1], '\n');
}
END_TEST

static void chatter(int n)
{
	for (int i = 0; i < n; i++)
		log_line(LOG_P_INFO, "i=%d", i);
}

START_TEST(a_place_is_cut_short)
{
	chatter(1000);
	/* The second may have ended while we were at it, once. */
	ck_assert_int_le(lines(said()), 2 * (int)LOG_SITE_LINES);
	/* Another place is not. */
	log_line(LOG_P_INFO, "other=1");
	ck_assert_str_eq(said(), "<6>readyd: other=1\n");
}
END_TEST

START_TEST(what_was_lost_is_counted)
{
	struct log_site site = {.since_ns = 0, .n = LOG_SITE_LINES, .lost = 7};

	log_from(&site, LOG_P_INFO, "a=1");
	ck_assert_str_eq(said(), "<6>readyd: lost=7 a=1\n");
	log_from(&site, LOG_P_INFO, "a=2");
	ck_assert_str_eq(said(), "<6>readyd: a=2\n");
}
END_TEST

START_TEST(as_many_as_configured)
{
	/* A second that does not end. */
	struct log_site site = {.since_ns = INT64_MAX / 2};

	log_set_rate(3);
	for (int i = 0; i < 10; i++)
		log_from(&site, LOG_P_INFO, "i=%d", i);
	ck_assert_int_eq(lines(said()), 3);
	ck_assert_uint_eq(site.lost, 7);
	log_set_rate(LOG_SITE_LINES);
}
END_TEST

/* Whoever started us and does not read must not hold us up; the test would hang. */
START_TEST(a_full_pipe_loses_lines)
{
	struct log_site site = {0};
	char buf[4096];

	ck_assert_int_eq(fcntl(out[1], F_SETFL, O_NONBLOCK), 0);
	memset(buf, 'x', sizeof(buf));
	while (write(out[1], buf, sizeof(buf)) > 0)
		;
	ck_assert_int_eq(fcntl(out[1], F_SETFL, 0), 0);
	log_from(&site, LOG_P_ERROR, "a=1");
	ck_assert_uint_eq(site.lost, 1);
	while (read(out[0], buf, sizeof(buf)) > 0)
		;
	log_from(&site, LOG_P_ERROR, "a=2");
	ck_assert_str_eq(said(), "<3>readyd: lost=1 a=2\n");
}
END_TEST

START_TEST(nobody_there)
{
	struct log_site site = {0};

	close(STDERR_FILENO);
	log_from(&site, LOG_P_ERROR, "a=1");
	ck_assert_uint_eq(site.lost, 1);
	ck_assert_int_ge(dup2(out[1], STDERR_FILENO), 0);
}
END_TEST

START_TEST(three_lines)
{
	log_three("what", "why", "fix");
	fflush(stderr);
	ck_assert_str_eq(said(), "readyd: what\n  why: why\n  try: fix\n");
}
END_TEST

UNIT_MAIN_WITH("supervisor/log", setup, teardown, a_line_with_its_priority, a_long_line_is_cut,
	a_place_is_cut_short, what_was_lost_is_counted, as_many_as_configured,
	a_full_pipe_loses_lines, nobody_there, three_lines)
