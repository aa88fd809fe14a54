/* SPDX-License-Identifier: MIT */
/* Control connections: bytes, windows, one call at a time, refusals; the calls that need no agent. */
#include "control_rig.h"

static struct rig r;

static void setup(void)
{
	unit_setup();
}

static void teardown(void)
{
	rig_deinit(&r);
	unit_teardown();
}

START_TEST(varlink_service)
{
	static const char info[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	static const char own[] =
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
		"{\"interface\":\"io.readyd\"}}";
	struct control_reply reply;
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	c = rig_connect(&r, 0, 1000, false);
	rig_call(&r, 0, c, info);
	reply = rig_reply(&r, 0, c);
	ck_assert_str_eq(rig_word(reply.parameters, "product"), "readyd");
	ck_assert_str_eq(rig_word(reply.parameters, "version"), READYD_VERSION);
	ck_assert_uint_eq(json_array_size(json_object_get(reply.parameters, "interfaces")), 2);
	control_reply_deinit(&reply);
	rig_call(&r, 0, c, own);
	reply = rig_reply(&r, 0, c);
	ck_assert_str_eq(rig_word(reply.parameters, "description"),
		control_interface_text(CONTROL_INTERFACE));
	control_reply_deinit(&reply);
	rig_call(&r, 0, c,
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
		"{\"interface\":\"org.example\"}}");
	rig_error(&r, 0, c, CONTROL_E_INTERFACE_NOT_FOUND);
}
END_TEST

START_TEST(calls_that_are_wrong)
{
	static const struct {
		const char *text;
		enum control_error error;
	} rows[] = {
		{"{\"method\":\"io.readyd.Nonsense\"}", CONTROL_E_METHOD_NOT_FOUND},
		{"{\"method\":\"\"}", CONTROL_E_METHOD_NOT_FOUND},
		{"{\"method\":\"io.readyd.Status\",\"parameters\":{\"x\":1}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.ListSessions\"}", CONTROL_E_EXPECTED_MORE},
		{"{\"method\":\"io.readyd.ListSessions\",\"more\":true,\"parameters\":{\"uid\":-1}"
		 "}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.ListSessions\",\"more\":true,\"parameters\":{\"uid\":"
		 "4294967295}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.ListRegistrations\",\"more\":true,\"parameters\":{"
		 "\"session\":\"7\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Kick\"}", CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Kick\",\"parameters\":{\"session\":99}}",
			CONTROL_E_NOT_FOUND},
		{"{\"method\":\"io.readyd.Freeze\"}", CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.SetLogLevel\",\"parameters\":{\"level\":\"loud\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\"}", CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"uid:\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"uid:-1\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"session:0\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"session:1x\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"registration:1\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"registration:1/\"}}",
			CONTROL_E_INVALID_PARAMETER},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"registration:1/"
		 "2\"}}",
			CONTROL_E_NOT_FOUND},
		{"{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"thing:1\"}}",
			CONTROL_E_INVALID_PARAMETER},
	};
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	c = rig_connect(&r, 0, 0, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_call(&r, 0, c, rows[i].text);
		rig_error(&r, 0, c, rows[i].error);
	}
	/* All that came was given back, and the connection is still of use. */
	rig_call(&r, 0, c, "{\"method\":\"org.varlink.service.GetInfo\"}");
	rig_error(&r, 0, c, CONTROL_OK);
}
END_TEST

/* The reply is this error, then nothing follows. */
static void ends_with(uint64_t c, enum control_error error)
{
	struct channel_message m;

	rig_error(&r, 0, c, error);
	do
		ck_assert(rig_receive(&r, 0, &m));
	while (m.type == CHANNEL_CONTROL_CREDIT);
	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	ck_assert_uint_eq(m.u.control.flags, CHANNEL_CONTROL_LAST);
	ck_assert_uint_eq(m.n_data, 0);
	/* What crosses it on the way is dropped. */
	rig_write(&r, 0, c, "x", 1, false);
	rig_say(&r, 0,
		&(struct channel_message){.type = CHANNEL_SESSION_END, .u.session.session = c});
	ck_assert_uint_eq(r.sv.controls.n, 0);
}

