/* SPDX-License-Identifier: MIT */
/*
 * Wakeups of an idle daemon: all its processes, 10 s, 100 sessions of 3 uids (of one, where we are not
 * root) with 100 registrations each.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <ready/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SESSIONS 100
#define REGISTRATIONS 100
#define UIDS 3
#define SECONDS 10

static const uid_t uids[UIDS] = {65534, 2, 3};

/* One client process of one uid with its share of the sessions; says 'r' when all stand. */
static _Noreturn void client_process(const char *socket, uid_t uid, size_t sessions, int report)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = socket, .name = "idle"};
	uint64_t handle;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (geteuid() == 0 && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		_exit(1);
	for (size_t s = 0; s < sessions; s++) {
		struct rdy_client *c;
		int r = rdy_client_new(&o, -1, NULL, &c);

		if (r < 0)
			bench_die("idle: session %zu: %s", s, strerror(-r));
		for (size_t i = 0; i < REGISTRATIONS; i++)
			rdy_client_register(c, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), i,
				RDY_READABLE, RDY_ONESHOT, 0, &handle);
		if (rdy_client_sync(c, -1) < 0 || rdy_client_dispatch(c) != 0)
			bench_die("idle: a registration was refused");
	}
	if (write(report, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static long all_wakeups(const struct bench_daemon *d)
{
	static const char *const comms[] = {"readyd-agent", "readyd-closer", "readyd-bouncer"};
	long sum = bench_wakeups(d->supervisor);
	pid_t pids[16];

	for (size_t i = 0; i < sizeof(comms) / sizeof(comms[0]); i++) {
		size_t n = bench_daemon_pids(d, comms[i], pids, 16);

		while (n--)
			sum += bench_wakeups(pids[n]);
	}
	return sum;
}

void bench_idle(void)
{
	static const char *const options[] = {"quota.default.registrations=12000",
		"quota.per_session=100%", "quota.default.sessions=128",
		"quota.default.connects_per_s=1000", "agent.idle_exit=1h", NULL};
	struct bench_daemon d;
	pid_t clients[UIDS];
	int report[2];
	long before;
	char byte;

	bench_raise_nofile();
	bench_daemon_start(&d, options);
	if (pipe(report))
		bench_die("idle: pipe: %s", strerror(errno));
	for (size_t i = 0; i < UIDS; i++) {
		clients[i] = fork();
		if (clients[i] == 0)
			client_process(d.socket, uids[i], SESSIONS / UIDS + (i < SESSIONS % UIDS),
				report[1]);
	}
	close(report[1]);
	for (size_t i = 0; i < UIDS; i++)
		if (read(report[0], &byte, 1) != 1)
			bench_die("idle: a client ended early");
	/* What the registering itself still causes (acknowledgements) passes; then nothing may move. */
	poll(NULL, 0, 1000);
	before = all_wakeups(&d);
	poll(NULL, 0, SECONDS * 1000);
	bench_print(&(struct bench_figure){"idle",
		geteuid() == 0 ? "wakeups in 10 s, 100 sessions, 3 uids"
			       : "wakeups in 10 s, 100 sessions, 1 uid",
		"count", NULL, (double)(all_wakeups(&d) - before), NAN, NAN, 0.0});
	for (size_t i = 0; i < UIDS; i++) {
		kill(clients[i], SIGKILL);
		waitpid(clients[i], NULL, 0);
	}
	close(report[0]);
	bench_daemon_stop(&d);
}
