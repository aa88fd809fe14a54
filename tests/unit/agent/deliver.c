/* SPDX-License-Identifier: MIT */
#include "deliver.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include "rig.h"

static void start(void)
{
	struct channel_config c = rig_config();

	rig_start(&c);
}

START_TEST(oneshot)
{
	struct wire_event e;
	int client, p[2];
	uint64_t id;

	start();
	client = rig_open();
	ck_assert_int_eq(pipe(p), 0);
	id = do_register(client, p[0], 77, WIRE_ONESHOT, 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	e = expect_event(client);
	ck_assert_uint_eq(e.cookie, 77);
	ck_assert_uint_eq(e.id, id);
	ck_assert_uint_eq(e.type, WIRE_EVENT_READY);
	ck_assert_uint_eq(e.flags, WIRE_EVENT_DISARMED);
	ck_assert_uint_eq(e.ready, WIRE_READABLE);
	ck_assert_uint_eq(e.seq, 1);
	/* Silence; the second edge does not even wake the agent. */
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	nothing_but_pong(client);
	ck_assert(registrations_at(&rig.agent.reactor.registrations, (uint32_t)(id >> 32))->flags &
		  REGISTRATION_MUTED);
	/* Stale and future ones are ignored, the right one reports what is still there, once. */
	say_rearm(client, id, 0);
	say_rearm(client, id, 2);
	nothing_but_pong(client);
	say_rearm(client, id, 1);
	say_rearm(client, id, 1);
	e = expect_event(client);
	ck_assert_uint_eq(e.seq, 2);
	nothing_but_pong(client);
	/* Not muted, and no edge since: the level is reported by the rearm alone. */
	say_rearm(client, id, 2);
	ck_assert_uint_eq(expect_event(client).seq, 3);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_OK);
	leave(client);
	close_pair(p);
	rig_stop();
}
END_TEST

START_TEST(starts_disarmed)
{
	int client, fd;
	uint64_t id;

	start();
	client = rig_open();
	fd = eventfd(1, 0);
	id = do_register(client, fd, 1, WIRE_ONESHOT, WIRE_REG_DISARMED);
	nothing_but_pong(client);
	say_rearm(client, id, 0);
	ck_assert_uint_eq(expect_event(client).seq, 1);
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

START_TEST(hangup_while_disarmed)
{
	struct wire_event e;
	int client, p[2], k[2];
	uint64_t id, keep;

	start();
	client = rig_open();
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(pipe(k), 0);
	id = do_register(client, p[0], 1, WIRE_ONESHOT, WIRE_REG_DISARMED);
	keep = do_register(client, k[0], 2, WIRE_ONESHOT, WIRE_REG_DISARMED | WIRE_REG_KEEP);
	p[1] = rdy__fd_close(p[1]);
	e = expect_event(client);
	ck_assert_uint_eq(e.id, id);
	ck_assert_uint_eq(e.flags, WIRE_EVENT_DISARMED | WIRE_EVENT_ENDED);
	ck_assert_uint_eq(e.ready & (WIRE_READ_CLOSED | WIRE_WRITE_CLOSED),
		WIRE_READ_CLOSED | WIRE_WRITE_CLOSED);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_E_REGISTRATION_UNKNOWN);
	/* The same name may be used again. */
	id = do_register(client, k[0], 1, WIRE_ONESHOT, WIRE_REG_DISARMED);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_OK);
	k[1] = rdy__fd_close(k[1]);
	e = expect_event(client);
	ck_assert_uint_eq(e.id, keep);
	ck_assert_uint_eq(e.flags, WIRE_EVENT_DISARMED);
	leave(client);
	rdy__fd_close(p[0]);
	rdy__fd_close(k[0]);
	rig_stop();
}
END_TEST

