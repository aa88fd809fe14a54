/* SPDX-License-Identifier: MIT */
/*
 * Clients of a user who has no agent and gets none, with descriptors unread in their connections that nobody can
 * close; on a kernel that lets them queue those (before 6.16; tests/oldkernel). Nobody else may feel it (threats:
 * a, b, l).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.h"
#include "base/clock.h"
#include "base/fd.h"
#include "innocent.h"
#include "objects.h"
#include "unit.h"

#define UID_BYSTANDER 61003u
#define CONNECTS 100
#define PIPES 12
#define ROUNDS 3
#define PLAIN 200
#define ANSWER_MAX_NS (50 * RDY__NS_PER_MS)
#define STOP_MAX_NS (2 * RDY__NS_PER_S)

struct refused {
	struct instance in;
};

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void check_times(const char *what, int64_t *took_ns, size_t n)
{
	qsort(took_ns, n, sizeof(*took_ns), by_value);
	note("%s: ms: p50 %.3f p90 %.3f max %.3f", what, (double)took_ns[n / 2] / 1e6,
		(double)took_ns[n * 9 / 10] / 1e6, (double)took_ns[n - 1] / 1e6);
	need_int(took_ns[n * 9 / 10], <, ANSWER_MAX_NS);
}

static void expect_something(int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};

	need_int(poll(&p, 1, PATIENCE_MS), ==, 1);
}

/* Whatever it is told, it is told the end. */
static void expect_end(int sock)
{
	char buf[512];
	ssize_t n;

	do {
		expect_something(sock);
		n = recv(sock, buf, sizeof(buf), MSG_DONTWAIT);
	} while (n > 0);
	need(n == 0 || errno == ECONNRESET, "%s", strerror(errno));
}

/* Empty messages, and such with a lot in them, before the one that counts; or none. */
static void send_before(int sock, int kind)
{
	static const char text[30000];

	if (kind % 3 == 1)
		for (int i = 0; i < 20; i++)
			need_int(raw_send(sock, text, i % 2, NULL, 0), ==, 0);
	if (kind % 3 == 2)
		need_int(raw_send(sock, text, sizeof(text), NULL, 0), ==, 0);
}

/* He is faster than readyd accepts: the test sees to it. */
static void pause_readyd(struct proc *self)
{
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
}

static void go_on(struct proc *self)
{
	proc_say(self, NULL, 0);
}

/* Each connection has one that nobody can close; he waits for its end, or does not. */
static void queue_held(struct proc *self, void *arg)
{
	const struct refused *t = arg;
	static struct held_pipe held[ROUNDS * PIPES];
	int socks[PIPES];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < PIPES; i++)
			held_pipe_make(
				&held[round * PIPES + i], i % 2 ? PIPE_READ_END : PIPE_WRITE_END);
		pause_readyd(self);
		for (int i = 0; i < PIPES; i++) {
			struct held_pipe *h = &held[round * PIPES + i];

			socks[i] = raw_connect(t->in.sock);
			send_before(socks[i], i);
			need_int(raw_send(socks[i], "x", i % 5 != 0, &h->fd, 1), ==, 0);
			held_pipe_forget(h);
		}
		go_on(self);
		for (int i = 0; i < PIPES; i++) {
			if (i % 4)
				expect_end(socks[i]);
			rdy__fd_close(socks[i]);
		}
		/* Who has nothing in it is told why, as ever. */
		for (int i = 0; i < PLAIN / ROUNDS; i++) {
			int sock = raw_connect(t->in.sock);

			raw_expect_fatal(sock, WIRE_E_LIMIT_UIDS, 1);
			rdy__fd_close(sock);
		}
	}
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
}

static int control_connect(const struct instance *in)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", in->runtime);
	need(connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0, "%s", strerror(errno));
	return sock;
}

/* Out of band is where not every kernel lets one look. */
static void send_urgent(int sock, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = ""};
	char byte = 'u';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	/* What this user has in flight is counted over all tests that run. */
	for (int64_t start = now_ns(); sendmsg(sock, &msg, MSG_OOB | MSG_NOSIGNAL) != 1;)
		need(errno == ETOOMANYREFS && look_again(start), "%s", strerror(errno));
}

