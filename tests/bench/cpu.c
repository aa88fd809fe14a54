/* SPDX-License-Identifier: MIT */
/*
 * CPU time of the broker's agent per event, against a process that does nothing but epoll_wait on as many
 * descriptors with as many active. Bursts: all k descriptors become ready, then everybody drains.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay.h"

#define REGISTERED 1000
#define ROUNDS 15
#define EVENTS_PER_ROUND 25600

struct load {
	struct rdy_client *client;
	int ours[REGISTERED], theirs[REGISTERED];
	uint64_t handle[REGISTERED];
};

static void burst(const int *fds, size_t k)
{
	uint64_t inc = 1;

	bench_burst_begin();
	for (size_t i = 0; i < k; i++)
		if (write(fds[i], &inc, sizeof(inc)) != sizeof(inc))
			bench_die("cpu: write: %s", strerror(errno));
	bench_burst_end();
}

/* Take one event of each of the k. */
static void drain(struct load *l, size_t k, bool rearm)
{
	struct rdy_client_event e[256];
	size_t seen = 0;

	while (seen < k) {
		int n = rdy_client_wait(l->client, e, 256, -1);

		if (n < 0)
			bench_die("cpu: wait: %s", strerror(-n));
		for (int i = 0; i < n; i++) {
			if (e[i].type != RDY_CLIENT_READY)
				bench_die("cpu: unexpected event %u", e[i].type);
			if (rearm) {
				uint64_t count;

				(void)!read(l->ours[e[i].token], &count, sizeof(count));
				rdy_client_rearm(l->client, e[i].handle);
			}
		}
		seen += (size_t)n;
	}
	if (rearm)
		rdy_client_sync(l->client, -1);
}

static double ours(struct load *l, pid_t agent, size_t k, bool oneshot)
{
	int64_t from = bench_cpu_ns(agent);
	size_t bursts = EVENTS_PER_ROUND / k;

	for (size_t i = 0; i < bursts; i++) {
		burst(l->ours, k);
		drain(l, k, oneshot);
	}
	return (double)(bench_cpu_ns(agent) - from) / (double)(bursts * k);
}

static double theirs(struct load *l, struct waiter *w, size_t k)
{
	uint64_t seen = __atomic_load_n(w->counter, __ATOMIC_ACQUIRE);
	int64_t from = bench_cpu_ns(w->pid);
	size_t bursts = EVENTS_PER_ROUND / k;

	for (size_t i = 0; i < bursts; i++) {
		burst(l->theirs, k);
		seen += k;
		while (__atomic_load_n(w->counter, __ATOMIC_ACQUIRE) < seen)
			sched_yield();
	}
	return (double)(bench_cpu_ns(w->pid) - from) / (double)(bursts * k);
}

static void register_all(struct load *l, uint32_t mode)
{
	for (size_t i = 0; i < REGISTERED; i++) {
		int r = rdy_client_register(
			l->client, l->ours[i], i, RDY_READABLE, mode, 0, &l->handle[i]);

		if (r < 0)
			bench_die("cpu: register: %s", strerror(-r));
	}
	if (rdy_client_sync(l->client, -1) < 0)
		bench_die("cpu: sync");
}

static void measure(const struct bench_daemon *d, uint32_t mode, size_t k, double reach)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = d->socket, .name = "bench"};
	double a[ROUNDS], b[ROUNDS], ratio[ROUNDS];
	char figure[64];
	struct load l;
	struct waiter w;
	pid_t agent;
	int r;

	for (size_t i = 0; i < REGISTERED; i++) {
		l.ours[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		l.theirs[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	waiter_start(&w, l.theirs, REGISTERED);
	r = rdy_client_new(&o, -1, NULL, &l.client);
	if (r < 0)
		bench_die("cpu: connect: %s", strerror(-r));
	if (bench_daemon_pids(d, "readyd-agent", &agent, 1) != 1)
		bench_die("cpu: no agent found");
	register_all(&l, mode);
	for (int round = -1; round < ROUNDS; round++) {
		double x = ours(&l, agent, k, mode == RDY_ONESHOT), y = theirs(&l, &w, k);

		if (round < 0)
			continue;
		a[round] = x;
		b[round] = y;
		ratio[round] = x / y;
	}
	rdy_client_free(l.client);
	waiter_stop(&w);
	for (size_t i = 0; i < REGISTERED; i++) {
		close(l.ours[i]);
		close(l.theirs[i]);
	}
	snprintf(figure, sizeof(figure), "agent CPU/event, %s, %zu of %d",
		mode == RDY_EDGE ? "edge" : "oneshot", k, REGISTERED);
	bench_print(&(struct bench_figure){"cpu", figure, "ns", "epoll_wait alone",
		bench_median(a, ROUNDS), bench_median(b, ROUNDS), bench_median(ratio, ROUNDS),
		reach});
}

void bench_cpu(void)
{
	static const char *const options[] = {"quota.default.registrations=4000",
		"quota.per_session=100%", "quota.default.connects_per_s=100", NULL};
	struct bench_daemon d;

	bench_raise_nofile();
	bench_one_cpu(true);
	bench_daemon_start(&d, options);
	measure(&d, RDY_EDGE, 256, 1.3);
	measure(&d, RDY_EDGE, 16, NAN);
	measure(&d, RDY_ONESHOT, 256, NAN);
	measure(&d, RDY_ONESHOT, 16, NAN);
	bench_daemon_stop(&d);
	bench_one_cpu(false);
}
