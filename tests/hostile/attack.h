/* SPDX-License-Identifier: MIT */
/*
 * One kind of bad behaviour against a real daemon: an attacker process of one user does it again and again,
 * while an innocent process of another user measures how long its own events take. Asserted: the attacker is
 * told what the protocol says (in its rounds), the innocent one gets each event and in time, and every process
 * of the daemon has as many descriptors as before. Without root the whole program is skipped.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include "harness.h"

#define ATTACK_TEXTS 6

struct attack {
	const char *name;
	/* One round, in the attacker's process, round 0 first; every session it opens has ended at its return. */
	void (*round)(const struct instance *in, uint32_t n, void *arg);
	/* Once, in the attacker's process while it still is root, before the daemon is there. */
	void (*prepare)(void *arg);
	void *arg;
	uint32_t rounds;     /* at least so many; 0 = 20 */
	uint32_t rounds_max; /* and not more, 0 = 5000 */
	uint32_t nofile;     /* limit of descriptors for every process of the daemon; 0 = ours */
	const char *options[ATTACK_TEXTS]; /* of the daemon */
	const char *expects[ATTACK_TEXTS]; /* in its log */
	/*
	 * What is refused without being closed goes away with its agent, which ends after each session: then
	 * there is no agent of the attacker left in the end, while otherwise it must be the same one.
	 */
	bool agent_ends;
	/* Nothing but the attacker's death ends its sessions. */
	bool dies;
	/* In the test's own process, when the attacker's agent is there, and after the attack. */
	void (*begin)(const struct instance *in, const struct attack *a);
	void (*end)(const struct instance *in, const struct attack *a);
	/* And in between, while the innocent one is measured, again and again. */
	void (*meanwhile)(const struct instance *in);
};

void attack(const struct attack *a);

/*
 * An agent's own limit is far above what it takes: somebody has to lower it from outside, which is allowed to
 * its own user, and to root not everywhere. A process that does so, to be started by root.
 */
struct limiter {
	struct proc proc;
};
void limiter_start(struct limiter *l);
/* To what the agent has now, and so many more. */
void limiter_lower(struct limiter *l, pid_t agent, uint32_t room);

/* The usual rounds: open a session, send this frame, be told that error, and the end. */
void attack_expect(const struct instance *in, const uint8_t *frame, size_t n_bytes, const int *fds,
	size_t n_fds, uint32_t error, uint32_t detail);

#endif
