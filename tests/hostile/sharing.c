/* SPDX-License-Identifier: MIT */
/*
 * One open file in many hands: numbers that outlive what they named, ids that are used again, and two readers of
 * the same bytes (threats: g, h).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "unit.h"

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

/* The next event, which is the only one in its frame. */
static struct wire_event event_of(int sock, uint64_t cookie)
{
	struct raw_frame frame;
	struct wire_event e;

	raw_recv_type(sock, &frame, WIRE_EVENTS);
	need_int(frame.f.header.count, ==, 1);
	wire_get_event(&frame.f, 0, &e);
	need(e.cookie == cookie, "cookie %llu", (unsigned long long)e.cookie);
	return e;
}

/*
 * Closed before it is deregistered: its number is used again at once, for another file, which is registered
 * under the same cookie's neighbour. The first one still fires, under its own cookie, and can be taken back.
 */
static void closed_first(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), first = event_fd(), copy = dup(first), number = first,
	    second;
	uint64_t ids[2];

	ids[0] = raw_register_ok(sock, first, 1, WIRE_READABLE, WIRE_EDGE, 0);
	rdy__fd_close(first);
	second = event_fd();
	need_int(second, ==, number);
	ids[1] = raw_register_ok(sock, second, 2, WIRE_READABLE, WIRE_EDGE, 0);
	ring(copy);
	need_int(event_of(sock, 1).id, ==, ids[0]);
	ring(second);
	need_int(event_of(sock, 2).id, ==, ids[1]);
	need_int(raw_deregister(sock, ids[0]), ==, WIRE_OK);
	/* Whatever becomes of the file, nothing is said of it any more. */
	ring(copy);
	raw_ping(sock);
	rdy__fd_close(copy);
	ring(second);
	need_int(event_of(sock, 2).id, ==, ids[1]);
	rdy__fd_close(second);
	rdy__fd_close(sock);
}

START_TEST(closed_before_deregistering)
{
	attack(&(struct attack){.name = "closed before deregistering", .round = closed_first});
}
END_TEST

/* The same file under many numbers: each has its own events, and each goes alone. */
static void duplicates(const struct instance *in, uint32_t n, void *arg)
{
	enum { COPIES = 10 };
	int sock = raw_open(in->sock), fd = event_fd(), copies[COPIES];
	uint64_t ids[COPIES];
	uint32_t left = COPIES;

	for (uint32_t i = 0; i < COPIES; i++) {
		copies[i] = i % 2 ? dup(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 200);
		ids[i] = raw_register_ok(sock, copies[i], i, WIRE_READABLE, WIRE_EDGE, 0);
		rdy__fd_close(copies[i]);
	}
	while (left) {
		uint32_t seen = 0;

		ring(fd);
		for (uint32_t count = 0; count < left;) {
			struct raw_frame frame;
			struct wire_event e;

			raw_recv_type(sock, &frame, WIRE_EVENTS);
			for (uint32_t i = 0; i < frame.f.header.count; i++, count++) {
				wire_get_event(&frame.f, i, &e);
				need(e.cookie < COPIES && e.id == ids[e.cookie], "cookie %llu",
					(unsigned long long)e.cookie);
				need(!(seen & 1u << e.cookie), "twice: %llu",
					(unsigned long long)e.cookie);
				seen |= 1u << e.cookie;
			}
		}
		left--;
		need_int(raw_deregister(sock, ids[left]), ==, WIRE_OK);
		need_int(raw_deregister(sock, ids[left]), ==, WIRE_E_REGISTRATION_UNKNOWN);
	}
	ring(fd);
	raw_ping(sock);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
}

START_TEST(the_same_file_under_many_numbers)
{
	attack(&(struct attack){.name = "the same file under many numbers", .round = duplicates});
}
END_TEST

/* An id that was given up never names what came after it, as often as its slot is used again. */
static void generations(const struct instance *in, uint32_t n, void *arg)
{
	enum { TURNS = 50 };
	int sock = raw_open(in->sock), fd = event_fd();
	uint64_t ids[TURNS], id;
	struct raw_frame frame;

	for (uint32_t i = 0; i < TURNS; i++) {
		ids[i] = raw_register_ok(sock, fd, 7, WIRE_READABLE, WIRE_ONESHOT, 0);
		need_int(raw_deregister(sock, ids[i]), ==, WIRE_OK);
	}
	id = raw_register_ok(sock, fd, 7, WIRE_READABLE, WIRE_ONESHOT, 0);
	for (uint32_t i = 0; i < TURNS; i++) {
		struct wire_error_record e;

		need(ids[i] != id, "an id was used again after %u", TURNS - i);
		need_int(raw_deregister(sock, ids[i]), ==, WIRE_E_REGISTRATION_UNKNOWN);
		raw_rearm(sock, ids[i], 1);
		raw_recv_type(sock, &frame, WIRE_ERROR);
		wire_get_error(&frame.f, &e);
		need(e.error == WIRE_E_REGISTRATION_UNKNOWN && !e.fatal, "%s",
			wire_error_name(e.error));
	}
	ring(fd);
	need_int(event_of(sock, 7).id, ==, id);
	need_int(raw_deregister(sock, id), ==, WIRE_OK);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
}

