/* SPDX-License-Identifier: MIT */
/* readyd-bench READYD [NAME...] [--json]: run the named benchmarks, or all. See tests/bench/run. */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(void);
	const char *what;
} benches[] = {
	{"latency", bench_latency, "latency of an event, everything on one CPU"},
	{"cpu", bench_cpu, "the agent's CPU time per event"},
	{"register", bench_register, "sockets registered per second"},
	{"memory", bench_memory, "memory per registration and per process"},
	{"idle", bench_idle, "wakeups of an idle daemon (11 s)"},
	{"teardown", bench_teardown, "another session's p99 while one with 15 000 ends"},
	{"scale", bench_scale, "latency at 15 000 registered against 1000"},
	{"reactors", bench_reactors, "two reactors against one"},
	{"listing", bench_listing, "another session's p99 beside ls of 10 000 rows"},
	{"restart", bench_restart, "the longest gap over a restart, 1000 sessions"},
	{"libready", bench_libready, "libready's reactor against a bare loop"},
};

#define N_BENCHES (sizeof(benches) / sizeof(benches[0]))

static int find(const char *name)
{
	for (size_t i = 0; i < N_BENCHES; i++)
		if (!strcmp(benches[i].name, name))
			return (int)i;
	return -1;
}

int main(int argc, char **argv)
{
	bool wanted[N_BENCHES] = {false}, any = false;

	if (argc < 2) {
		fprintf(stderr, "usage: readyd-bench READYD [NAME...] [--json]\n");
		for (size_t i = 0; i < N_BENCHES; i++)
			fprintf(stderr, "  %-9s %s\n", benches[i].name, benches[i].what);
		return 2;
	}
	bench_readyd_path = argv[1];
	for (int i = 2; i < argc; i++) {
		int k = find(argv[i]);

		if (!strcmp(argv[i], "--json")) {
			bench_json = true;
		} else if (k >= 0) {
			wanted[k] = any = true;
		} else {
			fprintf(stderr,
				"readyd-bench: no benchmark '%s'; without a name all are run\n",
				argv[i]);
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	bench_print_head();
	for (size_t i = 0; i < N_BENCHES; i++)
		if (!any || wanted[i])
			benches[i].run();
	return 0;
}
