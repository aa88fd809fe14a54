/* SPDX-License-Identifier: MIT */
/*
 * Binary heap of deadlines. See reactor/heap.h. Allocates in reserve only.
 */
#include "reactor/heap.h"

#include <errno.h>
#include <stdlib.h>

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

static void put(struct rdy__heap *h, size_t i, struct rdy__heap_entry e)
{
	h->entries[i] = e;
	e.node->index = i;
}

/* Place e at i or wherever the order wants it, up or down. */
static void settle(struct rdy__heap *h, size_t i, struct rdy__heap_entry e)
{
	while (i > 0 && h->entries[(i - 1) / 2].deadline_ns > e.deadline_ns) {
		put(h, i, h->entries[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n &&
			h->entries[child + 1].deadline_ns < h->entries[child].deadline_ns)
			child++;
		if (h->entries[child].deadline_ns >= e.deadline_ns)
			break;
		put(h, i, h->entries[child]);
	}
	put(h, i, e);
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
