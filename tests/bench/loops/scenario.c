/* SPDX-License-Identifier: MIT */
/*
 * One scenario with one library: PROGRAM SCENARIO N K OPERATIONS prints nanoseconds per operation, and how many
 * operations there were: a loop may handle some more before it ends. What comes before the operations is the same for
 * any number of them, so the difference of two runs is that of the operations alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

/* Turns before the clock starts: buffers that grow have grown by then. */
#define WARM_UP 16
/* Timers that only wait: in an hour and up to a quarter of one more. */
#define FAR_MS 3600000u
#define FAR_SPREAD_MS 1000000u

struct arguments {
	size_t n, k;
	int64_t operations; /* at least so many; at the end, so many were done */
};

_Noreturn void loop_die(const char *what, int r)
{
	fprintf(stderr, "%s: %s\n", what, r ? strerror(r < 0 ? -r : r) : "failed");
	exit(1);
}

void *loop_alloc(size_t n, size_t bytes)
{
	void *p = calloc(n ? n : 1, bytes);

	if (!p)
		loop_die("calloc", ENOMEM);
	return p;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct loop_state *state_of(struct loop *l)
{
	return (struct loop_state *)(void *)l;
}

static void run(struct loop *l, int64_t n_events)
{
	state_of(l)->left = n_events;
	loop_run(l);
}

/* The same numbers in every program. */
static uint32_t next_random(void)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(x >> 33);
}

static int new_eventfd(bool ready)
{
	int fd = eventfd(ready, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		loop_die("eventfd", errno);
	return fd;
}

static void new_pair(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv))
		loop_die("socketpair", errno);
}

/* Take what made the eventfd ready, and make it ready again: what edges need, done by everybody. */
LOOP_HANDLER static void serve(struct loop_state *state, uint64_t token)
{
	uint64_t value;

	if (read((int)token, &value, sizeof(value)) != sizeof(value) ||
		write((int)token, &value, sizeof(value)) != sizeof(value))
		loop_die("serve", errno);
}

LOOP_HANDLER static void echo(struct loop_state *state, uint64_t token)
{
	char buf[64];

	if (read((int)token, buf, sizeof(buf)) != 1 || write((int)token, buf, 1) != 1)
		loop_die("echo", errno);
}

LOOP_HANDLER static void wake_other(struct loop_state *state, uint64_t token)
{
	loop_wake(state->other);
}

/* N registered, K of them ready; an operation is an event. */
static int64_t ready(struct arguments *a, void (*react)(struct loop_state *state, uint64_t token))
{
	struct loop *l = loop_new(&(struct loop_options){.n = a->n});
	int64_t from;

	state_of(l)->react = react;
	for (size_t i = 0, done = 0; i < a->n; i++) {
		bool is_ready = (i + 1) * a->k / a->n > done;
		int fd = new_eventfd(is_ready);

		done += is_ready;
		loop_add(l, i, fd, (uint64_t)fd);
	}
	run(l, loop_one_a_turn ? WARM_UP : (int64_t)(WARM_UP * a->k));
	from = now_ns();
	run(l, a->operations);
	from = now_ns() - from;
	a->operations -= state_of(l)->left;
	return from;
}

static int64_t ready_only(struct arguments *a)
{
	return ready(a, NULL);
}

static int64_t ready_and_served(struct arguments *a)
{
	return ready(a, serve);
}

/* A byte there and back between two sockets of one loop; an operation is one way. */
static int64_t pingpong(struct arguments *a)
{
	struct loop *l = loop_new(&(struct loop_options){.n = 2});
	int64_t from;
	int sv[2];

	new_pair(sv);
	state_of(l)->react = echo;
	loop_add(l, 0, sv[0], (uint64_t)sv[0]);
	loop_add(l, 1, sv[1], (uint64_t)sv[1]);
	if (write(sv[0], "", 1) != 1)
		loop_die("write", errno);
	run(l, WARM_UP);
	from = now_ns();
	run(l, a->operations);
	from = now_ns() - from;
	a->operations -= state_of(l)->left;
	return from;
}

/* The first or the second CPU of those that this process may use; if there is one only, that. */
static void take_cpu(int which)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	CPU_ZERO(&one);
	for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && seen++ == which)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		loop_die("sched_setaffinity", errno);
}

static pthread_barrier_t both;

static void *second_thread(void *loop)
{
	take_cpu(1);
	pthread_barrier_wait(&both);
	loop_run(loop);
	return NULL;
}

/* Two loops, each in a thread of its own, half of the events for each; begin() starts the first. */
static int64_t in_two_threads(struct loop *const l[2], int64_t n_events, void (*begin)(void *data),
	void *data, void (*react)(struct loop_state *state, uint64_t token))
{
	pthread_t thread;
	int64_t from;
	int r;

	for (int i = 0; i < 2; i++) {
		state_of(l[i])->react = react;
		state_of(l[i])->other = l[!i];
		state_of(l[i])->left = (n_events + !i) / 2;
	}
	pthread_barrier_init(&both, NULL, 2);
	r = pthread_create(&thread, NULL, second_thread, l[1]);
	if (r)
		loop_die("pthread_create", r);
	take_cpu(0);
	pthread_barrier_wait(&both);
	from = now_ns();
	begin(data);
	loop_run(l[0]);
	pthread_join(thread, NULL);
	return now_ns() - from;
}

