/* SPDX-License-Identifier: MIT */
/*
 * A restart of readyd under 1000 sessions: it is killed and started again in the same place, while every session
 * gets an event in turn. The longest time between a write and its event, and how many events were lost.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <ready/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define SESSIONS 1000
#define ROUNDS 7
#define BEFORE 2000 /* events before the kill, and behind the new start */
#define EACH_MAX 100000

static double worst(struct probe *p, size_t *next, size_t n)
{
	double most = 0;

	while (n--) {
		double one = probe_once(&p[(*next)++ % SESSIONS]);

		most = one > most ? one : most;
	}
	return most;
}

/* Returns the longest gap while nobody supervises and while the next one starts. */
static double restart(struct bench_daemon *d, struct probe *p, size_t *next)
{
	double most = 0;
	pid_t starter;
	int status;

	kill(d->supervisor, SIGKILL);
	waitpid(d->supervisor, &status, 0);
	/* The start waits for READY in a process of its own: meanwhile events go on here. */
	starter = bench_daemon_again(d);
	for (size_t i = 0; i < EACH_MAX && waitpid(starter, &status, WNOHANG) == 0; i++) {
		double one = probe_once(&p[(*next)++ % SESSIONS]);

		most = one > most ? one : most;
	}
	bench_daemon_is_back(d);
	return most;
}

void bench_restart(void)
{
	static const char *const options[] = {"quota.default.sessions=1100", "limits.sessions=1100",
		"quota.default.connects_per_s=100000", NULL};
	static struct probe p[SESSIONS];
	double quiet[ROUNDS], during[ROUNDS];
	struct bench_daemon d;
	size_t next = 0;

	if (bench_raise_nofile() < 3 * SESSIONS + 1000) {
		fprintf(stderr, "bench: restart: skipped: the hard limit of descriptors is low\n");
		return;
	}
	bench_daemon_start(&d, options);
	for (size_t i = 0; i < SESSIONS; i++)
		probe_open(&p[i], d.socket);
	for (int round = 0; round < ROUNDS; round++) {
		quiet[round] = worst(p, &next, BEFORE);
		during[round] = restart(&d, p, &next);
		worst(p, &next, BEFORE);
	}
	/* An event that is lost would have stopped it: each probe waits for its own, and for nothing else. */
	bench_print(&(struct bench_figure){"restart", "events lost, 7 restarts, 1000 sessions",
		"count", NULL, 0, NAN, NAN, 0});
	bench_print(&(struct bench_figure){"restart", "longest gap over a restart", "us",
		"longest of 2000 before", bench_median(during, ROUNDS) / 1e3,
		bench_median(quiet, ROUNDS) / 1e3,
		bench_median(during, ROUNDS) / bench_median(quiet, ROUNDS), NAN});
	for (size_t i = 0; i < SESSIONS; i++)
		probe_close(&p[i]);
	bench_daemon_stop(&d);
}
