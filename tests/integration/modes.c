/* SPDX-License-Identifier: MIT */
/*
 * Level, floods and deadlines as their bytes say it, with pipes, sockets and pseudo-terminals, with edges of
 * the kernel's and without.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness.h"
#include "unit.h"

#define FEATURES (RAW_FEATURES | WIRE_FEATURE_LEVEL | WIRE_FEATURE_DEADLINE)
#define MS RDY__NS_PER_MS
#define NEVER_NS (3600 * RDY__NS_PER_S)

enum { PIPE, UNIX_SOCKET, PTY, N_KINDS };

/* A pair of descriptors: what is watched, and who writes. */
struct ends {
	int fd, other;
};

static struct ends ends_open(int kind)
{
	struct termios t;
	int p[2] = {-1, -1};

	switch (kind) {
	case PIPE:
		need(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0, "%s", strerror(errno));
		break;
	case UNIX_SOCKET:
		need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p) == 0,
			"%s", strerror(errno));
		break;
	default:
		p[0] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
		need(p[0] >= 0 && grantpt(p[0]) == 0 && unlockpt(p[0]) == 0, "%s", strerror(errno));
		p[1] = open(ptsname(p[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
		need(p[1] >= 0 && tcgetattr(p[1], &t) == 0, "%s", strerror(errno));
		cfmakeraw(&t);
		need(tcsetattr(p[1], TCSANOW, &t) == 0, "%s", strerror(errno));
	}
	return (struct ends){p[0], p[1]};
}

static void ends_close(struct ends *e)
{
	e->fd = rdy__fd_close(e->fd);
	e->other = rdy__fd_close(e->other);
}

static void put(const struct ends *e)
{
	need_int(write(e->other, "x", 1), ==, 1);
}

/* All there is; returns how much. */
static size_t drain(const struct ends *e)
{
	size_t total = 0;
	char buf[4096];
	ssize_t n;

	while ((n = read(e->fd, buf, sizeof(buf))) > 0)
		total += (size_t)n;
	need(errno == EAGAIN, "%s", strerror(errno));
	return total;
}

static int open_session(const struct instance *in, uint64_t *ret_features)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	int sock = raw_connect(in->sock);
	struct wire_welcome w;
	struct raw_frame frame;

	need_int(raw_send(sock, buf, raw_put_hello(buf, FEATURES), NULL, 0), ==, 0);
	raw_recv_type(sock, &frame, WIRE_WELCOME);
	wire_get_welcome(&frame.f, &w);
	*ret_features = w.features;
	return sock;
}

/* Events in the order in which they came, whatever the frames. */
struct inbox {
	int sock;
	struct raw_frame frame;
	uint32_t next;
};

static struct wire_event take(struct inbox *in)
{
	struct wire_event e;

	if (in->next == 0 || in->next == in->frame.f.header.count) {
		raw_recv_type(in->sock, &in->frame, WIRE_EVENTS);
		in->next = 0;
	}
	wire_get_event(&in->frame.f, in->next++, &e);
	return e;
}

static struct wire_event take_of(struct inbox *in, uint64_t id, uint8_t type)
{
	struct wire_event e = take(in);

	need_int(e.id, ==, id);
	need_int(e.type, ==, type);
	return e;
}

/* Everything was taken, and there is no more. */
static void expect_silence(struct inbox *in)
{
	need(in->next == 0 || in->next == in->frame.f.header.count, "more of a frame");
	raw_ping(in->sock);
}

static void set_deadlines(int sock, const uint64_t *ids, uint32_t n, int64_t at_ns, int64_t idle_ns)
{
	uint8_t buf[WIRE_FRAME_MAX];
	struct raw_frame frame;
	struct wire_result r;

	for (uint32_t i = 0; i < n; i++)
		wire_put_set_deadline(buf, i,
			&(struct wire_set_deadline){ids[i], (uint64_t)at_ns, (uint64_t)idle_ns});
	need_int(
		raw_send(sock, buf, wire_put_header(buf, WIRE_SET_DEADLINE, 9, n), NULL, 0), ==, 0);
	raw_recv_past_events(sock, &frame, WIRE_DEADLINE_SET);
	need_int(frame.f.header.serial, ==, 9);
	need_int(frame.f.header.count, ==, n);
	for (uint32_t i = 0; i < n; i++) {
		wire_get_result(&frame.f, i, &r);
		need_int(r.id, ==, ids[i]);
		need(r.error == WIRE_OK, "%s", wire_error_name(r.error));
	}
}

/* ---- level ---- */

