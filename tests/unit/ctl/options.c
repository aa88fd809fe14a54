/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "color.h"
#include "columns.h"
#include "help.h"
#include "print.h"
#include "ready/client.h"
#include "ready/types.h"
#include "unit.h"

#define PARSE(o, p, ...) parse(o, p, (const char *const[]){"readyctl", __VA_ARGS__, NULL})

static int parse(struct ctl_options *o, struct ctl_problem *p, const char *const argv[])
{
	int argc = 0;

	while (argv[argc])
		argc++;
	*o = CTL_OPTIONS_NULL;
	return ctl_options_parse(o, argc, (char *const *)argv, p);
}

START_TEST(everything_at_once)
{
	struct ctl_options o;
	struct ctl_problem p;

	ck_assert_int_eq(PARSE(&o, &p, "-q", "wait", "--timeout", "5s", "a=3", "--socket=/x",
				 "--json", "--", "b=4:out"),
		0);
	ck_assert_int_eq(o.verb, CTL_VERB_WAIT);
	ck_assert_int_eq(o.timeout_ns, INT64_C(5000000000));
	ck_assert(o.json && o.quiet && !o.local && !o.user && !o.ack);
	ck_assert_str_eq(o.socket, "/x");
	ck_assert_uint_eq(o.n_names, 2);
	ck_assert_str_eq(o.names[1].name, "b");
	ctl_options_deinit(&o);
	ctl_options_deinit(&o);
}
END_TEST

START_TEST(verbs)
{
	struct ctl_options o;
	struct ctl_problem p;
	const char *const alone[] = {"readyctl", NULL};

	ck_assert_int_eq(parse(&o, &p, alone), 0);
	ck_assert(o.verb == CTL_VERB_HELP && !o.help_for);
	ck_assert_int_eq(PARSE(&o, &p, "--help"), 0);
	ck_assert(o.verb == CTL_VERB_HELP && !o.help_for);
	ck_assert_int_eq(PARSE(&o, &p, "watch", "--help"), 0);
	ck_assert(o.verb == CTL_VERB_HELP && strcmp(o.help_for, "watch") == 0);
	ck_assert_int_eq(PARSE(&o, &p, "help", "wait"), 0);
	ck_assert(o.verb == CTL_VERB_HELP && strcmp(o.help_for, "wait") == 0);
	ck_assert_int_eq(PARSE(&o, &p, "--version"), 0);
	ck_assert_int_eq(o.verb, CTL_VERB_VERSION);
	ck_assert_int_eq(PARSE(&o, &p, "version", "--json"), 0);
	ck_assert(o.verb == CTL_VERB_VERSION && o.json);
	ck_assert_int_eq(PARSE(&o, &p, "ls", "-o", "pid,user", "--no-header", "--color=never"), 0);
	ck_assert(o.no_header && o.color == CTL_COLOR_NEVER && strcmp(o.columns, "pid,user") == 0);
	ck_assert_int_eq(PARSE(&o, &p, "--color", "status"), 0);
	ck_assert(o.verb == CTL_VERB_STATUS && o.color == CTL_COLOR_ALWAYS);
	ck_assert_int_eq(PARSE(&o, &p, "demo", "--once", "-q"), 0);
	ck_assert(o.verb == CTL_VERB_DEMO && o.once && o.quiet && !ctl_options_control(&o));
}
END_TEST

static int choose(const char *names, struct ctl_column *chosen, size_t *n, struct ctl_problem *p)
{
	static const struct ctl_column all[] = {
		{.title = "SESSION"}, {.title = "EV/S"}, {.title = "PID"}};

	return ctl_columns_choose(all, 3, names, chosen, n, p);
}

START_TEST(columns)
{
	struct ctl_column chosen[CTL_COLUMNS_MAX];
	static const char *const bad[] = {
		"", ",", "pid,", ",pid", "pid,,session", "pi", "pid ", "pid,PID", "sessions"};
	struct ctl_problem p;
	size_t n = 0;

	ck_assert_int_eq(choose(NULL, chosen, &n, &p), 0);
	ck_assert(n == 3 && strcmp(chosen[2].title, "PID") == 0);
	ck_assert_int_eq(choose("pid,Session", chosen, &n, &p), 0);
	ck_assert(n == 2 && strcmp(chosen[0].title, "PID") == 0 &&
		  strcmp(chosen[1].title, "SESSION") == 0);
	for (size_t i = 0; i < RDY__ARRAY_SIZE(bad); i++) {
		ck_assert_msg(choose(bad[i], chosen, &n, &p) == CTL_USAGE, "'%s'", bad[i]);
		ck_assert(p.what[0] && p.why[0] && p.hint[0]);
	}
	ck_assert_str_eq(p.why, "did you mean 'session'?");
	ck_assert_str_eq(p.hint, "-o session,ev/s,pid");
}
END_TEST

