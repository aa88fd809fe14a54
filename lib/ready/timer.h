/* SPDX-License-Identifier: MIT */
/*
 * libready: one-shot deadlines in a poll, on CLOCK_MONOTONIC, in nanoseconds. They cost no descriptor.
 */
#ifndef READY_TIMER_H
#define READY_TIMER_H

#include <ready/poll.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rdy_timer;

/* CLOCK_MONOTONIC now, in nanoseconds: what deadlines are measured on. Thread: any. Since: 0.1. */
RDY_API int64_t rdy_now_ns(void);

/*
 * Create a timer, not set. Its events carry token and RDY_TIMER.
 * Ownership: *ret is the caller's, freed with rdy_timer_free(), also after the poll was freed.
 * Errors: -EINVAL a NULL argument · -ENOMEM · -ECHILD after fork.
 * Thread: the waiting one. Since: 0.1.
 */
RDY_API int rdy_timer_new(struct rdy_poll *poll, uint64_t token, struct rdy_timer **ret);

/*
 * Fire once at deadline_ns (absolute, CLOCK_MONOTONIC); replaces an earlier deadline; one in the past fires
 * in the next wait. An event of an earlier deadline that was fetched but not taken is withdrawn.
 * Errors: -EINVAL deadline_ns is negative · -ECHILD after fork. Setting cannot run out of memory.
 * Thread: the waiting one. Since: 0.1.
 */
RDY_API int rdy_timer_set(struct rdy_timer *timer, int64_t deadline_ns);

/* Take the deadline back, if one is set. Errors: none. Thread: the waiting one. Since: 0.1. */
RDY_API int rdy_timer_clear(struct rdy_timer *timer);

/* Free a timer. NULL is allowed. Returns NULL. Thread: the waiting one. Since: 0.1. */
RDY_API struct rdy_timer *rdy_timer_free(struct rdy_timer *timer);

#ifdef __cplusplus
}
#endif
#endif
