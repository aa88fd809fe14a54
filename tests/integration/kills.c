/* SPDX-License-Identifier: MIT */
/*
 * 200 kills -9 of readyd, agents, closers, the bouncer and clients, at moments that a seed decides, under load of
 * several users: every readiness is seen (load.h), and at the end nothing is left of anything.
 * READYD_TEST_SEED chooses the seed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "load.h"
#include "unit.h"

#define KILLS 200
#define USERS 4u
#define CHURNERS 6u
#define FIRST_UID 61010u /* numbers without an owner */
#define SEED 20260101u
#define STEP_MAX 600u /* numbers read between two kills, at most */
#define LIVED_NS \
	(21 * RDY__NS_PER_S / 20) /* an agent that dies sooner counts as broken: its user waits */

struct kills {
	struct instance in;
	unsigned int seed;
	struct load *loads[USERS];
	struct proc churners[CHURNERS];
	struct {
		pid_t pid;
		int64_t since_ns;
	} agents[USERS];
	uint32_t n_supervisor, n_agent, n_closer, n_bouncer, n_client;
};

static uid_t uid_of(uint32_t user)
{
	return FIRST_UID + user;
}

static uint32_t dice(struct kills *k, uint32_t sides)
{
	return (uint32_t)rand_r(&k->seed) % sides;
}

/* ---- clients that come and go, and are killed on the way ---- */

/* Whatever happens to the daemon meanwhile: no call of the library fails but connecting, which is tried again. */
static struct rdy_client *connect_some_time(const struct instance *in)
{
	const struct rdy_client_options o = {.size = sizeof(o),
		.path = in->sock,
		.name = "churner",
		.reply_within_ns = PATIENCE_NS};
	struct rdy_client *c;

	while (rdy_client_new(&o, PATIENCE_NS, NULL, &c) < 0)
		poll(NULL, 0, 5);
	return c;
}

static void churn_once(const struct instance *in, unsigned int *seed)
{
	static const uint32_t modes[] = {RDY_EDGE, RDY_LEVEL, RDY_ONESHOT};
	struct rdy_client *c = connect_some_time(in);
	struct rdy_client_event e[32];
	uint64_t handles[48];
	int fds[48], n = 1 + rand_r(seed) % 48;

	for (int i = 0; i < n; i++) {
		fds[i] = eventfd((unsigned int)rand_r(seed) % 2, EFD_CLOEXEC | EFD_NONBLOCK);
		need(rdy_client_register(c, fds[i], (uint64_t)i, RDY_READABLE, modes[i % 3], 0,
			     &handles[i]) == 0,
			"register");
		if (rand_r(seed) % 4 == 0)
			(void)rdy_client_set_deadline(c, handles[i], 0, 1 + rand_r(seed) % 1000000);
	}
	for (int turn = rand_r(seed) % 6; turn > 0; turn--) {
		(void)rdy_client_wait(c, e, 32, rand_r(seed) % 3 * RDY__NS_PER_MS);
		eventfd_write(fds[rand_r(seed) % n], 1);
	}
	for (int i = 0; i < n; i += 2)
		(void)rdy_client_deregister(c, handles[i]);
	if (rand_r(seed) % 2)
		(void)rdy_client_sync(c, RDY__NS_PER_S / 10);
	rdy_client_free(c);
	for (int i = 0; i < n; i++)
		rdy__fd_close(fds[i]);
}

/* And now and then asks for a list, of which it reads a part. */
static void ask_for_a_list(const struct instance *in, unsigned int *seed)
{
	static const char call[] =
		"{\"method\":\"io.readyd.ListRegistrations\",\"parameters\":{},\"more\":true}";
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char some[4096];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", in->runtime);
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		send(sock, call, sizeof(call), MSG_NOSIGNAL) == (ssize_t)sizeof(call) &&
		rand_r(seed) % 2)
		(void)!recv(sock, some, sizeof(some), 0);
	rdy__fd_close(sock);
}

static void churn(struct proc *self, void *arg)
{
	const struct kills *k = arg;
	unsigned int seed = k->seed;

	for (;;) {
		churn_once(&k->in, &seed);
		if (rand_r(&seed) % 4 == 0)
			ask_for_a_list(&k->in, &seed);
	}
}

static void start_churner(struct kills *k, uint32_t i)
{
	dice(k, 2); /* each its own seed */
	proc_start(&k->churners[i], uid_of(i % USERS), churn, k);
}

/* ---- kills ---- */

static bool kill_one(struct kills *k, const char *name)
{
	pid_t pids[32];
	size_t n = instance_helpers(&k->in, name, pids, 32);

	/* It may have ended by itself since it was counted: then it was not killed. */
	return n && kill(pids[dice(k, (uint32_t)n)], SIGKILL) == 0;
}

