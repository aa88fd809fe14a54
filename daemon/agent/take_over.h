/* SPDX-License-Identifier: MIT */
/*
 * The successor's side of a handover (handover.h): CHANNEL_TAKE_OVER brings the link; every session is built up
 * as it was at the predecessor, same reactor, same registration ids, while all reactors are parked. When all
 * have come it says ACK and serves. If the link ends before, it lets go of everything, without touching a
 * session, and the process ends. Main thread.
 */
#ifndef AGENT_TAKE_OVER_H
#define AGENT_TAKE_OVER_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct take_over;

/* TAKE_OVER has come. */
void take_over_start(struct agent *a, int take_link);

/* All reactors are in the park. */
void take_over_parked(struct agent *a);

/* The link is readable or writable. */
void take_over_event(struct agent *a, uint32_t ready);

/* Let go of everything; the agent leaves when its closer has what it had. Returns false: there was nothing. */
bool take_over_give_up(struct agent *a, const char *why);

/* The end of the process. Returns NULL. */
struct take_over *take_over_free(struct agent *a);

#endif