static void check_level(const struct instance *in)
{
	uint64_t ids[N_KINDS], features;
	struct ends ends[N_KINDS];
	struct inbox inbox = {.sock = open_session(in, &features)};
	uint8_t buf[256];

	need_int(features & WIRE_FEATURE_LEVEL, !=, 0);
	for (int i = 0; i < N_KINDS; i++) {
		ends[i] = ends_open(i);
		ids[i] = raw_register_ok(
			inbox.sock, ends[i].fd, (uint64_t)i, WIRE_READABLE, WIRE_LEVEL, 0);
	}
	for (uint32_t round = 1; round < 4; round++) {
		uint32_t seen = 0;

		/* One event each, as long as nobody acknowledges it. */
		for (int i = 0; i < N_KINDS; i++)
			put(&ends[i]);
		while (seen != (1u << N_KINDS) - 1) {
			struct wire_event e = take(&inbox);

			need(e.cookie < N_KINDS && e.id == ids[e.cookie], "another's");
			need_int(e.type, ==, WIRE_EVENT_READY);
			need_int(e.flags, ==, WIRE_EVENT_ACK);
			need_int(e.ready, ==, WIRE_READABLE);
			need_int(e.seq, ==, 2 * round - 1);
			need_int(seen & 1u << e.cookie, ==, 0);
			seen |= 1u << e.cookie;
		}
		for (int i = 0; i < N_KINDS; i++)
			put(&ends[i]);
		expect_silence(&inbox);
		/* All acknowledged in one frame, the first is empty by then: the others come again. */
		need_int(drain(&ends[0]), ==, 2);
		for (uint32_t i = 0; i < N_KINDS; i++)
			wire_put_rearm(
				buf, i, &(struct wire_rearm){.id = ids[i], .seq = 2 * round - 1});
		need_int(raw_send(inbox.sock, buf, wire_put_header(buf, WIRE_REARM, 3, N_KINDS),
				 NULL, 0),
			==, 0);
		for (int i = 1; i < N_KINDS; i++) {
			struct wire_event e = take(&inbox);

			need_int(e.cookie, !=, 0);
			need_int(e.seq, ==, 2 * round);
			drain(&ends[e.cookie]);
			raw_rearm(inbox.sock, e.id, e.seq);
		}
		expect_silence(&inbox);
		put(&ends[0]);
		need_int(take_of(&inbox, ids[0], WIRE_EVENT_READY).seq, ==, 2 * round);
		/* One that answers an older event, and one that answers nothing. */
		raw_rearm(inbox.sock, ids[0], 2 * round - 1);
		raw_rearm(inbox.sock, ids[1], 2 * round);
		expect_silence(&inbox);
		drain(&ends[0]);
		raw_rearm(inbox.sock, ids[0], 2 * round);
		expect_silence(&inbox);
	}
	rdy__fd_close(inbox.sock);
	for (int i = 0; i < N_KINDS; i++)
		ends_close(&ends[i]);
}

START_TEST(level)
{
	struct instance in;

	instance_start(&in, NULL);
	check_level(&in);
	instance_stop(&in);
}
END_TEST

START_TEST(level_by_poll)
{
	struct instance in;

	instance_start(&in, "selector=poll", NULL);
	check_level(&in);
	instance_stop(&in);
}
END_TEST

/* ---- floods ---- */

