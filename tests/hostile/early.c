/* SPDX-License-Identifier: MIT */
/*
 * Kernels that let a stranger queue descriptors into a connection that nobody has accepted yet (before 6.16;
 * tests/oldkernel). No process that serves two users may read or close such a socket (threats: a, b, l).
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "base/clock.h"
#include "base/fd.h"
#include "fuse.h"
#include "objects.h"
#include "unit.h"

#define EXPECTS \
	{ \
		"closer=", "child=", "agent=wedged", "agent=stuck", "refused=" \
	}

static void need_old_kernel(const struct instance *in)
{
	int sv = raw_connect(in->sock), r = rdy__send_fds(sv, "x", 1, &sv, 1);

	need(r == 0, "this daemon does not run as on an old kernel: %s", strerror(-r));
	rdy__fd_close(sv);
}

/* Sent at once, before or after it is accepted; answered by the agent, to which it goes unread. */
static pid_t queue(const struct instance *in, int take_fd)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	size_t n_bytes = raw_put_hello(buf, RAW_FEATURES);
	int sock = raw_connect(in->sock);
	pid_t sender = object_send(sock, buf, n_bytes, take_fd);

	raw_expect_fatal(sock, WIRE_E_FD_BEFORE_WELCOME, RAW_ANY);
	rdy__fd_close(sock);
	return sender;
}

static void queue_lingering(const struct instance *in, uint32_t n, void *arg)
{
	int end, sock;

	need_old_kernel(in);
	object_sent(queue(in, object_lingering(INT_MAX, &end)));
	/* Nobody waits for the answer of this one. */
	sock = raw_connect(in->sock);
	object_sent(object_send(sock, "x", 1, object_lingering(INT_MAX, &end)));
	rdy__fd_close(sock);
}

START_TEST(lingering_before_accept)
{
	attack(&(struct attack){.name = "lingering before accept",
		.round = queue_lingering,
		.rounds = 3,
		.rounds_max = 3,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms", "session.hello_timeout=60s"},
		.expects = EXPECTS});
}
END_TEST

static void queue_held(const struct instance *in, uint32_t n, void *arg)
{
	struct held_pipe held[3];
	pid_t senders[3];

	for (int i = 0; i < 3; i++) {
		held_pipe_make(&held[i], i % 2 ? PIPE_READ_END : PIPE_WRITE_END);
		senders[i] = queue(in, held[i].fd);
		held[i].fd = -1;
	}
	/* The user is served on, whatever his closers do. */
	int sock = raw_open(in->sock);

	raw_ping(sock);
	rdy__fd_close(sock);
	for (int i = 0; i < 3; i++) {
		held_pipe_free(&held[i]);
		object_sent(senders[i]);
	}
}

START_TEST(held_pipes_before_accept)
{
	attack(&(struct attack){.name = "held pipes before accept",
		.round = queue_held,
		.rounds = 1,
		.rounds_max = 1,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms", "closer.batch=1"},
		.expects = EXPECTS});
}
END_TEST

/* In the attacker's process; the file is nobody else's. */
static void start_fuse(void *arg)
{
	need_int(fuse_start(arg), ==, 0);
}

static void queue_file(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	size_t n_bytes = raw_put_hello(buf, RAW_FEATURES);
	int sock = raw_connect(in->sock);
	struct fuse *f = arg;

	fuse_silence(f);
	/* No close() of this one is for nothing: we keep ours. */
	need_int(raw_send(sock, buf, n_bytes, &f->file, 1), ==, 0);
	raw_expect_fatal(sock, WIRE_E_FD_BEFORE_WELCOME, RAW_ANY);
	rdy__fd_close(sock);
	fuse_end(f);
}

START_TEST(a_silent_file_before_accept)
{
	struct fuse f;
	int r = fuse_start(&f);

	if (r < 0)
		unit_skip("no FUSE here: %s", strerror(-r));
	fuse_end(&f);
	attack(&(struct attack){.name = "silent file before accept",
		.round = queue_file,
		.rounds = 1,
		.rounds_max = 1,
		.prepare = start_fuse,
		.arg = &f,
		.agent_ends = true,
		.options = {"agent.idle_exit=300ms", "session.hello_timeout=60s"},
		.expects = EXPECTS});
}
END_TEST

/* ---- never accepted ---- */

static void queue_and_stay(struct proc *self, void *arg)
{
	const struct instance *in = arg;
	struct held_pipe held[4];
	int socks[4];

	for (int i = 0; i < 4; i++) {
		held_pipe_make(&held[i], PIPE_READ_END);
		socks[i] = raw_connect(in->sock);
		need_int(raw_send(socks[i], "x", 1, &held[i].fd, 1), ==, 0);
		held_pipe_forget(&held[i]);
	}
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
}

/*
 * They still lie in the listener's queue when readyd has to end: it ends, in less than two seconds, and leaves
 * closing to a process that may be stuck in it.
 */
START_TEST(a_listener_that_nobody_can_close)
{
	struct instance in;
	struct proc bad;
	int64_t start;

	instance_start(&in, NULL);
	instance_expect(&in, "stuck=");
	instance_expect(&in, "bouncer=");
	instance_expect(&in, "agent=");
	instance_expect(&in, "closer=");
	kill(in.pid, SIGSTOP);
	proc_start(&bad, UID_ATTACKER, queue_and_stay, &in);
	proc_hear(&bad, NULL, 0);
	start = now_ns();
	kill(in.pid, SIGTERM);
	kill(in.pid, SIGCONT);
	instance_terminate(&in);
	note("stopped in %.2f s", (double)(now_ns() - start) / 1e9);
	need_int(now_ns() - start, <, 2 * RDY__NS_PER_S);
	proc_kill(&bad);
	instance_gone(&in);
}
END_TEST

UNIT_MAIN("hostile/early", lingering_before_accept, held_pipes_before_accept,
	a_silent_file_before_accept, a_listener_that_nobody_can_close)