START_TEST(edge)
{
	int client, fd;
	struct wire_event e;
	uint64_t id;

	start();
	client = rig_open();
	fd = eventfd(0, 0);
	id = do_register(client, fd, 5, WIRE_EDGE, 0);
	for (uint32_t i = 1; i <= 3; i++) {
		eventfd_write(fd, 1);
		e = expect_event(client);
		ck_assert_uint_eq(e.seq, i);
		ck_assert_uint_eq(e.flags, 0);
	}
	say_rearm(client, id, 3); /* needless */
	nothing_but_pong(client);
	/* MODIFY reports the level again. */
	ck_assert_uint_eq(
		do_modify(client, id, WIRE_READABLE | WIRE_WRITABLE, WIRE_EDGE, 0), WIRE_OK);
	ck_assert_uint_eq(expect_event(client).ready, WIRE_READABLE | WIRE_WRITABLE);
	ck_assert_uint_eq(do_modify(client, id, WIRE_READABLE, WIRE_ONESHOT, 0), WIRE_OK);
	e = expect_event(client);
	ck_assert_uint_eq(e.flags, WIRE_EVENT_DISARMED);
	ck_assert_uint_eq(e.ready, WIRE_READABLE);
	ck_assert_uint_eq(
		do_modify(client, id, WIRE_READABLE, WIRE_ONESHOT, WIRE_REG_DISARMED), WIRE_OK);
	nothing_but_pong(client);
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* Records that are wrong do not touch the others, and each is answered. */
START_TEST(records_one_by_one)
{
	static const struct {
		uint16_t interest;
		uint8_t mode, flags;
		enum wire_error error;
		uint32_t detail;
	} records[] = {
		{WIRE_READABLE, WIRE_ONESHOT, 0, WIRE_OK, 0},
		{0, WIRE_ONESHOT, 0, WIRE_E_INTEREST_INVALID, 0},
		{0x10, WIRE_ONESHOT, 0, WIRE_E_INTEREST_INVALID, 0x10},
		{0x1001, WIRE_ONESHOT, 0, WIRE_E_INTEREST_INVALID, 0x1001},
		{WIRE_READABLE, 0, 0, WIRE_E_MODE_INVALID, 0},
		{WIRE_READABLE, WIRE_LEVEL, 0, WIRE_OK, 0},
		{WIRE_READABLE, 4, 0, WIRE_E_MODE_INVALID, 4},
		{WIRE_READABLE, 9, 0, WIRE_E_MODE_INVALID, 9},
		{WIRE_READABLE, WIRE_ONESHOT, 4, WIRE_E_FLAGS_INVALID, 4},
		{WIRE_READABLE, WIRE_EDGE, WIRE_REG_DISARMED, WIRE_E_FLAGS_INVALID, 2},
		{WIRE_READABLE, WIRE_EDGE, WIRE_REG_KEEP, WIRE_OK, 0},
		{WIRE_HANGUP_ONLY, WIRE_EDGE, 0, WIRE_OK, 0},
	};
	enum { N = sizeof(records) / sizeof(records[0]) };
	struct answer a;
	uint8_t buf[512];
	int client, fds[N];

	for (uint32_t i = 0; i < N; i++)
		fds[i] = eventfd(0, 0);
	start();
	client = rig_open();
	for (uint32_t i = 0; i < N; i++)
		wire_put_register(buf, i,
			&(struct wire_register){.cookie = i,
				.interest = records[i].interest,
				.mode = records[i].mode,
				.flags = records[i].flags});
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 9, N), fds, N);
	expect_type(client, WIRE_REGISTERED, &a);
	ck_assert_uint_eq(a.f.header.serial, 9);
	ck_assert_uint_eq(a.f.header.count, N);
	for (uint32_t i = 0; i < N; i++) {
		struct wire_result r;

		wire_get_result(&a.f, i, &r);
		ck_assert_str_eq(wire_error_name(r.error), wire_error_name(records[i].error));
		ck_assert_uint_eq(r.detail, records[i].detail);
		ck_assert_int_eq(r.id != 0, r.error == WIRE_OK);
	}
	ck_assert_uint_eq(
		do_modify(client, 12345, WIRE_READABLE, WIRE_EDGE, 0), WIRE_E_REGISTRATION_UNKNOWN);
	leave(client);
	rig_stop();
	for (uint32_t i = 0; i < N; i++)
		rdy__fd_close(fds[i]);
}
END_TEST

