/* SPDX-License-Identifier: MIT */
/* The daemon's processes: what replaces one that dies, which one ends when, and that all end in the end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"
#include "unit.h"

static uid_t my_uid(void)
{
	return geteuid();
}

static pid_t only_helper(const struct instance *in, const char *name)
{
	int64_t start = now_ns();
	pid_t pids[8];
	size_t n;

	while ((n = instance_helpers(in, name, pids, 8)) != 1)
		need(look_again(start), "%zu of readyd-%s", n, name);
	return pids[0];
}

/* Another one than that. */
static void wait_replaced(const struct instance *in, const char *name, pid_t old)
{
	int64_t start = now_ns();

	while (only_helper(in, name) == old)
		need(look_again(start), "readyd-%s was not replaced", name);
}

/* Register our end of so many socketpairs, close it, and deregister: the other end sees when it is closed. */
static void dispose_many(int sock, int n)
{
	int others[64];

	need_int(n, <=, 64);
	for (int i = 0; i < n; i++) {
		int sv[2];
		uint64_t id;

		need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, "%s",
			strerror(errno));
		id = raw_register_ok(sock, sv[0], (uint64_t)i, WIRE_READABLE, WIRE_EDGE, 0);
		others[i] = sv[1];
		rdy__fd_close(sv[0]);
		need_int(raw_deregister(sock, id), ==, WIRE_OK);
	}
	for (int i = 0; i < n; i++) {
		struct pollfd p = {.fd = others[i], .events = POLLIN};

		need(poll(&p, 1, PATIENCE_MS) == 1 && p.revents & POLLHUP, "%d of %d is open", i,
			n);
		rdy__fd_close(others[i]);
	}
}

