/* SPDX-License-Identifier: MIT */
/* Control connections of the rig's agent: a client's end, and the supervisor's words about it. */
#ifndef PUMP_RIG_H
#define PUMP_RIG_H

#include "pump.h"
#include "rig.h"

static inline void start(void)
{
	struct channel_config config = rig_config();

	rig_start(&config);
}

static inline void hand_over(int sock, int pidfd)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL,
		.u.session = {.session = ++rig.last, .uid = 1000, .gid = 1000, .pid = 4711},
	};
	const int fds[2] = {sock, pidfd};

	rig_send(&m, fds, pidfd >= 0 ? 2 : 1);
}

static inline void expect_taken(void)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_TAKEN);
	ck_assert_uint_eq(m.u.session.session, rig.last);
}

/* The client's end. size: of the buffer in its direction; 0 = what there is. */
static inline int connect_with(int size)
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

static inline void say_bytes(int client, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(client, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL), n);
}

/* So much of what has been written before; the agent runs meanwhile. */
static inline void read_bytes(int client, void *ret, size_t n)
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

static inline void expect_eof(int client)
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

static inline void down(uint64_t session, const void *bytes, size_t n, uint32_t flags)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_DATA,
		.u.control = {.session = session, .flags = flags},
		.data = bytes,
		.n_data = n,
	};

	rig_send(&m, NULL, 0);
}

static inline void credit(uint64_t session, uint32_t n)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_CREDIT,
		.u.control = {.session = session, .n_bytes = n},
	};

	rig_send(&m, NULL, 0);
}

static inline void expect_data(uint64_t session, const void *bytes, size_t n)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	ck_assert_uint_eq(m.u.control.session, session);
	ck_assert_uint_eq(m.u.control.flags, 0);
	ck_assert_uint_eq(m.n_data, n);
	ck_assert_mem_eq(m.data, bytes, n);
}

static inline void expect_last(uint64_t session)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	ck_assert_uint_eq(m.u.control.session, session);
	ck_assert_uint_eq(m.u.control.flags, CHANNEL_CONTROL_LAST);
	ck_assert_uint_eq(m.n_data, 0);
}

static inline void expect_credit(uint64_t session, uint32_t n)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_CONTROL_CREDIT);
	ck_assert_uint_eq(m.u.control.session, session);
	ck_assert_uint_eq(m.u.control.n_bytes, n);
}

static inline void expect_session_end(uint64_t session)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_SESSION_END);
	ck_assert_uint_eq(m.u.session.session, session);
}

/* Turns in which nothing may come, each of which would have brought it. */
static inline void expect_silence(void)
{
	uint8_t buf[64];

	for (int i = 0; i < 20; i++) {
		rig_turn();
		ck_assert_int_eq(recv(rig.channel, buf, sizeof(buf), MSG_DONTWAIT), -1);
		ck_assert_int_eq(errno, EAGAIN);
	}
}

/* The supervisor's last word, and what comes of it. */
static inline void end_from_above(int take_client, uint64_t session)
{
	down(session, NULL, 0, CHANNEL_CONTROL_LAST);
	expect_session_end(session);
	expect_eof(take_client);
	rdy__fd_close(take_client);
}

#endif
