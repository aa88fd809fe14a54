/* SPDX-License-Identifier: MIT */
/* The control socket of the real daemon, with raw varlink: every call, rights, long lists, freezing, kicking. */
#include <signal.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "innocent.h"
#include "unit.h"
#include "varlink.h"

#define SESSIONS "{\"method\":\"io.readyd.ListSessions\",\"more\":true}"
#define AGENTS "{\"method\":\"io.readyd.ListAgents\",\"more\":true}"
#define REGISTRATIONS "{\"method\":\"io.readyd.ListRegistrations\",\"more\":true}"
#define STATUS "{\"method\":\"io.readyd.Status\"}"
#define MANY 10000u

static char text[512];

static const char *format(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vsnprintf(text, sizeof(text), f, ap);
	va_end(ap);
	return text;
}

/* Number of the only session that a connection sees; waits until there is one. */
static long long only_session(struct varlink *v)
{
	int64_t start = now_ns();
	long long number = 0;

	do {
		json_t *rows = varlink_list(v, SESSIONS, "sessions", NULL);

		if (json_array_size(rows) == 1)
			number = varlink_int(json_array_get(rows, 0), "session");
		json_decref(rows);
	} while (!number && look_again(start));
	need(number, "no session, or more than one");
	return number;
}

START_TEST(every_call)
{
	struct control_reply reply;
	struct instance in;
	struct varlink v;
	json_t *rows, *row;
	long long number;
	int sock, fd;

	instance_start(&in, NULL);
	varlink_open(&v, &in, geteuid());
	reply = varlink_call(&v, "{\"method\":\"org.varlink.service.GetInfo\"}");
	ck_assert_str_eq(varlink_word(reply.parameters, "product"), "readyd");
	control_reply_deinit(&reply);
	reply = varlink_call(&v, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				 "\"parameters\":{\"interface\":\"io.readyd\"}}");
	ck_assert_str_eq(
		varlink_word(reply.parameters, "description"), control_interface_text("io.readyd"));
	control_reply_deinit(&reply);
	/* A session with one registration. */
	sock = raw_open(in.sock);
	fd = eventfd(0, EFD_CLOEXEC);
	raw_register_ok(sock, fd, 4711, WIRE_READABLE, WIRE_ONESHOT, 0);
	number = only_session(&v);
	rows = varlink_list(&v, AGENTS, "agents", NULL);
	ck_assert_uint_eq(json_array_size(rows), 1);
	row = json_array_get(rows, 0);
	need_int(varlink_int(row, "uid"), ==, geteuid());
	need_int(varlink_int(row, "pid"), ==, instance_agent(&in, geteuid()));
	need_int(varlink_int(row, "sessions"), ==, 1);
	need_int(varlink_int(row, "registrations"), ==, 1);
	need_int(varlink_int(row, "control"), ==, 1);
	json_decref(rows);
	rows = varlink_list(&v, REGISTRATIONS, "registrations", NULL);
	ck_assert_uint_eq(json_array_size(rows), 1);
	row = json_array_get(rows, 0);
	ck_assert_str_eq(varlink_word(row, "cookie"), "4711");
	ck_assert_str_eq(varlink_word(row, "kind"), "eventfd");
	ck_assert_str_eq(varlink_word(row, "state"), "armed");
	json_decref(rows);
	reply = varlink_call(&v, STATUS);
	need_int(varlink_int(reply.parameters, "sessions"), ==, 1);
	need_int(varlink_int(reply.parameters, "registrations"), ==, 1);
	need_int(varlink_int(reply.parameters, "pid"), ==, in.pid);
	ck_assert_str_eq(varlink_word(reply.parameters, "scope"), "all");
	control_reply_deinit(&reply);
	reply = varlink_call(&v, format("{\"method\":\"io.readyd.Explain\",\"parameters\":{"
					"\"what\":\"session:%lld\"}}",
					 number));
	ck_assert_str_eq(varlink_word(reply.parameters, "state"), "serving");
	control_reply_deinit(&reply);
	reply = varlink_call(&v,
		format("{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"registration:"
		       "%lld/4711\"}}",
			number));
	ck_assert_str_eq(varlink_word(reply.parameters, "state"), "armed");
	control_reply_deinit(&reply);
	reply = varlink_call(&v,
		format("{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"uid:%u\"}}",
			geteuid()));
	ck_assert_str_eq(varlink_word(reply.parameters, "state"), "serving");
	control_reply_deinit(&reply);
	reply = varlink_call(
		&v, "{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":{\"level\":\"debug\"}}");
	ck_assert_str_eq(varlink_word(reply.parameters, "was"), "info");
	control_reply_deinit(&reply);
	varlink_do(&v, format("{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%lld}}",
			       number));
	raw_expect_fatal(sock, WIRE_E_KICKED, RAW_ANY);
	ck_assert_int_eq(
		varlink_error(&v, format("{\"method\":\"io.readyd.Explain\",\"parameters\":"
					 "{\"what\":\"session:%lld\"}}",
					  number)),
		CONTROL_E_NOT_FOUND);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
	varlink_close(&v);
	instance_stop(&in);
}
END_TEST

/* Three users: root, one with a session, one with nothing; and one of the admin group. */
START_TEST(rights)
{
	const char *freeze = "{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":61002}}";
	struct varlink root, owner, other;
	struct innocent client;
	struct instance in;
	long long number;
	json_t *rows;

	if (!other_users("rights"))
		return;
	instance_start(&in, NULL);
	innocent_start(&client, &in, UID_INNOCENT);
	varlink_open(&root, &in, 0);
	varlink_open(&owner, &in, UID_INNOCENT);
	varlink_open(&other, &in, UID_ATTACKER);
	number = only_session(&root);
	need_int(only_session(&owner), ==, number);
	rows = varlink_list(&other, SESSIONS, "sessions", NULL);
	ck_assert_uint_eq(json_array_size(rows), 0);
	json_decref(rows);
	rows = varlink_list(&other, AGENTS, "agents", NULL);
	ck_assert_uint_eq(json_array_size(rows), 1);
	need_int(varlink_int(json_array_get(rows, 0), "uid"), ==, UID_ATTACKER);
	json_decref(rows);
	rows = varlink_list(&root, AGENTS, "agents", NULL);
	ck_assert_uint_eq(json_array_size(rows), 3);
	json_decref(rows);
	ck_assert_int_eq(
		varlink_error(&other, format("{\"method\":\"io.readyd.Kick\",\"parameters\":"
					     "{\"session\":%lld}}",
					      number)),
		CONTROL_E_NOT_FOUND);
	ck_assert_int_eq(varlink_error(&other, format("{\"method\":\"io.readyd.ListRegistrations\","
						      "\"more\":true,\"parameters\":{\"session\":"
						      "%lld}}",
						       number)),
		CONTROL_E_NOT_FOUND);
	ck_assert_int_eq(varlink_error(&other, freeze), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(varlink_error(&owner, freeze), CONTROL_E_PERMISSION_DENIED);
	ck_assert_int_eq(
		varlink_error(&owner, "{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":"
				      "{\"level\":\"error\"}}"),
		CONTROL_E_PERMISSION_DENIED);
	/* One's own session may be ended by oneself. */
	varlink_do(
		&owner, format("{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%lld}}",
				number));
	for (int64_t start = now_ns();;) {
		rows = varlink_list(&root, SESSIONS, "sessions", NULL);
		if (json_array_size(rows) == 0)
			break;
		json_decref(rows);
		need(look_again(start), "it is still there");
	}
	json_decref(rows);
	varlink_close(&root);
	varlink_close(&owner);
	varlink_close(&other);
	proc_kill(&client.proc);
	instance_stop(&in);
}
END_TEST

