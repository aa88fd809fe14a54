/* SPDX-License-Identifier: MIT */
/*
 * Batches, a peer that does not read, a kernel that refuses, and a peer that breaks the protocol.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "peer.h"
#include "unit.h"

static struct peer peer;
static struct rdy_client *client;

static void setup(void)
{
	unit_setup();
	peer_start(&peer);
}

static void teardown(void)
{
	client = rdy_client_free(client);
	peer_stop(&peer);
	unit_teardown();
}

static uint64_t queue(int fd, uint64_t token)
{
	uint64_t h = 0;

	ck_assert_int_eq(
		rdy_client_register(client, fd, token, RDY_READABLE, RDY_ONESHOT, 0, &h), 0);
	return h;
}

static void make_eventfds(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_ge(fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 0);
}

static void close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		fds[i] = rdy__fd_close(fds[i]);
}

START_TEST(full_batches)
{
	enum { N = WIRE_BATCH_MAX + 5 };
	static struct got g[2];
	static int fds[N];
	static uint64_t h[N];

	client = peer_client(&peer, NULL);
	make_eventfds(fds, N);
	for (int i = 0; i < N; i++)
		h[i] = queue(fds[i], (uint64_t)i);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g[0], WIRE_REGISTER, WIRE_BATCH_MAX);
	peer_recv(&peer, &g[1], WIRE_REGISTER, 5);
	ck_assert_uint_eq(g[0].n_fds, WIRE_BATCH_MAX);
	peer_answer(&peer, &g[0], 1000);
	peer_answer(&peer, &g[1], 2000);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(rdy_client_deregister(client, h[i]), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g[0], WIRE_DEREGISTER, WIRE_BATCH_MAX);
	peer_recv(&peer, &g[1], WIRE_DEREGISTER, 5);
	ck_assert_uint_eq(wire_get_deregister(&g[1].frame, 4), 2004);
	close_all(fds, N);
}
END_TEST

/* WELCOME says how much is taken. */
START_TEST(small_batches)
{
	struct got g;
	int fds[7];

	peer.welcome.batch_max = 3;
	peer.welcome.unanswered_max = 2;
	client = peer_client(&peer, NULL);
	make_eventfds(fds, 7);
	for (int i = 0; i < 7; i++)
		queue(fds[i], 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 3);
	peer_answer(&peer, &g, 10);
	peer_recv(&peer, &g, WIRE_REGISTER, 3);
	/* Two may be unanswered; the answer makes room for the third. */
	peer_expect_silence(&peer);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g, WIRE_REGISTER, 1);
	close_all(fds, 7);
}
END_TEST

/* At most 24 requests wait for an answer; then they wait in the library, where they become one. */
START_TEST(unanswered_requests)
{
	enum { N = 30, OWED = 24 };
	static struct got g[OWED + 1];
	int fds[N];

	client = peer_client(&peer, NULL);
	make_eventfds(fds, N);
	for (int i = 0; i < N; i++) {
		queue(fds[i], 0);
		ck_assert_int_eq(rdy_client_dispatch(client), 0);
	}
	for (int i = 0; i < OWED; i++)
		peer_recv(&peer, &g[i], WIRE_REGISTER, 1);
	peer_expect_silence(&peer);
	ck_assert(!readable(client));
	peer_answer(&peer, &g[7], 10);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	peer_recv(&peer, &g[OWED], WIRE_REGISTER, N - OWED);
	for (int i = 0; i <= OWED; i++)
		if (i != 7)
			peer_answer(&peer, &g[i], 100 + 10 * (uint64_t)i);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	close_all(fds, N);
}
END_TEST

static int drain(struct got *last)
{
	int n = 0;

	while (poll(&(struct pollfd){.fd = peer.conn, .events = POLLIN}, 1, 0) == 1) {
		peer_recv(&peer, last, WIRE_REARM, 1);
		n++;
	}
	return n;
}

/* One event, taken, and rearmed: true when the REARM went out. */
static void one_round(uint64_t h, uint32_t seq)
{
	struct rdy_client_event e;

	peer_event(&peer, h, 900, RDY_READABLE, WIRE_EVENT_DISARMED, seq);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, LONG_NS), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_READY);
	ck_assert_int_eq(rdy_client_rearm(client, h), 0);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
}

/* The peer sends and does not read: nobody blocks, events go on, and what waits goes out in the end, for
 * the newest event only. */
