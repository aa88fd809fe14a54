/* SPDX-License-Identifier: MIT */
/*
 * User memory per registration in the agent, counted over 15 000; and the private memory of each of the
 * daemon's processes while idle.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REGISTRATIONS 15000
#define BUDGET_BYTES 96.0

static pid_t pid_of(const struct bench_daemon *d, const char *comm)
{
	pid_t pid;

	if (bench_daemon_pids(d, comm, &pid, 1) != 1)
		bench_die("memory: no process %s", comm);
	return pid;
}

static void report_idle(const struct bench_daemon *d)
{
	static const char *const comms[] = {"readyd-agent", "readyd-closer", "readyd-bouncer"};
	char figure[64];

	bench_print(&(struct bench_figure){"memory", "private memory, supervisor, idle", "KiB",
		NULL, (double)bench_private_bytes(d->supervisor) / 1024, NAN, NAN, NAN});
	for (size_t i = 0; i < sizeof(comms) / sizeof(comms[0]); i++) {
		snprintf(figure, sizeof(figure), "private memory, %s, idle",
			comms[i] + strlen("readyd-"));
		bench_print(&(struct bench_figure){"memory", figure, "KiB", NULL,
			(double)bench_private_bytes(pid_of(d, comms[i])) / 1024, NAN, NAN, NAN});
	}
}

void bench_memory(void)
{
	static const char *const options[] = {
		"quota.default.registrations=16000", "quota.per_session=100%", NULL};
	static int fds[REGISTRATIONS];
	struct rdy_client_options o = {.size = sizeof(o), .name = "bench"};
	struct bench_daemon d;
	struct rdy_client *c;
	uint64_t handle;
	long before, after;
	double each;
	int r;

	if (bench_raise_nofile() < REGISTRATIONS + 1000) {
		fprintf(stderr,
			"bench: memory: skipped: the hard limit of descriptors is below %d\n",
			REGISTRATIONS + 1000);
		return;
	}
	bench_daemon_start(&d, options);
	o.path = d.socket;
	r = rdy_client_new(&o, -1, NULL, &c);
	if (r < 0)
		bench_die("memory: connect: %s", strerror(-r));
	report_idle(&d);
	before = bench_private_bytes(pid_of(&d, "readyd-agent"));
	if (before < 0) {
		fprintf(stderr,
			"bench: memory: skipped: the agent's memory can be read by root only\n");
	} else {
		for (size_t i = 0; i < REGISTRATIONS; i++) {
			fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
			r = rdy_client_register(c, fds[i], i, RDY_READABLE, RDY_EDGE, 0, &handle);
			if (fds[i] < 0 || r < 0)
				bench_die("memory: registration %zu: %s", i,
					strerror(fds[i] < 0 ? errno : -r));
		}
		if (rdy_client_sync(c, -1) < 0 || rdy_client_dispatch(c) != 0)
			bench_die("memory: a registration was refused");
		after = bench_private_bytes(pid_of(&d, "readyd-agent"));
		each = (double)(after - before) / REGISTRATIONS;
		bench_print(&(struct bench_figure){"memory", "user memory per registration", "B",
			"budget", each, BUDGET_BYTES, each / BUDGET_BYTES, 1.0});
		for (size_t i = 0; i < REGISTRATIONS; i++)
			close(fds[i]);
	}
	rdy_client_free(c);
	bench_daemon_stop(&d);
}
