/* SPDX-License-Identifier: MIT */
/* The configuration of the real daemon read again: what changes at once, what waits, what is refused, and who may. */
#include <signal.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "unit.h"
#include "varlink.h"

#define GET "{\"method\":\"io.readyd.GetConfiguration\"}"
#define CHECK "{\"method\":\"io.readyd.CheckConfiguration\"}"
#define RELOAD "{\"method\":\"io.readyd.Reload\"}"
#define STATUS "{\"method\":\"io.readyd.Status\"}"

static char path[64];

static void write_file(const char *text)
{
	FILE *f = fopen(path, "we");

	need(f, "%s", strerror(errno));
	fputs(text, f);
	/* Who readyd has become must be able to read it. */
	fchmod(fileno(f), 0644);
	fclose(f);
}

static void start(struct instance *in, const char *text)
{
	harness_path(path, sizeof(path), "reload.yaml");
	write_file(text);
	instance_config(path);
	instance_start(in, "log.level=notice", NULL);
	instance_config(NULL);
}

static void stop(struct instance *in)
{
	instance_stop(in);
	unlink(path);
}

static const json_t *named(const json_t *rows, const char *key)
{
	for (size_t i = 0; i < json_array_size(rows); i++)
		if (strcmp(varlink_word(json_array_get(rows, i), "key"), key) == 0)
			return json_array_get(rows, i);
	return NULL;
}

/* A key's row of GetConfiguration: value, origin, line and what is pending (NULL: nothing). */
static void is(struct varlink *v, const char *key, const char *value, const char *origin,
	long long line, const char *pending)
{
	struct control_reply reply = varlink_call(v, GET);
	const json_t *row = named(json_object_get(reply.parameters, "keys"), key);

	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(varlink_word(row, "value"), value);
	ck_assert_str_eq(varlink_word(row, "origin"), origin);
	if (line)
		ck_assert_int_eq(varlink_int(row, "line"), line);
	else
		ck_assert(json_is_null(json_object_get(row, "line")));
	if (pending)
		ck_assert_str_eq(varlink_word(row, "pending"), pending);
	else
		ck_assert(json_is_null(json_object_get(row, "pending")));
	control_reply_deinit(&reply);
}

static long long generation(struct varlink *v, bool *ret_refused)
{
	struct control_reply reply = varlink_call(v, STATUS);
	const json_t *c = json_object_get(reply.parameters, "configuration");
	long long n = varlink_int(c, "generation");

	*ret_refused = !json_is_null(json_object_get(c, "refused"));
	control_reply_deinit(&reply);
	return n;
}

/* So many keys change at once, so many wait. */
static void does(struct varlink *v, const char *call, size_t n_changed, size_t n_restart)
{
	struct control_reply reply = varlink_call(v, call);

	ck_assert_uint_eq(json_array_size(json_object_get(reply.parameters, "changed")), n_changed);
	ck_assert_uint_eq(json_array_size(json_object_get(reply.parameters, "restart")), n_restart);
	ck_assert_uint_eq(json_array_size(json_object_get(reply.parameters, "files")), 1);
	control_reply_deinit(&reply);
}

START_TEST(what_changes)
{
	struct instance in;
	struct varlink v;
	bool was_refused;
	int a, b;

	start(&in, "quota:\n  default:\n    sessions: 1\nreactors: 2\n");
	varlink_open(&v, &in, geteuid());
	is(&v, "quota.default.sessions", "1", "file", 3, NULL);
	is(&v, "reactors", "2", "file", 4, NULL);
	is(&v, "log.level", "notice", "command", 0, NULL);
	is(&v, "agent.idle_exit", "1m", "default", 0, NULL);
	does(&v, CHECK, 0, 0);
	a = raw_open(in.sock);
	b = raw_connect(in.sock);
	raw_expect_fatal(b, WIRE_E_QUOTA_SESSIONS, RAW_ANY);
	rdy__fd_close(b);
	/* The session that is there goes on; the quota counts at once, the number of reactors later. */
	write_file("quota: {default: {sessions: 2}}\nreactors: 3\nlog: {level: debug}\n");
	does(&v, CHECK, 1, 1);
	is(&v, "quota.default.sessions", "1", "file", 3, NULL);
	does(&v, RELOAD, 1, 1);
	is(&v, "quota.default.sessions", "2", "file", 1, NULL);
	is(&v, "reactors", "2", "file", 2, "3");
	/* The command line goes before the files, then as now. */
	is(&v, "log.level", "notice", "command", 0, NULL);
	ck_assert_int_eq(generation(&v, &was_refused), 2);
	ck_assert(!was_refused);
	b = raw_open(in.sock);
	raw_ping(a);
	raw_ping(b);
	rdy__fd_close(a);
	rdy__fd_close(b);
	varlink_close(&v);
	stop(&in);
}
END_TEST

