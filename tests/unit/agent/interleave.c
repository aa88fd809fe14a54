/* SPDX-License-Identifier: MIT */
/*
 * Every interleaving of the mailbox and its waker, and every order of uses of the registrations' slots.
 *
 * The sources of both are compiled in here with a scheduling point before each operation on shared state
 * (locks, atomics, the wake descriptor). Threads are real ones that run one at a time, by a baton; a schedule
 * is a list of choices, and the search goes through all of them, depth first, leaving out what leads to a
 * state that was seen before. The descriptor is modelled: a signal makes it readable, a wait consumes that.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define THREADS_MAX 4
#define STEPS_MAX 256
#define SEEN_SLOTS (1u << 16)

/* ---- one thread at a time ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t turn;
	int running; /* whose turn it is; -1: the scheduler's */
	int n_threads;
	struct {
		pthread_t thread;
		void (*run)(void);
		bool done;
		bool (*ready)(void); /* NULL: it can go on */
		uint64_t history;    /* what it has done and seen */
	} of[THREADS_MAX];
	uint64_t n_states, n_schedules;
	uint64_t (*state)(void);
	uint64_t seen[SEEN_SLOTS];
	uint32_t n_seen;
} play;

static _Thread_local int me = -1;

static uint64_t mix(uint64_t h, uint64_t value)
{
	h ^= value + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
	return h * 0xff51afd7ed558ccdu;
}

/* Give the turn back, and go on when it comes again. */
static void yield_until(bool (*ready)(void), uint64_t where)
{
	if (me < 0)
		return;
	pthread_mutex_lock(&play.lock);
	play.of[me].history = mix(play.of[me].history, where);
	play.of[me].ready = ready;
	play.running = -1;
	pthread_cond_broadcast(&play.turn);
	while (play.running != me)
		pthread_cond_wait(&play.turn, &play.lock);
	play.of[me].ready = NULL;
	pthread_mutex_unlock(&play.lock);
}

static uint64_t saw(uint64_t value)
{
	if (me >= 0)
		play.of[me].history = mix(play.of[me].history, value + 1);
	return value;
}

#define STEP() yield_until(NULL, __LINE__)

static void step_lock(pthread_mutex_t *m)
{
	/* What is under the lock has no scheduling point, so nobody ever finds it taken. */
	STEP();
	ck_assert_int_eq(pthread_mutex_trylock(m), 0);
}

/* ---- the sources, with their shared operations made visible ---- */

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
static bool under_lock;
#define VISIBLE() (under_lock ? (void)0 : STEP())
#define atomic_load(p) \
	(VISIBLE(), (__typeof__(atomic_load_explicit(p, memory_order_seq_cst)))saw( \
			    (uint64_t)atomic_load_explicit(p, memory_order_seq_cst)))
#define atomic_store(p, v) (VISIBLE(), atomic_store_explicit(p, v, memory_order_seq_cst))
#define atomic_exchange(p, v) \
	(VISIBLE(), (bool)saw((uint64_t)atomic_exchange_explicit(p, v, memory_order_seq_cst)))
#define pthread_mutex_lock(m) (step_lock(m), (void)(under_lock = true))
#define pthread_mutex_unlock(m) ((void)(under_lock = false), pthread_mutex_unlock(m))

#include "waker.c"

#include "mailbox.c"

#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#define atomic_load(p) atomic_load_explicit(p, memory_order_seq_cst)

/* ---- the wake descriptor: readable from a signal until a wait (edge) or a drain (level) ---- */

static bool readable;
static bool broken_order; /* a mutant: the mailbox's owner clears `woken` after it has looked */

static const struct rdy__wake_ops *model_ops; /* of this exploration */

static int model_init(struct rdy__wake *w)
{
	*w = (struct rdy__wake){model_ops, -1, -1};
	return 0;
}

static void model_signal(const struct rdy__wake *w)
{
	STEP();
	readable = true;
}

static void model_drain(const struct rdy__wake *w)
{
	STEP();
	readable = false;
}

static const struct rdy__wake_ops edge_ops = {
	.name = "edge",
	.edge_refires = true,
	.init = model_init,
	.signal = model_signal,
	.drain = model_drain,
};
static const struct rdy__wake_ops level_ops = {
	.name = "level",
	.edge_refires = false,
	.init = model_init,
	.signal = model_signal,
	.drain = model_drain,
};