static void begin_write(void *data)
{
	if (write(*(int *)data, "", 1) != 1)
		loop_die("write", errno);
}

static int64_t pingpong2(struct arguments *a)
{
	struct loop *l[2];
	int sv[2];

	new_pair(sv);
	for (int i = 0; i < 2; i++) {
		l[i] = loop_new(&(struct loop_options){.n = 1});
		loop_add(l[i], 0, sv[i], (uint64_t)sv[i]);
	}
	return in_two_threads(l, a->operations, begin_write, &sv[1], echo);
}

static void begin_wake(void *data)
{
	loop_wake(data);
}

/* Each loop wakes the other one; an operation is one wake. */
static int64_t wake(struct arguments *a)
{
	struct loop *l[2];

	for (int i = 0; i < 2; i++)
		l[i] = loop_new(&(struct loop_options){.n = 0, .waker = true});
	return in_two_threads(l, a->operations, begin_wake, l[0], wake_other);
}

/* A socket that is neither readable nor writable. */
static int full_socket(void)
{
	static char block[4096];
	int sv[2];

	new_pair(sv);
	while (write(sv[0], block, sizeof(block)) > 0)
		;
	while (write(sv[0], block, 1) > 0)
		;
	return sv[0];
}

static void churn_once(struct loop *l, size_t i, int fd, bool turns)
{
	loop_add(l, i, fd, 1);
	if (turns)
		loop_turn(l);
	loop_modify(l, i);
	if (turns)
		loop_turn(l);
	loop_remove(l, i);
	if (turns)
		loop_turn(l);
}

/* Beside N others, none of which is ready: watch a descriptor, change what is asked for, forget it. */
static int64_t churn_with(struct arguments *a, bool turns)
{
	struct loop *l = loop_new(&(struct loop_options){.n = a->n + 1, .changes = turns});
	int fd = full_socket();
	int64_t from;

	for (size_t i = 0; i < a->n; i++)
		loop_add(l, i, new_eventfd(false), 1);
	loop_turn(l);
	for (int i = 0; i < WARM_UP; i++)
		churn_once(l, a->n, fd, turns);
	from = now_ns();
	for (int64_t i = 0; i < a->operations; i++)
		churn_once(l, a->n, fd, turns);
	return now_ns() - from;
}

static int64_t churn(struct arguments *a)
{
	return churn_with(a, loop_defers);
}

static int64_t churn_turn(struct arguments *a)
{
	return churn_with(a, true);
}

static void set_far(struct loop_state *state, uint64_t token)
{
	loop_timer_set((struct loop *)(void *)state, token, FAR_MS + next_random() % FAR_SPREAD_MS);
}

static void expire_one(struct loop *l, size_t n)
{
	loop_timer_set(l, next_random() % n, 0);
	state_of(l)->left = 1;
	loop_expire(l);
}

/* N timers wait; an operation sets one to now, it expires, and its handler sets it to a far time. */
static int64_t timers(struct arguments *a)
{
	struct loop *l = loop_new(&(struct loop_options){.n = 0, .n_timers = a->n});
	int64_t from;

	state_of(l)->react = set_far;
	for (size_t i = 0; i < a->n; i++)
		set_far(state_of(l), i);
	for (int i = 0; i < WARM_UP; i++)
		expire_one(l, a->n);
	from = now_ns();
	for (int64_t i = 0; i < a->operations; i++)
		expire_one(l, a->n);
	return now_ns() - from;
}

static const struct {
	const char *name;
	int64_t (*run)(struct arguments *a);
} scenarios[] = {
	{"ready", ready_only},
	{"serve", ready_and_served},
	{"pingpong", pingpong},
	{"pingpong2", pingpong2},
	{"wake", wake},
	{"churn", churn},
	{"churn-turn", churn_turn},
	{"timers", timers},
};

int main(int argc, char **argv)
{
	struct rlimit limit;
	struct arguments a;
	int64_t ns;

	if (argc != 5) {
		fprintf(stderr, "usage: %s SCENARIO N K OPERATIONS\n", argv[0]);
		return 2;
	}
	a.n = strtoul(argv[2], NULL, 10);
	a.k = strtoul(argv[3], NULL, 10);
	a.operations = strtoll(argv[4], NULL, 10);
	if (a.n < 1 || a.k < 1 || a.k > a.n || a.operations < 1) {
		fprintf(stderr, "%s: 1 <= K <= N and 1 <= OPERATIONS, please\n", argv[0]);
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(argv[1], scenarios[i].name)) {
			ns = scenarios[i].run(&a);
			printf("%.2f %lld\n", (double)ns / (double)a.operations,
				(long long)a.operations);
			return 0;
		}
	fprintf(stderr, "%s: no scenario of that name: %s\n", argv[0], argv[1]);
	return 2;
}
