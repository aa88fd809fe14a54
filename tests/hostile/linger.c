/* SPDX-License-Identifier: MIT */
/*
 * TCP connections with unsent data, a closed window and a linger time (threats: b). Whoever has the last copy
 * waits in close(); that is a closer, which is killed for it and replaced once. Then closing waits, for this
 * user only.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "objects.h"
#include "unit.h"

#define EXPECTS \
	{ \
		"closer=stuck", "closer=none", "closer=gone", "closer=died", "child=closer", \
			"agent=wedged" \
	}

/* The other end stays, and reads nothing, until this process ends. */
static int lingering(void)
{
	int end, fd = object_lingering(INT_MAX, &end);

	need(end < 1000, "%d", end);
	return fd;
}

static void register_and_leave(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), fd = lingering();

	raw_register_ok(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);
	/* Not lingering here: the other copy is not the last one. */
	rdy__fd_close(fd);
	rdy__fd_close(sock);
}

START_TEST(lingering_connections)
{
	attack(&(struct attack){.name = "lingering connections",
		.round = register_and_leave,
		.rounds = 3,
		.rounds_max = 3,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms"},
		.expects = EXPECTS});
}
END_TEST

/* Refused for its cookie, or with the whole frame: it is disposed of as one that was served. */
static void be_refused(const struct instance *in, uint32_t n, void *arg)
{
	const struct wire_register q = {.cookie = 1, .interest = WIRE_READABLE, .mode = WIRE_EDGE};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES];
	int sock = raw_open(in->sock), good = eventfd(0, EFD_CLOEXEC);
	struct wire_result result;
	struct raw_frame frame;
	pid_t sender;

	raw_register_ok(sock, good, 1, WIRE_READABLE, WIRE_EDGE, 0);
	if (n % 2) {
		wire_put_register(buf, 0, &q);
		sender = object_send(
			sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), lingering());
		raw_recv_type(sock, &frame, WIRE_REGISTERED);
		wire_get_result(&frame.f, 0, &result);
		need(result.error == WIRE_E_COOKIE_DUPLICATE, "%s", wire_error_name(result.error));
		raw_ping(sock);
	} else {
		wire_put_ping(buf, 1);
		sender = object_send(sock, buf, wire_put_header(buf, WIRE_PING, 1, 1), lingering());
		raw_expect_fatal(sock, WIRE_E_FD_COUNT_MISMATCH, 1);
	}
	object_sent(sender);
	rdy__fd_close(good);
	rdy__fd_close(sock);
}

START_TEST(lingering_and_refused)
{
	attack(&(struct attack){.name = "lingering, refused",
		.round = be_refused,
		.rounds = 4,
		.rounds_max = 4,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms"},
		.expects = EXPECTS});
}
END_TEST

/* It lies in the queue of a unix socket, which is what is registered: closing that one closes both. */
static void in_flight(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), fd = lingering(), end, carrier = object_in_queue(fd, &end);

	rdy__fd_close(fd);
	raw_register_ok(sock, carrier, 1, WIRE_READABLE, WIRE_EDGE, 0);
	rdy__fd_close(carrier);
	/* Some hang up first, which ends the registration. */
	if (n % 2)
		rdy__fd_close(end);
	rdy__fd_close(sock);
}

START_TEST(lingering_in_flight)
{
	attack(&(struct attack){.name = "lingering, in flight",
		.round = in_flight,
		.rounds = 3,
		.rounds_max = 3,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms"},
		.expects = EXPECTS});
}
END_TEST

/* A session with unread messages that carry them: it is drained when it ends, and they go the usual way. */
static void unread(const struct instance *in, uint32_t n, void *arg)
{
	const struct wire_register q = {.interest = WIRE_READABLE, .mode = WIRE_EDGE};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES];
	int sock = raw_open(in->sock), fd;

	/* More than fits unread into the way back, and may be unanswered: what comes then is not read. */
	for (uint32_t i = 0; i < 300; i++) {
		wire_put_ping(buf, i);
		raw_send(sock, buf, wire_put_header(buf, WIRE_PING, i, 1), NULL, 0);
	}
	fd = lingering();
	wire_put_register(buf, 0, &q);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), &fd, 1), ==, 0);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
}

START_TEST(lingering_and_unread)
{
	attack(&(struct attack){.name = "lingering, unread",
		.round = unread,
		.rounds = 3,
		.rounds_max = 3,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms"},
		.expects = EXPECTS});
}
END_TEST

/*
 * One after the other, in a session that goes on: the closer is killed after 2 s, the second one, too, and
 * there is no third; the others wait, and cost the descriptors of their own agent. When that has no more,
 * the user is told so; it can still take back what it has.
 */
static void one_by_one(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), fd, good = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t id = raw_register_ok(sock, good, 1, WIRE_READABLE, WIRE_ONESHOT, 0);
	int64_t start = now_ns();
	struct raw_frame frame;
	uint32_t kept = 0;

	for (int i = 0; i < 3; i++) {
		fd = lingering();
		uint64_t bad = raw_register_ok(sock, fd, 2, WIRE_READABLE, WIRE_EDGE, 0);

		rdy__fd_close(fd);
		need_int(raw_deregister(sock, bad), ==, WIRE_OK);
	}
	while (!instance_said(in, "closer=none"))
		need(look_again(start), "closers are not stuck: %s", instance_log(in));
	need(now_ns() - start >= 3500000000, "two closers had not 2 s each");
	fd = eventfd(0, EFD_CLOEXEC);
	for (struct wire_result r = {0};; kept++) {
		need(kept < 4096, "nothing bounds what cannot be closed");
		r = raw_register(sock, fd, 3, WIRE_READABLE, WIRE_EDGE, 0);
		if (r.error != WIRE_OK) {
			need(r.error == WIRE_E_OUT_OF_DESCRIPTORS, "%s", wire_error_name(r.error));
			break;
		}
		need_int(raw_deregister(sock, r.id), ==, WIRE_OK);
	}
	note("%u more could be registered and taken back", kept);
	/* The session serves on. */
	need(eventfd_write(good, 1) == 0, "%s", strerror(errno));
	raw_recv_type(sock, &frame, WIRE_EVENTS);
	need_int(raw_deregister(sock, id), ==, WIRE_OK);
	rdy__fd_close(fd);
	rdy__fd_close(good);
	rdy__fd_close(sock);
}

START_TEST(closers_are_replaced_once)
{
	attack(&(struct attack){.name = "closers are replaced once",
		.round = one_by_one,
		.rounds = 1,
		.rounds_max = 1,
		.nofile = 2048,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms", "closer.batch=1",
			"quota.default.registrations=64"},
		.expects = EXPECTS});
}
END_TEST

UNIT_MAIN("hostile/linger", lingering_connections, lingering_and_refused, lingering_in_flight,
	lingering_and_unread, closers_are_replaced_once)