/* An agent that has lived long enough; its user is served by a fresh one. */
static bool kill_agent(struct kills *k)
{
	for (uint32_t tries = 0; tries < USERS; tries++) {
		uint32_t user = dice(k, USERS);
		pid_t pid = instance_agent(&k->in, uid_of(user));

		if (!pid)
			continue;
		if (pid != k->agents[user].pid) {
			k->agents[user].pid = pid;
			k->agents[user].since_ns = now_ns();
		} else if (now_ns() - k->agents[user].since_ns >= LIVED_NS) {
			return kill(pid, SIGKILL) == 0;
		}
	}
	return false;
}

/* n more numbers are read by all together, or there is no agent left that could serve. */
static void progress_of_any(struct kills *k, uint32_t n)
{
	uint32_t from = 0, now = 0;
	int64_t start = now_ns();
	pid_t one;

	for (uint32_t i = 0; i < USERS; i++)
		from += k->loads[i]->total;
	do {
		now = 0;
		for (uint32_t i = 0; i < USERS; i++)
			now += k->loads[i]->total;
		need(look_again(start), "%u of %u numbers", now - from, n);
	} while (now - from < n && instance_helpers(&k->in, "agent", &one, 1));
}

static void kill_supervisor(struct kills *k)
{
	instance_kill(&k->in);
	/* Sometimes its agents are on their own for a while, as long as there are any. */
	if (dice(k, 2))
		progress_of_any(k, 1 + dice(k, STEP_MAX));
	instance_again(&k->in);
}

static void kill_somebody(struct kills *k)
{
	uint32_t who = dice(k, 100);

	if (who < 15) {
		kill_supervisor(k);
		k->n_supervisor++;
	} else if (who < 60 && kill_agent(k)) {
		k->n_agent++;
	} else if (who < 75 && kill_one(k, "closer")) {
		k->n_closer++;
	} else if (who < 83 && kill_one(k, "bouncer")) {
		k->n_bouncer++;
	} else {
		uint32_t i = dice(k, CHURNERS);

		proc_kill(&k->churners[i]);
		start_churner(k, i);
		k->n_client++;
	}
}

static uint32_t n_kills(const struct kills *k)
{
	return k->n_supervisor + k->n_agent + k->n_closer + k->n_bouncer + k->n_client;
}

/* ---- what is there at the beginning, and at the end again ---- */

/* readyd and its bouncer: agents end when their users have gone. */
static void wait_for_two(const struct instance *in, struct census *ret)
{
	int64_t start = now_ns();

	for (census_settle(in, ret); ret->n != 2; census_settle(in, ret))
		need(look_again(start), "%zu processes", ret->n);
}

static void compare(const struct instance *in, const struct census *before)
{
	struct census now;

	wait_for_two(in, &now);
	note("descriptors of readyd and bouncer: %d at first, %d now",
		before->of[0].n_fds + before->of[1].n_fds, now.of[0].n_fds + now.of[1].n_fds);
	need_int(now.of[0].n_fds + now.of[1].n_fds, ==, before->of[0].n_fds + before->of[1].n_fds);
}

static void expect_all(struct instance *in)
{
	static const char *const lines[] = {"agent=died", "agent=failing",
		"child=", "closer=", "bouncer=", "adopt=", "agent=adopt"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		instance_expect(in, lines[i]);
}

START_TEST(two_hundred_kills)
{
	static struct kills k;
	const char *chosen = getenv("READYD_TEST_SEED");
	struct census before;
	int64_t start_ns, stop_ns;
	uint32_t total = 0;

	if (!other_users("kills under the load of several users"))
		return;
	k.seed = chosen ? (unsigned int)strtoul(chosen, NULL, 10) : SEED;
	note("seed %u", k.seed);
	instance_start(&k.in, "quota.default.connects_per_s=100000", "agent.idle_exit=500ms",
		"quota.default.control=64", NULL);
	expect_all(&k.in);
	wait_for_two(&k.in, &before);
	start_ns = now_ns();
	for (uint32_t i = 0; i < USERS; i++)
		k.loads[i] = load_start(&k.in, uid_of(i));
	for (uint32_t i = 0; i < CHURNERS; i++)
		start_churner(&k, i);
	while (n_kills(&k) < KILLS) {
		load_progress(k.loads[dice(&k, USERS)], 1 + dice(&k, STEP_MAX), 0);
		kill_somebody(&k);
	}
	for (uint32_t i = 0; i < CHURNERS; i++)
		proc_kill(&k.churners[i]);
	for (uint32_t i = 0; i < USERS; i++) {
		load_end(k.loads[i]);
		total += k.loads[i]->total;
		load_free(k.loads[i]);
	}
	note("%u kills in %lld ms: %u readyd, %u agents, %u closers, %u bouncers, %u clients; %u "
	     "numbers "
	     "read",
		n_kills(&k), (long long)((now_ns() - start_ns) / RDY__NS_PER_MS), k.n_supervisor,
		k.n_agent, k.n_closer, k.n_bouncer, k.n_client, total);
	compare(&k.in, &before);
	stop_ns = now_ns();
	instance_stop(&k.in);
	need_int(now_ns() - stop_ns, <, 2 * RDY__NS_PER_S);
}
END_TEST

UNIT_MAIN("integration/kills", two_hundred_kills)
