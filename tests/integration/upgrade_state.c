/* SPDX-License-Identifier: MIT */
/*
 * What a session is made of survives an upgrade: ids, sequence numbers, cookies, arming, acknowledgements,
 * deadlines, answers and events that wait, in their order; and every descriptor moves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness.h"
#include "programs.h"
#include "unit.h"

#define SILENT 200u /* more than a few messages full of descriptors */
#define PINGS 150u  /* more than its socket takes */
#define ROUND \
	16u /* a reactor takes in so many requests of a session before it looks at its poll again */

struct raw_client {
	const struct instance *in;
	int sock, lazy; /* sessions */
	int armed[2], disarmed[2], edge[2], timer, silent[SILENT][2], pending[4][2];
	int modern; /* a session with LEVEL and deadlines */
	int level[2], acked[2], late[2], soon[2];
	uint64_t level_id, acked_id, late_id, soon_id;
	uint64_t armed_id, disarmed_id, edge_id, timer_id, silent_ids[SILENT], dead_id;
	uint64_t pending_ids[4];
};

static void open_pipe(int p[2])
{
	need(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0, "%s", strerror(errno));
}

static void fire(int fd)
{
	need_int(write(fd, "x", 1), ==, 1);
}

static void drain(int fd)
{
	char c[16];

	need_int(read(fd, c, sizeof(c)), >=, 1);
}

static uint64_t add(int sock, int fd, uint64_t cookie, uint8_t mode)
{
	return raw_register_ok(sock, fd, cookie, WIRE_READABLE, mode, 0);
}

static struct wire_event next_event(int sock)
{
	struct raw_frame f;
	struct wire_event e;

	raw_recv_type(sock, &f, WIRE_EVENTS);
	need_int(f.f.header.count, ==, 1);
	wire_get_event(&f.f, 0, &e);
	return e;
}

static void expect_event(int sock, uint64_t id, uint64_t cookie, uint32_t seq)
{
	struct wire_event e = next_event(sock);

	need_int(e.id, ==, id);
	need_int(e.cookie, ==, cookie);
	need_int(e.seq, ==, seq);
	need(e.ready & WIRE_READABLE, "%#x", e.ready);
}

static void open_all(struct raw_client *c)
{
	c->sock = raw_open(c->in->sock);
	open_pipe(c->armed);
	open_pipe(c->disarmed);
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, c->edge) == 0, "%s",
		strerror(errno));
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	c->armed_id = add(c->sock, c->armed[0], 1, WIRE_ONESHOT);
	c->disarmed_id = add(c->sock, c->disarmed[0], 2, WIRE_ONESHOT);
	c->edge_id = add(c->sock, c->edge[0], 3, WIRE_EDGE);
	c->timer_id = add(c->sock, c->timer, 4, WIRE_ONESHOT);
	for (uint32_t i = 0; i < SILENT; i++) {
		open_pipe(c->silent[i]);
		c->silent_ids[i] =
			add(c->sock, c->silent[i][0], 100 + i, i % 2 ? WIRE_EDGE : WIRE_ONESHOT);
	}
	/* An id that is dead already. */
	c->dead_id = c->silent_ids[SILENT - 1];
	need_int(raw_deregister(c->sock, c->dead_id), ==, WIRE_OK);
	/* Some events have been before. */
	fire(c->disarmed[1]);
	expect_event(c->sock, c->disarmed_id, 2, 1);
	fire(c->edge[1]);
	expect_event(c->sock, c->edge_id, 3, 1);
	drain(c->edge[0]);
	raw_ping(c->sock);
}

static void set_deadline(int sock, uint64_t id, uint64_t at_ns, uint64_t idle_ns)
{
	const struct wire_set_deadline d = {.id = id, .at_ns = at_ns, .idle_ns = idle_ns};
	struct wire_result r;
	struct raw_frame f;
	uint8_t buf[64];

	wire_put_set_deadline(buf, 0, &d);
	need_int(
		raw_send(sock, buf, wire_put_header(buf, WIRE_SET_DEADLINE, 4, 1), NULL, 0), ==, 0);
	raw_recv_type(sock, &f, WIRE_DEADLINE_SET);
	wire_get_result(&f.f, 0, &r);
	need_int(r.error, ==, WIRE_OK);
}

