/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked list; a node that is not linked points at itself.
 * Threads: none of its own; the list belongs to whoever owns its head. All operations are O(1).
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include "base/cleanup.h"

struct rdy__list {
	struct rdy__list *next, *prev;
};

#define RDY__LIST_INIT(name) \
	(struct rdy__list) \
	{ \
		&(name), &(name) \
	}

#define rdy__list_entry(node, type, member) rdy__container_of(node, type, member)

/* Safe against unlinking of the current node only with the _safe form. */
#define rdy__list_for_each(pos, head) \
	for (struct rdy__list *pos = (head)->next; pos != (head); pos = pos->next)
#define rdy__list_for_each_safe(pos, tmp, head) \
	for (struct rdy__list *pos = (head)->next, *tmp = pos->next; pos != (head); \
		pos = tmp, tmp = pos->next)

static inline void rdy__list_init(struct rdy__list *l)
{
	l->next = l->prev = l;
}

static inline bool rdy__list_empty(const struct rdy__list *l)
{
	return l->next == l;
}

static inline bool rdy__list_linked(const struct rdy__list *node)
{
	return node->next != node;
}

static inline void rdy__list_append(struct rdy__list *head, struct rdy__list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Idempotent: unlinking an unlinked node is a no-op. */
static inline void rdy__list_unlink(struct rdy__list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	rdy__list_init(node);
}

static inline struct rdy__list *rdy__list_pop(struct rdy__list *head)
{
	struct rdy__list *node = head->next;

	if (node == head)
		return NULL;
	rdy__list_unlink(node);
	return node;
}

#endif
