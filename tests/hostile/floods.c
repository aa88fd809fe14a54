/* SPDX-License-Identifier: MIT */
/* Clients that do not read, do not speak, do not stop, or stop in the middle. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "unit.h"

#define FDS 100u
#define SOME_MS 100 /* how long a flood lasts in one round */

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

static bool goes_on(int64_t start_ns)
{
	return now_ns() - start_ns < (int64_t)SOME_MS * 1000000;
}

static size_t put_registers(uint8_t *buf, uint32_t n, uint8_t mode)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE | WIRE_WRITABLE, .mode = mode};

		wire_put_register(buf, i, &q);
	}
	return wire_put_header(buf, WIRE_REGISTER, 1, n);
}

/* A session with FDS registrations. */
static int open_with_many(const struct instance *in, int *fds, uint8_t mode)
{
	int sock = raw_open(in->sock);
	uint8_t buf[WIRE_FRAME_MAX];
	struct raw_frame frame;

	for (uint32_t i = 0; i < FDS; i++)
		fds[i] = event_fd();
	need_int(raw_send(sock, buf, put_registers(buf, FDS, mode), fds, FDS), ==, 0);
	raw_recv_type(sock, &frame, WIRE_REGISTERED);
	return sock;
}

static void close_many(int *fds)
{
	for (uint32_t i = 0; i < FDS; i++)
		rdy__fd_close(fds[i]);
}

/* A hundred edges, rung for ever, and nobody reads what comes of it. */
static void never_read(const struct instance *in, uint32_t n, void *arg)
{
	int fds[FDS], sock = open_with_many(in, fds, WIRE_EDGE);
	int64_t start = now_ns();

	while (goes_on(start))
		for (uint32_t i = 0; i < FDS; i++)
			need(eventfd_write(fds[i], 1) == 0, "%s", strerror(errno));
	close_many(fds);
	rdy__fd_close(sock);
}

START_TEST(a_client_that_never_reads)
{
	attack(&(struct attack){.name = "never reads", .round = never_read, .rounds = 5});
}
END_TEST

static void die_within_a_batch(const struct instance *in, uint32_t n)
{
	int sock = raw_open(in->sock), fd = event_fd(), fds[WIRE_BATCH_MAX];
	uint8_t buf[WIRE_FRAME_MAX];
	size_t n_bytes = put_registers(buf, WIRE_BATCH_MAX, WIRE_ONESHOT);
	int all[8];

	for (size_t i = 0; i < 8; i++)
		all[i] = raw_open(in->sock);
	for (uint32_t i = 0; i < WIRE_BATCH_MAX; i++)
		fds[i] = fd;
	/* One session has all of its batch, the others a part of it: it was cut in two, as on a stream. */
	rdy__send_fds(sock, buf, n_bytes, fds, WIRE_BATCH_MAX);
	for (size_t i = 0; i < 8; i++)
		rdy__send_fds(all[i], buf, n_bytes / 2, fds, 1 + (n * 31 + i * 7) % WIRE_BATCH_MAX);
	kill(getpid(), SIGKILL);
}

static void die(const struct instance *in, uint32_t n, void *arg)
{
	pid_t pid = fork();
	int status;

	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		die_within_a_batch(in, n);
		_exit(1);
	}
	need_int(waitpid(pid, &status, 0), ==, pid);
	need(WIFSIGNALED(status), "status %#x", (unsigned int)status);
}

START_TEST(dies_within_a_frame)
{
	attack(&(struct attack){.name = "dies within a frame", .round = die});
}
END_TEST

/* Requests without end, whose answers nobody reads. */
static void flood_pings(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	int sock = raw_open(in->sock);
	int64_t start = now_ns();
	size_t n_bytes;

	wire_put_ping(buf, 1);
	n_bytes = wire_put_header(buf, WIRE_PING, 1, 1);
	while (goes_on(start))
		if (rdy__send_fds(sock, buf, n_bytes, NULL, 0) == -EAGAIN)
			poll(&(struct pollfd){.fd = sock, .events = POLLOUT}, 1, 10);
	rdy__fd_close(sock);
}

START_TEST(pings_without_end)
{
	attack(&(struct attack){.name = "pings", .round = flood_pings, .rounds = 5});
}
END_TEST

/*
 * More requests than may be unanswered: the daemon stops reading, loses none, and answers each when there is
 * somebody to hear it.
 */
static void unanswered(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	int sock = raw_open(in->sock), r;
	uint32_t sent = 0;

	while (sent < 20000) {
		wire_put_ping(buf, sent);
		r = rdy__send_fds(sock, buf, wire_put_header(buf, WIRE_PING, sent, 1), NULL, 0);
		if (r < 0 && !poll(&(struct pollfd){.fd = sock, .events = POLLOUT}, 1, 100))
			break;
		sent += r == 0;
	}
	need(sent > WIRE_UNANSWERED_MAX && sent < 20000, "%u requests in a row", sent);
	for (uint32_t i = 0; i < sent; i++) {
		struct raw_frame frame;

		raw_recv_type(sock, &frame, WIRE_PONG);
		need(wire_get_ping(&frame.f) == i && frame.f.header.serial == i, "%u", i);
	}
	raw_ping(sock);
	rdy__fd_close(sock);
}

