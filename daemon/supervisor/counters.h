/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor counts, for Metrics. Its thread. What agents count is asked of them. A restart goes on counting: the
 * file `counters` in the runtime directory has them as they were at the end of the last round in which one changed; a stop
 * removes it.
 */
#ifndef SUPERVISOR_COUNTERS_H
#define SUPERVISOR_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#define COUNTERS_ERRORS 64u /* more than enum wire_error has */

struct counters {
	uint64_t sessions;		   /* that were let in */
	uint64_t refused[COUNTERS_ERRORS]; /* by enum wire_error */
	uint64_t controls, controls_refused;
	uint64_t agents_started, agents_wedged;
	uint64_t agents_lost; /* that ended without being told to */
	uint64_t reloads, reloads_refused;
};

struct counters_kept {
	int fd;		       /* or -errno: there can be none */
	bool failed;	       /* it cannot be, which was said once */
	struct counters saved; /* what is in it */
};

#define COUNTERS_KEPT_NULL \
	(struct counters_kept) \
	{ \
		.fd = -1 \
	}

/* What an earlier supervisor has left in dir; all 0 if that is nothing, or not to be understood. */
void counters_load(struct counters_kept *k, int dir, struct counters *ret);
/* Write down what has changed. A file that cannot be written is logged, once. */
void counters_save(struct counters_kept *k, const struct counters *c);
/* Idempotent. keep: the next one goes on. */
void counters_close(struct counters_kept *k, int dir, bool keep);

#endif
