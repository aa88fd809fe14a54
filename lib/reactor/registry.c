/* SPDX-License-Identifier: MIT */
/*
 * The registrations of a poll, which any thread may change while another one waits. What is registered is decided
 * here, from the table, so that every selector gives the same answers; the selector only follows.
 * Threads: any. May not touch the waiting thread's fields.
 */
#include "ready/registry.h"

#include <errno.h>
#include <stdlib.h>

#include "reactor/core.h"

int rdy__registry_new(struct rdy_poll *poll, struct rdy_registry **ret)
{
	struct rdy_registry *registry = calloc(1, sizeof(*registry));

	if (!registry)
		return -ENOMEM;
	registry->hub = poll->hub;
	registry->poll = poll;
	registry->caps = poll->ops->caps;
	registry->single = poll->flags & RDY_POLL_SINGLE_THREAD;
	atomic_init(&registry->n_refs, 1);
	atomic_fetch_add(&registry->hub->n_refs, 1);
	pthread_mutex_init(&registry->lock, NULL);
	*ret = registry;
	return 0;
}

static void lock(struct rdy_registry *registry)
{
	if (registry->single)
		return;
	pthread_mutex_lock(&registry->lock);
	atomic_store(&registry->busy, true);
}

static void unlock(struct rdy_registry *registry)
{
	if (registry->single)
		return;
	atomic_store_explicit(&registry->busy, false, memory_order_release);
	pthread_mutex_unlock(&registry->lock);
}

void rdy__registry_settle(struct rdy_registry *registry)
{
	pthread_mutex_lock(&registry->lock);
	pthread_mutex_unlock(&registry->lock);
}

/*
 * Invariant: REGISTRY-1: a call that found the poll has ended before the poll is freed. Why: handles are used by
 * threads that know nothing of the poll's life. Test: tests/unit/reactor/registry.c/freed_while_others_register
 */
void rdy__registry_leave(struct rdy_registry *registry)
{
	bool alive;

	if (!registry)
		return;
	/* In a forked child the lock may be held for ever by a thread that exists in the parent only. */
	alive = rdy__guard_ok(&registry->hub->guard);
	if (alive)
		lock(registry);
	registry->poll = NULL;
	if (alive)
		unlock(registry);
	rdy_registry_unref(registry);
}

struct rdy_registry *rdy_poll_registry(struct rdy_poll *poll)
{
	return poll ? poll->registry : NULL;
}

uint32_t rdy_registry_caps(const struct rdy_registry *registry)
{
	return registry ? registry->caps : 0;
}

struct rdy_registry *rdy_registry_ref(struct rdy_registry *registry)
{
	if (registry)
		atomic_fetch_add_explicit(&registry->n_refs, 1, memory_order_relaxed);
	return registry;
}

struct rdy_registry *rdy_registry_unref(struct rdy_registry *registry)
{
	if (!registry || atomic_fetch_sub(&registry->n_refs, 1) != 1)
		return NULL;
	if (rdy__guard_ok(&registry->hub->guard))
		pthread_mutex_destroy(&registry->lock);
	rdy__hub_unref(registry->hub);
	free(registry);
	return NULL;
}

bool rdy__valid(uint32_t interest, uint32_t mode)
{
	uint32_t interests = RDY_INTERESTS;

	/* EPOLLEXCLUSIVE_OK_BITS in fs/eventpoll.c, for every selector; and never with EPOLLONESHOT. */
	if (mode & RDY_EXCLUSIVE) {
		interests = RDY_READABLE | RDY_WRITABLE;
		mode &= ~RDY_EXCLUSIVE;
		if (mode == RDY_ONESHOT)
			return false;
	}
	return interest && !(interest & ~interests) && mode >= RDY_EDGE && mode <= RDY_ONESHOT;
}

static uint32_t state_of(uint32_t interest, uint32_t mode)
{
	uint32_t exclusive = mode & RDY_EXCLUSIVE ? RDY__SLOT_EXCLUSIVE : 0;

	return RDY__SLOT_REGISTERED | exclusive | (mode & ~RDY_EXCLUSIVE) << RDY__SLOT_MODE_SHIFT |
	       interest;
}

static uint32_t interest_of(uint32_t state)
{
	return state & RDY_INTERESTS;
}

static uint32_t mode_of(uint32_t state)
{
	return (state >> RDY__SLOT_MODE_SHIFT & 3u) |
	       (state & RDY__SLOT_EXCLUSIVE ? RDY_EXCLUSIVE : 0);
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

/*
 * A selector's "not watched": the descriptor was closed, and with it the registration went. EPERM: its number is by now
 * that of a file which cannot be watched.
 */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -EBADF || r == -EPERM;
}

/*
 * The selector still has what was forgotten here. What is or was EXCLUSIVE cannot be modified (epoll_ctl(2)), so it
 * is taken out and in; that it fails half way leaves it out, as it is here.
 */
static int replace_forgotten(
	struct rdy_poll *poll, int fd, uint32_t generation, uint32_t interest, uint32_t mode)
{
	uint64_t tag = rdy__tag((uint32_t)fd, generation);
	int r = -EINVAL;

