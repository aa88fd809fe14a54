/* SPDX-License-Identifier: MIT */
/*
 * The reactor's own structures: poll, batch, wakers, timers. Shared by the files of lib/reactor only.
 *
 * Locks: rdy_registry.lock (registrations), rdy__hub.lock (wakers); neither is taken while the other is held.
 */
#ifndef REACTOR_CORE_H
#define REACTOR_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/guard.h"
#include "base/list.h"
#include "reactor/heap.h"
#include "reactor/selector.h"
#include "reactor/table.h"
#include "reactor/wake.h"
#include "ready/poll.h"
#include "ready/registry.h"
#include "ready/timer.h"
#include "ready/waker.h"

#define rdy__likely(x) __builtin_expect(!!(x), 1)
#define rdy__unlikely(x) __builtin_expect(!!(x), 0)

/* What a poll shares with its wakers; lives as long as either, so that a late wake hits no foreign fd. */
struct rdy__hub {
	struct rdy__wake wake;
	struct rdy__guard guard;
	atomic_uint n_refs;
	atomic_bool any; /* some waker may be pending; set by wake, cleared by the waiting thread */
	atomic_bool poll_gone; /* written by rdy_poll_free() */
	bool single;	       /* SINGLE_THREAD: the lock is not used */
	pthread_mutex_t lock;  /* wakers, n_wakers, and each waker's fired */
	struct rdy__list wakers;
	size_t n_wakers;
};

/* What may be registered with from anywhere; lives as long as the poll or a handle. */
struct rdy_registry {
	struct rdy__hub *hub; /* a reference: its guard */
	atomic_uint n_refs;
	uint32_t caps;	      /* of its poll */
	bool single;	      /* SINGLE_THREAD: the lock is not used */
	pthread_mutex_t lock; /* poll, its table, changes of its selector */
	atomic_bool busy; /* somebody has the lock: the waiting thread need not take it to know */
	struct rdy_poll *poll; /* NULL once it was freed */
};

struct rdy_waker {
	struct rdy__hub *hub;
	uint64_t token;
	atomic_bool pending;
	_Atomic uint64_t count;
	struct rdy__list link;	/* in hub->wakers */
	struct rdy__list fired; /* in a batch's wakers, while its event was not taken */
};

struct rdy_timer {
	struct rdy__heap_node node;
	struct rdy_poll *poll; /* NULL once it was freed: inert */
	uint64_t token;
	struct rdy__list link;	/* in poll->timers */
	struct rdy__list fired; /* in a batch's timers, while its event was not taken */
};

struct rdy_poll {
	const struct rdy__selector_ops *ops;
	struct rdy__selector *selector;
	struct rdy__hub *hub;
	uint32_t flags; /* RDY_POLL_* */

	struct rdy_registry *registry;
	struct rdy__table table; /* changed under the registry's lock */

	/* The waiting thread's: */
	atomic_bool waiting;
	bool wakers_left;  /* wakers are pending that did not fit the last batch */
	unsigned int turn; /* of timers, wakers and descriptors in a small batch */
	struct rdy__heap heap;
	struct rdy__list timers;
	struct rdy__list batches; /* that were filled by this poll */
};

#define RDY__OTHER_WAKERS 0x1u
#define RDY__OTHER_TIMERS 0x2u

struct rdy_events {
	/* What rdy_events_next() needs of a descriptor's event stands in one cache line. */
	const struct rdy__selected *pos, *end;
	struct rdy__slot *const *chunks; /* the table's, as it was: newer chunks are not needed */
	const struct rdy__ready *ready_map;
	uint32_t others; /* RDY__OTHER_*: which of the lists may have members */

	struct rdy__selected *selected;
	size_t capacity;
	struct rdy_poll *poll; /* that filled it last, or NULL */
	struct rdy__list link; /* in poll->batches */
	struct rdy__list wakers, timers;
};

/* False in a forked child, where every call on the poll answers -ECHILD. */
static inline bool rdy__poll_alive(const struct rdy_poll *poll)
{
	/*
	 * Invariant: FORK-1: after fork the poll answers -ECHILD. Why: the child shares the kernel's object
	 * with its parent: a change here would change the parent's registrations.
	 * Test: tests/unit/reactor/fork.c/child_is_refused
	 */
	return rdy__guard_ok(&poll->hub->guard);
}

/* May a registration have these? */
bool rdy__valid(uint32_t interest, uint32_t mode);

/* The poll's registry; its hub exists. Errors: -ENOMEM. */
int rdy__registry_new(struct rdy_poll *poll, struct rdy_registry **ret);

/* The poll is about to be freed: every call answers -EPIPE from here on. Drops its reference; NULL is allowed. */
void rdy__registry_leave(struct rdy_registry *registry);

/* The call that is in progress, if one is, has ended on return. */
void rdy__registry_settle(struct rdy_registry *registry);

int rdy__hub_new(const struct rdy__wake_ops *ops, struct rdy__hub **ret);
void rdy__hub_unref(struct rdy__hub *hub);

/*
 * Lock, if there is more than one thread, and unless this is a forked child: there the lock may be held by a thread
 * that does not exist. Returns what unlock wants.
 */
bool rdy__hub_lock(struct rdy__hub *hub);
void rdy__hub_unlock(struct rdy__hub *hub, bool locked);

/* Move up to room pending wakers into the batch; returns their number and whether some are left. */
size_t rdy__hub_collect(
	struct rdy__hub *hub, struct rdy_events *events, size_t room, bool *ret_left);

/* Move up to room timers that are due into the batch; returns their number. */
size_t rdy__timers_fire(
	struct rdy_poll *poll, struct rdy_events *events, size_t room, int64_t now_ns);

/* Descriptors' events that were not taken, stale ones included. */
static inline size_t rdy__events_left(const struct rdy_events *events)
{
	return (size_t)(events->end - events->pos);
}

/* Empty the batch and bind it to poll (NULL: to none). */
void rdy__events_bind(struct rdy_events *events, struct rdy_poll *poll);

/* A tag's slot. Pre: the tag was made for a slot of this table. */
static inline const struct rdy__slot *rdy__slot_of(struct rdy__slot *const *chunks, uint64_t tag)
{
	uint32_t index = (uint32_t)(tag >> 32);

	return &chunks[index >> RDY__CHUNK_BITS][index & (RDY__CHUNK_SLOTS - 1)];
}

/* The event's registration has ended, or it is the wake descriptor's. */
static inline bool rdy__stale(struct rdy__slot *const *chunks, uint64_t tag)
{
	return rdy__slot_generation(rdy__slot_of(chunks, tag)) != (uint32_t)tag;
}

#endif
