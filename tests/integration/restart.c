/* SPDX-License-Identifier: MIT */
/*
 * kill -9 of an agent under load: clients come back by themselves, and no readiness is lost.
 *
 * A process writes increasing numbers into many channels, the next one into a channel only when the last one
 * was read, so a readiness that got lost would leave that channel silent for good. Another process reads
 * them, when and only when libready's client says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "client.h"
#include "harness.h"
#include "unit.h"

#define CHANNELS 32u
#define KILLS 6
#define PROGRESS 3000u			 /* numbers that an agent serves before it is killed */
#define LIVED_NS (5 * RDY__NS_PER_S / 4) /* an agent that dies sooner counts as broken */

struct shared {
	_Atomic uint32_t written[CHANNELS], read[CHANNELS];
	_Atomic uint32_t total, losses, restorations;
	_Atomic bool stop, stopped;
	int ends[CHANNELS][2]; /* read, write */
	const struct instance *in;
};

/* Even: pipes; odd: sockets. */
static void open_channels(struct shared *s)
{
	for (uint32_t i = 0; i < CHANNELS; i++) {
		int r = i % 2 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
					s->ends[i])
			      : pipe2(s->ends[i], O_CLOEXEC | O_NONBLOCK);

		need(r == 0, "%s", strerror(errno));
	}
}

static void write_numbers(struct proc *self, void *arg)
{
	struct shared *s = arg;
	unsigned int seed = 1;

	while (!s->stop) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < CHANNELS; i++) {
			uint32_t next = s->written[i] + 1;

			if (s->read[i] != s->written[i] || rand_r(&seed) % 4 == 0)
				continue;
			s->written[i] = next;
			need_int(write(s->ends[i][1], &next, sizeof(next)), ==, sizeof(next));
			n++;
		}
		if (n == 0)
			poll(NULL, 0, 1); /* until something was read, or the dice fall otherwise */
	}
	s->stopped = true;
}

static void read_channel(struct shared *s, uint32_t i)
{
	uint32_t number;
	ssize_t n;

	while ((n = read(s->ends[i][0], &number, sizeof(number))) > 0) {
		need_int(n, ==, sizeof(number));
		need_int(number, ==, s->read[i] + 1);
		s->read[i] = number;
		s->total++;
	}
	need(n < 0 && errno == EAGAIN, "%zd %s", n, strerror(errno));
}

static bool all_read(struct shared *s)
{
	if (!s->stopped)
		return false;
	for (uint32_t i = 0; i < CHANNELS; i++)
		if (s->read[i] != s->written[i])
			return false;
	return true;
}

static void take_event(struct shared *s, struct rdy_client *c, const struct rdy_client_event *e)
{
	switch (e->type) {
	case RDY_CLIENT_LOST:
		s->losses++;
		break;
	case RDY_CLIENT_RESTORED:
		s->restorations++;
		break;
	case RDY_CLIENT_REFUSED:
		break;
	case RDY_CLIENT_READY:
		need_int(e->token, <, CHANNELS);
		read_channel(s, (uint32_t)e->token);
		if (e->flags & RDY_CLIENT_DISARMED)
			need_int(rdy_client_rearm(c, e->handle), ==, 0);
		break;
	default:
		need(false, "type %u error %s", e->type, rdy_client_error_name(e->error));
	}
}

static void read_numbers(struct proc *self, void *arg)
{
	struct shared *s = arg;
	struct rdy_client *c = client_open(s->in);
	int64_t progress_ns = now_ns();

	for (uint32_t i = 0; i < CHANNELS; i++) {
		uint64_t handle;

		need_int(rdy_client_register(c, s->ends[i][0], i, RDY_READABLE,
				 i / 2 % 2 ? RDY_EDGE : RDY_ONESHOT, 0, &handle),
			==, 0);
	}
	client_sync(c);
	proc_say(self, NULL, 0);
	while (!all_read(s)) {
		struct rdy_client_event e[16];
		int n = rdy_client_wait(c, e, 16, RDY__NS_PER_S / 5);

		need_int(n, >=, 0);
		for (int i = 0; i < n; i++)
			take_event(s, c, &e[i]);
		if (n > 0)
			progress_ns = now_ns();
		for (uint32_t i = 0; now_ns() - progress_ns > PATIENCE_NS && i < CHANNELS; i++)
			need(s->read[i] == s->written[i],
				"channel %u waits for ever: %u of %u, %u losses, %u restorations",
				i, s->read[i], s->written[i], s->losses, s->restorations);
	}
	rdy_client_free(c);
}

static void wait_progress(struct shared *s, uint32_t n, int64_t until_ns)
{
	uint32_t from = s->total;
	int64_t start = now_ns();

	while (s->total - from < n || now_ns() < until_ns)
		need(look_again(start), "%u of %u numbers: %u losses, %u restorations",
			s->total - from, n, s->losses, s->restorations);
}

static void under_load(int kills, int64_t lived_ns)
{
	uid_t uid = harness_is_root() ? UID_INNOCENT : geteuid();
	struct proc writer, reader;
	unsigned int seed = 7;
	struct instance in;
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	need(s != MAP_FAILED, "%s", strerror(errno));
	instance_start(&in, "quota.default.connects_per_s=1000", NULL);
	instance_expect(&in, "agent=died");
	instance_expect(&in, "child=agent");
	instance_expect(&in, "agent=failing");
	s->in = &in;
	open_channels(s);
	proc_start(&reader, uid, read_numbers, s);
	proc_hear(&reader, NULL, 0);
	proc_start(&writer, uid, write_numbers, s);
	for (int i = 0; i < kills; i++) {
		pid_t agent = instance_wait_agent(&in, uid);
		int64_t jitter_ns = rand_r(&seed) % 100 * RDY__NS_PER_MS;

		wait_progress(s, PROGRESS, now_ns() + lived_ns + jitter_ns);
		need(kill(agent, SIGKILL) == 0, "%s", strerror(errno));
		wait_gone(agent);
	}
	wait_progress(s, PROGRESS, 0);
	s->stop = true;
	proc_end(&writer);
	proc_end(&reader);
	note("agent killed %d times: %u numbers, %u losses, %u restorations", kills, s->total,
		s->losses, s->restorations);
	need_int(s->losses, >=, kills);
	need_int(s->restorations, >=, kills);
	instance_stop(&in);
	for (uint32_t i = 0; i < CHANNELS; i++) {
		rdy__fd_close(s->ends[i][0]);
		rdy__fd_close(s->ends[i][1]);
	}
	munmap(s, sizeof(*s));
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
