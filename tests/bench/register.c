/* SPDX-License-Identifier: MIT */
/*
 * Sockets registered per second: the client library against bare SCM_RIGHTS and epoll_ctl in a process
 * that does nothing else. Connected TCP sockets on loopback. Batches of 250, 16 and 1.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#define SOCKETS 2000
#define ROUNDS 15
#define SETTLE_MS 30

static void make_sockets(int *fds, size_t n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) || listen(l, 128) ||
		getsockname(l, (struct sockaddr *)&a, &len))
		bench_die("register: no listener: %s", strerror(errno));
	for (size_t i = 0; i < n; i += 2) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&a, sizeof(a)))
			bench_die("register: connect: %s", strerror(errno));
		fds[i + 1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		if (fds[i + 1] < 0)
			bench_die("register: accept: %s", strerror(errno));
	}
	close(l);
}

static double ours(struct rdy_client *c, const int *fds, size_t batch)
{
	static uint64_t handle[SOCKETS];
	int64_t from = bench_now_ns(), took;
	int r = 0;

	for (size_t i = 0; i < SOCKETS && r >= 0; i++) {
		r = rdy_client_register(c, fds[i], i, RDY_READABLE, RDY_EDGE, 0, &handle[i]);
		/* The library batches what is queued together; a dispatch sends it. */
		if (r >= 0 && (i + 1) % batch == 0)
			r = rdy_client_dispatch(c);
	}
	if (r >= 0)
		r = rdy_client_sync(c, -1);
	took = bench_now_ns() - from;
	if (r < 0)
		bench_die("register: %s", strerror(-r));
	for (size_t i = 0; i < SOCKETS; i++)
		rdy_client_deregister(c, handle[i]);
	rdy_client_sync(c, -1);
	/* The closer is still closing; the yardstick's turn must not share the CPUs with it. */
	poll(NULL, 0, SETTLE_MS);
	return (double)took / SOCKETS;
}

static double theirs(struct receiver *r, const int *fds, size_t batch)
{
	int64_t from = bench_now_ns(), took;

	receiver_register(r, fds, SOCKETS, batch);
	took = bench_now_ns() - from;
	receiver_forget(r);
	return (double)took / SOCKETS;
}

void bench_register(void)
{
	static const char *const options[] = {
		"quota.default.registrations=4000", "quota.per_session=100%", NULL};
	static const size_t batches[] = {250, 16, 1};
	static int fds[SOCKETS];
	struct rdy_client_options o = {.size = sizeof(o), .name = "bench"};
	struct bench_daemon d;
	struct rdy_client *c;
	struct receiver receiver;
	int r;

	bench_raise_nofile();
	make_sockets(fds, SOCKETS);
	bench_daemon_start(&d, options);
	receiver_start(&receiver);
	o.path = d.socket;
	r = rdy_client_new(&o, -1, NULL, &c);
	if (r < 0)
		bench_die("register: connect: %s", strerror(-r));
	for (size_t b = 0; b < sizeof(batches) / sizeof(batches[0]); b++) {
		double x[ROUNDS], y[ROUNDS], ratio[ROUNDS];
		char figure[64];

		for (int round = -1; round < ROUNDS; round++) {
			double p = ours(c, fds, batches[b]), q = theirs(&receiver, fds, batches[b]);

			if (round < 0)
				continue;
			x[round] = 1e9 / p;
			y[round] = 1e9 / q;
			ratio[round] = p / q;
		}
		snprintf(figure, sizeof(figure), "sockets registered, batches of %zu", batches[b]);
		bench_print(&(struct bench_figure){"register", figure, "1/s",
			"SCM_RIGHTS + epoll_ctl", bench_median(x, ROUNDS), bench_median(y, ROUNDS),
			bench_median(ratio, ROUNDS), batches[b] == 250 ? 1.4 : NAN});
	}
	rdy_client_free(c);
	receiver_stop(&receiver);
	bench_daemon_stop(&d);
	for (size_t i = 0; i < SOCKETS; i++)
		close(fds[i]);
}
