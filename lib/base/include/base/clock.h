/* SPDX-License-Identifier: MIT */
/*
 * Monotonic time in nanoseconds, and deadline arithmetic that cannot overflow.
 * Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define RDY__NS_PER_MS INT64_C(1000000)
#define RDY__NS_PER_S INT64_C(1000000000)

/* A deadline that never comes. */
#define RDY__NEVER INT64_MAX

/* CLOCK_MONOTONIC now, in ns. Cannot fail: the clock exists on every supported kernel. */
int64_t rdy__now_ns(void);

/*
 * now + timeout, saturating at RDY__NEVER. A negative timeout means for ever.
 */
int64_t rdy__deadline_ns(int64_t now_ns, int64_t timeout_ns);

/* Time left until the deadline, never negative; -1 for RDY__NEVER. */
int64_t rdy__left_ns(int64_t now_ns, int64_t deadline_ns);

/*
 * A timeout in ns as poll(2)'s milliseconds: rounded up (a wait never ends early), clamped to INT_MAX,
 * -1 for ever. Source: poll(2), mio #1614 (sub-ms became 0) and #1948 (24.8 days truncated).
 */
int rdy__ns_to_poll_ms(int64_t timeout_ns);

#endif
