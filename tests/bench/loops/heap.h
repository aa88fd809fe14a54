/* SPDX-License-Identifier: MIT */
/* A binary heap of deadlines, as short as it can be written by hand: for the bare loop. One thread. */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap {
	size_t n;
	int64_t *deadline_ns; /* of timer i */
	size_t *at;	      /* where timer i stands, + 1; 0 = not set */
	size_t *order;	      /* timers, the earliest first */
};

static inline void heap_put(struct heap *h, size_t place, size_t timer)
{
	h->order[place] = timer;
	h->at[timer] = place + 1;
}

static inline void heap_sift(struct heap *h, size_t place, size_t timer)
{
	int64_t deadline_ns = h->deadline_ns[timer];

	for (; place > 0; place = (place - 1) / 2) {
		size_t parent = h->order[(place - 1) / 2];

		if (h->deadline_ns[parent] <= deadline_ns)
			break;
		heap_put(h, place, parent);
	}
	for (;;) {
		size_t child = 2 * place + 1;

		if (child + 1 < h->n &&
			h->deadline_ns[h->order[child + 1]] < h->deadline_ns[h->order[child]])
			child++;
		if (child >= h->n || h->deadline_ns[h->order[child]] >= deadline_ns)
			break;
		heap_put(h, place, h->order[child]);
		place = child;
	}
	heap_put(h, place, timer);
}

static inline void heap_set(struct heap *h, size_t timer, int64_t deadline_ns)
{
	size_t place = h->at[timer] ? h->at[timer] - 1 : h->n++;

	h->deadline_ns[timer] = deadline_ns;
	heap_sift(h, place, timer);
}

static inline size_t heap_pop(struct heap *h)
{
	size_t first = h->order[0], last = h->order[--h->n];

	h->at[first] = 0;
	if (h->n)
		heap_sift(h, 0, last);
	return first;
}

#endif
