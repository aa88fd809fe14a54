/* SPDX-License-Identifier: MIT */
/*
 * kill -9 of the supervisor: its agents serve on, the next one finds them, and no client notices. And what
 * becomes of them when nobody comes, or when they hang.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness.h"
#include "load.h"
#include "unit.h"

#define ROUNDS 6
#define PROGRESS 1000u

static uid_t some_uid(void)
{
	return harness_is_root() ? UID_INNOCENT : geteuid();
}

static size_t count_files(const struct instance *in)
{
	char path[128];
	DIR *d;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/agents", in->runtime);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void wait_helpers(const struct instance *in, const char *name, size_t n)
{
	int64_t start = now_ns();
	pid_t pids[32];
	size_t is;

	while ((is = instance_helpers(in, name, pids, 32)) != n)
		need(look_again(start), "%zu of readyd-%s, not %zu", is, name ? name : "*", n);
}

static void wait_said(const struct instance *in, const char *text)
{
	int64_t start = now_ns();

	while (!instance_said(in, text))
		need(look_again(start), "readyd does not say %s: %s", text, instance_log(in));
}

/* It is there when the agent has seen that its supervisor is gone. */
static void kill_and_wait(struct instance *in)
{
	char *at;
	size_t n = 0, before = 0;
	int64_t start = now_ns();
	pid_t pids[32];
	size_t agents;

	for (at = instance_log(in); (at = strstr(at, "supervisor=gone")); at++)
		before++;
	agents = instance_helpers(in, "agent", pids, 32);
	instance_kill(in);
	do {
		n = 0;
		for (at = instance_log(in); (at = strstr(at, "supervisor=gone")); at++)
			n++;
		need(look_again(start), "%zu of %zu agents: %s", n - before, agents,
			instance_log(in));
	} while (n < before + agents);
}

static void expect_refusal(const struct instance *in, uint32_t error, uint32_t detail)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	int sock = raw_connect(in->sock);

	(void)raw_send(sock, buf, raw_put_hello(buf, RAW_FEATURES), NULL, 0);
	raw_expect_fatal(sock, error, detail);
	rdy__fd_close(sock);
}

/* Two users under load, readyd killed again and again, sometimes twice at once: nobody notices anything. */
START_TEST(killed_under_load)
{
	struct load *l[2] = {NULL, NULL};
	size_t n = harness_is_root() ? 2 : 1;
	const uid_t uids[2] = {some_uid(), UID_ATTACKER};
	unsigned int seed = 11;
	pid_t agents[2];
	struct instance in;

	instance_start(&in, "quota.default.connects_per_s=1000", "adoption.grace=60s", NULL);
	for (size_t i = 0; i < n; i++) {
		l[i] = load_start(&in, uids[i]);
		agents[i] = instance_wait_agent(&in, uids[i]);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < n; i++)
			load_progress(
				l[i], PROGRESS, now_ns() + rand_r(&seed) % 100 * RDY__NS_PER_MS);
		for (int twice = 0; twice <= round % 2; twice++) {
			instance_kill(&in);
			for (size_t i = 0; i < n; i++) /* nobody supervises */
				load_progress(l[i], rand_r(&seed) % 2 ? 0 : PROGRESS, 0);
			instance_again(&in);
		}
		for (size_t i = 0; i < n; i++) {
			int sock;

			load_progress(l[i], PROGRESS, 0);
			need_int(instance_agent(&in, uids[i]), ==, agents[i]);
			/* New ones are served, by the same agents for the same users. */
			sock = raw_open(in.sock);
			raw_ping(sock);
			rdy__fd_close(sock);
		}
		wait_helpers(&in, "bouncer", 1);
	}
	for (size_t i = 0; i < n; i++) {
		load_end(l[i]);
		note("readyd killed %d times: %u numbers, %u losses, longest gap %.1f ms",
			ROUNDS * 3 / 2, l[i]->total, l[i]->losses, (double)l[i]->gap_ns / 1e6);
		need_int(l[i]->losses, ==, 0);
		need_int(l[i]->restorations, ==, 0);
	}
	instance_stop(&in);
	for (size_t i = 0; i < n; i++)
		load_free(l[i]);
}
END_TEST

static void open_one(struct proc *self, void *arg)
{
	const struct instance *in = arg;
	int sock = raw_open(in->sock);

	raw_ping(sock);
	rdy__fd_close(sock);
	(void)self;
}

