/* SPDX-License-Identifier: MIT */
/*
 * Latency of one event, everything on one CPU: from before the write that makes a descriptor ready to the
 * return of the call that tells the client. Ours against a hand-written relay over SEQPACKET and over a
 * pipe, and against epoll in the client itself.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <ready/client.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay.h"

#define SAMPLES 1000
#define ROUNDS 25

enum { OURS, SEQPACKET, PIPE, OWN_EPOLL, N_WAYS };

struct ways {
	struct rdy_client *client;
	struct relay relay[2];
	int ep;
	int fd[N_WAYS];
};

static void receive(struct ways *w, int way)
{
	struct rdy_client_event ce;
	struct epoll_event ee;
	char record[64];
	int ok;

	switch (way) {
	case OURS:
		ok = rdy_client_wait(w->client, &ce, 1, -1) == 1 && ce.type == RDY_CLIENT_READY;
		break;
	case SEQPACKET:
		ok = read(w->relay[0].out, record, sizeof(record)) > 0;
		break;
	case PIPE:
		ok = read(w->relay[1].out, record, sizeof(record)) > 0;
		break;
	default:
		ok = epoll_wait(w->ep, &ee, 1, -1) == 1;
	}
	if (!ok)
		bench_die("latency: no event on way %d", way);
}

static double one(struct ways *w, int way)
{
	uint64_t inc = 1;
	int64_t from = bench_now_ns();

	if (write(w->fd[way], &inc, sizeof(inc)) != sizeof(inc))
		bench_die("latency: write: %s", strerror(errno));
	receive(w, way);
	return (double)(bench_now_ns() - from);
}

static void open_ways(struct ways *w, const struct bench_daemon *d)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = d->socket, .name = "bench"};
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	uint64_t handle;
	int r;

	for (int i = 0; i < N_WAYS; i++)
		w->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = rdy_client_new(&o, -1, NULL, &w->client);
	if (r < 0)
		bench_die("latency: connect: %s", strerror(-r));
	r = rdy_client_register(w->client, w->fd[OURS], 1, RDY_READABLE, RDY_EDGE, 0, &handle);
	if (r < 0 || rdy_client_sync(w->client, -1) < 0)
		bench_die("latency: register: %s", strerror(-r));
	relay_start(&w->relay[0], RELAY_SEQPACKET, &w->fd[SEQPACKET], 1);
	relay_start(&w->relay[1], RELAY_PIPE, &w->fd[PIPE], 1);
	w->ep = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(w->ep, EPOLL_CTL_ADD, w->fd[OWN_EPOLL], &e))
		bench_die("latency: epoll_ctl: %s", strerror(errno));
}

static void close_ways(struct ways *w)
{
	rdy_client_free(w->client);
	relay_stop(&w->relay[0]);
	relay_stop(&w->relay[1]);
	close(w->ep);
	for (int i = 0; i < N_WAYS; i++)
		close(w->fd[i]);
}

void bench_latency(void)
{
	static const char *const names[N_WAYS] = {
		NULL, "relay epoll->SEQPACKET", "relay epoll->pipe", "epoll in the client"};
	double p50[N_WAYS][ROUNDS], p99[N_WAYS][ROUNDS], ratio[N_WAYS][ROUNDS], sample[SAMPLES];
	struct bench_daemon d;
	struct ways w;

	bench_one_cpu(true);
	bench_daemon_start(&d, NULL);
	open_ways(&w, &d);
	for (int round = -1; round < ROUNDS; round++) { /* the first warms up */
		for (int way = 0; way < N_WAYS; way++) {
			for (int i = 0; i < SAMPLES; i++)
				sample[i] = one(&w, way);
			if (round < 0)
				continue;
			p50[way][round] = bench_percentile(sample, SAMPLES, 0.5);
			p99[way][round] = bench_percentile(sample, SAMPLES, 0.99);
			ratio[way][round] = p50[OURS][round] / p50[way][round];
		}
	}
	close_ways(&w);
	bench_daemon_stop(&d);
	bench_one_cpu(false);

	double ours = bench_median(p50[OURS], ROUNDS);

	for (int way = 1; way < N_WAYS; way++)
		bench_print(&(struct bench_figure){"latency", "event p50, one CPU", "us",
			names[way], ours / 1e3, bench_median(p50[way], ROUNDS) / 1e3,
			bench_median(ratio[way], ROUNDS), way == SEQPACKET ? 1.15 : NAN});
	bench_print(&(struct bench_figure){"latency", "event p99, one CPU", "us", names[SEQPACKET],
		bench_median(p99[OURS], ROUNDS) / 1e3, bench_median(p99[SEQPACKET], ROUNDS) / 1e3,
		bench_median(p99[OURS], ROUNDS) / bench_median(p99[SEQPACKET], ROUNDS), NAN});
}
