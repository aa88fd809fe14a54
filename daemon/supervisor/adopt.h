/* SPDX-License-Identifier: MIT */
/*
 * Agents that outlive a supervisor. Each has a socket of its own in <runtime>/agents, on which it waits for the
 * next supervisor for the grace time; where the service manager keeps our descriptors (store.h), the channel
 * itself survives instead. Names of files there: UID-N.
 *
 *     AGENT_ADOPTING: connect (or take the channel that was kept), say ADOPT(epoch)
 *          |                what comes before SNAPSHOT(epoch) is void: it was said to somebody else
 *          |  SNAPSHOT, n_sessions times SNAPSHOT_SESSION
 *          v
 *     AGENT_SERVING: CONFIG goes out. Of its sessions we have no sockets (sock = -1).
 *
 * Silent for 2 s: killed, counted as wedged. Lies: killed. Nothing is accepted before all have answered.
 */
#ifndef SUPERVISOR_ADOPT_H
#define SUPERVISOR_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct channel_message;
struct rdy__received;
struct supervisor;

struct adoption {
	int dir;    /* <runtime>/agents, -1: there is none */
	bool store; /* the service manager keeps what it is given */
	uint64_t epoch;
};

/* Open the directory, ask the service manager. Says what is wrong. Returns 0 or -errno; deinit is legal. */
int adopt_init(struct supervisor *sv);
/* Removes the directory if nobody is left in it. Idempotent. */
void adopt_deinit(struct supervisor *sv);

/* Find agents that are left and ask each; what nobody listens at is removed. */
void adopt_start(struct supervisor *sv);
/* Has one of them still to answer? */
bool adopt_pending(const struct supervisor *sv);

/* How long agents wait for the next supervisor; 0: they end with their channel. */
int64_t adopt_grace_ns(const struct supervisor *sv);
/* The socket of an agent that is about to start; *ret -1 if it needs none. Returns 0 or -errno. */
int adopt_listener(struct supervisor *sv, struct agent *agent, int *ret);
/* It runs, or has come back another way: its channel goes into the store, if there is one. */
void adopt_started(struct supervisor *sv, struct agent *agent);
/* It is gone: its file, its place in the store. */
void adopt_forget(struct supervisor *sv, struct agent *agent);

/* ADOPTING: a message; false: it is not what we started. */
bool adopt_message(struct supervisor *sv, struct agent *agent, const struct channel_message *m,
	const struct rdy__received *got);
/* ADOPTING: the channel has ended; the agent is lost, or asked again soon. */
void adopt_channel_ended(struct supervisor *sv, struct agent *agent);
/* ADOPTING: it is time to ask again. May lose the agent. */
void adopt_retry(struct supervisor *sv, struct agent *agent);

#endif
