/* SPDX-License-Identifier: MIT */
/*
 * A program with an epoll loop of its own puts the client's one descriptor into it, edge-triggered here.
 * Sixteen pipes are written in turn, and every event is counted: none may be missing.
 *   edge_loop [SOCKET]
 */
#include <fcntl.h>
#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define N_PIPES 16
#define N_ROUNDS 100

struct state {
	struct rdy_client *client;
	int pipes[N_PIPES][2];
	unsigned n_bytes;
};

static int register_all(struct state *s)
{
	int r = 0;

	for (uint64_t i = 0; i < N_PIPES && r == 0; i++) {
		uint64_t handle;

		if (pipe2(s->pipes[i], O_NONBLOCK | O_CLOEXEC) < 0)
			return -1;
		/* The token says which one it is. */
		r = rdy_client_register(
			s->client, s->pipes[i][0], i, RDY_READABLE, RDY_EDGE, 0, &handle);
	}
	return r;
}

static int write_all(struct state *s)
{
	for (int i = 0; i < N_PIPES; i++)
		if (write(s->pipes[i][1], "x", 1) != 1)
			return -1;
	return 0;
}

/* What a callback of any loop does: dispatch once, then take all there is. */
static int on_client(struct state *s)
{
	struct rdy_client_event e;
	char buf[256];
	ssize_t n;
	int r = rdy_client_dispatch(s->client);

	if (r < 0)
		return r;
	while (rdy_client_next(s->client, &e) == 1) {
		if (e.type == RDY_CLIENT_FAILED)
			return -1;
		if (e.type != RDY_CLIENT_READY)
			continue;
		/* Edge: until EAGAIN, or no event comes again. */
		while ((n = read(s->pipes[e.token][0], buf, sizeof(buf))) > 0)
			s->n_bytes += (unsigned)n;
	}
	return 0;
}

static int loop(struct state *s)
{
	struct itimerspec limit = {.it_value.tv_sec = 20};
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u32 = 1};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	unsigned rounds = 0;

	timerfd_settime(timer, 0, &limit, NULL);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, rdy_client_fd(s->client), &e) < 0)
		return -1;
	e.data.u32 = 2;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, timer, &e) < 0)
		return -1;
	while (s->n_bytes < N_ROUNDS * N_PIPES) {
		/* The next round when the last one has arrived. */
		if (s->n_bytes == rounds * N_PIPES && rounds++ < N_ROUNDS && write_all(s) < 0)
			return -1;
		if (epoll_wait(ep, &e, 1, -1) < 1)
			continue;
		if (e.data.u32 == 2) {
			fprintf(stderr, "%u bytes after 20 s\n", s->n_bytes);
			return -1;
		}
		if (on_client(s) < 0)
			return -1;
	}
	close(timer);
	close(ep);
	return 0;
}

int main(int argc, char **argv)
{
	struct rdy_client_options options = {.size = sizeof(options), .name = "edge_loop"};
	struct state s = {0};
	int r;

	if (argc > 1)
		options.path = argv[1];
	r = rdy_client_new(&options, INT64_C(5000000000), NULL, &s.client);
	if (r < 0) {
		fprintf(stderr, "no connection to readyd: %s\n", strerror(-r));
		return 1;
	}
	r = register_all(&s);
	if (r == 0)
		r = loop(&s);
	printf("%u of %u bytes\n", s.n_bytes, N_ROUNDS * N_PIPES);
	rdy_client_free(s.client);
	return r == 0 ? 0 : 1;
}
