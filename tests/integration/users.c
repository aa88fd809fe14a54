/* SPDX-License-Identifier: MIT */
/* Sessions beside each other: of one user while another one of his is torn down, and of two users. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "client.h"
#include "harness.h"
#include "innocent.h"
#include "unit.h"

#define BIG 4000u

/* Registers BIG descriptors, says so, and dies when it is told to. */
static void hold_many(struct proc *self, void *arg)
{
	const struct instance *in = arg;
	uint8_t buf[WIRE_FRAME_MAX];
	int sock = raw_open(in->sock);

	for (uint32_t done = 0; done < BIG;) {
		int fds[WIRE_BATCH_MAX];
		struct raw_frame frame;
		uint32_t n = 0;

		for (; n < WIRE_BATCH_MAX && done + n < BIG; n++) {
			const struct wire_register q = {
				.cookie = done + n, .interest = WIRE_READABLE, .mode = WIRE_EDGE};

			fds[n] = eventfd(0, EFD_CLOEXEC);
			need(fds[n] >= 0, "%s", strerror(errno));
			wire_put_register(buf, n, &q);
		}
		need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, n), fds, n), ==,
			0);
		raw_recv_type(sock, &frame, WIRE_REGISTERED);
		for (uint32_t i = 0; i < n; i++) {
			struct wire_result result;

			wire_get_result(&frame.f, i, &result);
			need(result.error == WIRE_OK, "%s", wire_error_name(result.error));
			rdy__fd_close(fds[i]);
		}
		done += n;
	}
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
}

static void big_teardown(bool killed)
{
	struct innocent_report before, during;
	struct census census;
	struct innocent good;
	struct instance in;
	struct proc big;

	instance_start(&in, "quota.default.registrations=9000", "quota.default.sessions=8", NULL);
	/* The same user, so the same agent and the same reactor. */
	innocent_start(&good, &in, geteuid());
	innocent_measure(&good, &before);
	census_settle(&in, &census);
	for (int i = 0; i < 3; i++) {
		proc_start(&big, geteuid(), hold_many, &in);
		proc_hear(&big, NULL, 0);
		innocent_begin(&good);
		if (killed) {
			proc_kill(&big);
		} else {
			proc_say(&big, NULL, 0);
			proc_end(&big);
		}
		innocent_finish(&good, &during);
		census_wait(&in, &census);
		innocent_check(&during, killed ? "teardown of 4000, killed" : "teardown of 4000");
	}
	innocent_stop(&good);
	instance_stop(&in);
}

START_TEST(a_big_session_ends)
{
	big_teardown(false);
}
END_TEST

START_TEST(a_big_session_is_killed)
{
	big_teardown(true);
}
END_TEST

/* Two users, two agents, and neither sees anything of the other. */
START_TEST(two_users_at_once)
{
	struct innocent one, other;
	struct innocent_report a, b;
	struct instance in;
	pid_t agents[4];

	if (!other_users("two_users_at_once"))
		return;
	instance_start(&in, NULL);
	innocent_start(&one, &in, UID_INNOCENT);
	innocent_start(&other, &in, UID_ATTACKER);
	need_int(instance_helpers(&in, "agent", agents, 4), ==, 2);
	need(instance_agent(&in, UID_INNOCENT) != instance_agent(&in, UID_ATTACKER), "one agent");
	for (int i = 0; i < 3; i++) {
		innocent_begin(&one);
		innocent_begin(&other);
		innocent_finish(&one, &a);
		innocent_finish(&other, &b);
		innocent_check(&a, "one user");
		innocent_check(&b, "the other");
	}
	/* The death of one's agent is not the other's business. */
	instance_expect(&in, "child=agent");
	instance_expect(&in, "agent=died");
	innocent_begin(&one);
	need(kill(instance_agent(&in, UID_ATTACKER), SIGKILL) == 0, "%s", strerror(errno));
	innocent_finish(&one, &a);
	innocent_check(&a, "while the other's agent dies");
	proc_kill(&other.proc);
	innocent_stop(&one);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/users", a_big_session_ends, a_big_session_is_killed, two_users_at_once)
