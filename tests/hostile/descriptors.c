/* SPDX-License-Identifier: MIT */
/* Descriptors that nobody should hand in, at a time when nobody may, or as often as nobody needs. */
#include <errno.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"
#include "base/clock.h"
#include "base/fd.h"
#include "unit.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, asm-generic/socket.h */
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16, asm-generic/socket.h */
#endif

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

/* One of the kind, between two good ones: those are served, that one is refused, the session goes on. */
static void refused_between(const struct instance *in, int take_fd, uint32_t error, uint32_t detail)
{
	int sock = raw_open(in->sock), good = event_fd();
	struct wire_result result;
	uint64_t ids[2];

	need(take_fd >= 0, "%s", strerror(errno));
	ids[0] = raw_register_ok(sock, good, 1, WIRE_READABLE, WIRE_EDGE, 0);
	result = raw_register(sock, take_fd, 2, WIRE_READABLE, WIRE_EDGE, 0);
	need(result.error == error && result.detail == detail && result.id == 0,
		"%s detail %u id %llu", wire_error_name(result.error), result.detail,
		(unsigned long long)result.id);
	/* Its cookie is free. */
	ids[1] = raw_register_ok(sock, good, 2, WIRE_READABLE, WIRE_EDGE, 0);
	for (int i = 0; i < 2; i++)
		need_int(raw_deregister(sock, ids[i]), ==, WIRE_OK);
	raw_ping(sock);
	rdy__fd_close(take_fd);
	rdy__fd_close(good);
	rdy__fd_close(sock);
}

static void epolls(const struct instance *in, uint32_t n, void *arg)
{
	refused_between(in, epoll_create1(EPOLL_CLOEXEC), WIRE_E_FD_KIND_REFUSED, WIRE_KIND_EPOLL);
}

START_TEST(refused_epoll)
{
	attack(&(struct attack){.name = "epoll", .round = epolls});
}
END_TEST

static void signalfds(const struct instance *in, uint32_t n, void *arg)
{
	sigset_t set;

	sigfillset(&set);
	refused_between(
		in, signalfd(-1, &set, SFD_CLOEXEC), WIRE_E_FD_KIND_REFUSED, WIRE_KIND_SIGNALFD);
}

START_TEST(refused_signalfd)
{
	attack(&(struct attack){.name = "signalfd", .round = signalfds});
}
END_TEST

static void memfds(const struct instance *in, uint32_t n, void *arg)
{
	refused_between(
		in, memfd_create("x", MFD_CLOEXEC), WIRE_E_FD_KIND_REFUSED, WIRE_KIND_MEMFD);
}

START_TEST(refused_memfd)
{
	attack(&(struct attack){.name = "memfd", .round = memfds});
}
END_TEST

static int uring(void)
{
	struct io_uring_params p = {0};

	return (int)syscall(SYS_io_uring_setup, 4, &p);
}

static void urings(const struct instance *in, uint32_t n, void *arg)
{
	refused_between(in, uring(), WIRE_E_FD_KIND_REFUSED, WIRE_KIND_IO_URING);
}

/* Newer kernels do not let it travel at all. */
static bool travels(int fd)
{
	int sv[2];
	bool good;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0, "%s", strerror(errno));
	good = rdy__send_fds(sv[0], "x", 1, &fd, 1) == 0;
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	return good;
}

START_TEST(refused_io_uring)
{
	int fd = uring();

	bool good = fd >= 0 && travels(fd);

	if (fd < 0)
		unit_skip("no io_uring here: %s", strerror(errno));
	rdy__fd_close(fd);
	if (!good)
		unit_skip("this kernel refuses to pass an io_uring, so nobody can hand one in");
	attack(&(struct attack){.name = "io_uring", .round = urings});
}
END_TEST

static void other_sockets(const struct instance *in, uint32_t n, void *arg)
{
	refused_between(in, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), WIRE_E_FD_KIND_REFUSED,
		WIRE_KIND_SOCKET_OTHER);
}

START_TEST(refused_other_sockets)
{
	attack(&(struct attack){.name = "netlink socket", .round = other_sockets});
}
END_TEST

/*
 * A session whose socket was handed in ends when the closer has closed the copy; who is faster than the closer uses up
 * the quota of sessions for a moment. For more than a moment it would be a leak.
 */
