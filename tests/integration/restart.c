/* SPDX-License-Identifier: MIT */
/* kill -9 of an agent under load: clients come back by themselves, and no readiness is lost (load.h). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness.h"
#include "load.h"
#include "unit.h"

#define KILLS 6
#define PROGRESS 3000u			 /* numbers that an agent serves before it is killed */
#define LIVED_NS (5 * RDY__NS_PER_S / 4) /* an agent that dies sooner counts as broken */

static void under_load(int kills, int64_t lived_ns)
{
	uid_t uid = harness_is_root() ? UID_INNOCENT : geteuid();
	unsigned int seed = 7;
	struct instance in;
	struct load *l;

	instance_start(&in, "quota.default.connects_per_s=1000", NULL);
	instance_expect(&in, "agent=died");
	instance_expect(&in, "child=agent");
	instance_expect(&in, "agent=failing");
	l = load_start(&in, uid);
	for (int i = 0; i < kills; i++) {
		pid_t agent = instance_wait_agent(&in, uid);
		int64_t jitter_ns = rand_r(&seed) % 100 * RDY__NS_PER_MS;

		load_progress(l, PROGRESS, now_ns() + lived_ns + jitter_ns);
		need(kill(agent, SIGKILL) == 0, "%s", strerror(errno));
		wait_gone(agent);
	}
	load_progress(l, PROGRESS, 0);
	load_end(l);
	note("agent killed %d times: %u numbers, %u losses, %u restorations", kills, l->total,
		l->losses, l->restorations);
	need_int(l->losses, >=, kills);
	need_int(l->restorations, >=, kills);
	instance_stop(&in);
	load_free(l);
}

START_TEST(killed_under_load)
{
	under_load(KILLS, LIVED_NS);
}
END_TEST

/* Agents that die early make their user wait; then everything goes on. */
START_TEST(killed_again_and_again)
{
	under_load(4, 0);
}
END_TEST

UNIT_MAIN("integration/restart", killed_under_load, killed_again_and_again)
