/* SPDX-License-Identifier: MIT */
/*
 * The selector seam: what a polling mechanism must supply. One file per mechanism under reactor/sys.
 * Above this line no file names an operating system's mechanism; below it none knows tokens, timers or
 * registrations: a selector sees descriptors, interests and an opaque 64-bit tag (slot index + generation).
 *
 * Locking: add, mod, del and rearm are called with the poll's lock held (unless RDY_POLL_SINGLE_THREAD);
 * wait is called by one thread without it, at the same time as the others.
 */
#ifndef REACTOR_SELECTOR_H
#define REACTOR_SELECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/wake.h"
#include "ready/types.h"

/*
 * What a selector reports about a descriptor, before it becomes RDY_* bits: six bits, at the places where
 * epoll has them, so that its masks serve as they are. A table of 64 entries translates them when the event
 * is taken; the product puts bits 0 to 4 and 13 side by side into the highest six (a shift each, no carry).
 */
#define RDY__RAW_IN 0x0001u
#define RDY__RAW_PRI 0x0002u
#define RDY__RAW_OUT 0x0004u
#define RDY__RAW_ERR 0x0008u
#define RDY__RAW_HUP 0x0010u
#define RDY__RAW_RDHUP 0x2000u
#define RDY__RAW_INDEX(raw) ((uint32_t)(raw) * (1u << 26 | 1u << 18) >> 26)

/* What a raw mask means; as the end of struct rdy_event, so that both go with one store. */
struct rdy__ready {
	uint32_t ready; /* RDY_READABLE ... */
	uint32_t pad0;	/* 0 */
};

/*
 * One event as a selector reports it. On x86-64 the kernel's epoll_event has no padding: packed alike, its
 * array is filled in place, without a copy per event.
 */
#if defined(__x86_64__)
#define RDY__SELECTED_PACKED __attribute__((packed))
#else
#define RDY__SELECTED_PACKED
#endif
struct rdy__selected {
	uint32_t raw; /* RDY__RAW_* */
	uint64_t tag;
} RDY__SELECTED_PACKED;

/* A tag: the slot's index above, its generation below. No registration ever has generation 0. */
static inline uint64_t rdy__tag(uint32_t index, uint32_t generation)
{
	return (uint64_t)index << 32 | generation;
}

/* The tag under which a selector may report the wake descriptor (or it keeps it to itself). */
static inline uint64_t rdy__wake_tag(const struct rdy__wake *wake)
{
	return rdy__tag((uint32_t)wake->fd, 0);
}

struct rdy__selector; /* a mechanism's own state */

struct rdy__selector_ops {
	const char *name;
	uint32_t caps; /* RDY_CAP_* */
	const struct rdy__wake_ops
		*waker; /* chosen with the selector; RDY_POLL_PIPE_WAKER overrides */
	const struct rdy__ready *ready_map; /* 64, by RDY__RAW_INDEX() */

	/* 0 if the mechanism works here, else -errno. Any thread; leaves nothing behind. */
	int (*probe)(void);

	/*
	 * Create. flags: RDY_POLL_*; wake is borrowed until deinit: its descriptor becoming readable must
	 * end wait(). Errors: those of rdy_poll_new().
	 */
	int (*init)(struct rdy__selector **ret, uint32_t flags, const struct rdy__wake *wake);

	/* Release all; legal on NULL. In a forked child it must not touch what the parent shares. */
	void (*deinit)(struct rdy__selector *s);

	/*
	 * Start watching fd. Pre: fd is not watched (the caller's table knows). On error nothing changed.
	 * Errors: -EBADF, -EPERM, -EINVAL (own descriptor), -ENOMEM, -ENOSPC, -ELOOP.
	 */
	int (*add)(struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode);

	/* Replace tag, interest, mode; reports readiness that is there again. Errors: -ENOMEM, those of del. */
	int (*mod)(struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode);

	/* Arm again after an event (ONESHOT; EDGE where it is emulated). No-op where not needed. As mod. */
	int (*rearm)(
		struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode);

	/*
	 * Stop watching. After its return wait() may still report the old tag once (it was fetched already);
	 * the caller's generation check drops it. Errors: -ENOENT, -EBADF, -EPERM: not watched; the caller forgets
	 * it.
	 */
	int (*del)(struct rdy__selector *s, int fd);

	/*
	 * Wait up to timeout_ns (0 = not, negative = for ever; rounded up) and fill up to n events.
	 * Returns the count; 0 after the timeout or when it was only woken (the caller looks at the wakers
	 * and the clock); -EINTR after a signal (the caller retries).
	 */
	int (*wait)(struct rdy__selector *s, struct rdy__selected *events, size_t n,
		int64_t timeout_ns);

	/* The mechanism's pollable descriptor, or -ENOTSUP. */
	int (*fd)(struct rdy__selector *s);
};

/* NULL-terminated, in order of preference. */
extern const struct rdy__selector_ops *const rdy__selectors[];
extern const struct rdy__ready
	rdy__poll_ready_map[64]; /* for mechanisms that report poll(2)'s bits */
extern const struct rdy__selector_ops rdy__selector_epoll;
extern const struct rdy__selector_ops rdy__selector_poll;

#endif
