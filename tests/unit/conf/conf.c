/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static struct conf c;
static struct conf_error e;

static void setup(void)
{
	unit_setup();
	conf_init(&c);
	memset(&e, 'x', sizeof(e));
}

static void good(const char *key, const char *value)
{
	ck_assert_msg(conf_set(&c, key, value, &e) == 0, "%s=%s: %s", key, value, e.why);
}

/* Refused, with nothing changed and all three parts said. */
static void bad(const char *key, const char *value)
{
	struct conf before = c;

	memset(&e, 'x', sizeof(e));
	ck_assert_msg(conf_set(&c, key, value, &e) == -EINVAL, "%s=%s was taken", key, value);
	ck_assert_mem_eq(&c, &before, sizeof(c));
	ck_assert(strnlen(e.what, sizeof(e.what)) < sizeof(e.what) && e.what[0]);
	ck_assert(strnlen(e.why, sizeof(e.why)) < sizeof(e.why) && e.why[0]);
	ck_assert(strnlen(e.fix, sizeof(e.fix)) < sizeof(e.fix) && e.fix[0]);
}

static void bad_saying(const char *key, const char *value, const char *why, const char *fix)
{
	bad(key, value);
	ck_assert_str_eq(e.why, why);
	ck_assert_str_eq(e.fix, fix);
}

START_TEST(defaults)
{
	ck_assert_uint_eq(c.selector, CONF_SELECTOR_AUTO);
	ck_assert_uint_eq(c.sandbox, 1);
	ck_assert_uint_eq(c.log_level, CONF_LOG_INFO);
	ck_assert_str_eq(c.user, "readyd");
	ck_assert_str_eq(c.session_path, "session.sock");
	ck_assert_str_eq(c.session_group, "readyd");
	ck_assert_uint_eq(c.session_mode, 0660);
	ck_assert_uint_eq(c.limit_sessions, 1024);
	ck_assert_uint_eq(c.limit_uids, 64);
	ck_assert_uint_eq(c.fd_reserve, 0);
	ck_assert_uint_eq(c.hello_timeout_ns, 5 * S);
	ck_assert_uint_eq(c.idle_exit_ns, 60 * S);
	ck_assert_uint_eq(c.send_buffer_bytes, 65536);
	ck_assert_uint_eq(c.quota_sessions, 32);
	ck_assert_uint_eq(c.quota_registrations, 1024);
	ck_assert_uint_eq(c.quota_connects_per_s, 10);
	ck_assert_uint_eq(c.per_session_percent, 50);
	ck_assert_uint_eq(c.closer_batch, 16);
}
END_TEST

START_TEST(durations)
{
	const struct {
		const char *text;
		uint64_t ns;
	} t[] = {{"5s", 5 * S}, {"250ms", 250 * MS}, {"1h", 3600 * S}, {"2m", 120 * S},
		{"86400s", 86400 * S}, {"1d", 86400 * S}, {"10000us", 10 * MS},
		{"10000000ns", 10 * MS}, {"010ms", 10 * MS}};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		good("agent.idle_exit", t[i].text);
		ck_assert_uint_eq(c.idle_exit_ns, t[i].ns);
	}
	for (size_t i = 0; i < 12; i++)
		bad("agent.idle_exit", (const char *[]){"", "s", "5 s", " 5s", "5S", "-5s", "+5s",
					       "5.5s", "5sec", "5s ", "0x5s", "5ms5"}[i]);
	bad_saying("session.hello_timeout", "5",
		"it has no unit: it takes a duration with its unit, like 5s, 250ms or 1h",
		"session.hello_timeout=5s");
	bad_saying("session.hello_timeout", "9ms", "it is out of range",
		"from 10ms to 1h; the default is 5s");
	/* 2^64 ns and more must not wrap round to something small. */
	bad_saying("session.hello_timeout", "18446744073709551616ns", "it is out of range",
		"from 10ms to 1h; the default is 5s");
	bad_saying("session.hello_timeout", "5124095576030432h", "it is out of range",
		"from 10ms to 1h; the default is 5s");
}
END_TEST

