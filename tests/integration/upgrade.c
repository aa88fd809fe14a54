/* SPDX-License-Identifier: MIT */
/*
 * Upgrades: readyd is killed, its programs are replaced, it is started again. Live sessions move to agents of
 * the new program; clients see nothing of it. With the same program under another inode, with the version of
 * the channel after this one, and with fresh agents that fail on the way.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness.h"
#include "load.h"
#include "programs.h"
#include "unit.h"

#define ROUNDS 3
#define PROGRESS 500u

/* The lines that tell of a supervisor that was killed. */
static void expect_kill(struct instance *in)
{
	instance_expect(in, "upgrade=failed");
	instance_expect(in, "handover=failed");
	instance_expect(in, "takeover=failed");
	instance_expect(in, "child=agent");
}

/* Load of two users goes on over upgrades, and nobody loses a session. */
static void goes_on(const char *readyd, const char *agent, int rounds)
{
	uid_t uids[2] = {some_uid(), UID_ATTACKER};
	size_t n = harness_is_root() ? 2 : 1;
	struct load *loads[2];
	struct programs p;
	struct instance in;

	programs_new(&p);
	instance_start(&in, NULL);
	for (size_t i = 0; i < n; i++)
		loads[i] = load_start(&in, uids[i]);
	for (int k = 1; k <= rounds; k++) {
		pid_t before[2];

		for (size_t i = 0; i < n; i++) {
			load_progress(loads[i], PROGRESS, 0);
			before[i] = instance_wait_agent(&in, uids[i]);
		}
		instance_kill(&in);
		install(&p, readyd, agent);
		instance_again(&in);
		wait_said(&in, "upgrade=done", n * (size_t)k);
		for (size_t i = 0; i < n; i++) {
			wait_end(before[i]);
			load_progress(loads[i], PROGRESS, 0);
			need_int(loads[i]->losses, ==, 0);
		}
		wait_helpers(&in, "agent", n);
		wait_helpers(&in, "closer", n);
	}
	for (size_t i = 0; i < n; i++) {
		load_end(loads[i]);
		need_int(loads[i]->losses, ==, 0);
		note("uid %u: %u numbers over %d upgrades, longest gap %.1f ms",
			(unsigned int)uids[i], loads[i]->total, rounds,
			(double)loads[i]->gap_ns / 1e6);
		load_free(loads[i]);
	}
	instance_stop(&in);
	programs_free(&p);
}

START_TEST(load_goes_on)
{
	goes_on(READYD, READYD_AGENT, ROUNDS);
}
END_TEST

/* The first step is from this version of the channel to the next one, the others within the next one. */
START_TEST(load_goes_on_in_the_next_version)
{
	goes_on(READYD_NEXT, READYD_AGENT_NEXT, 2);
}
END_TEST

/* Fresh agents that fail on the way: the old one serves on as if nothing had been. */
static void fails(const char *agent)
{
	uid_t uid = some_uid();
	struct programs p;
	struct instance in;
	struct load *l;
	pid_t before;

	programs_new(&p);
	instance_start(&in, NULL);
	expect_kill(&in);
	instance_expect(&in, "upgrade=late");
	instance_expect(&in, "agent=died");
	l = load_start(&in, uid);
	load_progress(l, PROGRESS, 0);
	before = instance_wait_agent(&in, uid);
	instance_kill(&in);
	install(&p, READYD, agent);
	instance_again(&in);
	wait_said(&in, "upgrade=failed", 1);
	load_progress(l, PROGRESS, 0);
	wait_helpers(&in, "agent", 1);
	need_int(instance_wait_agent(&in, uid), ==, before);
	need_int(l->losses, ==, 0);
	/* And the next time it works. */
	instance_kill(&in);
	install(&p, READYD, READYD_AGENT);
	instance_again(&in);
	wait_said(&in, "upgrade=done", 1);
	wait_end(before);
	load_progress(l, PROGRESS, 0);
	load_end(l);
	need_int(l->losses, ==, 0);
	load_free(l);
	instance_stop(&in);
	programs_free(&p);
}

