/* SPDX-License-Identifier: MIT */
/* See probe.h. */
#include "probe.h"

#include <errno.h>
#include <ready/client.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct rdy_client *connect_to(const char *socket)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = socket, .name = "bench"};
	struct rdy_client *c;
	int r = rdy_client_new(&o, -1, NULL, &c);

	if (r < 0)
		bench_die("connect: %s", strerror(-r));
	return c;
}

void probe_open(struct probe *p, const char *socket)
{
	uint64_t handle;
	int r;

	p->client = connect_to(socket);
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = rdy_client_register(p->client, p->fd, 1, RDY_READABLE, RDY_EDGE, 0, &handle);
	if (r < 0 || (r = rdy_client_sync(p->client, -1)) < 0)
		bench_die("register: %s", strerror(-r));
}

void probe_close(struct probe *p)
{
	p->client = rdy_client_free(p->client);
	close(p->fd);
}

double probe_once(struct probe *p)
{
	struct rdy_client_event e;
	uint64_t one = 1;
	int64_t from = bench_now_ns();

	if (write(p->fd, &one, sizeof(one)) != sizeof(one))
		bench_die("write: %s", strerror(errno));
	if (rdy_client_wait(p->client, &e, 1, -1) != 1 || e.type != RDY_CLIENT_READY)
		bench_die("something else than an event came");
	return (double)(bench_now_ns() - from);
}

double probe_p99(struct probe *p, double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = probe_once(p);
	return bench_percentile(v, n, 0.99);
}

struct rdy_client *probe_crowd(const char *socket, int *fds, size_t n)
{
	struct rdy_client *c = connect_to(socket);
	uint64_t handle;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (fds[i] < 0)
			bench_die("eventfd: %s", strerror(errno));
		r = rdy_client_register(c, fds[i], i, RDY_READABLE, RDY_EDGE, 0, &handle);
	}
	if (r < 0 || (r = rdy_client_sync(c, -1)) < 0 || (r = rdy_client_dispatch(c)) != 0)
		bench_die("a registration was refused: %s", r < 0 ? strerror(-r) : "see the event");
	return c;
}
