/* SPDX-License-Identifier: MIT */
/* The model of the reactor's fuzz target: what is registered, and what may and what has to come of it. */
#ifndef FUZZ_REACTOR_MODEL_H
#define FUZZ_REACTOR_MODEL_H

#include "reactor_things.h"
#include "ready/ready.h"

#define N_WORLDS 2 /* 0: epoll, edges are native; 1: poll */
#define N_PARTS 2  /* timers, and wakers */
#define MAX_STEPS 200
#define N_OPERATIONS 20
#define HOUR_NS INT64_C(3600000000000)
#define WAKER_TOKEN UINT64_C(0xffff000000000000)
#define TIMER_TOKEN UINT64_C(0xfffe000000000000)
#define HANG (POLLERR | POLLHUP) /* reported whatever was asked for */

/* What is registered under a number. A ghost was closed without deregistering. */
enum state { NONE, LIVE, GHOST };

static struct registration {
	uint64_t token;
	uint32_t mode, want; /* poll(2)'s bits */
	bool exclusive;
} regs[N_THINGS];

/* One selector's view of a registration. */
struct view {
	enum state state;
	uint32_t asked; /* EDGE, emulated: what has not been delivered yet */
	bool armed;	/* ONESHOT, and EDGE emulated: no hangup was delivered */
	bool touched;	/* EDGE: something happened since it was delivered: it may come */
	bool owed;	/* EDGE: something became ready since: it has to */
	unsigned int epoch;
	/* As it was when the batch was fetched; raw 0: it cannot be in it. */
	struct {
		uint32_t raw;
		bool must, touched, owed;
		unsigned int epoch;
	} f;
};

struct part {
	bool set, fetched; /* fetched: was set when the batch was */
	int64_t deadline_ns;
};

static struct world {
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct rdy_waker *wakers[N_PARTS];
	struct rdy_timer *timers[N_PARTS];
	struct part woken[N_PARTS], timed[N_PARTS];
	struct view views[N_THINGS];
	bool whole; /* the batch has all that was ready */
	int left;   /* events that it may still have */
	uint32_t taken;
} worlds[N_WORLDS];

static size_t capacity;
static uint64_t last_token;
static bool phantoms; /* epoll may watch files whose registration is gone */
static const uint8_t *steps;
static size_t n_steps;

static void wrong(const char *what, int line)
{
	fprintf(stderr, "reactor: line %d: %s\n", line, what);
	for (size_t i = 0; i < n_steps; i++)
		fprintf(stderr, "  step %zu: operation %u, number %u, argument %#x\n", i,
			steps[2 * i] / N_THINGS % N_OPERATIONS, steps[2 * i] % N_THINGS,
			steps[2 * i + 1]);
	for (size_t i = 0; i < N_THINGS; i++)
		for (int k = 0; k < N_WORLDS; k++) {
			const struct view *v = &worlds[k].views[i];

			fprintf(stderr,
				"  number %zu, world %d: kind %d, mask %#x, mode %u, want %#x, "
				"state %d, armed %d, asked %#x, touched %d, owed %d\n",
				i, k, things[i].kind, mask_of(&things[i]), regs[i].mode,
				regs[i].want, v->state, v->armed, v->asked, v->touched, v->owed);
		}
	abort();
}

#define for_each_world(w) for (struct world *w = worlds; w < worlds + N_WORLDS; w++)
#define is_native(w) ((w) == worlds)

/* The rules in words, not the library's table. */
static uint32_t ready_of(uint32_t raw)
{
	uint32_t ready = 0;

	if (raw & (POLLIN | POLLPRI))
		ready |= RDY_READABLE;
	if (raw & POLLPRI)
		ready |= RDY_PRIORITY;
	if (raw & POLLOUT)
		ready |= RDY_WRITABLE;
	if (raw & POLLERR)
		ready |= RDY_ERROR;
	if (raw & (POLLHUP | POLLRDHUP))
		ready |= RDY_READ_CLOSED;
	if (raw & POLLHUP || (raw & POLLOUT && raw & POLLERR) || raw == POLLERR)
		ready |= RDY_WRITE_CLOSED;
	return ready;
}

static uint32_t want_of(uint32_t interest)
{
	return (interest & RDY_READABLE ? POLLIN | POLLRDHUP : 0) |
	       (interest & RDY_WRITABLE ? POLLOUT : 0) | (interest & RDY_PRIORITY ? POLLPRI : 0) |
	       (interest & RDY_HANGUP_ONLY ? POLLRDHUP : 0);
}

/* What an event of it would say now; 0: there is none. */
static uint32_t raw_now(const struct world *w, int i)
{
	const struct view *v = &w->views[i];
	uint32_t raw = mask_of(&things[i]) & (regs[i].want | HANG);

	if (v->state != LIVE)
		return 0;
	if (regs[i].mode == RDY_ONESHOT)
		return v->armed ? raw : 0;
	if (regs[i].mode != RDY_EDGE)
		return raw;
	if (is_native(w))
		return v->touched ? raw : 0;
	return v->armed ? raw & (v->asked | HANG) : 0;
}

static bool must_come(const struct world *w, int i)
{
	return raw_now(w, i) && (!is_native(w) || regs[i].mode != RDY_EDGE || w->views[i].owed);
}

/* Something was done to the file: what became ready by it is owed. */
static void after_touch(int i, uint32_t before)
{
	uint32_t now = mask_of(&things[i]);

	for_each_world(w)
	{
		w->views[i].touched = true;
		if (now & ~before & (regs[i].want | HANG))
			w->views[i].owed = true;
	}
}

/* Registered, modified or armed again: as if nothing had been delivered. */
static void fresh(struct world *w, int i)
{
	struct view *v = &w->views[i];

	v->armed = v->touched = true;
	v->asked = regs[i].want;
	v->owed = mask_of(&things[i]) & (regs[i].want | HANG);
	v->epoch++;
}

static void gone(struct world *w, int i)
{
	w->views[i].state = NONE;
	w->views[i].epoch++;
}

#endif
