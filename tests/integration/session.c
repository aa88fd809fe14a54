/* SPDX-License-Identifier: MIT */
/* What a session promises, frame by frame: order, merging, rearming, hangups, ids, its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"
#include "unit.h"

#define BOTH_CLOSED (WIRE_READ_CLOSED | WIRE_WRITE_CLOSED)

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

static void ring(int fd)
{
	need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
}

static void silence(int fd)
{
	eventfd_t value;

	need(eventfd_read(fd, &value) == 0, "%s", strerror(errno));
}

static void pair(int *sv)
{
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0, "%s",
		strerror(errno));
}

/* The next frame is EVENTS with one record: this registration's. */
static struct wire_event one_event(int sock, uint64_t id)
{
	struct raw_frame frame;
	struct wire_event e;

	raw_recv_type(sock, &frame, WIRE_EVENTS);
	need_int(frame.f.header.count, ==, 1);
	need_int(frame.f.header.serial, ==, 0);
	wire_get_event(&frame.f, 0, &e);
	need_int(e.type, ==, WIRE_EVENT_READY);
	need_int(e.id, ==, id);
	return e;
}

/*
 * Invariant: PEND-1 as a client sees it. Edges come one after the other (another session of the same user
 * tells when each has been seen) while nobody reads: they merge, and what is told at last is complete.
 */
START_TEST(merging_while_the_client_does_not_read)
{
	enum { N = 4, ROUNDS = 600, LATE = N };
	uint32_t seq[N + 1] = {0}, records = 0;
	struct raw_frame frame;
	int fds[N + 1], sock, barrier;
	struct instance in;

	instance_start(&in, "session.send_buffer=32KiB", NULL);
	sock = raw_open(in.sock);
	barrier = raw_open(in.sock);
	for (uint64_t i = 0; i <= LATE; i++) {
		fds[i] = event_fd();
		raw_register_ok(sock, fds[i], i, WIRE_READABLE, WIRE_EDGE, 0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++)
			ring(fds[i]);
		raw_ping(barrier);
	}
	ring(fds[LATE]);
	raw_ping(barrier);
	while (!seq[LATE]) {
		raw_recv_type(sock, &frame, WIRE_EVENTS);
		for (uint32_t i = 0; i < frame.f.header.count; i++, records++) {
			struct wire_event e;

			wire_get_event(&frame.f, i, &e);
			need_int(e.cookie, <=, LATE);
			need_int(e.seq, ==, ++seq[e.cookie]);
			need_int(e.ready, ==, WIRE_READABLE);
		}
	}
	/* The very last one is told together with what had to wait as well. */
	raw_ping(sock);
	for (int i = 0; i < N; i++)
		need(seq[i] > 0 && seq[i] < ROUNDS, "%u events", seq[i]);
	need_int(records, <, N * ROUNDS);
	note("merging: %u records of %d edges", records, N * ROUNDS + 1);
	for (int i = 0; i <= LATE; i++)
		rdy__fd_close(fds[i]);
	rdy__fd_close(sock);
	rdy__fd_close(barrier);
	instance_stop(&in);
}
END_TEST

/* After the answer no event of that id, however close the last readiness was. */
START_TEST(deregistered_is_the_last_word)
{
	int fd = event_fd(), sock;
	struct instance in;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	for (int i = 0; i < 300; i++) {
		uint64_t id = raw_register_ok(sock, fd, 7, WIRE_READABLE, WIRE_EDGE, 0);

		ring(fd);
		if (i % 3 == 0)
			one_event(sock, id);
		need_int(raw_deregister(sock, id), ==, WIRE_OK);
		ring(fd);
		raw_ping(sock); /* fails on an event */
		need_int(raw_deregister(sock, id), ==, WIRE_E_REGISTRATION_UNKNOWN);
		silence(fd);
	}
	rdy__fd_close(fd);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* What has to wait for room in the socket is withdrawn as well. */
START_TEST(deregistered_while_the_socket_is_full)
{
	enum { N = 20, ROUNDS = 600 };
	int fds[N], flood = event_fd(), sock, barrier;
	uint8_t buf[WIRE_HEADER_BYTES + N * WIRE_DEREGISTER_BYTES];
	struct raw_frame frame;
	bool gone = false;
	struct instance in;

	instance_start(&in, "session.send_buffer=32KiB", NULL);
	sock = raw_open(in.sock);
	barrier = raw_open(in.sock);
	for (uint64_t i = 0; i < N; i++) {
		fds[i] = event_fd();
		wire_put_deregister(buf, (uint32_t)i,
			raw_register_ok(sock, fds[i], i, WIRE_READABLE, WIRE_EDGE, 0));
	}
	raw_register_ok(sock, flood, N, WIRE_READABLE, WIRE_EDGE, 0);
	for (int round = 0; round < ROUNDS; round++) {
		ring(flood);
		raw_ping(barrier);
	}
	for (int i = 0; i < N; i++)
		ring(fds[i]);
	raw_ping(barrier);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_DEREGISTER, 7, N), NULL, 0), ==, 0);
	raw_ping(barrier);
	/* Its answer may overtake events, but none of them is of what it ended. */
	while (!gone) {
		need_int(raw_recv(sock, &frame, PATIENCE_MS), ==, 1);
		gone = frame.f.header.type == WIRE_DEREGISTERED;
	}
	ring(flood);
	raw_ping(barrier);
	while (raw_recv(sock, &frame, 0) == 1)
		for (uint32_t i = 0; i < frame.f.header.count; i++) {
			struct wire_event e;

			need_int(frame.f.header.type, ==, WIRE_EVENTS);
			wire_get_event(&frame.f, i, &e);
			need_int(e.cookie, ==, N);
		}
	for (int i = 0; i < N; i++)
		rdy__fd_close(fds[i]);
	rdy__fd_close(flood);
	rdy__fd_close(sock);
	rdy__fd_close(barrier);
	instance_stop(&in);
}
END_TEST

