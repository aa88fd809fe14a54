/* SPDX-License-Identifier: MIT */
/*
 * Common to all benchmarks: one process, one thread; rounds of ours and of the yardstick alternate, the
 * median of each is kept. Nothing here passes or fails by time.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One figure. ratio is a cost, ours / yardstick: lower is better (a rate is inverted). NAN = none. */
struct bench_figure {
	const char *bench, *figure, *unit, *yardstick;
	double value, yardstick_value, ratio, reach;
};

extern bool bench_json;

void bench_print_head(void);
void bench_print(const struct bench_figure *f);

int64_t bench_now_ns(void);
/* Median and percentile; sort the array. */
double bench_median(double *v, size_t n);
double bench_percentile(double *v, size_t n, double p);

/* CPU time a process has used so far, in ns. */
int64_t bench_cpu_ns(pid_t pid);
/* Bytes of private memory (smaps_rollup), or -1 when it cannot be read. */
long bench_private_bytes(pid_t pid);
/* Voluntary context switches of all threads of a process: how often it went to sleep, so was woken. */
long bench_wakeups(pid_t pid);

/* Everything from here on, children included, runs on CPU 0; false = the machine's own choice again. */
void bench_one_cpu(bool on);
/*
 * Keep the rest of the CPU from running while a burst is produced, so that a burst is one burst for
 * everybody: SCHED_FIFO where allowed (root), else nothing.
 */
void bench_burst_begin(void);
void bench_burst_end(void);

/* Raise the soft limit of descriptors to the hard one; returns it. */
size_t bench_raise_nofile(void);

_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A private readyd, one at a time. options: NULL-terminated -o values. */
struct bench_daemon {
	pid_t supervisor;
	char dir[64];
	char socket[128]; /* longer than an address may be */
	const char *const *options;
	bool adopted; /* not a child of ours any more */
};
void bench_daemon_start(struct bench_daemon *d, const char *const options[]);
void bench_daemon_stop(struct bench_daemon *d);
/*
 * The supervisor is gone: start the next one in the same place. Returns a child that ends when that one is
 * ready; bench_daemon_is_back() after it.
 */
pid_t bench_daemon_again(struct bench_daemon *d);
void bench_daemon_is_back(struct bench_daemon *d);
/* First child of the supervisor with this program name (comm, 15 characters) and real uid order; 0 = none. */
size_t bench_daemon_pids(const struct bench_daemon *d, const char *comm, pid_t *pids, size_t n);

extern const char *bench_readyd_path; /* program under test */

/* The benchmarks. */
void bench_latency(void);
void bench_cpu(void);
void bench_register(void);
void bench_memory(void);
void bench_idle(void);
void bench_teardown(void);
void bench_scale(void);
void bench_reactors(void);
void bench_listing(void);
void bench_restart(void);
void bench_libready(void);

#endif
