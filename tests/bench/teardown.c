/* SPDX-License-Identifier: MIT */
/*
 * What a session feels while another one of the same uid, with 15 000 registrations, is torn down: p99 of its
 * events, everything on one CPU, against the same session just before.
 */
#include "bench.h"

#include <math.h>
#include <ready/client.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe.h"

#define REGISTRATIONS 15000
#define ROUNDS 7
#define SAMPLES 4000
#define SAMPLES_MAX 200000

/* Descriptors that the agent has: the size of its directory. Source: proc(5), since Linux 6.2. */
static long n_open(pid_t agent)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)agent);
	return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

/* Events while the descriptors go away; returns their number. */
static size_t sample_until(struct probe *p, pid_t agent, long low, double *v)
{
	size_t n = 0;

	while (n < SAMPLES_MAX) {
		v[n++] = probe_once(p);
		if (n % 16 == 0 && n_open(agent) <= low)
			break;
	}
	return n;
}

void bench_teardown(void)
{
	static const char *const options[] = {
		"quota.default.registrations=16000", "quota.per_session=100%", NULL};
	static int fds[REGISTRATIONS];
	static double v[SAMPLES_MAX];
	double quiet[ROUNDS], during[ROUNDS], ratio[ROUNDS], lasted[ROUNDS];
	struct bench_daemon d;
	struct probe p;
	pid_t agent;
	long low;

	if (bench_raise_nofile() < REGISTRATIONS + 1000) {
		fprintf(stderr, "bench: teardown: skipped: the hard limit of descriptors is low\n");
		return;
	}
	bench_one_cpu(true);
	bench_daemon_start(&d, options);
	probe_open(&p, d.socket);
	if (bench_daemon_pids(&d, "readyd-agent", &agent, 1) != 1)
		bench_die("teardown: no agent");
	low = n_open(agent);
	if (low <= 0) {
		fprintf(stderr, "bench: teardown: skipped: the kernel does not say how many "
				"descriptors a process has\n");
		goto out;
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct rdy_client *crowd = probe_crowd(d.socket, fds, REGISTRATIONS);
		int64_t from;
		size_t n;

		quiet[round] = probe_p99(&p, v, SAMPLES);
		from = bench_now_ns();
		rdy_client_free(crowd);
		n = sample_until(&p, agent, low, v);
		lasted[round] = (double)(bench_now_ns() - from);
		during[round] = bench_percentile(v, n, 0.99);
		ratio[round] = during[round] / quiet[round];
		for (size_t i = 0; i < REGISTRATIONS; i++)
			close(fds[i]);
	}
	bench_print(&(struct bench_figure){"teardown", "p99 beside a teardown of 15 000", "us",
		"the same session, quiet", bench_median(during, ROUNDS) / 1e3,
		bench_median(quiet, ROUNDS) / 1e3, bench_median(ratio, ROUNDS), 2});
	bench_print(&(struct bench_figure){"teardown", "time until all are closed", "ms", NULL,
		bench_median(lasted, ROUNDS) / 1e6, NAN, NAN, NAN});
out:
	probe_close(&p);
	bench_daemon_stop(&d);
	bench_one_cpu(false);
}
