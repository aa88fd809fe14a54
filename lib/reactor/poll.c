/* SPDX-License-Identifier: MIT */
/*
 * The poll: creation, and the registry that any thread may use. What is registered is decided here, from the
 * table, so that every selector gives the same answers; the selector only follows.
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
	pthread_mutex_init(&poll->lock, NULL);
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
	rdy__list_for_each_safe (l, tmp, &poll->batches)
		rdy__events_bind(rdy__list_entry(l, struct rdy_events, link), NULL);
	for (struct rdy__list *l; (l = rdy__list_pop(&poll->timers));)
		rdy__list_entry(l, struct rdy_timer, link)->poll = NULL;
	poll->ops->deinit(poll->selector);
	if (poll->hub) {
		atomic_store(&poll->hub->poll_gone, true);
		/* In a forked child the lock may be held for ever; destroying it would be undefined. */
		if (rdy__guard_ok(&poll->hub->guard))
			pthread_mutex_destroy(&poll->lock);
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

static void lock(struct rdy_poll *poll)
{
	if (!(poll->flags & RDY_POLL_SINGLE_THREAD))
		pthread_mutex_lock(&poll->lock);
}

static void unlock(struct rdy_poll *poll)
{
	if (!(poll->flags & RDY_POLL_SINGLE_THREAD))
		pthread_mutex_unlock(&poll->lock);
}

static bool valid(uint32_t interest, uint32_t mode)
{
	return interest && !(interest & ~RDY_INTERESTS) && mode >= RDY_EDGE && mode <= RDY_ONESHOT;
}

static uint32_t state_of(uint32_t interest, uint32_t mode)
{
	return RDY__SLOT_REGISTERED | mode << RDY__SLOT_MODE_SHIFT | interest;
}

static uint32_t interest_of(uint32_t state)
{
	return state & RDY_INTERESTS;
}

static uint32_t mode_of(uint32_t state)
{
	return state >> RDY__SLOT_MODE_SHIFT & 3u;
}

static struct rdy__slot *registered(struct rdy_poll *poll, int fd)
{
	struct rdy__slot *slot = rdy__table_get(&poll->table, fd);

	return slot && slot->state & RDY__SLOT_REGISTERED ? slot : NULL;
}

/*
 * Invariant: TOKEN-1: no event for an old generation leaves the reactor. Why: its token may name memory that
 * the caller has freed, or by now another descriptor. Test: tests/unit/reactor/stale.c/fetched_is_withdrawn
 */
static void forget(struct rdy__slot *slot)
{
	slot->state = 0;
	rdy__slot_next_generation(slot);
}

/* A selector's "not watched": the descriptor was closed, and with it the registration went. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -EBADF;
}

static int register_locked(
	struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	struct rdy__slot *slot;
	uint32_t generation;
	bool known;
	int r;

	r = rdy__table_reserve(&poll->table, fd, &slot);
	if (r < 0)
		return r;
	if (slot->state & RDY__SLOT_INTERNAL)
		return -EINVAL;
	known = slot->state & RDY__SLOT_REGISTERED;
	if (known)
		generation = rdy__generation_after(rdy__slot_generation(slot));
	else
		generation = rdy__slot_generation(slot);
	/*
	 * Even if the table knows fd, the selector is asked: it refuses if that is still true, and takes
	 * fd if it was closed without deregistering and its number is another file's now.
	 */
	r = poll->ops->add(poll->selector, fd, rdy__tag((uint32_t)fd, generation), interest, mode);
	/* The other way round: the file was closed, forgotten here, and came back under its number. */
	if (r == -EEXIST && !known)
		r = poll->ops->mod(
			poll->selector, fd, rdy__tag((uint32_t)fd, generation), interest, mode);
	if (r < 0) {
		if (known && r == -EBADF)
			forget(slot);
		return r;
	}
	if (known)
		rdy__slot_next_generation(slot);
	rdy__slot_set_token(slot, token);
	slot->state = state_of(interest, mode);
	return 0;
}

int rdy_poll_register(
	struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	int r;

	if (!poll || !valid(interest, mode))
		return -EINVAL;
	if (!rdy__poll_alive(poll))
		return -ECHILD;
	if (fd < 0)
		return -EBADF;
	lock(poll);
	r = register_locked(poll, fd, token, interest, mode);
	unlock(poll);
	return r;
}

int rdy_poll_modify(struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	struct rdy__slot *slot;
	int r = -ENOENT;

	if (!poll || !valid(interest, mode))
		return -EINVAL;
	if (!rdy__poll_alive(poll))
		return -ECHILD;
	lock(poll);
	slot = registered(poll, fd);
	if (slot) {
		/* A new generation: what was fetched under the old token is reported anew under this one. */
		uint32_t generation = rdy__generation_after(rdy__slot_generation(slot));

		r = poll->ops->mod(
			poll->selector, fd, rdy__tag((uint32_t)fd, generation), interest, mode);
		if (r == 0) {
			rdy__slot_next_generation(slot);
			rdy__slot_set_token(slot, token);
			slot->state = state_of(interest, mode);
		} else if (is_gone(r)) {
			forget(slot);
			r = -ENOENT;
		}
	}
	unlock(poll);
	return r;
}

int rdy_poll_rearm(struct rdy_poll *poll, int fd)
{
	struct rdy__slot *slot;
	int r = -ENOENT;

	if (!poll)
		return -EINVAL;
	if (!rdy__poll_alive(poll))
		return -ECHILD;
	lock(poll);
	slot = registered(poll, fd);
	if (slot) {
		r = poll->ops->rearm(poll->selector, fd,
			rdy__tag((uint32_t)fd, rdy__slot_generation(slot)),
			interest_of(slot->state), mode_of(slot->state));
		if (is_gone(r)) {
			forget(slot);
			r = -ENOENT;
		}
	}
	unlock(poll);
	return r;
}

int rdy_poll_deregister(struct rdy_poll *poll, int fd)
{
	struct rdy__slot *slot;
	int r = -ENOENT;

	if (!poll)
		return -EINVAL;
	if (!rdy__poll_alive(poll))
		return -ECHILD;
	lock(poll);
	slot = registered(poll, fd);
	if (slot) {
		r = poll->ops->del(poll->selector, fd);
		if (is_gone(r))
			r = -ENOENT;
		forget(slot);
	}
	unlock(poll);
	return r;
}
