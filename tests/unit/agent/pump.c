/* SPDX-License-Identifier: MIT */
/* Control connections: bytes both ways, windows, ends of every kind, and what does not belong there. */
#include "pump.h"

#include <sys/eventfd.h>
#include <sys/un.h>

#include "outbox.h"
#include "rig.h"

#define WINDOW CHANNEL_CONTROL_WINDOW

static void start(void)
{
	struct channel_config config = rig_config();

	rig_start(&config);
}

static void hand_over(int sock, int pidfd)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL,
		.u.session = {.session = ++rig.last, .uid = 1000, .gid = 1000, .pid = 4711},
	};
	const int fds[2] = {sock, pidfd};

	rig_send(&m, fds, pidfd >= 0 ? 2 : 1);
}

static void expect_taken(void)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_TAKEN);
	ck_assert_uint_eq(m.u.session.session, rig.last);
}

/* The client's end. size: of the buffer in its direction; 0 = what there is. */
static int connect_with(int size)
{
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	if (size)
		ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	hand_over(sv[1], -1);
	rdy__fd_close(sv[1]);
	expect_taken();
	return sv[0];
}

static void say_bytes(int client, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(client, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL), n);
}

/* So much of what has been written before; the agent runs meanwhile. */
static void read_bytes(int client, void *ret, size_t n)
{
	uint8_t *at = ret;

	for (int i = 0; i < RIG_ROUNDS && n; i++) {
		ssize_t got = recv(client, at, n, MSG_DONTWAIT);

		if (got < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			rig_turn();
			continue;
		}
		ck_assert_int_gt(got, 0);
		at += got;
		n -= (size_t)got;
	}
	ck_assert_uint_eq(n, 0);
}

static void expect_eof(int client)
{
	uint8_t byte;

	for (int i = 0; i < RIG_ROUNDS; i++) {
		ssize_t n = recv(client, &byte, 1, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return;
		ck_assert_int_eq(n, -1);
		rig_turn();
	}
	ck_abort_msg("no end");
}

static void down(uint64_t session, const void *bytes, size_t n, uint32_t flags)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_DATA,
		.u.control = {.session = session, .flags = flags},
		.data = bytes,
		.n_data = n,
	};

	rig_send(&m, NULL, 0);
}

static void credit(uint64_t session, uint32_t n)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_CREDIT,
		.u.control = {.session = session, .n_bytes = n},
	};

	rig_send(&m, NULL, 0);
}

static void expect_data(uint64_t session, const void *bytes, size_t n)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	ck_assert_uint_eq(m.u.control.session, session);
	ck_assert_uint_eq(m.u.control.flags, 0);
	ck_assert_uint_eq(m.n_data, n);
	ck_assert_mem_eq(m.data, bytes, n);
}

static void expect_last(uint64_t session)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	ck_assert_uint_eq(m.u.control.session, session);
	ck_assert_uint_eq(m.u.control.flags, CHANNEL_CONTROL_LAST);
	ck_assert_uint_eq(m.n_data, 0);
}

static void expect_credit(uint64_t session, uint32_t n)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_CREDIT);
	ck_assert_uint_eq(m.u.control.session, session);
	ck_assert_uint_eq(m.u.control.n_bytes, n);
}

static void expect_session_end(uint64_t session)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_SESSION_END);
	ck_assert_uint_eq(m.u.session.session, session);
}

/* Turns in which nothing may come, each of which would have brought it. */
static void expect_silence(void)
{
	uint8_t buf[64];

	for (int i = 0; i < 20; i++) {
		rig_turn();
		ck_assert_int_eq(recv(rig.channel, buf, sizeof(buf), MSG_DONTWAIT), -1);
		ck_assert_int_eq(errno, EAGAIN);
	}
}

/* The supervisor's last word, and what comes of it. */
static void end_from_above(int take_client, uint64_t session)
{
	down(session, NULL, 0, CHANNEL_CONTROL_LAST);
	expect_session_end(session);
	expect_eof(take_client);
	rdy__fd_close(take_client);
}

START_TEST(both_ways)
{
	char got[8];
	int client;

	start();
	client = connect_with(0);
	say_bytes(client, "hello", 5);
	expect_data(rig.last, "hello", 5);
	down(rig.last, "world", 5, 0);
	read_bytes(client, got, 5);
	ck_assert_mem_eq(got, "world", 5);
	expect_credit(rig.last, 5);
	credit(rig.last, 5);
	say_bytes(client, "!", 1);
	expect_data(rig.last, "!", 1);
	/* Data and the last word in one message. */
	down(rig.last, "bye", 3, CHANNEL_CONTROL_LAST);
	expect_credit(rig.last, 3);
	expect_session_end(rig.last);
	read_bytes(client, got, 3);
	ck_assert_mem_eq(got, "bye", 3);
	expect_eof(client);
	rdy__fd_close(client);
	rig_stop();
}
END_TEST