	if (!(mode & RDY_EXCLUSIVE))
		r = poll->ops->mod(poll->selector, fd, tag, interest, mode);
	if (r != -EINVAL)
		return r;
	r = poll->ops->del(poll->selector, fd);
	return r < 0 ? r : poll->ops->add(poll->selector, fd, tag, interest, mode);
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
		r = replace_forgotten(poll, fd, generation, interest, mode);
	if (r < 0) {
		if (known && is_gone(r))
			forget(slot);
		return r;
	}
	if (known)
		rdy__slot_next_generation(slot);
	rdy__slot_set_token(slot, token);
	slot->state = state_of(interest, mode);
	return 0;
}

static int modify_locked(
	struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	struct rdy__slot *slot = registered(poll, fd);
	uint32_t generation;
	int r;

	if (!slot)
		return -ENOENT;
	if ((mode_of(slot->state) | mode) & RDY_EXCLUSIVE)
		return -EINVAL;
	/* A new generation: what was fetched under the old token is reported anew under this one. */
	generation = rdy__generation_after(rdy__slot_generation(slot));
	r = poll->ops->mod(poll->selector, fd, rdy__tag((uint32_t)fd, generation), interest, mode);
	if (is_gone(r)) {
		forget(slot);
		return -ENOENT;
	}
	if (r < 0)
		return r;
	rdy__slot_next_generation(slot);
	rdy__slot_set_token(slot, token);
	slot->state = state_of(interest, mode);
	return 0;
}

static int rearm_locked(struct rdy_poll *poll, int fd)
{
	struct rdy__slot *slot = registered(poll, fd);
	int r;

	if (!slot)
		return -ENOENT;
	r = poll->ops->rearm(poll->selector, fd, rdy__tag((uint32_t)fd, rdy__slot_generation(slot)),
		interest_of(slot->state), mode_of(slot->state));
	if (is_gone(r)) {
		forget(slot);
		return -ENOENT;
	}
	return r;
}

static int deregister_locked(struct rdy_poll *poll, int fd)
{
	struct rdy__slot *slot = registered(poll, fd);
	int r;

	if (!slot)
		return -ENOENT;
	r = poll->ops->del(poll->selector, fd);
	forget(slot);
	return is_gone(r) ? -ENOENT : r;
}

/* Lock, and find the poll. Errors: -ECHILD, -EPIPE: not locked then. */
static int enter(struct rdy_registry *registry)
{
	if (!rdy__guard_ok(&registry->hub->guard))
		return -ECHILD;
	lock(registry);
	if (registry->poll)
		return 0;
	unlock(registry);
	return -EPIPE;
}

int rdy_registry_register(
	struct rdy_registry *registry, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	int r;

	if (!registry || !rdy__valid(interest, mode))
		return -EINVAL;
	if (fd < 0)
		return rdy__guard_ok(&registry->hub->guard) ? -EBADF : -ECHILD;
	r = enter(registry);
	if (r < 0)
		return r;
	r = register_locked(registry->poll, fd, token, interest, mode);
	unlock(registry);
	return r;
}

ptrdiff_t rdy_poll_register_many(
	struct rdy_poll *poll, struct rdy_registration *registrations, size_t n)
{
	struct rdy_registry *registry = rdy_poll_registry(poll);
	ptrdiff_t n_done = 0;
	int r;

	if (!registry || !registrations)
		return -EINVAL;
	r = enter(registry);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct rdy_registration *one = &registrations[i];

		if (!rdy__valid(one->interest, one->mode))
			one->result = -EINVAL;
		else if (one->fd < 0)
			one->result = -EBADF;
		else
			one->result = register_locked(
				poll, one->fd, one->token, one->interest, one->mode);
		n_done += one->result == 0;
	}
	unlock(registry);
	return n_done;
}

int rdy_registry_modify(
	struct rdy_registry *registry, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	int r;

	if (!registry || !rdy__valid(interest, mode))
		return -EINVAL;
	r = enter(registry);
	if (r < 0)
		return r;
	r = modify_locked(registry->poll, fd, token, interest, mode);
	unlock(registry);
	return r;
}

int rdy_registry_rearm(struct rdy_registry *registry, int fd)
{
	int r;

	if (!registry)
		return -EINVAL;
	r = enter(registry);
	if (r < 0)
		return r;
	r = rearm_locked(registry->poll, fd);
	unlock(registry);
	return r;
}

int rdy_registry_deregister(struct rdy_registry *registry, int fd)
{
	int r;

	if (!registry)
		return -EINVAL;
	r = enter(registry);
	if (r < 0)
		return r;
	r = deregister_locked(registry->poll, fd);
	unlock(registry);
	return r;
}

int rdy_poll_register(
	struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	return rdy_registry_register(rdy_poll_registry(poll), fd, token, interest, mode);
}

int rdy_poll_modify(struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode)
{
	return rdy_registry_modify(rdy_poll_registry(poll), fd, token, interest, mode);
}

int rdy_poll_rearm(struct rdy_poll *poll, int fd)
{
	return rdy_registry_rearm(rdy_poll_registry(poll), fd);
}

int rdy_poll_deregister(struct rdy_poll *poll, int fd)
{
	return rdy_registry_deregister(rdy_poll_registry(poll), fd);
}
