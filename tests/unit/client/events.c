/* SPDX-License-Identifier: MIT */
/*
 * Registrations and their events on a connection that holds.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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
	client = peer_client(&peer, &(struct rdy_client_options){.name = "unit test"});
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

static uint64_t queue(int fd, uint64_t token)
{
	uint64_t h = 0;

	ck_assert_int_eq(
		rdy_client_register(client, fd, token, RDY_READABLE, RDY_ONESHOT, 0, &h), 0);
	return h;
}

static void expect_no_event(void)
{
	struct rdy_client_event e;

	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_int_eq(rdy_client_next(client, &e), 0);
}

START_TEST(an_event_comes_through)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 42, RDY_ONESHOT, 900);

	ck_assert_str_eq(peer.hello.name, "unit test");
	peer_event(&peer, h, 900, RDY_READABLE | RDY_READ_CLOSED, WIRE_EVENT_DISARMED, 1);
	e = wait_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_uint_eq(e.token, 42);
	ck_assert_uint_eq(e.handle, h);
	ck_assert_uint_eq(e.ready, RDY_READABLE | RDY_READ_CLOSED);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_DISARMED);
	ck_assert_uint_eq(e.error, 0);
}
END_TEST

/* What waits in the library is one event, as wide as all that came. */
/* Invariant: PEND-1 */
START_TEST(events_merge)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);
	uint64_t other = live(&peer, client, pipes[1][0], 2, RDY_EDGE, 901);

	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	peer_event(&peer, other, 901, RDY_READABLE, 0, 1);
	peer_event(&peer, h, 900, RDY_WRITABLE, 0, 2);
	ck_assert_int_eq(rdy_client_dispatch(client), 2);
	peer_event(&peer, h, 900, RDY_ERROR, WIRE_EVENT_ENDED, 3);
	ck_assert_int_eq(rdy_client_dispatch(client), 2);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 1);
	ck_assert_uint_eq(e.ready, RDY_READABLE | RDY_WRITABLE | RDY_ERROR);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_ENDED);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.token, 2);
	expect_no_event();
}
END_TEST

START_TEST(bad_arguments)
{
	uint64_t h = 77, first = queue(pipes[0][0], 1);
	int closed = dup(0);

	close(closed);
	ck_assert_int_eq(rdy_client_register(client, -1, 0, RDY_READABLE, RDY_EDGE, 0, &h), -EBADF);
	ck_assert_int_eq(
		rdy_client_register(client, closed, 0, RDY_READABLE, RDY_EDGE, 0, &h), -EBADF);
	ck_assert_int_eq(rdy_client_register(client, pipes[0][0], 0, RDY_READABLE, RDY_EDGE, 0, &h),
		-EEXIST);
	ck_assert_int_eq(rdy_client_register(client, pipes[1][0], 0, 0, RDY_EDGE, 0, &h), -EINVAL);
	ck_assert_int_eq(
		rdy_client_register(client, pipes[1][0], 0, 0x10, RDY_EDGE, 0, &h), -EINVAL);
	ck_assert_int_eq(
		rdy_client_register(client, pipes[1][0], 0, RDY_READABLE, 4, 0, &h), -EINVAL);
	ck_assert_int_eq(rdy_client_register(client, pipes[1][0], 0, RDY_READABLE, RDY_EDGE, 2, &h),
		-EINVAL);
	ck_assert_uint_eq(h, 77);
	ck_assert_int_eq(rdy_client_modify(client, first, 0, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_client_modify(client, 0, RDY_READABLE, RDY_EDGE), -ENOENT);
	ck_assert_int_eq(rdy_client_rearm(client, first + 1), -ENOENT);
	ck_assert_int_eq(rdy_client_rearm(client, first + (UINT64_C(1) << 32)), -ENOENT);
	ck_assert_int_eq(rdy_client_deregister(client, UINT64_MAX), -ENOENT);
	ck_assert_int_eq(rdy_client_wait(client, NULL, 0, 0), -EINVAL);
}
END_TEST

/* Nothing is sent before dispatch, and what is queued together travels together, in order. */
START_TEST(requests_travel_together)
{
	struct wire_register r;
	struct got g;
	uint64_t h[3];

	for (int i = 0; i < 3; i++)
		h[i] = queue(pipes[i][0], 1);
	ck_assert_int_eq(rdy_client_modify(client, h[1], RDY_WRITABLE, RDY_EDGE), 0);
	peer_expect_silence(&peer);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 3);
	ck_assert_uint_eq(g.n_fds, 3);
	for (uint32_t i = 0; i < 3; i++) {
		wire_get_register(&g.frame, i, &r);
		ck_assert_uint_eq(r.cookie, h[i]);
		ck_assert_uint_eq(r.interest, i == 1 ? RDY_WRITABLE : RDY_READABLE);
		ck_assert_uint_eq(r.mode, i == 1 ? RDY_EDGE : RDY_ONESHOT);
	}
	peer_expect_silence(&peer);
}
END_TEST

