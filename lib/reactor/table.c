/* SPDX-License-Identifier: MIT */
/*
 * The table of registrations. See reactor/table.h.
 * Threads: the poll's lock. May not move a chunk or free an outgrown array before the poll ends.
 */
#include "reactor/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An outgrown array's first pointer is overwritten by the chain, so its first entry lies at [1]. */
#define HEAD 1u

void rdy__table_deinit(struct rdy__table *t)
{
	for (size_t i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	if (t->chunks)
		free(t->chunks - HEAD);
	for (void **old = t->old, **next; old; old = next) {
		next = old[0];
		free(old);
	}
	*t = RDY__TABLE_NULL;
}

static int grow(struct rdy__table *t, size_t need)
{
	size_t n = t->n_chunks ? t->n_chunks : 4;
	void **array;

	while (n < need)
		n *= 2;
	array = calloc(HEAD + n, sizeof(*array));
	if (!array)
		return -ENOMEM;
	if (t->chunks) {
		void **old = (void **)t->chunks - HEAD;

		memcpy(array + HEAD, t->chunks, t->n_chunks * sizeof(*array));
		old[0] = t->old;
		t->old = old;
	}
	t->chunks = (struct rdy__slot **)(array + HEAD);
	t->n_chunks = n;
	return 0;
}

int rdy__table_reserve(struct rdy__table *t, int fd, struct rdy__slot **ret)
{
	size_t chunk = (size_t)fd >> RDY__CHUNK_BITS;
	struct rdy__slot *slots;

	if (chunk >= t->n_chunks) {
		int r = grow(t, chunk + 1);

		if (r < 0)
			return r;
	}
	if (!t->chunks[chunk]) {
		slots = calloc(RDY__CHUNK_SLOTS, sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		for (size_t i = 0; i < RDY__CHUNK_SLOTS; i++)
			atomic_init(&slots[i].generation, 1);
		t->chunks[chunk] = slots;
	}
	*ret = &t->chunks[chunk][(size_t)fd & (RDY__CHUNK_SLOTS - 1)];
	return 0;
}

struct rdy__slot *rdy__table_get(const struct rdy__table *t, int fd)
{
	size_t chunk = (size_t)(unsigned int)fd >> RDY__CHUNK_BITS;

	if (fd < 0 || chunk >= t->n_chunks || !t->chunks[chunk])
		return NULL;
	return &t->chunks[chunk][(size_t)fd & (RDY__CHUNK_SLOTS - 1)];
}
