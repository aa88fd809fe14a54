/* SPDX-License-Identifier: MIT */
/*
 * The connection is lost in every state, and comes back.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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

static void restart(const struct rdy_client_options *o)
{
	client = rdy_client_free(client);
	client = peer_client(&peer, o);
}

static uint64_t queue(int fd, uint64_t token)
{
	uint64_t h = 0;

	ck_assert_int_eq(
		rdy_client_register(client, fd, token, RDY_READABLE, RDY_ONESHOT, 0, &h), 0);
	return h;
}

static void comes_back(void)
{
	peer_accept_again(&peer, client);
}

static void expect(uint32_t type, uint32_t error)
{
	struct rdy_client_event e;

	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, type);
	ck_assert_uint_eq(e.error, error);
	ck_assert_uint_eq(e.handle, 0);
	ck_assert_uint_eq(e.token, 0);
}

static void expect_nothing(void)
{
	struct rdy_client_event e;

	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
}

static struct wire_register record(const struct got *g, uint32_t i)
{
	struct wire_register r;

	wire_get_register(&g->frame, i, &r);
	return r;
}

START_TEST(all_are_handed_over)
{
	struct got g;
	uint64_t h[3];

	h[0] = live(&peer, client, pipes[0][0], 10, RDY_ONESHOT, 900);
	h[1] = queue(pipes[1][0], 11);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1); /* never answered */
	h[2] = queue(pipes[2][0], 12);		/* never sent */
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_LOST, 0);
	ck_assert_int_eq(rdy_client_modify(client, h[0], RDY_WRITABLE, RDY_EDGE), 0);
	comes_back();
	peer_welcome(&peer);
	expect_nothing();
	peer_recv(&peer, &g, WIRE_REGISTER, 3);
	for (uint32_t i = 0; i < 3; i++) {
		struct wire_register r = record(&g, i);
		bool modified = r.cookie == h[0];

		ck_assert(r.cookie == h[0] || r.cookie == h[1] || r.cookie == h[2]);
		ck_assert_uint_eq(r.interest, modified ? RDY_WRITABLE : RDY_READABLE);
		ck_assert_uint_eq(r.mode, modified ? RDY_EDGE : RDY_ONESHOT);
		ck_assert_uint_eq(r.flags, 0);
	}
	peer_answer(&peer, &g, 77);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_RESTORED, 0);
	expect_nothing();
	/* The ids are the new ones. */
	ck_assert_int_eq(rdy_client_deregister(client, record(&g, 0).cookie), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
	ck_assert_uint_eq(wire_get_deregister(&g.frame, 0), 77);
}
END_TEST

/* Nothing fires twice without a rearm; nothing that was not taken is lost. */
START_TEST(oneshot_stays_disarmed)
{
	struct wire_rearm r;
	struct rdy_client_event e;
	struct got g;
	uint64_t h[3];

	for (int i = 0; i < 3; i++) {
		h[i] = live(
			&peer, client, pipes[i][0], (uint64_t)i, RDY_ONESHOT, 900 + (uint64_t)i);
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, WIRE_EVENT_DISARMED, 9);
	}
	dispatch_until(client, 3);
	/* 0 is taken, 1 is taken and rearmed, 2 is neither. */
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_int_eq(rdy_client_rearm(client, h[1]), 0);
	peer_hang_up(&peer);
	comes_back();
	peer_welcome(&peer);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 3);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(
			record(&g, i).flags, record(&g, i).cookie == h[1] ? 0 : WIRE_REG_DISARMED);
	peer_answer(&peer, &g, 700);
	dispatch_until(client, 3);
	expect(RDY_CLIENT_LOST, 0);
	expect(RDY_CLIENT_RESTORED, 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 2);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_DISARMED);
	expect_nothing();
	ck_assert_int_eq(rdy_client_rearm(client, h[2]), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REARM, 1);
	wire_get_rearm(&g.frame, 0, &r);
	ck_assert_uint_eq(r.seq, 0); /* no event of this session was read yet */
}
END_TEST