/* ---- the play: two senders of two messages each, and a reader who sleeps in between ---- */

#define SENDERS 2
#define MESSAGES 2

static struct rdy__hub *hub;
static struct rdy_poll poll_;
static struct mailbox box;
static struct rdy_events batch;
static struct rdy__list mail[SENDERS][MESSAGES];
static int n_got, n_sleeps;

static size_t n_waiting(void)
{
	size_t n = 0;

	rdy__list_for_each (l, &box.waiting)
		n++;
	return n;
}

static uint64_t play_state(void)
{
	uint64_t h = n_waiting();

	h = h * 8 + (uint64_t)n_got;
	h = h * 2 + box.woken;
	h = h * 2 + atomic_load(&box.waker->pending);
	h = h * 2 + atomic_load(&hub->any);
	return h * 2 + readable;
}

static void send_all(int who)
{
	for (int i = 0; i < MESSAGES; i++)
		mailbox_post(&box, &mail[who][i]);
}

static void sender_0(void)
{
	send_all(0);
}

static void sender_1(void)
{
	send_all(1);
}

static bool is_readable(void)
{
	return readable;
}

/* What rdy_poll_wait() does with its wake descriptor, around the real rdy__hub_collect(). */
static bool wait_for_wake(void)
{
	bool left;

	n_sleeps++;
	yield_until(is_readable, __LINE__);
	if (hub->wake.ops->edge_refires)
		readable = false;
	STEP();
	if (!saw(atomic_load(&hub->any)))
		return false;
	rdy__list_init(&batch.wakers);
	return rdy__hub_collect(hub, &batch, 8, &left) > 0;
}

static void take_wrongly(struct mailbox *m, struct rdy__list *ret)
{
	struct rdy__list *node;

	STEP();
	while ((node = rdy__list_pop(&m->waiting)))
		rdy__list_append(ret, node);
	STEP();
	m->woken = false;
}

static void reader(void)
{
	while (n_got < SENDERS * MESSAGES) {
		struct rdy__list all;

		if (!wait_for_wake())
			continue;
		rdy__list_init(&all);
		(broken_order ? take_wrongly : mailbox_take)(&box, &all);
		while (rdy__list_pop(&all))
			n_got++;
	}
}

static void set_up(const struct rdy__wake_ops *ops)
{
	hub = NULL;
	n_got = n_sleeps = 0;
	readable = under_lock = false;
	model_ops = ops;
	ck_assert_int_eq(rdy__hub_new(ops, &hub), 0);
	poll_.hub = hub;
	ck_assert_int_eq(mailbox_init(&box, &poll_, 1), 0);
	for (int s = 0; s < SENDERS; s++)
		for (int i = 0; i < MESSAGES; i++)
			rdy__list_init(&mail[s][i]);
}

static void tear_down(void)
{
	mailbox_deinit(&box);
	rdy__hub_unref(hub);
}

/* ---- the search ---- */

static void *thread_main(void *data)
{
	me = (int)(intptr_t)data;
	pthread_mutex_lock(&play.lock);
	while (play.running != me)
		pthread_cond_wait(&play.turn, &play.lock);
	pthread_mutex_unlock(&play.lock);
	play.of[me].run();
	pthread_mutex_lock(&play.lock);
	play.of[me].done = true;
	play.running = -1;
	pthread_cond_broadcast(&play.turn);
	pthread_mutex_unlock(&play.lock);
	return NULL;
}

static void let_run(int i)
{
	pthread_mutex_lock(&play.lock);
	play.running = i;
	pthread_cond_broadcast(&play.turn);
	while (play.running != -1)
		pthread_cond_wait(&play.turn, &play.lock);
	pthread_mutex_unlock(&play.lock);
}

/* Was this state reached before? Remembers it. */
static bool seen_before(void)
{
	uint64_t key = play.state();
	uint32_t i;

	for (int t = 0; t < play.n_threads; t++)
		key = mix(key, play.of[t].history + play.of[t].done);
	key |= 1;
	for (i = (uint32_t)(key >> 32) & (SEEN_SLOTS - 1); play.seen[i];
		i = (i + 1) & (SEEN_SLOTS - 1))
		if (play.seen[i] == key)
			return true;
	play.seen[i] = key;
	ck_assert_uint_lt(++play.n_seen, SEEN_SLOTS / 2);
	return false;
}