/* LEVEL, acknowledged and not, and deadlines on both sides of the upgrade. */
static void open_modern(struct raw_client *c)
{
	uint8_t buf[128];
	struct raw_frame f;

	c->modern = raw_connect(c->in->sock);
	need_int(raw_send(c->modern, buf,
			 raw_put_hello(
				 buf, RAW_FEATURES | WIRE_FEATURE_LEVEL | WIRE_FEATURE_DEADLINE),
			 NULL, 0),
		==, 0);
	raw_recv_type(c->modern, &f, WIRE_WELCOME);
	open_pipe(c->level);
	open_pipe(c->acked);
	open_pipe(c->late);
	open_pipe(c->soon);
	c->level_id = add(c->modern, c->level[0], 20, WIRE_LEVEL);
	c->acked_id = add(c->modern, c->acked[0], 21, WIRE_LEVEL);
	c->late_id = add(c->modern, c->late[0], 22, WIRE_ONESHOT);
	c->soon_id = add(c->modern, c->soon[0], 23, WIRE_EDGE);
	fire(c->level[1]);
	expect_event(c->modern, c->level_id, 20, 1);
	fire(c->acked[1]);
	expect_event(c->modern, c->acked_id, 21, 1);
	drain(c->acked[0]);
	raw_rearm(c->modern, c->acked_id, 1);
}

/* Two come when they come, before, while or after; the other one not today. */
static void set_deadlines(struct raw_client *c)
{
	set_deadline(c->modern, c->late_id, 3600 * (uint64_t)RDY__NS_PER_S, 0);
	set_deadline(c->modern, c->soon_id, (uint64_t)RDY__NS_PER_S, 2 * (uint64_t)RDY__NS_PER_S);
}

/* Every reactor goes round, one of them that of the lazy session: the others have one each. */
static void rounds(struct raw_client *c)
{
	raw_ping(c->sock);
	raw_ping(c->modern);
}

/* A session that asks and does not read, so that answers and events wait at the agent. */
static void open_lazy(struct raw_client *c)
{
	uint8_t buf[64];

	c->lazy = raw_open(c->in->sock);
	for (uint32_t i = 0; i < 4; i++) {
		open_pipe(c->pending[i]);
		c->pending_ids[i] =
			add(c->lazy, c->pending[i][0], 10 + i, i % 2 ? WIRE_EDGE : WIRE_ONESHOT);
	}
	for (uint32_t i = 0; i < PINGS; i++) {
		wire_put_ping(buf, i);
		need_int(raw_send(c->lazy, buf, wire_put_header(buf, WIRE_PING, 9, 1), NULL, 0), ==,
			0);
	}
	/* Until its answers do not go out any more. */
	for (uint32_t i = 0; i < PINGS / ROUND + 1; i++)
		rounds(c);
	fire(c->pending[2][1]);
	rounds(c);
	fire(c->pending[1][1]);
	/* One of these comes in a round after that of the first: the event is noted. */
	for (uint32_t i = 0; i < ROUND + 1; i++)
		rounds(c);
	/* What is up is reported again by the new agent, to edge as one more event if the first is away by then. */
	drain(c->pending[1][0]);
	/* This one has ended when its last event waits. */
	c->pending[3][1] = rdy__fd_close(c->pending[3][1]);
	rounds(c);
}

static void check_modern(struct raw_client *c)
{
	struct wire_event e;

	fire(c->acked[1]);
	for (int n_timeouts = 0, n_ready = 0; n_timeouts < 2 || n_ready < 1;) {
		e = next_event(c->modern);
		if (e.type == WIRE_EVENT_TIMEOUT) {
			need_int(e.id, ==, c->soon_id);
			need_int(e.ready, ==, n_timeouts ? WIRE_TIMEOUT_IDLE : WIRE_TIMEOUT_AT);
			n_timeouts++;
			continue;
		}
		need_int(e.id, ==, c->acked_id);
		need_int(e.seq, ==, 2);
		n_ready++;
	}
	/* The level is still up: the acknowledgement reports it. */
	raw_rearm(c->modern, c->level_id, 1);
	expect_event(c->modern, c->level_id, 20, 2);
	raw_ping(c->modern);
}

static void check_lazy(struct raw_client *c)
{
	static const uint32_t order[] = {2, 1, 3};
	uint32_t n_pongs = 0, n_events = 0;
	struct raw_frame f;

	while (n_pongs < PINGS || n_events < 3) {
		need_int(raw_recv(c->lazy, &f, PATIENCE_MS), ==, 1);
		if (f.f.header.type == WIRE_PONG) {
			need_int(wire_get_ping(&f.f), ==, n_pongs);
			n_pongs++;
			continue;
		}
		need_int(f.f.header.type, ==, WIRE_EVENTS);
		for (uint32_t i = 0; i < f.f.header.count; i++) {
			struct wire_event e;

			wire_get_event(&f.f, i, &e);
			need(n_events < 3, "one more: of %u, seq %u, ready %#x",
				(unsigned int)e.cookie, e.seq, e.ready);
			need_int(e.id, ==, c->pending_ids[order[n_events]]);
			need_int(e.seq, ==, 1);
			need(!(e.flags & WIRE_EVENT_ENDED) == (order[n_events] != 3), "%#x",
				e.flags);
			n_events++;
		}
	}
	/* The ended one is nobody's any more, the others can be worked with. */
	need_int(raw_deregister(c->lazy, c->pending_ids[3]), ==, WIRE_E_REGISTRATION_UNKNOWN);
	drain(c->pending[2][0]);
	raw_rearm(c->lazy, c->pending_ids[2], 1);
	raw_ping(c->lazy);
	fire(c->pending[2][1]);
	expect_event(c->lazy, c->pending_ids[2], 12, 2);
}