START_TEST(sizes)
{
	good("session.send_buffer", "128KiB");
	ck_assert_uint_eq(c.send_buffer_bytes, 131072);
	good("session.send_buffer", "1MiB");
	ck_assert_uint_eq(c.send_buffer_bytes, 1 << 20);
	good("session.send_buffer", "16384B");
	ck_assert_uint_eq(c.send_buffer_bytes, 16384);
	for (size_t i = 0; i < 6; i++)
		bad("session.send_buffer",
			(const char *[]){"64k", "64KB", "64kib", "KiB", "64 KiB", "1e6B"}[i]);
	bad_saying("session.send_buffer", "64",
		"it has no unit: it takes a size with its unit, like 64KiB or 1MiB",
		"session.send_buffer=64KiB");
	bad_saying("session.send_buffer", "1GiB", "it is out of range",
		"from 16KiB to 16MiB; the default is 64KiB");
	bad_saying("session.send_buffer", "17179869184GiB", "it is out of range",
		"from 16KiB to 16MiB; the default is 64KiB");
}
END_TEST

START_TEST(numbers)
{
	good("limits.sessions", "65536");
	ck_assert_uint_eq(c.limit_sessions, 65536);
	good("limits.sessions", "1");
	ck_assert_uint_eq(c.limit_sessions, 1);
	for (size_t i = 0; i < 6; i++)
		bad("limits.sessions", (const char *[]){"", "1k", "auto", "-1", " 1", "1.0"}[i]);
	bad_saying("limits.sessions", "0", "it is out of range",
		"from 1 to 65536; the default is 1024");
	bad_saying(
		"limits.sessions", "many", "it takes a number", "for example limits.sessions=1024");
	/* A word where the table allows one. */
	good("limits.fd_reserve", "320");
	ck_assert_uint_eq(c.fd_reserve, 320);
	good("limits.fd_reserve", "auto");
	ck_assert_uint_eq(c.fd_reserve, 0);
	bad("limits.fd_reserve", "0");
	bad("limits.fd_reserve", "Auto");
	good("quota.default.connects_per_s", "25/s");
	ck_assert_uint_eq(c.quota_connects_per_s, 25);
	good("quota.default.connects_per_s", "26");
	ck_assert_uint_eq(c.quota_connects_per_s, 26);
	bad("quota.default.connects_per_s", "26/m");
	bad("quota.default.connects_per_s", "0/s");
	good("quota.per_session", "100%");
	ck_assert_uint_eq(c.per_session_percent, 100);
	bad_saying("quota.per_session", "50", "it has no unit: it takes a percentage, like 50%",
		"quota.per_session=50%");
	bad_saying("quota.per_session", "101%", "it is out of range",
		"from 1% to 100%; the default is 50%");
}
END_TEST

START_TEST(modes)
{
	good("sockets.session.mode", "0666");
	ck_assert_uint_eq(c.session_mode, 0666);
	good("sockets.session.mode", "00");
	ck_assert_uint_eq(c.session_mode, 0);
	for (size_t i = 0; i < 5; i++)
		bad("sockets.session.mode",
			(const char *[]){"", "0668", "0x1b6", "rw-rw-rw-", "-0600"}[i]);
	bad_saying("sockets.session.mode", "660", "it takes octal permissions, like 0660",
		"for example sockets.session.mode=0660");
	bad_saying("sockets.session.mode", "04755", "it is out of range",
		"from 0000 to 0777; the default is 0660");
}
END_TEST

START_TEST(words)
{
	good("selector", "poll");
	ck_assert_uint_eq(c.selector, CONF_SELECTOR_POLL);
	good("selector", "epoll");
	ck_assert_uint_eq(c.selector, CONF_SELECTOR_EPOLL);
	good("sandbox", "off");
	ck_assert_uint_eq(c.sandbox, 0);
	good("sandbox", "on");
	ck_assert_uint_eq(c.sandbox, 1);
	good("log.level", "error");
	ck_assert_uint_eq(c.log_level, CONF_LOG_ERROR);
	good("log.level", "debug");
	ck_assert_uint_eq(c.log_level, CONF_LOG_DEBUG);
	for (size_t i = 0; i < 6; i++)
		bad("selector",
			(const char *[]){"", "EPOLL", "epol", "epollx", "auto|epoll", "|"}[i]);
	bad_saying("selector", "kqueue", "it takes one of auto|epoll|poll",
		"for example selector=auto");
	bad("sandbox", "yes");
}
END_TEST

