/* SPDX-License-Identifier: MIT */
/* What the supervisor has counted since it started, for Metrics. Its thread. What agents count is asked of them. */
#ifndef SUPERVISOR_COUNTERS_H
#define SUPERVISOR_COUNTERS_H

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

#endif
