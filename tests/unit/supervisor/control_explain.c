/* SPDX-License-Identifier: MIT */
/* Explain: the row that it asks for, the state, the sentences; and agents that do not answer. */
#include "control_agents.h"

START_TEST(a_silent_agent_is_explained)
{
	struct control_reply reply;
	struct channel_message m;
	uint64_t number;

	start(NULL);
	number = rig_session(&r, 2);
	explain(root, "uid:100000");
	snprintf(text, sizeof(text), "session:%llu", (unsigned long long)number);
	explain(user, strdupa(text)); /* not theirs */
	rig_expect(&r, 1, CHANNEL_QUERY, &m);
	agents_tick(&r.sv, rdy__now_ns() + 3 * RDY__NS_PER_S);
	rig_error(&r, 0, user, CONTROL_E_NOT_FOUND);
	rig_run(&r);
	reply = rig_reply(&r, 0, root);
	ck_assert_int_eq(reply.error, CONTROL_OK);
	ck_assert_str_eq(rig_word(reply.parameters, "state"), "wedged");
	ck_assert(says(reply.parameters, "why", "has not answered for 2 s"));
	ck_assert(json_is_null(json_object_get(reply.parameters, "agent")));
	control_reply_deinit(&reply);
	explain(root, "uid:100000");
	reply = rig_reply(&r, 0, root);
	ck_assert_str_eq(rig_word(reply.parameters, "state"), "none");
	control_reply_deinit(&reply);
	snprintf(text, sizeof(text), "session:%llu", (unsigned long long)number);
	explain(root, strdupa(text));
	rig_expect(&r, 2, CHANNEL_QUERY, &m);
	agents_tick(&r.sv, rdy__now_ns() + 3 * RDY__NS_PER_S);
	rig_run(&r);
	rig_error(&r, 0, root, CONTROL_E_AGENT_SILENT);
}
END_TEST

START_TEST(the_heartbeat_is_configured)
{
	static const char *const conf[] = {"agent.heartbeat=7s", NULL};
	struct control_reply reply;
	struct channel_message m;

	start(conf);
	explain(root, "uid:100000");
	rig_expect(&r, 1, CHANNEL_QUERY, &m);
	agents_tick(&r.sv, rdy__now_ns() + 6 * RDY__NS_PER_S);
	ck_assert_ptr_nonnull(agents_find(&r.sv.agents, 100000));
	agents_tick(&r.sv, rdy__now_ns() + 8 * RDY__NS_PER_S);
	ck_assert_ptr_null(agents_find(&r.sv.agents, 100000));
	rig_run(&r);
	reply = rig_reply(&r, 0, root);
	ck_assert(says(reply.parameters, "why", "has not answered for 7 s"));
	control_reply_deinit(&reply);
}
END_TEST

START_TEST(sessions_explained)
{
	struct channel_row_session s;
	struct control_reply reply;
	struct channel_query q;
	uint64_t number;

	start(NULL);
	number = rig_session(&r, 1);
	snprintf(text, sizeof(text), "session:%llu", (unsigned long long)number);
	explain(user, strdupa(text));
	s = session_row(number);
	s.flags = CHANNEL_SESSION_BLOCKED;
	s.blocked_ns = rdy__now_ns() - 3200 * RDY__NS_PER_MS;
	s.n_registrations = (uint32_t)r.options.conf.quota_registrations;
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, &s, 1, 0, &q);
	ck_assert_uint_eq(q.session, number);
	reply = rig_reply(&r, 0, user);
	ck_assert_str_eq(rig_word(reply.parameters, "state"), "blocked");
	ck_assert(says(reply.parameters, "why", "has not read its socket for 3.2 s"));
	ck_assert(says(reply.parameters, "why", "quota used up"));
	ck_assert_uint_ge(size_of(&reply, "next"), 1);
	ck_assert_int_eq(
		rig_int(json_object_get(reply.parameters, "session"), "session"), (int64_t)number);
	ck_assert_int_eq(
		rig_int(json_array_get(json_object_get(reply.parameters, "processes"), 0), "pid"),
		4321);
	control_reply_deinit(&reply);
	/* It ends while it is asked for. */
	snprintf(text, sizeof(text), "session:%llu", (unsigned long long)number);
	explain(user, strdupa(text));
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
	rig_error(&r, 0, user, CONTROL_E_NOT_FOUND);
}
END_TEST

static struct control_reply explain_registration(
	uint64_t number, const char *wanted, struct channel_row_registration row)
{
	struct channel_row_registration other = {.session = number, .id = 1, .cookie = 1};
	struct channel_row_session s = session_row(number);
	struct channel_query q;

	snprintf(text, sizeof(text), "registration:%llu/%s", (unsigned long long)number, wanted);
	explain(user, strdupa(text));
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, &s, 1, 0, NULL);
	row.session = number;
	rig_rows(&r, 1, CHANNEL_ROWS_REGISTRATIONS, &other, 1, 5, &q);
	ck_assert_uint_eq(q.cursor, 0);
	rig_rows(&r, 1, CHANNEL_ROWS_REGISTRATIONS, &row, 1, 9, &q);
	ck_assert_uint_eq(q.cursor, 5);
	return rig_reply(&r, 0, user);
}

START_TEST(registrations_explained)
{
	static const struct {
		const char *wanted, *state, *why;
		struct channel_row_registration row;
	} rows[] = {
		{"18446744073709551615", "disarmed", "waits for the client's REARM after event 4",
			{.cookie = UINT64_MAX, .id = 9, .seq = 4, .mode = 3}},
		{"0x10", "disarmed", "waits for the client's acknowledgement",
			{.cookie = 16, .mode = 2}},
		{"id:9", "paused", "paused: floods",
			{.id = 9,
				.mode = 1,
				.flags = CHANNEL_REGISTRATION_PAUSED | CHANNEL_REGISTRATION_ARMED}},
		{"7", "armed", "it has not become readable or writable",
			{.cookie = 7, .interest = 3, .flags = CHANNEL_REGISTRATION_ARMED}},
		{"7", "ready", "it is readable",
			{.cookie = 7,
				.interest = 3,
				.pending = 1,
				.flags = CHANNEL_REGISTRATION_READY}},
		{"7", "ended", "a hangup or an error has ended it: error",
			{.cookie = 7, .pending = 0x10, .flags = CHANNEL_REGISTRATION_ENDED}},
	};
	struct channel_row_session s;
	struct control_reply reply;
	uint64_t number;

	start(NULL);
	number = rig_session(&r, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reply = explain_registration(number, rows[i].wanted, rows[i].row);
		ck_assert_str_eq(rig_word(reply.parameters, "state"), rows[i].state);
		ck_assert_msg(says(reply.parameters, "why", rows[i].why), "%s", rows[i].why);
		ck_assert(json_is_object(json_object_get(reply.parameters, "registration")));
		control_reply_deinit(&reply);
	}
	/* There is none of that name. */
	snprintf(text, sizeof(text), "registration:%llu/5", (unsigned long long)number);
	explain(user, strdupa(text));
	s = session_row(number);
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, &s, 1, 0, NULL);
	rig_rows(&r, 1, CHANNEL_ROWS_REGISTRATIONS, NULL, 0, 0, NULL);
	rig_error(&r, 0, user, CONTROL_E_NOT_FOUND);
}
END_TEST

UNIT_MAIN_WITH("supervisor/control_explain", setup, teardown, a_silent_agent_is_explained,
	the_heartbeat_is_configured, sessions_explained, registrations_explained)
