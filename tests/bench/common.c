/* SPDX-License-Identifier: MIT */
/* Measuring and printing. Reads /proc, changes only this process's scheduling. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <dirent.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

bool bench_json;

void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static void put_number(const char *key, double v)
{
	if (isnan(v))
		printf(",\"%s\":null", key);
	else
		printf(",\"%s\":%.6g", key, v);
}

void bench_print_head(void)
{
	if (!bench_json)
		printf("%-9s %-34s %10s %-9s %-30s %10s %6s %6s\n", "BENCH", "FIGURE", "VALUE",
			"UNIT", "YARDSTICK", "VALUE", "RATIO", "REACH");
}

static const char *cell(char buf[16], double v, const char *fmt)
{
	if (isnan(v))
		return "-";
	snprintf(buf, 16, fmt, v); /* NOLINT: a constant of the caller */
	return buf;
}

void bench_print(const struct bench_figure *f)
{
	char a[16], b[16], c[16], d[16];

	if (bench_json) {
		printf("{\"bench\":\"%s\",\"figure\":\"%s\"", f->bench, f->figure);
		put_number("value", f->value);
		printf(",\"unit\":\"%s\",\"yardstick\":", f->unit);
		if (f->yardstick)
			printf("\"%s\"", f->yardstick);
		else
			printf("null");
		put_number("yardstick_value", f->yardstick_value);
		put_number("ratio", f->ratio);
		put_number("reach", f->reach);
		puts("}");
	} else {
		printf("%-9s %-34s %10s %-9s %-30s %10s %6s %6s\n", f->bench, f->figure,
			cell(a, f->value, "%.4g"), f->unit, f->yardstick ? f->yardstick : "-",
			cell(b, f->yardstick_value, "%.4g"), cell(c, f->ratio, "%.2f"),
			cell(d, f->reach, "%.2f"));
	}
	fflush(stdout);
}

int64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_percentile(double *v, size_t n, double p)
{
	if (n == 0)
		return NAN;
	qsort(v, n, sizeof(*v), by_value);
	return v[(size_t)((double)(n - 1) * p)];
}

double bench_median(double *v, size_t n)
{
	return bench_percentile(v, n, 0.5);
}

int64_t bench_cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		bench_die("cannot read the CPU clock of process %d", (int)pid);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

long bench_private_bytes(pid_t pid)
{
	char path[64], line[256];
	long kib, sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
			sscanf(line, "Private_Dirty: %ld", &kib) == 1)
			sum += kib * 1024;
	fclose(f);
	return sum;
}

long bench_wakeups(pid_t pid)
{
	char path[96], line[256];
	long n, sum = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		bench_die("cannot open %s: %s", path, strerror(errno));
	for (struct dirent *e; (e = readdir(d));) {
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)pid, e->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
				sum += n;
		fclose(f);
	}
	closedir(d);
	return sum;
}

void bench_one_cpu(bool on)
{
	static cpu_set_t all;
	static bool known;
	cpu_set_t one;

	if (!known) {
		sched_getaffinity(0, sizeof(all), &all);
		known = true;
	}
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), on ? &one : &all))
		bench_die("cannot choose the CPU: %s", strerror(errno));
}

void bench_burst_begin(void)
{
	struct sched_param p = {.sched_priority = 1};

	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
}

void bench_burst_end(void)
{
	struct sched_param p = {0};

	(void)sched_setscheduler(0, SCHED_OTHER, &p);
}

size_t bench_raise_nofile(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	return (size_t)r.rlim_cur;
}