START_TEST(colors)
{
	ck_assert(ctl_color(CTL_COLOR_AUTO, true, NULL, "xterm"));
	ck_assert(ctl_color(CTL_COLOR_AUTO, true, "", "xterm"));
	ck_assert(!ctl_color(CTL_COLOR_AUTO, false, NULL, "xterm"));
	ck_assert(!ctl_color(CTL_COLOR_AUTO, true, "1", "xterm"));
	ck_assert(!ctl_color(CTL_COLOR_AUTO, true, NULL, "dumb"));
	ck_assert(!ctl_color(CTL_COLOR_AUTO, true, NULL, NULL));
	ck_assert(ctl_color(CTL_COLOR_ALWAYS, false, "1", NULL));
	ck_assert(!ctl_color(CTL_COLOR_NEVER, true, NULL, "xterm"));
}
END_TEST

static void refused(const char *part, const char *const argv[])
{
	struct ctl_options o;
	struct ctl_problem p = {.exit = 0};

	ck_assert_msg(parse(&o, &p, argv) == CTL_USAGE, "%s %s: taken", argv[1], argv[2]);
	ck_assert_msg(strstr(p.what, part) || strstr(p.why, part),
		"'%s' is neither in '%s' nor in '%s'", part, p.what, p.why);
	ck_assert(p.what[0] && p.why[0] && p.hint[0]);
	ctl_options_deinit(&o);
}
#define REFUSED(part, ...) refused(part, (const char *const[]){"readyctl", __VA_ARGS__, NULL, NULL})

START_TEST(mistakes)
{
	REFUSED("did you mean 'wait'", "wati", "a=3");
	REFUSED("did you mean 'debug'", "log-level", "debuq");
	REFUSED("auto, always, never", "--color=yes", "status");
	REFUSED("JSON has all of them", "ls", "-o", "pid", "--json");
	REFUSED("has no effect on status", "status", "-o", "pid");
	REFUSED("needs a value", "ls", "-o");
	REFUSED("did you mean '--json'", "wait", "--jsno", "a=3");
	REFUSED("no option '-x'", "wait", "-x", "a=3");
	REFUSED("needs a value", "wait", "a=3", "--timeout");
	REFUSED("takes no value", "wait", "--local=yes", "a=3");
	REFUSED("JSON form", "wait", "--json=xml", "a=3");
	REFUSED("unit", "wait", "--timeout", "5", "a=3");
	REFUSED("empty", "wait", "--socket=", "a=3");
	REFUSED("no effect on watch", "watch", "--timeout", "5s", "a=3");
	REFUSED("no effect on wait", "wait", "--ack", "a=3");
	REFUSED("no effect on wait", "wait", "--level", "a=3");
	REFUSED("no effect on wait", "wait", "--idle", "5s", "a=3");
	REFUSED("exclude each other", "watch", "--ack", "--level", "a=3");
	REFUSED("needs a value", "watch", "a=3", "--idle");
	REFUSED("'0s' is not how long", "watch", "--idle", "0s", "a=3");
	REFUSED("with a unit", "watch", "--idle=5", "a=3");
	REFUSED("no effect on version", "version", "--local");
	REFUSED("no effect on help", "--json");
	REFUSED("exclude each other", "wait", "--local", "--user", "a=3");
	REFUSED("exclude each other", "wait", "--local", "--socket", "/x", "a=3");
	REFUSED("exclude each other", "wait", "--user", "--socket", "/x", "a=3");
	REFUSED("needs a descriptor", "wait");
	REFUSED("name a is given twice", "wait", "a=3", "a=4");
	REFUSED("fd 3 is given twice", "wait", "a=3", "b=3");
	REFUSED("--ack reads", "watch", "--ack", "a=0");
	REFUSED("takes no", "version", "now");
	REFUSED("takes no", "help", "wait", "watch");
}
END_TEST

START_TEST(json_failures_even_before_the_mistake)
{
	struct ctl_options o;
	struct ctl_problem p;

	ck_assert_int_eq(PARSE(&o, &p, "wait", "--json", "--bad", "a=3"), CTL_USAGE);
	ck_assert(o.json);
}
END_TEST

