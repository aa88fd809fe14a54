/* SPDX-License-Identifier: MIT */
/* Latency of an event in a session with 15 000 registrations against one with 1000; one CPU, rounds alternate. */
#include "bench.h"

#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "probe.h"

#define MANY 15000
#define FEW 1000
#define SAMPLES 1000
#define ROUNDS 25

/* An event of the crowd's own session: the middle one of its descriptors. */
static double once(struct rdy_client *c, int fd)
{
	struct probe p = {.client = c, .fd = fd};

	return probe_once(&p);
}

void bench_scale(void)
{
	static const char *const options[] = {
		"quota.default.registrations=16000", "quota.per_session=100%", NULL};
	static const size_t sizes[2] = {MANY, FEW};
	static int fds[2][MANY];
	double p50[2][ROUNDS], ratio[ROUNDS], v[SAMPLES];
	struct bench_daemon d[2];
	struct rdy_client *c[2];

	if (bench_raise_nofile() < MANY + FEW + 1000) {
		fprintf(stderr, "bench: scale: skipped: the hard limit of descriptors is low\n");
		return;
	}
	bench_one_cpu(true);
	for (int i = 0; i < 2; i++) {
		bench_daemon_start(&d[i], options);
		c[i] = probe_crowd(d[i].socket, fds[i], sizes[i]);
	}
	for (int round = -1; round < ROUNDS; round++) {
		for (int i = 0; i < 2; i++) {
			for (int k = 0; k < SAMPLES; k++)
				v[k] = once(c[i], fds[i][(size_t)k * 7919 % sizes[i]]);
			if (round >= 0)
				p50[i][round] = bench_percentile(v, SAMPLES, 0.5);
		}
		if (round >= 0)
			ratio[round] = p50[0][round] / p50[1][round];
	}
	bench_print(&(struct bench_figure){"scale", "event p50 at 15 000 registered", "us",
		"at 1000 registered", bench_median(p50[0], ROUNDS) / 1e3,
		bench_median(p50[1], ROUNDS) / 1e3, bench_median(ratio, ROUNDS), 1.1});
	for (int i = 0; i < 2; i++) {
		rdy_client_free(c[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			close(fds[i][k]);
		bench_daemon_stop(&d[i]);
	}
	bench_one_cpu(false);
}
