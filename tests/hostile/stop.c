/* SPDX-License-Identifier: MIT */
/*
 * SIGTERM beside an agent that cannot end: the supervisor goes all the same, the stuck one stays behind, and the
 * next readyd serves, in less than two seconds together (threats: a, l).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "base/clock.h"
#include "base/fd.h"
#include "fuse.h"
#include "objects.h"
#include "unit.h"

#define STOP_MAX_NS (2 * RDY__NS_PER_S)

/* Each: does something, says so, and stays. */
static void stay(struct proc *self)
{
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
}

static void start(struct instance *in, const char *option)
{
	instance_start(in, "quota.default.connects_per_s=100000", "closer.batch=1", option, NULL);
	instance_expect(in, "stuck=");
	instance_expect(in, "agent=");
	instance_expect(in, "closer=");
	instance_expect(in, "child=");
}

static void be_served(struct proc *self, void *arg)
{
	const struct instance *in = arg;
	int sock = raw_open(in->sock);

	raw_ping(sock);
	rdy__fd_close(sock);
}

/* Returns how many processes it has left behind. */
static size_t stop_and_go(struct instance *in, const char *what)
{
	int64_t begin = now_ns(), stopped, served;
	pid_t left[32];
	struct proc p;
	int status;
	size_t n;

	instance_terminate(in);
	stopped = now_ns();
	need_int(waitpid(in->pid, &status, 0), ==, in->pid);
	need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned int)status);
	proc_ended(in->pid);
	in->pidfd = rdy__fd_close(in->pidfd);
	in->killed = true; /* what it has left is ours */
	n = instance_helpers(in, NULL, left, 32);
	instance_again(in);
	proc_start(&p, UID_INNOCENT, be_served, in);
	proc_end(&p);
	served = now_ns();
	note("%s: gone after %.2f s, %zu processes left, the next one serves after %.2f s", what,
		(double)(stopped - begin) / 1e9, n, (double)(served - begin) / 1e9);
	need(served - begin < STOP_MAX_NS, "%.2f s", (double)(served - begin) / 1e9);
	return n;
}

/* Nobody has a handle on it any more: the last parts of the first instance go when they can. */
static void all_gone(struct instance *in)
{
	instance_stop(in);
}

/* Nobody else may have the file: his end would wait, too. */
static void register_file(struct proc *self, void *arg)
{
	const struct instance *in = arg;
	struct fuse f;
	int r = fuse_start(&f), sock;

	proc_say(self, &r, sizeof(r));
	if (r < 0)
		return;
	fuse_silence(&f);
	need(setresuid(UID_ATTACKER, UID_ATTACKER, UID_ATTACKER) == 0, "%s", strerror(errno));
	sock = raw_open(in->sock);
	raw_register(sock, f.file, 1, WIRE_READABLE, WIRE_EDGE, 0);
	stay(self);
	fuse_end(&f);
	rdy__fd_close(sock);
}

START_TEST(an_agent_with_a_silent_file)
{
	struct instance in;
	struct proc bad;
	int r;

	start(&in, NULL);
	proc_start(&bad, 0, register_file, &in);
	proc_hear(&bad, &r, sizeof(r));
	if (r < 0) {
		proc_end(&bad);
		instance_stop(&in);
		unit_skip("no FUSE here: %s", strerror(-r));
	}
	proc_hear(&bad, NULL, 0);
	need_int(stop_and_go(&in, "silent file"), >=, 1);
	proc_say(&bad, NULL, 0);
	proc_end(&bad);
	all_gone(&in);
}
END_TEST

#define PIPES 4u

struct pipes {
	const struct instance *in;
	bool unread;
};

/* Registered, and the last copy is the agent's. */
static void register_pipes(struct proc *self, void *arg)
{
	const struct pipes *p = arg;
	struct held_pipe held[PIPES];
	int socks[PIPES];

	for (uint32_t i = 0; i < PIPES; i++) {
		const struct wire_register q = {.interest = WIRE_READABLE, .mode = WIRE_EDGE};
		uint8_t buf[WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES];

		held_pipe_make(&held[i], i % 2 ? PIPE_READ_END : PIPE_WRITE_END);
		socks[i] = raw_open(p->in->sock);
		/* More than fits unread into the way back, and may be unanswered: what comes then stays there. */
		for (uint32_t k = 0; p->unread && k < 300; k++) {
			wire_put_ping(buf, k);
			raw_send(socks[i], buf, wire_put_header(buf, WIRE_PING, k, 1), NULL, 0);
		}
		wire_put_register(buf, 0, &q);
		need_int(raw_send(socks[i], buf, wire_put_header(buf, WIRE_REGISTER, 1, 1),
				 &held[i].fd, 1),
			==, 0);
		held_pipe_forget(&held[i]);
	}
	for (uint32_t i = 0; i < PIPES && !p->unread; i++) {
		struct raw_frame frame;

		raw_recv_past_events(socks[i], &frame, WIRE_REGISTERED);
	}
	stay(self);
}

/* Beside its closers, the agent itself has copies when it has to end. */
START_TEST(an_agent_with_held_pipes)
{
	struct instance in;
	struct pipes p = {.in = &in};
	struct proc bad;

	start(&in, NULL);
	proc_start(&bad, UID_ATTACKER, register_pipes, &p);
	proc_hear(&bad, NULL, 0);
	need_int(stop_and_go(&in, "held pipes"), >=, 1);
	proc_kill(&bad);
	all_gone(&in);
}
END_TEST

/*
 * Its agent is killed while its sessions have such pipes unread in them. Nobody can close those sockets: the
 * bouncers cannot, and the supervisor must not, not even by its own end.
 */
/* Invariant: LINK-3 */
START_TEST(sockets_that_nobody_can_close)
{
	struct instance in;
	struct pipes p = {.in = &in, .unread = true};
	struct proc bad, good;

	start(&in, NULL);
	proc_start(&bad, UID_ATTACKER, register_pipes, &p);
	proc_hear(&bad, NULL, 0);
	kill(instance_wait_agent(&in, UID_ATTACKER), SIGKILL);
	/* Nobody else notices; the bouncer, which is everybody's, least of all. */
	for (int i = 0; i < 50; i++) {
		proc_start(&good, UID_INNOCENT, be_served, &in);
		proc_end(&good);
	}
	stop_and_go(&in, "sockets that nobody can close");
	proc_kill(&bad);
	all_gone(&in);
}
END_TEST

UNIT_MAIN("hostile/stop", an_agent_with_a_silent_file, an_agent_with_held_pipes,
	sockets_that_nobody_can_close)