START_TEST(the_admin_group)
{
	struct varlink v;
	struct instance in;
	char option[64];
	struct group *g;

	if (!other_users("the_admin_group"))
		return;
	/* Any group will do; "nogroup" or "nobody" is that of UID_ATTACKER on most systems. */
	g = getgrgid(1);
	if (!g) {
		note("skipped: there is no group 1");
		return;
	}
	snprintf(option, sizeof(option), "admin.group=%s", g->gr_name);
	instance_start(&in, option, NULL);
	varlink_open_with(&v, &in, UID_ATTACKER, (gid_t)-1);
	ck_assert_int_eq(
		varlink_error(&v, "{\"method\":\"io.readyd.Thaw\",\"parameters\":{\"uid\":1}}"),
		CONTROL_E_PERMISSION_DENIED);
	varlink_close(&v);
	varlink_open_with(&v, &in, UID_ATTACKER, 1);
	varlink_do(&v, "{\"method\":\"io.readyd.Thaw\",\"parameters\":{\"uid\":1}}");
	varlink_close(&v);
	instance_stop(&in);
}
END_TEST

static void register_many(int sock, uint32_t n_all)
{
	uint8_t buf[WIRE_FRAME_MAX];

	for (uint32_t done = 0; done < n_all;) {
		int fds[WIRE_BATCH_MAX];
		struct raw_frame frame;
		uint32_t n = 0;

		for (; n < WIRE_BATCH_MAX && done + n < n_all; n++) {
			const struct wire_register q = {
				.cookie = done + n, .interest = WIRE_READABLE, .mode = WIRE_EDGE};

			fds[n] = eventfd(0, EFD_CLOEXEC);
			need(fds[n] >= 0, "%s", strerror(errno));
			wire_put_register(buf, n, &q);
		}
		need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, n), fds, n), ==,
			0);
		raw_recv_type(sock, &frame, WIRE_REGISTERED);
		for (uint32_t i = 0; i < n; i++) {
			struct wire_result result;

			wire_get_result(&frame.f, i, &result);
			need(result.error == WIRE_OK, "%s", wire_error_name(result.error));
			rdy__fd_close(fds[i]);
		}
		done += n;
	}
}

