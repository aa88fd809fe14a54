/* SPDX-License-Identifier: MIT */
/*
 * Timers of a poll. Threads: the waiting one.
 */
#include "ready/timer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "reactor/core.h"

int64_t rdy_now_ns(void)
{
	return rdy__now_ns();
}

int rdy_timer_new(struct rdy_poll *poll, uint64_t token, struct rdy_timer **ret)
{
	struct rdy_timer *t;
	int r;

	if (!poll || !ret)
		return -EINVAL;
	if (!rdy__poll_alive(poll))
		return -ECHILD;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	r = rdy__heap_reserve(&poll->heap);
	if (r < 0) {
		free(t);
		return r;
	}
	t->node = RDY__HEAP_NODE_NULL;
	t->poll = poll;
	t->token = token;
	rdy__list_init(&t->fired);
	rdy__list_append(&poll->timers, &t->link);
	*ret = t;
	return 0;
}

int rdy_timer_set(struct rdy_timer *t, int64_t deadline_ns)
{
	if (!t || deadline_ns < 0)
		return -EINVAL;
	if (!t->poll)
		return 0;
	if (!rdy__poll_alive(t->poll))
		return -ECHILD;
	rdy__list_unlink(&t->fired);
	rdy__heap_set(&t->poll->heap, &t->node, deadline_ns);
	return 0;
}

int rdy_timer_clear(struct rdy_timer *t)
{
	if (!t || !t->poll)
		return 0;
	rdy__list_unlink(&t->fired);
	rdy__heap_remove(&t->poll->heap, &t->node);
	return 0;
}

struct rdy_timer *rdy_timer_free(struct rdy_timer *t)
{
	if (!t)
		return NULL;
	if (t->poll) {
		rdy_timer_clear(t);
		rdy__list_unlink(&t->link);
		rdy__heap_unreserve(&t->poll->heap);
	}
	free(t);
	return NULL;
}

size_t rdy__timers_fire(struct rdy_poll *poll, struct rdy_events *ev, size_t room, int64_t now_ns)
{
	struct rdy__heap *h = &poll->heap;
	size_t n = 0;

	for (; n < room && h->n && h->entries[0].deadline_ns <= now_ns; n++) {
		struct rdy_timer *t = rdy__container_of(h->entries[0].node, struct rdy_timer, node);

		rdy__heap_remove(h, &t->node);
		rdy__list_append(&ev->timers, &t->fired);
		ev->others |= RDY__OTHER_TIMERS;
	}
	return n;
}
