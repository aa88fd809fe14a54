/* SPDX-License-Identifier: MIT */
/*
 * The agent's reactors: reactor 0 is run by the main thread, the others are threads that start as sessions
 * come. Main thread, but for what says otherwise.
 */
#ifndef AGENT_REACTORS_H
#define AGENT_REACTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "channel/channel.h"

struct agent;
struct agent_message;
struct reactor;

/* A session or control connection whose TAKEN waits until every reactor has shown that it is alive. */
struct owed {
	struct rdy__list link;
	uint64_t session, mark;
	bool has_owner;
};

/* The reactor that a new session goes to, started if it is time for one more. */
struct reactor *reactors_choose(struct agent *a);

/* Make sure that at least n run (a predecessor had as many). Returns 0 or -errno. */
int reactors_need(struct agent *a, uint32_t n);

/* Number i, i < a->n_reactors. */
struct reactor *reactors_at(struct agent *a, uint32_t i);

/* Hand a session to a reactor; TAKEN is said when it has it and every reactor is alive. */
void reactors_give(struct agent *a, struct reactor *r, const struct channel_session *info,
	int take_sock, int take_pidfd);

/* Answers of reactors: it has a session; it is alive; a session ended (TAKEN has to go first). */
void reactors_taken(struct agent *a, uint64_t session);
void reactors_mark(struct agent *a, uint32_t reactor, uint64_t mark);
void reactors_session_end(struct agent *a, uint32_t reactor, uint64_t session);

/* The same for a control connection, which has its owner already. */
void reactors_owe(struct agent *a, uint64_t session);
void reactors_control_end(struct agent *a, uint64_t session);

/* Whichever has this session ends it. */
void reactors_kick(struct agent *a, uint64_t session);

/* TAKEN messages that wait are of no use any more: there is a new supervisor. */
void reactors_void(struct agent *a);

/* A new snapshot of the configuration for all. */
void reactors_config(struct agent *a);

/* END: every session is told; the agent is done when all reactors are. */
void reactors_end(struct agent *a);
void reactors_ended(struct agent *a);

/* Closing has made room: those whose sessions wait for it go on. */
void reactors_feed(struct agent *a);

/* Sessions of some reactor wait for room in the descriptor table, and nothing that could give it is under way. */
bool reactors_stuck(struct agent *a);

/* Stop and join all threads, without a word to sessions; the memory is freed. Idempotent. */
void reactors_deinit(struct agent *a);

#endif
