/* SPDX-License-Identifier: MIT */
/* See churner.h. */
#include "churner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

#define ENDS_MAX 160

/* One round's state. A registered end is [0], what makes it ready [1]. */
struct visit {
	struct churner *self;
	struct rdy_client *client;
	int n;
	struct {
		int fd[2];
		uint64_t handle;
		bool seen;
	} of[ENDS_MAX];
};

static int dice(struct churner *c, int sides)
{
	return (int)((unsigned int)rand_r(&c->seed) % (unsigned int)sides);
}

/* Here we are. */
static void at(struct churner *c, enum step step)
{
	uint32_t wanted = step;

	if (atomic_compare_exchange_strong(&c->churn->wanted, &wanted, N_STEPS))
		need_int(write(c->churn->said[1], &c->number, 1), ==, 1);
}

/* Nobody but us and the daemon has it. */
static void open_end(struct visit *v, int i)
{
	int *fd = v->of[i].fd;
	int r = i % 2 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd)
		      : pipe2(fd, O_CLOEXEC | O_NONBLOCK);

	need(r == 0, "%s", strerror(errno));
}

static void register_all(struct visit *v)
{
	static const uint32_t modes[] = {RDY_EDGE, RDY_LEVEL, RDY_ONESHOT};
	struct churner *c = v->self;
	int batch = 1 + dice(c, v->n);

	for (int i = 0; i < v->n; i++) {
		open_end(v, i);
		v->of[i].seen = false;
		need_int(rdy_client_register(v->client, v->of[i].fd[0], (uint64_t)i, RDY_READABLE,
				 modes[i % 3], 0, &v->of[i].handle),
			==, 0);
		if (dice(c, 4) == 0)
			need_int(rdy_client_set_deadline(
					 v->client, v->of[i].handle, 0, 1 + dice(c, 1000000)),
				==, 0);
		if (i % batch == 0) {
			at(c, STEP_REGISTER);
			need_int(rdy_client_dispatch(v->client), >=, 0);
		}
	}
	at(c, STEP_REGISTER);
}

static void take(struct visit *v, const struct rdy_client_event *e)
{
	char buf[64];

	if (e->type == RDY_CLIENT_LOST || e->type == RDY_CLIENT_RESTORED ||
		e->type == RDY_CLIENT_REFUSED || e->type == RDY_CLIENT_TIMEOUT)
		return;
	need(e->type == RDY_CLIENT_READY, "type %u %s", e->type, rdy_client_error_name(e->error));
	need_int(e->token, <, v->n);
	/* A hint may come twice: then there is nothing to read. */
	while (read(v->of[e->token].fd[0], buf, sizeof(buf)) > 0)
		v->of[e->token].seen = true;
	if (e->flags & RDY_CLIENT_DISARMED)
		need_int(rdy_client_rearm(v->client, e->handle), ==, 0);
}

/* Make some ready, and take events until each of them was told. */
static void see_all(struct visit *v, int from, int each, enum step step)
{
	struct churner *c = v->self;
	int64_t start = now_ns();
	int left;

	for (int i = from; i < v->n; i += each) {
		v->of[i].seen = false;
		need_int(write(v->of[i].fd[1], "x", 1), ==, 1);
	}
	do {
		struct rdy_client_event e[32];
		int n = rdy_client_wait(v->client, e, 32, RDY__NS_PER_S / 10);

		need_int(n, >=, 0);
		at(c, step);
		for (int i = 0; i < n; i++)
			take(v, &e[i]);
		left = 0;
		for (int i = from; i < v->n; i += each)
			left += !v->of[i].seen;
		need(left == 0 || now_ns() - start < PATIENCE_NS,
			"%d of %d readinesses were not seen", left, v->n);
	} while (left);
}

static void deregister_some(struct visit *v)
{
	struct churner *c = v->self;

	for (int i = 0; i < v->n; i += 2) {
		need_int(rdy_client_deregister(v->client, v->of[i].handle), ==, 0);
		if (dice(c, 16) == 0) {
			at(c, STEP_DEREGISTER);
			need_int(rdy_client_dispatch(v->client), >=, 0);
		}
	}
	need_int(rdy_client_dispatch(v->client), >=, 0);
	at(c, STEP_DEREGISTER);
	see_all(v, 1, 2, STEP_DEREGISTER); /* the others */
}

