/* SPDX-License-Identifier: MIT */
/*
 * Knows whether this process is the one that created the guard, or a fork of it, with one load from memory.
 * The kernel wipes the guard's page in a child; where it cannot, the process id is compared.
 */
#ifndef BASE_GUARD_H
#define BASE_GUARD_H

#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

struct rdy__guard {
	const volatile unsigned char *mark; /* 1, or 0 in a child; NULL: compare pid */
	pid_t pid;
};

/* Errors: -ENOMEM. */
int rdy__guard_init(struct rdy__guard *g);
void rdy__guard_deinit(struct rdy__guard *g);

/* False in a forked child. Threads: any; async-signal-safe. */
static inline bool rdy__guard_ok(const struct rdy__guard *g)
{
	if (__builtin_expect(g->mark != NULL, 1))
		return *g->mark;
	return getpid() == g->pid;
}

#endif
