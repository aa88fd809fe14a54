/* SPDX-License-Identifier: MIT */
/*
 * 200 kills -9 of readyd, agents, closers, the bouncer and clients, at steps of the protocol that a seed
 * chooses, under load of several users: every readiness is seen (load.h, churner.h), and at the end nothing is
 * left of anything. READYD_TEST_SEED chooses the seed.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "churner.h"
#include "load.h"
#include "unit.h"

#define KILLS 200u
#define USERS 4u
#define CHURNERS 6u
#define SEED 20260101u
#define STEP_MAX 600u		      /* numbers read between two kills, at most */
#define LATER_NS (3 * RDY__NS_PER_MS) /* after the step has begun, at most */
#define STOP_NS (2 * RDY__NS_PER_S)

static const uid_t users[USERS] = {UID_ATTACKER, UID_INNOCENT, 61010, 61011};

enum who { READYD_ITSELF, AGENT, CLOSER, BOUNCER, CLIENT, N_WHO };
static const char *const who_names[N_WHO] = {"readyd", "agent", "closer", "bouncer", "client"};
static const uint32_t shares[N_WHO] = {20, 30, 20, 10, 20}; /* of 100 */

/* The steps of churner.h, and two that are the daemon's. */
enum { WHEN_AGENT_STARTS = N_STEPS, WHEN_ADOPTING, N_WHEN };
static const char *const when_names[N_WHEN] = {"connect", "register", "events", "deregister",
	"teardown", "control", "agent starts", "adoption"};

struct kills {
	struct instance in;
	unsigned int seed;
	struct load *loads[USERS];
	struct churn *churn;
	struct churner churners[CHURNERS];
	uint32_t n[N_WHO][N_WHEN], total;
};

static uint32_t dice(struct kills *k, uint32_t sides)
{
	return (uint32_t)rand_r(&k->seed) % sides;
}

static void start_churner(struct kills *k, uint32_t i)
{
	struct churner *c = &k->churners[i];

	*c = (struct churner){.churn = k->churn,
		.uid = users[i % USERS],
		.number = (uint8_t)i,
		.seed = dice(k, UINT32_MAX)};
	churner_start(c);
}

/* Somebody may have found that something is lost. */
static void check_clients(struct kills *k)
{
	for (uint32_t i = 0; i < CHURNERS; i++)
		proc_check(&k->churners[i].proc);
	for (uint32_t i = 0; i < USERS; i++)
		proc_check(&k->loads[i]->reader);
}

static uint32_t numbers(const struct kills *k)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < USERS; i++)
		n += k->loads[i]->total;
	return n;
}

/* n more numbers are read by all together. */
static void progress(struct kills *k, uint32_t n)
{
	uint32_t from = numbers(k);
	int64_t start = now_ns();

	while (numbers(k) - from < n) {
		check_clients(k);
		need(look_again(start), "%u of %u numbers: %s", numbers(k) - from, n,
			instance_log(&k->in));
	}
}

/* Without readyd as many as may be: whoever had no session at that moment has none. */
static void progress_alone(struct kills *k, uint32_t n)
{
	uint32_t from = numbers(k), now, before = from - 1;
	int64_t start = now_ns();

	while ((now = numbers(k)) != before && now - from < n && look_again(start))
		before = now;
}

/* Any moment of what goes on now. */
static void some_moment(struct kills *k, int64_t at_most_ns)
{
	const struct timespec t = {0, (long)dice(k, (uint32_t)at_most_ns)};

	nanosleep(&t, NULL);
}

static size_t count_said(const struct kills *k, const char *text)
{
	size_t n = 0;

	for (char *at = instance_log(&k->in); (at = strstr(at, text)); at++)
		n++;
	return n;
}

/* ---- who ---- */

static void killed(struct kills *k, enum who who, uint32_t when)
{
	k->n[who][when]++;
	k->total++;
}

/* One of those that are there; there may be none. */
static bool kill_helper(struct kills *k, enum who who, pid_t rather)
{
	pid_t pids[32];
	size_t n = instance_helpers(&k->in, who_names[who], pids, 32), i = 0;

	while (i < n && pids[i] != rather)
		i++;
	if (n && i == n)
		i = dice(k, (uint32_t)n);
	return n && kill(pids[i], SIGKILL) == 0;
}

/* It is there soon: the bouncer takes a second to come back, an agent up to five. */
static void kill_helper_soon(struct kills *k, enum who who, pid_t rather)
{
	int64_t start = now_ns();

	while (!kill_helper(k, who, rather)) {
		check_clients(k);
		need(look_again(start), "no %s: %s", who_names[who], instance_log(&k->in));
	}
}