START_TEST(paths)
{
	struct ctl_options o = CTL_OPTIONS_NULL;
	struct ctl_problem p;
	char path[CTL_PATH_MAX], longest[CTL_PATH_MAX + 1];

	ck_assert_int_eq(ctl_options_path(&o, NULL, NULL, path, &p), 0);
	ck_assert_str_eq(path, RDY_CLIENT_SYSTEM_PATH);
	ck_assert_int_eq(ctl_options_path(&o, "", NULL, path, &p), 0);
	ck_assert_str_eq(path, RDY_CLIENT_SYSTEM_PATH);
	ck_assert_int_eq(ctl_options_path(&o, "/env", NULL, path, &p), 0);
	ck_assert_str_eq(path, "/env");
	o.socket = "/given";
	ck_assert_int_eq(ctl_options_path(&o, "/env", NULL, path, &p), 0);
	ck_assert_str_eq(path, "/given");
	memset(longest, 'x', sizeof(longest));
	longest[CTL_PATH_MAX - 1] = '\0';
	o.socket = longest;
	ck_assert_int_eq(ctl_options_path(&o, NULL, NULL, path, &p), 0);
	longest[CTL_PATH_MAX - 1] = 'x';
	longest[CTL_PATH_MAX] = '\0';
	ck_assert_int_eq(ctl_options_path(&o, NULL, NULL, path, &p), CTL_USAGE);
	o = (struct ctl_options){.user = true};
	ck_assert_int_eq(ctl_options_path(&o, "/env", "/run/user/7", path, &p), 0);
	ck_assert_str_eq(path, "/run/user/7/readyd/session.sock");
	ck_assert_int_eq(ctl_options_path(&o, "/env", NULL, path, &p), CTL_USAGE);
	ck_assert_int_eq(ctl_options_path(&o, "/env", "relative", path, &p), CTL_USAGE);
}
END_TEST

static void expect_words(uint32_t ready, const char *expected)
{
	char buf[CTL_WORDS_BYTES];

	ctl_ready_words(buf, ready, ' ');
	ck_assert_str_eq(buf, expected);
}

START_TEST(words)
{
	expect_words(0, "");
	expect_words(RDY_READABLE, "in");
	expect_words(RDY_READABLE | RDY_READ_CLOSED | RDY_WRITE_CLOSED, "in hup");
	expect_words(RDY_READABLE | RDY_READ_CLOSED, "in rdhup");
	expect_words(RDY_ERROR | RDY_WRITE_CLOSED, "err");
	expect_words(RDY_WRITE_CLOSED, "hup");
	expect_words(~0u, "in out pri err hup");
}
END_TEST

/* The stream in a string, and a stream that fails. */
START_TEST(event_lines)
{
	const struct ctl_name name = {.name = "bell", .fd = 4};
	const struct ctl_event in = {.ready = RDY_READABLE}, idle = {.idle = true};
	const struct ctl_event hup = {
		.ready = RDY_READABLE | RDY_READ_CLOSED | RDY_WRITE_CLOSED, .ended = true};
	struct ctl_problem p;
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	ck_assert_int_eq(ctl_print_event(f, false, &name, &in, 0, &p), 0);
	/* Flushed by itself: no fclose() before the look. */
	ck_assert_str_eq(buf, "bell in\n");
	rewind(f);
	ck_assert_int_eq(
		ctl_print_event(f, true, &name, &hup, INT64_C(1700000000123456789), &p), 0);
	ck_assert_str_eq(buf,
		"{\"name\":\"bell\",\"fd\":4,\"ready\":[\"in\",\"hup\"],\"ended\":true,"
		"\"idle\":false,\"time\":\"2023-11-14T22:13:20.123456Z\"}\n");
	memset(buf, 0, sizeof(buf));
	rewind(f);
	ck_assert_int_eq(ctl_print_event(f, false, &name, &idle, 0, &p), 0);
	ck_assert_str_eq(buf, "bell idle\n");
	rewind(f);
	ck_assert_int_eq(ctl_print_event(f, true, &name, &idle, 0, &p), 0);
	ck_assert_ptr_nonnull(strstr(buf, "\"ready\":[],\"ended\":false,\"idle\":true,"));
	fclose(f);
	f = fopen("/dev/full", "w");
	ck_assert_int_eq(ctl_print_event(f, false, &name, &in, 0, &p), CTL_FAILED);
	fclose(f);
}
END_TEST

