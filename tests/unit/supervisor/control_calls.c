/* SPDX-License-Identifier: MIT */
/* The calls that agents have a part in: lists, Status, Kick, Freeze, log level; rights; silent agents. */
#include "control_agents.h"

#define SESSIONS "{\"method\":\"io.readyd.ListSessions\",\"more\":true}"
#define AGENTS "{\"method\":\"io.readyd.ListAgents\",\"more\":true}"
#define STATUS "{\"method\":\"io.readyd.Status\"}"

START_TEST(sessions_of_all_and_of_one)
{
	struct channel_row_session rows[2];
	struct control_reply reply;
	struct channel_query q;

	start(NULL);
	rows[0] = session_row(rig_session(&r, 1));
	rows[1] = session_row(rig_session(&r, 1));
	/* An administrator: in the order of uids, agent by agent. */
	rig_call(&r, 0, root, SESSIONS);
	rig_rows(&r, 0, CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, rows, 1, 77, &q);
	ck_assert_uint_eq(q.cursor, 0);
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, rows + 1, 1, 0, &q);
	ck_assert_uint_eq(q.cursor, 77);
	rig_nothing(&r, 1);
	rig_rows(&r, 2, CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
	reply = rig_reply(&r, 0, root);
	ck_assert(!reply.continues);
	ck_assert_uint_eq(size_of(&reply, "sessions"), 2);
	ck_assert_uint_eq(size_of(&reply, "silent"), 0);
	control_reply_deinit(&reply);
	/* Somebody else: their own. */
	rig_call(&r, 0, user, SESSIONS);
	rig_nothing(&r, 2);
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, rows, 2, 0, NULL);
	reply = rig_reply(&r, 0, user);
	ck_assert_uint_eq(size_of(&reply, "sessions"), 2);
	ck_assert_int_eq(
		rig_int(json_array_get(json_object_get(reply.parameters, "sessions"), 0), "uid"),
		100000);
	control_reply_deinit(&reply);
	rig_nothing(&r, 2);
	call(user, "{\"method\":\"io.readyd.ListSessions\",\"more\":true,\"parameters\":{\"uid\":"
		   "100001}}");
	rig_error(&r, 0, user, CONTROL_E_PERMISSION_DENIED);
	call(root, "{\"method\":\"io.readyd.ListSessions\",\"more\":true,\"parameters\":{\"uid\":"
		   "100001}}");
	rig_rows(&r, 2, CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
	rig_error(&r, 0, root, CONTROL_OK);
	rig_nothing(&r, 1);
}
END_TEST

START_TEST(registrations_of_somebody_else)
{
	uint64_t mine, other;

	start(NULL);
	mine = rig_session(&r, 1);
	other = rig_session(&r, 2);
	call(user,
		"{\"method\":\"io.readyd.ListRegistrations\",\"more\":true,\"parameters\":{"
		"\"session\":%llu}}",
		(unsigned long long)other);
	rig_error(&r, 0, user, CONTROL_E_NOT_FOUND);
	snprintf(text, sizeof(text), "session:%llu", (unsigned long long)other);
	explain(user, strdupa(text));
	rig_error(&r, 0, user, CONTROL_E_NOT_FOUND);
	explain(user, "uid:100001");
	rig_error(&r, 0, user, CONTROL_E_PERMISSION_DENIED);
	call(user, "{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%llu}}",
		(unsigned long long)other);
	rig_error(&r, 0, user, CONTROL_E_NOT_FOUND);
	call(user,
		"{\"method\":\"io.readyd.ListRegistrations\",\"more\":true,\"parameters\":{"
		"\"session\":%llu}}",
		(unsigned long long)mine);
	rig_rows(&r, 1, CHANNEL_ROWS_REGISTRATIONS, NULL, 0, 0, NULL);
	rig_error(&r, 0, user, CONTROL_OK);
	/* A control connection is no session. */
	call(root, "{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%llu}}",
		(unsigned long long)user);
	rig_error(&r, 0, root, CONTROL_E_NOT_FOUND);
	rig_nothing(&r, 2);
}
END_TEST

