/* SPDX-License-Identifier: MIT */
/*
 * The cookies of a session (registration.h): linear probing, removal by shifting back, no tombstones, so a
 * session that registers and deregisters for ever never rehashes. The reactor's thread.
 */
#include "registration.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COOKIES_FIRST 16u

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit of the input reaches every bit. */
static uint32_t hash(uint64_t seed, uint64_t cookie)
{
	uint64_t x = cookie ^ seed;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x ^ x >> 31);
}

void cookies_deinit(struct cookies *c)
{
	free(c->slots);
	*c = COOKIES_NULL;
}

bool cookies_has(
	const struct cookies *c, const struct registrations *r, uint64_t seed, uint64_t cookie)
{
	uint32_t mask = c->n_slots - 1;

	if (!c->n_slots)
		return false;
	for (uint32_t i = hash(seed, cookie) & mask; c->slots[i] != REGISTRATION_NONE;
		i = (i + 1) & mask)
		if (registrations_at(r, c->slots[i])->cookie == cookie)
			return true;
	return false;
}

static void put(uint32_t *slots, uint32_t n_slots, uint64_t seed, uint64_t cookie, uint32_t index)
{
	uint32_t i = hash(seed, cookie) & (n_slots - 1);

	while (slots[i] != REGISTRATION_NONE)
		i = (i + 1) & (n_slots - 1);
	slots[i] = index;
}

int cookies_reserve(struct cookies *c, const struct registrations *r, uint64_t seed)
{
	uint32_t n_slots = c->n_slots ? c->n_slots * 2 : COOKIES_FIRST;
	uint32_t *slots;

	if (c->n_used + 1 <= c->n_slots / 4 * 3)
		return 0;
	slots = malloc(n_slots * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots, 0xff, n_slots * sizeof(*slots)); /* REGISTRATION_NONE */
	for (uint32_t i = 0; i < c->n_slots; i++)
		if (c->slots[i] != REGISTRATION_NONE)
			put(slots, n_slots, seed, registrations_at(r, c->slots[i])->cookie,
				c->slots[i]);
	free(c->slots);
	c->slots = slots;
	c->n_slots = n_slots;
	return 0;
}

void cookies_add(struct cookies *c, const struct registrations *r, uint64_t seed, uint32_t index)
{
	put(c->slots, c->n_slots, seed, registrations_at(r, index)->cookie, index);
	c->n_used++;
}

void cookies_remove(struct cookies *c, const struct registrations *r, uint64_t seed, uint32_t index)
{
	uint32_t mask = c->n_slots - 1;
	uint32_t hole = hash(seed, registrations_at(r, index)->cookie) & mask;

	assert(c->n_used > 0);
	while (c->slots[hole] != index)
		hole = (hole + 1) & mask;
	for (uint32_t i = (hole + 1) & mask; c->slots[i] != REGISTRATION_NONE; i = (i + 1) & mask) {
		uint32_t home = hash(seed, registrations_at(r, c->slots[i])->cookie) & mask;

		/* It may move back unless its home lies after the hole (cyclically). */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		c->slots[hole] = c->slots[i];
		hole = i;
	}
	c->slots[hole] = REGISTRATION_NONE;
	c->n_used--;
}
