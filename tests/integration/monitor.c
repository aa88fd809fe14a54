/* SPDX-License-Identifier: MIT */
/* Monitor of the real daemon: what is told, to whom, and what becomes of a reader that does not read. */
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "unit.h"
#include "varlink.h"

#define MONITOR "{\"method\":\"io.readyd.Monitor\",\"more\":true}"
#define GUEST 61044u

struct monitor {
	struct varlink v;
	json_t *events; /* that came and were not looked at */
	long long lost;
};

static void take_page(struct monitor *m)
{
	struct control_reply reply = CONTROL_REPLY_NULL;

	need_int(varlink_read(&m->v, &reply), ==, 1);
	need_int(reply.error, ==, CONTROL_OK);
	need(reply.continues, "it has an end");
	json_array_extend(m->events, json_object_get(reply.parameters, "events"));
	m->lost += varlink_int(reply.parameters, "lost");
	control_reply_deinit(&reply);
}

/* From here on nothing is missed. */
static void begin(struct monitor *m, const struct instance *in, uid_t uid)
{
	*m = (struct monitor){.events = json_array()};
	varlink_open(&m->v, in, uid);
	varlink_send(&m->v, MONITOR);
	take_page(m);
	ck_assert_uint_eq(json_array_size(m->events), 0);
}

static void end(struct monitor *m)
{
	varlink_close(&m->v);
	json_decref(m->events);
}

/* The next event is this one, of that user (-1: the daemon's). Borrowed until the next call. */
static const json_t *hears(struct monitor *m, const char *word, long long uid)
{
	static json_t *event;
	json_t *of;

	json_decref(event);
	while (json_array_size(m->events) == 0)
		take_page(m);
	event = json_incref(json_array_get(m->events, 0));
	json_array_remove(m->events, 0);
	ck_assert_str_eq(varlink_word(event, "event"), word);
	of = json_object_get(event, "uid");
	ck_assert_int_eq(json_is_integer(of) ? json_integer_value(of) : -1, uid);
	ck_assert_uint_eq(strlen(varlink_word(event, "time")), strlen("2026-01-01T00:00:00.000Z"));
	return event;
}

START_TEST(what_happens)
{
	struct monitor m;
	struct instance in;
	struct varlink v;
	long long me = geteuid(), session;
	const json_t *e;
	char text[128];
	int a, b;

	instance_start(&in, "quota.default.sessions=1", NULL);
	/* The first control connection has our agent started: nothing of that is heard. */
	varlink_open(&v, &in, geteuid());
	begin(&m, &in, geteuid());
	a = raw_open(in.sock);
	e = hears(&m, "session_opened", me);
	session = varlink_int(e, "session");
	ck_assert_int_eq(varlink_int(e, "pid"), getpid());
	b = raw_connect(in.sock);
	raw_expect_fatal(b, WIRE_E_QUOTA_SESSIONS, RAW_ANY);
	rdy__fd_close(b);
	e = hears(&m, "refused", me);
	ck_assert_str_eq(varlink_word(e, "detail"), "QUOTA_SESSIONS");
	snprintf(text, sizeof(text),
		"{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":%lld}}", me);
	varlink_do(&v, text);
	hears(&m, "frozen", me);
	snprintf(text, sizeof(text),
		"{\"method\":\"io.readyd.Thaw\",\"parameters\":{\"uid\":%lld}}", me);
	varlink_do(&v, text);
	hears(&m, "thawed", me);
	snprintf(text, sizeof(text),
		"{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%lld}}", session);
	varlink_do(&v, text);
	hears(&m, "kicked", me);
	e = hears(&m, "session_ended", me);
	ck_assert_int_eq(varlink_int(e, "session"), session);
	varlink_do(&v, "{\"method\":\"io.readyd.Reload\"}");
	e = hears(&m, "reloaded", -1);
	ck_assert_str_eq(varlink_word(e, "detail"), "2");
	varlink_do(
		&v, "{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":{\"level\":\"notice\"}}");
	e = hears(&m, "log_level", -1);
	ck_assert_str_eq(varlink_word(e, "detail"), "notice");
	ck_assert_int_eq(m.lost, 0);
	rdy__fd_close(a);
	varlink_close(&v);
	end(&m);
	instance_stop(&in);
}
END_TEST

