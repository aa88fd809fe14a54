/* SPDX-License-Identifier: MIT */
/*
 * A supervisor without agents' processes: they are the other ends of their channels, played by the test. The
 * bouncer is a real one. Control connections are real, too, of whoever runs the test; rig_connect() says whose
 * they shall be taken for.
 */
#ifndef CONTROL_RIG_H
#define CONTROL_RIG_H

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "channel_io.h"
#include "control.h"
#include "link/link.h"
#include "log.h"
#include "supervisor.h"
#include "unit.h"

#define RIG_AGENTS 4
#define RIG_PEERS 128

struct rig {
	struct supervisor sv;
	struct options options;
	struct runtime runtime;
	struct rig_agent {
		struct agent *agent;
		int channel; /* the agent's end */
		uint8_t buf[CHANNEL_BYTES_MAX];
		int fds[2]; /* that came with the last message */
		size_t n_fds;
	} agents[RIG_AGENTS];
	int n_agents;
	int peers[RIG_PEERS]; /* clients' ends */
	int n_peers;
	pid_t bouncer;
};

static inline void rig_init(struct rig *r, const char *const *conf)
{
	const struct rdy_poll_options po = {.size = sizeof(po)};
	struct conf_error e;
	int pair[2];

	memset(r, 0, sizeof(*r));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->bouncer = fork();
	if (r->bouncer == 0) {
		close(pair[0]);
		_exit(link_receiver_run(pair[1]) < 0);
	}
	close(pair[1]);
	conf_init(&r->options.conf);
	conf_loaded_init(&r->options.loaded);
	ck_assert_int_eq(
		conf_set(&r->options.conf, "quota.default.connects_per_s", "1000/s", &e), 0);
	for (; conf && *conf; conf++)
		ck_assert_int_eq(conf_set_pair(&r->options.conf, *conf, &e), 0);
	r->options.user = true;
	r->runtime = RUNTIME_NULL;
	r->sv.options = &r->options;
	r->sv.runtime = &r->runtime;
	r->sv.adoption.dir = -1;
	r->sv.log_level = LOG_P_INFO;
	r->sv.started_at_ns = rdy__now_ns();
	r->sv.listen_again_ns = RDY__NEVER;
	rdy__list_init(&r->sv.children.all);
	for (int i = 0; i < CHILD_KINDS; i++)
		r->sv.children.programs[i] = -1;
	rate_init(&r->sv.rate);
	quotas_init(&r->sv.quotas, &r->options.conf);
	agents_init(&r->sv.agents);
	controls_init(&r->sv);
	reload_init(&r->sv.reload);
	ck_assert_int_eq(policy_new(&r->options.conf, true, &r->sv.policy), 0);
	link_sender_init(&r->sv.bouncer.link, pair[0], 1);
	ck_assert_int_eq(rdy_poll_new(&po, &r->sv.poll), 0);
	log_set_level(-1);
}

/* All that was given to the bouncer is answered and closed. */
static inline void rig_bounce(struct rig *r)
{
	struct link_sender *l = &r->sv.bouncer.link;
	struct pollfd p = {.fd = l->sock, .events = POLLIN};

	while (link_sender_pending(l)) {
		ck_assert_int_eq(link_sender_flush(l, rdy__now_ns()), 0);
		if (l->n_under_way == 0)
			continue;
		ck_assert_int_eq(poll(&p, 1, 30000), 1);
		ck_assert_int_ge(link_sender_readable(l), 0);
	}
}

static inline void rig_deinit(struct rig *r)
{
	int status;

	agents_kill(&r->sv);
	ck_assert_uint_eq(r->sv.controls.n, 0);
	ck_assert_uint_eq(r->sv.agents.n_sessions, 0);
	controls_run(&r->sv);
	controls_deinit(&r->sv);
	r->sv.policy = policy_unref(r->sv.policy);
	free(r->sv.agents.slots);
	free(r->sv.agents.generations);
	rig_bounce(r);
	link_sender_deinit(&r->sv.bouncer.link, false);
	ck_assert_int_eq(waitpid(r->bouncer, &status, 0), r->bouncer);
	children_deinit(&r->sv.children);
	r->sv.poll = rdy_poll_free(r->sv.poll);
	for (int i = 0; i < r->n_agents; i++) {
		for (size_t k = 0; k < r->agents[i].n_fds; k++)
			rdy__fd_close(r->agents[i].fds[k]);
		rdy__fd_close(r->agents[i].channel);
	}
	for (int i = 0; i < r->n_peers; i++)
		rdy__fd_close(r->peers[i]);
}

