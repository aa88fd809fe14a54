/* SPDX-License-Identifier: MIT */
/* The policy of the real daemon: who may connect, look and administer, as real users; and what it says of itself. */
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "unit.h"
#include "varlink.h"

#define SESSIONS "{\"method\":\"io.readyd.ListSessions\",\"more\":true}"
#define GUEST 61033u /* a uid without a name */

static char path[64], text[512];
static uid_t games, man; /* names that every Debian has */
static gid_t games_group;

static const char *format(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vsnprintf(text, sizeof(text), f, ap);
	va_end(ap);
	return text;
}

static uid_t uid_of(const char *name)
{
	const struct passwd *user = getpwnam(name);

	need(user, "there is no user %s here", name);
	return user->pw_uid;
}

static void start(struct instance *in, const char *policy)
{
	FILE *f;

	games = uid_of("games");
	man = uid_of("man");
	games_group = getgrnam("games")->gr_gid;
	harness_path(path, sizeof(path), "policy.yaml");
	f = fopen(path, "we");
	need(f, "%s", strerror(errno));
	fputs(policy, f);
	fchmod(fileno(f), 0644);
	fclose(f);
	instance_config(path);
	instance_start(in, NULL);
	instance_config(NULL);
}

static void stop(struct instance *in)
{
	instance_stop(in);
	unlink(path);
}