static void kill_client(struct kills *k, uint32_t churner, bool reader)
{
	if (reader) {
		load_replace_reader(k->loads[churner % USERS]);
		return;
	}
	proc_check(&k->churners[churner].proc);
	proc_kill(&k->churners[churner].proc);
	start_churner(k, churner);
}

/* ---- when ---- */

/* Some agent's first steps, if a user comes who has none; false after a while without. */
static bool agent_starts(struct kills *k, pid_t *ret)
{
	pid_t before[32], now[32];
	size_t n_before = instance_helpers(&k->in, "agent", before, 32), n;
	size_t failing = count_said(k, "agent=failing");
	int64_t start = now_ns();

	kill_helper_soon(k, AGENT, 0);
	killed(k, AGENT, WHEN_AGENT_STARTS);
	/* A user whose agents keep dying waits. */
	while (count_said(k, "agent=failing") == failing) {
		n = instance_helpers(&k->in, "agent", now, 32);
		for (size_t i = 0; i < n; i++) {
			size_t old = 0;

			while (old < n_before && before[old] != now[i])
				old++;
			*ret = now[i];
			if (old == n_before)
				return true;
		}
		check_clients(k);
		need(now_ns() - start < PATIENCE_MS * RDY__NS_PER_MS, "%s", instance_log(&k->in));
	}
	return false;
}

/* The next readyd is on its way, and has adopted none, some, or all of the agents. */
static void adoption(struct kills *k)
{
	pid_t pids[32];
	size_t n = instance_helpers(&k->in, "agent", pids, 32);
	size_t until = count_said(k, "agent=adopted") + dice(k, (uint32_t)n + 1);

	instance_kill(&k->in);
	killed(k, READYD_ITSELF, WHEN_ADOPTING);
	instance_begin(&k->in);
	while (!instance_begun(&k->in) && count_said(k, "agent=adopted") < until)
		check_clients(k);
}

static void kill_one(struct kills *k, enum who who, uint32_t when)
{
	uint32_t churner = dice(k, CHURNERS);
	pid_t agent = 0;

	if (when < N_STEPS)
		churner = churn_wait(k->churn, (enum step)when);
	else if (when == WHEN_ADOPTING)
		adoption(k);
	else if (!agent_starts(k, &agent))
		return;
	if (when < N_STEPS && who == AGENT)
		agent = instance_agent(&k->in, k->churners[churner].uid);
	some_moment(k, LATER_NS);
	switch (who) {
	case READYD_ITSELF:
		instance_kill(&k->in);
		/* Sometimes its agents are on their own for a while. */
		if (dice(k, 2))
			progress_alone(k, 1 + dice(k, STEP_MAX));
		instance_begin(&k->in);
		break;
	case CLIENT:
		kill_client(k, churner, when == STEP_EVENTS && dice(k, 2));
		break;
	default:
		kill_helper_soon(k, who, agent);
	}
	killed(k, who, when);
	if (k->in.ready_fd >= 0)
		instance_await(&k->in);
}

static enum who somebody(struct kills *k)
{
	uint32_t n = dice(k, 100), who = 0;

	while (n >= shares[who])
		n -= shares[who++];
	return (enum who)who;
}

static void show(struct kills *k, int64_t took_ns)
{
	for (uint32_t when = 0; when < N_WHEN; when++) {
		char text[128];
		size_t n = 0;
		uint32_t sum = 0;

		for (uint32_t who = 0; who < N_WHO; who++) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s %u", who_names[who],
				k->n[who][when]);
			sum += k->n[who][when];
		}
		note("%-12s%s", when_names[when], text);
		need_int(sum, >, 0);
	}
	for (uint32_t who = 0; who < N_WHO; who++) {
		uint32_t sum = 0;

		for (uint32_t when = 0; when < N_WHEN; when++)
			sum += k->n[who][when];
		need_int(sum, >, 0);
	}
	note("%u kills in %lld ms, %u numbers read, %u visits", k->total,
		(long long)(took_ns / RDY__NS_PER_MS), numbers(k), k->churn->rounds);
}

/* ---- what is there at the beginning, and at the end again ---- */

/* A session of each user, so that there is an agent of each, and nothing else. */
static void keep(struct proc *self, void *arg)
{
	const struct instance *in = arg;
	int sock = raw_open(in->sock);

	raw_ping(sock);
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
	rdy__fd_close(sock);
}

/* One bouncer, and as many agents and closers as users, each with so many descriptors. */
struct remains {
	int readyd, bouncer, agent, closer;
};

