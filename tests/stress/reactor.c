/* SPDX-License-Identifier: MIT */
/*
 * Threads register, modify, rearm, deregister, wake and free wakers while one polls; run under TSan, too.
 * What must hold: no event of a registration that has ended, no error but the documented ones, no readiness
 * and no wake lost (each thread waits for its last ones to be seen), no descriptor leaked.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ready/ready.h"

#define N_THREADS 3
#define N_FDS 8
#define RUN_NS (INT64_C(600) * 1000000)
#define PATIENCE_NS (INT64_C(60) * 1000000000)
#define WAKE_TOKEN UINT64_C(0xffff0000)
#define STOP_TOKEN UINT64_C(0xfffffff0)

struct shared {
	struct rdy_poll *poll;
	int64_t end_ns;
	atomic_uint seen[N_THREADS]; /* the last number of the thread's own eventfd that was seen */
	atomic_uint woken[N_THREADS];
	atomic_uint n_events;
	/* Per thread and descriptor: tokens below this have ended. */
	atomic_uint ended[N_THREADS][N_FDS];
};

struct worker {
	struct shared *s;
	unsigned int id;
	uint32_t seed;
	pthread_t thread;
	/* Left side: bumped before the call, so that a token below is surely dead for the poller. */
	unsigned int version[N_FDS];
	int fds[N_FDS];
};

#define must(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

