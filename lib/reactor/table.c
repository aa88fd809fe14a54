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
	struct rdy__slot **chunks = atomic_load_explicit(&t->chunks, memory_order_relaxed);

	for (size_t i = 0; i < t->n_chunks; i++)
		free(chunks[i]);
	if (chunks)
		free(chunks - HEAD);
	for (void **old = t->old, **next; old; old = next) {
		next = old[0];
		free(old);
	}
	*t = RDY__TABLE_NULL;
}

static int grow(struct rdy__table *t, size_t need)
{
	struct rdy__slot **chunks = atomic_load_explicit(&t->chunks, memory_order_relaxed);
	size_t n = t->n_chunks ? t->n_chunks : 4;
	void **array;

	while (n < need)
		n *= 2;
	array = calloc(HEAD + n, sizeof(*array));
	if (!array)
		return -ENOMEM;
	if (chunks) {
		void **old = (void **)chunks - HEAD;

		memcpy(array + HEAD, chunks, t->n_chunks * sizeof(*array));
		old[0] = t->old;
		t->old = old;
	}
	atomic_store_explicit(
		&t->chunks, (struct rdy__slot **)(array + HEAD), memory_order_release);
	t->n_chunks = n;
	return 0;
}

int rdy__table_reserve(struct rdy__table *t, int fd, struct rdy__slot **ret)
{
	size_t chunk = (size_t)fd >> RDY__CHUNK_BITS;
	struct rdy__slot *slots, **chunks;

	if (chunk >= t->n_chunks) {
		int r = grow(t, chunk + 1);

		if (r < 0)
			return r;
	}
	chunks = atomic_load_explicit(&t->chunks, memory_order_relaxed);
	if (!chunks[chunk]) {
		slots = calloc(RDY__CHUNK_SLOTS, sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		for (size_t i = 0; i < RDY__CHUNK_SLOTS; i++)
			atomic_init(&slots[i].generation, 1);
		chunks[chunk] = slots;
	}
	*ret = &chunks[chunk][(size_t)fd & (RDY__CHUNK_SLOTS - 1)];
	return 0;
}

struct rdy__slot *rdy__table_get(const struct rdy__table *t, int fd)
{
	struct rdy__slot **chunks = atomic_load_explicit(&t->chunks, memory_order_relaxed);
	size_t chunk = (size_t)(unsigned int)fd >> RDY__CHUNK_BITS;

	if (fd < 0 || chunk >= t->n_chunks || !chunks[chunk])
		return NULL;
	return &chunks[chunk][(size_t)fd & (RDY__CHUNK_SLOTS - 1)];
}