START_TEST(cancelled_before_it_was_sent)
{
	uint64_t h = queue(pipes[0][0], 1), again;

	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert_int_eq(rdy_client_deregister(client, h), -ENOENT);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_expect_silence(&peer);
	again = queue(pipes[0][0], 2);
	ck_assert_uint_ne(again, h);
	ck_assert_int_eq(rdy_client_rearm(client, h), -ENOENT);
}
END_TEST

/* The answer is on its way: DEREGISTER follows as soon as the id is known. */
START_TEST(deregistered_before_the_answer)
{
	struct got g, d;
	uint64_t h = queue(pipes[0][0], 1), again;

	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_EDGE), -ENOENT);
	again = queue(pipes[0][0], 2);
	ck_assert_uint_ne(again, h);
	peer_event(&peer, h, 55, RDY_READABLE, 0, 1);
	peer_answer(&peer, &g, 55);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_recv(&peer, &d, WIRE_DEREGISTER, 1);
	ck_assert_uint_eq(wire_get_deregister(&d.frame, 0), 55);
	peer_answer(&peer, &d, 55);
	peer_answer(&peer, &g, 56);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	peer_expect_silence(&peer);
	expect_no_event();
}
END_TEST

/* Nothing comes of a handle that was given up, not even what was read before. */
START_TEST(silence_after_deregister)
{
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 2);
	expect_no_event();
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 3);
	peer_answer(&peer, &g, 900);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	expect_no_event();
}
END_TEST

START_TEST(refused_registration)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = queue(pipes[0][0], 5);

	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_refuse(&peer, &g, WIRE_E_QUOTA_REGISTRATIONS);
	e = wait_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e.error, WIRE_E_QUOTA_REGISTRATIONS);
	ck_assert_uint_eq(e.token, 5);
	ck_assert_uint_eq(e.handle, h);
	ck_assert_str_eq(rdy_client_error_name(e.error), "QUOTA_REGISTRATIONS");
	ck_assert_ptr_nonnull(rdy_client_error_text(e.error));
	ck_assert_int_eq(rdy_client_deregister(client, h), -ENOENT);
	queue(pipes[0][0], 5);
}
END_TEST

/* A whole request that is refused with one ERROR, and one nobody asked for. */
START_TEST(error_that_is_not_fatal)
{
	struct rdy_client_event e[4];
	struct got g;

	queue(pipes[0][0], 0);
	queue(pipes[1][0], 1);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_REGISTER, 2);
	peer_error(&peer, 4711, WIRE_E_INTERNAL, false);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_error(&peer, g.frame.header.serial, WIRE_E_OUT_OF_MEMORY, false);
	ck_assert_int_eq(rdy_client_wait(client, e, 4, LONG_NS), 2);
	for (uint64_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(e[i].type, RDY_CLIENT_FAILED);
		ck_assert_uint_eq(e[i].token, i);
		ck_assert_uint_eq(e[i].error, WIRE_E_OUT_OF_MEMORY);
	}
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}
END_TEST

/* Answers to different requests may come in any order. */
START_TEST(answers_in_another_order)
{
	struct got g[2];
	uint64_t h[2];

	for (int i = 0; i < 2; i++) {
		h[i] = queue(pipes[i][0], (uint64_t)i);
		rdy_client_dispatch(client);
		peer_recv(&peer, &g[i], WIRE_REGISTER, 1);
	}
	peer_answer(&peer, &g[1], 901);
	peer_answer(&peer, &g[0], 900);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rdy_client_deregister(client, h[i]), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g[0], WIRE_DEREGISTER, 2);
	ck_assert_uint_eq(wire_get_deregister(&g[0].frame, 0), 900);
	ck_assert_uint_eq(wire_get_deregister(&g[0].frame, 1), 901);
}
END_TEST