/* An agent that serves. Returns its place in r->agents. */
static inline int rig_agent(struct rig *r, uid_t uid)
{
	struct rig_agent *a = &r->agents[r->n_agents];
	int pair[2];

	ck_assert_int_lt(r->n_agents, RIG_AGENTS);
	ck_assert_int_eq(agents_new(&r->sv, uid, &a->agent), 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	a->agent->channel = pair[0];
	a->agent->state = AGENT_SERVING;
	a->channel = pair[1];
	ck_assert_int_eq(rdy_poll_register(r->sv.poll, pair[0],
				 TOKEN(TOKEN_CHANNEL, a->agent->index,
					 r->sv.agents.generations[a->agent->index]),
				 RDY_READABLE, RDY_LEVEL),
		0);
	return r->n_agents++;
}

/* What the agent finds; false: nothing. */
static inline bool rig_receive(struct rig *r, int agent, struct channel_message *ret)
{
	struct rig_agent *a = &r->agents[agent];
	struct rdy__received got;
	int fds[RDY__FDS_MAX], e;

	for (; a->n_fds; a->n_fds--)
		rdy__fd_close(a->fds[a->n_fds - 1]);
	e = rdy__recv_fds(a->channel, a->buf, sizeof(a->buf), fds, RDY__FDS_MAX, &got);
	if (e == -EAGAIN || (e == 0 && got.n_bytes == 0))
		return false;
	ck_assert_int_eq(e, 0);
	ck_assert_uint_le(got.n_fds, 2);
	a->n_fds = got.n_fds;
	memcpy(a->fds, fds, got.n_fds * sizeof(int));
	ck_assert_int_eq(channel_decode(a->buf, got.n_bytes, got.n_fds, ret), 0);
	return true;
}

/* The next one, which is of that type. */
static inline void rig_expect(struct rig *r, int agent, uint32_t type, struct channel_message *ret)
{
	ck_assert_msg(rig_receive(r, agent, ret), "no message; wanted type %u", type);
	ck_assert_uint_eq(ret->type, type);
}

static inline void rig_nothing(struct rig *r, int agent)
{
	struct channel_message m;

	ck_assert_msg(!rig_receive(r, agent, &m), "type %u", m.type);
}

/* The rest of a round of the supervisor's loop, until there is nothing to do. */
static inline void rig_run(struct rig *r)
{
	while (controls_run(&r->sv))
		;
}

/* The agent says that, and the supervisor hears it. */
static inline void rig_say(struct rig *r, int agent, const struct channel_message *m)
{
	struct rig_agent *a = &r->agents[agent];
	static uint8_t buf[CHANNEL_BYTES_MAX];
	uint32_t index = a->agent->index, generation = r->sv.agents.generations[index];

	ck_assert_int_eq(rdy__send_fds(a->channel, buf, channel_encode(buf, m), NULL, 0), 0);
	agents_event(&r->sv, index, generation, RDY_READABLE);
	rig_run(r);
}

static inline void rig_taken(struct rig *r, int agent, uint64_t number)
{
	rig_say(r, agent,
		&(struct channel_message){.type = CHANNEL_TAKEN, .u.session.session = number});
}

/*
 * A connection that this agent pumps, as if of uid, of an administrator or not. Returns its number. The agent
 * has to be of our own uid.
 */
static inline uint64_t rig_connect(struct rig *r, int agent, uid_t uid, bool admin)
{
	struct channel_message m;
	struct control *c;
	int pair[2];

	ck_assert_int_lt(r->n_peers, RIG_PEERS);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	r->peers[r->n_peers++] = pair[1];
	control_take(&r->sv, pair[0]);
	if (!rig_receive(r, agent, &m))
		return 0; /* refused */
	ck_assert_uint_eq(m.type, CHANNEL_CONTROL);
	ck_assert_uint_eq(r->agents[agent].n_fds, 1);
	rig_taken(r, agent, m.u.session.session);
	c = rdy__list_entry(r->sv.controls.all.prev, struct control, link);
	ck_assert_uint_eq(c->number, m.u.session.session);
	c->uid = uid;
	c->admin = admin;
	c->sees_all = admin;
	c->sees_own = true;
	c->peer = policy_somebody(r->sv.policy, uid, NULL, 0);
	return c->number;
}

/* The client has written so. */
static inline void rig_write(
	struct rig *r, int agent, uint64_t number, const void *bytes, size_t n, bool last)
{
	rig_say(r, agent,
		&(struct channel_message){.type = CHANNEL_CONTROL_DATA,
			.u.control = {.session = number, .flags = last ? CHANNEL_CONTROL_LAST : 0},
			.data = n ? bytes : NULL,
			.n_data = n});
}

/* With its NUL. */
static inline void rig_call(struct rig *r, int agent, uint64_t number, const char *text)
{
	rig_write(r, agent, number, text, strlen(text) + 1, false);
}

static inline void rig_give_back(struct rig *r, int agent, uint64_t number, uint32_t n)
{
	rig_say(r, agent,
		&(struct channel_message){.type = CHANNEL_CONTROL_CREDIT,
			.u.control = {.session = number, .n_bytes = n}});
}

/*
 * The next reply, read by a client that gives back at once. Credits for what was written are passed over. Free
 * it with control_reply_deinit().
 */
static inline struct control_reply rig_reply(struct rig *r, int agent, uint64_t number)
{
	struct control_reply reply = CONTROL_REPLY_NULL;
	struct control_inbox in = CONTROL_INBOX_NULL;
	struct channel_message m;
	const char *text;
	size_t n;

	for (;;) {
		ck_assert_msg(rig_receive(r, agent, &m), "no reply");
		if (m.type == CHANNEL_CONTROL_CREDIT)
			continue;
		ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
		ck_assert_uint_eq(m.u.control.session, number);
		ck_assert_uint_eq(m.u.control.flags, 0);
		ck_assert_int_eq(control_inbox_put(&in, m.data, m.n_data), 0);
		rig_give_back(r, agent, number, (uint32_t)m.n_data);
		if (control_inbox_next(&in, &text, &n) == 1)
			break;
	}
	ck_assert_int_eq(control_reply_parse(text, n, &reply), 0);
	ck_assert_uint_eq(in.n_bytes, in.n_given);
	control_inbox_deinit(&in);
	return reply;
}

/* The next reply is this error. */
static inline void rig_error(struct rig *r, int agent, uint64_t number, enum control_error error)
{
	struct control_reply reply = rig_reply(r, agent, number);

	ck_assert_msg(reply.error == error, "%s", reply.name ? reply.name : "no error");
	control_reply_deinit(&reply);
}

/* The next message is QUERY; its answer is these rows. */
static inline void rig_rows(struct rig *r, int agent, uint32_t kind, const void *rows, uint32_t n,
	uint64_t next_cursor, struct channel_query *ret)
{
	struct channel_message m;

	do
		ck_assert_msg(rig_receive(r, agent, &m), "no query");
	while (m.type == CHANNEL_CONTROL_CREDIT);
	ck_assert_uint_eq(m.type, CHANNEL_QUERY);
	ck_assert_uint_eq(m.u.query.kind, kind);
	ck_assert_uint_le(n, m.u.query.rows_max);
	if (ret)
		*ret = m.u.query;
	rig_say(r, agent,
		&(struct channel_message){.type = CHANNEL_ROWS,
			.u.rows = {.query = m.u.query.query,
				.kind = kind,
				.n_rows = n,
				.next_cursor = next_cursor},
			.data = n ? rows : NULL,
			.n_data = n * channel_row_bytes(kind)});
}

/* A session that the agent has; returns its number. */
static inline uint64_t rig_session(struct rig *r, int agent)
{
	const struct identity who = {
		.uid = r->agents[agent].agent->uid, .gid = 7, .pid = 4321, .pidfd = -1};
	struct channel_message m;
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	r->peers[r->n_peers++] = pair[1];
	ck_assert_int_eq(
		agents_hand_over(&r->sv, r->agents[agent].agent, pair[0], &who, WIRE_OK, 0), 0);
	rig_expect(r, agent, CHANNEL_SESSION, &m);
	rig_taken(r, agent, m.u.session.session);
	return m.u.session.session;
}

static inline int64_t rig_int(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	ck_assert_msg(json_is_integer(v), "%s is no integer", name);
	return json_integer_value(v);
}

static inline const char *rig_word(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	ck_assert_msg(json_is_string(v), "%s is no string", name);
	return json_string_value(v);
}

#endif
