/* SPDX-License-Identifier: MIT */
/* Level, with its acknowledgements, and deadlines, against a peer that counts every frame. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ready/timer.h"
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

static struct wire_set_deadline one_deadline(bool answer)
{
	struct wire_set_deadline d;
	struct got g;

	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 1);
	wire_get_set_deadline(&g.frame, 0, &d);
	if (answer)
		peer_answer(&peer, &g, d.id);
	return d;
}

static uint64_t level(int i, uint64_t id)
{
	return live(&peer, client, pipes[i][0], (uint64_t)i, RDY_LEVEL, id);
}

/* The peer accepts, and the client, which is dispatched meanwhile, says HELLO again. */
static void comes_back(void)
{
	struct timespec ts = {.tv_nsec = 1000000};

	peer_hang_up(&peer);
	dispatch_until(client, 1);
	for (int i = 0; i < 20000; i++) {
		struct pollfd p = {.fd = peer.listener, .events = POLLIN};

		ck_assert_int_ge(rdy_client_dispatch(client), 0);
		if (poll(&p, 1, 0) == 1) {
			peer_accept(&peer);
			peer_welcome(&peer);
			return;
		}
		nanosleep(&ts, NULL);
	}
	ck_abort_msg("the client does not come back");
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

START_TEST(a_deadline)
{
	struct wire_set_deadline d;
	struct rdy_client_event e;
	int64_t at_ns = rdy_now_ns() + 3600 * RDY__NS_PER_S;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	ck_assert_int_eq(rdy_client_set_deadline(client, h, at_ns, 7), 0);
	ck_assert(readable(client));
	peer_expect_silence(&peer);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	d = one_deadline(true);
	ck_assert_uint_eq(d.id, 900);
	ck_assert_uint_eq(d.idle_ns, 7);
	ck_assert_uint_le(d.at_ns, 3600 * RDY__NS_PER_S);
	ck_assert_uint_gt(d.at_ns, 3500 * RDY__NS_PER_S);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 0);
	e = wait_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_TIMEOUT);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_AT);
	ck_assert_uint_eq(e.token, 1);
	ck_assert_uint_eq(e.handle, h);
	ck_assert_uint_eq(e.ready, 0);
	/* In the past: at once. */
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 1, 0), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_uint_eq(one_deadline(true).at_ns, 1);
	/* Taken back before it was sent: what is sent is the newest. */
	ck_assert_int_eq(rdy_client_set_deadline(client, h, at_ns, 0), 0);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, 0), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	d = one_deadline(true);
	ck_assert_uint_eq(d.at_ns, 0);
	ck_assert_uint_eq(d.idle_ns, 0);
	/* Further than the protocol goes. */
	ck_assert_int_eq(rdy_client_set_deadline(client, h, INT64_MAX, INT64_MAX), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	d = one_deadline(true);
	ck_assert_uint_eq(d.at_ns, WIRE_DEADLINE_MAX_NS);
	ck_assert_uint_eq(d.idle_ns, WIRE_DEADLINE_MAX_NS);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}
END_TEST

/* Before the broker has said the id, it waits; with many, they travel together. */
START_TEST(deadlines_wait_for_the_id)
{
	struct wire_set_deadline d;
	uint64_t h[4];
	struct got g;

	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(rdy_client_register(client, pipes[i][0], (uint64_t)i, RDY_READABLE,
					 RDY_EDGE, 0, &h[i]),
			0);
		ck_assert_int_eq(rdy_client_set_deadline(client, h[i], 0, 10 + i), 0);
	}
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 4);
	peer_expect_silence(&peer);
	peer_answer(&peer, &g, 500);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 4);
	for (uint32_t i = 0; i < 4; i++) {
		wire_get_set_deadline(&g.frame, i, &d);
		ck_assert_uint_eq(d.id, 500 + i);
		ck_assert_uint_eq(d.idle_ns, 10 + i);
	}
	peer_answer(&peer, &g, 500);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	/* Deregistered before it was sent: nobody hears of it. */
	ck_assert_int_eq(rdy_client_set_deadline(client, h[0], 0, 5), 0);
	ck_assert_int_eq(rdy_client_deregister(client, h[0]), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
	peer_expect_silence(&peer);
}
END_TEST

