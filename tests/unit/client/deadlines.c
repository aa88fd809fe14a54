/* SPDX-License-Identifier: MIT */
/* Deadlines, and that they live on, against a peer that counts every frame. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "peer.h"
#include "ready/timer.h"
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

static void take_all(void)
{
	struct rdy_client_event e;

	while (rdy_client_next(client, &e) == 1)
		;
}

static void comes_back(void)
{
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	peer_accept_again(&peer, client);
	peer_welcome(&peer);
}

static void set_and_answer(uint64_t h, int64_t at_ns, int64_t idle_ns)
{
	ck_assert_int_eq(rdy_client_set_deadline(client, h, at_ns, idle_ns), 0);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	one_deadline(true);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}

/* After comes_back(), with one registration: it is handed over, and what it gets. Both are answered. */
static struct wire_set_deadline restored_deadline(uint64_t id)
{
	struct rdy_client_event e;
	struct wire_set_deadline d;
	struct got g;

	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, id);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	d = one_deadline(true);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	while (rdy_client_next(client, &e) == 1)
		ck_assert_uint_eq(e.handle, 0); /* LOST, RESTORED */
	return d;
}

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

/* A timeout and a readiness that wait are two events of one registration, readiness first. */
START_TEST(two_events_of_one)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	set_and_answer(h, rdy_now_ns() + 1000 * RDY__NS_PER_S, 5);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 0);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_IDLE, 0);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT,
		1); /* it had fired: of no registration that is sane */
	dispatch_until(client, 2);
	/* A new interest is no reason to forget the moment. */
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_uint_eq(e.ready, RDY_READABLE);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_EDGE), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_TIMEOUT);
	/* It is not idle any more. */
	ck_assert_uint_eq(e.flags, RDY_CLIENT_AT);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_answer(&peer, &g, 900);
	/* The other order, and both withdrawn by the end. */
	peer_event(&peer, h, 900, RDY_READABLE, 0, 2);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_IDLE, 2);
	dispatch_until(client, 2);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
}
END_TEST

/* The end of a registration is its last event. */
START_TEST(nothing_after_the_end)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	set_and_answer(h, 1, 5);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE, 0);
	peer_event(&peer, h, 900, RDY_ERROR, WIRE_EVENT_ENDED, 1);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_IDLE, 1);
	dispatch_until(client, 1);
	e = take_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_ENDED);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, 1), -ENOENT);
	ck_assert(!readable(client));
}
END_TEST

/* What was set is told, what it replaced is not, whatever is on its way. */
/* Invariant: DEADLINE-1 */
START_TEST(deadlines_cross)
{
	struct rdy_client_event e;
	struct wire_set_deadline d;
	struct got g[2];
	int64_t at_ns = rdy_now_ns() + 1000 * RDY__NS_PER_S;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	/* Nobody has asked. */
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	set_and_answer(h, 1, 5);
	/* Read, and then replaced. */
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 0);
	dispatch_until(client, 1);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, at_ns, 5), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
	/* Replaced, and then read: before it is sent, and before each of two answers. */
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_IDLE, 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g[0], WIRE_SET_DEADLINE, 1);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, at_ns, 6), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g[1], WIRE_SET_DEADLINE, 1);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT, 0);
	peer_answer(&peer, &g[0], 900);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE, 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_answer(&peer, &g[1], 900);
	/* Bits that a newer daemon may send are none of these. */
	peer_timeout(&peer, h, 900, 0x8000, 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_timeout(&peer, h, 900, WIRE_TIMEOUT_IDLE | 0x8000, 0);
	dispatch_until(client, 1);
	ck_assert_uint_eq(take_one(client).flags, RDY_CLIENT_IDLE);
	/* And what crossed is not forgotten either: it is set anew after a reconnect. */
	comes_back();
	d = restored_deadline(700);
	ck_assert_uint_gt(d.at_ns, 900 * RDY__NS_PER_S);
	ck_assert_uint_eq(d.idle_ns, 0); /* told, and nothing happened since */
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
		ck_assert_int_eq(
			rdy_client_set_deadline(client, h[i], rdy_now_ns() + 1000 * RDY__NS_PER_S,
				i == 1 ? 33 * RDY__NS_PER_S : 0),
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
			ck_assert_uint_le(d.idle_ns, 33 * RDY__NS_PER_S);
			ck_assert_uint_gt(d.idle_ns, 3 * RDY__NS_PER_S);
			ck_assert_uint_eq(d.at_ns, 0);
		} else {
			ck_assert_uint_gt(d.at_ns, 900 * RDY__NS_PER_S);
			ck_assert_uint_le(d.at_ns, 1000 * RDY__NS_PER_S);
		}
	}
}
END_TEST