/* 10 000 rows to a peer that does not read: what is made is bounded, and goes on when it reads. */
START_TEST(a_list_is_made_as_it_is_read)
{
	static struct channel_row_registration rows[CONTROL_PAGE_UNITS];
	struct control_inbox in = CONTROL_INBOX_NULL;
	struct control_reply reply;
	struct channel_message m;
	uint32_t n_left = 10000, n_got = 0, n_sent = 0;
	uint64_t number;
	bool done = false;

	start(NULL);
	number = rig_session(&r, 1);
	for (size_t i = 0; i < CONTROL_PAGE_UNITS; i++)
		rows[i] = (struct channel_row_registration){.session = number, .id = i, .fd = 5};
	call(root,
		"{\"method\":\"io.readyd.ListRegistrations\",\"more\":true,\"parameters\":{"
		"\"session\":%llu}}",
		(unsigned long long)number);
	while (!done) {
		/* The agent with the rows answers at once. */
		while (rig_receive(&r, 1, &m)) {
			uint32_t n = m.u.query.rows_max < n_left ? m.u.query.rows_max : n_left;

			n_left -= n;
			ck_assert_uint_eq(m.type, CHANNEL_QUERY);
			rig_say(&r, 1,
				&(struct channel_message){.type = CHANNEL_ROWS,
					.u.rows = {.query = m.u.query.query,
						.kind = m.u.query.kind,
						.n_rows = n,
						.next_cursor = n_left},
					.data = n ? rows : NULL,
					.n_data = n * sizeof(rows[0])});
		}
		/* The one that pumps takes what comes, and gives back only when nothing comes any more. */
		while (rig_receive(&r, 0, &m)) {
			const char *p;
			size_t k;

			if (m.type != CHANNEL_CONTROL_DATA)
				continue;
			n_sent += (uint32_t)m.n_data;
			ck_assert_uint_le(n_sent, CHANNEL_CONTROL_WINDOW);
			ck_assert_int_eq(control_inbox_put(&in, m.data, m.n_data), 0);
			while (control_inbox_next(&in, &p, &k) == 1) {
				ck_assert_int_eq(control_reply_parse(p, k, &reply), 0);
				n_got += (uint32_t)size_of(&reply, "registrations");
				done = !reply.continues;
				control_reply_deinit(&reply);
			}
		}
		/* Two pages that were not sent are the most there is. */
		ck_assert_uint_le(10000 - n_left - n_got, 3 * CONTROL_PAGE_UNITS);
		if (n_sent)
			rig_give_back(&r, 0, root, n_sent);
		n_sent = 0;
	}
	ck_assert_uint_eq(n_got, 10000);
	control_inbox_deinit(&in);
}
END_TEST