/* 10 000 rows, three times, while another session of the same uid, of the same agent, has its events. */
START_TEST(a_long_list)
{
	struct innocent_report before, during;
	struct innocent client;
	struct instance in;
	struct varlink v;
	uint32_t pages = 0;
	long long number = 0;
	int64_t took;
	json_t *rows, *row;
	size_t i;
	int sock;

	instance_start(&in, "quota.default.registrations=12000", "quota.per_session=100%", NULL);
	sock = raw_open(in.sock);
	register_many(sock, MANY);
	varlink_open(&v, &in, geteuid());
	number = only_session(&v);
	innocent_start(&client, &in, geteuid());
	innocent_measure(&client, &before);
	innocent_begin(&client);
	took = now_ns();
	for (int k = 0; k < 3; k++) {
		rows = varlink_list(&v,
			format("{\"method\":\"io.readyd.ListRegistrations\",\"more\":true,"
			       "\"parameters\":{\"session\":%lld}}",
				number),
			"registrations", &pages);
		ck_assert_uint_eq(json_array_size(rows), MANY);
		need_int(pages, >=, MANY / 256);
		if (k == 0) {
			static bool seen[MANY];

			json_array_foreach(rows, i, row)
			{
				unsigned long c = strtoul(varlink_word(row, "cookie"), NULL, 10);

				need(c < MANY && !seen[c], "cookie %lu", c);
				seen[c] = true;
			}
		}
		json_decref(rows);
	}
	took = now_ns() - took;
	innocent_finish(&client, &during);
	innocent_check(&during, "while 10 000 rows are listed");
	note("10000 rows in %u pages: %lld ms; p99 %lld us quiet, %lld us meanwhile", pages,
		(long long)(took / 3 / RDY__NS_PER_MS), (long long)(before.p99_ns / 1000),
		(long long)(during.p99_ns / 1000));
	innocent_stop(&client);
	rdy__fd_close(sock);
	varlink_close(&v);
	instance_stop(&in);
}
END_TEST

/* What is ready while a uid is frozen is told when it thaws; who is frozen hears nothing, and gets no answer. */
START_TEST(freeze_loses_nothing)
{
	const uint64_t one = 1;
	struct raw_frame frame;
	struct wire_event e;
	struct instance in;
	struct varlink v;
	struct pollfd p;
	json_t *rows;
	int sock, fresh, fds[8];
	uint32_t got = 0;

	instance_start(&in, NULL);
	varlink_open(&v, &in, geteuid());
	sock = raw_open(in.sock);
	for (int i = 0; i < 8; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
		raw_register_ok(sock, fds[i], (uint64_t)i, WIRE_READABLE, WIRE_EDGE, 0);
	}
	only_session(&v);
	varlink_do(&v,
		format("{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":%u}}", geteuid()));
	rows = varlink_list(&v, SESSIONS, "sessions", NULL);
	ck_assert_str_eq(varlink_word(json_array_get(rows, 0), "state"), "frozen");
	json_decref(rows);
	for (int i = 0; i < 8; i++)
		need_int(write(fds[i], &one, sizeof(one)), ==, sizeof(one));
	/* A request, too: nobody reads it now. */
	uint8_t buf[64];

	wire_put_ping(buf, 7);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_PING, 9, 1), NULL, 0), ==, 0);
	/* The agent has been through its loop when it has answered, and again. */
	for (int i = 0; i < 3; i++)
		json_decref(varlink_list(&v, REGISTRATIONS, "registrations", NULL));
	p = (struct pollfd){.fd = sock, .events = POLLIN};
	need_int(poll(&p, 1, 0), ==, 0);
	fresh = raw_connect(in.sock);
	raw_expect_fatal(fresh, WIRE_E_UID_FROZEN, RAW_ANY);
	rdy__fd_close(fresh);
	varlink_do(&v,
		format("{\"method\":\"io.readyd.Thaw\",\"parameters\":{\"uid\":%u}}", geteuid()));
	while (got != 0xff) {
		need_int(raw_recv(sock, &frame, PATIENCE_MS), ==, 1);
		if (frame.f.header.type == WIRE_PONG)
			continue;
		need_int(frame.f.header.type, ==, WIRE_EVENTS);
		for (uint32_t i = 0; i < frame.f.header.count; i++) {
			wire_get_event(&frame.f, i, &e);
			got |= 1u << e.cookie;
		}
	}
	for (int i = 0; i < 8; i++)
		rdy__fd_close(fds[i]);
	rdy__fd_close(sock);
	fresh = raw_open(in.sock);
	rdy__fd_close(fresh);
	varlink_close(&v);
	instance_stop(&in);
}
END_TEST