START_TEST(names)
{
	char longest[CONF_NAME_BYTES + 1];

	memset(longest, 'a', sizeof(longest));
	longest[CONF_NAME_BYTES] = 0;
	bad("user", longest);
	longest[CONF_NAME_BYTES - 1] = 0;
	good("user", longest);
	ck_assert_str_eq(c.user, longest);
	good("user", "_a.b-C9");
	ck_assert_str_eq(c.user, "_a.b-C9");
	/* The rest of a longer value before is gone. */
	for (size_t i = strlen(c.user); i < sizeof(c.user); i++)
		ck_assert_int_eq(c.user[i], 0);
	for (size_t i = 0; i < 7; i++)
		bad("sockets.session.group",
			(const char *[]){"", "-x", "a b", "a/b", "a:b", "a\n", "\xc3\xa4"}[i]);
	bad_saying("user", "a b", "it takes a name of letters, digits, '_', '-' or '.'",
		"for example user=readyd");
}
END_TEST

START_TEST(paths)
{
	char longest[CONF_PATH_BYTES + 1];

	memset(longest, 'a', sizeof(longest));
	longest[CONF_PATH_BYTES] = 0;
	bad("sockets.session.path", longest);
	longest[CONF_PATH_BYTES - 1] = 0;
	good("sockets.session.path", longest);
	good("sockets.session.path", "/run/x/y.sock");
	ck_assert_str_eq(c.session_path, "/run/x/y.sock");
	good("sockets.session.path", "..a/b..");
	for (size_t i = 0; i < 7; i++)
		bad("sockets.session.path",
			(const char *[]){"", "a/", "..", "../x", "x/../y", "x/..", "a\nb"}[i]);
	bad_saying("sockets.session.path", "../x", "it takes a path without '..'",
		"for example sockets.session.path=session.sock");
}
END_TEST

START_TEST(unknown_keys)
{
	const struct {
		const char *key, *fix;
	} t[] = {
		{"selektor", "did you mean 'selector'? All keys: readyd --help-config"},
		{"limit.sessions",
			"did you mean 'limits.sessions'? All keys: readyd --help-config"},
		{"quota.default.session",
			"did you mean 'quota.default.sessions'? All keys: readyd --help-config"},
		{"zzzzzzzzzzzz", "readyd --help-config lists all keys"},
		{"", "readyd --help-config lists all keys"},
	};
	char key[4096];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bad(t[i].key, "1");
		ck_assert_str_eq(e.why, "there is no such key in this version");
		ck_assert_str_eq(e.fix, t[i].fix);
	}
	/* What is no key is shown cut, and does nothing to a terminal. */
	memset(key, 'k', sizeof(key));
	key[0] = '\x1b';
	key[sizeof(key) - 1] = 0;
	bad(key, "1");
	ck_assert_ptr_null(strchr(e.what, '\x1b'));
	ck_assert_uint_lt(strlen(e.what), 100);
	bad("user", key);
	ck_assert_ptr_null(strchr(e.what, '\x1b'));
	ck_assert_uint_lt(strlen(e.what), 100);
}
END_TEST

START_TEST(pairs)
{
	ck_assert_int_eq(conf_set_pair(&c, "user=daemon", &e), 0);
	ck_assert_str_eq(c.user, "daemon");
	ck_assert_int_eq(conf_set_pair(&c, "user", &e), -EINVAL);
	ck_assert_str_eq(e.what, "'user' sets nothing");
	ck_assert_int_eq(conf_set_pair(&c, "", &e), -EINVAL);
	/* Only the first '=' divides; a key is not cut short. */
	ck_assert_int_eq(conf_set_pair(&c, "sockets.session.path=a=b", &e), 0);
	ck_assert_str_eq(c.session_path, "a=b");
	ck_assert_int_eq(conf_set_pair(&c, "use=daemon", &e), -EINVAL);
	ck_assert_str_eq(e.what, "unknown key 'use'");
	ck_assert_int_eq(conf_set_pair(&c, "users=daemon", &e), -EINVAL);
	ck_assert_int_eq(conf_set_pair(&c, "=", &e), -EINVAL);
}
END_TEST