/* What the user gave up, and what ended, is not handed over. */
START_TEST(the_dead_stay_dead)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h[4];

	for (int i = 0; i < 3; i++)
		h[i] = live(&peer, client, pipes[i][0], (uint64_t)i, RDY_EDGE, 900 + (uint64_t)i);
	h[3] = queue(pipes[3][0], 3);
	peer_event(&peer, h[1], 901, RDY_READ_CLOSED, WIRE_EVENT_ENDED, 1);
	dispatch_until(client, 1);
	ck_assert_int_eq(rdy_client_deregister(client, h[0]), 0);
	ck_assert_int_eq(rdy_client_deregister(client, h[3]), 0);
	peer_hang_up(&peer);
	comes_back();
	peer_welcome(&peer);
	ck_assert_int_ge(rdy_client_dispatch(client), 1);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	ck_assert_uint_eq(record(&g, 0).cookie, h[2]);
	peer_answer(&peer, &g, 700);
	dispatch_until(client, 3);
	expect(RDY_CLIENT_LOST, 0);
	expect(RDY_CLIENT_RESTORED, 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 1);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_ENDED);
}
END_TEST

START_TEST(failed_when_handed_over)
{
	struct rdy_client_event e;
	struct got g;

	live(&peer, client, pipes[0][0], 5, RDY_EDGE, 900);
	peer_hang_up(&peer);
	comes_back();
	peer_welcome(&peer);
	ck_assert_int_ge(rdy_client_dispatch(client), 1);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_refuse(&peer, &g, WIRE_E_QUOTA_REGISTRATIONS);
	dispatch_until(client, 3);
	expect(RDY_CLIENT_LOST, 0);
	expect(RDY_CLIENT_RESTORED, 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e.token, 5);
}
END_TEST

/* Lost, back, lost again before anybody looked: that is one loss. */
START_TEST(connection_events_merge)
{
	peer_hang_up(&peer);
	for (int i = 0; i < 3; i++) {
		comes_back();
		peer_welcome(&peer);
		dispatch_until(client, 2);
		peer_hang_up(&peer);
	}
	comes_back();
	peer_welcome(&peer);
	dispatch_until(client, 2);
	expect(RDY_CLIENT_LOST, 0);
	expect(RDY_CLIENT_RESTORED, 0);
	expect_nothing();
}
END_TEST

START_TEST(no_reconnect)
{
	struct rdy_client_event e;
	uint64_t h, unused;

	restart(&(struct rdy_client_options){.flags = RDY_CLIENT_NO_RECONNECT});
	h = live(&peer, client, pipes[0][0], 5, RDY_EDGE, 900);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	peer_hang_up(&peer);
	/* What came before the end is there. */
	dispatch_until(client, 2);
	expect(RDY_CLIENT_LOST, 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 5);
	ck_assert_int_eq(rdy_client_dispatch(client), -ENOTCONN);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), -ENOTCONN);
	ck_assert_int_eq(rdy_client_sync(client, -1), -ENOTCONN);
	ck_assert_int_eq(rdy_client_rearm(client, h), -ENOTCONN);
	ck_assert_int_eq(rdy_client_set_deadline(client, h, 0, 1), -ENOTCONN);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_EDGE), -ENOTCONN);
	ck_assert_int_eq(
		rdy_client_register(client, pipes[1][0], 0, RDY_READABLE, RDY_EDGE, 0, &unused),
		-ENOTCONN);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
	ck_assert(!readable(client));
}
END_TEST

/* Refused while coming back: said, and tried again later. */
START_TEST(refused_for_a_while)
{
	struct rdy_client_event e;
	int64_t before;

	peer_hang_up(&peer);
	comes_back();
	before = rdy__now_ns();
	peer_error(&peer, 0, WIRE_E_QUOTA_SESSIONS, true);
	peer_hang_up(&peer);
	dispatch_until(client, 2);
	expect(RDY_CLIENT_LOST, 0);
	expect(RDY_CLIENT_REFUSED, WIRE_E_QUOTA_SESSIONS);
	comes_back();
	ck_assert_int_ge(rdy__now_ns() - before, RDY__NS_PER_S / 2);
	/* Stopping is no refusal but what a restart begins with. */
	peer_error(&peer, 0, WIRE_E_SHUTTING_DOWN, true);
	peer_hang_up(&peer);
	comes_back();
	peer_welcome(&peer);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, LONG_NS), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_RESTORED);
}
END_TEST