/* Who was there counts, who leaves does not, and a limit that was lowered ends nobody's session. */
START_TEST(counts)
{
	struct instance in;
	int socks[4];

	instance_start(&in, "quota.default.sessions=3", "quota.default.connects_per_s=1000",
		"adoption.grace=60s", NULL);
	for (int i = 0; i < 3; i++)
		socks[i] = raw_open(in.sock);
	instance_kill(&in);
	instance_again(&in);
	expect_refusal(&in, WIRE_E_QUOTA_SESSIONS, 3);
	for (int i = 0; i < 3; i++)
		raw_ping(socks[i]);
	instance_kill(&in);
	/* One leaves while nobody counts. */
	rdy__fd_close(socks[0]);
	instance_again(&in);
	socks[0] = raw_open(in.sock);
	expect_refusal(&in, WIRE_E_QUOTA_SESSIONS, 3);
	instance_kill(&in);
	instance_again_with(&in,
		(const char *const[]){"quota.default.sessions=1",
			"quota.default.connects_per_s=1000", "limits.sessions=2",
			"adoption.grace=60s"},
		4);
	for (int i = 0; i < 3; i++)
		raw_ping(socks[i]);
	expect_refusal(&in, WIRE_E_QUOTA_SESSIONS, 1);
	/* What is over the quota of one user takes nothing from another one. */
	if (other_users("limits.sessions")) {
		struct proc p;

		proc_start(&p, UID_INNOCENT, open_one, &in);
		proc_end(&p);
	}
	for (int i = 0; i < 3; i++)
		rdy__fd_close(socks[i]);
	/* All have gone: there is room again, as the session's end is told to the new one. */
	for (int64_t start = now_ns();;) {
		uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
		struct raw_frame f;
		int sock = raw_connect(in.sock);

		(void)raw_send(sock, buf, raw_put_hello(buf, RAW_FEATURES), NULL, 0);
		if (raw_recv(sock, &f, PATIENCE_MS) == 1 && f.f.header.type == WIRE_WELCOME) {
			rdy__fd_close(sock);
			break;
		}
		rdy__fd_close(sock);
		need(look_again(start), "sessions are counted for ever");
	}
	instance_stop(&in);
}
END_TEST