START_TEST(agents_and_status)
{
	struct channel_row_reactor rows[2] = {{.reactor = 0,
						      .n_sessions = 1,
						      .n_registrations = 5,
						      .events = 100,
						      .n_descriptors = 40},
		{.reactor = 1,
			.n_sessions = 2,
			.n_registrations = 7,
			.events = 200,
			.n_descriptors = 40}};
	struct control_reply reply;
	const json_t *a;

	start(NULL);
	r.agents[2].agent->state = AGENT_STARTING;
	rig_call(&r, 0, root, AGENTS);
	rig_rows(&r, 0, CHANNEL_ROWS_REACTORS, rows, 1, 0, NULL);
	rig_rows(&r, 1, CHANNEL_ROWS_REACTORS, rows, 2, 0, NULL);
	rig_nothing(&r, 2);
	reply = rig_reply(&r, 0, root);
	ck_assert(!reply.continues);
	ck_assert_uint_eq(size_of(&reply, "agents"), 3);
	a = json_array_get(json_object_get(reply.parameters, "agents"), 1);
	ck_assert_int_eq(rig_int(a, "uid"), 100000);
	ck_assert_int_eq(rig_int(a, "registrations"), 12);
	ck_assert_int_eq(rig_int(a, "events"), 300);
	ck_assert_int_eq(rig_int(a, "descriptors"), 40);
	ck_assert_uint_eq(json_array_size(json_object_get(a, "reactors")), 2);
	a = json_array_get(json_object_get(reply.parameters, "agents"), 2);
	ck_assert_str_eq(rig_word(a, "state"), "starting");
	ck_assert(json_is_null(json_object_get(a, "registrations")));
	ck_assert(json_is_null(json_object_get(a, "reactors")));
	control_reply_deinit(&reply);
	r.agents[2].agent->state = AGENT_SERVING;
	rig_call(&r, 0, root, STATUS);
	rig_rows(&r, 0, CHANNEL_ROWS_REACTORS, rows, 1, 0, NULL);
	rig_rows(&r, 1, CHANNEL_ROWS_REACTORS, rows, 2, 0, NULL);
	rig_rows(&r, 2, CHANNEL_ROWS_REACTORS, rows, 1, 0, NULL);
	reply = rig_reply(&r, 0, root);
	ck_assert_int_eq(rig_int(reply.parameters, "agents"), 3);
	ck_assert_int_eq(rig_int(reply.parameters, "reactors"), 4);
	ck_assert_int_eq(rig_int(reply.parameters, "registrations"), 22);
	ck_assert_int_eq(rig_int(reply.parameters, "events"), 500);
	ck_assert_int_eq(rig_int(reply.parameters, "descriptors"), 120);
	ck_assert_int_eq(rig_int(reply.parameters, "control"), 2);
	ck_assert_str_eq(rig_word(reply.parameters, "scope"), "all");
	ck_assert_str_eq(rig_word(reply.parameters, "log_level"), "info");
	control_reply_deinit(&reply);
	rig_call(&r, 0, user, STATUS);
	rig_rows(&r, 1, CHANNEL_ROWS_REACTORS, rows, 2, 0, NULL);
	reply = rig_reply(&r, 0, user);
	ck_assert_str_eq(rig_word(reply.parameters, "scope"), "own");
	ck_assert_int_eq(rig_int(reply.parameters, "agents"), 1);
	ck_assert_int_eq(rig_int(reply.parameters, "registrations"), 12);
	control_reply_deinit(&reply);
}
END_TEST

