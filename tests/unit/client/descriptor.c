/* SPDX-License-Identifier: MIT */
/*
 * The descriptor that others poll tells the truth: readable exactly while there is something to do, for
 * those who poll levels and for those who poll edges.
 */
#include <poll.h>
#include <sys/epoll.h>
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

START_TEST(every_step_is_told)
{
	struct rdy_client_event e;
	struct got g;
	uint64_t h;

	ck_assert(!readable(client));
	ck_assert_int_eq(
		rdy_client_register(client, pipes[0][0], 1, RDY_READABLE, RDY_ONESHOT, 0, &h), 0);
	ck_assert(readable(client)); /* to be sent */
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 900);
	ck_assert(readable(client)); /* to be read */
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 1);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert(readable(client)); /* to be taken */
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert(!readable(client));
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, 2);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_READABLE, RDY_ONESHOT), 0);
	ck_assert(readable(client)); /* the event was withdrawn, the request is there */
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
	/* Registered and cancelled: nothing is left to do. */
	ck_assert_int_eq(
		rdy_client_register(client, pipes[1][0], 1, RDY_READABLE, RDY_ONESHOT, 0, &h), 0);
	ck_assert_int_eq(rdy_client_deregister(client, h), 0);
	ck_assert(!readable(client));
}
END_TEST

/* Asked for late, it knows what waits already. */
START_TEST(asked_for_late)
{
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	peer_event(&peer, h, 900, RDY_READABLE, 0, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert(readable(client));
	take_one(client);
	ck_assert(!readable(client));
}
END_TEST

START_TEST(wait_leaves_it_true)
{
	struct rdy_client_event e[4];
	uint64_t h[3];

	for (int i = 0; i < 3; i++)
		h[i] = live(&peer, client, pipes[i][0], 1, RDY_EDGE, 900 + (uint64_t)i);
	ck_assert(!readable(client));
	for (int i = 0; i < 3; i++)
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, 0, 1);
	ck_assert_int_eq(rdy_client_wait(client, e, 1, -1), 1);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_wait(client, e, 4, 0), 2);
	ck_assert(!readable(client));
}
END_TEST

static bool edge(int ep)
{
	struct epoll_event e;

	return epoll_wait(ep, &e, 1, 0) == 1;
}

static int edge_loop(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};

	ck_assert_int_ge(ep, 0);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, rdy_client_fd(client), &e), 0);
	return ep;
}

/* Who takes one event per edge is woken as often as there are events, without any other call. */
START_TEST(edges_come_again)
{
	struct rdy_client_event e;
	int ep = edge_loop();
	uint64_t h[3];

	ck_assert(!edge(ep));
	for (int i = 0; i < 3; i++)
		h[i] = live(&peer, client, pipes[i][0], 1, RDY_EDGE, 900 + (uint64_t)i);
	while (edge(ep))
		rdy_client_dispatch(client);
	for (int i = 0; i < 3; i++)
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, 0, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert(edge(ep));
		ck_assert_int_eq(rdy_client_dispatch(client), 3 - i);
		ck_assert_int_eq(rdy_client_next(client, &e), 1);
	}
	while (edge(ep))
		ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
	/* A request is an edge, too. */
	ck_assert_int_eq(rdy_client_modify(client, h[0], RDY_WRITABLE, RDY_EDGE), 0);
	ck_assert(edge(ep));
	close(ep);
}
END_TEST

/* The same with wait() in the place of dispatch() and next(). */
START_TEST(edges_with_wait)
{
	struct rdy_client_event e;
	int ep = edge_loop();
	uint64_t h[3];

	for (int i = 0; i < 3; i++)
		h[i] = live(&peer, client, pipes[i][0], 1, RDY_EDGE, 900 + (uint64_t)i);
	while (edge(ep))
		ck_assert_int_eq(rdy_client_wait(client, &e, 1, 0), 0);
	for (int i = 0; i < 3; i++)
		peer_event(&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, 0, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert(edge(ep));
		/* For ever: its single blocking receive must not leave the rest unnoticed. */
		ck_assert_int_eq(rdy_client_wait(client, &e, 1, i ? 0 : -1), 1);
	}
	ck_assert(!readable(client));
	close(ep);
}
END_TEST

/*
 * Acknowledgements that are owed are an edge of their own: for who takes the events after the edge of their
 * arrival was seen, and for who waits.
 */
