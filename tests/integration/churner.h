/* SPDX-License-Identifier: MIT */
/*
 * A client that comes, does everything that a client can do, and leaves, again and again.
 *
 * It tells at which step of the protocol it is, so that a test can do something just then. Each round proves
 * by itself that every readiness is seen, and that nobody keeps a descriptor that was given up; the process
 * fails if not.
 */
#ifndef CHURNER_H
#define CHURNER_H

#include <stdatomic.h>

#include "harness.h"

enum step {
	STEP_CONNECT,	 /* HELLO until WELCOME */
	STEP_REGISTER,	 /* batches of registrations */
	STEP_EVENTS,	 /* events in flight, deadlines, rearming */
	STEP_DEREGISTER, /* batches, and what is ready again */
	STEP_TEARDOWN,	 /* the session ends with everything in it */
	STEP_CONTROL,	 /* a list is asked for, and read in part or wholly */
	N_STEPS
};

/* Shared by the test and its churners. */
struct churn {
	const struct instance *in;
	/* Whoever is at this step first takes it, says so through the pipe, and goes on. */
	_Atomic uint32_t wanted;
	_Atomic bool stop;
	_Atomic uint32_t rounds;
	int said[2];
};

struct churner {
	struct proc proc;
	struct churn *churn;
	uid_t uid;
	uint8_t number;
	unsigned int seed;
};

/* Take, and wait until somebody is there; which one it is. */
struct churn *churn_new(const struct instance *in);
void churn_free(struct churn *c);
uint8_t churn_wait(struct churn *c, enum step step);

/* proc, of a process that was started with what else is set. */
void churner_start(struct churner *c);

#endif