START_TEST(rearm_reports_a_level_that_is_still_up)
{
	int fd = event_fd(), sock;
	struct wire_event e;
	struct instance in;
	uint64_t id;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	id = raw_register_ok(sock, fd, 7, WIRE_READABLE, WIRE_ONESHOT, 0);
	raw_ping(sock);
	for (uint32_t i = 1; i <= 20; i++) {
		if (i == 1)
			ring(fd);
		e = one_event(sock, id);
		need(e.seq == i && e.cookie == 7 && e.ready == WIRE_READABLE &&
				e.flags == WIRE_EVENT_DISARMED,
			"seq %u ready %#x flags %#x", e.seq, e.ready, e.flags);
		/* More of it while it is disarmed: not told. */
		ring(fd);
		raw_ping(sock);
		raw_rearm(sock, id, e.seq);
	}
	one_event(sock, id);
	silence(fd);
	raw_rearm(sock, id, 21);
	raw_ping(sock);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

START_TEST(a_stale_sequence_number_is_ignored)
{
	int fd = event_fd(), sock;
	struct instance in;
	uint64_t id;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	id = raw_register_ok(sock, fd, 7, WIRE_READABLE, WIRE_ONESHOT, 0);
	ring(fd);
	need_int(one_event(sock, id).seq, ==, 1);
	raw_rearm(sock, id, 0);
	raw_rearm(sock, id, 2);
	raw_ping(sock);
	raw_rearm(sock, id, 1);
	need_int(one_event(sock, id).seq, ==, 2);
	/* It crossed the second event on its way. */
	raw_rearm(sock, id, 1);
	raw_ping(sock);
	raw_rearm(sock, id, 2);
	need_int(one_event(sock, id).seq, ==, 3);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

START_TEST(what_starts_disarmed_is_silent)
{
	int fd = event_fd(), sock;
	struct instance in;
	uint64_t id;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	ring(fd);
	id = raw_register_ok(sock, fd, 7, WIRE_READABLE, WIRE_ONESHOT, WIRE_REG_DISARMED);
	raw_ping(sock);
	raw_rearm(sock, id, 0);
	need_int(one_event(sock, id).seq, ==, 1);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* A FIFO whose writers come and go. */
START_TEST(kept_over_a_hangup)
{
	struct instance in;
	int sock, fifo;
	char path[128], c;
	uint64_t id;

	instance_start(&in, NULL);
	snprintf(path, sizeof(path), "%s/fifo", in.dir);
	need(mkfifo(path, 0600) == 0, "%s", strerror(errno));
	fifo = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	need(fifo >= 0, "%s", strerror(errno));
	sock = raw_open(in.sock);
	id = raw_register_ok(sock, fifo, 7, WIRE_READABLE, WIRE_EDGE, WIRE_REG_KEEP);
	for (int i = 0; i < 3; i++) {
		int writer = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
		uint16_t seen = 0;

		need(write(writer, "x", 1) == 1, "%s", strerror(errno));
		rdy__fd_close(writer);
		while (!(seen & WIRE_READABLE) || !(seen & WIRE_READ_CLOSED)) {
			struct wire_event e = one_event(sock, id);

			need_int(e.flags, ==, 0);
			seen |= e.ready;
		}
		need(read(fifo, &c, 1) == 1 && read(fifo, &c, 1) == 0, "%s", strerror(errno));
	}
	need_int(raw_deregister(sock, id), ==, WIRE_OK);
	unlink(path);
	rdy__fd_close(fifo);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

START_TEST(hangup_of_a_disarmed_one_is_reported)
{
	struct raw_frame frame;
	struct wire_error_record error;
	struct instance in;
	struct wire_event e;
	int sock, sv[2];
	uint64_t id;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	pair(sv);
	id = raw_register_ok(sock, sv[0], 7, WIRE_READABLE, WIRE_ONESHOT, 0);
	need(write(sv[1], "x", 1) == 1, "%s", strerror(errno));
	e = one_event(sock, id);
	need_int(e.flags, ==, WIRE_EVENT_DISARMED);
	raw_ping(sock);
	rdy__fd_close(sv[1]);
	e = one_event(sock, id);
	need((e.ready & BOTH_CLOSED) == BOTH_CLOSED && e.flags & WIRE_EVENT_ENDED,
		"ready %#x flags %#x", e.ready, e.flags);
	/* Its id is dead; that is one answer, and not the end. */
	raw_rearm(sock, id, e.seq);
	raw_recv_type(sock, &frame, WIRE_ERROR);
	wire_get_error(&frame.f, &error);
	need(error.error == WIRE_E_REGISTRATION_UNKNOWN && !error.fatal, "%s",
		wire_error_name(error.error));
	need_int(raw_deregister(sock, id), ==, WIRE_E_REGISTRATION_UNKNOWN);
	raw_ping(sock);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* Two registrations, also under one descriptor number; when one has ended, no ghost of it is left. */
START_TEST(the_same_file_twice)
{
	int fd = event_fd(), again = fcntl(fd, F_DUPFD_CLOEXEC, 0), sock;
	const int given[3] = {fd, fd, again};
	struct raw_frame frame;
	uint64_t ids[3];
	struct instance in;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	for (uint64_t i = 0; i < 3; i++)
		ids[i] = raw_register_ok(sock, given[i], i, WIRE_READABLE, WIRE_EDGE, 0);
	for (uint32_t ended = 0; ended < 3; ended++) {
		uint32_t seen = 0, wanted = 7u & ~((1u << ended) - 1);

		ring(fd);
		while (seen != wanted) {
			raw_recv_type(sock, &frame, WIRE_EVENTS);
			for (uint32_t i = 0; i < frame.f.header.count; i++) {
				struct wire_event e;

				wire_get_event(&frame.f, i, &e);
				need(e.cookie >= ended && e.cookie < 3, "a ghost: %u",
					(unsigned int)e.cookie);
				need_int(e.id, ==, ids[e.cookie]);
				seen |= 1u << e.cookie;
			}
		}
		raw_ping(sock);
		silence(fd);
		need_int(raw_deregister(sock, ids[ended]), ==, WIRE_OK);
	}
	ring(fd);
	raw_ping(sock);
	rdy__fd_close(again);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* The client's own copy is gone: the daemon's goes on, and ends with the session. */
START_TEST(closed_without_deregistering)
{
	struct census before;
	struct instance in;
	int sock, other, sv[2];
	uint64_t id;
	char c;

	instance_start(&in, NULL);
	other = raw_open(in.sock); /* keeps the agent */
	census_settle(&in, &before);
	sock = raw_open(in.sock);
	pair(sv);
	id = raw_register_ok(sock, sv[0], 7, WIRE_READABLE, WIRE_EDGE, 0);
	rdy__fd_close(sv[0]);
	for (uint32_t i = 1; i <= 3; i++) {
		need(write(sv[1], "x", 1) == 1, "%s", strerror(errno));
		need_int(one_event(sock, id).seq, ==, i);
	}
	need(read(sv[1], &c, 1) < 0 && errno == EAGAIN, "it was closed");
	rdy__fd_close(sock);
	need(poll(&(struct pollfd){.fd = sv[1], .events = POLLIN}, 1, PATIENCE_MS) == 1, "open");
	/* What was not read makes it a reset. */
	need(read(sv[1], &c, 1) <= 0, "it is still open");
	census_wait(&in, &before);
	raw_ping(other);
	rdy__fd_close(sv[1]);
	rdy__fd_close(other);
	instance_stop(&in);
}
END_TEST

START_TEST(modify_changes_interest_and_mode)
{
	const struct wire_modify to_edge = {.interest = WIRE_WRITABLE, .mode = WIRE_EDGE};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_MODIFY_BYTES];
	struct wire_modify q = to_edge;
	struct wire_result result;
	struct raw_frame frame;
	struct wire_event e;
	struct instance in;
	int sock, sv[2];

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	pair(sv);
	q.id = raw_register_ok(sock, sv[0], 7, WIRE_READABLE, WIRE_ONESHOT, 0);
	raw_ping(sock);
	wire_put_modify(buf, 0, &q);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_MODIFY, 9, 1), NULL, 0), ==, 0);
	raw_recv_type(sock, &frame, WIRE_MODIFIED);
	need_int(frame.f.header.serial, ==, 9);
	wire_get_result(&frame.f, 0, &result);
	need(result.error == WIRE_OK && result.id == q.id, "%s", wire_error_name(result.error));
	e = one_event(sock, q.id);
	need(e.ready == WIRE_WRITABLE && !e.flags, "ready %#x flags %#x", e.ready, e.flags);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/session", merging_while_the_client_does_not_read,
	deregistered_is_the_last_word, deregistered_while_the_socket_is_full,
	rearm_reports_a_level_that_is_still_up, a_stale_sequence_number_is_ignored,
	what_starts_disarmed_is_silent, kept_over_a_hangup, hangup_of_a_disarmed_one_is_reported,
	the_same_file_twice, closed_without_deregistering, modify_changes_interest_and_mode)
