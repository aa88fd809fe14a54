/* SPDX-License-Identifier: MIT */
/*
 * A client of raw frames. Waiting for the agent is rig_turn()'s affair: it runs one that lives in this
 * process, or waits for one that does not.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"
#include "wire/wire.h"

#define RIG_ROUNDS 4000 /* of at most 5 ms: far longer than anything here takes */

/* Supplied by the test. */
static void rig_turn(void);

/* A frame as a client reads it. */
struct answer {
	struct wire_frame f;
	uint8_t buf[WIRE_FRAME_MAX];
};

static inline void say(int client, const void *buf, size_t n, const int *fds, size_t n_fds)
{
	ck_assert_int_eq(rdy__send_fds(client, buf, n, fds, n_fds), 0);
}

static inline void read_frame(int client, struct answer *ret)
{
	uint32_t detail;

	for (int i = 0; i < RIG_ROUNDS; i++) {
		ssize_t n = recv(client, ret->buf, sizeof(ret->buf), MSG_DONTWAIT);

		if (n > 0) {
			ck_assert_int_eq(
				wire_decode_reply(ret->buf, (size_t)n, 0, &ret->f, &detail),
				WIRE_OK);
			return;
		}
		ck_assert_msg(n < 0 && errno == EAGAIN, "the session has ended");
		rig_turn();
	}
	ck_abort_msg("the agent does not answer");
}

static inline void expect_type(int client, enum wire_type type, struct answer *ret)
{
	read_frame(client, ret);
	ck_assert_uint_eq(ret->f.header.type, type);
}

static inline size_t make_hello(uint8_t *buf)
{
	const struct wire_hello h = {.version_min = 1,
		.version_max = 1,
		.features = WIRE_FEATURE_ONESHOT | WIRE_FEATURE_EDGE | WIRE_FEATURE_LEVEL |
			    WIRE_FEATURE_DEADLINE,
		.name = "a test"};

	wire_put_hello(buf, &h);
	return wire_put_header(buf, WIRE_HELLO, 1, 1);
}

/* REGISTER one; returns its result. */
static inline struct wire_result try_register(
	int client, int fd, uint64_t cookie, uint16_t interest, uint8_t mode, uint8_t flags)
{
	const struct wire_register q = {
		.cookie = cookie, .interest = interest, .mode = mode, .flags = flags};
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	wire_put_register(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 2, 1), &fd, 1);
	expect_type(client, WIRE_REGISTERED, &a);
	ck_assert_uint_eq(a.f.header.serial, 2);
	wire_get_result(&a.f, 0, &r);
	return r;
}

static inline uint64_t do_register(int client, int fd, uint64_t cookie, uint8_t mode, uint8_t flags)
{
	struct wire_result r = try_register(client, fd, cookie, WIRE_READABLE, mode, flags);

	ck_assert_str_eq(wire_error_name(r.error), wire_error_name(WIRE_OK));
	ck_assert_uint_ne(r.id, 0);
	return r.id;
}

static inline void say_rearm(int client, uint64_t id, uint32_t seq)
{
	const struct wire_rearm q = {.id = id, .seq = seq};
	uint8_t buf[64];

	wire_put_rearm(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REARM, 3, 1), NULL, 0);
}

static inline uint32_t do_deregister(int client, uint64_t id)
{
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	wire_put_deregister(buf, 0, id);
	say(client, buf, wire_put_header(buf, WIRE_DEREGISTER, 4, 1), NULL, 0);
	expect_type(client, WIRE_DEREGISTERED, &a);
	wire_get_result(&a.f, 0, &r);
	ck_assert_uint_eq(r.id, id);
	return r.error;
}

static inline uint32_t do_modify(
	int client, uint64_t id, uint16_t interest, uint8_t mode, uint8_t flags)
{
	const struct wire_modify q = {.id = id, .interest = interest, .mode = mode, .flags = flags};
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	wire_put_modify(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_MODIFY, 5, 1), NULL, 0);
	expect_type(client, WIRE_MODIFIED, &a);
	wire_get_result(&a.f, 0, &r);
	return r.error;
}

/* PING and its answer: everything said before has been dealt with, and nothing else was answered. */
static inline void nothing_but_pong(int client)
{
	struct answer a;
	uint8_t buf[64];

	rig_turn();
	rig_turn();
	wire_put_ping(buf, 77);
	say(client, buf, wire_put_header(buf, WIRE_PING, 6, 1), NULL, 0);
	expect_type(client, WIRE_PONG, &a);
	ck_assert_uint_eq(wire_get_ping(&a.f), 77);
}

/* A REARM that names nothing of the session's: one ERROR, and the session goes on. */
static inline void expect_rearm_refused(int client)
{
	struct wire_error_record e;
	struct answer a;

	rig_turn();
	expect_type(client, WIRE_ERROR, &a);
	wire_get_error(&a.f, &e);
	ck_assert_uint_eq(e.error, WIRE_E_REGISTRATION_UNKNOWN);
	ck_assert(!e.fatal);
	nothing_but_pong(client);
}

static inline struct wire_event expect_event(int client)
{
	struct wire_event e;
	struct answer a;

	expect_type(client, WIRE_EVENTS, &a);
	ck_assert_uint_eq(a.f.header.count, 1);
	wire_get_event(&a.f, 0, &e);
	return e;
}

static inline void close_pair(int p[2])
{
	p[0] = rdy__fd_close(p[0]);
	p[1] = rdy__fd_close(p[1]);
}

#endif
