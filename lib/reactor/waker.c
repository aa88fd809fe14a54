/* SPDX-License-Identifier: MIT */
/*
 * Wakers: flags that any thread or signal handler sets, and one descriptor for all of a poll that ends its
 * wait. Threads: wake by any and from handlers; the rest under the hub's lock.
 */
#include "ready/waker.h"

#include <errno.h>
#include <stdlib.h>

#include "reactor/core.h"

int rdy__hub_new(const struct rdy__wake_ops *ops, struct rdy__hub **ret)
{
	struct rdy__hub *hub = calloc(1, sizeof(*hub));
	int r;

	if (!hub)
		return -ENOMEM;
	r = ops->init(&hub->wake);
	if (r < 0) {
		free(hub);
		return r;
	}
	r = rdy__guard_init(&hub->guard);
	if (r < 0) {
		rdy__wake_deinit(&hub->wake);
		free(hub);
		return r;
	}
	atomic_init(&hub->n_refs, 1);
	pthread_mutex_init(&hub->lock, NULL);
	rdy__list_init(&hub->wakers);
	*ret = hub;
	return 0;
}

void rdy__hub_unref(struct rdy__hub *hub)
{
	if (atomic_fetch_sub(&hub->n_refs, 1) != 1)
		return;
	if (rdy__guard_ok(&hub->guard))
		pthread_mutex_destroy(&hub->lock);
	rdy__wake_deinit(&hub->wake);
	rdy__guard_deinit(&hub->guard);
	free(hub);
}

bool rdy__hub_lock(struct rdy__hub *hub)
{
	bool locked = !hub->single && rdy__guard_ok(&hub->guard);

	if (locked)
		pthread_mutex_lock(&hub->lock);
	return locked;
}

void rdy__hub_unlock(struct rdy__hub *hub, bool locked)
{
	if (locked)
		pthread_mutex_unlock(&hub->lock);
}

int rdy_waker_new(struct rdy_poll *poll, uint64_t token, struct rdy_waker **ret)
{
	struct rdy_waker *w;
	bool locked;

	if (!poll || !ret)
		return -EINVAL;
	if (!rdy__poll_alive(poll))
		return -ECHILD;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->hub = poll->hub;
	w->token = token;
	rdy__list_init(&w->fired);
	atomic_fetch_add(&w->hub->n_refs, 1);
	locked = rdy__hub_lock(w->hub);
	rdy__list_append(&w->hub->wakers, &w->link);
	w->hub->n_wakers++;
	rdy__hub_unlock(w->hub, locked);
	*ret = w;
	return 0;
}

int rdy_waker_wake(struct rdy_waker *w)
{
	int saved;

	if (!w)
		return -EINVAL;
	if (!rdy__guard_ok(&w->hub->guard))
		return -ECHILD;
	if (atomic_load(&w->hub->poll_gone))
		return -EPIPE;
	/* Before the flag: whoever clears that has seen this. */
	atomic_fetch_add_explicit(&w->count, 1, memory_order_relaxed);
	if (atomic_exchange(&w->pending, true))
		return 0;
	/* Flags first: whoever sees the descriptor readable sees them. A handler's errno is not ours. */
	saved = errno;
	atomic_store(&w->hub->any, true);
	w->hub->wake.ops->signal(&w->hub->wake);
	errno = saved;
	return 0;
}

uint64_t rdy_waker_count(const struct rdy_waker *w)
{
	return w ? atomic_load_explicit(&w->count, memory_order_relaxed) : 0;
}

struct rdy_waker *rdy_waker_free(struct rdy_waker *w)
{
	bool locked;

	if (!w)
		return NULL;
	locked = rdy__hub_lock(w->hub);
	rdy__list_unlink(&w->link);
	rdy__list_unlink(&w->fired);
	w->hub->n_wakers--;
	rdy__hub_unlock(w->hub, locked);
	rdy__hub_unref(w->hub);
	free(w);
	return NULL;
}

size_t rdy__hub_collect(struct rdy__hub *hub, struct rdy_events *ev, size_t room, bool *ret_left)
{
	size_t n = 0;
	bool left = false, locked;

	/*
	 * The order is: descriptor, summary flag, wakers' flags; a wake writes them the other way round.
	 * So a wake that is missed here leaves the descriptor readable.
	 */
	if (!hub->wake.ops->edge_refires)
		hub->wake.ops->drain(&hub->wake);
	atomic_store(&hub->any, false);
	locked = rdy__hub_lock(hub);
	for (size_t i = hub->n_wakers; i > 0; i--) {
		struct rdy_waker *w = rdy__list_entry(hub->wakers.next, struct rdy_waker, link);

		if (n == room && atomic_load(&w->pending)) {
			left = true;
			break;
		}
		/* The next round begins behind those that had their turn. */
		if (hub->n_wakers > 1) {
			rdy__list_unlink(&w->link);
			rdy__list_append(&hub->wakers, &w->link);
		}
		/*
		 * Invariant: WAKE-1: the flag is cleared before the event is given out. Why: what the
		 * waiting thread does on the event may be followed by a wake that must not be lost.
		 * Test: tests/unit/reactor/waker.c/wake_after_the_event_is_a_new_event
		 */
		if (atomic_exchange(&w->pending, false)) {
			rdy__list_unlink(&w->fired);
			rdy__list_append(&ev->wakers, &w->fired);
			ev->others |= RDY__OTHER_WAKERS;
			n++;
		}
	}
	rdy__hub_unlock(hub, locked);
	*ret_left = left;
	return n;
}