/* What was given up is closed all the same, before, while and after another closer takes over. */
START_TEST(a_killed_closer_is_replaced)
{
	struct instance in;
	int sock;

	instance_start(&in, NULL);
	instance_expect(&in, "closer=died");
	instance_expect(&in, "child=closer");
	instance_expect(&in, "closer=gone");
	sock = raw_open(in.sock);
	dispose_many(sock, 20);
	for (int i = 0; i < 4; i++) {
		pid_t closer = only_helper(&in, "closer");

		need(kill(closer, SIGKILL) == 0, "%s", strerror(errno));
		dispose_many(sock, 64);
		wait_replaced(&in, "closer", closer);
		dispose_many(sock, 20);
	}
	raw_ping(sock);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

START_TEST(a_killed_bouncer_is_replaced)
{
	struct instance in;
	int sock;

	instance_start(&in, "quota.default.sessions=1", NULL);
	instance_expect(&in, "bouncer=died");
	instance_expect(&in, "child=bouncer");
	for (int i = 0; i < 3; i++) {
		pid_t bouncer = only_helper(&in, "bouncer");

		need(kill(bouncer, SIGKILL) == 0, "%s", strerror(errno));
		wait_replaced(&in, "bouncer", bouncer);
	}
	sock = raw_open(in.sock);
	raw_ping(sock);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

START_TEST(an_idle_agent_ends)
{
	int sock, fd = eventfd(0, EFD_CLOEXEC);
	struct census before;
	struct instance in;
	pid_t agent;

	instance_start(&in, "agent.idle_exit=100ms", NULL);
	census_settle(&in, &before);
	for (int i = 0; i < 3; i++) {
		sock = raw_open(in.sock);
		raw_register_ok(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);
		agent = instance_wait_agent(&in, my_uid());
		rdy__fd_close(sock);
		wait_gone(agent);
		census_wait(&in, &before);
	}
	rdy__fd_close(fd);
	instance_stop(&in);
}
END_TEST

START_TEST(sigterm_ends_all)
{
	struct instance in;
	int socks[8];

	instance_start(&in, "quota.default.connects_per_s=1000", NULL);
	for (int i = 0; i < 8; i++) {
		int fd = eventfd(1, EFD_CLOEXEC);

		socks[i] = raw_open(in.sock);
		raw_register_ok(socks[i], fd, 1, WIRE_READABLE, WIRE_ONESHOT, 0);
		rdy__fd_close(fd);
	}
	instance_stop(&in);
	for (int i = 0; i < 8; i++) {
		struct raw_frame frame;

		raw_recv_type(socks[i], &frame, WIRE_EVENTS);
		raw_expect_fatal(socks[i], WIRE_E_SHUTTING_DOWN, 0);
		rdy__fd_close(socks[i]);
	}
}
END_TEST

/* Nobody tells its helpers but the end of their sockets. */
/* Those that would wait for the next one are in adopt.c. */
START_TEST(a_killed_supervisor_takes_all_along)
{
	struct instance in;
	int sock;

	instance_start(&in, "adoption.grace=off", NULL);
	sock = raw_open(in.sock);
	need(kill(in.pid, SIGKILL) == 0, "%s", strerror(errno));
	instance_gone(&in);
	raw_expect_fatal(sock, WIRE_E_SHUTTING_DOWN, 0);
	rdy__fd_close(sock);
}
END_TEST

static bool status_says(pid_t pid, const char *line)
{
	char path[64], text[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	need(f, "%s", strerror(errno));
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	return strstr(text, line);
}

START_TEST(helpers_are_locked_up)
{
	static const char *const names[] = {"agent", "closer", "bouncer"};
	struct instance in;
	int sock;

	instance_start(&in, NULL);
	sock = raw_open(in.sock);
	for (size_t i = 0; i < 3; i++) {
		pid_t pid = only_helper(&in, names[i]);
		int64_t start = now_ns();

		while (!status_says(pid, "NoNewPrivs:\t1"))
			need(look_again(start), "%s: privileges", names[i]);
		if (instance_said(&in, "filter=no")) {
			note("%s: no system call filter in this build", names[i]);
			continue;
		}
		while (!status_says(pid, "Seccomp:\t2"))
			need(look_again(start), "%s: no filter", names[i]);
	}
	if (harness_is_root())
		need(!status_says(in.pid, "Uid:\t0"), "the supervisor is root");
	raw_ping(sock);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

START_TEST(sessions_are_limited)
{
	struct instance in;
	int socks[4], one;

	instance_start(&in, "quota.default.sessions=4", "quota.default.connects_per_s=1000", NULL);
	for (int i = 0; i < 4; i++)
		socks[i] = raw_open(in.sock);
	for (int i = 0; i < 50; i++) {
		one = raw_connect(in.sock);
		raw_expect_fatal(one, WIRE_E_QUOTA_SESSIONS, 4);
		rdy__fd_close(one);
	}
	for (int i = 0; i < 4; i++)
		raw_ping(socks[i]);
	/* One goes, one comes. */
	for (int i = 0; i < 4; i++) {
		int64_t start = now_ns();
		struct raw_frame frame;
		uint8_t hello[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
		int r;

		rdy__fd_close(socks[i]);
		do {
			need(look_again(start), "there is no room");
			socks[i] = raw_connect(in.sock);
			raw_send(socks[i], hello, raw_put_hello(hello, RAW_FEATURES), NULL, 0);
			r = raw_recv(socks[i], &frame, PATIENCE_MS);
			if (r == -ECONNRESET)
				r = raw_recv(socks[i], &frame, PATIENCE_MS);
			need_int(r, ==, 1);
			if (frame.f.header.type == WIRE_ERROR)
				rdy__fd_close(socks[i]);
		} while (frame.f.header.type == WIRE_ERROR);
		raw_ping(socks[i]);
	}
	for (int i = 0; i < 4; i++)
		rdy__fd_close(socks[i]);
	instance_stop(&in);
}
END_TEST

START_TEST(connects_are_limited)
{
	struct instance in;
	int refused = 0;

	instance_start(&in, "quota.default.connects_per_s=2", NULL);
	/* A burst of twice the rate, and what a slow machine adds. */
	for (int i = 0; i < 200 && refused < 20; i++) {
		uint8_t hello[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
		struct raw_frame frame;
		int sock = raw_connect(in.sock), r;

		raw_send(sock, hello, raw_put_hello(hello, RAW_FEATURES), NULL, 0);
		r = raw_recv(sock, &frame, PATIENCE_MS);
		if (r == -ECONNRESET)
			r = raw_recv(sock, &frame, PATIENCE_MS);
		need_int(r, ==, 1);
		if (frame.f.header.type == WIRE_ERROR) {
			struct wire_error_record e;

			wire_get_error(&frame.f, &e);
			need(e.error == WIRE_E_QUOTA_CONNECTS && e.fatal && e.detail == 2, "%s %u",
				wire_error_name(e.error), e.detail);
			refused++;
		} else {
			need_int(frame.f.header.type, ==, WIRE_WELCOME);
		}
		rdy__fd_close(sock);
	}
	need_int(refused, ==, 20);
	instance_stop(&in);
}
END_TEST

START_TEST(registrations_are_limited)
{
	struct instance in;
	int a, b, n = 0;
	struct wire_result result;
	int fd = eventfd(0, EFD_CLOEXEC);

	/* One session may have half of what the user has. */
	instance_start(&in, "quota.default.registrations=20", NULL);
	a = raw_open(in.sock);
	b = raw_open(in.sock);
	for (; n < 10; n++)
		raw_register_ok(a, fd, (uint64_t)n, WIRE_READABLE, WIRE_EDGE, 0);
	result = raw_register(a, fd, 99, WIRE_READABLE, WIRE_EDGE, 0);
	need(result.error == WIRE_E_QUOTA_REGISTRATIONS && result.detail == 10, "%s %u",
		wire_error_name(result.error), result.detail);
	for (n = 0; n < 10; n++)
		raw_register_ok(b, fd, (uint64_t)n, WIRE_READABLE, WIRE_EDGE, 0);
	rdy__fd_close(a);
	/* What a had comes back, if not at once. */
	a = raw_open(in.sock);
	for (int64_t start = now_ns(); raw_register(a, fd, 1, WIRE_READABLE, WIRE_EDGE, 0).error;)
		need(look_again(start), "nothing came back");
	rdy__fd_close(a);
	rdy__fd_close(b);
	rdy__fd_close(fd);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/processes", a_killed_closer_is_replaced, a_killed_bouncer_is_replaced,
	an_idle_agent_ends, sigterm_ends_all, a_killed_supervisor_takes_all_along,
	helpers_are_locked_up, sessions_are_limited, connects_are_limited,
	registrations_are_limited)
