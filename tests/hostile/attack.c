/* SPDX-License-Identifier: MIT */
/* See attack.h. */
#include "attack.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "innocent.h"

#define ROUNDS 20u
#define ROUNDS_MAX 5000u

struct attacker {
	const struct attack *a;
	const struct instance *in;
};

/* Before main(): there is no point in a program of which nothing can run. */
__attribute__((constructor)) static void skip_without_root(void)
{
	if (harness_is_root())
		return;
	puts("1..0 # SKIP clients of two users at once take root");
	exit(EXIT_SUCCESS);
}

static void warm_up(const struct instance *in)
{
	int sock = raw_open(in->sock);

	raw_ping(sock);
	rdy__fd_close(sock);
}

/* Orders: prepare and warm up; begin; stop. Answers: ready; rounds done; rounds in all. */
static void be_hostile(struct proc *self, void *arg)
{
	const struct attacker *me = arg;
	const struct attack *a = me->a;
	uint32_t rounds = a->rounds ? a->rounds : ROUNDS;
	uint32_t max = a->rounds_max ? a->rounds_max : ROUNDS_MAX;
	uint32_t n = 0;

	if (a->prepare)
		a->prepare(a->arg);
	need(setgroups(0, NULL) == 0 && setresgid(UID_ATTACKER, UID_ATTACKER, UID_ATTACKER) == 0 &&
			setresuid(UID_ATTACKER, UID_ATTACKER, UID_ATTACKER) == 0,
		"%s", strerror(errno));
	if (!a->agent_ends)
		warm_up(me->in);
	proc_say(self, NULL, 0);
	proc_hear(self, NULL, 0);
	for (; n < rounds || (n < max && !proc_waits(self, 0)); n++) {
		a->round(me->in, n, a->arg);
		if (n + 1 == rounds)
			proc_say(self, NULL, 0);
	}
	proc_hear(self, NULL, 0);
	proc_say(self, &n, sizeof(n));
	proc_hear(self, NULL, 0);
}

void attack(const struct attack *a)
{
	/* It comes again faster than the daemon can let go of what it left. */
	const char *options[ATTACK_TEXTS + 2] = {
		"quota.default.connects_per_s=100000", "quota.default.sessions=512"};
	struct innocent_report before, during;
	struct census census;
	struct innocent good;
	struct proc bad;
	struct instance in;
	struct attacker attacker = {a, &in};
	uint32_t rounds;
	size_t n = 2;

	for (size_t i = 0; i < ATTACK_TEXTS && a->options[i]; i++)
		options[n++] = a->options[i];
	instance_limit(a->nofile);
	instance_start_with(&in, options, n);
	instance_limit(0);
	for (size_t i = 0; i < ATTACK_TEXTS && a->expects[i]; i++)
		instance_expect(&in, a->expects[i]);
	innocent_start(&good, &in, UID_INNOCENT);
	proc_start(&bad, 0, be_hostile, &attacker);
	proc_hear(&bad, NULL, 0);
	if (a->begin)
		a->begin(&in, a);
	innocent_measure(&good, &before);
	census_settle(&in, &census);
	innocent_begin(&good);
	proc_say(&bad, NULL, 0);
	proc_hear(&bad, NULL, 0);
	do {
		if (a->meanwhile)
			a->meanwhile(&in);
		if (proc_waits(&bad, 10))
			proc_hear(&bad, NULL, 0); /* it has failed, and says how */
	} while (!innocent_has_enough(&good));
	proc_say(&bad, NULL, 0);
	proc_hear(&bad, &rounds, sizeof(rounds));
	innocent_finish(&good, &during);
	if (a->end)
		a->end(&in, a);
	note("%s: %u rounds", a->name, rounds);
	innocent_check(&during, a->name);
	/* Its end would end its sessions: the daemon has to do without. */
	if (!a->dies)
		census_wait(&in, &census);
	proc_say(&bad, NULL, 0);
	proc_end(&bad);
	census_wait(&in, &census);
	innocent_stop(&good);
	instance_stop(&in);
}

static void be_limiter(struct proc *self, void *arg)
{
	struct passwd *daemon = getpwnam("daemon");
	struct rlimit l;
	struct {
		pid_t agent;
		uint32_t room;
	} order;

	need(daemon, "no user 'daemon'");
	if (!proc_waits(self, -1))
		return;
	proc_hear(self, &order, sizeof(order));
	l.rlim_cur = l.rlim_max = (rlim_t)count_fds(order.agent) + order.room;
	need(setgroups(0, NULL) == 0 &&
			setresgid(daemon->pw_gid, daemon->pw_gid, daemon->pw_gid) == 0 &&
			setresuid(daemon->pw_uid, daemon->pw_uid, daemon->pw_uid) == 0,
		"%s", strerror(errno));
	need(prlimit(order.agent, RLIMIT_NOFILE, &l, NULL) == 0, "%s", strerror(errno));
	proc_say(self, NULL, 0);
}

void limiter_start(struct limiter *l)
{
	proc_start(&l->proc, 0, be_limiter, NULL);
}

void limiter_lower(struct limiter *l, pid_t agent, uint32_t room)
{
	const struct {
		pid_t agent;
		uint32_t room;
	} order = {agent, room};

	proc_say(&l->proc, &order, sizeof(order));
	proc_hear(&l->proc, NULL, 0);
	proc_end(&l->proc);
}

void attack_expect(const struct instance *in, const uint8_t *frame, size_t n_bytes, const int *fds,
	size_t n_fds, uint32_t error, uint32_t detail)
{
	int sock = raw_open(in->sock);

	need_int(raw_send(sock, frame, n_bytes, fds, n_fds), ==, 0);
	raw_expect_fatal(sock, error, detail);
	rdy__fd_close(sock);
}
