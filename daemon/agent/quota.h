/* SPDX-License-Identifier: MIT */
/*
 * Process-wide counters that every reactor of the agent charges: the uid's registrations, and the table of
 * descriptors. Any thread; atomic. A limit that is lowered never evicts, it only refuses.
 */
#ifndef AGENT_QUOTA_H
#define AGENT_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct quota {
	_Atomic uint32_t used;
	_Atomic uint32_t limit;
};

void quota_init(struct quota *q, uint32_t limit);
void quota_set_limit(struct quota *q, uint32_t limit);

/* Take one if the limit allows it. */
bool quota_charge(struct quota *q);

/* Count n that exist whatever the limit says (a descriptor that has arrived). */
void quota_add(struct quota *q, uint32_t n);

void quota_release(struct quota *q, uint32_t n);

/* Is there room for n more? */
bool quota_room(const struct quota *q, uint32_t n);

#endif