START_TEST(refusals)
{
	struct control_reply reply = CONTROL_REPLY_NULL;
	struct varlink v[3], w;
	struct instance in;

	instance_start(&in, "quota.default.control=3", "quota.default.connects_per_s=1000", NULL);
	for (int i = 0; i < 3; i++) {
		varlink_open(&v[i], &in, geteuid());
		varlink_do(&v[i], STATUS);
	}
	for (int i = 0; i < 20; i++) {
		varlink_open(&w, &in, geteuid());
		need_int(varlink_read(&w, &reply), ==, 1);
		ck_assert_int_eq(reply.error, CONTROL_E_BUSY);
		ck_assert_str_eq(varlink_word(reply.parameters, "why"), "quota");
		control_reply_deinit(&reply);
		need_int(varlink_read(&w, &reply), ==, 0);
		varlink_close(&w);
	}
	/* One goes, one may come. */
	varlink_close(&v[0]);
	for (int64_t start = now_ns();;) {
		varlink_open(&w, &in, geteuid());
		if (varlink_error(&w, STATUS) == CONTROL_OK)
			break;
		varlink_close(&w);
		need(look_again(start), "still refused");
	}
	varlink_close(&w);
	varlink_close(&v[1]);
	varlink_close(&v[2]);
	instance_stop(&in);
}
END_TEST

/* Idle connections end with the daemon, and with the agent that pumps them. */
START_TEST(ends)
{
	struct control_reply reply;
	struct instance in;
	struct varlink v, w;

	instance_start(&in, NULL);
	varlink_open(&v, &in, geteuid());
	varlink_do(&v, STATUS);
	instance_expect(&in, "child=agent");
	instance_expect(&in, "agent=died");
	need(kill(instance_agent(&in, geteuid()), SIGKILL) == 0, "%s", strerror(errno));
	need_int(varlink_read(&v, &reply), ==, 0);
	varlink_close(&v);
	varlink_open(&v, &in, geteuid());
	varlink_do(&v, STATUS);
	/* A peer that shuts its side hears the answer and then the end. */
	varlink_open(&w, &in, geteuid());
	varlink_send(&w, STATUS);
	need(shutdown(w.sock, SHUT_WR) == 0, "%s", strerror(errno));
	need_int(varlink_read(&w, &reply), ==, 1);
	control_reply_deinit(&reply);
	need_int(varlink_read(&w, &reply), ==, 0);
	varlink_close(&w);
	instance_stop(&in);
	need_int(varlink_read(&v, &reply), ==, 0);
	varlink_close(&v);
}
END_TEST

/* The supervisor dies: sessions go on, control connections end, and the next one can be asked. */
START_TEST(a_new_supervisor)
{
	struct control_reply reply;
	struct innocent client;
	struct innocent_report report;
	struct instance in;
	struct varlink v;

	instance_start(&in, NULL);
	innocent_start(&client, &in, geteuid());
	varlink_open(&v, &in, geteuid());
	varlink_do(&v, format("{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":60123}}"));
	innocent_begin(&client);
	instance_kill(&in);
	need_int(varlink_read(&v, &reply), ==, 0);
	varlink_close(&v);
	instance_again(&in);
	innocent_finish(&client, &report);
	need_int(report.lost, ==, 0);
	varlink_open(&v, &in, geteuid());
	only_session(&v);
	varlink_close(&v);
	innocent_stop(&client);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/control", every_call, rights, the_admin_group, a_long_list,
	freeze_loses_nothing, refusals, ends, a_new_supervisor)