/* The rest of an idle time is what the next session gets, and the whole when there is life again. */
START_TEST(an_idle_time_comes_back)
{
	const int64_t idle_ns = 1000 * RDY__NS_PER_S;
	struct wire_set_deadline d;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	set_and_answer(h, 0, idle_ns);
	comes_back();
	d = restored_deadline(700);
	ck_assert_uint_lt(d.idle_ns, idle_ns);
	ck_assert_uint_gt(d.idle_ns, idle_ns / 2);
	comes_back();
	ck_assert_uint_lt(restored_deadline(701).idle_ns, d.idle_ns);
	/* Over while the short one holds: once. */
	peer_timeout(&peer, h, 701, WIRE_TIMEOUT_IDLE, 0);
	ck_assert_uint_eq(wait_one(client).flags, RDY_CLIENT_IDLE);
	/* Over and told: nothing for the next session, until there is readiness. */
	comes_back();
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 702);
	dispatch_until(client, 2);
	take_all();
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
	peer_event(&peer, h, 702, RDY_READABLE, WIRE_EVENT_DISARMED, 1);
	ck_assert_uint_eq(wait_one(client).type, RDY_CLIENT_READY);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_uint_eq(one_deadline(true).idle_ns, idle_ns);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	/* The next readiness is nothing to be told, the broker knows it all. */
	peer_event(&peer, h, 702, RDY_READABLE, WIRE_EVENT_DISARMED, 2);
	wait_one(client);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
	/* What the user does to it is life as well. */
	comes_back();
	ck_assert_uint_lt(restored_deadline(703).idle_ns, idle_ns);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_uint_eq(one_rearm().id, 703);
	ck_assert_uint_eq(one_deadline(true).idle_ns, idle_ns);
	comes_back();
	ck_assert_uint_lt(restored_deadline(704).idle_ns, idle_ns);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_answer(&peer, &g, 704);
	ck_assert_uint_eq(one_deadline(true).idle_ns, idle_ns);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}
END_TEST

/* A moment that passed while there was no connection is told by the next session at once. */
START_TEST(a_moment_without_connection)
{
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	/* Of the first session it was never heard. */
	set_and_answer(h, rdy_now_ns(), 0);
	comes_back();
	ck_assert_uint_eq(restored_deadline(700).at_ns, 1);
	peer_timeout(&peer, h, 700, WIRE_TIMEOUT_AT, 0);
	ck_assert_uint_eq(wait_one(client).flags, RDY_CLIENT_AT);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
}
END_TEST

/* Set and taken back between two sessions, and set while the registration waits for its id. */
START_TEST(deadlines_without_connection)
{
	struct rdy_client_event e;
	struct wire_set_deadline d;
	struct got g;
	uint64_t h[2];

	for (int i = 0; i < 2; i++)
		h[i] = live(&peer, client, pipes[i][0], (uint64_t)i, RDY_EDGE, 900 + (uint64_t)i);
	set_and_answer(h[0], 0, 1000);
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	ck_assert_int_eq(rdy_client_set_deadline(client, h[0], 0, 0), 0);
	ck_assert_int_eq(rdy_client_set_deadline(client, h[1], 0, 2000), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_LOST);
	peer_accept_again(&peer, client);
	peer_welcome(&peer);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 2);
	peer_answer(&peer, &g, 700);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 1);
	wire_get_set_deadline(&g.frame, 0, &d);
	ck_assert_uint_eq(d.idle_ns, 2000);
	peer_expect_silence(&peer);
}
END_TEST

