/* SPDX-License-Identifier: MIT */
/*
 * What a session feels while another one of the same uid, with 15 000 registrations, is torn down: p99 of its
 * events, everything on one CPU, against the same session just before. Once with an event every 200 us, and
 * once with the next event as soon as the last one is there, which leaves no CPU for anybody else.
 */
#include "bench.h"

#include <math.h>
#include <ready/client.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define REGISTRATIONS 15000
#define ROUNDS 7
#define SAMPLES 1000
#define SAMPLES_MAX 200000
#define PACE_NS 200000

/* Descriptors that the agent has: the size of its directory. Source: proc(5), since Linux 6.2. */
static long n_open(pid_t agent)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)agent);
	return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

/* Events until only low descriptors are left, at most max; returns their number. */
static size_t sample(struct probe *p, pid_t agent, long low, long pace_ns, double *v, size_t max)
{
	const struct timespec pace = {.tv_nsec = pace_ns};
	size_t n = 0;

	while (n < max) {
		if (pace_ns)
			nanosleep(&pace, NULL);
		v[n++] = probe_once(p);
		if (n % 16 == 0 && n_open(agent) <= low)
			break;
	}
	return n;
}

static void measure(const struct bench_daemon *d, struct probe *p, pid_t agent, long pace_ns)
{
	static int fds[REGISTRATIONS];
	static double v[SAMPLES_MAX];
	double quiet[ROUNDS], during[ROUNDS], ratio[ROUNDS], lasted[ROUNDS];
	long low = n_open(agent);

	for (int round = 0; round < ROUNDS; round++) {
		struct rdy_client *crowd = probe_crowd(d->socket, fds, REGISTRATIONS);
		size_t n = sample(p, agent, 0, pace_ns, v, SAMPLES);
		int64_t from;

		quiet[round] = bench_percentile(v, n, 0.99);
		from = bench_now_ns();
		rdy_client_free(crowd);
		n = sample(p, agent, low, pace_ns, v, SAMPLES_MAX);
		lasted[round] = (double)(bench_now_ns() - from);
		during[round] = bench_percentile(v, n, 0.99);
		ratio[round] = during[round] / quiet[round];
		for (size_t i = 0; i < REGISTRATIONS; i++)
			close(fds[i]);
	}
	bench_print(&(struct bench_figure){"teardown",
		pace_ns ? "p99 beside it, every 200 us" : "p99 beside it, no pause", "us",
		"the same session, quiet", bench_median(during, ROUNDS) / 1e3,
		bench_median(quiet, ROUNDS) / 1e3, bench_median(ratio, ROUNDS), pace_ns ? 2 : NAN});
	bench_print(&(struct bench_figure){"teardown",
		pace_ns ? "all closed after, every 200 us" : "all closed after, no pause", "ms",
		NULL, bench_median(lasted, ROUNDS) / 1e6, NAN, NAN, NAN});
}

void bench_teardown(void)
{
	static const char *const options[] = {
		"quota.default.registrations=16000", "quota.per_session=100%", NULL};
	struct bench_daemon d;
	struct probe p;
	pid_t agent;

	if (bench_raise_nofile() < REGISTRATIONS + 1000) {
		fprintf(stderr, "bench: teardown: skipped: the hard limit of descriptors is low\n");
		return;
	}
	bench_one_cpu(true);
	bench_daemon_start(&d, options);
	probe_open(&p, d.socket);
	if (bench_daemon_pids(&d, "readyd-agent", &agent, 1) != 1)
		bench_die("teardown: no agent");
	if (n_open(agent) > 0) {
		measure(&d, &p, agent, PACE_NS);
		measure(&d, &p, agent, 0);
	} else {
		fprintf(stderr, "bench: teardown: skipped: the kernel does not say how many "
				"descriptors a process has\n");
	}
	probe_close(&p);
	bench_daemon_stop(&d);
	bench_one_cpu(false);
}
