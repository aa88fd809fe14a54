/* SPDX-License-Identifier: MIT */
/*
 * Upgrade of an agent: one that was started from another program than we would start now hands its live
 * sessions over to a fresh one. Clients do not notice; who connects meanwhile waits.
 *
 *     old: AGENT_SERVING            fresh: started, AGENT_TAKING, TAKE_OVER(link)
 *             |                          |  HELLO
 *             v                          v
 *          AGENT_HANDING <--- HAND_OVER(link)
 *             |  HANDED_OVER             |  TAKEN_OVER
 *             v                          v
 *          AGENT_ENDING               AGENT_SERVING
 *
 * If the fresh one dies, or it takes 10 s, the link is cut: the old one says HANDOVER_FAILED and serves on, or
 * HANDED_OVER, and then the sessions have died with the fresh one. If the old one dies, the fresh one has all
 * (TAKEN_OVER) or gives up; then clients come back by themselves. A uid never has two agents that serve.
 */
#ifndef SUPERVISOR_UPGRADE_H
#define SUPERVISOR_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct channel_message;
struct supervisor;

/* It was adopted: is it of another program? Then begin. Without sessions it just ends. */
void upgrade_consider(struct supervisor *sv, struct agent *agent);

/* HANDING or TAKING: tell it what it has not been told, as far as its channel allows. */
void upgrade_flush(struct supervisor *sv, struct agent *agent);

/* TAKEN_OVER, HANDED_OVER, HANDOVER_FAILED; or HELLO of one that is TAKING. */
void upgrade_message(struct supervisor *sv, struct agent *agent, const struct channel_message *m);

/* The other one of the two, or NULL. */
struct agent *upgrade_peer(const struct agent *agent);

/* agents_lose() is about to: what it had may be the other one's. */
void upgrade_lost(struct supervisor *sv, struct agent *agent);
/* Nobody waits for the two any more: it all ends, or the next supervisor sees to it. */
void upgrade_drop(struct agent *agent);

/* When the two have to have done something; and they have not. May lose agents. */
int64_t upgrade_deadline(const struct agent *agent);
void upgrade_tick(struct supervisor *sv, struct agent *agent);

#endif
