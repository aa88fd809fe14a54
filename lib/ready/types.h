/* SPDX-License-Identifier: MIT */
/*
 * libready: the values that every part of the library shares.
 *
 * Every call that can fail returns 0 or a count on success and a negative errno value on failure; errno
 * itself is no part of any contract. Output parameters are untouched on failure. The library never logs,
 * never reads the environment, never raises a signal and changes no signal disposition.
 */
#ifndef READY_TYPES_H
#define READY_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RDY_API __attribute__((visibility("default")))
#else
#define RDY_API
#endif

/*
 * Readiness: what an event reports (a set of bits) and, for the first three, what can be asked for.
 * Only READABLE and WRITABLE are dependable; each is still a hint: a read or write may find EAGAIN.
 * All other bits are hints whose absence proves nothing.
 * The values stand on the wire too (readyd-protocol(7)) and never change. Since: 0.1.
 */
#define RDY_READABLE 0x0001u
#define RDY_WRITABLE 0x0002u
#define RDY_PRIORITY 0x0004u	 /* exceptional data: TCP urgent data, a pty in packet mode */
#define RDY_HANGUP_ONLY 0x0008u	 /* interest only: no readiness, just errors and hangups */
#define RDY_ERROR 0x0010u	 /* event only: an error is pending on the descriptor */
#define RDY_READ_CLOSED 0x0020u	 /* event only: no more data will come */
#define RDY_WRITE_CLOSED 0x0040u /* event only: nothing can be written any more */
#define RDY_TIMER 0x0100u	 /* event only: a timer of this poll reached its deadline */
#define RDY_WAKE 0x0200u	 /* event only: a waker was woken; comes with RDY_READABLE */

/* The bits that an interest may have; it must have at least one. */
#define RDY_INTERESTS (RDY_READABLE | RDY_WRITABLE | RDY_PRIORITY | RDY_HANGUP_ONLY)

/*
 * Delivery modes of a registration. Since: 0.1.
 *   EDGE     an event per new readiness; use the descriptor until it says EAGAIN.
 *            A selector without RDY_CAP_EDGE goes silent after an event until rdy_poll_rearm().
 *   LEVEL    events in every wait while the descriptor is ready.
 *   ONESHOT  one event, then silence until rdy_poll_rearm(), which reports readiness that is still there.
 */
#define RDY_EDGE 1u
#define RDY_LEVEL 2u
#define RDY_ONESHOT 3u

/*
 * With RDY_EDGE or RDY_LEVEL: of several polls that watch the same file like this, one or a few are woken, not all
 * (EPOLLEXCLUSIVE, epoll_ctl(2)); for a listener that several processes accept from. Only READABLE and WRITABLE can
 * be asked for, READ_CLOSED is reported only with a hangup, and the registration cannot be modified: deregister it.
 * A selector without RDY_CAP_EXCLUSIVE follows the same rules and wakes all. Since: 0.1.
 */
#define RDY_EXCLUSIVE 0x10u

#endif
