/* SPDX-License-Identifier: MIT */
/*
 * The registrations of a poll, indexed by descriptor: 16 bytes each, in chunks that never move, so that the
 * waiting thread reads a slot's generation while others register.
 *
 * Who writes: all under the poll's lock (or by the only thread). Who reads without it: the waiting thread,
 * token first, then generation. A writer ends the old generation before it stores another token; so a token
 * that is followed by the generation of the event's tag belongs to that generation.
 */
#ifndef REACTOR_TABLE_H
#define REACTOR_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RDY__CHUNK_BITS 8
#define RDY__CHUNK_SLOTS (1u << RDY__CHUNK_BITS)

/* rdy__slot.state: interest in the low bits, mode above, then these. 0 = free. */
#define RDY__SLOT_MODE_SHIFT 8
#define RDY__SLOT_REGISTERED 0x10000u
#define RDY__SLOT_INTERNAL 0x20000u /* the poll's own descriptor */
#define RDY__SLOT_EXCLUSIVE 0x40000u

struct rdy__slot {
	_Atomic uint64_t token;
	_Atomic uint32_t
		generation; /* of the present or next registration; never 0 once a chunk exists */
	uint32_t state;
};

struct rdy__table {
	struct rdy__slot **_Atomic chunks; /* n_chunks pointers, NULL where nobody registered yet */
	size_t n_chunks;
	void *old; /* chunk arrays that were outgrown; a batch may still read them. Chained by [0]. */
};

#define RDY__TABLE_NULL ((struct rdy__table){NULL, 0, NULL})

void rdy__table_deinit(struct rdy__table *t);

/* The slot of fd (>= 0), created if need be. Errors: -ENOMEM, nothing changed. */
int rdy__table_reserve(struct rdy__table *t, int fd, struct rdy__slot **ret);

/* The slot of fd if there is one, else NULL; fd may be negative. */
struct rdy__slot *rdy__table_get(const struct rdy__table *t, int fd);

/* 0 belongs to the wake descriptor. */
static inline uint32_t rdy__generation_after(uint32_t generation)
{
	return generation + 1 ? generation + 1 : 1;
}

static inline uint32_t rdy__slot_generation(const struct rdy__slot *slot)
{
	return atomic_load_explicit(&slot->generation, memory_order_acquire);
}

/* End the slot's present generation: events of it are stale from here on. */
static inline void rdy__slot_next_generation(struct rdy__slot *slot)
{
	uint32_t g = atomic_load_explicit(&slot->generation, memory_order_relaxed);

	atomic_store_explicit(&slot->generation, rdy__generation_after(g), memory_order_release);
}

/* Pre: no event of the slot's present generation can be out yet, or this is its first token. */
static inline void rdy__slot_set_token(struct rdy__slot *slot, uint64_t token)
{
	/* Release: whoever sees it sees the end of the generation before. */
	atomic_store_explicit(&slot->token, token, memory_order_release);
}

#endif
