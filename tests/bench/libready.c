/* SPDX-License-Identifier: MIT */
/*
 * libready's reactor against a bare loop over the same system call: n eventfds registered, k of them ready in mode
 * LEVEL, so every wait returns k events and nothing else happens. Time, and user instructions where the machine counts
 * them (perf_event_open(2)): those are the same on a busy machine.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <poll.h>
#include <ready/ready.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define N_MAX 10000
#define ROUNDS 9
#define EVENTS_A_ROUND 200000 /* or scanned descriptors, with poll(2) */
#define BATCH 1024

/* One way to wait. Returns the sum of the tokens, so that nobody leaves them out. */
struct loop {
	int n, k;
	int fds[N_MAX];
	struct rdy_poll *poll;
	struct rdy_events *events;
	int ep;
	struct epoll_event batch[BATCH];
	struct pollfd pollfds[N_MAX];
};

static volatile uint64_t sink;
static int counter = -1;

static void wait_ready(struct loop *l)
{
	struct rdy_event e;
	uint64_t sum = 0;

	if (rdy_poll_wait(l->poll, l->events, -1) < 0)
		bench_die("libready: wait");
	while (rdy_events_next(l->events, &e))
		sum += e.token + e.ready;
	sink += sum;
}

static void wait_epoll(struct loop *l)
{
	int n = epoll_wait(l->ep, l->batch, BATCH, -1);
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += l->batch[i].data.u64 + l->batch[i].events;
	sink += sum;
}

static void wait_poll(struct loop *l)
{
	int left = poll(l->pollfds, (nfds_t)l->n, -1);
	uint64_t sum = 0;

	for (int i = 0; left > 0; i++)
		if (l->pollfds[i].revents) {
			sum += (uint64_t)i + (uint64_t)l->pollfds[i].revents;
			left--;
		}
	sink += sum;
}

static void open_loop(struct loop *l, const char *selector, int n, int k)
{
	struct rdy_poll_options o = {
		.size = sizeof(o), .selector = selector, .flags = RDY_POLL_SINGLE_THREAD};

	l->n = n;
	l->k = k;
	if (rdy_poll_new(&o, &l->poll) < 0 || rdy_events_new(BATCH, &l->events) < 0)
		bench_die("libready: no selector %s", selector);
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < n; i++) {
		/* Spread over the whole, as in life. */
		bool ready = (int64_t)i * k / n != (int64_t)(i + 1) * k / n;
		int fd = l->fds[i] = eventfd(ready, EFD_CLOEXEC | EFD_NONBLOCK);
		struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)i};

		l->pollfds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
		if (fd < 0 || epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &e) < 0 ||
			rdy_poll_register(l->poll, fd, (uint64_t)i, RDY_READABLE, RDY_LEVEL) < 0)
			bench_die("libready: %s", strerror(errno));
	}
}

static void close_loop(struct loop *l)
{
	l->poll = rdy_poll_free(l->poll);
	l->events = rdy_events_free(l->events);
	close(l->ep);
	for (int i = 0; i < l->n; i++)
		close(l->fds[i]);
}

/* User instructions of this thread from now on; -1: the machine does not count them. */
static int open_counter(void)
{
	struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE,
		.size = sizeof(a),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1};

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

struct cost {
	double ns, instructions; /* of one event */
};

static struct cost measure(struct loop *l, void (*wait)(struct loop *l), int waits)
{
	uint64_t before = 0, after = 0;
	int64_t from;
	double n = (double)waits * l->k;

	wait(l);
	if (counter >= 0 && read(counter, &before, sizeof(before)) != sizeof(before))
		bench_die("libready: the counter");
	from = bench_now_ns();
	for (int i = 0; i < waits; i++)
		wait(l);
	from = bench_now_ns() - from;
	if (counter >= 0 && read(counter, &after, sizeof(after)) != sizeof(after))
		bench_die("libready: the counter");
	return (struct cost){(double)from / n, counter >= 0 ? (double)(after - before) / n : NAN};
}

static void compare(const char *selector, void (*bare)(struct loop *l), const char *yardstick,
	int n, int k, double reach)
{
	static struct loop l;
	double ours[ROUNDS], theirs[ROUNDS], ratio[ROUNDS];
	struct cost a = {0}, b = {0};
	bool scans = bare == wait_poll;
	int waits = EVENTS_A_ROUND / (scans ? n : k);
	char what[96];

	open_loop(&l, selector, n, k);
	waits = waits < 20 ? 20 : waits > 50000 ? 50000 : waits;
	for (int i = 0; i < ROUNDS; i++) {
		a = measure(&l, wait_ready, waits);
		b = measure(&l, bare, waits);
		ours[i] = a.ns;
		theirs[i] = b.ns;
		ratio[i] = a.ns / b.ns;
	}
	snprintf(what, sizeof(what), "%s, %d of %d ready, per event", selector, k, n);
	bench_print(&(struct bench_figure){"libready", what, "ns", yardstick,
		bench_median(ours, ROUNDS), bench_median(theirs, ROUNDS),
		bench_median(ratio, ROUNDS), reach});
	if (counter >= 0) {
		snprintf(what, sizeof(what), "%s, %d of %d ready, more than bare", selector, k, n);
		bench_print(&(struct bench_figure){"libready", what, "instr", "reach: 25 an event",
			a.instructions - b.instructions, scans ? NAN : 25,
			scans ? NAN : (a.instructions - b.instructions) / 25, scans ? NAN : 1});
	}
	close_loop(&l);
}

void bench_libready(void)
{
	static const int sizes[][2] = {
		{1, 1}, {100, 16}, {1000, 1}, {1000, 16}, {1000, 100}, {1000, 1000}, {10000, 16}};

	if (bench_raise_nofile() < N_MAX + 100) {
		fprintf(stderr, "bench: libready: skipped: the hard limit of descriptors is low\n");
		return;
	}
	counter = open_counter();
	if (counter < 0)
		fprintf(stderr, "bench: libready: no instructions: %s\n", strerror(errno));
	bench_one_cpu(true);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		compare("epoll", wait_epoll, "epoll_wait alone", sizes[i][0], sizes[i][1], NAN);
	compare("poll", wait_poll, "poll alone", 1000, 1, 1.3);
	compare("poll", wait_poll, "poll alone", 1000, 100, NAN);
	bench_one_cpu(false);
	if (counter >= 0)
		close(counter);
	counter = -1;
}
