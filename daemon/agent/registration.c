/* SPDX-License-Identifier: MIT */
/* See registration.h. The reactor's thread; chunks never move and are kept, so pointers stay good. */
#include "registration.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void registrations_deinit(struct registrations *r)
{
	for (uint32_t i = 0; i < r->n_chunks; i++)
		free(r->chunks[i]);
	free(r->chunks);
	*r = REGISTRATIONS_NULL;
}

static void append_free(struct registrations *r, uint32_t index)
{
	registrations_at(r, index)->next = REGISTRATION_NONE;
	registrations_at(r, index)->prev = r->free_tail;
	if (r->free_tail == REGISTRATION_NONE)
		r->free_head = index;
	else
		registrations_at(r, r->free_tail)->next = index;
	r->free_tail = index;
}

static int grow(struct registrations *r)
{
	struct registration *chunk, **chunks;

	if (r->n_chunks >= REGISTRATION_INDEX_MAX / REGISTRATION_CHUNK)
		return -ENOSPC;
	chunks = realloc(r->chunks, (r->n_chunks + 1) * sizeof(struct registration *));
	if (!chunks)
		return -ENOMEM;
	r->chunks = chunks;
	chunk = calloc(REGISTRATION_CHUNK, sizeof(struct registration));
	if (!chunk)
		return -ENOMEM;
	r->chunks[r->n_chunks++] = chunk;
	for (uint32_t i = 0; i < REGISTRATION_CHUNK; i++) {
		chunk[i].generation = r->first_generation ? r->first_generation : 1;
		chunk[i].fd = -1;
		append_free(r, (r->n_chunks - 1) * REGISTRATION_CHUNK + i);
	}
	return 0;
}

/* Out of the free ones, wherever among them it is. */
static void take_free(struct registrations *r, uint32_t index, uint32_t generation)
{
	struct registration *reg = registrations_at(r, index);

	if (reg->prev == REGISTRATION_NONE)
		r->free_head = reg->next;
	else
		registrations_at(r, reg->prev)->next = reg->next;
	if (reg->next == REGISTRATION_NONE)
		r->free_tail = reg->prev;
	else
		registrations_at(r, reg->next)->prev = reg->prev;
	*reg = (struct registration){
		.generation = generation,
		.fd = -1,
		.owner = REGISTRATION_NONE,
		.next = REGISTRATION_NONE,
		.prev = REGISTRATION_NONE,
		.ready_next = REGISTRATION_NONE,
		.ready_prev = REGISTRATION_NONE,
	};
	r->n_used++;
}

int registrations_take(struct registrations *r, uint32_t *ret_index)
{
	uint32_t index;

	if (r->free_head == REGISTRATION_NONE) {
		int e = grow(r);

		if (e < 0)
			return e;
	}
	index = r->free_head;
	take_free(r, index, registrations_at(r, index)->generation);
	*ret_index = index;
	return 0;
}

int registrations_take_at(struct registrations *r, uint32_t index, uint32_t generation)
{
	if (index >= REGISTRATION_INDEX_MAX || generation == 0)
		return -EINVAL;
	while (index / REGISTRATION_CHUNK >= r->n_chunks) {
		int e = grow(r);

		if (e < 0)
			return e;
	}
	/* A slot that is taken and not used yet has no mode: whoever takes, sets it at once. */
	if (registrations_at(r, index)->mode)
		return -EEXIST;
	take_free(r, index, generation);
	return 0;
}

uint32_t registrations_next_generation(const struct registrations *r)
{
	uint32_t last = r->first_generation;

	for (uint32_t i = 0; i < r->n_chunks * REGISTRATION_CHUNK; i++)
		if (registrations_at(r, i)->generation > last)
			last = registrations_at(r, i)->generation;
	return last + 1 ? last + 1 : 1;
}

void registrations_give(struct registrations *r, uint32_t index)
{
	struct registration *reg = registrations_at(r, index);
	/* A slot comes back after all others of the slab, so a generation wraps after > 2^40 uses. */
	uint32_t generation = reg->generation + 1 ? reg->generation + 1 : 1;

	assert(reg->fd == -1 && !(reg->flags & REGISTRATION_READY));
	memset(reg, 0, sizeof(*reg));
	reg->generation = generation;
	reg->fd = -1;
	reg->owner = REGISTRATION_NONE;
	r->n_used--;
	append_free(r, index);
}

/*
 * Invariant: AUTH-1: a client can name only its own registrations. Why: ids are guessable; another
 * session's must be as unknown as one that never was. Test: tests/unit/agent/registration.c/foreign_ids
 */
struct registration *registrations_find(
	const struct registrations *r, uint64_t id, uint32_t owner, uint32_t *ret_index)
{
	uint32_t index = (uint32_t)(id >> 32);
	struct registration *reg;

	if (index >= r->n_chunks * REGISTRATION_CHUNK)
		return NULL;
	reg = registrations_at(r, index);
	if (!reg->mode || reg->generation != (uint32_t)id || reg->owner != owner)
		return NULL;
	*ret_index = index;
	return reg;
}

void registrations_link(struct registrations *r, struct registration_queue *q, uint32_t index)
{
	struct registration *reg = registrations_at(r, index);

	reg->prev = q->tail;
	reg->next = REGISTRATION_NONE;
	if (q->tail == REGISTRATION_NONE)
		q->head = index;
	else
		registrations_at(r, q->tail)->next = index;
	q->tail = index;
}

void registrations_unlink(struct registrations *r, struct registration_queue *q, uint32_t index)
{
	struct registration *reg = registrations_at(r, index);

	if (reg->prev == REGISTRATION_NONE)
		q->head = reg->next;
	else
		registrations_at(r, reg->prev)->next = reg->next;
	if (reg->next == REGISTRATION_NONE)
		q->tail = reg->prev;
	else
		registrations_at(r, reg->next)->prev = reg->prev;
	reg->next = reg->prev = REGISTRATION_NONE;
}

/*
 * Invariant: PEND-1: a registration stands in its session's ready queue at most once. Why: readiness is
 * state, not a message; memory is bounded by the number of registrations, however slow the client is.
 * Test: tests/unit/agent/registration.c/ready_once
 */
void registrations_ready(struct registrations *r, struct registration_queue *q, uint32_t index)
{
	struct registration *reg = registrations_at(r, index);

	if (!(reg->flags & REGISTRATION_READY))
		registrations_append_ready(r, q, index, reg);
}

void registrations_append_ready(struct registrations *r, struct registration_queue *q,
	uint32_t index, struct registration *reg)
{
	reg->flags |= REGISTRATION_READY;
	reg->ready_prev = q->tail;
	reg->ready_next = REGISTRATION_NONE;
	if (q->tail == REGISTRATION_NONE)
		q->head = index;
	else
		registrations_at(r, q->tail)->ready_next = index;
	q->tail = index;
	q->n++;
}

void registrations_unready(struct registrations *r, struct registration_queue *q, uint32_t index)
{
	struct registration *reg = registrations_at(r, index);

	if (!(reg->flags & REGISTRATION_READY))
		return;
	if (reg->ready_prev == REGISTRATION_NONE)
		q->head = reg->ready_next;
	else
		registrations_at(r, reg->ready_prev)->ready_next = reg->ready_next;
	if (reg->ready_next == REGISTRATION_NONE)
		q->tail = reg->ready_prev;
	else
		registrations_at(r, reg->ready_next)->ready_prev = reg->ready_prev;
	reg->ready_next = reg->ready_prev = REGISTRATION_NONE;
	reg->flags &= (uint8_t)~REGISTRATION_READY;
	q->n--;
}
