/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound cleanup and explicit ownership transfer.
 * Threads: any. May not allocate, log or touch errno on the success path.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>
#include <stdlib.h>

/* Run fn(&variable) when the variable leaves its scope. */
#define rdy__cleanup(fn) __attribute__((__cleanup__(fn)))

/* Move a pointer out of its variable, which becomes NULL: the hand-over is visible at the call. */
#define rdy__steal(ptr) \
	({ \
		__typeof__(ptr) rdy__steal_tmp = (ptr); \
		(ptr) = NULL; \
		rdy__steal_tmp; \
	})

#define rdy__container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define RDY__ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void rdy__freep(void *p)
{
	free(*(void **)p);
}

/* Move a descriptor out of its variable, which becomes -1. */
static inline int rdy__steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#endif