START_TEST(ended_registration)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900), other;

	peer_event(&peer, h, 900, RDY_READ_CLOSED, WIRE_EVENT_ENDED, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	/* Until its last event is taken the handle lives, and nothing is sent for it. */
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	e = take_one(client);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_ENDED);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), -ENOENT);
	peer_expect_silence(&peer);
	/* Withdrawn by deregister as well. */
	other = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 901);
	peer_event(&peer, other, 901, RDY_READ_CLOSED, WIRE_EVENT_ENDED, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_int_eq(rdy_client_deregister(client, other), 0);
	expect_no_event();
	peer_expect_silence(&peer);
}
END_TEST

START_TEST(rearm_names_the_event)
{
	struct wire_rearm r;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	rdy_client_dispatch(client);
	peer_expect_silence(&peer); /* it is armed */
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 8);
	rdy_client_dispatch(client);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	rdy_client_dispatch(client);
	peer_expect_silence(&peer); /* its event was not taken */
	take_one(client);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_REARM, 1);
	wire_get_rearm(&g.frame, 0, &r);
	ck_assert_uint_eq(r.id, 900);
	ck_assert_uint_eq(r.seq, 8);
	peer_expect_silence(&peer);
}
END_TEST

/* MODIFY arms as well; a later rearm names the newest event. */
START_TEST(rearm_after_modify)
{
	struct got g;
	struct wire_rearm r;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 1);
	wait_one(client);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_ONESHOT), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_answer(&peer, &g, 900);
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 2);
	wait_one(client);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_REARM, 1);
	wire_get_rearm(&g.frame, 0, &r);
	ck_assert_uint_eq(r.seq, 2);
}
END_TEST

START_TEST(modify_replaces_what_waits)
{
	struct wire_modify m;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_PRIORITY, RDY_ONESHOT), 0);
	expect_no_event();
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	wire_get_modify(&g.frame, 0, &m);
	ck_assert_uint_eq(m.id, 900);
	ck_assert_uint_eq(m.interest, RDY_PRIORITY);
	ck_assert_uint_eq(m.mode, RDY_ONESHOT);
	peer_expect_silence(&peer);
	peer_answer(&peer, &g, 900);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}
END_TEST

/* Each request of one registration is out before the next: REGISTER, MODIFY, DEREGISTER. */
START_TEST(order_of_one_registration)
{
	struct got r, m, d;
	uint64_t h = queue(pipes[0][0], 1);

	rdy_client_dispatch(client);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &r, WIRE_REGISTER, 1);
	peer_expect_silence(&peer);
	peer_answer(&peer, &r, 900);
	rdy_client_dispatch(client);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &m, WIRE_MODIFY, 1);
	peer_recv(&peer, &d, WIRE_DEREGISTER, 1);
	peer_answer(&peer, &m, 900);
	peer_answer(&peer, &d, 900);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}
END_TEST

START_TEST(modify_that_failed)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 3, RDY_EDGE, 900);

	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_refuse(&peer, &g, WIRE_E_OUT_OF_MEMORY);
	e = wait_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e.error, WIRE_E_OUT_OF_MEMORY);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), -ENOENT);
	queue(pipes[0][0], 4);
	rdy_client_dispatch(client);
	/* The broker must not watch it any longer. */
	peer_recv(&peer, &g, WIRE_DEREGISTER, 1);
	ck_assert_uint_eq(wire_get_deregister(&g.frame, 0), 900);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	/* Unknown: its end is on the way, and that is what the user hears. */
	peer_answer(&peer, &g, 901);
	expect_no_event();
}
END_TEST

START_TEST(modify_of_what_has_ended)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 3, RDY_EDGE, 900);

	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_MODIFY, 1);
	peer_event(&peer, h, 900, RDY_READ_CLOSED, WIRE_EVENT_ENDED, 1);
	peer_refuse(&peer, &g, WIRE_E_REGISTRATION_UNKNOWN);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	e = take_one(client);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_uint_eq(e.flags, RDY_CLIENT_ENDED);
}
END_TEST

/* Registered and closed before it was sent: the others of the batch do not suffer. */
START_TEST(closed_before_it_was_sent)
{
	struct rdy_client_event e;
	struct got g;
	int fd = dup(pipes[3][0]);

	queue(pipes[0][0], 0);
	queue(fd, 1);
	queue(pipes[1][0], 2);
	close(fd);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	peer_recv(&peer, &g, WIRE_REGISTER, 2);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e.error, WIRE_E_FD_NOT_POLLABLE);
	ck_assert_uint_eq(e.token, 1);
	peer_answer(&peer, &g, 900);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
}
END_TEST

