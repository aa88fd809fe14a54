/* SPDX-License-Identifier: MIT */
/*
 * Level and deadlines with libready's client, from a program's side: what was not read comes again, what is
 * acknowledged is silent, deadlines come in time, and all of that over the death of an agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"
#include "ready/timer.h"
#include "unit.h"

#define MANY 1000u
#define DEPTH 3u /* each of the many is ready for so many reads */

static uint64_t watch(struct rdy_client *c, int fd, uint64_t token, uint32_t mode)
{
	uint64_t handle = 0;

	need_int(rdy_client_register(c, fd, token, RDY_READABLE, mode, 0, &handle), ==, 0);
	return handle;
}

static int event_fd(unsigned int value, int flags)
{
	int fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK | flags);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

/* The client's descriptor says that there is something to do. */
static void wait_for_work(struct rdy_client *c)
{
	struct pollfd p = {.fd = rdy_client_fd(c), .events = POLLIN};

	need_int(poll(&p, 1, PATIENCE_MS), ==, 1);
}

static bool has_work(struct rdy_client *c)
{
	struct pollfd p = {.fd = rdy_client_fd(c), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Who reads a part is told again, once for each, and never after the last. */
START_TEST(a_part_at_a_time)
{
	enum { BYTES = 7 };
	struct rdy_client_event e;
	struct rdy_client *c;
	struct instance in;
	int ends[2];
	char byte;

	instance_start(&in, NULL);
	c = client_open(&in);
	need_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
	need_int(write(ends[1], "1234567", BYTES), ==, BYTES);
	watch(c, ends[0], 5, RDY_LEVEL);
	for (int i = 0; i < BYTES; i++) {
		client_event(c, &e);
		need_int(e.type, ==, RDY_CLIENT_READY);
		need_int(e.token, ==, 5);
		need_int(e.flags, ==, 0);
		need_int(read(ends[0], &byte, 1), ==, 1);
	}
	client_no_event(c);
	need(!has_work(c), "readable, and nothing is owed");
	/* Not taken, not acknowledged: however often the library runs, it is one event. */
	need_int(write(ends[1], "12", 2), ==, 2);
	wait_for_work(c);
	client_sync(c);
	client_sync(c);
	need_int(rdy_client_dispatch(c), ==, 1);
	need_int(rdy_client_next(c, &e), ==, 1);
	need(has_work(c), "an acknowledgement is owed");
	/* Nothing was read, so it comes again. */
	client_event(c, &e);
	need_int(read(ends[0], &byte, 1), ==, 1);
	need_int(read(ends[0], &byte, 1), ==, 1);
	client_no_event(c);
	rdy_client_free(c);
	close(ends[0]);
	close(ends[1]);
	instance_stop(&in);
}
END_TEST

/* A hangup ends a level, too, and its last event comes although the one before is not acknowledged. */
START_TEST(the_end_of_a_level)
{
	struct rdy_client_event e;
	struct rdy_client *c;
	struct instance in;
	int ends[2];

	instance_start(&in, NULL);
	c = client_open(&in);
	need_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
	need_int(write(ends[1], "x", 1), ==, 1);
	watch(c, ends[0], 5, RDY_LEVEL);
	client_sync(c);
	wait_for_work(c);
	need_int(rdy_client_dispatch(c), ==, 1);
	need_int(rdy_client_next(c, &e), ==, 1);
	close(ends[1]);
	client_event(c, &e);
	while (!(e.flags & RDY_CLIENT_ENDED))
		client_event(c, &e);
	need_int(e.ready & RDY_READ_CLOSED, !=, 0);
	client_no_event(c);
	need(!has_work(c), "readable, and nothing is owed");
	rdy_client_free(c);
	close(ends[0]);
	instance_stop(&in);
}
END_TEST

struct many {
	struct rdy_client *client;
	int fds[MANY];
	uint32_t reads[MANY], n_events, n_left;
	uint32_t losses, restorations;
};

static void many_open(struct many *m, const struct instance *in)
{
	*m = (struct many){.client = client_open(in), .n_left = MANY};
	for (uint32_t i = 0; i < MANY; i++) {
		m->fds[i] = event_fd(DEPTH, EFD_SEMAPHORE);
		watch(m->client, m->fds[i], i, RDY_LEVEL);
	}
}

static void many_close(struct many *m)
{
	rdy_client_free(m->client);
	for (uint32_t i = 0; i < MANY; i++)
		close(m->fds[i]);
}

/*
 * As an outer loop does it: one read for each event. Until n more events and so many restorations, or nothing is
 * left to be read.
 */
static void many_run(struct many *m, uint32_t n, uint32_t restorations)
{
	struct rdy_client_event e;
	eventfd_t value;

	while (m->n_left && (n || m->restorations < restorations)) {
		wait_for_work(m->client);
		need_int(rdy_client_dispatch(m->client), >=, 0);
		while (rdy_client_next(m->client, &e) == 1) {
			m->losses += e.type == RDY_CLIENT_LOST;
			m->restorations += e.type == RDY_CLIENT_RESTORED;
			if (!e.handle)
				continue;
			need_int(e.type, ==, RDY_CLIENT_READY);
			m->n_events++;
			n -= n != 0;
			/* Told twice, over a reconnect: there may be nothing any more. */
			if (eventfd_read(m->fds[e.token], &value) == 0 &&
				++m->reads[e.token] == DEPTH)
				m->n_left--;
		}
	}
}

/* The limit of descriptors is often 1024. */
static bool room_for_many(void)
{
	struct rlimit l;

	need_int(getrlimit(RLIMIT_NOFILE, &l), ==, 0);
	if (l.rlim_cur >= 2 * MANY)
		return true;
	l.rlim_cur = 2 * MANY;
	return l.rlim_cur <= l.rlim_max && setrlimit(RLIMIT_NOFILE, &l) == 0;
}

START_TEST(a_thousand)
{
	static struct many m;
	struct instance in;

	if (!room_for_many())
		unit_skip("not enough descriptors");
	instance_start(&in, "quota.default.registrations=4096", NULL);
	many_open(&m, &in);
	many_run(&m, UINT32_MAX, 0);
	/* As many as there was to read: none was lost, and none came for nothing. */
	need_int(m.n_events, ==, MANY * DEPTH);
	client_no_event(m.client);
	need(!has_work(m.client), "readable, and nothing is owed");
	many_close(&m);
	instance_stop(&in);
}
END_TEST

static void kill_agent(struct instance *in)
{
	pid_t agent = instance_wait_agent(in, geteuid());

	need(kill(agent, SIGKILL) == 0, "%s", strerror(errno));
	wait_gone(agent);
}

/* Acknowledgements die with the agent that they are for; what was not read is there all the same. */
START_TEST(a_thousand_over_a_kill)
{
	static struct many m;
	struct instance in;

	if (!room_for_many())
		unit_skip("not enough descriptors");
	instance_start(&in, "quota.default.registrations=4096", NULL);
	instance_expect(&in, "agent=died");
	instance_expect(&in, "child=agent");
	instance_expect(&in, "agent=failing");
	many_open(&m, &in);
	for (uint32_t i = 0; i < 2; i++) {
		many_run(&m, MANY / 2, i);
		kill_agent(&in);
	}
	many_run(&m, UINT32_MAX, 2);
	need_int(m.n_left, ==, 0);
	need_int(m.losses, ==, 2);
	need_int(m.restorations, ==, 2);
	client_no_event(m.client);
	many_close(&m);
	instance_stop(&in);
}
END_TEST

static void expect_timeout(
	struct rdy_client *c, uint64_t token, uint32_t flags, int64_t not_before_ns)
{
	struct rdy_client_event e;

	client_event(c, &e);
	need(e.type == RDY_CLIENT_TIMEOUT, "type %u of %llu, %s", e.type,
		(unsigned long long)e.token, rdy_client_error_name(e.error));
	need_int(e.token, ==, token);
	need_int(e.flags, ==, flags);
	need_int(e.ready, ==, 0);
	need_int(rdy_now_ns(), >=, not_before_ns);
}

START_TEST(deadlines)
{
	const int64_t idle_ns = 30 * RDY__NS_PER_MS;
	int64_t start_ns = rdy_now_ns(), at_ns;
	struct rdy_client_event e;
	struct rdy_client *c;
	struct instance in;
	uint64_t bell, clock;
	int fds[2];

	instance_start(&in, NULL);
	c = client_open(&in);
	for (int i = 0; i < 2; i++)
		fds[i] = event_fd(0, 0);
	bell = watch(c, fds[0], 0, RDY_EDGE);
	clock = watch(c, fds[1], 1, RDY_ONESHOT);
	/* Set before the registration is there; and idle is told once. */
	at_ns = rdy_now_ns() + 10 * idle_ns;
	need_int(rdy_client_set_deadline(c, bell, 0, idle_ns), ==, 0);
	need_int(rdy_client_set_deadline(c, clock, at_ns, 0), ==, 0);
	expect_timeout(c, 0, RDY_CLIENT_IDLE, start_ns + idle_ns);
	expect_timeout(c, 1, RDY_CLIENT_AT, at_ns);
	/* Readiness starts it again. */
	start_ns = rdy_now_ns();
	need(eventfd_write(fds[0], 1) == 0, "%s", strerror(errno));
	client_event(c, &e);
	need_int(e.type, ==, RDY_CLIENT_READY);
	expect_timeout(c, 0, RDY_CLIENT_IDLE, start_ns + idle_ns);
	/* So does a level that is acknowledged, and not while it is not. */
	need_int(rdy_client_modify(c, bell, RDY_READABLE, RDY_LEVEL), ==, 0);
	client_event(c, &e);
	need_int(e.type, ==, RDY_CLIENT_READY);
	start_ns = rdy_now_ns();
	need(eventfd_read(fds[0], &(eventfd_t){0}) == 0, "%s", strerror(errno));
	expect_timeout(c, 0, RDY_CLIENT_IDLE, start_ns + idle_ns);
	/* In the past: at once. Taken back: never. */
	need_int(rdy_client_set_deadline(c, clock, 1, 0), ==, 0);
	expect_timeout(c, 1, RDY_CLIENT_AT, 0);
	need_int(rdy_client_set_deadline(c, clock, rdy_now_ns() + 2 * idle_ns, 0), ==, 0);
	client_sync(c);
	need_int(rdy_client_set_deadline(c, clock, 0, 0), ==, 0);
	need_int(rdy_client_set_deadline(c, bell, rdy_now_ns() + 6 * idle_ns, 0), ==, 0);
	expect_timeout(c, 0, RDY_CLIENT_AT, 0);
	/* They end with the registration. */
	need_int(rdy_client_set_deadline(c, clock, 1, 1), ==, 0);
	need_int(rdy_client_deregister(c, clock), ==, 0);
	need_int(rdy_client_set_deadline(c, bell, rdy_now_ns() + idle_ns, 0), ==, 0);
	expect_timeout(c, 0, RDY_CLIENT_AT, 0);
	client_no_event(c);
	rdy_client_free(c);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	instance_stop(&in);
}
END_TEST

/* The next event that is a registration's; how often the connection was lost before it. */
static uint32_t next_of_registration(struct rdy_client *c, struct rdy_client_event *ret)
{
	uint32_t losses = 0;

	for (;;) {
		client_event(c, ret);
		if (ret->handle)
			return losses;
		losses += ret->type == RDY_CLIENT_LOST;
	}
}

/*
 * An agent is killed when half of the time is over: the next one gets the other half. Were it the whole,
 * the events would come after half as long again.
 */
START_TEST(deadlines_over_a_kill)
{
	const int64_t whole_ns = 4 * RDY__NS_PER_S;
	struct rdy_client_event e;
	struct rdy_client *c;
	struct instance in;
	int64_t start_ns, end_ns;
	uint64_t handles[3];
	uint32_t seen = 0;
	int fds[3];

	instance_start(&in, NULL);
	instance_expect(&in, "agent=died");
	instance_expect(&in, "child=agent");
	c = client_open(&in);
	for (uint64_t i = 0; i < 3; i++) {
		fds[i] = event_fd(0, 0);
		handles[i] = watch(c, fds[i], i, i ? RDY_LEVEL : RDY_ONESHOT);
	}
	client_sync(c);
	start_ns = rdy_now_ns();
	end_ns = start_ns + whole_ns;
	need_int(rdy_client_set_deadline(c, handles[0], end_ns, 0), ==, 0);
	need_int(rdy_client_set_deadline(c, handles[1], 0, whole_ns), ==, 0);
	need_int(rdy_client_set_deadline(c, handles[2], start_ns + whole_ns / 2, 0), ==, 0);
	expect_timeout(c, 2, RDY_CLIENT_AT, start_ns + whole_ns / 2);
	kill_agent(&in);
	need_int(next_of_registration(c, &e), ==, 1);
	for (int i = 0; i < 2; i++) {
		int64_t now;

		if (i)
			client_event(c, &e);
		now = rdy_now_ns();
		need_int(e.type, ==, RDY_CLIENT_TIMEOUT);
		need_int(e.token, <, 2);
		need_int(e.flags, ==, e.token ? RDY_CLIENT_IDLE : RDY_CLIENT_AT);
		seen |= 1u << e.token;
		need_int(now, >=, end_ns);
		need_int(now, <, end_ns + whole_ns / 2);
	}
	need_int(seen, ==, 3);
	client_no_event(c);
	rdy_client_free(c);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	instance_stop(&in);
}
END_TEST

/* Who floods is told so, and what he is told afterwards is what there is. */
START_TEST(a_flood_is_paused)
{
	struct rdy_client_event e = {0};
	struct rdy_client *c;
	struct instance in;
	int fd;

	instance_start(&in, "delivery.flood_burst=20", "delivery.flood_rate=10/s", NULL);
	c = client_open(&in);
	fd = event_fd(1, 0);
	watch(c, fd, 0, RDY_EDGE);
	for (int i = 0; i < 1000 && !(e.flags & RDY_CLIENT_PAUSED); i++) {
		client_event(c, &e);
		need_int(e.type, ==, RDY_CLIENT_READY);
		if (!(e.flags & RDY_CLIENT_PAUSED))
			need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
	}
	need_int(e.flags, ==, RDY_CLIENT_PAUSED);
	/* What comes during the pause is told after it. */
	need(eventfd_write(fd, 1) == 0, "%s", strerror(errno));
	client_event(c, &e);
	need_int(e.type, ==, RDY_CLIENT_READY);
	need_int(e.ready, ==, RDY_READABLE);
	rdy_client_free(c);
	close(fd);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/level", a_part_at_a_time, the_end_of_a_level, a_thousand,
	a_thousand_over_a_kill, deadlines, deadlines_over_a_kill, a_flood_is_paused)
