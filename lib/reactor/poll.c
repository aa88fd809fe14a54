/* SPDX-License-Identifier: MIT */
/*
 * The poll: creation and end. Registrations are in registry.c, the wait in wait.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/core.h"

#define FLAGS (RDY_POLL_SINGLE_THREAD | RDY_POLL_PIPE_WAKER | RDY_POLL_RETURN_EINTR)

static int choose(const char *name, const struct rdy__selector_ops **ret)
{
	for (const struct rdy__selector_ops *const *ops = rdy__selectors; *ops; ops++) {
		int r;

		if (name && strcmp(name, (*ops)->name) != 0)
			continue;
		r = (*ops)->probe();
		/* Out of descriptors or memory is no reason to take a slower one. */
		if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
			return r;
		if (r == 0) {
			*ret = *ops;
			return 0;
		}
	}
	return -ENOTSUP;
}

static int init_selector(struct rdy_poll *poll)
{
	const struct rdy__wake_ops *wake =
		poll->flags & RDY_POLL_PIPE_WAKER ? &rdy__wake_pipe : poll->ops->waker;
	struct rdy__slot *slot;
	int r;

	r = rdy__hub_new(wake, &poll->hub);
	if (r < 0)
		return r;
	poll->hub->single = poll->flags & RDY_POLL_SINGLE_THREAD;
	r = rdy__registry_new(poll, &poll->registry);
	if (r < 0)
		return r;
	/* Its slot must exist: an event of it is looked up like any other. */
	r = rdy__table_reserve(&poll->table, poll->hub->wake.fd, &slot);
	if (r < 0)
		return r;
	slot->state = RDY__SLOT_INTERNAL;
	return poll->ops->init(&poll->selector, poll->flags, &poll->hub->wake);
}

int rdy_poll_new(const struct rdy_poll_options *options, struct rdy_poll **ret)
{
	const struct rdy__selector_ops *ops;
	struct rdy_poll *poll;
	int r;

	if (!ret || (options && (options->size != sizeof(*options) || options->flags & ~FLAGS ||
					options->pad0)))
		return -EINVAL;
	r = choose(options ? options->selector : NULL, &ops);
	if (r < 0)
		return r;
	poll = calloc(1, sizeof(*poll));
	if (!poll)
		return -ENOMEM;
	poll->ops = ops;
	poll->flags = options ? options->flags : 0;
	poll->table = RDY__TABLE_NULL;
	poll->heap = RDY__HEAP_NULL;
	rdy__list_init(&poll->timers);
	rdy__list_init(&poll->batches);
	r = init_selector(poll);
	if (r < 0) {
		rdy_poll_free(poll);
		return r;
	}
	*ret = poll;
	return 0;
}

struct rdy_poll *rdy_poll_free(struct rdy_poll *poll)
{
	if (!poll)
		return NULL;
	/* First: from here on nobody else comes in. */
	rdy__registry_leave(poll->registry);
	rdy__list_for_each_safe (l, tmp, &poll->batches)
		rdy__events_bind(rdy__list_entry(l, struct rdy_events, link), NULL);
	for (struct rdy__list *l; (l = rdy__list_pop(&poll->timers));)
		rdy__list_entry(l, struct rdy_timer, link)->poll = NULL;
	poll->ops->deinit(poll->selector);
	if (poll->hub) {
		atomic_store(&poll->hub->poll_gone, true);
		rdy__hub_unref(poll->hub);
	}
	rdy__table_deinit(&poll->table);
	rdy__heap_deinit(&poll->heap);
	free(poll);
	return NULL;
}

const char *rdy_poll_selector(const struct rdy_poll *poll)
{
	return poll->ops->name;
}

uint32_t rdy_poll_caps(const struct rdy_poll *poll)
{
	return poll->ops->caps;
}

int rdy_poll_fd(const struct rdy_poll *poll)
{
	return rdy__poll_alive(poll) ? poll->ops->fd(poll->selector) : -ECHILD;
}