/* Sync has an answer to everything, REARM included, which has none of its own. */
START_TEST(sync_waits_for_all)
{
	uint8_t b[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	struct got g;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_ONESHOT, 900);

	ck_assert_int_eq(rdy_client_sync(client, 0), 0);
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 1);
	wait_one(client);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert_int_eq(rdy_client_sync(client, RDY__NS_PER_MS), -ETIMEDOUT);
	peer_recv(&peer, &g, WIRE_REARM, 1);
	peer_recv(&peer, &g, WIRE_PING, 1);
	wire_put_ping(b, wire_get_ping(&g.frame));
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 2);
	peer_send(&peer, b, wire_put_header(b, WIRE_PONG, g.frame.header.serial, 1));
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	/* Events are kept for later. */
	take_one(client);
}
END_TEST

START_TEST(short_timeouts)
{
	struct rdy_client_event e;
	int64_t before = rdy__now_ns();

	live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 0), 0);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 1), 0);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 3 * RDY__NS_PER_MS), 0);
	ck_assert_int_ge(rdy__now_ns() - before, 3 * RDY__NS_PER_MS);
}
END_TEST

/* With timeout 0, a reply that lies before the event does not hide it. */
START_TEST(event_behind_a_reply)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h = queue(pipes[0][0], 1);

	rdy_client_dispatch(client);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 900);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, 0), 1);
	ck_assert_uint_eq(e.handle, h);
}
END_TEST

static void *late_event(void *arg)
{
	struct got g;

	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 900);
	peer_event(&peer, *(uint64_t *)arg, 900, RDY_READABLE, 0, 1);
	return NULL;
}

/* A wait without end: sends, hears the answer, and then the event. */
START_TEST(wait_for_ever)
{
	struct rdy_client_event e;
	uint64_t h = queue(pipes[0][0], 1);

	ck_assert_int_eq(pthread_create(&peer.thread, NULL, late_event, &h), 0);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), 1);
	ck_assert_uint_eq(e.handle, h);
	pthread_join(peer.thread, NULL);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 2);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), 1);
}
END_TEST

START_TEST(more_events_than_room)
{
	struct rdy_client_event e[4];
	uint64_t h[3];

	for (int i = 0; i < 3; i++) {
		h[i] = live(&peer, client, pipes[i][0], (uint64_t)i, RDY_EDGE, 900 + (uint64_t)i);
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, 0, 1);
	}
	ck_assert_int_eq(rdy_client_dispatch(client), 3);
	ck_assert_int_eq(rdy_client_wait(client, e, 2, -1), 2);
	ck_assert_int_eq(rdy_client_wait(client, e, 4, -1), 1);
	ck_assert_uint_eq(e[0].token, 2);
}
END_TEST

/* Invariant: FORK-1 */
START_TEST(after_fork)
{
	struct rdy_client_event e;
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900), unused;
	pid_t child;
	int status, fd = rdy_client_fd(client);

	ck_assert_int_ge(fd, 0);
	child = fork();
	if (child == 0) {
		bool ok = rdy_client_dispatch(client) == -ECHILD &&
			  rdy_client_next(client, &e) == -ECHILD &&
			  rdy_client_wait(client, &e, 1, 0) == -ECHILD &&
			  rdy_client_sync(client, 0) == -ECHILD &&
			  rdy_client_fd(client) == -ECHILD &&
			  rdy_client_rearm(client, h) == -ECHILD &&
			  rdy_client_set_deadline(client, h, 0, 1) == -ECHILD &&
			  rdy_client_modify(client, h, RDY_READABLE, RDY_EDGE) == -ECHILD &&
			  rdy_client_deregister(client, h) == -ECHILD &&
			  rdy_client_register(client, pipes[1][0], 0, RDY_READABLE, RDY_EDGE, 0,
				  &unused) == -ECHILD;

		rdy_client_free(client);
		unit_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	ck_assert(readable(client));
	take_one(client);
}
END_TEST

UNIT_MAIN_WITH("client/events", setup, teardown, an_event_comes_through, events_merge,
	bad_arguments, requests_travel_together, cancelled_before_it_was_sent,
	deregistered_before_the_answer, silence_after_deregister, refused_registration,
	error_that_is_not_fatal, answers_in_another_order, ended_registration,
	rearm_names_the_event, rearm_after_modify, modify_replaces_what_waits,
	order_of_one_registration, modify_that_failed, modify_of_what_has_ended,
	closed_before_it_was_sent, sync_waits_for_all, short_timeouts, event_behind_a_reply,
	wait_for_ever, more_events_than_room, after_fork)