/* Everybody has given it up when the other end hangs up. */
static void hangs_up(struct visit *v, int i)
{
	struct pollfd p = {.fd = v->of[i].fd[1]};

	rdy__fd_close(v->of[i].fd[0]);
	need(poll(&p, 1, PATIENCE_MS) == 1, "end %d of %d is kept", i, v->n);
	rdy__fd_close(v->of[i].fd[1]);
}

/* Is the last reply in it? What is left of the next one is kept. */
static bool last_reply(char *buf, size_t *n_bytes)
{
	bool last = false;
	char *at = buf, *end;

	while (!last && (end = memchr(at, 0, *n_bytes - (size_t)(at - buf)))) {
		last = !strstr(at, "\"continues\":true");
		at = end + 1;
	}
	*n_bytes -= (size_t)(at - buf);
	memmove(buf, at, *n_bytes);
	return last;
}

/* It asks for a list and goes away, or reads on until the end; that of the daemon's side counts. */
static void ask_for_a_list(struct churner *c)
{
	static const char call[] =
		"{\"method\":\"io.readyd.ListRegistrations\",\"parameters\":{},\"more\":true}";
	static char buf[1 << 18];
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct pollfd p = {.events = POLLIN};
	bool wholly = dice(c, 2);
	size_t n_bytes = 0;
	ssize_t n;

	p.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", c->churn->in->runtime);
	at(c, STEP_CONTROL);
	if (connect(p.fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		send(p.fd, call, sizeof(call), MSG_NOSIGNAL) > 0) {
		do {
			at(c, STEP_CONTROL);
			need(poll(&p, 1, PATIENCE_MS) == 1, "neither an answer nor an end");
			n = recv(p.fd, buf + n_bytes, sizeof(buf) - n_bytes, 0);
			n_bytes += n > 0 ? (size_t)n : 0;
		} while (wholly && n > 0 && !last_reply(buf, &n_bytes));
	}
	rdy__fd_close(p.fd);
}

static void visit(struct churner *c)
{
	struct visit v = {.self = c, .n = 1 + dice(c, ENDS_MAX)};

	at(c, STEP_CONNECT);
	v.client = client_open_patiently(c->churn->in);
	register_all(&v);
	see_all(&v, 0, 1, STEP_EVENTS);
	if (dice(c, 2))
		see_all(&v, 0, 3, STEP_EVENTS);
	if (dice(c, 2))
		ask_for_a_list(c);
	deregister_some(&v);
	if (dice(c, 2))
		client_sync(v.client);
	if (dice(c, 2)) /* on its way while we leave */
		for (int i = 1; i < v.n; i += 2)
			need_int(write(v.of[i].fd[1], "x", 1), ==, 1);
	at(c, STEP_TEARDOWN);
	rdy_client_free(v.client);
	at(c, STEP_TEARDOWN);
	for (int i = 0; i < v.n; i++)
		hangs_up(&v, i);
	c->churn->rounds++;
}

static void churn(struct proc *self, void *arg)
{
	struct churner *c = arg;

	while (!c->churn->stop)
		visit(c);
	(void)self;
}

void churner_start(struct churner *c)
{
	proc_start(&c->proc, c->uid, churn, c);
}

struct churn *churn_new(const struct instance *in)
{
	struct churn *c =
		mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	need(c != MAP_FAILED, "%s", strerror(errno));
	c->in = in;
	c->wanted = N_STEPS;
	need(pipe2(c->said, O_CLOEXEC) == 0, "%s", strerror(errno));
	return c;
}

void churn_free(struct churn *c)
{
	rdy__fd_close(c->said[0]);
	rdy__fd_close(c->said[1]);
	munmap(c, sizeof(*c));
}

uint8_t churn_wait(struct churn *c, enum step step)
{
	struct pollfd p = {.fd = c->said[0], .events = POLLIN};
	uint8_t number;

	c->wanted = step;
	need(poll(&p, 1, PATIENCE_MS) == 1 && read(p.fd, &number, 1) == 1,
		"nobody comes to step %d", (int)step);
	return number;
}