/* Invariant: CONF-1 */
START_TEST(refused)
{
	static const struct {
		const char *file, *where, *what;
	} mistakes[] = {
		{"quota:\n  default: {sessions: 5}\nqouta: 1\n", ":3:1", "unknown key 'qouta'"},
		{"quota: {default: {sessions: 5}}\nlimits: {uids: x}\n", ":2:16", "limits.uids"},
		{"quota: {default: {sessions: 5, registrations: 1000000}}\n", NULL,
			"may open only"},
		{"\t", ":1:1", "this is not YAML"},
	};
	struct control_reply reply = CONTROL_REPLY_NULL;
	struct instance in;
	struct varlink v;
	bool was_refused;

	instance_limit(4096);
	start(&in, "quota: {default: {sessions: 3}}\n");
	instance_limit(0);
	instance_expect(&in, "reload=refused");
	varlink_open(&v, &in, geteuid());
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const char *calls[] = {CHECK, RELOAD};

		write_file(mistakes[i].file);
		for (int k = 0; k < 2; k++) {
			const char *where;

			varlink_send(&v, calls[k]);
			ck_assert_int_eq(varlink_read(&v, &reply), 1);
			ck_assert_int_eq(reply.error, CONTROL_E_BAD_CONFIGURATION);
			ck_assert_ptr_nonnull(
				strstr(varlink_word(reply.parameters, "what"), mistakes[i].what));
			ck_assert(varlink_word(reply.parameters, "why")[0]);
			ck_assert(varlink_word(reply.parameters, "fix")[0]);
			where = json_string_value(json_object_get(reply.parameters, "where"));
			if (mistakes[i].where)
				ck_assert_msg(
					where && strstr(where, mistakes[i].where), "%s", where);
			else
				ck_assert_ptr_null(where);
			ck_assert_int_eq(varlink_int(reply.parameters, "generation"), 1);
			control_reply_deinit(&reply);
		}
		is(&v, "quota.default.sessions", "3", "file", 1, NULL);
		ck_assert_int_eq(generation(&v, &was_refused), 1);
		ck_assert(was_refused);
	}
	unlink(path);
	ck_assert_int_eq(varlink_error(&v, RELOAD), CONTROL_E_BAD_CONFIGURATION);
	/* Mended, it counts, and the complaint is over. */
	write_file("quota: {default: {sessions: 4}}\n");
	does(&v, RELOAD, 1, 0);
	ck_assert_int_eq(generation(&v, &was_refused), 2);
	ck_assert(!was_refused);
	varlink_close(&v);
	stop(&in);
}
END_TEST

START_TEST(by_signal)
{
	struct instance in;
	struct varlink v;
	int64_t begin;
	bool was_refused;

	start(&in, "");
	varlink_open(&v, &in, geteuid());
	write_file("quota: {default: {connects_per_s: 77}}\n");
	begin = now_ns();
	kill(in.pid, SIGHUP);
	while (generation(&v, &was_refused) != 2)
		need(look_again(begin), "no reload");
	is(&v, "quota.default.connects_per_s", "77/s", "file", 1, NULL);
	varlink_close(&v);
	stop(&in);
}
END_TEST

START_TEST(who_may)
{
	struct instance in;
	struct varlink v;

	if (!harness_is_root())
		unit_skip("another user takes root");
	start(&in, "");
	varlink_open(&v, &in, 61033);
	ck_assert_int_eq(varlink_error(&v, RELOAD), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(varlink_error(&v, CHECK), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(varlink_error(&v, GET), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(
		varlink_error(&v, "{\"method\":\"io.readyd.Reload\",\"parameters\":{\"x\":1}}"),
		CONTROL_E_INVALID_PARAMETER);
	varlink_close(&v);
	stop(&in);
}
END_TEST

UNIT_MAIN("integration/reload", what_changes, refused, by_signal, who_may)