START_TEST(edges_for_acknowledgements)
{
	struct rdy_client_event e[4];
	struct got g;
	int ep = edge_loop();
	uint64_t h[2];

	for (int i = 0; i < 2; i++)
		h[i] = live(&peer, client, pipes[i][0], 1, RDY_LEVEL, 900 + (uint64_t)i);
	while (edge(ep))
		rdy_client_dispatch(client);
	for (uint32_t seq = 1; seq <= 2; seq++) {
		for (int i = 0; i < 2; i++)
			peer_event(
				&peer, h[i], 900 + (uint64_t)i, RDY_READABLE, WIRE_EVENT_ACK, seq);
		ck_assert(edge(ep));
		if (seq == 1) {
			ck_assert_int_eq(rdy_client_dispatch(client), 2);
			ck_assert(edge(ep));
			for (int i = 0; i < 2; i++)
				ck_assert_int_eq(rdy_client_next(client, e), 1);
		} else {
			ck_assert_int_eq(rdy_client_wait(client, e, 4, 0), 2);
		}
		ck_assert(edge(ep));
		peer_expect_silence(&peer);
		ck_assert_int_eq(rdy_client_dispatch(client), 0);
		peer_recv(&peer, &g, WIRE_REARM, 2);
		ck_assert(!edge(ep));
		ck_assert(!readable(client));
	}
	close(ep);
}
END_TEST

/* More frames than one dispatch reads: the rest is told without a new arrival. */
START_TEST(edge_in_a_flood)
{
	struct rdy_client_event e;
	int ep = edge_loop();
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);

	while (edge(ep))
		rdy_client_dispatch(client);
	for (uint32_t i = 0; i < 150; i++)
		peer_event(&peer, h, 900, RDY_READABLE, 0, i + 1);
	for (int i = 0; i < 2; i++) {
		ck_assert(edge(ep));
		ck_assert_int_eq(rdy_client_dispatch(client), 1);
		ck_assert_int_eq(rdy_client_next(client, &e), 1);
		ck_assert(readable(client));
	}
	ck_assert(edge(ep));
	ck_assert_int_eq(rdy_client_dispatch(client), 1);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert(!readable(client));
	close(ep);
}
END_TEST

static int poll_for(int64_t ns)
{
	struct pollfd p = {.fd = rdy_client_fd(client), .events = POLLIN};

	return poll(&p, 1, (int)(ns / RDY__NS_PER_MS));
}

/* The reply's deadline makes it readable; once answered, nothing does. */
START_TEST(deadlines)
{
	struct rdy_client_options o = {.reply_within_ns = 30 * RDY__NS_PER_MS};
	struct rdy_client_event e;
	struct got g;
	uint64_t h;

	client = rdy_client_free(client);
	client = peer_client(&peer, &o);
	ck_assert_int_ge(rdy_client_fd(client), 0);
	ck_assert_int_eq(
		rdy_client_register(client, pipes[0][0], 1, RDY_READABLE, RDY_ONESHOT, 0, &h), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 900);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_int_eq(poll_for(2 * o.reply_within_ns), 0);
	ck_assert_int_eq(rdy_client_modify(client, h, RDY_WRITABLE, RDY_EDGE), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert_int_eq(poll_for(LONG_NS), 1);
	dispatch_until(client, 1);
	ck_assert_int_eq(rdy_client_next(client, &e), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_LOST);
	/* Readable again when it is time to connect. */
	ck_assert_int_eq(poll_for(LONG_NS), 1);
}
END_TEST

/* It stays the same over reconnects, also where a forked child keeps the old socket open. */
START_TEST(same_after_reconnect)
{
	struct rdy_client_event e[3];
	int fd = rdy_client_fd(client), gate[2];
	uint64_t h = live(&peer, client, pipes[0][0], 1, RDY_EDGE, 900);
	struct got g;
	pid_t child;

	make_pipe(gate);
	child = fork();
	if (child == 0) {
		struct pollfd p = {.fd = gate[0], .events = POLLIN};

		close(gate[1]);
		close(peer.conn);
		poll(&p, 1, -1); /* until the parent closes its end */
		unit_exit(0);
	}
	peer_hang_up(&peer);
	dispatch_until(client, 1);
	while (poll(&(struct pollfd){.fd = peer.listener, .events = POLLIN}, 1, 0) == 0) {
		ck_assert_int_eq(poll_for(LONG_NS), 1);
		ck_assert_int_ge(rdy_client_dispatch(client), 0);
		while (rdy_client_next(client, e) == 1)
			;
	}
	peer_accept(&peer);
	peer_welcome(&peer);
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	peer_answer(&peer, &g, 17);
	dispatch_until(client, 1);
	while (rdy_client_next(client, e) == 1)
		;
	ck_assert_int_eq(rdy_client_fd(client), fd);
	ck_assert(!readable(client));
	peer_event(&peer, h, 17, RDY_READABLE, 0, 1);
	ck_assert(readable(client));
	take_one(client);
	ck_assert(!readable(client));
	close(gate[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(gate[0]);
}
END_TEST

UNIT_MAIN_WITH("client/descriptor", setup, teardown, every_step_is_told, asked_for_late,
	wait_leaves_it_true, edges_come_again, edges_with_wait, edges_for_acknowledgements,
	edge_in_a_flood, deadlines, same_after_reconnect)
