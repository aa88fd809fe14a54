/* SPDX-License-Identifier: MIT */
/*
 * See reactors.h. The main thread; a reactor's state is its thread's (OWN-1), what is read here of another
 * one is atomic.
 */
#include "reactors.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "agent.h"
#include "base/fd.h"
#include "closer.h"
#include "hand_over.h"
#include "log.h"
#include "outbox.h"
#include "take_over.h"

struct reactor *reactors_at(struct agent *a, uint32_t i)
{
	return i == 0 ? &a->reactor : a->others[i - 1];
}

static void *run(void *data)
{
	struct reactor *r = data;

	while (!r->stopped && !atomic_load_explicit(&r->agent->done, memory_order_relaxed))
		reactor_round(r, -1);
	return NULL;
}

/*
 * The kernel grows the table of a process with threads only after a grace period: up to 16 ms for each
 * doubling, in the middle of a client's request. So it is grown to what the uid may need before the first
 * thread starts. Source: fs/file.c, expand_fdtable().
 */
static void grow_table(struct agent *a)
{
	uint64_t need = (uint64_t)a->config.registrations + 2 * (uint64_t)a->config.sessions +
			a->config.fd_reserve;
	uint32_t limit = atomic_load_explicit(&a->descriptors.limit, memory_order_relaxed);
	int fd;

	if (limit < 2)
		return;
	fd = fcntl(a->channel, F_DUPFD_CLOEXEC, (int)(need < limit ? need : limit - 1));
	rdy__fd_close(fd);
}

static int start_thread(struct reactor *r)
{
	sigset_t all, before;
	int e;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -e;
}

static int start(struct agent *a)
{
	struct reactor *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	if (a->n_reactors == 1)
		grow_table(a);
	quota_add(&a->descriptors, a->reactor_descriptors);
	atomic_fetch_add_explicit(&a->n_receivers, 1, memory_order_relaxed);
	e = reactor_init(r, a, a->n_reactors, &a->config);
	if (e == 0)
		e = start_thread(r);
	if (e < 0) {
		reactor_deinit(r);
		free(r);
		atomic_fetch_sub_explicit(&a->n_receivers, 1, memory_order_relaxed);
		quota_release(&a->descriptors, a->reactor_descriptors);
		return e;
	}
	a->others[a->n_reactors++ - 1] = r;
	return 0;
}

int reactors_need(struct agent *a, uint32_t n)
{
	int e = 0;

	if (n > CHANNEL_REACTORS_MAX)
		return -EINVAL;
	while (e == 0 && a->n_reactors < n)
		e = start(a);
	return e;
}

static struct reactor *least_loaded(struct agent *a)
{
	struct reactor *best = reactors_at(a, 0);

	for (uint32_t i = 1; i < a->n_reactors; i++) {
		struct reactor *r = reactors_at(a, i);

		if (r->n_given < best->n_given ||
			(r->n_given == best->n_given &&
				atomic_load_explicit(&r->load, memory_order_relaxed) <
					atomic_load_explicit(&best->load, memory_order_relaxed)))
			best = r;
	}
	return best;
}

struct reactor *reactors_choose(struct agent *a)
{
	struct reactor *r = least_loaded(a);

	if (!r->n_given || a->n_reactors >= a->config.reactors)
		return r;
	/* Without memory or a thread for one more the present ones do. */
	if (start(a) < 0)
		return r;
	return reactors_at(a, a->n_reactors - 1);
}

/* Sends what may be said, in the order in which it came. */
static void say_taken(struct agent *a)
{
	while (!rdy__list_empty(&a->owed)) {
		struct owed *o = rdy__list_entry(a->owed.next, struct owed, link);

		for (uint32_t i = 0; i < a->n_reactors; i++)
			if (reactors_at(a, i)->mark < o->mark)
				return;
		if (!o->has_owner)
			return;
		outbox_say(a, CHANNEL_TAKEN, o->session);
		rdy__list_unlink(&o->link);
		free(o);
	}
}

static struct owed *find(struct agent *a, uint64_t session)
{
	rdy__list_for_each (l, &a->owed) {
		struct owed *o = rdy__list_entry(l, struct owed, link);

		if (o->session == session)
			return o;
	}
	return NULL;
}

void reactors_taken(struct agent *a, uint64_t session)
{
	struct owed *o = find(a, session);

	if (o)
		o->has_owner = true;
	say_taken(a);
}

void reactors_mark(struct agent *a, uint32_t reactor, uint64_t mark)
{
	reactors_at(a, reactor)->mark = mark;
	say_taken(a);
}

/*
 * A reactor that hangs in the kernel says nothing, and nobody asks it anything while its uid is quiet. A new
 * session is the moment to find out: its TAKEN waits for all of them, and the supervisor waits for that.
 */