START_TEST(not_theirs)
{
	int a, b, fd;
	uint64_t id;

	start();
	a = rig_open();
	b = rig_open();
	fd = eventfd(1, 0);
	id = do_register(a, fd, 1, WIRE_ONESHOT, WIRE_REG_DISARMED);
	ck_assert_uint_eq(do_deregister(b, id), WIRE_E_REGISTRATION_UNKNOWN);
	ck_assert_uint_eq(
		do_modify(b, id, WIRE_READABLE, WIRE_ONESHOT, 0), WIRE_E_REGISTRATION_UNKNOWN);
	say_rearm(b, id, 0);
	expect_rearm_refused(b);
	nothing_but_pong(a);
	/* Nor is the other end of a session a thing to wait for: the agent's is known by its cookie. */
	ck_assert_uint_eq(
		try_register(b, rig.agent.reactor.sessions[0]->sock, 2, WIRE_READABLE, WIRE_EDGE, 0)
			.error,
		WIRE_E_FD_OWN_SOCKET);
	leave(a);
	leave(b);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* What has a path stays open until the agent ends; with too many of them the session ends. */
START_TEST(quarantine)
{
	struct wire_result r;
	int client, null;
	uint32_t n;

	null = open("/dev/null", O_RDWR);
	start();
	rig_mark();
	client = rig_open();
	for (n = 1; n <= SESSION_QUARANTINE_MAX; n++) {
		r = try_register(client, null, n, WIRE_READABLE, WIRE_EDGE, 0);
		ck_assert_uint_eq(r.error, WIRE_E_FD_KIND_REFUSED);
		ck_assert_uint_eq(r.detail, WIRE_KIND_PATH);
	}
	ck_assert_uint_eq(rig.agent.n_quarantined, SESSION_QUARANTINE_MAX);
	r = try_register(client, null, n, WIRE_READABLE, WIRE_EDGE, 0);
	ck_assert_uint_eq(r.error, WIRE_E_FD_KIND_REFUSED);
	expect_fatal(client, WIRE_E_QUARANTINE_FULL);
	/* No session is left: it wants to go, to get rid of them. */
	rig_expect(CHANNEL_IDLE);
	rig_settle(n);
	client = rig_open();
	leave(client);
	rig_expect(CHANNEL_IDLE);
	/* The kernel closes them when the process ends; here the test does. */
	ck_assert_uint_eq(rig_sweep(), n);
	quota_release(&rig.agent.descriptors, rig.agent.n_quarantined);
	rig.agent.n_quarantined = 0;
	rig_stop();
	rdy__fd_close(null);
}
END_TEST

static uint32_t counted(int client, uint32_t ready, uint32_t *seqs)
{
	uint32_t n_events = 0;
	uint8_t buf[WIRE_FRAME_MAX];
	struct wire_frame f;
	uint32_t detail;
	ssize_t n;

	while ((n = recv(client, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		ck_assert_int_eq(wire_decode_reply(buf, (size_t)n, 0, &f, &detail), WIRE_OK);
		ck_assert_uint_eq(f.header.type, WIRE_EVENTS);
		ck_assert_uint_le(f.header.length, WIRE_EVENTS_MAX_BYTES);
		for (uint32_t i = 0; i < f.header.count; i++) {
			struct wire_event e;

			wire_get_event(&f, i, &e);
			ck_assert_uint_eq(e.ready, ready);
			ck_assert_uint_eq(e.seq, seqs[e.cookie] + 1);
			seqs[e.cookie] = e.seq;
			n_events++;
		}
	}
	return n_events;
}

/* A client that does not read costs nothing and loses nothing: bits merge until it does. */
START_TEST(merges_while_the_socket_is_full)
{
	enum { N = 400 };
	static uint32_t seqs[N];
	struct channel_config config = rig_config();
	uint32_t n = 0, written = 0;
	uint64_t before;
	int client, fds[N];

	config.send_buffer_bytes = 1;
	rig_start(&config);
	client = rig_open();
	for (uint32_t i = 0; i < N; i++) {
		fds[i] = eventfd(0, 0);
		do_register(client, fds[i], i, WIRE_EDGE, 0);
	}
	while (!rig.agent.reactor.sessions[0]->blocked) {
		for (uint32_t i = 0; i < N; i++, written++)
			eventfd_write(fds[i], 1);
		for (int i = 0; i < 4; i++)
			agent_round(&rig.agent, 0);
		ck_assert_uint_lt(written, 100 * N);
	}
	before = rig.agent.reactor.counters.events;
	for (int k = 0; k < 50; k++) {
		for (uint32_t i = 0; i < N; i++)
			eventfd_write(fds[i], 1);
		for (int i = 0; i < 3; i++)
			agent_round(&rig.agent, 0);
	}
	ck_assert_uint_eq(rig.agent.reactor.counters.events, before);
	for (int i = 0; i < RIG_ROUNDS; i++) {
		uint32_t k = counted(client, WIRE_READABLE, seqs);

		n += k;
		if (!k && !rig.agent.reactor.sessions[0]->blocked)
			break;
		agent_round(&rig.agent, 0);
	}
	ck_assert_uint_eq(n, rig.agent.reactor.counters.events);
	/* Every one had something after the socket got full, and got it: one event for fifty edges. */
	ck_assert_uint_ge(rig.agent.reactor.counters.events, before + N);
	ck_assert_uint_lt(rig.agent.reactor.counters.events, before + 3 * N);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_uint_gt(seqs[i], 0);
	leave(client);
	for (uint32_t i = 0; i < N; i++)
		rdy__fd_close(fds[i]);
	rig_stop();
}
END_TEST

/* Requests are not read while 32 answers wait; all of them come, in order. */
START_TEST(unanswered)
{
	struct channel_config config = rig_config();
	const uint64_t n_known = 250;
	struct answer a;
	uint8_t buf[WIRE_FRAME_MAX];
	uint32_t sent = 0, got;
	int client;

	config.send_buffer_bytes = 1;
	rig_start(&config);
	client = rig_open();
	for (;;) {
		size_t n;

		for (uint32_t i = 0; i < n_known; i++)
			wire_put_deregister(buf, i, i);
		n = wire_put_header(buf, WIRE_DEREGISTER, 1000 + sent, (uint32_t)n_known);
		if (rdy__send_fds(client, buf, n, NULL, 0) == -EAGAIN) {
			for (int i = 0; i < 20; i++)
				agent_round(&rig.agent, 0);
			if (rdy__send_fds(client, buf, n, NULL, 0) == -EAGAIN)
				break;
		}
		sent++;
		ck_assert_uint_lt(sent, 10000);
	}
	ck_assert_uint_eq(rig.agent.reactor.sessions[0]->replies.n, WIRE_UNANSWERED_MAX);
	ck_assert(rdy__list_empty(&rig.agent.reactor.input)); /* and nothing spins */
	for (got = 0; got < sent; got++) {
		expect_type(client, WIRE_DEREGISTERED, &a);
		ck_assert_uint_eq(a.f.header.serial, 1000 + got);
	}
	nothing_but_pong(client);
	leave(client);
	rig_stop();
}
END_TEST

/* A session with many registrations goes in slices, others are served meanwhile. */
START_TEST(teardown_in_slices)
{
	enum { N = 400 };
	int client, other, fds[N], fd;
	uint32_t rounds = 0;

	start();
	client = rig_open();
	other = rig_open();
	for (uint32_t i = 0; i < N; i++) {
		fds[i] = eventfd(0, 0);
		do_register(client, fds[i], i, WIRE_EDGE, 0);
	}
	fd = eventfd(0, 0);
	do_register(other, fd, 1, WIRE_EDGE, 0);
	rdy__fd_close(client);
	agent_round(&rig.agent, -1);
	ck_assert_uint_eq(rig.agent.reactor.registrations.n_used, N + 1 - REACTOR_TEARDOWN);
	eventfd_write(fd, 1);
	agent_round(&rig.agent, -1);
	ck_assert_uint_eq(rig.agent.reactor.registrations.n_used, N + 1 - 2 * REACTOR_TEARDOWN);
	ck_assert_uint_eq(rig.agent.reactor.counters.events, 1);
	ck_assert_uint_eq(expect_event(other).cookie, 1);
	while (rig.agent.reactor.n_sessions > 1 && rounds++ < 2 * N / REACTOR_TEARDOWN)
		agent_round(&rig.agent, 0);
	rig_expect(CHANNEL_SESSION_END);
	leave(other);
	for (uint32_t i = 0; i < N; i++)
		rdy__fd_close(fds[i]);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* The same promises on poll(2), which knows no edges: EDGE is not offered, the rest holds. */
START_TEST(without_edges)
{
	struct channel_config config = rig_config();
	struct wire_event e;
	int client, p[2];
	uint64_t id;

	config.selector = CHANNEL_SELECTOR_POLL;
	rig_start(&config);
	client = rig_open();
	ck_assert_uint_eq(rig.agent.reactor.sessions[0]->features,
		WIRE_FEATURE_ONESHOT | WIRE_FEATURE_LEVEL | WIRE_FEATURE_DEADLINE);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_uint_eq(try_register(client, p[0], 1, WIRE_READABLE, WIRE_EDGE, 0).error,
		WIRE_E_MODE_INVALID);
	id = do_register(client, p[0], 77, WIRE_ONESHOT, 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_uint_eq(expect_event(client).flags, WIRE_EVENT_DISARMED);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	nothing_but_pong(client);
	say_rearm(client, id, 1);
	ck_assert_uint_eq(expect_event(client).seq, 2);
	nothing_but_pong(client);
	p[1] = rdy__fd_close(p[1]);
	e = expect_event(client);
	ck_assert_uint_eq(e.flags, WIRE_EVENT_DISARMED | WIRE_EVENT_ENDED);
	for (int i = 0; i < 100; i++)
		nothing_but_pong(client);
	leave(client);
	rdy__fd_close(p[0]);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/deliver", oneshot, starts_disarmed, hangup_while_disarmed, edge,
	records_one_by_one, not_theirs, quarantine, merges_while_the_socket_is_full, unanswered,
	teardown_in_slices, without_edges)