#define FAILS(name, point) \
	START_TEST(name) \
	{ \
		fails(HALF_AGENT #point); \
	} \
	END_TEST

FAILS(fails_before_hello, 0)
FAILS(fails_after_hello, 1)
FAILS(fails_after_begin, 2)
FAILS(fails_in_a_session, 3)
FAILS(fails_before_ack, 4)
FAILS(fails_with_nonsense, 6)
FAILS(hangs_before_ack, 7)

/* It has said that it has everything, and dies: so do the sessions. Clients come back, and nothing is lost. */
START_TEST(dies_after_ack)
{
	uid_t uid = some_uid();
	struct programs p;
	struct instance in;
	struct load *l;

	programs_new(&p);
	instance_start(&in, "quota.default.connects_per_s=1000", NULL);
	expect_kill(&in);
	instance_expect(&in, "upgrade=l");
	instance_expect(&in, "agent=");
	l = load_start(&in, uid);
	load_progress(l, PROGRESS, 0);
	instance_kill(&in);
	install(&p, READYD, HALF_AGENT "5");
	instance_again(&in);
	wait_said(&in, "upgrade=lost", 1);
	instance_kill(&in);
	install(&p, READYD, READYD_AGENT);
	instance_again(&in);
	load_progress(l, PROGRESS, 0);
	load_end(l);
	need_int(l->losses, >=, 1);
	load_free(l);
	instance_stop(&in);
	programs_free(&p);
}
END_TEST

/* Killed when both have something, at any moment: clients come back if they have to, and nothing is lost. */
static void killed(bool old)
{
	uid_t uid = some_uid();
	unsigned int seed = old ? 3 : 5;
	struct programs p;
	struct instance in;
	struct load *l;

	programs_new(&p);
	instance_start(&in, "quota.default.connects_per_s=1000", NULL);
	expect_kill(&in);
	instance_expect(&in, "upgrade=l");
	instance_expect(&in, "agent=");
	instance_expect(&in, "adopt=died");
	l = load_start(&in, uid);
	for (int i = 0; i < 8; i++) {
		int64_t start, delay_ns = (int64_t)(rand_r(&seed) % 40) * RDY__NS_PER_MS / 10;
		pid_t before, pids[32], victim = 0;
		size_t n, n_done;

		load_progress(l, PROGRESS, 0);
		before = instance_wait_agent(&in, uid);
		n_done = count_said(&in, "upgrade=done");
		instance_kill(&in);
		install(&p, READYD, READYD_AGENT);
		instance_again(&in);
		start = now_ns();
		/* A second one is there, or it is over already. */
		while (!victim && count_said(&in, "upgrade=done") == n_done) {
			n = instance_helpers(&in, "agent", pids, 32);
			for (size_t k = 0; k < n && n > 1; k++)
				if ((pids[k] == before) == old)
					victim = pids[k];
			need(now_ns() - start < PATIENCE_MS * RDY__NS_PER_MS, "%s",
				instance_log(&in));
		}
		for (start = now_ns(); now_ns() - start < delay_ns;)
			;
		if (victim)
			kill(victim, SIGKILL);
		load_progress(l, PROGRESS, 0);
	}
	load_end(l);
	note("%s agent killed: %u losses, %zu upgrades done, %zu failed", old ? "old" : "fresh",
		l->losses, count_said(&in, "upgrade=done"), count_said(&in, "upgrade=failed"));
	load_free(l);
	instance_stop(&in);
	programs_free(&p);
}

START_TEST(fresh_one_killed)
{
	killed(false);
}
END_TEST

START_TEST(old_one_killed)
{
	killed(true);
}
END_TEST

UNIT_MAIN("integration/upgrade", load_goes_on, load_goes_on_in_the_next_version, fails_before_hello,
	fails_after_hello, fails_after_begin, fails_in_a_session, fails_before_ack,
	fails_with_nonsense, dies_after_ack, hangs_before_ack, fresh_one_killed, old_one_killed)
