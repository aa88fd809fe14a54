/* SPDX-License-Identifier: MIT */
/* Freezing: silence in both directions, ends all the same, and nothing lost after it. And kicks. */
#include "freeze.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "reactors.h"
#include "rig.h"

#define N_PIPES 8

static struct channel_config config;

static void start(void)
{
	config = rig_config();
	rig_start(&config);
}

static void set_flags(uint32_t flags)
{
	struct channel_message m = {.type = CHANNEL_CONFIG};

	config.flags = flags;
	m.u.config = config;
	rig_send(&m, NULL, 0);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.config.flags != flags; i++)
		rig_turn();
	ck_assert_uint_eq(rig.agent.config.flags, flags);
}

static void freeze(void)
{
	set_flags(CHANNEL_FROZEN);
}

static void thaw(void)
{
	set_flags(0);
}

static void fire(int fd)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

static void expect_nothing(int client)
{
	struct pollfd p = {.fd = client, .events = POLLIN};

	for (int i = 0; i < 5; i++)
		rig_turn();
	ck_assert_int_eq(poll(&p, 1, 0), 0);
}

static void say_ping(int client)
{
	uint8_t buf[64];

	wire_put_ping(buf, 77);
	say(client, buf, wire_put_header(buf, WIRE_PING, 6, 1), NULL, 0);
}

/* All events that come, until each of n cookies has one. Returns how many there were. */
static uint32_t expect_events(int client, uint32_t n)
{
	uint32_t all = 0, seen = 0;

	while (seen != (1u << n) - 1) {
		struct wire_event e;
		struct answer a;

		expect_type(client, WIRE_EVENTS, &a);
		for (uint32_t i = 0; i < a.f.header.count; i++) {
			wire_get_event(&a.f, i, &e);
			ck_assert_uint_lt(e.cookie, n);
			seen |= 1u << e.cookie;
			all++;
		}
	}
	return all;
}

static void events(uint32_t selector, uint8_t mode)
{
	int client, fds[N_PIPES];

	config = rig_config();
	config.selector = selector;
	rig_start(&config);
	client = rig_open();
	for (int i = 0; i < N_PIPES; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK);
		do_register(client, fds[i], (uint64_t)i, mode, 0);
	}
	freeze();
	/* Again and again: it merges. */
	for (int k = 0; k < 10; k++) {
		for (int i = 0; i < N_PIPES; i++)
			fire(fds[i]);
		rig_turn();
	}
	expect_nothing(client);
	thaw();
	ck_assert_uint_eq(expect_events(client, N_PIPES), N_PIPES);
	nothing_but_pong(client);
	for (int i = 0; i < N_PIPES; i++)
		rdy__fd_close(fds[i]);
	leave(client);
	rig_stop();
}

/* Invariant: FREEZE-1 */
START_TEST(edges_merge)
{
	events(CHANNEL_SELECTOR_AUTO, WIRE_EDGE);
}
END_TEST

START_TEST(oneshots_wait)
{
	events(CHANNEL_SELECTOR_AUTO, WIRE_ONESHOT);
}
END_TEST

START_TEST(without_edges)
{
	events(CHANNEL_SELECTOR_POLL, WIRE_ONESHOT);
}
END_TEST