/* An agent that does not answer is wedged; the rest of the list goes on. */
START_TEST(a_silent_agent)
{
	struct control_reply reply;
	struct channel_message m;
	int64_t d;

	start(NULL);
	ck_assert_int_eq(agents_deadline(&r.sv), RDY__NEVER);
	rig_call(&r, 0, root, SESSIONS);
	rig_rows(&r, 0, CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
	rig_expect(&r, 1, CHANNEL_QUERY, &m);
	d = agents_deadline(&r.sv);
	ck_assert_int_le(d, rdy__now_ns() + (int64_t)r.options.conf.heartbeat_ns);
	agents_tick(&r.sv, d - 1);
	ck_assert_ptr_nonnull(agents_find(&r.sv.agents, 100000));
	agents_tick(&r.sv, d);
	ck_assert_ptr_null(agents_find(&r.sv.agents, 100000));
	rig_run(&r);
	rig_rows(&r, 2, CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
	reply = rig_reply(&r, 0, root);
	ck_assert_uint_eq(size_of(&reply, "silent"), 1);
	ck_assert_int_eq(
		json_integer_value(json_array_get(json_object_get(reply.parameters, "silent"), 0)),
		100000);
	control_reply_deinit(&reply);
	ck_assert_int_eq(agents_deadline(&r.sv), RDY__NEVER);
}
END_TEST

/* It answers and dies, before the list goes on: what it said is not another one's. */
START_TEST(an_agent_that_dies_between_two_pages)
{
	struct channel_row_reactor row = {.n_registrations = 5};
	struct channel_row_session s = session_row(1);
	static uint8_t buf[CHANNEL_BYTES_MAX];
	struct channel_query q;
	struct control_reply reply;
	struct channel_message m;

	start(NULL);
	for (int i = 0; i < 2; i++) {
		struct agent *agent;
		int last = i ? 3 : 1;

		if (i)
			rig_agent(&r, 100000);
		agent = r.agents[last].agent;
		rig_call(&r, 0, root, i ? AGENTS : SESSIONS);
		rig_rows(
			&r, 0, i ? CHANNEL_ROWS_REACTORS : CHANNEL_ROWS_SESSIONS, NULL, 0, 0, NULL);
		rig_expect(&r, last, CHANNEL_QUERY, &m);
		m = (struct channel_message){.type = CHANNEL_ROWS,
			.u.rows = {.query = m.u.query.query,
				.kind = m.u.query.kind,
				.n_rows = 1,
				.next_cursor = i ? 0 : 5},
			.data = i ? (void *)&row : (void *)&s,
			.n_data = i ? sizeof(row) : sizeof(s)};
		ck_assert_int_eq(rdy__send_fds(r.agents[last].channel, buf, channel_encode(buf, &m),
					 NULL, 0),
			0);
		agents_event(
			&r.sv, agent->index, r.sv.agents.generations[agent->index], RDY_READABLE);
		agents_lose(&r.sv, agent);
		rig_run(&r);
		rig_rows(&r, 2, i ? CHANNEL_ROWS_REACTORS : CHANNEL_ROWS_SESSIONS, NULL, 0, 0, &q);
		ck_assert_uint_eq(q.cursor, 0);
		reply = rig_reply(&r, 0, root);
		ck_assert_uint_eq(size_of(&reply, i ? "agents" : "sessions"), i ? 2 : 1);
		control_reply_deinit(&reply);
	}
}
END_TEST

/* Who asked has gone: the agent owes its answer all the same, and the next question waits for it. */
START_TEST(a_question_that_nobody_waits_for)
{
	struct channel_message m;

	start(NULL);
	rig_call(&r, 0, user, SESSIONS);
	rig_say(&r, 0,
		&(struct channel_message){.type = CHANNEL_SESSION_END, .u.session.session = user});
	ck_assert_uint_eq(r.sv.controls.n, 1);
	explain(root, "uid:100000");
	rig_expect(&r, 1, CHANNEL_QUERY, &m);
	ck_assert_uint_eq(m.u.query.kind, CHANNEL_ROWS_SESSIONS);
	rig_nothing(&r, 1);
	rig_say(&r, 1,
		&(struct channel_message){.type = CHANNEL_ROWS,
			.u.rows = {.query = m.u.query.query, .kind = CHANNEL_ROWS_SESSIONS}});
	rig_rows(&r, 1, CHANNEL_ROWS_REACTORS, NULL, 0, 0, NULL);
	rig_error(&r, 0, root, CONTROL_OK);
	/* An answer to no question is none. */
	rig_say(&r, 1,
		&(struct channel_message){.type = CHANNEL_ROWS,
			.u.rows = {.query = 99, .kind = CHANNEL_ROWS_SESSIONS}});
	ck_assert_ptr_null(agents_find(&r.sv.agents, 100000));
}
END_TEST

START_TEST(kick)
{
	struct control_reply reply;
	struct channel_message m;
	uint64_t mine, other;

	start(NULL);
	mine = rig_session(&r, 1);
	other = rig_session(&r, 2);
	call(user, "{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%llu}}",
		(unsigned long long)mine);
	rig_expect(&r, 1, CHANNEL_KICK, &m);
	ck_assert_uint_eq(m.u.session.session, mine);
	reply = rig_reply(&r, 0, user);
	ck_assert_int_eq(rig_int(reply.parameters, "uid"), 100000);
	ck_assert_int_eq(rig_int(reply.parameters, "pid"), 4321);
	control_reply_deinit(&reply);
	call(root, "{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%llu}}",
		(unsigned long long)other);
	rig_expect(&r, 2, CHANNEL_KICK, &m);
	rig_error(&r, 0, root, CONTROL_OK);
	ck_assert_uint_eq(r.agents[1].agent->n_kicks + r.agents[2].agent->n_kicks, 0);
}
END_TEST

/* A channel without room: the kick is not forgotten, and follows the session that it is about. */
START_TEST(a_kick_that_has_to_wait)
{
	struct channel_message m;
	uint64_t number;

	start(NULL);
	number = rig_session(&r, 1);
	r.agents[1].agent->channel_full = true;
	call(root, "{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%llu}}",
		(unsigned long long)number);
	rig_error(&r, 0, root, CONTROL_OK);
	rig_nothing(&r, 1);
	ck_assert_uint_eq(r.agents[1].agent->n_kicks, 1);
	agents_event(&r.sv, r.agents[1].agent->index,
		r.sv.agents.generations[r.agents[1].agent->index], RDY_WRITABLE);
	rig_expect(&r, 1, CHANNEL_KICK, &m);
	/* It ends before the next one could be sent. */
	r.agents[1].agent->channel_full = true;
	call(root, "{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":%llu}}",
		(unsigned long long)number);
	rig_say(&r, 1,
		&(struct channel_message){
			.type = CHANNEL_SESSION_END, .u.session.session = number});
	ck_assert_uint_eq(r.agents[1].agent->n_kicks, 0);
	rig_error(&r, 0, root, CONTROL_OK);
}
END_TEST

