/* SPDX-License-Identifier: MIT */
/* Level with its acknowledgements, and pauses, against a peer that counts every frame. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "peer.h"
#include "unit.h"

static struct peer peer;
static struct rdy_client *client;
static int pipes[4][2];

static void setup(void)
{
	unit_setup();
	peer_start(&peer);
	client = peer_client(&peer, NULL);
	for (int i = 0; i < 4; i++)
		make_pipe(pipes[i]);
}

static void teardown(void)
{
	client = rdy_client_free(client);
	peer_stop(&peer);
	for (int i = 0; i < 8; i++)
		close(pipes[i / 2][i % 2]);
	unit_teardown();
}

static struct wire_rearm one_rearm(void)
{
	struct wire_rearm r;
	struct got g;

	peer_recv(&peer, &g, WIRE_REARM, 1);
	wire_get_rearm(&g.frame, 0, &r);
	return r;
}

static uint64_t level(int i, uint64_t id)
{
	return live(&peer, client, pipes[i][0], (uint64_t)i, RDY_LEVEL, id);
}

static void comes_back(void)
{
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	peer_accept_again(&peer, client);
	peer_welcome(&peer);
}

START_TEST(hello_asks_for_them)
{
	ck_assert_uint_eq(peer.hello.features, WIRE_FEATURE_EDGE | WIRE_FEATURE_ONESHOT |
						       WIRE_FEATURE_LEVEL | WIRE_FEATURE_DEADLINE);
}
END_TEST

START_TEST(acknowledged_when_taken)
{
	struct rdy_client_event e;
	struct wire_rearm r;
	uint64_t h = level(0, 900);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_ACK, 1);
	dispatch_until(client, 1);
	/* It was not taken: nothing is owed, however often the library runs. */
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	peer_expect_silence(&peer);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_uint_eq(e.flags, 0);
	/* Owed now, and sent with the next dispatch: until then the user deals with the event. */
	peer_expect_silence(&peer);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	r = one_rearm();
	ck_assert_uint_eq(r.id, 900);
	ck_assert_uint_eq(r.seq, 1);
	ck_assert(!readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
	/* The level is still up: again, by the wait itself. */
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_ACK, 2);
	wait_one(client);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 0), 0);
	ck_assert_uint_eq(one_rearm().seq, 2);
	/* A rearm of the user's is one too many, and harmless. */
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
}
END_TEST

START_TEST(acknowledged_together)
{
	struct wire_rearm r;
	struct got g;
	uint64_t h[4];

	for (int i = 0; i < 4; i++)
		h[i] = level(i, 900 + (uint64_t)i);
	for (int i = 0; i < 4; i++)
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, WIRE_EVENT_ACK, 5);
	dispatch_until(client, 4);
	for (int i = 0; i < 3; i++) {
		struct rdy_client_event e;

		ck_assert_int_eq(rdy_client_next(client, &e), 1);
	}
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	peer_recv(&peer, &g, WIRE_REARM, 3);
	for (uint32_t i = 0; i < 3; i++) {
		wire_get_rearm(&g.frame, i, &r);
		ck_assert_uint_eq(r.id, 900 + i);
		ck_assert_uint_eq(r.seq, 5);
	}
}
END_TEST

/* What ends or changes a registration takes its acknowledgement along. */
START_TEST(no_acknowledgement_of_the_dead)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h[3];

	for (int i = 0; i < 3; i++) {
		h[i] = level(i, 900 + (uint64_t)i);
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE,
			i == 2 ? WIRE_EVENT_ACK | WIRE_EVENT_ENDED : WIRE_EVENT_ACK, 1);
	}
	dispatch_until(client, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert(e.flags & RDY_CLIENT_ENDED);
	ck_assert_int_eq(rdy_client_deregister(client, h[0]), 0);
	ck_assert_int_eq(rdy_client_modify(client, h[1], RDY_WRITABLE, RDY_LEVEL), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_expect_silence(&peer);
}
END_TEST

/* Over a reconnect it is registered armed, so nothing has to be acknowledged, and nothing is lost. */
START_TEST(level_comes_back_armed)
{
	struct wire_register r;
	struct rdy_client_event e;
	struct got g;
	uint64_t h = level(0, 900), h1 = level(1, 901);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_ACK, 4);
	peer_event(&peer, h1, 901, RDY_READABLE, WIRE_EVENT_ACK, 4);
	dispatch_until(client, 2);
	ck_assert_int_eq(rdy_client_next(client, &e), 1); /* owed */
	comes_back();
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 2);
	for (uint32_t i = 0; i < 2; i++) {
		wire_get_register(&g.frame, i, &r);
		ck_assert_uint_eq(r.mode, WIRE_LEVEL);
		ck_assert_uint_eq(r.flags, 0);
	}
	peer_answer(&peer, &g, 700);
	dispatch_until(client, 3);
	peer_expect_silence(&peer);
	/* What was not taken before is still there, and owes nothing of the new session. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
	peer_event(&peer, h1, 701, RDY_READABLE, WIRE_EVENT_ACK, 1);
	wait_one(client);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_uint_eq(one_rearm().id, 701);
}
END_TEST

START_TEST(a_pause_is_told)
{
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_PAUSED, 1);
	ck_assert_uint_eq(wait_one(client).flags, RDY_CLIENT_PAUSED);
}
END_TEST

/* Modes that were replaced while their event was on its way. */
START_TEST(modes_cross)
{
	struct wire_register r;
	struct got g;
	uint64_t h = level(0, 900);

	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_ONESHOT), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_ACK, 1);
	peer_answer(&peer, &g, 900);
	wait_one(client);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
	/* Nobody was told that it is disarmed, so it comes back armed. */
	comes_back();
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	wire_get_register(&g.frame, 0, &r);
	ck_assert_uint_eq(r.mode, WIRE_ONESHOT);
	ck_assert_uint_eq(r.flags, 0);
}
END_TEST

/* An acknowledgement that could not be sent yet names the newest event, or none. */
START_TEST(acknowledgement_of_the_newest)
{
	uint64_t h = level(0, 900);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_ACK, 1);
	wait_one(client);
	/* A kept one may hang up while it waits for the acknowledgement: that event is owed another. */
	peer_event(&peer, h, 900, RDY_READ_CLOSED | RDY_WRITE_CLOSED, WIRE_EVENT_ACK, 2);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_uint_eq(one_rearm().seq, 1); /* was sent first */
	take_one(client);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_uint_eq(one_rearm().seq, 2);
}
END_TEST

/* Sync has acknowledged when it returns. */
START_TEST(sync_acknowledges)
{
	uint8_t b[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	struct got g;
	uint64_t h = level(0, 900);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_ACK, 1);
	wait_one(client);
	ck_assert_int_eq(rdy_client_sync(client, 0), -ETIMEDOUT);
	ck_assert_uint_eq(one_rearm().seq, 1);
	peer_recv(&peer, &g, WIRE_PING, 1);
	wire_put_ping(b, wire_get_ping(&g.frame));
	peer_send(&peer, b, wire_put_header(b, WIRE_PONG, g.frame.header.serial, 1));
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	peer_expect_silence(&peer);
}
END_TEST

UNIT_MAIN_WITH("client/modes", setup, teardown, hello_asks_for_them, acknowledged_when_taken,
	acknowledged_together, no_acknowledgement_of_the_dead, level_comes_back_armed,
	a_pause_is_told, modes_cross, acknowledgement_of_the_newest, sync_acknowledges)