START_TEST(an_id_is_never_used_again)
{
	attack(&(struct attack){.name = "an id is never used again", .round = generations});
}
END_TEST

static void stream_pair(int *sv)
{
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0, "%s",
		strerror(errno));
}

/* Two processes that read the same socket: the one takes what the other was told of. An event is a hint. */
static void two_readers(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), sv[2], status;
	char byte;
	pid_t pid;

	stream_pair(sv);
	uint64_t id = raw_register_ok(sock, sv[0], 1, WIRE_READABLE, WIRE_ONESHOT, 0);

	need(write(sv[1], "x", 1) == 1, "%s", strerror(errno));
	struct wire_event e = event_of(sock, 1);

	pid = fork();
	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		int own = raw_open(in->sock);

		raw_register_ok(own, sv[0], 1, WIRE_READABLE, WIRE_ONESHOT, 0);
		event_of(own, 1);
		_exit(read(sv[0], &byte, 1) != 1);
	}
	need_int(waitpid(pid, &status, 0), ==, pid);
	need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned int)status);
	need(e.flags & WIRE_EVENT_DISARMED && read(sv[0], &byte, 1) < 0 && errno == EAGAIN,
		"flags %#x", e.flags);
	/* Nothing is there, so nothing is said; then something is. */
	raw_rearm(sock, id, e.seq);
	raw_ping(sock);
	need(write(sv[1], "x", 1) == 1, "%s", strerror(errno));
	event_of(sock, 1);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	rdy__fd_close(sock);
}

START_TEST(two_readers_of_one_file)
{
	attack(&(struct attack){.name = "two readers of one file", .round = two_readers});
}
END_TEST

/* Bytes that were left unread: no edge for them, but an armed oneshot says that they are there. */
static void partial_reads(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), sv[2];
	struct wire_event e;
	char buf[4];

	stream_pair(sv);
	uint64_t edge = raw_register_ok(sock, sv[0], 1, WIRE_READABLE, WIRE_EDGE, 0);

	need(write(sv[1], "12345678", 8) == 8, "%s", strerror(errno));
	event_of(sock, 1);
	need(read(sv[0], buf, 2) == 2, "%s", strerror(errno));
	raw_ping(sock);
	need_int(raw_deregister(sock, edge), ==, WIRE_OK);
	uint64_t oneshot = raw_register_ok(sock, sv[0], 2, WIRE_READABLE, WIRE_ONESHOT, 0);

	for (int i = 0; i < 3; i++) {
		e = event_of(sock, 2);
		need(read(sv[0], buf, 2) == 2, "%s", strerror(errno));
		raw_rearm(sock, oneshot, e.seq);
	}
	/* All was read. */
	raw_ping(sock);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	rdy__fd_close(sock);
}

START_TEST(partial_reads_and_edges)
{
	attack(&(struct attack){.name = "partial reads", .round = partial_reads});
}
END_TEST

/* The other end closes while the oneshot is disarmed: it is told all the same, and the registration is gone. */
static void hang_up(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), sv[2];
	struct wire_event e;

	stream_pair(sv);
	uint64_t id = raw_register_ok(sock, sv[0], 1, WIRE_READABLE, WIRE_ONESHOT, 0);

	need(write(sv[1], "x", 1) == 1, "%s", strerror(errno));
	need(event_of(sock, 1).flags & WIRE_EVENT_DISARMED, "it is armed");
	rdy__fd_close(sv[1]);
	e = event_of(sock, 1);
	need(e.flags & WIRE_EVENT_ENDED && e.id == id, "flags %#x", e.flags);
	need_int(raw_deregister(sock, id), ==, WIRE_E_REGISTRATION_UNKNOWN);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sock);
}

START_TEST(hangup_of_a_disarmed_one)
{
	attack(&(struct attack){.name = "hangup of a disarmed one", .round = hang_up});
}
END_TEST

UNIT_MAIN("hostile/sharing", closed_before_deregistering, the_same_file_under_many_numbers,
	an_id_is_never_used_again, two_readers_of_one_file, partial_reads_and_edges,
	hangup_of_a_disarmed_one)
