/* SPDX-License-Identifier: MIT */
/* See innocent.h. */
#include "innocent.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "client.h"

#define FDS 8u
#define EVENTS_MAX 20000u /* of one measurement */

enum order { ORDER_BEGIN = 'b', ORDER_FINISH = 'f', ORDER_STOP = 's' };
enum answer { ANSWER_UP = 'u', ANSWER_ENOUGH = 'e' };

struct watcher {
	struct rdy_client *client;
	int fds[FDS];
	uint64_t handles[FDS];
	int64_t took_ns[EVENTS_MAX];
	uint32_t n, lost;
};

/* Odd ones are ONESHOT. */
static void set_up(struct watcher *w, const struct instance *in)
{
	w->client = client_open(in);
	for (uint32_t i = 0; i < FDS; i++) {
		w->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		need(w->fds[i] >= 0, "%s", strerror(errno));
		need_int(rdy_client_register(w->client, w->fds[i], i, RDY_READABLE,
				 i % 2 ? RDY_ONESHOT : RDY_EDGE, 0, &w->handles[i]),
			==, 0);
	}
	client_sync(w->client);
}

static int64_t one_event(struct watcher *w, uint32_t i)
{
	int64_t start = now_ns(), took;
	struct rdy_client_event e;
	eventfd_t value;

	need(eventfd_write(w->fds[i], 1) == 0, "%s", strerror(errno));
	do {
		need_int(rdy_client_wait(w->client, &e, 1, PATIENCE_NS), ==, 1);
		w->lost += e.type == RDY_CLIENT_LOST;
	} while (e.type != RDY_CLIENT_READY || e.token != i);
	took = now_ns() - start;
	need(e.ready & RDY_READABLE, "ready %#x", e.ready);
	need(eventfd_read(w->fds[i], &value) == 0 && value == 1, "%s", strerror(errno));
	if (e.flags & RDY_CLIENT_DISARMED)
		need_int(rdy_client_rearm(w->client, e.handle), ==, 0);
	return took;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report(struct watcher *w, struct proc *self)
{
	struct innocent_report r = {.n = w->n, .lost = w->lost};

	qsort(w->took_ns, w->n, sizeof(w->took_ns[0]), by_value);
	r.p50_ns = w->took_ns[w->n / 2];
	r.p99_ns = w->took_ns[w->n * 99 / 100];
	r.max_ns = w->took_ns[w->n - 1];
	proc_say(self, &r, sizeof(r));
}

/* Events until it is over; an order may come between two of them. */
static void measure(struct watcher *w, struct proc *self)
{
	char order = 0, enough = ANSWER_ENOUGH;

	w->n = w->lost = 0;
	while (order != ORDER_FINISH || w->n < INNOCENT_EVENTS) {
		int64_t took = one_event(w, w->n % FDS);

		/* Later ones are not kept, but they have to come. */
		if (w->n < EVENTS_MAX)
			w->took_ns[w->n++] = took;
		if (w->n == INNOCENT_EVENTS)
			proc_say(self, &enough, 1);
		if (proc_waits(self, order ? 0 : 1) && !order)
			proc_hear(self, &order, 1);
	}
	report(w, self);
}

static void be_innocent(struct proc *self, void *arg)
{
	static struct watcher w;
	char answer = ANSWER_UP, order;

	set_up(&w, arg);
	for (uint32_t i = 0; i < FDS; i++)
		one_event(&w, i);
	proc_say(self, &answer, 1);
	for (;;) {
		proc_hear(self, &order, 1);
		if (order == ORDER_STOP)
			break;
		need_int(order, ==, ORDER_BEGIN);
		measure(&w, self);
	}
	rdy_client_free(w.client);
}

void innocent_start(struct innocent *i, const struct instance *in, uid_t uid)
{
	char answer;

	proc_start(&i->proc, uid, be_innocent, (void *)in);
	proc_hear(&i->proc, &answer, 1);
}

void innocent_begin(struct innocent *i)
{
	char order = ORDER_BEGIN;

	proc_say(&i->proc, &order, 1);
}

bool innocent_has_enough(struct innocent *i)
{
	return proc_waits(&i->proc, 0);
}

void innocent_finish(struct innocent *i, struct innocent_report *ret)
{
	char order = ORDER_FINISH, answer;

	proc_say(&i->proc, &order, 1);
	proc_hear(&i->proc, &answer, 1);
	proc_hear(&i->proc, ret, sizeof(*ret));
}

void innocent_measure(struct innocent *i, struct innocent_report *ret)
{
	innocent_begin(i);
	innocent_finish(i, ret);
}

void innocent_check(const struct innocent_report *r, const char *when)
{
	note("%s: %u events of the innocent, ms: p50 %.3f p99 %.3f max %.3f", when, r->n,
		(double)r->p50_ns / 1e6, (double)r->p99_ns / 1e6, (double)r->max_ns / 1e6);
	need_int(r->n, >=, INNOCENT_EVENTS);
	need_int(r->lost, ==, 0);
	need(r->p99_ns < INNOCENT_P99_MS * RDY__NS_PER_MS, "%s: p99 is %.3f ms", when,
		(double)r->p99_ns / 1e6);
}

void innocent_stop(struct innocent *i)
{
	char order = ORDER_STOP;

	proc_say(&i->proc, &order, 1);
	proc_end(&i->proc);
}