static uint32_t roll(struct worker *w, uint32_t n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

/* thread:8 | descriptor:8 | version:32 */
static uint64_t token_of(struct worker *w, unsigned int i)
{
	return (uint64_t)w->id << 40 | (uint64_t)i << 32 | w->version[i];
}

static uint32_t any_mode(struct worker *w)
{
	return RDY_EDGE + roll(w, 3);
}

/* From the return of deregister on, the poller must not see the version: it checks ended[]. */
static void churn(struct worker *w, bool *registered)
{
	unsigned int i = roll(w, N_FDS);
	struct rdy_poll *p = w->s->poll;
	int r;

	switch (roll(w, 6)) {
	case 0:
		w->version[i] += !registered[i];
		r = rdy_poll_register(
			p, w->fds[i], token_of(w, i), RDY_READABLE | RDY_WRITABLE, any_mode(w));
		must(r == (registered[i] ? -EEXIST : 0));
		registered[i] = true;
		break;
	case 1:
		w->version[i] += registered[i];
		r = rdy_poll_modify(p, w->fds[i], token_of(w, i), RDY_READABLE, any_mode(w));
		must(r == (registered[i] ? 0 : -ENOENT));
		if (registered[i])
			atomic_store(&w->s->ended[w->id][i], w->version[i]);
		break;
	case 2:
		r = rdy_poll_deregister(p, w->fds[i]);
		must(r == (registered[i] ? 0 : -ENOENT));
		atomic_store(&w->s->ended[w->id][i], w->version[i] + 1);
		registered[i] = false;
		break;
	case 3:
		r = rdy_poll_rearm(p, w->fds[i]);
		must(r == (registered[i] ? 0 : -ENOENT));
		break;
	case 4: /* the number comes back with another file */
		if (registered[i])
			break;
		close(w->fds[i]);
		w->fds[i] = eventfd(roll(w, 2), EFD_CLOEXEC | EFD_NONBLOCK);
		must(w->fds[i] >= 0);
		break;
	default:
		eventfd_write(w->fds[i], 1);
	}
}

static void wait_for(atomic_uint *value, unsigned int want)
{
	int64_t end = rdy_now_ns() + PATIENCE_NS;

	while (atomic_load(value) != want) {
		must(rdy_now_ns() < end);
		sched_yield();
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	bool registered[N_FDS] = {false};
	struct rdy_waker *waker, *passing;
	unsigned int n = 0;

	must(rdy_waker_new(s->poll, WAKE_TOKEN + w->id, &waker) == 0);
	for (unsigned int i = 0; i < N_FDS; i++)
		must((w->fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
	while (rdy_now_ns() < s->end_ns) {
		for (int k = 0; k < 50; k++)
			churn(w, registered);
		/* A waker that comes and goes, pending or not. */
		must(rdy_waker_new(s->poll, WAKE_TOKEN + N_THREADS, &passing) == 0);
		must(rdy_waker_wake(passing) == 0);
		rdy_waker_free(passing);
		/* No wake is lost: each is awaited before the next. */
		n++;
		must(rdy_waker_wake(waker) == 0);
		wait_for(&s->woken[w->id], n);
	}
	/* No readiness is lost: a fresh registration of each descriptor is reported. */
	for (unsigned int i = 0; i < N_FDS; i++) {
		if (registered[i])
			must(rdy_poll_deregister(s->poll, w->fds[i]) == 0);
		atomic_store(&s->ended[w->id][i], ++w->version[i]);
		must(rdy_poll_register(s->poll, w->fds[i], token_of(w, i) | UINT64_C(1) << 39,
			     RDY_WRITABLE, RDY_ONESHOT) == 0);
		wait_for(&s->seen[w->id], i + 1);
		must(rdy_poll_deregister(s->poll, w->fds[i]) == 0);
		close(w->fds[i]);
	}
	rdy_waker_free(waker);
	return NULL;
}

static void check_event(struct shared *s, const struct rdy_event *e)
{
	unsigned int id = (unsigned int)(e->token >> 40), i = e->token >> 32 & 127;

	must(id < N_THREADS && i < N_FDS);
	atomic_fetch_add(&s->n_events, 1);
	if (e->token >> 39 & 1)
		atomic_store(&s->seen[id], i + 1);
}

/*
 * ended[] is read before the event is taken: what had ended by then may not come. (Read after it, the
 * thread may have moved on in between.)
 */
static void poll_until_stopped(struct shared *s)
{
	struct rdy_events *events;
	struct rdy_event e;
	bool stop = false;

	must(rdy_events_new(16, &events) == 0);
	while (!stop) {
		must(rdy_poll_wait(s->poll, events, -1) > 0);
		for (;;) {
			unsigned int ended[N_THREADS][N_FDS];

			for (int t = 0; t < N_THREADS; t++)
				for (int i = 0; i < N_FDS; i++)
					ended[t][i] = atomic_load(&s->ended[t][i]);
			if (!rdy_events_next(events, &e))
				break;
			if (e.token == STOP_TOKEN) {
				stop = true;
			} else if (e.token >= WAKE_TOKEN && e.token <= WAKE_TOKEN + N_THREADS) {
				must(e.ready == (RDY_WAKE | RDY_READABLE));
				if (e.token < WAKE_TOKEN + N_THREADS)
					atomic_fetch_add(&s->woken[e.token - WAKE_TOKEN], 1);
			} else {
				check_event(s, &e);
				must((uint32_t)e.token >=
					ended[e.token >> 40][e.token >> 32 & 127]);
			}
		}
	}
	rdy_events_free(events);
}

static void *wait_and_stop(void *arg)
{
	struct worker *w = arg;
	struct rdy_waker *stop;

	must(rdy_waker_new(w->s->poll, STOP_TOKEN, &stop) == 0);
	for (int t = 0; t < N_THREADS; t++)
		pthread_join(w[t].thread, NULL);
	must(rdy_waker_wake(stop) == 0);
	return stop;
}

static void run(const char *selector, uint32_t flags)
{
	struct rdy_poll_options o = {.size = sizeof(o), .selector = selector, .flags = flags};
	struct shared s = {.end_ns = rdy_now_ns() + RUN_NS};
	struct worker w[N_THREADS];
	pthread_t stopper;
	void *stop;

	must(rdy_poll_new(&o, &s.poll) == 0);
	memset(w, 0, sizeof(w));
	for (unsigned int t = 0; t < N_THREADS; t++) {
		w[t].s = &s;
		w[t].id = t;
		w[t].seed = t + 1;
		must(pthread_create(&w[t].thread, NULL, work, &w[t]) == 0);
	}
	must(pthread_create(&stopper, NULL, wait_and_stop, w) == 0);
	poll_until_stopped(&s);
	pthread_join(stopper, &stop);
	rdy_waker_free(stop);
	must(atomic_load(&s.n_events) > 0);
	printf("%s, flags %#x: %u events\n", selector, flags, atomic_load(&s.n_events));
	rdy_poll_free(s.poll);
}

int main(void)
{
	run("epoll", 0);
	run("epoll", RDY_POLL_PIPE_WAKER);
	run("poll", 0);
	run("poll", RDY_POLL_PIPE_WAKER);
	return 0;
}