static int open_in_time(const struct instance *in)
{
	int64_t until_ns = rdy__deadline_ns(rdy__now_ns(), PATIENCE_MS * RDY__NS_PER_MS);
	struct wire_error_record e;
	struct raw_frame frame;
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];

	for (int sock;; rdy__fd_close(sock)) {
		sock = raw_connect(in->sock);
		/* It may have been refused by now; why is still to be read then. */
		raw_send(sock, buf, raw_put_hello(buf, RAW_FEATURES), NULL, 0);
		need_int(raw_recv(sock, &frame, PATIENCE_MS), ==, 1);
		if (frame.f.header.type == WIRE_WELCOME)
			return sock;
		need_int(frame.f.header.type, ==, WIRE_ERROR);
		wire_get_error(&frame.f, &e);
		need(e.error == WIRE_E_QUOTA_SESSIONS && rdy__now_ns() < until_ns, "%s",
			wire_error_name(e.error));
	}
}

/* A session that is watched by itself, or by another one of its user, never ends and feeds on itself. */
static void own_sockets(const struct instance *in, uint32_t n, void *arg)
{
	int sock = open_in_time(in), other = open_in_time(in), fresh = raw_connect(in->sock);
	const int all[] = {sock, other, fresh};

	for (size_t i = 0; i < 3; i++) {
		struct wire_result result =
			raw_register(sock, all[i], i, WIRE_READABLE, WIRE_EDGE, 0);

		need(result.error == WIRE_E_FD_OWN_SOCKET, "%zu: %s", i,
			wire_error_name(result.error));
	}
	raw_ping(sock);
	raw_ping(other);
	rdy__fd_close(sock);
	rdy__fd_close(other);
	rdy__fd_close(fresh);
}

START_TEST(refused_session_sockets)
{
	attack(&(struct attack){.name = "our own sockets", .round = own_sockets});
}
END_TEST

static bool kernel_tells_deaths(int sock)
{
	int pidfd = -1;
	socklen_t size = sizeof(pidfd);
	bool known = getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0;

	rdy__fd_close(pidfd);
	return known && !harness_old_kernel();
}

/*
 * Another readyd's session socket is a unix socket like any other. Each watches the other: an event makes one
 * socket readable, which is an event in the other one, and so on, but each is told only once until it is read.
 */
static void watch_each_other(const struct instance *in, uint32_t n, void *arg)
{
	const struct instance *other = arg;
	int sock = raw_open(in->sock), foreign = raw_open(other->sock), fd = event_fd();
	struct raw_frame frame;
	uint64_t ids[2];

	ids[0] = raw_register_ok(sock, foreign, 1, WIRE_READABLE, WIRE_EDGE, 0);
	ids[1] = raw_register_ok(foreign, sock, 1, WIRE_READABLE, WIRE_EDGE, 0);
	raw_register_ok(foreign, fd, 2, WIRE_READABLE, WIRE_EDGE, 0);
	need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
	raw_recv_type(foreign, &frame, WIRE_EVENTS);
	/*
	 * Without this nobody would see the end of the other: only the death of the process is one then, where
	 * the kernel tells it. Where not, both sessions stay on their user's account until somebody kicks them.
	 */
	if (n % 4 || !kernel_tells_deaths(sock)) {
		need_int(raw_deregister(sock, ids[0]), ==, WIRE_OK);
		need_int(raw_deregister(foreign, ids[1]), ==, WIRE_OK);
	}
	rdy__fd_close(foreign);
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(foreign_session_sockets)
{
	struct instance other;

	instance_start(&other, "quota.default.connects_per_s=100000", NULL);
	attack(&(struct attack){.name = "another readyd's sockets",
		.round = watch_each_other,
		.arg = &other,
		.rounds_max = 100,
		.dies = true});
	instance_stop(&other);
}
END_TEST

/* Before WELCOME: the kernel does not let it through where it can, else the agent says what it is. */
static void too_early(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	int sock = raw_connect(in->sock), fd = event_fd(), r, value;
	socklen_t size = sizeof(value);
	bool kernel_helps = !harness_old_kernel() &&
			    getsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &value, &size) == 0;
	struct raw_frame frame;
	size_t n_bytes = raw_put_hello(buf, RAW_FEATURES);

	r = raw_send(sock, n % 2 ? buf : NULL, n % 2 ? n_bytes : 0, &fd, 1);
	if (kernel_helps)
		need_int(r, ==, -EPERM);
	if (r < 0) {
		need_int(r, ==, -EPERM);
		/* It was not sent at all. */
		need_int(raw_send(sock, buf, n_bytes, NULL, 0), ==, 0);
		raw_recv_type(sock, &frame, WIRE_WELCOME);
		raw_register_ok(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);
	} else {
		raw_expect_fatal(sock, WIRE_E_FD_BEFORE_WELCOME, RAW_ANY);
	}
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(descriptors_before_welcome)
{
	attack(&(struct attack){.name = "descriptors before WELCOME", .round = too_early});
}
END_TEST

/* Ids that are nobody's, and ids of another session of the same user, whose registrations live on. */
static void wrong_ids(const struct instance *in, uint32_t n, void *arg)
{
	int mine = raw_open(in->sock), other = raw_open(in->sock), fd = event_fd();
	uint64_t id = raw_register_ok(other, fd, 1, WIRE_READABLE, WIRE_ONESHOT, 0);
	const uint64_t ids[] = {
		0, UINT64_MAX, id, id + 1, id ^ (UINT64_C(1) << 32), id << 32 | id >> 32};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_MODIFY_BYTES];
	struct wire_error_record error;
	struct wire_result result;
	struct raw_frame frame;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct wire_modify q = {
			.id = ids[i], .interest = WIRE_WRITABLE, .mode = WIRE_EDGE};

		need_int(raw_deregister(mine, ids[i]), ==, WIRE_E_REGISTRATION_UNKNOWN);
		wire_put_modify(buf, 0, &q);
		need_int(raw_send(mine, buf, wire_put_header(buf, WIRE_MODIFY, 1, 1), NULL, 0), ==,
			0);
		raw_recv_type(mine, &frame, WIRE_MODIFIED);
		wire_get_result(&frame.f, 0, &result);
		need_int(result.error, ==, WIRE_E_REGISTRATION_UNKNOWN);
		raw_rearm(mine, ids[i], 0);
		raw_recv_type(mine, &frame, WIRE_ERROR);
		wire_get_error(&frame.f, &error);
		need(error.error == WIRE_E_REGISTRATION_UNKNOWN && !error.fatal, "%s",
			wire_error_name(error.error));
	}
	raw_ping(mine);
	need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
	raw_recv_type(other, &frame, WIRE_EVENTS);
	need_int(raw_deregister(other, id), ==, WIRE_OK);
	rdy__fd_close(mine);
	rdy__fd_close(other);
	rdy__fd_close(fd);
}