START_TEST(peer_that_stops_reading)
{
	enum { ROUNDS = 1000 }; /* far more than a socket takes unread */
	static struct got g;
	struct wire_rearm r;
	int fd, n;
	uint64_t h;

	client = peer_client(&peer, NULL);
	make_eventfds(&fd, 1);
	h = live(&peer, client, fd, 3, RDY_ONESHOT, 900);
	for (uint32_t seq = 1; seq <= ROUNDS; seq++)
		one_round(h, seq);
	/* Nothing can be done, so it does not spin. */
	ck_assert(!readable(client));
	n = drain(&g);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, ROUNDS);
	ck_assert(readable(client));
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	ck_assert(!readable(client));
	ck_assert_int_eq(drain(&g), 1);
	wire_get_rearm(&g.frame, 0, &r);
	ck_assert_uint_eq(r.seq, ROUNDS);
	/* The same through wait(), which polls for room by itself. */
	for (uint32_t seq = ROUNDS + 1; seq <= 2 * ROUNDS; seq++)
		one_round(h, seq);
	drain(&g);
	ck_assert_int_eq(rdy_client_sync(client, RDY__NS_PER_MS), -ETIMEDOUT);
	peer_recv(&peer, &g, WIRE_REARM, 1);
	peer_recv(&peer, &g, WIRE_PING, 1);
	close(fd);
}
END_TEST

/* Too many descriptors in flight: later, not never. In a child, whose limits and identity may change. */
static int in_flight_child(void)
{
	enum { N = 90, LIMIT = 30 };
	struct rlimit all, low;
	struct rdy__received r;
	static uint8_t buf[WIRE_FRAME_MAX];
	static int fds[N], got[RDY__FDS_MAX];
	int n_got = 0;

	make_eventfds(fds, N);
	getrlimit(RLIMIT_NOFILE, &all);
	low = (struct rlimit){.rlim_cur = LIMIT, .rlim_max = all.rlim_max};
	if (geteuid() == 0 && setresuid(65533, 65533, 65533) < 0)
		return 1;
	if (setrlimit(RLIMIT_NOFILE, &low) < 0)
		return 2;
	for (int i = 0; i < N; i++) {
		queue(fds[i], 0);
		if (i % LIMIT == LIMIT - 1 && rdy_client_dispatch(client) != 0)
			return 3;
	}
	/* The third batch was refused; its time makes the descriptor readable again. */
	setrlimit(RLIMIT_NOFILE, &all);
	for (int batch = 0; batch < 3; batch++) {
		struct pollfd p[2] = {{.fd = peer.conn, .events = POLLIN},
			{.fd = rdy_client_fd(client), .events = POLLIN}};

		while (poll(p, 1, 0) == 0) {
			if (poll(p, 2, 20000) <= 0 || rdy_client_dispatch(client) != 0)
				return 4;
		}
		if (rdy__recv_fds(peer.conn, buf, sizeof(buf), got, 0, &r) < 0)
			return 5;
		close_all(got, (int)r.n_fds);
		n_got += (int)r.n_fds;
		if (batch == 0 && rdy_client_next(client, &(struct rdy_client_event){0}) != 0)
			return 6;
	}
	return n_got == N ? 0 : 7;
}

START_TEST(too_many_in_flight)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		client = peer_client(&peer, NULL);
		unit_exit(in_flight_child());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The kernel passes no io_uring descriptor to anybody: it fails, its neighbours do not. */
START_TEST(what_the_kernel_refuses)
{
	uint32_t params[30] = {0};
	int ring = (int)syscall(__NR_io_uring_setup, 1, params), fds[5];
	struct rdy_client_event e;
	struct got g;
	int n = 0;

	if (ring < 0)
		return; /* switched off here */
	client = peer_client(&peer, NULL);
	make_eventfds(fds, 5);
	for (int i = 0; i < 5; i++) {
		queue(fds[i], (uint64_t)i);
		if (i == 2)
			queue(ring, 99);
	}
	ck_assert_int_ge(rdy_client_dispatch(client), 0);
	while (n < 5) {
		peer_recv(&peer, &g, WIRE_REGISTER, n < 3 ? 1 : 2);
		n += (int)g.n_fds;
		peer_answer(&peer, &g, 100 + (uint64_t)n);
	}
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, LONG_NS), 1);
	ck_assert_uint_eq(e.type, RDY_CLIENT_FAILED);
	ck_assert_uint_eq(e.token, 99);
	ck_assert_uint_eq(e.error, WIRE_E_FD_KIND_REFUSED);
	ck_assert_int_eq(rdy_client_sync(client, LONG_NS), 0);
	close_all(fds, 5);
	close(ring);
}
END_TEST