static void queue_urgent(struct proc *self, void *arg)
{
	const struct refused *t = arg;
	static struct held_pipe held[ROUNDS * PIPES];
	int socks[PIPES];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < PIPES; i++)
			held_pipe_make(
				&held[round * PIPES + i], i % 2 ? PIPE_READ_END : PIPE_WRITE_END);
		pause_readyd(self);
		for (int i = 0; i < PIPES; i++) {
			struct held_pipe *h = &held[round * PIPES + i];

			socks[i] = control_connect(&t->in);
			send_urgent(socks[i], h->fd);
			held_pipe_forget(h);
		}
		go_on(self);
		for (int i = 0; i < PIPES; i++) {
			expect_something(socks[i]);
			rdy__fd_close(socks[i]);
		}
	}
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
}

/* As often as he likes, and at once. */
static void be_served(struct proc *self, void *arg)
{
	const struct refused *t = arg;
	static int64_t took_ns[CONNECTS];

	for (int i = 0; i < CONNECTS; i++) {
		int64_t start = now_ns();
		int sock = raw_open(t->in.sock);

		raw_ping(sock);
		took_ns[i] = now_ns() - start;
		rdy__fd_close(sock);
	}
	check_times("connects of the innocent", took_ns, CONNECTS);
}

/* Another one without an agent hears so. */
static void be_told(struct proc *self, void *arg)
{
	const struct refused *t = arg;
	static int64_t took_ns[CONNECTS];

	for (int i = 0; i < CONNECTS; i++) {
		int64_t start = now_ns();
		int sock = raw_connect(t->in.sock);

		raw_expect_fatal(sock, WIRE_E_LIMIT_UIDS, 1);
		took_ns[i] = now_ns() - start;
		rdy__fd_close(sock);
	}
	check_times("refusals of a bystander", took_ns, CONNECTS);
}

static void run(struct refused *t, void (*be_hostile)(struct proc *self, void *arg))
{
	struct innocent_report during;
	struct innocent good;
	struct proc bad, p;
	int64_t start;

	instance_start(&t->in, "limits.uids=1", "quota.default.connects_per_s=100000", NULL);
	instance_expect(&t->in, "refused=");
	/* Processes of the attacker's own, which wait for what he holds. */
	instance_expect(&t->in, "child=closer uid=65534");
	innocent_start(&good, &t->in, UID_INNOCENT);
	innocent_begin(&good);
	if (be_hostile == queue_urgent) {
		instance_expect(&t->in, "bouncer=stuck uid=65534");
		instance_expect(&t->in, "child=bouncer uid=65534");
		instance_expect(&t->in, "control=refused");
	}
	proc_start(&bad, UID_ATTACKER, be_hostile, t);
	for (int i = 0; i < ROUNDS; i++) {
		proc_hear(&bad, NULL, 0);
		need(kill(t->in.pid, SIGSTOP) == 0, "%s", strerror(errno));
		proc_say(&bad, NULL, 0);
		proc_hear(&bad, NULL, 0);
		need(kill(t->in.pid, SIGCONT) == 0, "%s", strerror(errno));
	}
	proc_hear(&bad, NULL, 0);
	for (int i = 0; i < 3; i++) {
		proc_start(&p, UID_BYSTANDER, be_told, t);
		proc_end(&p);
		proc_start(&p, UID_INNOCENT, be_served, t);
		proc_end(&p);
	}
	innocent_finish(&good, &during);
	innocent_check(&during, "refused");
	innocent_stop(&good);
	instance_expect(&t->in, "stuck=");
	start = now_ns();
	instance_terminate(&t->in);
	note("stopped in %.2f s", (double)(now_ns() - start) / 1e9);
	need_int(now_ns() - start, <, STOP_MAX_NS);
	proc_kill(&bad);
	instance_gone(&t->in);
}

START_TEST(held_pipes_of_a_user_without_an_agent)
{
	static struct refused t;

	run(&t, queue_held);
}
END_TEST

/* And if a bouncer is stuck in one, then in one. */
START_TEST(urgent_ones)
{
	static struct refused t;

	run(&t, queue_urgent);
}
END_TEST

UNIT_MAIN("hostile/refused", held_pipes_of_a_user_without_an_agent, urgent_ones)
