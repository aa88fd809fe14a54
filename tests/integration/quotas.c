/* SPDX-License-Identifier: MIT */
/* Quotas of single users and of ranges of uids, as real users: what counts, on whom, and what a reload makes of it. */
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "unit.h"
#include "varlink.h"

#define RELOAD "{\"method\":\"io.readyd.Reload\"}"
#define GET "{\"method\":\"io.readyd.GetConfiguration\"}"
#define GUEST 61033u /* a uid without a name */
#define FIRST 61040u /* of a range of ten */

static char path[64];
static uid_t games; /* a name that every Debian has */

static void write_file(const char *text)
{
	FILE *f = fopen(path, "we");

	need(f, "%s", strerror(errno));
	fputs(text, f);
	/* Who readyd has become must be able to read it. */
	fchmod(fileno(f), 0644);
	fclose(f);
}

static void start(struct instance *in, const char *text, const char *option)
{
	const struct passwd *user = getpwnam("games");

	need(user, "there is no user games here");
	games = user->pw_uid;
	harness_path(path, sizeof(path), "quotas.yaml");
	write_file(text);
	instance_config(path);
	instance_start(in, option, NULL);
	instance_config(NULL);
}

static void stop(struct instance *in)
{
	instance_stop(in);
	unlink(path);
}

/* A session of uid's, or -1: this error with this detail is all that it got. */
static int session(
	const struct instance *in, uid_t uid, enum wire_error *ret_error, uint32_t *ret_detail)
{
	uint8_t hello[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	struct wire_error_record e = {0};
	struct raw_frame frame;
	int sock, r;

	need(seteuid(uid) == 0, "%s", strerror(errno));
	sock = raw_connect(in->sock);
	need(seteuid(0) == 0, "%s", strerror(errno));
	raw_send(sock, hello, raw_put_hello(hello, RAW_FEATURES), NULL, 0);
	r = raw_recv(sock, &frame, PATIENCE_MS);
	if (r == -ECONNRESET)
		r = raw_recv(sock, &frame, PATIENCE_MS);
	need_int(r, ==, 1);
	if (frame.f.header.type == WIRE_WELCOME)
		return sock;
	need_int(frame.f.header.type, ==, WIRE_ERROR);
	wire_get_error(&frame.f, &e);
	rdy__fd_close(sock);
	*ret_error = e.error;
	*ret_detail = e.detail;
	return -1;
}

static int has_one(const struct instance *in, uid_t uid)
{
	enum wire_error e = WIRE_OK;
	uint32_t detail;
	int sock = session(in, uid, &e, &detail);

	need(sock >= 0, "uid %u: %s", uid, wire_error_name(e));
	return sock;
}

/* No more than so many sessions. */
static void is_refused(const struct instance *in, uid_t uid, uint32_t max)
{
	uint32_t detail = 0;
	enum wire_error e;
	int sock = session(in, uid, &e, &detail);

	need(sock < 0, "uid %u has one more", uid);
	ck_assert_str_eq(wire_error_name(e), "QUOTA_SESSIONS");
	ck_assert_uint_eq(detail, max);
}

static void row_says(struct varlink *v, uid_t uid, long long sessions, long long registrations)
{
	json_t *rows = varlink_list(
		v, "{\"method\":\"io.readyd.ListAgents\",\"more\":true}", "agents", NULL);
	bool found = false;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (varlink_int(row, "uid") != (long long)uid)
			continue;
		found = true;
		ck_assert_int_eq(varlink_int(row, "sessions_max"), sessions);
		ck_assert_int_eq(varlink_int(row, "registrations_max"), registrations);
	}
	ck_assert(found);
	json_decref(rows);
}