static void check_all(struct raw_client *c)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 1};
	struct raw_frame f;
	uint64_t id;
	int p[2];

	/* Nothing came of the upgrade itself. */
	raw_ping(c->sock);
	fire(c->armed[1]);
	expect_event(c->sock, c->armed_id, 1, 1);
	/* Its data is still there: the rearm reports it. */
	raw_rearm(c->sock, c->disarmed_id, 1);
	expect_event(c->sock, c->disarmed_id, 2, 2);
	/* An old acknowledgement stays old. */
	raw_rearm(c->sock, c->disarmed_id, 1);
	raw_ping(c->sock);
	fire(c->edge[1]);
	expect_event(c->sock, c->edge_id, 3, 2);
	need(timerfd_settime(c->timer, 0, &soon, NULL) == 0, "%s", strerror(errno));
	expect_event(c->sock, c->timer_id, 4, 1);
	/* What is dead stays dead, whatever comes after it. */
	raw_rearm(c->sock, c->dead_id, 0);
	raw_recv_type(c->sock, &f, WIRE_ERROR);
	open_pipe(p);
	id = add(c->sock, p[0], 5000, WIRE_ONESHOT);
	need_int(id, !=, c->dead_id);
	for (uint32_t i = 0; i < SILENT - 1; i++) {
		need_int(id, !=, c->silent_ids[i]);
		fire(c->silent[i][1]);
		expect_event(c->sock, c->silent_ids[i], 100 + i, 1);
		need_int(raw_deregister(c->sock, c->silent_ids[i]), ==, WIRE_OK);
	}
	need_int(raw_deregister(c->sock, c->dead_id), ==, WIRE_E_REGISTRATION_UNKNOWN);
	/* A cookie that is in use is known. */
	need_int(raw_register(c->sock, p[1], 5000, WIRE_WRITABLE, WIRE_ONESHOT, 0).error, ==,
		WIRE_E_COOKIE_DUPLICATE);
	raw_ping(c->sock);
	rdy__fd_close(p[0]);
	rdy__fd_close(p[1]);
}

static void work(struct proc *self, void *arg)
{
	struct raw_client c = {.in = arg};
	char go;

	open_all(&c);
	open_modern(&c);
	open_lazy(&c);
	set_deadlines(&c);
	proc_say(self, "r", 1);
	proc_hear(self, &go, 1);
	check_lazy(&c);
	check_all(&c);
	check_modern(&c);
	proc_say(self, "d", 1);
	proc_hear(self, &go, 1);
	/* The kernel closes what is left. */
}

static void state_survives(const char *readyd, const char *agent, const char *reactors)
{
	uid_t uid = some_uid();
	char option[32];
	struct proc client;
	struct programs p;
	struct instance in;
	struct census census;
	pid_t before, after;
	char c;
	int n;

	programs_new(&p);
	snprintf(option, sizeof(option), "reactors=%s", reactors);
	instance_start(&in, option, "session.send_buffer=16KiB", NULL);
	proc_start(&client, uid, work, &in);
	proc_hear(&client, &c, 1);
	before = instance_wait_agent(&in, uid);
	/* What has ended is closed by now. */
	census_settle(&in, &census);
	n = count_fds(before);
	instance_kill(&in);
	install(&p, readyd, agent);
	instance_again(&in);
	wait_said(&in, "upgrade=done", 1);
	wait_end(before);
	wait_helpers(&in, "agent", 1);
	after = instance_wait_agent(&in, uid);
	need_int(after, !=, before);
	/* Every descriptor has moved, none was left on the way. */
	need_int(count_fds(after), ==, n);
	proc_say(&client, "g", 1);
	proc_hear(&client, &c, 1);
	proc_say(&client, "e", 1);
	proc_end(&client);
	instance_stop(&in);
	programs_free(&p);
}

START_TEST(state_survives_in_one_reactor)
{
	state_survives(READYD, READYD_AGENT, "1");
}
END_TEST

START_TEST(state_survives_in_two_reactors)
{
	state_survives(READYD, READYD_AGENT, "2");
}
END_TEST

START_TEST(state_survives_into_the_next_version)
{
	state_survives(READYD_NEXT, READYD_AGENT_NEXT, "2");
}
END_TEST

UNIT_MAIN("integration/upgrade_state", state_survives_in_one_reactor,
	state_survives_in_two_reactors, state_survives_into_the_next_version)