/* Nobody comes: the agents tell their clients and end; what they leave is cleaned up by the next one. */
START_TEST(grace_is_over)
{
	struct instance in;
	int sock;

	instance_start(&in, "adoption.grace=200ms", NULL);
	sock = raw_open(in.sock);
	need_int(count_files(&in), ==, 1);
	instance_kill(&in);
	raw_expect_fatal(sock, WIRE_E_SHUTTING_DOWN, RAW_ANY);
	rdy__fd_close(sock);
	for (int64_t start = now_ns();;) {
		pid_t pids[32];
		size_t n = instance_helpers(&in, NULL, pids, 32);

		for (size_t i = 0; i < n; i++)
			waitpid(pids[i], NULL, WNOHANG);
		if (n == 0)
			break;
		need(look_again(start), "%zu processes are left", n);
	}
	need_int(count_files(&in), ==, 1);
	instance_again(&in);
	need_int(count_files(&in), ==, 0);
	need(!instance_said(&in, "agent=adopted"), "%s", instance_log(&in));
	sock = raw_open(in.sock);
	raw_ping(sock);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* Without grace an agent ends with its supervisor, its closer with it, and the bouncer. */
START_TEST(no_grace)
{
	struct instance in;
	int sock;

	instance_start(&in, "adoption.grace=off", NULL);
	sock = raw_open(in.sock);
	need_int(count_files(&in), ==, 0);
	instance_kill(&in);
	raw_expect_fatal(sock, WIRE_E_SHUTTING_DOWN, RAW_ANY);
	rdy__fd_close(sock);
	for (int64_t start = now_ns();;) {
		pid_t pids[32];
		size_t n = instance_helpers(&in, NULL, pids, 32);

		for (size_t i = 0; i < n; i++)
			waitpid(pids[i], NULL, WNOHANG);
		if (n == 0)
			break;
		need(look_again(start), "%zu processes are left", n);
	}
	instance_again(&in);
	sock = raw_open(in.sock);
	raw_ping(sock);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* Stopped while nobody looks: it does not answer the next one, is killed, and its user gets a fresh one. */
START_TEST(wedged_meanwhile)
{
	uid_t uid = geteuid();
	struct instance in;
	int64_t start;
	pid_t agent;
	int sock;

	instance_start(&in, "adoption.grace=60s", NULL);
	instance_expect(&in, "agent=wedged");
	sock = raw_open(in.sock);
	agent = instance_wait_agent(&in, uid);
	kill_and_wait(&in);
	need(kill(agent, SIGSTOP) == 0, "%s", strerror(errno));
	start = now_ns();
	instance_again(&in);
	note("with a silent agent it serves after %.0f ms", (double)(now_ns() - start) / 1e6);
	need(instance_said(&in, "agent=wedged"), "%s", instance_log(&in));
	raw_expect_end(sock);
	rdy__fd_close(sock);
	/* Reaped by this process, whose child it has become. */
	waitpid(agent, NULL, 0);
	need_int(count_files(&in), ==, 0);
	sock = raw_open(in.sock);
	raw_ping(sock);
	need(instance_wait_agent(&in, uid) != agent, "the same one");
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* Adopted ones are watched as those of its own are. */
START_TEST(what_becomes_of_adopted_ones)
{
	uid_t uid = geteuid();
	struct instance in;
	pid_t agent, closers[2];
	int sock, other;

	instance_start(&in, "adoption.grace=60s", "agent.idle_exit=200ms",
		"quota.default.connects_per_s=1000", NULL);
	instance_expect(&in, "agent=died");
	instance_expect(&in, "agent=wedged");
	instance_expect(&in, "child=agent");
	instance_expect(&in, "child=closer");
	instance_expect(&in, "closer=");
	/* Killed. */
	sock = raw_open(in.sock);
	agent = instance_wait_agent(&in, uid);
	instance_kill(&in);
	instance_again(&in);
	need(kill(agent, SIGKILL) == 0, "%s", strerror(errno));
	/* Its client hears of it from the kernel, perhaps before readyd does. */
	raw_expect_end(sock);
	rdy__fd_close(sock);
	wait_said(&in, "agent=died");
	sock = raw_open(in.sock);
	waitpid(agent, NULL, 0);
	/* Wedged later: a session that it does not take tells. */
	agent = instance_wait_agent(&in, uid);
	instance_kill(&in);
	instance_again(&in);
	need(kill(agent, SIGSTOP) == 0, "%s", strerror(errno));
	other = raw_connect(in.sock);
	raw_expect_end(sock);
	raw_expect_end(other);
	rdy__fd_close(sock);
	rdy__fd_close(other);
	waitpid(agent, NULL, 0);
	/* Its closer dies. */
	sock = raw_open(in.sock);
	agent = instance_wait_agent(&in, uid);
	wait_helpers(&in, "closer", 1);
	need_int(instance_helpers(&in, "closer", closers, 2), ==, 1);
	instance_kill(&in);
	instance_again(&in);
	need(kill(closers[0], SIGKILL) == 0, "%s", strerror(errno));
	wait_said(&in, "closer=died");
	raw_ping(sock);
	need_int(instance_agent(&in, uid), ==, agent);
	waitpid(closers[0], NULL, 0);
	wait_helpers(&in, "closer", 1);
	/* And the one after that knows the closer that is there now. */
	instance_kill(&in);
	instance_again(&in);
	raw_ping(sock);
	wait_helpers(&in, "closer", 1);
	/* Idle: it asks for the end. */
	rdy__fd_close(sock);
	for (int64_t start = now_ns(); count_files(&in);)
		need(look_again(start), "it does not end");
	for (int64_t start = now_ns(); kill(agent, 0) == 0; waitpid(agent, NULL, WNOHANG))
		need(look_again(start), "it does not end");
	instance_stop(&in);
}
END_TEST

/* A descriptor that is given up is closed: the agent has a closer that works. */
static void expect_closing(int sock, uint64_t cookie)
{
	int p[2];
	struct pollfd end;

	need_int(pipe2(p, O_CLOEXEC), ==, 0);
	raw_deregister(sock, raw_register_ok(sock, p[0], cookie, WIRE_READABLE, WIRE_EDGE, 0));
	rdy__fd_close(p[0]);
	end = (struct pollfd){.fd = p[1]};
	need_int(poll(&end, 1, PATIENCE_MS), ==, 1);
	rdy__fd_close(p[1]);
}

/* Whose closer hangs: it is the fresh readyd that kills it, be it the first one, or one that came later. */
START_TEST(closers_of_adopted_ones)
{
	struct instance in;
	int sock;

	instance_start(&in, "adoption.grace=60s", NULL);
	instance_expect(&in, "closer=stuck");
	instance_expect(&in, "child=closer");
	sock = raw_open(in.sock);
	for (int i = 0; i < 2; i++) {
		int fd = eventfd(0, EFD_CLOEXEC);
		pid_t closers[2];

		instance_kill(&in);
		instance_again(&in);
		need_int(instance_helpers(&in, "closer", closers, 2), ==, 1);
		need(kill(closers[0], SIGSTOP) == 0, "%s", strerror(errno));
		raw_deregister(sock, raw_register_ok(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0));
		rdy__fd_close(fd);
		for (int64_t start = now_ns(); kill(closers[0], 0) == 0;
			waitpid(closers[0], NULL, WNOHANG))
			need(look_again(start), "closer %d stays", (int)closers[0]);
		expect_closing(sock, 2);
	}
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

struct opener {
	const struct instance *in;
	_Atomic bool stop;
	_Atomic uint32_t opened, lost;
};

/* One connection after the other, wherever readyd is: each is served, or ends. */
static void open_again_and_again(struct proc *self, void *arg)
{
	struct opener *o = arg;
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	const size_t n_bytes = raw_put_hello(buf, RAW_FEATURES);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, o->in->sock);
	while (!o->stop) {
		int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r = 0;
		struct raw_frame f;

		if (connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0 &&
			raw_send(sock, buf, n_bytes, NULL, 0) == 0)
			r = raw_recv(sock, &f, PATIENCE_MS);
		need(r != -ETIMEDOUT, "neither served nor ended");
		if (r == 1 && f.f.header.type == WIRE_WELCOME)
			o->opened++;
		else
			o->lost++;
		rdy__fd_close(sock);
	}
	(void)self;
}

/* Sessions in any state of being handed over when readyd dies. */
START_TEST(handed_over)
{
	enum { OPENERS = 4, SESSIONS = 8 };
	struct opener *o =
		mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct proc p[OPENERS];
	struct instance in;
	unsigned int seed = 5;
	int socks[SESSIONS];

	need(o != MAP_FAILED, "%s", strerror(errno));
	instance_start(&in, "adoption.grace=60s", "quota.default.connects_per_s=100000",
		"quota.default.sessions=8", NULL);
	o->in = &in;
	for (int i = 0; i < OPENERS; i++)
		proc_start(&p[i], geteuid(), open_again_and_again, o);
	for (int i = 0; i < 10; i++) {
		uint32_t from = o->opened;
		int64_t start = now_ns();

		while (o->opened < from + 20 + (uint32_t)(rand_r(&seed) % 20))
			need(look_again(start), "%u opened, %u lost: %s", o->opened, o->lost,
				instance_log(&in));
		instance_kill(&in);
		instance_again(&in);
	}
	o->stop = true;
	for (int i = 0; i < OPENERS; i++)
		proc_end(&p[i]);
	note("%u sessions opened, %u connections lost", o->opened, o->lost);
	/* None of them is counted any more: all that the user may have can be had. */
	for (int64_t start = now_ns();;) {
		int n = 0;

		for (; n < SESSIONS; n++) {
			uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
			struct raw_frame f;

			socks[n] = raw_connect(in.sock);
			(void)raw_send(socks[n], buf, raw_put_hello(buf, RAW_FEATURES), NULL, 0);
			if (raw_recv(socks[n], &f, PATIENCE_MS) != 1 ||
				f.f.header.type != WIRE_WELCOME)
				break;
		}
		for (int i = 0; i <= n && i < SESSIONS; i++)
			rdy__fd_close(socks[i]);
		if (n == SESSIONS)
			break;
		need(look_again(start), "%d sessions, not %d", n, SESSIONS);
	}
	instance_stop(&in);
	munmap(o, sizeof(*o));
}
END_TEST

/* A second readyd has no business with the agents of the first. */
START_TEST(a_second_one)
{
	struct instance in;
	int sock, status;
	pid_t pid;

	instance_start(&in, "adoption.grace=60s", NULL);
	sock = raw_open(in.sock);
	pid = fork();
	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		rdy__fd_close(STDERR_FILENO);
		execl(READYD, READYD, "--config=none", "--runtime-dir", in.runtime, "-ouser=daemon",
			harness_is_root() ? NULL : "--user", NULL);
		_exit(121);
	}
	need_int(waitpid(pid, &status, 0), ==, pid);
	need(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %#x", (unsigned int)status);
	raw_ping(sock);
	need_int(count_files(&in), ==, 1);
	rdy__fd_close(sock);
	sock = raw_open(in.sock);
	raw_ping(sock);
	rdy__fd_close(sock);
	instance_stop(&in);
}
END_TEST

/* SIGINT and SIGTERM are a stop, not a crash: agents end, adopted ones, too. */
START_TEST(stopped)
{
	struct instance in;
	int sock;

	for (int i = 0; i < 2; i++) {
		instance_start(&in, "adoption.grace=60s", NULL);
		sock = raw_open(in.sock);
		if (i) {
			instance_kill(&in);
			instance_again(&in);
		}
		need(kill(in.pid, i ? SIGTERM : SIGINT) == 0, "%s", strerror(errno));
		raw_expect_fatal(sock, WIRE_E_SHUTTING_DOWN, RAW_ANY);
		rdy__fd_close(sock);
		instance_gone(&in);
	}
}
END_TEST

UNIT_MAIN("integration/adopt", killed_under_load, counts, grace_is_over, no_grace, wedged_meanwhile,
	what_becomes_of_adopted_ones, closers_of_adopted_ones, handed_over, a_second_one, stopped)
