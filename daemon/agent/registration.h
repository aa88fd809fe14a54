/* SPDX-License-Identifier: MIT */
/*
 * Registrations: one descriptor + cookie + interest + mode of a session. They live in a slab that only its
 * reactor's thread touches (OWN-1) and are named index:32 | generation:32.
 */
#ifndef AGENT_REGISTRATION_H
#define AGENT_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTRATION_NONE UINT32_MAX
#define REGISTRATION_CHUNK 256u
/* Indexes stay below 2^28: tokens of the poll use the bits above (reactor.h). */
#define REGISTRATION_INDEX_MAX (1u << 28)

/* registration.flags */
#define REGISTRATION_KEEP 0x01u	  /* a hangup does not end it */
#define REGISTRATION_ARMED 0x02u  /* ONESHOT, LEVEL: the next readiness is an event */
#define REGISTRATION_MUTED 0x04u  /* the poll watches for hangups only */
#define REGISTRATION_ENDED 0x08u  /* descriptor gone; it stays until its last event is delivered */
#define REGISTRATION_READY 0x10u  /* stands in its session's ready queue */
#define REGISTRATION_PAUSED 0x20u /* it floods (flood.h) */

struct registration {
	uint64_t cookie;
	uint32_t generation; /* never 0 */
	int32_t fd;	     /* the client's; -1 when ended or free */
	uint32_t seq;	     /* of the last event delivered */
	uint32_t owner;	     /* index of the session */
	uint32_t next, prev; /* in the session's list, or in that of the free slots */
	uint32_t ready_next, ready_prev;
	uint16_t pending; /* readiness not delivered yet, OR-ed */
	uint8_t interest;
	uint8_t mode;	  /* WIRE_EDGE, WIRE_LEVEL, WIRE_ONESHOT; 0 = free slot */
	uint8_t flags;	  /* REGISTRATION_* */
	uint8_t kind;	  /* enum wire_kind */
	uint8_t timeouts; /* WIRE_TIMEOUT_*, not delivered yet */
	uint8_t pad;
	uint32_t flood;	   /* its bucket (flood.h) */
	uint32_t deadline; /* row + 1 of the deadlines (deadline.h); 0 = none */
};
_Static_assert(sizeof(struct registration) <= 56, "memory per registration is a promise");

/* A queue of registrations by index; the ready queue of a session and its list of all. */
struct registration_queue {
	uint32_t head, tail;
	uint32_t n; /* of a ready queue */
};

struct registrations {
	struct registration **chunks;
	uint32_t n_chunks;
	uint32_t free_head, free_tail; /* first in, first out: an index comes back late */
	uint32_t n_used;
	uint32_t first_generation; /* of a slot that was never used; 0 = 1 */
};

#define REGISTRATIONS_NULL \
	(struct registrations) \
	{ \
		.free_head = REGISTRATION_NONE, .free_tail = REGISTRATION_NONE \
	}

/* Frees the memory; descriptors in it are the process's to leave to the kernel. Idempotent. */
void registrations_deinit(struct registrations *r);

/* Take a slot: all zero but generation and fd = -1. Returns 0, -ENOMEM, -ENOSPC (2^28). */
int registrations_take(struct registrations *r, uint32_t *ret_index);

/*
 * Take this slot with this generation, which a predecessor's registration has; as registrations_take(). The
 * slab grows up to it. Returns 0, -ENOMEM, -EEXIST the slot is taken, -EINVAL there is no such slot.
 */
int registrations_take_at(struct registrations *r, uint32_t index, uint32_t generation);

/*
 * A generation that no slot has had, for a successor: what it gives out is none of the ids that were.
 * After 2^32 generations it starts again at 1.
 */
uint32_t registrations_next_generation(const struct registrations *r);

/* Give it back: its id is dead from here on. Linked nowhere, no descriptor (asserted). */
void registrations_give(struct registrations *r, uint32_t index);

static inline struct registration *registrations_at(const struct registrations *r, uint32_t index)
{
	return &r->chunks[index / REGISTRATION_CHUNK][index % REGISTRATION_CHUNK];
}

static inline uint64_t registration_id(const struct registrations *r, uint32_t index)
{
	return (uint64_t)index << 32 | registrations_at(r, index)->generation;
}

/* The live registration of that id and owner, else NULL (AUTH-1). */
struct registration *registrations_find(
	const struct registrations *r, uint64_t id, uint32_t owner, uint32_t *ret_index);

/* The session's list of all its registrations (next, prev). */
void registrations_link(struct registrations *r, struct registration_queue *q, uint32_t index);
void registrations_unlink(struct registrations *r, struct registration_queue *q, uint32_t index);

/* The session's ready queue (ready_next, ready_prev); both are no-ops when nothing changes. */
void registrations_ready(struct registrations *r, struct registration_queue *q, uint32_t index);
void registrations_unready(struct registrations *r, struct registration_queue *q, uint32_t index);
/* For who has looked already: reg is the one of that index, and not READY. */
void registrations_append_ready(struct registrations *r, struct registration_queue *q,
	uint32_t index, struct registration *reg);

#define REGISTRATION_QUEUE_NULL \
	(struct registration_queue) \
	{ \
		REGISTRATION_NONE, REGISTRATION_NONE, 0 \
	}

/*
 * The cookies of one session: a hash set of registration indexes, open addressing, at most 3/4 full.
 * seed: of this process, so that nobody else can choose where cookies fall.
 */
struct cookies {
	uint32_t *slots;
	uint32_t n_slots; /* power of two, or 0 */
	uint32_t n_used;
};

#define COOKIES_NULL \
	(struct cookies) \
	{ \
		0 \
	}

void cookies_deinit(struct cookies *c);
bool cookies_has(
	const struct cookies *c, const struct registrations *r, uint64_t seed, uint64_t cookie);

/* Make room for one more: after it cookies_add() cannot fail. Returns 0 or -ENOMEM. */
int cookies_reserve(struct cookies *c, const struct registrations *r, uint64_t seed);
void cookies_add(struct cookies *c, const struct registrations *r, uint64_t seed, uint32_t index);
/* Before the registration's cookie is wiped. */
void cookies_remove(
	struct cookies *c, const struct registrations *r, uint64_t seed, uint32_t index);

#endif
