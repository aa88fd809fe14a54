/* SPDX-License-Identifier: MIT */
/*
 * A process that only wants its events: it makes one of its descriptors ready, waits for the event, measures
 * how long that took, and so on. libready's client.
 */
#ifndef INNOCENT_H
#define INNOCENT_H

#include "harness.h"

#define INNOCENT_EVENTS 250u /* in one measurement, at least */
#define INNOCENT_P99_MS 50   /* nobody may cost it more than this */

struct innocent {
	struct proc proc;
};

struct innocent_report {
	uint32_t n, lost; /* events; connection losses */
	int64_t p50_ns, p99_ns, max_ns;
};

/* Start it as that user; it is connected and has had its first event when this returns. */
void innocent_start(struct innocent *i, const struct instance *in, uid_t uid);
/* Measure from here until innocent_finish(), and at least INNOCENT_EVENTS events. */
void innocent_begin(struct innocent *i);
void innocent_finish(struct innocent *i, struct innocent_report *ret);
/* Has it had enough events by now? */
bool innocent_has_enough(struct innocent *i);
/* Both in one. */
void innocent_measure(struct innocent *i, struct innocent_report *ret);
/* Every event came, in time, and the connection was never lost. */
void innocent_check(const struct innocent_report *r, const char *when);
void innocent_stop(struct innocent *i);

#endif
