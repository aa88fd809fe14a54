/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of registrations. Only those that have one pay for it.
 * Owner: the client's thread.
 */
#ifndef CLIENT_DEADLINE_H
#define CLIENT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "wire/wire.h"

struct rdy_client;
struct rdy__reg;

struct rdy__deadline {
	struct rdy__list due; /* in client->deadlines: the broker has to be told */
	struct rdy__reg *reg;
	int64_t at_ns;	   /* absolute; 0 = none, or it has passed and was told */
	int64_t idle_ns;   /* 0 = none */
	int64_t active_ns; /* what `idle` counts from, as far as is known here */
	uint8_t n_asked;   /* SET_DEADLINE that were sent and not answered; at most RDY__OWED_MAX */
	bool idle_over;	   /* told; the next readiness starts it again */
	/*
	 * After a reconnect the broker gets the rest of an idle time, or nothing when it is over. With the next
	 * sign of life it gets the whole.
	 */
	bool partial;
};

/* What the user wants from now on; at_ns absolute, 0 = none. Errors: -ENOMEM, nothing changed. */
int rdy__deadline_set(struct rdy_client *c, struct rdy__reg *reg, int64_t at_ns, int64_t idle_ns);
/* The broker need not be told any more. These two: no-ops for a registration without deadlines. */
void rdy__deadline_drop(struct rdy_client *c, struct rdy__reg *reg);
/* The connection is lost, and with it all that the broker knew. */
void rdy__deadline_lost(struct rdy_client *c, struct rdy__reg *reg);
/* The broker has the registration: tell it, or fail where it knows no deadlines. */
void rdy__deadline_live(struct rdy_client *c, struct rdy__reg *reg);
/* Readiness, or something that the user did to it. */
void rdy__deadline_touch(struct rdy_client *c, struct rdy__reg *reg);
/* A TIMEOUT was read: WIRE_TIMEOUT_* bits. */
void rdy__deadline_over(struct rdy_client *c, struct rdy__reg *reg, uint16_t over);
/* What is sent now. */
struct wire_set_deadline rdy__deadline_record(const struct rdy__deadline *d, int64_t now_ns);

#endif