/* Of others, and of the daemon as a whole, only those hear who see all. */
START_TEST(who_hears_what)
{
	struct monitor all, own;
	struct instance in;
	struct varlink v;
	int a, b;

	if (!harness_is_root())
		unit_skip("another user takes root");
	instance_start(&in, NULL);
	varlink_open(&v, &in, 0);
	begin(&own, &in, GUEST);
	begin(&all, &in, 0);
	a = raw_open(in.sock);
	hears(&all, "session_opened", 0);
	need(seteuid(GUEST) == 0, "%s", strerror(errno));
	b = raw_open(in.sock);
	need(seteuid(0) == 0, "%s", strerror(errno));
	hears(&all, "session_opened", GUEST);
	varlink_do(&v, "{\"method\":\"io.readyd.Reload\"}");
	hears(&all, "reloaded", -1);
	rdy__fd_close(a);
	hears(&all, "session_ended", 0);
	rdy__fd_close(b);
	hears(&all, "session_ended", GUEST);
	hears(&own, "session_opened", GUEST);
	hears(&own, "session_ended", GUEST);
	/* An agent that is killed takes with it whoever it pumped for; the others hear of it. */
	end(&own);
	instance_expect(&in, "child=agent");
	instance_expect(&in, "agent=");
	kill(instance_agent(&in, GUEST), SIGKILL);
	hears(&all, "agent_lost", GUEST);
	varlink_close(&v);
	end(&all);
	instance_stop(&in);
}
END_TEST

/* Nobody waits for a reader that does not read; it is told how much it has missed. */
START_TEST(a_slow_reader)
{
	struct monitor m, other;
	struct instance in;
	long long n = 0;

	instance_start(&in, "quota.default.connects_per_s=100000", NULL);
	begin(&m, &in, geteuid());
	for (int i = 0; i < 4000; i++) {
		int sock = raw_open(in.sock);

		raw_ping(sock);
		rdy__fd_close(sock);
	}
	/* Somebody who begins now is served as ever. */
	begin(&other, &in, geteuid());
	end(&other);
	while (m.lost == 0)
		take_page(&m);
	n = (long long)json_array_size(m.events);
	ck_assert_int_gt(n, 100);
	note("%lld events came, %lld were lost", n, m.lost);
	end(&m);
	instance_stop(&in);
}
END_TEST

/* What happened before, to whom it may concern, and no more than fits a message. */
START_TEST(what_has_happened)
{
	static const char since[] = "{\"method\":\"io.readyd.Monitor\",\"more\":true,"
				    "\"parameters\":{\"since\":60}}";
	const char *const levels[] = {"notice", "info"};
	struct monitor m = {.events = json_array()}, guest = {.events = json_array()};
	struct instance in;
	struct varlink v;

	if (!other_users("a monitor of another user"))
		return;
	instance_start(&in, "quota.default.connects_per_s=1000", NULL);
	varlink_open(&v, &in, geteuid());
	varlink_do(&v, "{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":61044}}");
	varlink_do(&v, "{\"method\":\"io.readyd.Reload\"}");
	varlink_open(&m.v, &in, geteuid());
	varlink_send(&m.v, since);
	/* Its own agent, the freeze, the reload: in the first page. */
	take_page(&m);
	hears(&m, "agent_started", geteuid());
	hears(&m, "frozen", 61044);
	hears(&m, "reloaded", -1);
	ck_assert_uint_eq(json_array_size(m.events), 0);
	varlink_open(&guest.v, &in, 61044);
	varlink_send(&guest.v, since);
	take_page(&guest);
	hears(&guest, "frozen", 61044);
	hears(&guest, "agent_started", 61044);
	ck_assert_uint_eq(json_array_size(guest.events), 0);
	hears(&m, "agent_started", 61044);
	end(&m);
	end(&guest);

	for (int i = 0; i < 300; i++) {
		char text[128];

		snprintf(text, sizeof(text),
			"{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":{\"level\":\"%s\"}}",
			levels[i % 2]);
		varlink_do(&v, text);
	}
	m = (struct monitor){.events = json_array()};
	varlink_open(&m.v, &in, geteuid());
	varlink_send(&m.v, since);
	take_page(&m);
	ck_assert_uint_eq(json_array_size(m.events), 100);
	end(&m);
	varlink_close(&v);
	instance_stop(&in);
}
END_TEST

START_TEST(wrong_calls)
{
	struct instance in;
	struct varlink v;

	instance_start(&in, NULL);
	varlink_open(&v, &in, geteuid());
	ck_assert_int_eq(
		varlink_error(&v, "{\"method\":\"io.readyd.Monitor\"}"), CONTROL_E_EXPECTED_MORE);
	ck_assert_int_eq(varlink_error(&v, "{\"method\":\"io.readyd.Monitor\",\"more\":true,"
					   "\"parameters\":{\"uid\":0}}"),
		CONTROL_E_INVALID_PARAMETER);
	ck_assert_int_eq(varlink_error(&v, "{\"method\":\"io.readyd.Monitor\",\"more\":true,"
					   "\"parameters\":{\"since\":-1}}"),
		CONTROL_E_INVALID_PARAMETER);
	/* And it goes on after these. */
	varlink_do(&v, "{\"method\":\"io.readyd.Status\"}");
	varlink_close(&v);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/monitor", what_happens, who_hears_what, a_slow_reader, what_has_happened,
	wrong_calls)