struct choice {
	uint8_t taken, n;
};

/*
 * One schedule: follows path as far as it goes, then always the first. Returns its length; *ret_stuck: nobody
 * could go on and somebody was not done. A schedule that meets a known state beyond path is run to its end
 * without new choices.
 */
static int run_schedule(
	void (*const *runs)(void), int n, struct choice *path, int length, bool *ret_stuck)
{
	bool known = false;
	int depth = 0;

	*ret_stuck = false;
	play.n_threads = n;
	play.running = -1;
	for (int i = 0; i < n; i++) {
		play.of[i].run = runs[i];
		play.of[i].done = false;
		play.of[i].ready = NULL;
		play.of[i].history = 0;
		ck_assert_int_eq(
			pthread_create(&play.of[i].thread, NULL, thread_main, (void *)(intptr_t)i),
			0);
	}
	for (;;) {
		int able[THREADS_MAX], n_able = 0, n_done = 0, pick = 0;

		for (int i = 0; i < n; i++) {
			n_done += play.of[i].done;
			if (!play.of[i].done && (!play.of[i].ready || play.of[i].ready()))
				able[n_able++] = i;
		}
		if (n_done == n)
			break;
		if (!n_able) {
			*ret_stuck = true;
			break;
		}
		if (n_able > 1 && !known) {
			if (depth < length) {
				pick = path[depth].taken;
				depth++;
			} else if (seen_before()) {
				known = true;
			} else {
				ck_assert_int_lt(depth, STEPS_MAX);
				path[depth++] = (struct choice){0, (uint8_t)n_able};
			}
		}
		let_run(able[pick]);
	}
	/* Whoever waits for ever is let go, so that the threads can be joined. */
	while (*ret_stuck) {
		bool left = false;

		readable = true;
		n_got = SENDERS * MESSAGES;
		for (int i = 0; i < n; i++) {
			if (!play.of[i].done) {
				let_run(i);
				left |= !play.of[i].done;
			}
		}
		if (!left)
			break;
	}
	for (int i = 0; i < n; i++)
		pthread_join(play.of[i].thread, NULL);
	return depth;
}

/* Returns the number of schedules in which somebody waited for ever. */
static uint64_t explore(const struct rdy__wake_ops *ops)
{
	static void (*const runs[])(void) = {sender_0, sender_1, reader};
	static struct choice path[STEPS_MAX];
	uint64_t n_stuck = 0;
	int length = 0;

	play.n_schedules = 0;
	play.n_seen = 0;
	play.state = play_state;
	memset(play.seen, 0, sizeof(play.seen));
	for (;;) {
		bool stuck;
		int depth;

		set_up(ops);
		depth = run_schedule(runs, 3, path, length, &stuck);
		n_stuck += stuck;
		if (!stuck)
			ck_assert_int_eq(n_got, SENDERS * MESSAGES);
		tear_down();
		play.n_schedules++;
		while (depth > 0 && path[depth - 1].taken + 1 >= path[depth - 1].n)
			depth--;
		if (depth == 0)
			return n_stuck;
		path[depth - 1].taken++;
		length = depth;
	}
}

static void init_play(void)
{
	pthread_mutex_init(&play.lock, NULL);
	pthread_cond_init(&play.turn, NULL);
}

/* Invariant: WAKE-1 */
START_TEST(mailbox)
{
	init_play();
	ck_assert_uint_eq(explore(&edge_ops), 0);
	printf("# edge: %u states, %llu schedules\n", play.n_seen,
		(unsigned long long)play.n_schedules);
	ck_assert_uint_gt(play.n_seen, 100);
	ck_assert_uint_eq(explore(&level_ops), 0);
	printf("# level: %u states, %llu schedules\n", play.n_seen,
		(unsigned long long)play.n_schedules);
	ck_assert_uint_gt(play.n_seen, 100);
}
END_TEST

/* The search finds what it is made for: a message that waits for ever when `woken` is cleared too late. */
START_TEST(a_lost_wake_is_found)
{
	init_play();
	broken_order = true;
	ck_assert_uint_gt(explore(&edge_ops), 0);
	broken_order = false;
}
END_TEST

UNIT_MAIN("agent/interleave", mailbox, a_lost_wake_is_found)