static void ask_all(struct agent *a)
{
	a->mark++;
	for (uint32_t i = 0; i < a->n_reactors; i++) {
		struct reactor_message m = {.type = REACTOR_MARK, .u.mark = a->mark};

		if (reactor_post(reactors_at(a, i), &m) < 0)
			agent_fail(a, "out of memory");
	}
}

static bool owe(struct agent *a, uint64_t session, bool has_owner)
{
	struct owed *o = calloc(1, sizeof(*o));

	if (!o) {
		agent_fail(a, "out of memory");
		return false;
	}
	o->session = session;
	o->mark = a->mark + 1;
	o->has_owner = has_owner;
	rdy__list_append(&a->owed, &o->link);
	return true;
}

void reactors_owe(struct agent *a, uint64_t session)
{
	if (owe(a, session, true))
		ask_all(a);
}

void reactors_give(struct agent *a, struct reactor *r, const struct channel_session *info,
	int take_sock, int take_pidfd)
{
	struct reactor_message m = {
		.type = REACTOR_SESSION,
		.u.session = {.info = *info, .take_sock = take_sock, .take_pidfd = take_pidfd},
	};

	if (!owe(a, info->session, false))
		return;
	r->n_given++;
	if (reactor_post(r, &m) < 0)
		agent_fail(a, "out of memory");
	ask_all(a);
}

void reactors_session_end(struct agent *a, uint32_t reactor, uint64_t session)
{
	reactors_at(a, reactor)->n_given--;
	reactors_control_end(a, session);
}

void reactors_control_end(struct agent *a, uint64_t session)
{
	struct owed *o = find(a, session);

	if (o) {
		/* The marks of others do not matter any more; the order of these two does. */
		outbox_say(a, CHANNEL_TAKEN, session);
		rdy__list_unlink(&o->link);
		free(o);
	}
	outbox_say(a, CHANNEL_SESSION_END, session);
}

void reactors_kick(struct agent *a, uint64_t session)
{
	for (uint32_t i = 0; i < a->n_reactors; i++) {
		struct reactor_message m = {.type = REACTOR_KICK, .u.kick = session};

		if (reactor_post(reactors_at(a, i), &m) < 0)
			agent_fail(a, "out of memory");
	}
}

void reactors_void(struct agent *a)
{
	struct rdy__list *node;

	while ((node = rdy__list_pop(&a->owed)))
		free(rdy__list_entry(node, struct owed, link));
}

void reactors_config(struct agent *a)
{
	for (uint32_t i = 0; i < a->n_reactors; i++) {
		struct reactor_message m = {.type = REACTOR_CONFIG, .u.config = a->config};

		if (reactor_post(reactors_at(a, i), &m) < 0)
			agent_fail(a, "out of memory");
	}
}

void reactors_end(struct agent *a)
{
	if (a->ending)
		return;
	a->ending = true;
	/* Sessions that were about to go stay, and are told here; those that were about to come, by the other. */
	hand_over_cancel(a);
	if (take_over_give_up(a, "told to end") || a->leaving)
		return;
	a->n_ending = a->n_reactors;
	for (uint32_t i = a->n_reactors; i--;) {
		struct reactor_message m = {.type = REACTOR_END};

		if (reactor_post(reactors_at(a, i), &m) < 0)
			agent_fail(a, "out of memory");
	}
}

void reactors_ended(struct agent *a)
{
	if (a->n_ending && --a->n_ending == 0)
		atomic_store_explicit(&a->done, true, memory_order_relaxed);
}

void reactors_feed(struct agent *a)
{
	for (uint32_t i = 1; i < a->n_reactors; i++) {
		struct reactor *r = reactors_at(a, i);

		if (atomic_load_explicit(&r->starving, memory_order_acquire))
			mailbox_wake(&r->mailbox);
	}
}

bool reactors_stuck(struct agent *a)
{
	bool starving = a->pumps.starving;

	for (uint32_t i = 0; i < a->n_reactors; i++)
		starving |=
			atomic_load_explicit(&reactors_at(a, i)->starving, memory_order_acquire);
	/* A reactor says that it starves after it has posted what it gave up: that is seen here. */
	return starving && !agent_room(a) && link_sender_pending(&a->link) == 0 &&
	       mailbox_empty(&a->mailbox);
}

void reactors_deinit(struct agent *a)
{
	struct rdy__list *node;

	for (uint32_t i = 1; i < a->n_reactors; i++) {
		struct reactor *r = reactors_at(a, i);
		struct reactor_message m = {.type = REACTOR_STOP};

		/* Without memory for a message the flag of the process stops it as well. */
		if (reactor_post(r, &m) < 0) {
			atomic_store_explicit(&a->done, true, memory_order_relaxed);
			mailbox_wake(&r->mailbox);
		}
		pthread_join(r->thread, NULL);
		reactor_deinit(r);
		free(r);
	}
	a->n_reactors = a->n_reactors ? 1 : 0;
	if (a->owed.next)
		while ((node = rdy__list_pop(&a->owed)))
			free(rdy__list_entry(node, struct owed, link));
}
