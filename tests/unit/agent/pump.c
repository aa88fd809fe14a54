/* SPDX-License-Identifier: MIT */
/* Control connections: bytes both ways, within their windows, and how a connection ends. */
#include "outbox.h"
#include "pump_rig.h"

#define WINDOW CHANNEL_CONTROL_WINDOW

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
 * Invariant: PUMP-1
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

UNIT_MAIN("agent/pump", both_ways, half_close, an_end_that_is_known, a_peer_that_is_gone,
	the_window_upward, a_full_channel, the_window_downward, last_waits_for_what_is_written,
	gone_while_output_waits)
