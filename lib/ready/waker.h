/* SPDX-License-Identifier: MIT */
/*
 * libready: end another thread's wait. Wakes that come before the event is taken are one event.
 */
#ifndef READY_WAKER_H
#define READY_WAKER_H

#include <ready/poll.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rdy_waker;

/*
 * Create a waker of a poll. Its events carry token and RDY_WAKE | RDY_READABLE. A poll may have several.
 * Ownership: *ret is the caller's, freed with rdy_waker_free(), also after the poll was freed.
 * Errors: -EINVAL a NULL argument · -EMFILE, -ENFILE, -ENOMEM as eventfd(2), pipe(2) · -ENOTSUP the
 *   selector has none · -ECHILD after fork.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_waker_new(struct rdy_poll *poll, uint64_t token, struct rdy_waker **ret);

/*
 * Make the poll's wait (the present or the next one) return with this waker's event.
 * What the caller wrote to memory before is visible to the waiting thread after the event.
 * Errors: -ECHILD after fork · -EPIPE the poll was freed. It never blocks.
 * Thread: any; async-signal-safe. Since: 0.1.
 */
RDY_API int rdy_waker_wake(struct rdy_waker *waker);

/*
 * How often the waker was woken since it was made, also those wakes that became one event; wraps after 2^64. In the
 * waiting thread, after the event: all wakes up to it are counted. 0 if waker is NULL. Thread: any. Since: 0.1.
 */
RDY_API uint64_t rdy_waker_count(const struct rdy_waker *waker);

/* Free a waker; a wake that was not yet reported is lost. NULL is allowed. Returns NULL.
 * Thread: any, with no wake on it in progress. Since: 0.1. */
RDY_API struct rdy_waker *rdy_waker_free(struct rdy_waker *waker);

#ifdef __cplusplus
}
#endif
#endif
