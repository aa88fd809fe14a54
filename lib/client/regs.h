/* SPDX-License-Identifier: MIT */
/*
 * The client's registrations: records in chunks that never move, named by index and generation (the handle,
 * which is the cookie on the wire too), and a map from descriptor to record.
 * Owner: the client's thread.
 */
#ifndef CLIENT_REGS_H
#define CLIENT_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/*
 *              register()               flush()             REGISTERED
 *   FREE ───────────────────> QUEUED ───────────> SENT ──────────────────> LIVE
 *    ^                        ^   │                │ │ refused              │ │
 *    │ deregister()           │   │                │ └──────────> ENDED <───┘ │ hangup, MODIFY failed
 *    ├────────────────────────┼───┘   deregister() │             │            │ deregister()
 *    │ its event was taken    │                    v             │            │
 *    ├────────────────────────┼──────────────── LEAVING <────────┼────────────┘
 *    │                        │ DEREGISTER sent                  │
 *    └────────────────────────┼──────────────────────────────────┘
 *                             └ rdy__client_lost(): SENT, LIVE
 */
enum rdy__reg_state {
	RDY__REG_FREE,
	RDY__REG_QUEUED,  /* the broker has not been asked */
	RDY__REG_SENT,	  /* asked; id unknown */
	RDY__REG_LIVE,	  /* id known */
	RDY__REG_LEAVING, /* dead for the user; the broker has to be told */
	RDY__REG_ENDED,	  /* dead at the broker; the user has to be told */
};

/* Requests, in the order in which they are sent: what frees quota comes first. */
enum rdy__want {
	RDY__WANT_DEREGISTER,
	RDY__WANT_REGISTER,
	RDY__WANT_MODIFY,
	RDY__WANT_REARM,
	RDY__N_WANTS,
	RDY__WANT_NOTHING = RDY__N_WANTS,
};

struct rdy__deadline;

struct rdy__reg {
	struct rdy__list ready; /* in client->ready while type or timeouts is not 0 */
	struct rdy__list out;	/* in client->queue[want], or in regs->free */
	uint64_t token;
	uint64_t id;			/* the broker's, 0 = unknown */
	struct rdy__deadline *deadline; /* owned; NULL: it never had one */
	uint32_t index, generation;
	uint32_t seq; /* of the last event read */
	int fd;
	uint16_t interest;
	uint8_t mode, flags; /* RDY_EDGE ..., RDY_CLIENT_KEEP */
	uint8_t state;	     /* enum rdy__reg_state */
	uint8_t want;	     /* enum rdy__want; a stronger one replaces a weaker one */
	/* ONESHOT: an event was read and nothing armed it again; LEVEL: one was read and not taken */
	bool disarmed;
	/* the event that waits, if any */
	uint8_t type,
		event_flags; /* RDY_CLIENT_READY or FAILED, 0 = none; RDY_CLIENT_DISARMED ... */
	uint8_t timeouts;    /* another event that waits: WIRE_TIMEOUT_* bits */
	uint16_t bits;
	uint32_t error;
};

struct rdy__regs {
	struct rdy__reg **chunks;
	uint32_t n_slots; /* records that were ever made */
	struct rdy__list free;
	uint32_t *by_fd; /* index + 1, 0 = none */
	size_t n_by_fd;
};

void rdy__regs_init(struct rdy__regs *regs);
void rdy__regs_deinit(struct rdy__regs *regs);

/* A record for fd, which has none; everything else in it is zero or unlinked. Errors: -ENOMEM. */
int rdy__regs_add(struct rdy__regs *regs, int fd, struct rdy__reg **ret);

/* Give the record back; its handle is dead from here on. It is in no list. */
void rdy__regs_release(struct rdy__regs *regs, struct rdy__reg *reg);

/* fd may be registered anew; the record lives on. Idempotent. */
void rdy__regs_forget_fd(struct rdy__regs *regs, struct rdy__reg *reg);

/* NULL: no record has this descriptor. */
struct rdy__reg *rdy__regs_by_fd(const struct rdy__regs *regs, int fd);

#define RDY__REG_CHUNK 256u

/* i < n_slots; may be FREE. */
static inline struct rdy__reg *rdy__regs_at(const struct rdy__regs *regs, uint32_t i)
{
	return &regs->chunks[i / RDY__REG_CHUNK][i % RDY__REG_CHUNK];
}

static inline uint64_t rdy__reg_handle(const struct rdy__reg *reg)
{
	return (uint64_t)reg->generation << 32 | reg->index;
}

/* NULL: dead, or never was one. */
static inline struct rdy__reg *rdy__regs_find(const struct rdy__regs *regs, uint64_t handle)
{
	uint32_t index = (uint32_t)handle;
	struct rdy__reg *reg;

	if (index >= regs->n_slots)
		return NULL;
	reg = rdy__regs_at(regs, index);
	return reg->generation == handle >> 32 && reg->state != RDY__REG_FREE ? reg : NULL;
}

#endif