/* Sent away by an administrator: back as slowly as after a refusal, which follows. */
START_TEST(kicked_and_frozen)
{
	struct rdy_client_event e;
	int64_t before = rdy__now_ns();

	peer_error(&peer, 0, WIRE_E_KICKED, true);
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_LOST, WIRE_E_KICKED);
	comes_back();
	ck_assert_int_ge(rdy__now_ns() - before, RDY__NS_PER_S / 2);
	before = rdy__now_ns();
	peer_error(&peer, 0, WIRE_E_UID_FROZEN, true);
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_REFUSED, WIRE_E_UID_FROZEN);
	comes_back();
	ck_assert_int_ge(rdy__now_ns() - before, RDY__NS_PER_S / 2);
	peer_welcome(&peer);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, LONG_NS), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_RESTORED);
}
END_TEST

/* A fatal error says why the session ends. */
START_TEST(fatal_error)
{
	peer_error(&peer, 0, WIRE_E_SHUTTING_DOWN, true);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_LOST, WIRE_E_SHUTTING_DOWN);
	comes_back();
	peer_welcome(&peer);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_RESTORED, 0);
}
END_TEST

/* The last words are read although they stand behind a reset and sending has failed. */
START_TEST(last_words)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 5, RDY_EDGE, 900);

	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_EDGE), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0); /* lies unread: the end is a reset */
	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	peer_error(&peer, 0, WIRE_E_QUARANTINE_FULL, true);
	peer_hang_up(&peer);
	queue(pipes[1][0], 6);
	dispatch_until(client, 2);
	expect(RDY_CLIENT_LOST, WIRE_E_QUARANTINE_FULL);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 5);
	comes_back();
	peer_welcome(&peer);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 2);
}
END_TEST

START_TEST(no_reply_in_time)
{
	restart(&(struct rdy_client_options){.reply_within_ns = 20 * RDY__NS_PER_MS});
	queue(pipes[0][0], 5);
	dispatch_until(client, 1);
	expect(RDY_CLIENT_LOST, 0);
	/* Nor an answer to HELLO: the next attempt comes all the same. */
	comes_back();
	comes_back();
	peer_welcome(&peer);
	dispatch_until(client, 0);
}
END_TEST

/* The answer lay there in time; only the caller was late. */
START_TEST(late_caller)
{
	struct rdy_client_options o = {.reply_within_ns = 5 * RDY__NS_PER_MS};
	struct rdy_client_event e;
	struct got g;

	restart(&o);
	queue(pipes[0][0], 5);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 900);
	poll(NULL, 0, (int)(3 * o.reply_within_ns / RDY__NS_PER_MS));
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 1), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
}
END_TEST

/* The daemon is gone altogether for a while; another one takes the same path. */
START_TEST(restarted_daemon)
{
	char old[sizeof(peer.path)];
	struct rdy_client_event e;
	struct peer other;
	struct got g;

	live(&peer, client, pipes[0][0], 5, RDY_EDGE, 900);
	peer_hang_up(&peer);
	peer.listener = rdy__fd_close(peer.listener);
	unlink(peer.path);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, LONG_NS), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_LOST);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 50 * RDY__NS_PER_MS), 0);
	ck_assert_int_eq(rdy_client_sync(client, 0), -ETIMEDOUT);
	peer_start(&other);
	strcpy(old, other.path);
	ck_assert_int_eq(rename(other.path, peer.path), 0);
	peer.listener = other.listener;
	other.listener = -1;
	peer_stop(&other);
	comes_back();
	peer_welcome(&peer);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
}
END_TEST

static void *agent_that_dies(void *arg)
{
	struct got g;

	peer_hang_up(&peer);
	peer_accept(&peer);
	peer_welcome(&peer);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 55);
	peer_event(&peer, *(uint64_t *)arg, 55, RDY_READABLE, 0, 1);
	return NULL;
}

/* A blocked wait comes through it by itself. */
START_TEST(while_waiting_for_ever)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 5, RDY_EDGE, 900);

	ck_assert_int_eq(pthread_create(&peer.thread, NULL, agent_that_dies, &h), 0);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_LOST);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_RESTORED);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	pthread_join(peer.thread, NULL);
}
END_TEST

UNIT_MAIN_WITH("client/reconnect", setup, teardown, all_are_handed_over, oneshot_stays_disarmed,
	the_dead_stay_dead, failed_when_handed_over, connection_events_merge, no_reconnect,
	refused_for_a_while, kicked_and_frozen, fatal_error, last_words, no_reply_in_time,
	late_caller, restarted_daemon, while_waiting_for_ever)