/* Can this user open a session, with this supplementary group? */
static bool connects(const struct instance *in, uid_t uid, gid_t group)
{
	uint8_t hello[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	struct wire_error_record e = {0};
	struct raw_frame frame;
	int sock, r;

	need(setgroups(group != (gid_t)-1, &group) == 0, "%s", strerror(errno));
	need(seteuid(uid) == 0, "%s", strerror(errno));
	sock = raw_connect(in->sock);
	need(seteuid(0) == 0, "%s", strerror(errno));
	raw_send(sock, hello, raw_put_hello(hello, RAW_FEATURES), NULL, 0);
	r = raw_recv(sock, &frame, PATIENCE_MS);
	if (r == -ECONNRESET)
		r = raw_recv(sock, &frame, PATIENCE_MS);
	need_int(r, ==, 1);
	if (frame.f.header.type == WIRE_ERROR)
		wire_get_error(&frame.f, &e);
	rdy__fd_close(sock);
	if (frame.f.header.type == WIRE_WELCOME)
		return true;
	ck_assert_str_eq(wire_error_name(e.error), "POLICY_DENIED");
	return false;
}

static enum control_error asks(const struct instance *in, uid_t uid, gid_t group, const char *call)
{
	enum control_error e;
	struct varlink v;

	varlink_open_with(&v, in, uid, group);
	e = varlink_error(&v, call);
	varlink_close(&v);
	return e;
}

/* What Can answers about this user with that group; the rule's line in the file, 0: none. */
static bool can(struct varlink *v, uid_t uid, gid_t group, const char *verb, long long owner,
	long long *ret_line)
{
	char whose[32];
	struct control_reply reply;
	bool allowed;

	snprintf(whose, sizeof(whose), owner < 0 ? "null" : "%lld", owner);
	reply = varlink_call(v,
		format("{\"method\":\"io.readyd.Can\",\"parameters\":{\"uid\":%u,\"groups\":[%u],"
		       "\"verb\":\"%s\",\"owner\":%s}}",
			uid, group, verb, whose));
	allowed = json_is_true(json_object_get(reply.parameters, "allowed"));
	*ret_line = json_integer_value(json_object_get(reply.parameters, "line"));
	control_reply_deinit(&reply);
	return allowed;
}

START_TEST(rules)
{
	struct instance in;
	struct varlink v;
	long long line;
	int sock;

	if (!harness_is_root())
		unit_skip("other users take root");
	start(&in, "policy:\n"
		   "  - {who: user:man, allow: [], names: \"*:*\"}\n"
		   "  - {who: group:games, allow: [inspect, admin], names: \"root:*\"}\n"
		   "  - {who: group:games, allow: [connect, inspect], names: \"self:*\"}\n");
	/* Who is in the group, by its uid's own or by one more group; who is not; and whom a rule denies. */
	ck_assert(connects(&in, GUEST, games_group));
	ck_assert(!connects(&in, GUEST, (gid_t)-1));
	ck_assert(!connects(&in, man, games_group));
	ck_assert(connects(&in, 0, (gid_t)-1));
	/* A session of root's: seen and ended by who may. */
	sock = raw_open(in.sock);
	varlink_open(&v, &in, 0);
	ck_assert_int_eq(asks(&in, GUEST, games_group,
				 "{\"method\":\"io.readyd.ListSessions\",\"more\":true,"
				 "\"parameters\":{\"uid\":0}}"),
		CONTROL_OK);
	ck_assert_int_eq(asks(&in, GUEST, games_group,
				 format("{\"method\":\"io.readyd.ListSessions\",\"more\":true,"
					"\"parameters\":{\"uid\":%u}}",
					 games)),
		CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(asks(&in, GUEST, (gid_t)-1, SESSIONS), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(asks(&in, man, games_group, SESSIONS), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(asks(&in, GUEST, games_group,
				 "{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":0}}"),
		CONTROL_OK);
	ck_assert_int_eq(asks(&in, GUEST, games_group,
				 "{\"method\":\"io.readyd.Thaw\",\"parameters\":{\"uid\":0}}"),
		CONTROL_OK);
	ck_assert_int_eq(
		asks(&in, GUEST, games_group,
			format("{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":%u}}",
				games)),
		CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(asks(&in, GUEST, games_group, "{\"method\":\"io.readyd.Reload\"}"),
		CONTROL_E_PERMISSION_DENIED);
	/* What it says of itself, with the line that decides. */
	ck_assert(!can(&v, man, games_group, "connect", man, &line));
	ck_assert_int_eq(line, 2);
	ck_assert(can(&v, GUEST, games_group, "admin", 0, &line));
	ck_assert_int_eq(line, 3);
	ck_assert(!can(&v, GUEST, games_group, "connect", 0, &line));
	ck_assert_int_eq(line, 3);
	ck_assert(can(&v, GUEST, games_group, "connect", GUEST, &line));
	ck_assert_int_eq(line, 4);
	ck_assert(!can(&v, GUEST, games_group, "admin", -1, &line));
	ck_assert_int_eq(line, 0);
	ck_assert(!can(&v, GUEST, 1, "inspect", GUEST, &line));
	ck_assert(can(&v, 0, 0, "admin", -1, &line));
	ck_assert_int_eq(line, 0);
	raw_ping(sock);
	rdy__fd_close(sock);
	varlink_close(&v);
	stop(&in);
}
END_TEST

/* A reload counts for who connects then; who is there goes on. */
START_TEST(changes)
{
	struct instance in;
	struct varlink v, guest;
	FILE *f;
	int sock;

	if (!harness_is_root())
		unit_skip("other users take root");
	start(&in, "");
	varlink_open(&v, &in, 0);
	varlink_open(&guest, &in, GUEST);
	varlink_do(&guest, SESSIONS);
	ck_assert(connects(&in, GUEST, (gid_t)-1));
	need(seteuid(GUEST) == 0, "%s", strerror(errno));
	sock = raw_open(in.sock);
	need(seteuid(0) == 0, "%s", strerror(errno));
	f = fopen(path, "we");
	fputs("policy: [{who: user:games, allow: [connect], names: \"self:*\"}, "
	      "{who: user:nobody-has-this-name, allow: [all], names: \"*:*\"}]\n",
		f);
	fclose(f);
	instance_expect(&in, "missing=yes");
	varlink_do(&v, "{\"method\":\"io.readyd.Reload\"}");
	ck_assert(!connects(&in, GUEST, (gid_t)-1));
	ck_assert(connects(&in, games, (gid_t)-1));
	ck_assert_int_eq(asks(&in, GUEST, (gid_t)-1, SESSIONS), CONTROL_E_PERMISSION_DENIED);
	raw_ping(sock);
	varlink_do(&guest, SESSIONS);
	rdy__fd_close(sock);
	varlink_close(&guest);
	varlink_close(&v);
	stop(&in);
}
END_TEST

START_TEST(wrong_questions)
{
	static const struct {
		const char *parameters, *wrong;
	} calls[] = {
		{"\"groups\":[],\"verb\":\"inspect\"", "uid"},
		{"\"uid\":0,\"verb\":\"inspect\"", "groups"},
		{"\"uid\":0,\"groups\":[-1],\"verb\":\"inspect\"", "groups"},
		{"\"uid\":0,\"groups\":[\"x\"],\"verb\":\"inspect\"", "groups"},
		{"\"uid\":0,\"groups\":{},\"verb\":\"inspect\"", "groups"},
		{"\"uid\":0,\"groups\":[],\"verb\":\"all\"", "verb"},
		{"\"uid\":0,\"groups\":[],\"verb\":\"park\"", "verb"},
		{"\"uid\":0,\"groups\":[],\"verb\":1", "verb"},
		{"\"uid\":0,\"groups\":[],\"verb\":\"admin\",\"owner\":\"x\"", "owner"},
		{"\"uid\":0,\"groups\":[],\"verb\":\"admin\",\"owner\":4294967295", "owner"},
	};
	struct control_reply reply = CONTROL_REPLY_NULL;
	struct instance in;
	struct varlink v;

	if (!harness_is_root())
		unit_skip("other users take root");
	start(&in, "");
	varlink_open(&v, &in, 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		varlink_send(&v, format("{\"method\":\"io.readyd.Can\",\"parameters\":{%s}}",
					 calls[i].parameters));
		ck_assert_int_eq(varlink_read(&v, &reply), 1);
		ck_assert_int_eq(reply.error, CONTROL_E_INVALID_PARAMETER);
		ck_assert_str_eq(varlink_word(reply.parameters, "parameter"), calls[i].wrong);
		control_reply_deinit(&reply);
	}
	varlink_close(&v);
	ck_assert_int_eq(
		asks(&in, GUEST, (gid_t)-1,
			"{\"method\":\"io.readyd.Can\",\"parameters\":{\"uid\":0,\"groups\":[],"
			"\"verb\":\"admin\"}}"),
		CONTROL_E_PERMISSION_DENIED);
	stop(&in);
}
END_TEST

UNIT_MAIN("integration/policy", rules, changes, wrong_questions)
