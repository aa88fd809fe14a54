/* SPDX-License-Identifier: MIT */
/* See park.h. Waiting for a condition variable is the one place where a reactor stops but in its poll. */
#include "park.h"

#include "agent.h"
#include "deadline.h"
#include "deliver.h"
#include "flood.h"
#include "hand_over.h"
#include "reactors.h"
#include "session.h"
#include "take_over.h"

int park_init(struct park *p)
{
	int e;

	*p = (struct park){0};
	e = pthread_mutex_init(&p->lock, NULL);
	if (e)
		return -e;
	e = pthread_cond_init(&p->opened, NULL);
	if (e)
		pthread_mutex_destroy(&p->lock);
	return -e;
}

void park_deinit(struct park *p)
{
	pthread_cond_destroy(&p->opened);
	pthread_mutex_destroy(&p->lock);
}

void park_ask(struct agent *a)
{
	struct park *p = &a->park;
	struct reactor_message m = {.type = REACTOR_PARK};

	pthread_mutex_lock(&p->lock);
	m.u.park = ++p->round;
	p->shut = true;
	pthread_mutex_unlock(&p->lock);
	p->n_missing = a->n_reactors;
	for (uint32_t i = 0; i < a->n_reactors; i++)
		if (reactor_post(reactors_at(a, i), &m) < 0)
			agent_fail(a, "out of memory");
}

bool park_is_asked(const struct agent *a)
{
	return a->park.shut; /* only this thread writes it */
}

bool park_is_full(const struct agent *a)
{
	return a->park.shut && a->park.n_missing == 0;
}

static bool is_shut(struct park *p, uint64_t round)
{
	return p->shut && p->round == round;
}

/*
 * Invariant: PARK-1: a reactor that has said AGENT_PARKED touches nothing of its own before the park is opened,
 * and the main thread touches it only in between. Why: OWN-1 has this one exception, and both sides of it go
 * through a lock (the mailbox's, the park's). Test: tests/unit/agent/take_over.c/parked
 */
void park_enter(struct reactor *r)
{
	struct park *p = &r->agent->park;
	uint64_t round = r->park_round;
	bool shut;

	pthread_mutex_lock(&p->lock);
	shut = is_shut(p, round);
	pthread_mutex_unlock(&p->lock);
	r->park_round = 0;
	if (!shut)
		return; /* too late: it was given up */
	/* Reactor 0 has the process's descriptors in its poll: the thread goes on, and leaves the rest alone. */
	r->parked = r->index == 0;
	agent_post(r->agent, &(struct agent_message){
				     .type = AGENT_PARKED, .reactor = r->index, .u.mark = round});
	if (r->index == 0)
		return;
	pthread_mutex_lock(&p->lock);
	while (is_shut(p, round))
		pthread_cond_wait(&p->opened, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void park_arrived(struct agent *a, uint64_t round)
{
	struct park *p = &a->park;

	/* Only the main thread writes these. */
	if (!p->shut || p->round != round || --p->n_missing)
		return;
	if (a->handing)
		hand_over_parked(a);
	else if (a->taking)
		take_over_parked(a);
}

/* What came while it was parked was dropped: the poll reports it again. */
static void watch_again(struct reactor *r)
{
	for (uint32_t i = 0; i < r->n_slots; i++) {
		struct session *s = r->sessions[i];

		if (!s || s->state >= SESSION_ENDING)
			continue;
		for (uint32_t k = s->all.head; k != REGISTRATION_NONE;) {
			const struct registration *reg = registrations_at(&r->registrations, k);

			/* Without memory for it the registration would be silent: the client comes back. */
			if (reg->fd >= 0 && deliver_watch(s, k) < 0) {
				r->counters.surprises++;
				session_end(s);
				break;
			}
			/* Looks at the time, and is set again. */
			deadline_fire(s, k);
			k = reg->next;
		}
		session_watch_again(s);
	}
	reactor_set_hello_timer(r);
	if (r->flood.n_paused)
		flood_look(r);
}

void park_open(struct agent *a)
{
	struct park *p = &a->park;
	bool was;

	pthread_mutex_lock(&p->lock);
	was = p->shut;
	p->shut = false;
	pthread_cond_broadcast(&p->opened);
	pthread_mutex_unlock(&p->lock);
	if (!was)
		return;
	a->reactor.park_round = 0;
	if (a->reactor.parked) {
		a->reactor.parked = false;
		watch_again(&a->reactor);
	}
}