/* The row of this name among those of a reply, as "value was-or-default origin line". */
static void reply_says(struct varlink *v, const char *call, const char *rows, const char *key,
	const char *expected)
{
	struct control_reply reply = varlink_call(v, call);
	const json_t *all = json_object_get(reply.parameters, rows), *row = NULL;
	const json_t *was;
	char text[128] = "";

	for (size_t i = 0; i < json_array_size(all); i++)
		if (strcmp(varlink_word(json_array_get(all, i), "key"), key) == 0)
			row = json_array_get(all, i);
	if (row) {
		was = json_object_get(row, "was");
		snprintf(text, sizeof(text), "%s %s %s %lld", varlink_word(row, "value"),
			was ? json_string_value(was) : varlink_word(row, "default"),
			varlink_word(row, "origin"),
			(long long)json_integer_value(json_object_get(row, "line")));
	}
	ck_assert_str_eq(text, expected);
	control_reply_deinit(&reply);
}

START_TEST(of_a_user)
{
	struct instance in;
	struct control_reply reply;
	struct varlink v, own[3];
	int guest, of_games[4], event = eventfd(0, EFD_CLOEXEC);

	if (!harness_is_root())
		unit_skip("other users take root");
	instance_limit(4096);
	start(&in,
		"quota:\n  per_session: 100%\n  users:\n"
		"    games: {sessions: 3, control: 2,\n      registrations: 5}\n",
		"quota.default.sessions=1");
	instance_limit(0);
	instance_expect(&in, "reload=refused");
	varlink_open(&v, &in, 0);
	guest = has_one(&in, GUEST);
	is_refused(&in, GUEST, 1);
	for (int i = 0; i < 3; i++)
		of_games[i] = has_one(&in, games);
	is_refused(&in, games, 3);
	/* The agents know theirs. */
	for (uint64_t i = 0; i < 5; i++)
		raw_register_ok(of_games[0], event, i, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_str_eq(
		wire_error_name(
			raw_register(of_games[1], event, 9, WIRE_READABLE, WIRE_ONESHOT, 0).error),
		"QUOTA_REGISTRATIONS");
	for (uint64_t i = 0; i < 9; i++)
		raw_register_ok(guest, event, i, WIRE_READABLE, WIRE_ONESHOT, 0);
	row_says(&v, games, 3, 5);
	row_says(&v, GUEST, 1, 1024);
	for (int i = 0; i < 2; i++) {
		varlink_open(&own[i], &in, games);
		varlink_do(&own[i], "{\"method\":\"io.readyd.Status\"}");
	}
	reply = varlink_call(&own[0], "{\"method\":\"io.readyd.Status\"}");
	ck_assert_int_eq(varlink_int(reply.parameters, "sessions_max"), 3);
	ck_assert_int_eq(varlink_int(reply.parameters, "control_max"), 2);
	control_reply_deinit(&reply);
	varlink_open(&own[2], &in, games);
	ck_assert_int_eq(
		varlink_error(&own[2], "{\"method\":\"io.readyd.Status\"}"), CONTROL_E_BUSY);
	reply_says(&v, GET, "keys", "quota.users", "1 user {} file 3");
	reply_says(&v, GET, "keys", "quota.users.games.sessions", "3 1 file 4");
	reply_says(&v, GET, "keys", "quota.users.games.registrations", "5 1024 file 5");
	/* More than the process limits carry. */
	write_file("quota: {users: {games: {registrations: 1000000}}}\n");
	ck_assert_int_eq(varlink_error(&v, RELOAD), CONTROL_E_BAD_CONFIGURATION);
	need(instance_said(&in, "quota.users.games.registrations is 1000000"),
		"it names another key");
	/* A reload counts at once; what is lowered ends nobody. */
	write_file(
		"quota: {users: {games: {sessions: 4}, man: {sessions: 9}, nobody-is-called-this: "
		"{sessions: 1}}}\n");
	instance_expect(&in, "missing=yes");
	reply_says(&v, RELOAD, "changed", "quota.users.games.sessions", "4 3 file 1");
	reply_says(&v, RELOAD, "changed", "quota.users.games.sessions", "");
	of_games[3] = has_one(&in, games);
	raw_register_ok(of_games[1], event, 9, WIRE_READABLE, WIRE_ONESHOT, 0);
	row_says(&v, games, 4, 1024);
	write_file("");
	reply_says(&v, RELOAD, "changed", "quota.users.games.sessions", "1 4 default 0");
	is_refused(&in, games, 1);
	for (int i = 0; i < 4; i++) {
		raw_ping(of_games[i]);
		rdy__fd_close(of_games[i]);
	}
	for (int i = 0; i < 3; i++)
		varlink_close(&own[i]);
	rdy__fd_close(event);
	rdy__fd_close(guest);
	varlink_close(&v);
	stop(&in);
}
END_TEST

START_TEST(of_a_range)
{
	struct control_reply reply;
	struct instance in;
	struct varlink v;
	const json_t *why;
	uint32_t detail;
	enum wire_error e = WIRE_OK;
	int64_t begin;
	bool said = false;
	int of_games, first, last, other, again;

	if (!harness_is_root())
		unit_skip("other users take root");
	start(&in,
		"quota:\n  users: {games: {sessions: 3}}\n"
		"  uid_ranges: [{from: 61040, count: 10, charge_to: games},\n"
		"    {from: 61060, count: 10, charge_to: nobody-is-called-this}]\n",
		"quota.default.sessions=1");
	instance_expect(&in, "missing=yes");
	varlink_open(&v, &in, 0);
	first = has_one(&in, FIRST);
	last = has_one(&in, FIRST + 9);
	of_games = has_one(&in, games);
	is_refused(&in, FIRST, 3);
	is_refused(&in, FIRST + 5, 3);
	is_refused(&in, games, 3);
	row_says(&v, FIRST, 3, 1024);
	/* Beside it everybody has what everybody has. */
	other = has_one(&in, FIRST + 10);
	is_refused(&in, FIRST + 10, 1);
	rdy__fd_close(other);
	other = has_one(&in, FIRST - 1);
	rdy__fd_close(other);
	other = has_one(&in, 61060);
	is_refused(&in, 61060, 1);
	reply = varlink_call(
		&v, "{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"uid:61040\"}}");
	why = json_object_get(reply.parameters, "why");
	for (size_t i = 0; i < json_array_size(why); i++)
		said |= strstr(json_string_value(json_array_get(why, i)), "3 of 3 sessions") !=
			NULL;
	ck_assert(said);
	control_reply_deinit(&reply);
	/* What one of them gives back another one has. */
	rdy__fd_close(last);
	begin = now_ns();
	while ((again = session(&in, games, &e, &detail)) < 0)
		need(look_again(begin), "the place is not free");
	is_refused(&in, FIRST, 3);
	/* Together ten connections in a moment are more than their rate, each alone they are not. */
	write_file("quota:\n  users: {games: {sessions: 100, connects_per_s: 1}}\n"
		   "  uid_ranges: [{from: 61040, count: 10, charge_to: games}]\n");
	varlink_do(&v, RELOAD);
	for (uid_t i = 0; i < 10 && e != WIRE_E_QUOTA_CONNECTS; i++)
		rdy__fd_close(session(&in, FIRST + i, &e, &detail));
	ck_assert_str_eq(wire_error_name(e), "QUOTA_CONNECTS");
	ck_assert_uint_eq(detail, 1);
	/* Without the range each counts for itself. */
	write_file("");
	varlink_do(&v, RELOAD);
	rdy__fd_close(has_one(&in, FIRST + 3));
	is_refused(&in, games, 1);
	raw_ping(first);
	raw_ping(of_games);
	rdy__fd_close(again);
	rdy__fd_close(other);
	rdy__fd_close(first);
	rdy__fd_close(of_games);
	varlink_close(&v);
	stop(&in);
}
END_TEST

UNIT_MAIN("integration/quotas", of_a_user, of_a_range)
