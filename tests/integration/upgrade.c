/* SPDX-License-Identifier: MIT */
/*
 * Upgrades: readyd is killed, its programs are replaced, it is started again. Live sessions move to agents of
 * the new program; clients see nothing of it. With the same program under another inode, with the version of
 * the channel after this one, and with fresh agents that fail on the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness.h"
#include "load.h"
#include "unit.h"

#define ROUNDS 3
#define PROGRESS 500u

/* Where they are installed: readyd looks for its helpers beside its own folder. */
struct programs {
	char dir[64];
	char readyd[96];
};

static const char *const folders[] = {"supervisor", "agent", "closer", "bouncer"};
static const char *const names[] = {"readyd", "readyd-agent", "readyd-closer", "readyd-bouncer"};

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char fresh[160];
	ssize_t n;

	/* As a package manager does: the file under a running program stays what it is. */
	snprintf(fresh, sizeof(fresh), "%s.new", to);
	out = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	need(in >= 0 && out >= 0, "%s to %s: %s", from, fresh, strerror(errno));
	while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
		;
	need(n == 0, "%s", strerror(errno));
	need(fchmod(out, 0755) == 0 && rename(fresh, to) == 0, "%s", strerror(errno));
	rdy__fd_close(in);
	rdy__fd_close(out);
}

static void install(struct programs *p, const char *readyd, const char *agent)
{
	const char *const from[] = {readyd, agent, READYD_CLOSER, READYD_BOUNCER};
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, folders[i]);
		need(mkdir(path, 0755) == 0 || errno == EEXIST, "%s", strerror(errno));
		snprintf(path, sizeof(path), "%s/%s/%s", p->dir, folders[i], names[i]);
		copy(from[i], path);
	}
}

static void programs_new(struct programs *p)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(p->dir, sizeof(p->dir), "%.40s/readyd-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	need(mkdtemp(p->dir) && chmod(p->dir, 0755) == 0, "%s", strerror(errno));
	snprintf(p->readyd, sizeof(p->readyd), "%s/supervisor/readyd", p->dir);
	install(p, READYD, READYD_AGENT);
	instance_program(p->readyd);
}

static void programs_free(struct programs *p)
{
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", p->dir, folders[i], names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", p->dir, folders[i]);
		rmdir(path);
	}
	need(rmdir(p->dir) == 0, "%s: %s", p->dir, strerror(errno));
	instance_program(NULL);
}

static uid_t some_uid(void)
{
	return harness_is_root() ? UID_INNOCENT : geteuid();
}

static size_t count_said(const struct instance *in, const char *text)
{
	size_t n = 0;

	for (const char *at = instance_log(in); (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void wait_said(const struct instance *in, const char *text, size_t n)
{
	int64_t start = now_ns();

	while (count_said(in, text) < n)
		need(look_again(start), "%s: %zu of %zu: %s", text, count_said(in, text), n,
			instance_log(in));
}

/* It was left to us by the readyd that was killed. */
static void wait_end(pid_t pid)
{
	int64_t start = now_ns();

	while (waitpid(pid, NULL, WNOHANG) != pid && kill(pid, 0) == 0)
		need(look_again(start), "process %d is still there", (int)pid);
}

static void wait_helpers(const struct instance *in, const char *name, size_t n)
{
	int64_t start = now_ns();
	pid_t pids[32];
	size_t is;

	while ((is = instance_helpers(in, name, pids, 32)) != n)
		need(look_again(start), "%zu of readyd-%s, not %zu: %s", is, name, n,
			instance_log(in));
}

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

#define SILENT 200u /* more than a few messages full of descriptors */
#define PINGS 150u  /* more than its socket takes */

struct raw_client {
	const struct instance *in;
	int sock, lazy; /* sessions */
	int armed[2], disarmed[2], edge[2], timer, silent[SILENT][2], pending[4][2];
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
	/* One more session's answer: what was sent before is with the agent, as far as it reads it. */
	raw_ping(c->sock);
	fire(c->pending[2][1]);
	fire(c->pending[1][1]);
	raw_ping(c->sock);
	/* This one has ended when its last event waits. */
	c->pending[3][1] = rdy__fd_close(c->pending[3][1]);
	raw_ping(c->sock);
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
			need_int(n_events, <, 3);
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
	open_lazy(&c);
	proc_say(self, "r", 1);
	proc_hear(self, &go, 1);
	check_lazy(&c);
	check_all(&c);
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
	pid_t before, after;
	char c;
	int n;

	programs_new(&p);
	snprintf(option, sizeof(option), "reactors=%s", reactors);
	instance_start(&in, option, "session.send_buffer=16KiB", NULL);
	proc_start(&client, uid, work, &in);
	proc_hear(&client, &c, 1);
	before = instance_wait_agent(&in, uid);
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
		size_t n;

		load_progress(l, PROGRESS, 0);
		before = instance_wait_agent(&in, uid);
		instance_kill(&in);
		install(&p, READYD, READYD_AGENT);
		instance_again(&in);
		start = now_ns();
		/* A second one is there, or it is over already. */
		while (!victim && count_said(&in, "upgrade=done") <= (size_t)i) {
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

UNIT_MAIN("integration/upgrade", load_goes_on, load_goes_on_in_the_next_version,
	state_survives_in_one_reactor, state_survives_in_two_reactors,
	state_survives_into_the_next_version, fails_before_hello, fails_after_hello,
	fails_after_begin, fails_in_a_session, fails_before_ack, fails_with_nonsense,
	hangs_before_ack, fresh_one_killed, old_one_killed)
