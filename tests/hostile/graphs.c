/* SPDX-License-Identifier: MIT */
/* Things that watch or hold each other: epolls in epolls, rings of sockets, our own end (threats: c). */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "objects.h"
#include "unit.h"

#define DEEP 5		 /* the kernel refuses the sixth */
#define STALE_MAX 16000u /* members */

static void watch(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0, "%s", strerror(errno));
}

static int epoll_fd(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

static void refused(const struct instance *in, int fd)
{
	int sock = raw_open(in->sock);
	struct wire_result r = raw_register(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);

	need(r.error == WIRE_E_FD_KIND_REFUSED && r.detail == WIRE_KIND_EPOLL, "%s detail %u",
		wire_error_name(r.error), r.detail);
	raw_ping(sock);
	rdy__fd_close(sock);
}

/* Each level of it, the innermost ready; adding one of these would walk them all. */
static void nested(const struct instance *in, uint32_t n, void *arg)
{
	int fds[DEEP], ready = eventfd(1, EFD_CLOEXEC);

	for (int i = 0; i < DEEP; i++) {
		fds[i] = epoll_fd();
		watch(fds[i], i ? fds[i - 1] : ready);
	}
	for (int i = 0; i < DEEP; i++)
		refused(in, fds[i]);
	for (int i = 0; i < DEEP; i++)
		rdy__fd_close(fds[i]);
	rdy__fd_close(ready);
}

START_TEST(nested_epolls)
{
	attack(&(struct attack){.name = "nested epolls", .round = nested});
}
END_TEST

/*
 * Thousands of members that were ready once: whoever waits for it has to ask each. The members are copies of
 * few objects, so that it takes no more descriptors than anybody has.
 */
static int stale_epoll(void)
{
	int epoll = epoll_fd(), event = eventfd(1, EFD_CLOEXEC), fd;
	eventfd_t value;
	struct rlimit l;
	uint32_t n = 0;

	need(getrlimit(RLIMIT_NOFILE, &l) == 0, "%s", strerror(errno));
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	for (; n < STALE_MAX && (fd = dup(event)) >= 0; n++)
		watch(epoll, fd);
	need_int(n, >=, 500);
	need(eventfd_read(event, &value) == 0, "%s", strerror(errno));
	return epoll;
}

struct stale {
	int epoll;
};

static void make_stale(void *arg)
{
	((struct stale *)arg)->epoll = stale_epoll();
}

static void stale(const struct instance *in, uint32_t n, void *arg)
{
	refused(in, ((struct stale *)arg)->epoll);
}

START_TEST(an_epoll_with_thousands_of_stale_members)
{
	struct stale s;

	attack(&(struct attack){
		.name = "stale epoll", .round = stale, .prepare = make_stale, .arg = &s});
}
END_TEST

/* What is registered is in many epolls of the client: each event has to pass them all. */
static void shared(const struct instance *in, uint32_t n, void *arg)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), sock = raw_open(in->sock), epolls[200];
	uint64_t id = raw_register_ok(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);
	struct raw_frame frame;

	for (int i = 0; i < 200; i++) {
		epolls[i] = epoll_fd();
		watch(epolls[i], fd);
	}
	for (int i = 0; i < 10; i++) {
		need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
		raw_recv_type(sock, &frame, WIRE_EVENTS);
	}
	need_int(raw_deregister(sock, id), ==, WIRE_OK);
	for (int i = 0; i < 200; i++)
		rdy__fd_close(epolls[i]);
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(watched_by_many_others)
{
	attack(&(struct attack){.name = "watched by many others", .round = shared});
}
END_TEST

#define RING 50

/*
 * Pairs of sockets, each with the next pair's in its queue, and the first one's in the last: nobody can reach
 * them any more, but for the copy that was registered. Some carry what lingers.
 */
static void ring(const struct instance *in, uint32_t n, void *arg)
{
	int sv[RING][2], sock = raw_open(in->sock), end, fd;

	for (int i = 0; i < RING; i++)
		need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv[i]) == 0, "%s",
			strerror(errno));
	for (int i = 0; i < RING; i++)
		need_int(raw_send(sv[i][0], "x", 1, sv[(i + 1) % RING], 2), ==, 0);
	if (n % 5 == 0) {
		fd = object_lingering(1, &end);
		need_int(raw_send(sv[0][0], "x", 1, &fd, 1), ==, 0);
		rdy__fd_close(fd);
		rdy__fd_close(end);
	}
	for (int i = 0; i < RING; i += 10)
		raw_register_ok(sock, sv[i][1], (uint64_t)i, WIRE_READABLE, WIRE_EDGE, 0);
	for (int i = 0; i < RING; i++) {
		rdy__fd_close(sv[i][0]);
		rdy__fd_close(sv[i][1]);
	}
	raw_recv_type(sock, &(struct raw_frame){.n_bytes = 0}, WIRE_EVENTS);
	rdy__fd_close(sock);
}

START_TEST(rings_of_sockets)
{
	attack(&(struct attack){.name = "rings of sockets",
		.round = ring,
		.rounds_max = 100,
		.expects = {"closer=stuck", "closer=died", "child=closer"}});
}
END_TEST

/* The client's end of its session lies in the queue of what it registers: nobody else has it any more. */
static void own_end(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), other, carrier = object_in_queue(sock, &other);
	const struct wire_register q = {.interest = WIRE_READABLE, .mode = WIRE_EDGE};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES];

	wire_put_register(buf, 0, &q);
	need_int(
		raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), &carrier, 1), ==, 0);
	rdy__fd_close(carrier);
	rdy__fd_close(other);
	rdy__fd_close(sock);
}

/* Only the process's death ends these, as no hangup ever comes. */
START_TEST(a_session_that_holds_itself)
{
	attack(&(struct attack){.name = "a session that holds itself",
		.round = own_end,
		.rounds_max = 100,
		.dies = true,
		.expects = {"refused="}});
}
END_TEST

UNIT_MAIN("hostile/graphs", nested_epolls, an_epoll_with_thousands_of_stale_members,
	watched_by_many_others, rings_of_sockets, a_session_that_holds_itself)
