/* SPDX-License-Identifier: MIT */
/*
 * Heap of deadlines. See reactor/heap.h. Allocates in reserve only.
 */
#include "reactor/heap.h"

#include <errno.h>
#include <stdlib.h>

/* Half as deep as with two, and the four lie side by side: fewer instructions, fewer cache lines. */
#define CHILDREN 4

void rdy__heap_deinit(struct rdy__heap *h)
{
	free(h->entries);
	*h = RDY__HEAP_NULL;
}

int rdy__heap_reserve(struct rdy__heap *h)
{
	struct rdy__heap_entry *entries;
	size_t room;

	if (h->n_reserved == h->n_room) {
		room = h->n_room ? h->n_room * 2 : 16;
		entries = reallocarray(h->entries, room, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		h->entries = entries;
		h->n_room = room;
	}
	h->n_reserved++;
	return 0;
}

void rdy__heap_unreserve(struct rdy__heap *h)
{
	h->n_reserved--;
}

static inline void put(struct rdy__heap_entry *entries, size_t i, struct rdy__heap_entry e)
{
	entries[i] = e;
	e.node->index = i;
}

static inline struct rdy__heap_entry *earlier(struct rdy__heap_entry *a, struct rdy__heap_entry *b)
{
	return b->deadline_ns < a->deadline_ns ? b : a;
}

/* The earliest of n children (1 to 4) side by side. */
static inline struct rdy__heap_entry *earliest(struct rdy__heap_entry *first, size_t n)
{
	struct rdy__heap_entry *e = first;

	if (n >= CHILDREN)
		return earlier(earlier(&first[0], &first[1]), earlier(&first[2], &first[3]));
	while (--n > 0)
		e = earlier(e, &first[n]);
	return e;
}

/* Place e at i or wherever the order wants it, up or down. */
static void settle(struct rdy__heap *h, size_t i, struct rdy__heap_entry e)
{
	struct rdy__heap_entry *entries = h->entries;
	size_t n = h->n;

	while (i > 0) {
		size_t parent = (i - 1) / CHILDREN;

		if (entries[parent].deadline_ns <= e.deadline_ns)
			break;
		put(entries, i, entries[parent]);
		i = parent;
	}
	for (size_t first; (first = CHILDREN * i + 1) < n;) {
		const struct rdy__heap_entry *child = earliest(&entries[first], n - first);

		if (child->deadline_ns >= e.deadline_ns)
			break;
		put(entries, i, *child);
		i = (size_t)(child - entries);
	}
	put(entries, i, e);
}

void rdy__heap_set(struct rdy__heap *h, struct rdy__heap_node *node, int64_t deadline_ns)
{
	size_t i = node->index == RDY__HEAP_NOT_IN ? h->n++ : node->index;

	settle(h, i, (struct rdy__heap_entry){deadline_ns, node});
}

void rdy__heap_remove(struct rdy__heap *h, struct rdy__heap_node *node)
{
	size_t i = node->index;

	if (i == RDY__HEAP_NOT_IN)
		return;
	node->index = RDY__HEAP_NOT_IN;
	h->n--;
	if (i < h->n)
		settle(h, i, h->entries[h->n]);
}