/* Nothing is read, not even PING; all of it is answered afterwards, in its order. */
START_TEST(requests_wait)
{
	int client, fd = eventfd(0, 0);
	struct answer a;
	uint64_t id;

	start();
	client = rig_open();
	id = do_register(client, fd, 1, WIRE_ONESHOT, 0);
	fire(fd);
	expect_event(client);
	freeze();
	say_rearm(client, id, 1);
	say_ping(client);
	expect_nothing(client);
	thaw();
	/* Answers first, then events. */
	expect_type(client, WIRE_PONG, &a);
	ck_assert_uint_eq(expect_event(client).seq, 2);
	leave(client);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* A frozen reactor with everything to do does nothing, instead of looking for it all the time. */
START_TEST(it_sleeps)
{
	static const uint32_t selectors[] = {CHANNEL_SELECTOR_AUTO, CHANNEL_SELECTOR_POLL};

	for (size_t k = 0; k < 2; k++) {
		int client, fd = eventfd(0, 0);
		struct wire_event e;
		uint64_t before;
		struct answer a;

		config = rig_config();
		config.selector = selectors[k];
		rig_start(&config);
		client = rig_open();
		do_register(client, fd, 1, WIRE_ONESHOT, 0);
		freeze();
		fire(fd);
		say_ping(client);
		for (int i = 0; i < 5; i++)
			rig_turn();
		before = rig.agent.reactor.counters.wakeups;
		for (int i = 0; i < 20; i++)
			agent_round(&rig.agent, RDY__NS_PER_MS);
		ck_assert_uint_eq(rig.agent.reactor.counters.wakeups, before);
		thaw();
		expect_type(client, WIRE_EVENTS, &a);
		wire_get_event(&a.f, 0, &e);
		ck_assert_uint_eq(e.cookie, 1);
		expect_type(client, WIRE_PONG, &a);
		leave(client);
		rig_stop();
		rdy__fd_close(fd);
	}
}
END_TEST

START_TEST(who_leaves_is_let_go_of)
{
	int clients[3], pipes[2], pid[2];

	start();
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(pid, O_CLOEXEC), 0);
	clients[0] = rig_open();
	clients[1] = rig_open_pidfd(pid[0]); /* readable when its other end goes */
	clients[2] = rig_client_pidfd(-1);
	do_register(clients[0], pipes[0], 1, WIRE_EDGE, 0);
	freeze();
	/* With descriptors that nobody has read. */
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(rdy__send_fds(clients[0], "x", 1, pipes, 2), 0);
	leave(clients[0]);
	close_pair(pid);
	rig_expect(CHANNEL_SESSION_END);
	rdy__fd_close(clients[1]);
	leave(clients[2]);
	close_pair(pipes);
	rig_settle(0);
	thaw();
	rig_stop();
}
END_TEST

/* The end of a registration is an event like any other; the descriptor goes at once. */
START_TEST(hangups_wait)
{
	int client, pipes[2];
	struct wire_event e;
	uint32_t used;

	start();
	client = rig_open();
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	do_register(client, pipes[0], 1, WIRE_EDGE, 0);
	used = atomic_load(&rig.agent.descriptors.used);
	freeze();
	close_pair(pipes);
	expect_nothing(client);
	for (int i = 0; i < RIG_ROUNDS && atomic_load(&rig.agent.descriptors.used) == used; i++)
		rig_turn();
	ck_assert_uint_eq(atomic_load(&rig.agent.descriptors.used), used - 1);
	thaw();
	e = expect_event(client);
	ck_assert(e.flags & WIRE_EVENT_ENDED);
	leave(client);
	rig_stop();
}
END_TEST

static void kick(uint64_t session)
{
	const struct channel_message m = {.type = CHANNEL_KICK, .u.session = {.session = session}};

	rig_send(&m, NULL, 0);
}