START_TEST(more_than_may_be_unanswered)
{
	attack(&(struct attack){.name = "unanswered", .round = unanswered, .rounds = 3});
}
END_TEST

/* In and out, as fast as it goes, half of the time without asking for the answers. */
static void flood_registers(const struct instance *in, uint32_t n, void *arg)
{
	int fds[FDS], sock = open_with_many(in, fds, WIRE_ONESHOT);
	int64_t start = now_ns();

	for (uint64_t cookie = 1000; goes_on(start); cookie++) {
		uint64_t id = raw_register_ok(sock, fds[cookie % FDS], cookie,
			WIRE_READABLE | WIRE_WRITABLE, WIRE_ONESHOT, 0);

		need_int(raw_deregister(sock, id), ==, WIRE_OK);
	}
	for (start = now_ns(); n % 2 && goes_on(start);) {
		const struct wire_register q = {
			.cookie = (uint64_t)start, .interest = WIRE_READABLE, .mode = WIRE_EDGE};
		uint8_t buf[WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES];

		wire_put_register(buf, 0, &q);
		if (rdy__send_fds(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), fds, 1) < 0)
			break;
	}
	close_many(fds);
	rdy__fd_close(sock);
}

START_TEST(registrations_without_end)
{
	attack(&(struct attack){.name = "registrations", .round = flood_registers, .rounds = 4});
}
END_TEST

/* Many at once, which say nothing: each is told, and its time is over. */
static void say_nothing(const struct instance *in, uint32_t n, void *arg)
{
	int socks[16];

	for (size_t i = 0; i < 16; i++)
		socks[i] = raw_connect(in->sock);
	for (size_t i = 0; i < 16; i++) {
		raw_expect_fatal(socks[i], WIRE_E_HELLO_TIMEOUT, RAW_ANY);
		rdy__fd_close(socks[i]);
	}
}

START_TEST(no_hello)
{
	attack(&(struct attack){.name = "no HELLO",
		.round = say_nothing,
		.rounds = 2,
		.options = {"session.hello_timeout=300ms"}});
}
END_TEST

static void hello_twice(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	size_t n_bytes = raw_put_hello(buf, RAW_FEATURES);

	attack_expect(in, buf, n_bytes, NULL, 0, WIRE_E_HELLO_REPEATED, RAW_ANY);
}

START_TEST(a_second_hello)
{
	attack(&(struct attack){.name = "a second HELLO", .round = hello_twice});
}
END_TEST

/* It will not say anything any more, or not hear anything, and stays. */
static void half_open(const struct instance *in, uint32_t n, void *arg)
{
	int fds[FDS], sock = open_with_many(in, fds, WIRE_EDGE);
	struct raw_frame frame;
	int r;

	need(shutdown(sock, n % 2 ? SHUT_WR : SHUT_RD) == 0, "%s", strerror(errno));
	for (uint32_t i = 0; i < FDS; i++)
		need(eventfd_write(fds[i], 1) == 0, "%s", strerror(errno));
	/* Nobody can speak in a session without a way back: it ends. */
	while (n % 2 && (r = raw_recv(sock, &frame, PATIENCE_MS)) != 0)
		need(r == 1 || r == -ECONNRESET, "%s", strerror(-r));
	close_many(fds);
	rdy__fd_close(sock);
}

START_TEST(half_closed)
{
	attack(&(struct attack){.name = "half closed", .round = half_open});
}
END_TEST

/* Here and gone, without a word, or with a word that nobody waits for an answer to. */
static void come_and_go(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];

	for (uint32_t i = 0; i < 20; i++) {
		int sock = raw_connect(in->sock);

		if (i % 2)
			rdy__send_fds(sock, buf, raw_put_hello(buf, RAW_FEATURES), NULL, 0);
		rdy__fd_close(sock);
	}
}

START_TEST(connections_without_end)
{
	attack(&(struct attack){.name = "connections", .round = come_and_go, .rounds_max = 200});
}
END_TEST

/* With the quota as it is: nearly all are refused, by the attacker's own agent. */
START_TEST(connections_over_the_quota)
{
	attack(&(struct attack){.name = "connections over the quota",
		.round = come_and_go,
		.rounds_max = 200,
		.options = {"quota.default.connects_per_s=10"}});
}
END_TEST

UNIT_MAIN("hostile/floods", a_client_that_never_reads, dies_within_a_frame, pings_without_end,
	more_than_may_be_unanswered, registrations_without_end, no_hello, a_second_hello,
	half_closed, connections_without_end, connections_over_the_quota)