/* Frames that are shorter than ours would like them to be. */
START_TEST(deadlines_in_small_frames)
{
	uint64_t h[3];
	struct got g;

	client = rdy_client_free(client);
	peer.welcome.frame_max = WIRE_HEADER_BYTES + 2 * WIRE_SET_DEADLINE_BYTES + 1;
	client = peer_client(&peer, NULL);
	for (int i = 0; i < 3; i++)
		h[i] = live(&peer, client, pipes[i][0], (uint64_t)i, RDY_EDGE, 900 + (uint64_t)i);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rdy_client_set_deadline(client, h[i], 0, 6), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 2);
	peer_answer(&peer, &g, 900);
	peer_recv(&peer, &g, WIRE_SET_DEADLINE, 1);
	peer_answer(&peer, &g, 902);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	/* Room for a registration, and none for a deadline. */
	client = rdy_client_free(client);
	peer.welcome.frame_max = WIRE_HEADER_BYTES + WIRE_SET_DEADLINE_BYTES - 1;
	client = peer_client(&peer, NULL);
	h[0] = live(&peer, client, pipes[0][0], 0, RDY_EDGE, 900);
	ck_assert_int_eq(rdy_client_set_deadline(client, h[0], 0, 5), -ENOTSUP);
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
	struct rdy_client_event e[4];
	struct got g;
	uint64_t h[2], level_h;

	for (int i = 0; i < 2; i++)
		h[i] = live(
			&peer, client, pipes[i][0], (uint64_t)i, RDY_ONESHOT, 900 + (uint64_t)i);
	set_and_answer(h[1], 0, 5);
	peer.welcome.features = WIRE_FEATURE_ONESHOT;
	comes_back();
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 2);
	peer_answer(&peer, &g, 700);
	/* The one that has a deadline cannot be what it was, and its user is told. */
	dispatch_until(client, 3);
	ck_assert_int_eq(rdy_client_wait(client, e, 4, 0), 3);
	ck_assert_uint_eq(e[0].type, RDY_CLIENT_LOST);
	ck_assert_uint_eq(e[1].type, RDY_CLIENT_RESTORED);
	ck_assert_uint_eq(e[2].type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e[2].error, WIRE_E_DEADLINE_INVALID);
	ck_assert_uint_eq(e[2].token, 1);
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
	peer_answer(&peer, &g, wire_get_deregister(&g.frame, 0));
	ck_assert_int_eq(rdy_client_set_deadline(client, h[0], 0, 5), -ENOTSUP);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	peer_expect_silence(&peer);
	/* A mode it knows how to refuse. */
	ck_assert_int_eq(
		rdy_client_register(client, pipes[2][0], 2, RDY_READABLE, RDY_LEVEL, 0, &level_h),
		0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_refuse(&peer, &g, WIRE_E_MODE_INVALID);
	e[0] = wait_one(client);
	ck_assert_uint_eq(e[0].type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e[0].error, WIRE_E_MODE_INVALID);
	ck_assert_uint_eq(e[0].handle, level_h);
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

UNIT_MAIN_WITH("client/deadlines", setup, teardown, a_deadline, deadlines_wait_for_the_id,
	two_events_of_one, nothing_after_the_end, deadlines_cross, deadlines_come_back,
	an_idle_time_comes_back, a_moment_without_connection, deadlines_without_connection,
	deadlines_in_small_frames, a_deadline_that_is_refused, an_older_daemon, bad_arguments)