START_TEST(kicks)
{
	int clients[4], fd = eventfd(0, 0);

	config = rig_config();
	config.reactors = 3;
	config.sessions = 16;
	rig_start(&config);
	for (int i = 0; i < 4; i++) {
		clients[i] = rig_open();
		do_register(clients[i], fd, 1, WIRE_EDGE, 0);
	}
	kick(4711); /* has ended already */
	kick(1);
	expect_fatal(clients[0], WIRE_E_KICKED);
	kick(1);
	/* What was ready is told first. */
	fire(fd);
	for (int i = 1; i < 4; i++)
		expect_event(clients[i]);
	for (uint64_t i = 2; i <= 4; i++) {
		kick(i);
		expect_fatal(clients[i - 1], WIRE_E_KICKED);
	}
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* The reason comes, and nothing before it. */
START_TEST(a_kick_of_the_frozen)
{
	int client, fd = eventfd(0, 0);

	start();
	client = rig_open();
	do_register(client, fd, 1, WIRE_EDGE, 0);
	freeze();
	fire(fd);
	say_ping(client);
	expect_nothing(client);
	kick(rig.last);
	expect_fatal(client, WIRE_E_KICKED);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

START_TEST(the_end_of_the_frozen)
{
	struct wire_error_record e;
	struct answer a;
	int client, status;

	start();
	rig_mark();
	client = rig_open();
	freeze();
	rig_send(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	while (!atomic_load(&rig.agent.done))
		rig_turn();
	expect_type(client, WIRE_ERROR, &a);
	wire_get_error(&a.f, &e);
	ck_assert_uint_eq(e.error, WIRE_E_SHUTTING_DOWN);
	rdy__fd_close(client);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	rig_sweep();
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

/* Whose HELLO nobody reads is not late with it. */
START_TEST(hello_is_not_late)
{
	struct session *s;
	struct answer a;
	uint8_t buf[128];
	int client;

	start();
	client = rig_client_pidfd(-1);
	freeze();
	say(client, buf, make_hello(buf), NULL, 0);
	s = rig.agent.reactor.sessions[0];
	s->hello_deadline_ns = rdy__now_ns() - 1;
	reactor_set_hello_timer(&rig.agent.reactor);
	expect_nothing(client);
	thaw();
	expect_type(client, WIRE_WELCOME, &a);
	leave(client);
	/* But after the thaw it is. */
	client = rig_client_pidfd(-1);
	freeze();
	thaw();
	s = rig.agent.reactor.sessions[0];
	s->hello_deadline_ns = rdy__now_ns() - 1;
	reactor_set_hello_timer(&rig.agent.reactor);
	expect_fatal(client, WIRE_E_HELLO_TIMEOUT);
	rig_stop();
}
END_TEST

/* An agent that starts while its uid is frozen; sessions that come meanwhile are taken and wait. */
START_TEST(frozen_from_the_start)
{
	uint8_t buf[128];
	struct answer a;
	int client;

	config = rig_config();
	config.flags = CHANNEL_FROZEN;
	rig_start(&config);
	client = rig_client_pidfd(-1);
	say(client, buf, make_hello(buf), NULL, 0);
	expect_nothing(client);
	thaw();
	expect_type(client, WIRE_WELCOME, &a);
	leave(client);
	rig_stop();
}
END_TEST

/* Replies that waited for a client that did not read go out before what comes later. */
START_TEST(replies_wait)
{
	uint32_t n = 0, got = 0;
	struct answer a;
	int client;

	config = rig_config();
	config.send_buffer_bytes = 1;
	rig_start(&config);
	client = rig_open();
	while (!rig.agent.reactor.sessions[0]->replies.n) {
		uint8_t buf[64];

		wire_put_ping(buf, n++);
		say(client, buf, wire_put_header(buf, WIRE_PING, n, 1), NULL, 0);
		rig_turn();
	}
	freeze();
	/* It reads what is in its socket, and not more comes. */
	while (recv(client, a.buf, sizeof(a.buf), MSG_DONTWAIT) > 0)
		got++;
	ck_assert_uint_lt(got, n);
	expect_nothing(client);
	thaw();
	for (; got < n; got++) {
		expect_type(client, WIRE_PONG, &a);
		ck_assert_uint_eq(wire_get_ping(&a.f), got);
	}
	leave(client);
	rig_stop();
}
END_TEST

/* All reactors, and a session that comes in between. */
START_TEST(several_reactors)
{
	int clients[6], fds[6];

	config = rig_config();
	config.reactors = 3;
	config.sessions = 16;
	rig_start(&config);
	for (int i = 0; i < 6; i++) {
		clients[i] = rig_open();
		fds[i] = eventfd(0, 0);
		do_register(clients[i], fds[i], 0, WIRE_EDGE, 0);
	}
	for (int k = 0; k < 5; k++) {
		freeze();
		/* A new session goes the same way as the configuration: when it is there, so is that. */
		leave(rig_client_pidfd(-1));
		leave(rig_client_pidfd(-1));
		leave(rig_client_pidfd(-1));
		for (int i = 0; i < 6; i++)
			fire(fds[i]);
		for (int i = 0; i < 6; i++)
			expect_nothing(clients[i]);
		thaw();
		for (int i = 0; i < 6; i++)
			expect_events(clients[i], 1);
	}
	for (int i = 0; i < 6; i++) {
		leave(clients[i]);
		rdy__fd_close(fds[i]);
	}
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/freeze", edges_merge, oneshots_wait, without_edges, requests_wait, it_sleeps,
	who_leaves_is_let_go_of, hangups_wait, kicks, a_kick_of_the_frozen, the_end_of_the_frozen,
	hello_is_not_late, frozen_from_the_start, replies_wait, several_reactors)