START_TEST(what_is_no_call)
{
	static char big[CHANNEL_DATA_MAX];
	static char deep[4096];
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	memset(deep, '[', sizeof(deep) - 1);
	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 4; i++) {
		static const char *const bad[] = {deep, "\xff", "{}", "nonsense"};

		c = rig_connect(&r, 0, 1000, false);
		rig_call(&r, 0, c, bad[i]);
		ends_with(c, CONTROL_E_INVALID_PARAMETER);
	}
	c = rig_connect(&r, 0, 1000, false);
	rig_write(&r, 0, c, big, sizeof(big), false);
	rig_nothing(&r, 0);
	rig_write(&r, 0, c, big, sizeof(big), false);
	ends_with(c, CONTROL_E_TOO_LARGE);
}
END_TEST

START_TEST(half_a_message_and_an_end)
{
	struct channel_message m;
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	c = rig_connect(&r, 0, 1000, false);
	rig_write(&r, 0, c, "{\"method\":", 10, false);
	rig_nothing(&r, 0);
	rig_write(&r, 0, c, NULL, 0, true);
	rig_expect(&r, 0, CHANNEL_CONTROL_DATA, &m);
	ck_assert_uint_eq(m.u.control.flags, CHANNEL_CONTROL_LAST);
	/* A peer that shuts its side gets the answers first. */
	c = rig_connect(&r, 0, 1000, false);
	rig_write(&r, 0, c, "{\"method\":\"x\"}\0{\"method\":\"y\"}", 29, false);
	rig_write(&r, 0, c, "", 1, true);
	rig_error(&r, 0, c, CONTROL_E_METHOD_NOT_FOUND);
	rig_error(&r, 0, c, CONTROL_E_METHOD_NOT_FOUND);
	do
		ck_assert(rig_receive(&r, 0, &m));
	while (m.type == CHANNEL_CONTROL_CREDIT);
	ck_assert_uint_eq(m.u.control.flags, CHANNEL_CONTROL_LAST);
}
END_TEST

START_TEST(oneway)
{
	size_t n = 0;
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	c = rig_connect(&r, 0, 0, true);
	rig_call(&r, 0, c,
		"{\"method\":\"io.readyd.SetLogLevel\",\"oneway\":true,\"parameters\":{\"level\":"
		"\"debug\"}}");
	ck_assert_int_eq(r.sv.log_level, LOG_P_DEBUG);
	log_set_level(-1);
	rig_call(&r, 0, c, "{\"method\":\"nonsense\",\"oneway\":true}");
	rig_call(&r, 0, c, "{\"method\":\"nonsense\"}");
	/* One answer: that of the last. */
	for (struct channel_message m; rig_receive(&r, 0, &m);)
		n += m.type == CHANNEL_CONTROL_DATA;
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* While a call waits for its agent, the next ones stay, and their bytes are not given back. */
START_TEST(one_call_at_a_time)
{
	static const char list[] = "{\"method\":\"io.readyd.ListSessions\",\"more\":true}";
	static char big[CHANNEL_DATA_MAX];
	struct channel_row_session none;
	struct channel_message m;
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	rig_agent(&r, 2000);
	c = rig_connect(&r, 0, 2000, false);
	rig_call(&r, 0, c, list);
	rig_expect(&r, 0, CHANNEL_CONTROL_CREDIT, &m);
	ck_assert_uint_eq(m.u.control.n_bytes, sizeof(list));
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"method\":\"x\"}", 14);
	big[20000] = 0;
	memcpy(big + 20001, "{\"method\":\"y\"}", 14);
	rig_write(&r, 0, c, big, sizeof(big), false);
	rig_nothing(&r, 0);
	rig_write(&r, 0, c, "", 1, false);
	rig_nothing(&r, 0);
	rig_rows(&r, 1, CHANNEL_ROWS_SESSIONS, &none, 0, 0, NULL);
	rig_error(&r, 0, c, CONTROL_OK);
	rig_error(&r, 0, c, CONTROL_E_METHOD_NOT_FOUND);
	rig_error(&r, 0, c, CONTROL_E_METHOD_NOT_FOUND);
}
END_TEST

