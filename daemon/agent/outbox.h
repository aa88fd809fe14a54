/* SPDX-License-Identifier: MIT */
/* The channel's outgoing side. Main thread. */
#ifndef AGENT_OUTBOX_H
#define AGENT_OUTBOX_H

#include <stdint.h>

struct agent;
struct agent_outbox;

/* Say it, now or when the supervisor reads again. session: 0 where the type has none. */
void outbox_say(struct agent *a, uint32_t type, uint64_t session);

/* The channel is writable. */
void outbox_flush(struct agent *a);

/* What waits is of no use any more. */
void outbox_void(struct agent *a);

void outbox_deinit(struct agent_outbox *o);

#endif