/* How often the process has gone to sleep. */
static long sleeps_of(pid_t pid)
{
	char path[64], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	need(f, "%s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	fclose(f);
	need_int(n, >=, 0);
	return n;
}

/* Until PAUSED, which has to come soon; returns what was written. */
static size_t flood(struct inbox *inbox, const struct ends *ends, uint64_t id)
{
	for (size_t n = 1; n < 1000; n++) {
		struct wire_event e;

		put(ends);
		e = take_of(inbox, id, WIRE_EVENT_READY);
		need_int(e.ready, ==, WIRE_READABLE);
		if (e.flags == WIRE_EVENT_PAUSED)
			return n;
		need_int(e.flags, ==, 0);
	}
	need(false, "never paused");
	return 0;
}

START_TEST(floods)
{
	struct instance in;
	uint64_t features;
	struct inbox inbox;
	pid_t agent;

	instance_start(&in, "delivery.flood_rate=2/s", "delivery.flood_burst=5", NULL);
	inbox = (struct inbox){.sock = open_session(&in, &features)};
	agent = instance_wait_agent(&in, geteuid());
	for (int kind = 0; kind < N_KINDS; kind++) {
		struct ends ends = ends_open(kind), calm = ends_open(kind);
		uint64_t id, calm_id;
		struct wire_event e;
		size_t n;
		long sleeps;

		id = raw_register_ok(inbox.sock, ends.fd, 1, WIRE_READABLE, WIRE_EDGE, 0);
		calm_id = raw_register_ok(inbox.sock, calm.fd, 2, WIRE_READABLE, WIRE_EDGE, 0);
		n = flood(&inbox, &ends, id);
		/* Bursts are told as before. */
		need_int(n, >, 5);
		/* In the pause it does not even wake the agent. */
		raw_ping(inbox.sock);
		sleeps = sleeps_of(agent);
		for (int i = 0; i < 100; i++, n++)
			put(&ends);
		sleeps = sleeps_of(agent) - sleeps;
		need_int(sleeps, <, 30);
		/*
		 * Others go on; and it is told what there is when the pause is over, without anything new:
		 * later, unless this machine has slept meanwhile.
		 */
		put(&calm);
		for (bool calm_told = false, told = false; !calm_told || !told;) {
			e = take(&inbox);
			need(e.id == id || (e.id == calm_id && !calm_told), "another's");
			need_int(e.type, ==, WIRE_EVENT_READY);
			need_int(e.ready, ==, WIRE_READABLE);
			if (e.id == calm_id)
				need_int(e.flags, ==, 0);
			calm_told |= e.id == calm_id;
			told |= e.id == id;
		}
		need_int(drain(&ends), ==, n);
		inbox.next = 0;
		need_int(raw_deregister(inbox.sock, id), ==, WIRE_OK);
		need_int(raw_deregister(inbox.sock, calm_id), ==, WIRE_OK);
		ends_close(&ends);
		ends_close(&calm);
	}
	rdy__fd_close(inbox.sock);
	instance_stop(&in);
}
END_TEST

/* Without edges there is no such mode, and nothing that could flood. */
START_TEST(floods_by_poll)
{
	struct ends ends = ends_open(PIPE);
	struct instance in;
	uint64_t features, id;
	struct inbox inbox;

	instance_start(
		&in, "selector=poll", "delivery.flood_rate=1/s", "delivery.flood_burst=1", NULL);
	inbox = (struct inbox){.sock = open_session(&in, &features)};
	need_int(features, ==, FEATURES & ~(uint64_t)WIRE_FEATURE_EDGE);
	need_int(raw_register(inbox.sock, ends.fd, 1, WIRE_READABLE, WIRE_EDGE, 0).error, ==,
		WIRE_E_MODE_INVALID);
	id = raw_register_ok(inbox.sock, ends.fd, 1, WIRE_READABLE, WIRE_LEVEL, 0);
	put(&ends);
	for (uint32_t i = 1; i <= 200; i++) {
		struct wire_event e = take_of(&inbox, id, WIRE_EVENT_READY);

		need_int(e.seq, ==, i);
		need_int(e.flags, ==, WIRE_EVENT_ACK);
		raw_rearm(inbox.sock, id, i);
	}
	rdy__fd_close(inbox.sock);
	ends_close(&ends);
	instance_stop(&in);
}
END_TEST

/* ---- deadlines ---- */

static void expect_timeout(struct inbox *inbox, uint64_t id, uint16_t which, uint32_t seq)
{
	struct wire_event e = take_of(inbox, id, WIRE_EVENT_TIMEOUT);

	need_int(e.flags, ==, 0);
	need_int(e.ready, ==, which);
	need_int(e.seq, ==, seq);
}

static void check_at(struct inbox *inbox)
{
	struct ends ends[N_KINDS];
	uint64_t ids[N_KINDS];
	uint32_t seen = 0;
	int64_t start_ns;

	for (int i = 0; i < N_KINDS; i++) {
		ends[i] = ends_open(i);
		ids[i] = raw_register_ok(inbox->sock, ends[i].fd, (uint64_t)i, WIRE_READABLE,
			i % 2 ? WIRE_LEVEL : WIRE_ONESHOT, 0);
	}
	start_ns = now_ns();
	set_deadlines(inbox->sock, ids, N_KINDS, 20 * MS, 0);
	while (seen != (1u << N_KINDS) - 1) {
		struct wire_event e = take(inbox);

		need_int(e.type, ==, WIRE_EVENT_TIMEOUT);
		need_int(e.ready, ==, WIRE_TIMEOUT_AT);
		need(e.cookie < N_KINDS && e.id == ids[e.cookie], "another's");
		seen |= 1u << e.cookie;
	}
	need_int(now_ns() - start_ns, >=, 20 * MS);
	expect_silence(inbox);
	/* While it is silent, too; and what crosses it is good. */
	put(&ends[0]);
	take_of(inbox, ids[0], WIRE_EVENT_READY);
	set_deadlines(inbox->sock, ids, 1, MS, 0);
	expect_timeout(inbox, ids[0], WIRE_TIMEOUT_AT, 1);
	raw_rearm(inbox->sock, ids[0], 1);
	need_int(take_of(inbox, ids[0], WIRE_EVENT_READY).seq, ==, 2);
	/* It dies with the registration: a hangup, and going. What comes next is of the last one only. */
	set_deadlines(inbox->sock, ids, 2, 30 * MS, 0);
	ends[0].other = rdy__fd_close(ends[0].other);
	for (struct wire_event e = {0}; !(e.flags & WIRE_EVENT_ENDED);) {
		e = take(inbox);
		need(e.flags & WIRE_EVENT_ENDED ? e.id == ids[0] : e.type == WIRE_EVENT_TIMEOUT,
			"type %u flags %#x", e.type, e.flags);
	}
	inbox->next = 0;
	need_int(raw_deregister(inbox->sock, ids[1]), ==, WIRE_OK);
	set_deadlines(inbox->sock, ids + 2, 1, 60 * MS, 0);
	expect_timeout(inbox, ids[2], WIRE_TIMEOUT_AT, 0);
	expect_silence(inbox);
	need_int(raw_deregister(inbox->sock, ids[2]), ==, WIRE_OK);
	for (int i = 0; i < N_KINDS; i++)
		ends_close(&ends[i]);
}

static void check_idle(struct inbox *inbox)
{
	const int64_t idle_ns = 50 * MS;

	for (int i = 0; i < N_KINDS; i++) {
		struct ends ends = ends_open(i);
		uint64_t id =
			raw_register_ok(inbox->sock, ends.fd, 1, WIRE_READABLE, WIRE_ONESHOT, 0);
		int64_t start_ns = now_ns();

		set_deadlines(inbox->sock, &id, 1, 0, idle_ns);
		expect_timeout(inbox, id, WIRE_TIMEOUT_IDLE, 0);
		need_int(now_ns() - start_ns, >=, idle_ns);
		/* Once. Then readiness begins it anew. */
		expect_silence(inbox);
		start_ns = now_ns();
		put(&ends);
		need_int(take_of(inbox, id, WIRE_EVENT_READY).seq, ==, 1);
		expect_timeout(inbox, id, WIRE_TIMEOUT_IDLE, 1);
		need_int(now_ns() - start_ns, >=, idle_ns);
		/* And so does the client. */
		drain(&ends);
		start_ns = now_ns();
		raw_rearm(inbox->sock, id, 1);
		expect_timeout(inbox, id, WIRE_TIMEOUT_IDLE, 1);
		need_int(now_ns() - start_ns, >=, idle_ns);
		/* The sooner of two, and the other one after it. */
		set_deadlines(inbox->sock, &id, 1, 3 * idle_ns, idle_ns);
		for (uint16_t over = 0; over != (WIRE_TIMEOUT_IDLE | WIRE_TIMEOUT_AT);) {
			struct wire_event e = take_of(inbox, id, WIRE_EVENT_TIMEOUT);

			need_int(over & e.ready, ==, 0);
			over |= e.ready;
			need_int(over & WIRE_TIMEOUT_IDLE, !=, 0);
		}
		set_deadlines(inbox->sock, &id, 1, NEVER_NS, NEVER_NS);
		set_deadlines(inbox->sock, &id, 1, 0, 0);
		expect_silence(inbox);
		need_int(raw_deregister(inbox->sock, id), ==, WIRE_OK);
		ends_close(&ends);
	}
}

/* The largest frame there is, and an answer to each record. */
static void check_batch(struct inbox *inbox)
{
	enum { MOST = (WIRE_FRAME_MAX - WIRE_HEADER_BYTES) / WIRE_SET_DEADLINE_BYTES };
	struct ends ends = ends_open(PIPE);
	uint64_t ids[MOST], id;

	id = raw_register_ok(inbox->sock, ends.fd, 1, WIRE_READABLE, WIRE_ONESHOT, 0);
	for (int i = 0; i < MOST; i++)
		ids[i] = id;
	set_deadlines(inbox->sock, ids, MOST, NEVER_NS, 0);
	set_deadlines(inbox->sock, ids, MOST, 0, (int64_t)WIRE_DEADLINE_MAX_NS);
	expect_silence(inbox);
	need_int(raw_deregister(inbox->sock, id), ==, WIRE_OK);
	ends_close(&ends);
}

static void check_deadlines(const struct instance *in)
{
	uint64_t features;
	struct inbox inbox = {.sock = open_session(in, &features)};

	need_int(features & WIRE_FEATURE_DEADLINE, !=, 0);
	check_at(&inbox);
	check_idle(&inbox);
	check_batch(&inbox);
	rdy__fd_close(inbox.sock);
}

START_TEST(deadlines)
{
	struct instance in;

	instance_start(&in, NULL);
	check_deadlines(&in);
	instance_stop(&in);
}
END_TEST

START_TEST(deadlines_by_poll)
{
	struct instance in;

	instance_start(&in, "selector=poll", NULL);
	check_deadlines(&in);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/modes", level, level_by_poll, floods, floods_by_poll, deadlines,
	deadlines_by_poll)
