/* SPDX-License-Identifier: MIT */
/* libready: what an event says, bit by bit, and interests and events as text. */
#ifndef READY_EVENT_H
#define READY_EVENT_H

#include <ready/poll.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Does the event say so (1 or 0)? Only readable and writable are dependable; the others are hints whose absence
 * proves nothing. Thread: any. Since: 0.1.
 */
static inline int rdy_event_is_readable(const struct rdy_event *e)
{
	return (e->ready & RDY_READABLE) != 0;
}

static inline int rdy_event_is_writable(const struct rdy_event *e)
{
	return (e->ready & RDY_WRITABLE) != 0;
}

static inline int rdy_event_is_priority(const struct rdy_event *e)
{
	return (e->ready & RDY_PRIORITY) != 0;
}

static inline int rdy_event_is_error(const struct rdy_event *e)
{
	return (e->ready & RDY_ERROR) != 0;
}

static inline int rdy_event_is_read_closed(const struct rdy_event *e)
{
	return (e->ready & RDY_READ_CLOSED) != 0;
}

static inline int rdy_event_is_write_closed(const struct rdy_event *e)
{
	return (e->ready & RDY_WRITE_CLOSED) != 0;
}

static inline int rdy_event_is_timer(const struct rdy_event *e)
{
	return (e->ready & RDY_TIMER) != 0;
}

static inline int rdy_event_is_wake(const struct rdy_event *e)
{
	return (e->ready & RDY_WAKE) != 0;
}

/* Asynchronous I/O of the BSDs: never on a system that has none. */
static inline int rdy_event_is_aio(const struct rdy_event *e)
{
	(void)e;
	return 0;
}

static inline int rdy_event_is_lio(const struct rdy_event *e)
{
	(void)e;
	return 0;
}

/*
 * Interests are sets of bits: union a | b, difference below, empty = 0 (which nothing can be registered with).
 * Thread: any. Since: 0.1.
 */
static inline uint32_t rdy_interest_remove(uint32_t interest, uint32_t what)
{
	return interest & ~what;
}

/* Can something be registered with it (1 or 0)? Thread: any. Since: 0.1. */
static inline int rdy_interest_is_valid(uint32_t interest)
{
	return interest != 0 && (interest & ~RDY_INTERESTS) == 0;
}

/* The longest text of rdy_ready_format(), with its final 0. Since: 0.1. */
#define RDY_READY_TEXT_BYTES 128u

/*
 * The bits of an interest or of an event as text: "READABLE | WRITABLE"; "0" for none; unknown ones as a number.
 * Returns its length without the final 0.
 * Errors: -EINVAL NULL · -ENOSPC buf is too small; untouched. Thread: any. Since: 0.1.
 */
RDY_API int rdy_ready_format(uint32_t ready, char *buf, size_t buf_bytes);

#ifdef __cplusplus
}
#endif
#endif
