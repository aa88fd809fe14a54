/* SPDX-License-Identifier: MIT */
/*
 * Heap of deadlines. Threads: the waiting one.
 * Room is reserved when a member is created, so that pushing cannot fail.
 */
#ifndef REACTOR_HEAP_H
#define REACTOR_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define RDY__HEAP_NOT_IN SIZE_MAX

/* Embedded in the member. index: written by the heap only. */
struct rdy__heap_node {
	size_t index; /* RDY__HEAP_NOT_IN */
};

#define RDY__HEAP_NODE_NULL ((struct rdy__heap_node){RDY__HEAP_NOT_IN})

struct rdy__heap_entry {
	int64_t deadline_ns; /* beside the pointer: comparing touches no member */
	struct rdy__heap_node *node;
};

struct rdy__heap {
	struct rdy__heap_entry *entries;
	size_t n, n_reserved, n_room;
};

#define RDY__HEAP_NULL ((struct rdy__heap){NULL, 0, 0, 0})

void rdy__heap_deinit(struct rdy__heap *h);

/* Room for one more member. Errors: -ENOMEM, nothing changed. O(1) amortised. */
int rdy__heap_reserve(struct rdy__heap *h);

/* The member that had the room is gone. It must not be in the heap. */
void rdy__heap_unreserve(struct rdy__heap *h);

/* Put in, or move to another deadline. O(log n). */
void rdy__heap_set(struct rdy__heap *h, struct rdy__heap_node *node, int64_t deadline_ns);

/* Take out; harmless when not in. O(log n). */
void rdy__heap_remove(struct rdy__heap *h, struct rdy__heap_node *node);

#endif