START_TEST(half_close)
{
	char got[8];
	int client;

	start();
	client = connect_with(0);
	say_bytes(client, "call", 4);
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	expect_data(rig.last, "call", 4);
	expect_last(rig.last);
	/* Said once, and nothing wakes us for it again. */
	expect_silence();
	down(rig.last, "reply", 5, 0);
	read_bytes(client, got, 5);
	ck_assert_mem_eq(got, "reply", 5);
	expect_credit(rig.last, 5);
	end_from_above(client, rig.last);
	rig_stop();
}
END_TEST

/* A waiting poll is not woken again and again by an end that is known. */
START_TEST(an_end_that_is_known)
{
	uint64_t before;
	int client;

	start();
	client = connect_with(0);
	shutdown(client, SHUT_WR);
	expect_last(rig.last);
	before = rig.agent.reactor.counters.wakeups;
	for (int i = 0; i < 10; i++)
		agent_round(&rig.agent, RDY__NS_PER_MS);
	ck_assert_uint_eq(rig.agent.reactor.counters.wakeups, before);
	end_from_above(client, rig.last);
	rig_stop();
}
END_TEST

/* Everything that was said goes up before the end does. */
START_TEST(a_peer_that_is_gone)
{
	int client;

	start();
	client = connect_with(0);
	say_bytes(client, "call", 4);
	rdy__fd_close(client);
	expect_data(rig.last, "call", 4);
	expect_last(rig.last);
	/* Nobody hears the reply: that is the end. */
	down(rig.last, "reply", 5, 0);
	expect_session_end(rig.last);
	rig_stop();
}
END_TEST

static uint32_t rise(uint8_t *bytes, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(seed++ * 2654435761u >> 24);
	return seed;
}

