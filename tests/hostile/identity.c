/* SPDX-License-Identifier: MIT */
/* Whose session is it? His who connected, for ever, and no longer than he lives (threats: i). */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "unit.h"

#define FEW "quota.default.registrations=100"

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

/* ---- somebody else uses the connection ---- */

struct passed {
	int to_root[2]; /* the attacker's connection goes there */
};

/* Root's program: is handed a connection and uses it as if it were its own. */
static void be_tricked(int from)
{
	int fds[RDY__FDS_MAX], fd = event_fd();
	struct rdy__received got;
	char byte;

	while (rdy__recv_fds(from, &byte, 1, fds, RDY__RECV_BLOCK, &got) == 0 && got.n_fds == 1) {
		struct wire_result r = raw_register(fds[0], fd, 1, WIRE_READABLE, WIRE_EDGE, 0);

		/* Nothing more than the attacker has, whatever root may do. */
		need(r.error == WIRE_OK, "%s", wire_error_name(r.error));
		for (uint64_t i = 2; r.error == WIRE_OK; i++) {
			need_int(i, <, 1000);
			r = raw_register(fds[0], fd, i, WIRE_READABLE, WIRE_EDGE, 0);
		}
		need(r.error == WIRE_E_QUOTA_REGISTRATIONS, "%s", wire_error_name(r.error));
		rdy__fd_close(fds[0]);
		need(send(from, "", 1, MSG_NOSIGNAL) == 1, "%s", strerror(errno));
	}
	_exit(0);
}

static void start_root(void *arg)
{
	struct passed *p = arg;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->to_root) == 0, "%s",
		strerror(errno));
	pid = fork();
	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		rdy__fd_close(p->to_root[0]);
		be_tricked(p->to_root[1]);
	}
	rdy__fd_close(p->to_root[1]);
}

static void pass_on(const struct instance *in, uint32_t n, void *arg)
{
	const struct passed *p = arg;
	int sock = raw_open(in->sock);
	char byte;

	need_int(rdy__send_fds(p->to_root[0], "x", 1, &sock, 1), ==, 0);
	need(recv(p->to_root[0], &byte, 1, 0) == 1, "root's program has failed");
	/* It is still the attacker's, with all that root has put into it, and counts on his quota. */
	raw_ping(sock);
	rdy__fd_close(sock);
}

/* No agent of root has come into being: the census would show it. */
START_TEST(a_connection_passed_on)
{
	struct passed p;

	attack(&(struct attack){.name = "a connection passed on",
		.round = pass_on,
		.prepare = start_root,
		.arg = &p,
		.rounds = 5,
		.rounds_max = 40,
		.options = {FEW}});
}
END_TEST

/* ---- a text that ends up in a session ---- */

/* A program of root writes its messages where it was told to: nothing of it is a request. */
static void log_into(const struct instance *in, uint32_t n, void *arg)
{
	static const char *const texts[] = {"error: cannot open file\n", "\0\0\0\0", "READYD\n",
		"{\"method\":\"org.readyd.Control.Kick\"}"};
	const char *text = texts[n % 4];
	size_t n_bytes = *text ? strlen(text) : 4;
	int sock = raw_connect(in->sock);

	need_int(raw_send(sock, text, n_bytes, NULL, 0), ==, 0);
	raw_expect_fatal(sock, WIRE_E_BAD_MAGIC, RAW_ANY);
	rdy__fd_close(sock);
}

START_TEST(text_is_no_request)
{
	attack(&(struct attack){.name = "text is no request", .round = log_into});
}
END_TEST

/* ---- who connected is gone, and somebody has the connection ---- */

/*
 * A child connects, and dies at once, before it was accepted or after; the connection lives on here. Its session
 * ends with it.
 */
static void outlive(const struct instance *in, uint32_t n, void *arg)
{
	int sv[2], fds[RDY__FDS_MAX], status;
	struct rdy__received got;
	struct raw_frame frame;
	uint8_t hello[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	char byte;
	pid_t pid;
	int r;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0, "%s", strerror(errno));
	pid = fork();
	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		int sock = n % 2 ? raw_connect(in->sock) : raw_open(in->sock);

		rdy__send_fds(sv[1], "x", 1, &sock, 1);
		_exit(0);
	}
	rdy__fd_close(sv[1]);
	need_int(rdy__recv_fds(sv[0], &byte, 1, fds, RDY__RECV_BLOCK, &got), ==, 0);
	need_int(got.n_fds, ==, 1);
	need_int(waitpid(pid, &status, 0), ==, pid);
	rdy__fd_close(sv[0]);
	if (n % 2)
		raw_send(fds[0], hello, raw_put_hello(hello, RAW_FEATURES), NULL, 0);
	do
		r = raw_recv(fds[0], &frame, PATIENCE_MS);
	while (r == 1 || r == -ECONNRESET);
	need(r == 0 || r == -EPIPE, "%s", strerror(-r));
	rdy__fd_close(fds[0]);
}

START_TEST(a_session_ends_with_who_connected)
{
	attack(&(struct attack){
		.name = "a session ends with who connected", .round = outlive, .rounds_max = 200});
}
END_TEST

/* ---- a pid that is somebody else's by now ---- */

/*
 * Children connect and die until one of them has the number that an earlier one had, where pids are few; each
 * session is its own uid's all the time, and none is taken for another.
 */
static void reuse(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock);
	uint64_t id = raw_register_ok(sock, event_fd(), 1, WIRE_READABLE, WIRE_EDGE, 0);

	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		need(pid >= 0, "%s", strerror(errno));
		if (pid == 0) {
			int own = raw_open(in->sock);

			/* What its parent has is not reached from here. */
			_exit(raw_deregister(own, id) != WIRE_E_REGISTRATION_UNKNOWN);
		}
		need_int(waitpid(pid, &status, 0), ==, pid);
		need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x",
			(unsigned int)status);
	}
	need_int(raw_deregister(sock, id), ==, WIRE_OK);
	rdy__fd_close(sock);
}

START_TEST(children_that_come_and_go)
{
	attack(&(struct attack){.name = "children that come and go",
		.round = reuse,
		.rounds = 5,
		.rounds_max = 40});
}
END_TEST

UNIT_MAIN("hostile/identity", a_connection_passed_on, text_is_no_request,
	a_session_ends_with_who_connected, children_that_come_and_go)
