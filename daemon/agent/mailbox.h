/* SPDX-License-Identifier: MIT */
/*
 * A mailbox: messages by value from any thread to one thread that waits in a poll. A cold path (sessions,
 * configurations, descriptors to be closed), so a lock that every tool understands beats a clever queue.
 */
#ifndef AGENT_MAILBOX_H
#define AGENT_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "ready/poll.h"
#include "ready/waker.h"

struct mailbox {
	pthread_mutex_t lock;
	struct rdy__list waiting; /* under the lock */
	bool woken;		  /* under the lock: a wake is on its way, no other is needed */
	struct rdy_waker *waker;  /* written only before other threads see the mailbox */
};

/* The owner's poll reports it with token. Returns 0 or -errno; deinit is legal after either. */
int mailbox_init(struct mailbox *m, struct rdy_poll *poll, uint64_t token);

/* What is still in it is the owner's to take first. Idempotent. Nobody else uses it any more. */
void mailbox_deinit(struct mailbox *m);

/* Any thread: append (the node's owner is the reader from here on) and wake the owner. Cannot fail. */
void mailbox_post(struct mailbox *m, struct rdy__list *take_node);

/* Any thread: wake the owner without a message. */
void mailbox_wake(struct mailbox *m);

/* The owner: move everything to ret (initialised, empty), in order of arrival. */
void mailbox_take(struct mailbox *m, struct rdy__list *ret);

/* Is anything in it at this moment? */
bool mailbox_empty(struct mailbox *m);

#endif