/* As much as the socket takes. Returns how much that was. */
static uint32_t fill(int client, uint32_t seed)
{
	uint32_t all = 0;
	uint8_t bytes[1000];

	for (;;) {
		ssize_t n;

		rise(bytes, sizeof(bytes), seed + all);
		n = send(client, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return all;
		all += (uint32_t)n;
	}
}

/* So many bytes of the stream in as many messages as it takes. */
static void expect_stream(uint64_t session, uint32_t seed, uint32_t from, uint32_t n)
{
	uint8_t want[PUMP_READ_BYTES];

	while (n) {
		struct channel_message m = rig_hear();

		ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
		ck_assert_uint_eq(m.u.control.session, session);
		ck_assert_uint_le(m.n_data, n);
		ck_assert_uint_le(m.n_data, PUMP_READ_BYTES);
		rise(want, m.n_data, seed + from);
		ck_assert_mem_eq(m.data, want, m.n_data);
		from += (uint32_t)m.n_data;
		n -= (uint32_t)m.n_data;
	}
}

START_TEST(the_window_upward)
{
	uint32_t all;
	int client;

	start();
	client = connect_with(0);
	all = fill(client, 1);
	ck_assert_uint_gt(all, WINDOW + 10000);
	expect_stream(rig.last, 1, 0, WINDOW);
	expect_silence();
	credit(rig.last, 1);
	expect_stream(rig.last, 1, WINDOW, 1);
	expect_silence();
	credit(rig.last, 6000);
	expect_stream(rig.last, 1, WINDOW + 1, 6000);
	expect_silence();
	credit(rig.last, WINDOW);
	all -= WINDOW + 6001;
	if (all > WINDOW)
		all = WINDOW;
	expect_stream(rig.last, 1, WINDOW + 6001, all);
	end_from_above(client, rig.last);
	rig_stop();
}
END_TEST

static int session_of_another(void)
{
	const struct channel_message m = {
		.type = CHANNEL_SESSION,
		.u.session = {.session = ++rig.last, .uid = 1000, .gid = 1000, .pid = 4711},
	};
	int sv[2];

	rig_pair(sv);
	rig_send(&m, &sv[1], 1);
	rdy__fd_close(sv[1]);
	return sv[0];
}

/*
 * A supervisor that does not read: next to nothing waits in the agent, and in the end all of it has come, in
 * order. Others come in between and end.
 */
START_TEST(a_full_channel)
{
	enum { N = 40 };
	uint32_t all[N], got[N] = {0}, n_ended = 0;
	int clients[N], session;
	uint64_t first;

	start();
	first = rig.last + 1;
	for (int i = 0; i < N; i++)
		clients[i] = connect_with(0);
	for (int i = 0; i < N; i++) {
		all[i] = fill(clients[i], (uint32_t)i);
		if (all[i] > WINDOW)
			all[i] = WINDOW;
	}
	for (int i = 0; i < 200; i++)
		agent_round(&rig.agent, 0);
	ck_assert(!outbox_is_free(&rig.agent));
	ck_assert_uint_le(rig.agent.outbox.n, 1);
	/* Those who go are said so behind it. */
	for (int i = 0; i < 5; i++)
		down(first + (uint64_t)i, NULL, 0, CHANNEL_CONTROL_LAST);
	session = session_of_another();
	for (int i = 0; i < 50; i++)
		agent_round(&rig.agent, 0);
	ck_assert_uint_le(rig.agent.outbox.n, 1 + 5 + 1);
	for (bool done = false; !done;) {
		struct channel_message m = rig_hear();
		uint64_t i = m.u.control.session - first;
		uint8_t want[PUMP_READ_BYTES];

		if (m.type == CHANNEL_TAKEN)
			continue;
		if (m.type == CHANNEL_SESSION_END) {
			ck_assert_uint_lt(m.u.session.session - first, 5);
			n_ended++;
		} else {
			ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
			ck_assert_uint_lt(i, N);
			rise(want, m.n_data, (uint32_t)i + got[i]);
			ck_assert_mem_eq(m.data, want, m.n_data);
			got[i] += (uint32_t)m.n_data;
		}
		done = n_ended == 5;
		for (int k = 5; k < N; k++)
			done &= got[k] == all[k];
	}
	leave(session);
	for (int i = 0; i < 5; i++)
		rdy__fd_close(clients[i]);
	for (int i = 5; i < N; i++)
		end_from_above(clients[i], first + (uint64_t)i);
	rig_stop();
}
END_TEST

static void expect_failure(void)
{
	int status;

	for (int i = 0; i < RIG_ROUNDS && !atomic_load(&rig.agent.done); i++)
		rig_turn();
	ck_assert_int_eq(atomic_load(&rig.agent.status), EXIT_FAILURE);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}

/* A client that does not read: the window is kept for it, and not a byte more. */
START_TEST(the_window_downward)
{
	static uint8_t bytes[WINDOW], got[WINDOW];
	uint32_t written = 0, sent = 0;
	struct channel_message m;
	int client;

	start();
	client = connect_with(4096);
	rise(bytes, sizeof(bytes), 7);
	/* Up to a full window that is not given back. */
	while (sent - written < WINDOW) {
		uint32_t n = WINDOW - (sent - written);
		uint8_t part[8192];

		n = n < sizeof(part) ? n : sizeof(part);
		rise(part, n, 7 + sent);
		down(rig.last, part, n, 0);
		sent += n;
		for (int i = 0; i < 3; i++)
			rig_turn();
		for (;;) {
			uint8_t buf[64];
			struct rdy__received r;
			int fds[RDY__FDS_MAX];

			if (rdy__recv_fds(rig.channel, buf, sizeof(buf), fds, 0, &r) < 0)
				break;
			ck_assert_int_eq(channel_decode(buf, r.n_bytes, 0, &m), 0);
			ck_assert_uint_eq(m.type, CHANNEL_CONTROL_CREDIT);
			written += m.u.control.n_bytes;
		}
	}
	ck_assert_uint_lt(written, 20000);
	/* It reads: all of it is there, in order, and given back. */
	for (uint32_t at = 0; at < sent;) {
		uint32_t n = sent - at < WINDOW ? sent - at : WINDOW;

		read_bytes(client, got, n);
		rise(bytes, n, 7 + at);
		ck_assert_mem_eq(got, bytes, n);
		at += n;
	}
	while (written < sent) {
		m = rig_hear();
		ck_assert_uint_eq(m.type, CHANNEL_CONTROL_CREDIT);
		written += m.u.control.n_bytes;
	}
	ck_assert_uint_eq(written, sent);
	ck_assert_ptr_null(rig.agent.pumps.slots[0]->down);
	end_from_above(client, rig.last);
	rig_stop();
}
END_TEST

START_TEST(last_waits_for_what_is_written)
{
	uint8_t got[CHANNEL_DATA_MAX], want[CHANNEL_DATA_MAX];
	struct channel_message m;
	int client;

	start();
	client = connect_with(4096);
	rise(want, sizeof(want), 3);
	down(rig.last, want, sizeof(want), CHANNEL_CONTROL_LAST);
	for (int i = 0; i < 5; i++)
		rig_turn();
	ck_assert_uint_eq(rig.agent.pumps.n, 1);
	read_bytes(client, got, sizeof(got));
	ck_assert_mem_eq(got, want, sizeof(got));
	do
		m = rig_hear();
	while (m.type == CHANNEL_CONTROL_CREDIT);
	ck_assert_uint_eq(m.type, CHANNEL_SESSION_END);
	expect_eof(client);
	rdy__fd_close(client);
	rig_stop();
}
END_TEST

/* It called, does not read, and goes: nothing of it stays. */
START_TEST(gone_while_output_waits)
{
	uint8_t bytes[CHANNEL_DATA_MAX] = {0};
	struct channel_message m;
	int client;

	start();
	client = connect_with(4096);
	down(rig.last, bytes, sizeof(bytes), 0);
	for (int i = 0; i < 5; i++)
		rig_turn();
	ck_assert(rig.agent.pumps.slots[0]->blocked);
	rdy__fd_close(client);
	do
		m = rig_hear();
	while (m.type == CHANNEL_CONTROL_CREDIT || m.type == CHANNEL_CONTROL_DATA);
	ck_assert_uint_eq(m.type, CHANNEL_SESSION_END);
	rig_stop();
}
END_TEST

START_TEST(more_than_the_window)
{
	uint8_t bytes[CHANNEL_DATA_MAX] = {0};
	int client;

	rig_mark();
	start();
	client = connect_with(4096);
	/* At once, so that nothing can be given back in between. */
	down(rig.last, bytes, sizeof(bytes), 0);
	down(rig.last, bytes, sizeof(bytes), 0);
	down(rig.last, bytes, 1, 0);
	expect_failure();
	rdy__fd_close(client);
	rig_sweep();
}
END_TEST

START_TEST(a_credit_for_nothing)
{
	int client;

	rig_mark();
	start();
	client = connect_with(0);
	say_bytes(client, "four", 4);
	expect_data(rig.last, "four", 4);
	credit(rig.last, 5);
	expect_failure();
	rdy__fd_close(client);
	rig_sweep();
}
END_TEST

START_TEST(after_the_last_word)
{
	uint8_t bytes[CHANNEL_DATA_MAX] = {0};
	int client;

	rig_mark();
	start();
	client = connect_with(4096);
	down(rig.last, bytes, sizeof(bytes), CHANNEL_CONTROL_LAST);
	down(rig.last, bytes, 1, 0);
	expect_failure();
	rdy__fd_close(client);
	rig_sweep();
}
END_TEST

/* Words that cross the end of a connection. */
START_TEST(unknown_numbers)
{
	int client;

	start();
	client = connect_with(0);
	down(rig.last + 100, "x", 1, 0);
	credit(rig.last + 100, 17);
	down(rig.last + 100, NULL, 0, CHANNEL_CONTROL_LAST);
	rig_send(&(struct channel_message){.type = CHANNEL_KICK, .u.session = {.session = 4711}},
		NULL, 0);
	expect_silence();
	end_from_above(client, rig.last);
	down(rig.last, "x", 1, 0);
	credit(rig.last, 17);
	expect_silence();
	rig_stop();
}
END_TEST

static void send_with(int client, const int *fds, size_t n)
{
	ck_assert_int_eq(rdy__send_fds(client, "{", 1, fds, n), 0);
}

/* Where the kernel lets descriptors through, they end the connection, and each of them is closed. */
START_TEST(descriptors)
{
	int client, fds[RDY__FDS_MAX], pipes[2], null;

	start();
	rig_mark();
	client = connect_with(0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	for (size_t i = 0; i < RDY__FDS_MAX; i++)
		fds[i] = pipes[i % 2];
	/* Before the first one nothing is wrong; behind it there are more. */
	say_bytes(client, "ok", 2);
	expect_data(rig.last, "ok", 2);
	for (int i = 0; i < 20; i++)
		send_with(client, fds, RDY__FDS_MAX);
	expect_session_end(rig.last);
	expect_eof(client);
	rdy__fd_close(client);
	close_pair(pipes);
	rig_settle(0);
	/* What has a path may block whoever closes it. */
	client = connect_with(0);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	send_with(client, &null, 1);
	expect_session_end(rig.last);
	rdy__fd_close(null);
	rdy__fd_close(client);
	/* It goes away with the process: the agent asks for that. */
	rig_expect(CHANNEL_IDLE);
	rig_settle(1);
	ck_assert_uint_eq(rig_sweep(), 1);
	quota_release(&rig.agent.descriptors, 1);
	rig.agent.n_quarantined = 0;
	rig_stop();
}
END_TEST

START_TEST(a_pidfd)
{
	int sv[2], pidfd;

	start();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	pidfd = eventfd(0, EFD_CLOEXEC);
	hand_over(sv[1], pidfd);
	rdy__fd_close(sv[1]);
	rdy__fd_close(pidfd);
	expect_taken();
	say_bytes(sv[0], "x", 1);
	expect_data(rig.last, "x", 1);
	end_from_above(sv[0], rig.last);
	rig_stop();
}
END_TEST

START_TEST(kicked)
{
	int client;

	start();
	client = connect_with(0);
	rig_send(
		&(struct channel_message){.type = CHANNEL_KICK, .u.session = {.session = rig.last}},
		NULL, 0);
	expect_session_end(rig.last);
	expect_eof(client);
	rdy__fd_close(client);
	rig_stop();
}
END_TEST

/* An agent with a control connection is not idle. */
START_TEST(not_idle)
{
	struct channel_config config = rig_config();
	int client;

	config.idle_exit_ns = 0;
	rig_start(&config);
	rig_expect(CHANNEL_IDLE);
	client = connect_with(0);
	expect_silence();
	down(rig.last, NULL, 0, CHANNEL_CONTROL_LAST);
	expect_session_end(rig.last);
	rig_expect(CHANNEL_IDLE);
	rdy__fd_close(client);
	rig_stop();
}
END_TEST

/* A new supervisor on the same channel knows nothing of them: they end, and it hears nothing of that. */
START_TEST(another_supervisor)
{
	const struct channel_message adopt = {.type = CHANNEL_ADOPT, .u.adopt = {.epoch = 5}};
	uint64_t session;
	int clients[3];

	start();
	for (int i = 0; i < 3; i++)
		clients[i] = connect_with(i == 2 ? 4096 : 0);
	session = rig.last;
	say_bytes(clients[0], "half a call", 11);
	rig_send(&adopt, NULL, 0);
	for (struct channel_message m = rig_hear(); m.type != CHANNEL_SNAPSHOT; m = rig_hear())
		ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	for (int i = 0; i < 3; i++) {
		expect_eof(clients[i]);
		rdy__fd_close(clients[i]);
	}
	down(session, "x", 1, 0); /* nobody's any more */
	expect_silence();
	rig_settle(0);
	/* The number may come again. */
	rig.last = 0;
	clients[0] = connect_with(0);
	end_from_above(clients[0], rig.last);
	rig_stop();
}
END_TEST

/* END, and a process that ends with connections open. */
START_TEST(the_end)
{
	int client, status;

	start();
	client = connect_with(0);
	rig_send(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	while (!atomic_load(&rig.agent.done))
		rig_turn();
	ck_assert_int_eq(atomic_load(&rig.agent.status), 0);
	agent_deinit(&rig.agent);
	expect_eof(client);
	rdy__fd_close(client);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

/* Slots are used again, and an event of who had one before is nobody's. */
START_TEST(slots)
{
	int clients[20];
	uint64_t first;

	start();
	for (int round = 0; round < 3; round++) {
		first = rig.last + 1;
		for (int i = 0; i < 20; i++)
			clients[i] = connect_with(0);
		for (int i = 0; i < 20; i++)
			say_bytes(clients[i], "x", 1);
		for (int i = 0; i < 20; i++) {
			struct channel_message m = rig_hear();

			ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
		}
		for (int i = 0; i < 20; i++)
			end_from_above(clients[i], first + (uint64_t)i);
		ck_assert_uint_le(rig.agent.pumps.n_slots, 32);
	}
	pump_event(&rig.agent, TOKEN(TOKEN_CONTROL, 0, 0), RDY_READABLE);
	pump_event(&rig.agent, TOKEN(TOKEN_CONTROL, 4711, 0), RDY_READABLE);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/pump", both_ways, half_close, an_end_that_is_known, a_peer_that_is_gone,
	the_window_upward, a_full_channel, the_window_downward, last_waits_for_what_is_written,
	gone_while_output_waits, more_than_the_window, a_credit_for_nothing, after_the_last_word,
	unknown_numbers, descriptors, a_pidfd, kicked, not_idle, another_supervisor, the_end, slots)
