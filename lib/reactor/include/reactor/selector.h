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

#include "ready/types.h"

/* One event as a selector reports it, already in RDY_* bits. */
struct rdy__selected {
	uint64_t tag;
	uint32_t ready;
	uint32_t pad0;
};

struct rdy__selector; /* a mechanism's own state */

struct rdy__selector_ops {
	const char *name;
	uint32_t caps; /* RDY_CAP_* */

	/* 0 if the mechanism works here, else -errno. Any thread; leaves nothing behind. */
	int (*probe)(void);

	/* Create. flags: RDY_POLL_*. Errors: those of rdy_poll_new(). */
	int (*init)(struct rdy__selector **ret, uint32_t flags);

	/* Release all; legal on NULL. In a forked child it must not touch what the parent shares. */
	void (*deinit)(struct rdy__selector *s);

	/*
	 * Start watching fd. Pre: fd is not watched (the caller's table knows). On error nothing changed.
	 * Errors: -EBADF, -EPERM, -EINVAL (own descriptor), -ENOMEM, -ENOSPC, -ELOOP.
	 */
	int (*add)(struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode);

	/* Replace tag, interest, mode; reports readiness that is there again. Errors: -ENOENT, -ENOMEM, -EBADF. */
	int (*mod)(struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode);

	/* Arm again after an event (ONESHOT; EDGE where it is emulated). No-op where not needed. As mod. */
	int (*rearm)(
		struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode);

	/*
	 * Stop watching. After its return wait() may still report the old tag once (it was fetched already);
	 * the caller's generation check drops it. Errors: -ENOENT, -EBADF: not watched; the caller forgets it.
	 */
	int (*del)(struct rdy__selector *s, int fd);

	/*
	 * Wait up to timeout_ns (0 = not, negative = for ever; rounded up) and fill up to n events.
	 * Returns the count, 0 after the timeout, -EINTR after a signal (the caller retries).
	 */
	int (*wait)(struct rdy__selector *s, struct rdy__selected *events, size_t n,
		int64_t timeout_ns);

	/* The mechanism's pollable descriptor, or -ENOTSUP. */
	int (*fd)(struct rdy__selector *s);
};

/* NULL-terminated, in order of preference. */
extern const struct rdy__selector_ops *const rdy__selectors[];
extern const struct rdy__selector_ops rdy__selector_epoll;
extern const struct rdy__selector_ops rdy__selector_poll;

#endif