/* What is sent while one REGISTER with serial 2 is unanswered; each is against the protocol. */
static size_t make_offence(int i, uint8_t *b, uint32_t serial)
{
	switch (i) {
	case 0:
		memset(b, 0xa5, 100);
		return 100;
	case 1: /* shorter than a header */
		memset(b, 0, 15);
		return 15;
	case 2: /* a second WELCOME */
		wire_put_welcome(b, &peer.welcome);
		return wire_put_header(b, WIRE_WELCOME, 1, 1);
	case 3: /* a reply to nothing */
		wire_put_result(b, 0, &(struct wire_result){.id = 1});
		return wire_put_header(b, WIRE_REGISTERED, serial + 1, 1);
	case 4: /* more results than records */
		wire_put_result(b, 0, &(struct wire_result){.id = 1});
		wire_put_result(b, 1, &(struct wire_result){.id = 2});
		return wire_put_header(b, WIRE_REGISTERED, serial, 2);
	case 5: /* a reply of another type */
		wire_put_result(b, 0, &(struct wire_result){.id = 1});
		return wire_put_header(b, WIRE_MODIFIED, serial, 1);
	case 6: /* a registration without a name */
		wire_put_result(b, 0, &(struct wire_result){.id = 0});
		return wire_put_header(b, WIRE_REGISTERED, serial, 1);
	case 7: /* an answer to no PING */
		wire_put_ping(b, 1);
		return wire_put_header(b, WIRE_PONG, serial, 1);
	case 8: /* a request */
		wire_put_ping(b, 1);
		return wire_put_header(b, WIRE_PING, 1, 1);
	case 9: /* longer than it says */
		wire_put_ping(b, 1);
		return wire_put_header(b, WIRE_PONG, 1, 1) + 8;
	case 10: /* longer than anything */
		memset(b, 0, 2 * WIRE_FRAME_MAX);
		return 2 * WIRE_FRAME_MAX;
	default:
		return 0;
	}
}

/* Each ends the connection, and nothing else: the registration is handed over anew. */
START_TEST(offences)
{
	static uint8_t b[2 * WIRE_FRAME_MAX];
	struct rdy_client_event e[2];
	struct got g;
	size_t n;
	int fd;

	make_eventfds(&fd, 1);
	for (int i = 0; (n = make_offence(i, b, 2)); i++) {
		struct pollfd p[2] = {{.fd = peer.listener, .events = POLLIN}, {.events = POLLIN}};

		client = peer_client(&peer, NULL);
		p[1].fd = rdy_client_fd(client);
		queue(fd, 3);
		ck_assert_int_eq(rdy_client_dispatch(client), 0);
		peer_recv(&peer, &g, WIRE_REGISTER, 1);
		ck_assert_uint_eq(g.frame.header.serial, 2);
		peer_send(&peer, b, n);
		ck_assert_int_eq(rdy_client_wait(client, e, 2, LONG_NS), 1);
		ck_assert_uint_eq(e[0].type, RDY_CLIENT_LOST);
		while (poll(p, 1, 0) == 0) {
			ck_assert_int_ge(poll(p, 2, LONG_NS / RDY__NS_PER_MS), 1);
			ck_assert_int_eq(rdy_client_dispatch(client), 0);
		}
		peer_accept(&peer);
		peer_welcome(&peer);
		ck_assert_int_eq(rdy_client_dispatch(client), 0);
		peer_recv(&peer, &g, WIRE_REGISTER, 1);
		peer_answer(&peer, &g, 4);
		ck_assert_int_eq(rdy_client_wait(client, e, 2, LONG_NS), 1);
		ck_assert_uint_eq(e[0].type, RDY_CLIENT_RESTORED);
		client = rdy_client_free(client);
	}
	close(fd);
}
END_TEST

/* Events of nobody, of another id, of an unknown type: dropped. Descriptors nobody asked for: not taken. */
START_TEST(strange_but_harmless)
{
	uint8_t b[WIRE_HEADER_BYTES + WIRE_EVENT_BYTES];
	struct rdy_client_event e;
	int fd, n_fds;
	uint64_t h;

	client = peer_client(&peer, NULL);
	make_eventfds(&fd, 1);
	h = live(&peer, client, fd, 3, RDY_EDGE, 900);
	n_fds = unit_count_fds();
	peer_event(&peer, h + 1, 900, RDY_READABLE, 0, 1);
	peer_event(&peer, h + (UINT64_C(1) << 32), 900, RDY_READABLE, 0, 1);
	peer_event(&peer, UINT64_MAX, 900, RDY_READABLE, 0, 1);
	peer_event(&peer, h, 901, RDY_READABLE, 0, 1);
	ck_assert_int_eq(rdy_client_dispatch(client), 0);
	wire_put_event(b, 0,
		&(struct wire_event){.cookie = h,
			.id = 900,
			.type = WIRE_EVENT_READY,
			.ready = RDY_READABLE,
			.seq = 1});
	ck_assert_int_eq(
		rdy__send_fds(peer.conn, b, wire_put_header(b, WIRE_EVENTS, 0, 1), &fd, 1), 0);
	ck_assert_int_eq(rdy_client_wait(client, &e, 1, -1), 1);
	ck_assert_uint_eq(e.handle, h);
	ck_assert_int_eq(unit_count_fds(), n_fds);
	close(fd);
}
END_TEST

UNIT_MAIN_WITH("client/flow", setup, teardown, full_batches, small_batches, unanswered_requests,
	peer_that_stops_reading, too_many_in_flight, what_the_kernel_refuses, offences,
	strange_but_harmless)
