/* SPDX-License-Identifier: MIT */
/*
 * What a library has to do in the comparison. One file per library implements it, each is linked with scenario.c into
 * a program of its own: libev and libevent have functions of the same name, and a process is what the tools count.
 * Nothing is released: a program runs one scenario and ends. Whatever fails ends it, with a word on standard error.
 * Threads: a loop belongs to one, but for loop_wake().
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What handlers write; the first member of every struct loop. */
struct loop_state {
	int64_t left; /* events until loop_run() returns */
	uint64_t sum; /* of the tokens, so that nobody leaves them out */
	void (*react)(struct loop_state *state, uint64_t token); /* NULL: an event is counted */
	struct loop *other;
};

/* Every event ends here: of a descriptor, a timer or a waker. */
static inline void loop_handle(struct loop_state *state, uint64_t token)
{
	state->sum += token;
	state->left--;
	if (state->react)
		state->react(state, token);
}

/* On handlers: what they do counts for every program alike, so nothing is added to it that Rust does not have. */
#if defined(__has_attribute) && __has_attribute(no_stack_protector)
#define LOOP_HANDLER __attribute__((no_stack_protector))
#else
#define LOOP_HANDLER
#endif

struct loop_options {
	size_t n;	 /* descriptors at most */
	size_t n_timers; /* none of them set */
	bool waker;	 /* another thread will wake the loop */
	bool changes;	 /* descriptors come and go, with a turn in between */
};

struct loop;

/* The library reports one event a turn, so whoever wants few turns asks for few events. */
extern const bool loop_one_a_turn;
/* A change reaches the kernel with the next turn only. */
extern const bool loop_defers;

struct loop *loop_new(const struct loop_options *options);
/* Watcher i < n: level-triggered, readable. The descriptor does not block. */
void loop_add(struct loop *l, size_t i, int fd, uint64_t token);
/* It is to be watched for readable and writable from now on. */
void loop_modify(struct loop *l, size_t i);
void loop_remove(struct loop *l, size_t i);
/* Wait for events and handle them until state.left is 0, or below it. */
void loop_run(struct loop *l);
/* Look once, without waiting. */
void loop_turn(struct loop *l);
/* One-shot, its token is i; replaces what was set. */
void loop_timer_set(struct loop *l, size_t i, unsigned int ms);
/* Until state.left is 0; a timer that is due is set. */
void loop_expire(struct loop *l);
/* Make the loop handle an event with token 1. Any thread. */
void loop_wake(struct loop *l);

/* In scenario.c. */
_Noreturn void loop_die(const char *what, int r);
void *loop_alloc(size_t n, size_t bytes);

#endif