static int fds_of(const struct census *c, pid_t pid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->of[i].pid == pid)
			return c->of[i].n_fds;
	return -1;
}

/* All of the same name have the same number, which is returned; else -1. */
static int fds_of_all(const struct instance *in, const struct census *c, const char *name, size_t n)
{
	pid_t pids[32];
	int fds;

	if (instance_helpers(in, name, pids, 32) != n)
		return -1;
	fds = fds_of(c, pids[0]);
	for (size_t i = 1; i < n; i++)
		if (fds_of(c, pids[i]) != fds)
			return -1;
	return fds;
}

static void look(struct kills *k, struct remains *ret)
{
	struct proc keepers[USERS];
	struct census c = {.n = 0};
	int64_t start;

	*ret = (struct remains){0};
	for (uint32_t i = 0; i < USERS; i++) {
		proc_start(&keepers[i], users[i], keep, &k->in);
		proc_hear(&keepers[i], NULL, 0);
	}
	start = now_ns();
	do {
		need(look_again(start),
			"%zu processes, descriptors of readyd %d, bouncer %d, "
			"agents %d, closers %d: %s",
			c.n, ret->readyd, ret->bouncer, ret->agent, ret->closer,
			instance_log(&k->in));
		census_settle(&k->in, &c);
		*ret = (struct remains){.readyd = fds_of(&c, k->in.pid),
			.bouncer = fds_of_all(&k->in, &c, "bouncer", 1),
			.agent = fds_of_all(&k->in, &c, "agent", USERS),
			.closer = fds_of_all(&k->in, &c, "closer", USERS)};
	} while (c.n != 2 + 2 * USERS || ret->bouncer < 0 || ret->agent < 0 || ret->closer < 0);
	for (uint32_t i = 0; i < USERS; i++) {
		proc_say(&keepers[i], NULL, 0);
		proc_end(&keepers[i]);
	}
}

static void expect_all(struct instance *in)
{
	static const char *const lines[] = {"agent=died", "agent=failing",
		"child=", "closer=", "bouncer=", "adopt=", "agent=adopt"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		instance_expect(in, lines[i]);
}

/* Its lock is what stays in the runtime directory. */
static void nothing_else_left(const struct instance *in)
{
	DIR *d = opendir(in->runtime);

	need(d, "%s", strerror(errno));
	for (struct dirent *e; (e = readdir(d));)
		need(e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0, "%s is left",
			e->d_name);
	closedir(d);
}

START_TEST(two_hundred_kills)
{
	static struct kills k;
	const char *chosen = getenv("READYD_TEST_SEED");
	struct remains before, after;
	int64_t start_ns, stop_ns;

	if (!other_users("kills under the load of several users"))
		return;
	k.seed = chosen ? (unsigned int)strtoul(chosen, NULL, 10) : SEED;
	note("seed %u", k.seed);
	instance_start(&k.in, "quota.default.connects_per_s=100000", "adoption.grace=60s",
		"quota.default.control=64", NULL);
	expect_all(&k.in);
	look(&k, &before);
	k.churn = churn_new(&k.in);
	for (uint32_t i = 0; i < USERS; i++)
		k.loads[i] = load_start(&k.in, users[i]);
	for (uint32_t i = 0; i < CHURNERS; i++)
		start_churner(&k, i);
	start_ns = now_ns();
	while (k.total < KILLS) {
		enum who who = somebody(&k);

		progress(&k, 1 + dice(&k, STEP_MAX));
		kill_one(&k, who, dice(&k, N_WHEN));
	}
	k.churn->stop = true;
	for (uint32_t i = 0; i < CHURNERS; i++)
		proc_end(&k.churners[i].proc);
	for (uint32_t i = 0; i < USERS; i++)
		load_end(k.loads[i]);
	show(&k, now_ns() - start_ns);
	look(&k, &after);
	need_int(after.readyd, ==, before.readyd);
	need_int(after.bouncer, ==, before.bouncer);
	need_int(after.agent, ==, before.agent);
	need_int(after.closer, ==, before.closer);
	note("the log has %zu bytes", strlen(instance_log(&k.in)));
	stop_ns = now_ns();
	instance_terminate(&k.in);
	nothing_else_left(&k.in);
	instance_gone(&k.in);
	need_int(now_ns() - stop_ns, <, STOP_NS);
	for (uint32_t i = 0; i < USERS; i++)
		load_free(k.loads[i]);
	churn_free(k.churn);
}
END_TEST

UNIT_MAIN("integration/kills", two_hundred_kills)