START_TEST(freeze_and_thaw)
{
	static const char freeze[] =
		"{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":100000}}";
	static const char thaw[] =
		"{\"method\":\"io.readyd.Thaw\",\"parameters\":{\"uid\":100000}}";
	struct control_reply reply;
	struct channel_message m;

	start(NULL);
	rig_session(&r, 1);
	rig_call(&r, 0, user, freeze);
	rig_error(&r, 0, user, CONTROL_E_PERMISSION_DENIED);
	rig_call(&r, 0, root, freeze);
	rig_expect(&r, 1, CHANNEL_CONFIG, &m);
	ck_assert_uint_eq(m.u.config.flags, CHANNEL_FROZEN);
	ck_assert_uint_eq(m.u.config.uid, 100000);
	rig_nothing(&r, 2);
	reply = rig_reply(&r, 0, root);
	ck_assert(json_is_false(json_object_get(reply.parameters, "was")));
	ck_assert_int_eq(rig_int(reply.parameters, "sessions"), 1);
	control_reply_deinit(&reply);
	ck_assert(frozen_has(&r.sv.frozen, 100000));
	rig_call(&r, 0, root, freeze);
	reply = rig_reply(&r, 0, root);
	ck_assert(json_is_true(json_object_get(reply.parameters, "was")));
	control_reply_deinit(&reply);
	rig_expect(&r, 1, CHANNEL_CONFIG, &m);
	explain(user, "uid:100000");
	rig_rows(&r, 1, CHANNEL_ROWS_REACTORS, NULL, 0, 0, NULL);
	reply = rig_reply(&r, 0, user);
	ck_assert_str_eq(rig_word(reply.parameters, "state"), "frozen");
	ck_assert(says(reply.parameters, "why", "an administrator froze"));
	ck_assert(says(reply.parameters, "next", "readyctl thaw uid:100000"));
	control_reply_deinit(&reply);
	rig_call(&r, 0, root, thaw);
	rig_expect(&r, 1, CHANNEL_CONFIG, &m);
	ck_assert_uint_eq(m.u.config.flags, 0);
	rig_error(&r, 0, root, CONTROL_OK);
	ck_assert(!frozen_has(&r.sv.frozen, 100000));
	/* A uid without an agent can be frozen, too. */
	call(root, "{\"method\":\"io.readyd.Freeze\",\"parameters\":{\"uid\":100009}}");
	rig_error(&r, 0, root, CONTROL_OK);
	ck_assert(frozen_has(&r.sv.frozen, 100009));
}
END_TEST

START_TEST(log_level)
{
	struct control_reply reply;
	struct channel_message m;

	start(NULL);
	call(user, "{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":{\"level\":\"debug\"}}");
	rig_error(&r, 0, user, CONTROL_E_PERMISSION_DENIED);
	call(root, "{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":{\"level\":\"error\"}}");
	ck_assert_int_eq(log_get_level(), LOG_P_ERROR);
	log_set_level(-1);
	for (int i = 1; i <= 2; i++) {
		rig_expect(&r, i, CHANNEL_CONFIG, &m);
		ck_assert_uint_eq(m.u.config.log_level, LOG_P_ERROR);
	}
	do
		ck_assert(rig_receive(&r, 0, &m));
	while (m.type != CHANNEL_CONFIG);
	reply = rig_reply(&r, 0, root);
	ck_assert_str_eq(rig_word(reply.parameters, "was"), "info");
	control_reply_deinit(&reply);
}
END_TEST

UNIT_MAIN_WITH("supervisor/control_calls", setup, teardown, sessions_of_all_and_of_one,
	registrations_of_somebody_else, a_list_is_made_as_it_is_read, agents_and_status,
	a_silent_agent, an_agent_that_dies_between_two_pages, a_question_that_nobody_waits_for,
	kick, a_kick_that_has_to_wait, freeze_and_thaw, log_level)