/* A timeout and a readiness that wait are two events of one registration. */
START_TEST(two_events_of_one)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_IDLE, 0);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 1);
	dispatch_until(client, 2);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_TIMEOUT);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_AT | RDY_CLIENT_IDLE);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_uint_eq(e.ready, RDY_READABLE);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
	/* The other order, and both withdrawn by the end. */
	peer_event(&peer, h, 900, RDY_READABLE, 0, 2);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 2);
	dispatch_until(client, 2);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
}
END_TEST

START_TEST(deadlines_come_back)
{
	struct rdy_client_event e;
	struct wire_set_deadline d;
	struct got g;
	uint64_t h[3];

	for (int i = 0; i < 3; i++)
		h[i] = live(&peer, client, pipes[i][0], (uint64_t)i, RDY_EDGE, 900 + (uint64_t)i);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rdy_client_set_deadline(client, h[i],
					 rdy_now_ns() + 1000 * RDY__NS_PER_S, i == 1 ? 33 : 0),
			0);
	}
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 3);
	peer_answer(&peer, &g, 900);
	/* The first has fired, the second, too, but has an idle time; the third is owed. */
	peer_timeout(&peer, h[0], 900, WIRE_TIMEOUT_AT, 0);
	peer_timeout(&peer, h[1], 901, WIRE_TIMEOUT_AT, 0);
	dispatch_until(client, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rdy_client_next(client, &e), 1);
	comes_back();
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 3);
	peer_answer(&peer, &g, 700);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 2);
	for (uint32_t i = 0; i < 2; i++) {
		wire_get_set_deadline(&g.frame, i, &d);
		if (d.idle_ns) {
			ck_assert_uint_eq(d.idle_ns, 33);
			ck_assert_uint_eq(d.at_ns, 0);
		} else {
			ck_assert_uint_gt(d.at_ns, 900 * RDY__NS_PER_S);
			ck_assert_uint_le(d.at_ns, 1000 * RDY__NS_PER_S);
		}
	}
}
END_TEST

START_TEST(a_deadline_that_is_refused)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, 5), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 1);
	peer_refuse(&peer, &g, WIRE_E_OUT_OF_MEMORY);
	e = wait_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e.error, WIRE_E_OUT_OF_MEMORY);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
}
END_TEST

/* An older daemon would end the session at a frame that it does not know: it never gets one. */
START_TEST(an_older_daemon)
{
	uint64_t h;

	peer.welcome.features = WIRE_FEATURE_ONESHOT;
	comes_back();
	ck_assert_int_ge(rdy_client_sync(client, LONG_NS), 0);
	h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, 5), -ENOTSUP);
	ck_assert_int_eq(rdy_client_dispatch(client), 2); /* LOST, RESTORED */
	peer_expect_silence(&peer);
}
END_TEST

START_TEST(bad_arguments)
{
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	ck_assert_int_eq(rdy_client_set_deadline(client, h, -1, 0), -EINVAL);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, -1), -EINVAL);
	ck_assert_int_eq(rdy_client_set_deadline(client, h + 1, 0, 1), -ENOENT);
	ck_assert_int_eq(rdy_client_set_deadline(client, 0, 0, 1), -ENOENT);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, 1), -ENOENT);
}
END_TEST

UNIT_MAIN_WITH("client/modes", setup, teardown, hello_asks_for_them, acknowledged_when_taken,
	acknowledged_together, no_acknowledgement_of_the_dead, level_comes_back_armed,
	a_pause_is_told, a_deadline, deadlines_wait_for_the_id, two_events_of_one,
	deadlines_come_back, a_deadline_that_is_refused, an_older_daemon, bad_arguments)