START_TEST(json_strings)
{
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	ctl_json_string(
		f, "a\"b\\c\n\x01 \xc3\xa4 \xf0\x9f\x98\x80 \xff \xc3 \xed\xa0\x80 \xc0\xaf");
	fclose(f);
	ck_assert_str_eq(buf,
		"\"a\\\"b\\\\c\\u000a\\u0001 \xc3\xa4 \xf0\x9f\x98\x80 \\ufffd \\ufffd "
		"\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"");
}
END_TEST

START_TEST(help_texts)
{
	static const char *const pages[] = {NULL, "wait", "watch", "status", "ls", "explain",
		"kick", "freeze", "thaw", "log-level", "config", "reload", "metrics", "top",
		"monitor", "whoami", "report", "version", "help"};
	struct ctl_problem p;

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		char buf[4096] = "";
		FILE *f = fmemopen(buf, sizeof(buf), "w");
		unsigned int lines = 0;

		ck_assert_int_eq(ctl_help(f, pages[i], &p), 0);
		fclose(f);
		for (char *at = buf, *end; (end = strchr(at, '\n')); at = end + 1) {
			ck_assert_msg(end - at <= 100, "%.*s", (int)(end - at), at);
			lines++;
		}
		if (!pages[i]) {
			ck_assert_uint_eq(lines, 12);
			ck_assert(strncmp(buf, "readyctl wait", 13) == 0);
			continue;
		}
		ck_assert(strncmp(buf, "usage: readyctl ", 16) == 0);
		ck_assert_ptr_nonnull(strstr(buf, "\nExamples:\n  readyctl ")
					      ? buf
					      : strstr(buf, "\nExamples:\n  mkfifo"));
		ck_assert_ptr_nonnull(strstr(buf, "\nExit codes: 0"));
	}
	ck_assert_int_eq(ctl_help(stderr, "watcg", &p), CTL_USAGE);
	ck_assert_ptr_nonnull(strstr(p.why, "watch"));
}
END_TEST

/* The exit code is a function of the broker's error, and no error is without advice. */
START_TEST(registration_problems)
{
	struct ctl_problem p;
	FILE *f = fopen("/proc/self/exe", "r");

	ck_assert_int_eq(ctl_problem_registration(&p, "a", fileno(f), "FD_KIND_REFUSED", "text"),
		CTL_REFUSED);
	ck_assert_str_eq(p.error, "FD_KIND_REFUSED");
	ck_assert_ptr_nonnull(strstr(p.what, "FD_KIND_REFUSED"));
	ck_assert_ptr_nonnull(strstr(p.why, "regular file"));
	fclose(f);
	ck_assert_int_eq(
		ctl_problem_registration(&p, "a", 0, "QUOTA_REGISTRATIONS", "text"), CTL_QUOTA);
	ck_assert_str_eq(p.why, "text");
	ck_assert(p.hint[0]);
	ck_assert_int_eq(
		ctl_problem_registration(&p, "a", 0, "OF_A_NEWER_DAEMON", "text"), CTL_REFUSED);
	ck_assert(p.hint[0]);
}
END_TEST

/* Who is sent away, or kept out, by an administrator hears it, and what he can do. */
START_TEST(session_problems)
{
	static const char *const errors[] = {"KICKED", "UID_FROZEN"};
	struct ctl_problem p;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		uint32_t error = 0;

		while (strcmp(rdy_client_error_name(error), errors[i]) != 0 && error < 1000)
			error++;
		ck_assert_int_eq(ctl_problem_connect(&p, "/x", -EPERM, error), CTL_REFUSED);
		ck_assert_str_eq(p.error, errors[i]);
		ck_assert_ptr_nonnull(strstr(p.why, "administrator"));
		ck_assert_ptr_nonnull(strstr(p.hint, "administ"));
	}
}
END_TEST

START_TEST(connect_problems)
{
	static const struct {
		int r, exit;
	} cases[] = {{-ENOENT, 3}, {-ECONNREFUSED, 3}, {-EACCES, 6}, {-ETIMEDOUT, 4}, {-EDQUOT, 7},
		{-EPERM, 6}, {-EPROTO, 1}, {-ECONNRESET, 1}, {-ENAMETOOLONG, 2}, {-EMFILE, 1}};
	struct ctl_problem p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(ctl_problem_connect(&p, "/x", cases[i].r, 0), cases[i].exit);
		ck_assert(p.error[0] && p.what[0] && p.why[0] && p.hint[0]);
	}
}
END_TEST

UNIT_MAIN("ctl/options", everything_at_once, verbs, columns, colors, mistakes,
	json_failures_even_before_the_mistake, paths, words, event_lines, json_strings, help_texts,
	registration_problems, session_problems, connect_problems)