START_TEST(unknown_and_foreign_ids)
{
	attack(&(struct attack){.name = "unknown and foreign ids", .round = wrong_ids});
}
END_TEST

static void cookies_twice(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), fd = event_fd();
	struct wire_result result;

	for (uint64_t i = 0; i < 20; i++)
		raw_register_ok(sock, fd, i << 32, WIRE_READABLE, WIRE_EDGE, 0);
	for (uint64_t i = 0; i < 20; i++) {
		result = raw_register(sock, fd, i << 32, WIRE_READABLE, WIRE_EDGE, 0);
		need(result.error == WIRE_E_COOKIE_DUPLICATE && result.id == 0, "%s",
			wire_error_name(result.error));
	}
	raw_ping(sock);
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(duplicate_cookies)
{
	attack(&(struct attack){.name = "duplicate cookies", .round = cookies_twice});
}
END_TEST

/* The same file as often as the quota allows, rung, and gone without a word. */
static void same_file(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock), fd = event_fd();
	uint8_t buf[WIRE_FRAME_MAX];
	int fds[WIRE_BATCH_MAX];
	struct raw_frame frame;

	for (uint32_t i = 0; i < WIRE_BATCH_MAX; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE | WIRE_WRITABLE, .mode = WIRE_EDGE};

		fds[i] = fd;
		wire_put_register(buf, i, &q);
	}
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, WIRE_BATCH_MAX), fds,
			 WIRE_BATCH_MAX),
		==, 0);
	raw_recv_type(sock, &frame, WIRE_REGISTERED);
	for (int i = 0; i < 20; i++)
		need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
	rdy__fd_close(fd);
	rdy__fd_close(sock);
}

START_TEST(the_same_file_many_times)
{
	attack(&(struct attack){.name = "the same file 250 times", .round = same_file});
}
END_TEST

UNIT_MAIN("hostile/descriptors", refused_epoll, refused_signalfd, refused_memfd, refused_io_uring,
	refused_other_sockets, refused_session_sockets, foreign_session_sockets,
	descriptors_before_welcome, unknown_and_foreign_ids, duplicate_cookies,
	the_same_file_many_times)
