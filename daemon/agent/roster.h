/* SPDX-License-Identifier: MIT */
/*
 * All sessions of the agent as the supervisor knows them, for the next one: from when the process gets one
 * until SESSION_END is said. In order of their numbers. The main thread. Control connections are not here.
 */
#ifndef AGENT_ROSTER_H
#define AGENT_ROSTER_H

#include <stdint.h>

#include "channel/channel.h"

struct roster {
	struct channel_snapshot_session *sessions;
	uint32_t n, cap;
};

#define ROSTER_NULL \
	(struct roster) \
	{ \
		0 \
	}

void roster_deinit(struct roster *r);

/* Returns 0 or -ENOMEM. One that is there already is replaced. */
int roster_add(struct roster *r, const struct channel_snapshot_session *s);

/* One that is not there is none. */
void roster_remove(struct roster *r, uint64_t session);

/* NULL: there is none. Until the next call of another function. */
const struct channel_snapshot_session *roster_find(const struct roster *r, uint64_t session);

#endif
