/* SPDX-License-Identifier: MIT */
/* See mailbox.h. Nothing here waits for anything but the lock, which is held for a few instructions. */
#include "mailbox.h"

#include <errno.h>
#include <string.h>

int mailbox_init(struct mailbox *m, struct rdy_poll *poll, uint64_t token)
{
	int e;

	memset(m, 0, sizeof(*m));
	rdy__list_init(&m->waiting);
	e = pthread_mutex_init(&m->lock, NULL);
	if (e)
		return -e;
	e = rdy_waker_new(poll, token, &m->waker);
	if (e < 0)
		pthread_mutex_destroy(&m->lock);
	return e;
}

void mailbox_deinit(struct mailbox *m)
{
	if (!m->waker)
		return;
	m->waker = rdy_waker_free(m->waker);
	pthread_mutex_destroy(&m->lock);
}

/*
 * The wake comes after the message is in, and `woken` is cleared before the messages are taken out.
 * Invariant: WAKE-1: whoever finds `woken` set has posted before the owner looks again. Why: the other way
 * round a message that arrives between the owner's last look and the clearing would wait for the next one.
 * Test: tests/unit/agent/interleave.c/mailbox
 */
void mailbox_post(struct mailbox *m, struct rdy__list *take_node)
{
	bool wake;

	pthread_mutex_lock(&m->lock);
	rdy__list_append(&m->waiting, take_node);
	wake = !m->woken;
	m->woken = true;
	pthread_mutex_unlock(&m->lock);
	if (wake)
		rdy_waker_wake(m->waker);
}

void mailbox_wake(struct mailbox *m)
{
	rdy_waker_wake(m->waker);
}

void mailbox_take(struct mailbox *m, struct rdy__list *ret)
{
	struct rdy__list *node;

	pthread_mutex_lock(&m->lock);
	m->woken = false;
	while ((node = rdy__list_pop(&m->waiting)))
		rdy__list_append(ret, node);
	pthread_mutex_unlock(&m->lock);
}

bool mailbox_empty(struct mailbox *m)
{
	bool empty;

	pthread_mutex_lock(&m->lock);
	empty = rdy__list_empty(&m->waiting);
	pthread_mutex_unlock(&m->lock);
	return empty;
}