START_TEST(an_agent_that_breaks_the_windows)
{
	static char big[CHANNEL_DATA_MAX];
	uint64_t c;

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	c = rig_connect(&r, 0, 0, true);
	/* More is given back than was sent. */
	rig_give_back(&r, 0, c, 1);
	ck_assert_ptr_null(agents_find(&r.sv.agents, geteuid()));
	ck_assert_uint_eq(r.sv.controls.n, 0);
	rig_agent(&r, geteuid());
	c = rig_connect(&r, 1, 0, true);
	rig_call(&r, 1, c, "{\"method\":\"io.readyd.ListSessions\",\"more\":true}");
	rig_write(&r, 1, c, big, sizeof(big), false);
	rig_write(&r, 1, c, big, sizeof(big), false);
	ck_assert_ptr_nonnull(agents_find(&r.sv.agents, geteuid()));
	rig_write(&r, 1, c, big, 1, false);
	ck_assert_ptr_null(agents_find(&r.sv.agents, geteuid()));
}
END_TEST

/* The last connection was refused so. */
static void refused(const char *why)
{
	struct pollfd p = {.fd = r.peers[r.n_peers - 1], .events = POLLIN};
	struct control_reply reply;
	char text[256];
	ssize_t n;

	rig_bounce(&r);
	ck_assert_int_eq(poll(&p, 1, 30000), 1);
	n = read(p.fd, text, sizeof(text));
	ck_assert_int_gt(n, 1);
	ck_assert_int_eq(text[n - 1], 0);
	ck_assert_int_eq(control_reply_parse(text, (size_t)n - 1, &reply), 0);
	ck_assert_int_eq(reply.error, CONTROL_E_BUSY);
	ck_assert_str_eq(rig_word(reply.parameters, "why"), why);
	control_reply_deinit(&reply);
	ck_assert_int_eq(read(p.fd, text, sizeof(text)), 0);
}

START_TEST(refusals)
{
	static const char *const conf[] = {"quota.default.control=2", "limits.control=4", NULL};

	rig_init(&r, conf);
	rig_agent(&r, geteuid());
	ck_assert_uint_ne(rig_connect(&r, 0, geteuid(), false), 0);
	ck_assert_uint_ne(rig_connect(&r, 0, geteuid(), false), 0);
	ck_assert_uint_eq(rig_connect(&r, 0, 0, false), 0);
	refused("quota");
	/* Somebody else's do not count on it, but on the whole; the reserve is for administrators. */
	for (struct rdy__list *l = r.sv.controls.all.next; l != &r.sv.controls.all; l = l->next)
		rdy__list_entry(l, struct control, link)->uid = 4000;
	for (int i = 0; i < 2 + (int)CONTROL_RESERVED; i++)
		ck_assert_uint_ne(rig_connect(&r, 0, (uid_t)(5000 + i), false), 0);
	ck_assert_uint_eq(rig_connect(&r, 0, 0, false), 0);
	refused("limit");
	r.sv.stopping = true;
	ck_assert_uint_eq(rig_connect(&r, 0, 0, false), 0);
	refused("stopping");
	/* Each word fits what a bouncer can say. */
	r.sv.stopping = false;
	rate_init(&r.sv.rate);
	r.sv.quotas.all.of[CONF_Q_CONNECTS] = 1;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_connect(&r, 0, 0, false), 0);
	refused("rate");
}
END_TEST

START_TEST(what_has_not_been_taken_moves)
{
	int pair[2];

	rig_init(&r, NULL);
	rig_agent(&r, geteuid());
	r.agents[0].agent->state = AGENT_STARTING;
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	r.peers[r.n_peers++] = pair[1];
	control_take(&r.sv, pair[0]);
	rig_nothing(&r, 0);
	ck_assert_uint_eq(r.sv.controls.n, 1);
	/* It dies before it has said a word, and there is no other: no program to start. */
	agents_lose(&r.sv, r.agents[0].agent);
	ck_assert_uint_eq(r.sv.controls.n, 0);
	refused("failed");
}
END_TEST

UNIT_MAIN_WITH("supervisor/control", setup, teardown, varlink_service, calls_that_are_wrong,
	what_is_no_call, half_a_message_and_an_end, oneway, one_call_at_a_time,
	an_agent_that_breaks_the_windows, refusals, what_has_not_been_taken_moves)