/* Each value is written as it can be read again. */
START_TEST(values)
{
	static const char *const sets[] = {"log.level=debug", "sandbox=off", "selector=poll",
		"adoption.grace=off", "adoption.grace=90s", "agent.idle_exit=1500ms",
		"delivery.flood_rate=off", "limits.fd_reserve=auto", "limits.fd_reserve=1000",
		"session.send_buffer=65537B", "session.send_buffer=1MiB", "quota.per_session=7%",
		"sockets.session.mode=0600", "sockets.control.path=a/b", "user=x",
		"quota.default.connects_per_s=7/s", "reactors=64"};
	char value[CONF_VALUE_BYTES];
	struct conf fresh = c, copy;
	struct conf_row row;

	for (size_t i = 0; conf_row(i, &row); i++) {
		good(row.key, conf_value(&c, i, value));
		ck_assert_mem_eq(&c, &fresh, sizeof(c));
	}
	for (size_t k = 0; k < sizeof(sets) / sizeof(sets[0]); k++) {
		const char *eq = strchr(sets[k], '=');
		size_t i = 0;

		c = fresh;
		ck_assert_int_eq(conf_set_pair(&c, sets[k], &e), 0);
		while (conf_row(i, &row) && strncmp(row.key, sets[k], (size_t)(eq - sets[k])) != 0)
			i++;
		conf_value(&c, i, value);
		copy = fresh;
		ck_assert_int_eq(conf_set(&copy, row.key, value, &e), 0);
		ck_assert_mem_eq(&copy, &c, sizeof(c));
		/* Said as it was: no other unit, and words stay words. */
		if (strcmp(sets[k], "adoption.grace=90s") != 0)
			ck_assert_str_eq(value, eq + 1);
		copy = fresh;
		ck_assert(conf_same(&copy, &c, i) == (memcmp(&copy, &c, sizeof(c)) == 0));
		conf_copy(&copy, &c, i);
		ck_assert_mem_eq(&copy, &c, sizeof(c));
		ck_assert(conf_same(&copy, &c, i));
	}
}
END_TEST

START_TEST(sets)
{
	char buf[CONF_VALUE_BYTES];
	struct conf_row row;
	size_t i = 0;

	while (conf_row(i, &row) && strcmp(row.key, "kinds") != 0)
		i++;
	ck_assert_uint_eq(c.kinds, (1u << CONF_KINDS) - 1);
	ck_assert_str_eq(conf_value(&c, i, buf), row.fallback);
	good("kinds", "unix");
	ck_assert_uint_eq(c.kinds, 1u << CONF_KIND_UNIX);
	good("kinds", "[pty, tcp,tcp]");
	ck_assert_uint_eq(c.kinds, 1u << CONF_KIND_PTY | 1u << CONF_KIND_TCP);
	ck_assert_str_eq(conf_value(&c, i, buf), "[tcp, pty]");
	for (size_t k = 0; k < 9; k++) {
		static const char *const wrong[] = {"", "[]", "[tcp", "tcp]", "[tcp]x", "tcp;udp",
			"TCP", "none", "tcp, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
		ck_assert_msg(conf_set(&c, "kinds", wrong[k], &e) < 0, "'%s'", wrong[k]);
		ck_assert_str_eq(conf_value(&c, i, buf), "[tcp, pty]");
	}
}
END_TEST

/* Each row's default is taken under its key and gives what conf_init() gave; both ends of a range hold. */
START_TEST(rows)
{
	struct conf fresh = c;
	struct conf_row row;
	const char *last = "";
	size_t n = 0;

	for (; conf_row(n, &row); n++) {
		char end[64], *dots;

		ck_assert_msg(strcmp(last, row.key) < 0, "%s is not in order", row.key);
		last = row.key;
		ck_assert(row.text[0] && row.form[0]);
		good(row.key, row.fallback);
		ck_assert_mem_eq(&c, &fresh, sizeof(c));
		if (!row.range[0])
			continue;
		strcpy(end, row.range);
		dots = strstr(end, "..");
		ck_assert_ptr_nonnull(dots);
		*dots = 0;
		good(row.key, end);
		good(row.key, dots + 2);
		c = fresh;
	}
	ck_assert_uint_eq(n, 35);
	ck_assert(!conf_row(SIZE_MAX, &row));
	ck_assert(conf_row(0, &row));
	ck_assert_str_eq(row.key, "admin.group");
	ck_assert_str_eq(row.range, "");
	ck_assert(conf_row(2, &row));
	ck_assert_str_eq(row.key, "agent.heartbeat");
	ck_assert_str_eq(row.range, "100ms..1m");
}
END_TEST

UNIT_MAIN_WITH("conf/conf", setup, unit_teardown, defaults, durations, sizes, numbers, modes, words,
	names, paths, unknown_keys, pairs, values, sets, rows)
