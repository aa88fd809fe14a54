/* SPDX-License-Identifier: MIT */
/*
 * The channel's outgoing side: whole messages, in order; what does not fit waits. Main thread.
 *
 * What waits is bounded by who says it: two messages per session, one page per query (QUERIES_MAX), and of a
 * control connection what it had read already when the channel got full (PUMP_READ_BYTES).
 */
#ifndef AGENT_OUTBOX_H
#define AGENT_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct agent_outbox;
struct channel_message;

/* Say it, now or when the supervisor reads again. session: 0 where the type has none. */
void outbox_say(struct agent *a, uint32_t type, uint64_t session);

/* The same for a whole message; its data is copied if it has to wait. */
void outbox_send(struct agent *a, const struct channel_message *m);

/* Does nothing wait? Whoever can produce without end asks first. */
bool outbox_is_free(const struct agent *a);

/* The channel is writable. */
void outbox_flush(struct agent *a);

/* What waits is of no use any more. */
void outbox_void(struct agent *a);

void outbox_deinit(struct agent_outbox *o);

#endif
