/* SPDX-License-Identifier: MIT */
/*
 * The agent's end of the disposal link, and when the agent has nothing left to do. Main thread.
 */
#ifndef AGENT_CLOSER_H
#define AGENT_CLOSER_H

#include <stddef.h>

struct agent;

/* Watch the link's socket. Returns 0 or -errno. */
int closer_watch(struct agent *a);

/* Queue a descriptor for it (consumed), with a last answer or none. */
void closer_take(struct agent *a, int take_fd, const void *answer, size_t answer_bytes);

/* Send what may be sent; the end of each round. */
void closer_flush(struct agent *a);

/* The link is readable; its timer fired; a fresh closer has come. */
void closer_readable(struct agent *a);
void closer_timer(struct agent *a);
void closer_replace(struct agent *a, int take_sock);

/* Perhaps there is no session any more: start the idle time, or ask to exit at once. */
void closer_idle_check(struct agent *a);
void closer_idle_timer(struct agent *a);

#endif
