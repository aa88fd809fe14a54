/* SPDX-License-Identifier: MIT */
/*
 * What a session feels while all 10 000 registrations of another one of its uid are listed, again and again:
 * p99 of its events against the same session without. readyctl is run for it; an event every 200 us.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <ready/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define REGISTRATIONS 10000
#define ROUNDS 7
#define SAMPLES 1000
#define SAMPLES_MAX 100000
#define PACE_NS 200000

static pid_t start_list(const char *readyctl, const char *socket)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_die("listing: fork: %s", strerror(errno));
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execl(readyctl, "readyctl", "ls", "--registrations", "--json", "--socket", socket,
			(char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Events until the process has ended (0: max of them); returns their number. */
static size_t sample(struct probe *p, pid_t until, double *v, size_t max)
{
	const struct timespec pace = {.tv_nsec = PACE_NS};
	size_t n = 0;
	int status;

	while (n < max) {
		nanosleep(&pace, NULL);
		v[n++] = probe_once(p);
		if (!until || waitpid(until, &status, WNOHANG) != until)
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			bench_die("listing: readyctl failed: %#x", (unsigned int)status);
		break;
	}
	return n;
}

void bench_listing(void)
{
	static const char *const options[] = {"quota.default.registrations=16000",
		"quota.per_session=100%", "quota.default.connects_per_s=1000", NULL};
	static int fds[REGISTRATIONS];
	static double v[SAMPLES_MAX];
	double quiet[ROUNDS], during[ROUNDS], ratio[ROUNDS], lasted[ROUNDS];
	char readyctl[512], control[128];
	struct rdy_client *crowd;
	struct bench_daemon d;
	struct probe p;

	if (bench_raise_nofile() < REGISTRATIONS + 1000) {
		fprintf(stderr, "bench: listing: skipped: the hard limit of descriptors is low\n");
		return;
	}
	/* Beside the readyd under test, in the build tree. */
	snprintf(readyctl, sizeof(readyctl), "%.*s/../ctl/readyctl",
		(int)(strrchr(bench_readyd_path, '/') - bench_readyd_path), bench_readyd_path);
	bench_daemon_start(&d, options);
	snprintf(control, sizeof(control), "%s/control.sock", d.dir);
	crowd = probe_crowd(d.socket, fds, REGISTRATIONS);
	probe_open(&p, d.socket);
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = sample(&p, 0, v, SAMPLES);
		int64_t from;

		quiet[round] = bench_percentile(v, n, 0.99);
		from = bench_now_ns();
		n = sample(&p, start_list(readyctl, control), v, SAMPLES_MAX);
		lasted[round] = (double)(bench_now_ns() - from);
		during[round] = bench_percentile(v, n, 0.99);
		ratio[round] = during[round] / quiet[round];
	}
	bench_print(&(struct bench_figure){"listing", "p99 beside ls of 10 000 rows", "us",
		"the same session, quiet", bench_median(during, ROUNDS) / 1e3,
		bench_median(quiet, ROUNDS) / 1e3, bench_median(ratio, ROUNDS), 2});
	bench_print(&(struct bench_figure){"listing", "ls of 10 000 rows, as JSON", "ms", NULL,
		bench_median(lasted, ROUNDS) / 1e6, NAN, NAN, NAN});
	probe_close(&p);
	rdy_client_free(crowd);
	for (size_t i = 0; i < REGISTRATIONS; i++)
		close(fds[i]);
	bench_daemon_stop(&d);
}
