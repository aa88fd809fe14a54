/* SPDX-License-Identifier: MIT */
/*
 * The loop of one reactor, see reactor.h. Its own thread. May not block but in rdy_poll_wait().
 *
 * Order of a round: events of the poll become state; what is ready is delivered; requests are read, each
 * session in turn and within its budget; ending sessions lose a slice; answers are delivered; what was given
 * up goes to the closer. So an event waits for at most one batch, never for another session's requests.
 */
#include "reactor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "base/clock.h"
#include "deliver.h"
#include "freeze.h"
#include "park.h"
#include "query.h"
#include "session.h"

/* On its way through a mailbox. */
struct reactor_mail {
	struct rdy__list link;
	struct reactor_message m;
};

int reactor_init(
	struct reactor *r, struct agent *agent, uint32_t index, const struct channel_config *config)
{
	static const char *const selectors[] = {
		[CHANNEL_SELECTOR_AUTO] = NULL,
		[CHANNEL_SELECTOR_EPOLL] = "epoll",
		[CHANNEL_SELECTOR_POLL] = "poll",
	};
	const struct rdy_poll_options options = {
		.size = sizeof(options),
		.selector = selectors[config->selector],
		.flags = RDY_POLL_SINGLE_THREAD,
	};
	int e;

	r->agent = agent;
	r->index = index;
	r->config = *config;
	r->frozen = config->flags & CHANNEL_FROZEN;
	r->registrations = REGISTRATIONS_NULL;
	rdy__list_init(&r->input);
	rdy__list_init(&r->output);
	rdy__list_init(&r->starved);
	rdy__list_init(&r->ending);
	rdy__list_init(&r->dead);
	rdy__list_init(&r->hello);
	e = rdy_poll_new(&options, &r->poll);
	if (e == 0)
		e = rdy_events_new(REACTOR_EVENTS, &r->events);
	if (e == 0)
		e = rdy_timer_new(r->poll, TOKEN(TOKEN_HELLO_TIMER, 0, 0), &r->hello_timer);
	if (e == 0)
		e = rdy_timer_new(r->poll, TOKEN(TOKEN_FLOOD_TIMER, 0, 0), &r->flood.timer);
	if (e == 0 && index)
		e = mailbox_init(&r->mailbox, r->poll, TOKEN(TOKEN_MAILBOX, index, 0));
	if (e == 0)
		r->native_edge = rdy_poll_caps(r->poll) & RDY_CAP_EDGE;
	flood_configure(r, config);
	return e;
}

static void free_dead(struct reactor *r)
{
	struct rdy__list *node;

	while ((node = rdy__list_pop(&r->dead)))
		session_free(rdy__list_entry(node, struct session, work));
}

static void free_mail(struct reactor *r)
{
	struct rdy__list all, *node;

	if (!r->mailbox.waker)
		return;
	rdy__list_init(&all);
	mailbox_take(&r->mailbox, &all);
	while ((node = rdy__list_pop(&all)))
		free(rdy__list_entry(node, struct reactor_mail, link));
	mailbox_deinit(&r->mailbox);
}

void reactor_deinit(struct reactor *r)
{
	if (!r->agent)
		return;
	free_mail(r);
	for (uint32_t i = 0; i < r->n_slots; i++)
		session_free(r->sessions[i]);
	free_dead(r);
	free(rdy__steal(r->sessions));
	free(rdy__steal(r->generations));
	r->n_slots = r->n_sessions = 0;
	registrations_deinit(&r->registrations);
	graveyard_deinit(&r->graveyard);
	r->hello_timer = rdy_timer_free(r->hello_timer);
	r->flood.timer = rdy_timer_free(r->flood.timer);
	deadlines_deinit(&r->deadlines);
	r->events = rdy_events_free(r->events);
	r->poll = rdy_poll_free(r->poll);
	r->agent = NULL;
}

static void take_session(struct reactor *r, const struct reactor_message *m)
{
	struct agent_message answer = {
		.type = AGENT_SESSION_TAKEN,
		.reactor = r->index,
		.u.session = m->u.session.info.session,
	};
	struct session *s;

	if (session_new(r, &m->u.session.info, m->u.session.take_sock, m->u.session.take_pidfd,
		    &s) < 0) {
		answer.type = AGENT_SESSION_FAILED;
		answer.u.failed.session = m->u.session.info.session;
		answer.u.failed.take_sock = m->u.session.take_sock;
		answer.u.failed.take_pidfd = m->u.session.take_pidfd;
	}
	agent_post(r->agent, &answer);
}

static void take_end(struct reactor *r)
{
	for (uint32_t i = 0; i < r->n_slots; i++)
		if (r->sessions[i])
			session_fatal(r->sessions[i], 0, WIRE_E_SHUTTING_DOWN, 0);
	r->stopped = true;
	agent_post(r->agent, &(struct agent_message){.type = AGENT_ENDED, .reactor = r->index});
}

static void take_query(struct reactor *r, struct query_job *job)
{
	query_gather(r, job);
	agent_post(r->agent, &(struct agent_message){
				     .type = AGENT_QUERIED, .reactor = r->index, .u.query = job});
}

static void take_kick(struct reactor *r, uint64_t number)
{
	for (uint32_t i = 0; i < r->n_slots; i++)
		if (r->sessions[i] && r->sessions[i]->number == number)
			session_fatal(r->sessions[i], 0, WIRE_E_KICKED, 0);
}

static void take_message(struct reactor *r, const struct reactor_message *m)
{
	switch (m->type) {
	case REACTOR_SESSION:
		take_session(r, m);
		break;
	case REACTOR_CONFIG:
		r->config = m->u.config;
		freeze_set(r, r->config.flags & CHANNEL_FROZEN);
		flood_configure(r, &r->config);
		break;
	case REACTOR_MARK:
		agent_post(r->agent,
			&(struct agent_message){
				.type = AGENT_MARK, .reactor = r->index, .u.mark = m->u.mark});
		break;
	case REACTOR_PARK:
		r->park_round = m->u.park;
		break;
	case REACTOR_END:
		take_end(r);
		break;
	case REACTOR_STOP:
		r->stopped = true;
		break;
	case REACTOR_QUERY:
		take_query(r, m->u.query);
		break;
	case REACTOR_KICK:
		take_kick(r, m->u.kick);
		break;
	}
}

int reactor_post(struct reactor *r, const struct reactor_message *m)
{
	struct reactor_mail *mail;

	if (r->index == 0) {
		take_message(r, m);
		return 0;
	}
	mail = malloc(sizeof(*mail));
	if (!mail)
		return -ENOMEM;
	mail->m = *m;
	rdy__list_init(&mail->link);
	mailbox_post(&r->mailbox, &mail->link);
	return 0;
}

static void read_mailbox(struct reactor *r)
{
	struct rdy__list all, *node;

	rdy__list_init(&all);
	mailbox_take(&r->mailbox, &all);
	while ((node = rdy__list_pop(&all))) {
		struct reactor_mail *mail = rdy__list_entry(node, struct reactor_mail, link);

		take_message(r, &mail->m);
		free(mail);
	}
}

void reactor_set_hello_timer(struct reactor *r)
{
	if (rdy__list_empty(&r->hello))
		rdy_timer_clear(r->hello_timer);
	else
		rdy_timer_set(r->hello_timer,
			rdy__list_entry(r->hello.next, struct session, hello)->hello_deadline_ns);
}

static void hello_timeout(struct reactor *r)
{
	int64_t now_ns = rdy__now_ns();

	if (r->frozen)
		return; /* HELLO may be there: thawing gives the time again */
	while (!rdy__list_empty(&r->hello)) {
		struct session *s = rdy__list_entry(r->hello.next, struct session, hello);

		if (s->hello_deadline_ns > now_ns)
			break;
		session_fatal(s, 0, WIRE_E_HELLO_TIMEOUT, 0); /* leaves the list */
	}
	reactor_set_hello_timer(r);
}

/*
 * Invariant: TOKEN-1: an event whose generation is not the present one is nobody's. Why: libready withdraws
 * them, but here an index is a slot that the next client may have. Test: tests/unit/agent/session.c/tokens
 */
static struct session *session_of(const struct reactor *r, uint64_t token)
{
	uint32_t index = (uint32_t)(token >> 32) & (REGISTRATION_INDEX_MAX - 1);

	if (index >= r->n_slots || r->generations[index] != (uint32_t)token)
		return NULL;
	return r->sessions[index];
}

static void registration_event(struct reactor *r, uint64_t id, uint32_t ready)
{
	uint32_t index = (uint32_t)(id >> 32);
	const struct registration *reg;

	if (index >= r->registrations.n_chunks * REGISTRATION_CHUNK)
		return;
	reg = registrations_at(&r->registrations, index);
	if (!reg->mode || reg->generation != (uint32_t)id)
		return;
	deliver_event(r->sessions[reg->owner], index, ready);
}

static void deadline_event(struct reactor *r, uint64_t token)
{
	uint32_t index = (uint32_t)(token >> 32) & (REGISTRATION_INDEX_MAX - 1);
	const struct registration *reg;

	if (index >= r->registrations.n_chunks * REGISTRATION_CHUNK)
		return;
	reg = registrations_at(&r->registrations, index);
	if (reg->mode && reg->generation == (uint32_t)token)
		deadline_fire(r->sessions[reg->owner], index);
}

static bool is_of_sessions(uint32_t kind)
{
	return kind <= TOKEN_HELLO_TIMER || kind == TOKEN_DEADLINE_TIMER ||
	       kind == TOKEN_FLOOD_TIMER;
}

static void dispatch(struct reactor *r, const struct rdy_event *e)
{
	uint32_t kind = (uint32_t)(e->token >> TOKEN_KIND_SHIFT);
	struct session *s;

	/* Reported again by park_open(). */
	if (r->parked && is_of_sessions(kind))
		return;
	switch (kind) {
	case TOKEN_REGISTRATION:
		registration_event(r, e->token, e->ready);
		break;
	case TOKEN_SESSION:
		s = session_of(r, e->token);
		if (s)
			session_event(s, e->ready);
		break;
	case TOKEN_PIDFD:
		s = session_of(r, e->token);
		if (s)
			session_end(s);
		break;
	case TOKEN_HELLO_TIMER:
		hello_timeout(r);
		break;
	case TOKEN_DEADLINE_TIMER:
		deadline_event(r, e->token);
		break;
	case TOKEN_FLOOD_TIMER:
		flood_look(r);
		break;
	case TOKEN_MAILBOX:
		if (r->index) {
			read_mailbox(r);
			break;
		}
		__attribute__((fallthrough));
	default:
		agent_event(r->agent, e->token, e->ready);
		break;
	}
}

static void move_all(struct rdy__list *from, struct rdy__list *to)
{
	struct rdy__list *node;

	while ((node = rdy__list_pop(from)))
		rdy__list_append(to, node);
}

static void deliver_all(struct reactor *r)
{
	struct rdy__list *node;

	/* A session that is not done when this ends waits for its socket, so the list gets empty. */
	while ((node = rdy__list_pop(&r->output)))
		deliver_flush(rdy__list_entry(node, struct session, output));
}

/* Each session in turn; whoever is not done goes to the end of the queue for the next round. */
static void read_all(struct reactor *r)
{
	struct rdy__list now, *node;

	rdy__list_init(&now);
	move_all(&r->input, &now);
	while ((node = rdy__list_pop(&now)))
		session_read(rdy__list_entry(node, struct session, work));
}

static void end_all(struct reactor *r)
{
	uint32_t budget = REACTOR_TEARDOWN;
	struct rdy__list now, *node;

	rdy__list_init(&now);
	move_all(&r->ending, &now);
	while ((node = rdy__list_pop(&now))) {
		struct session *s = rdy__list_entry(node, struct session, work);

		if (session_end_slice(s, &budget))
			rdy__list_append(&r->ending, &s->work);
	}
}

/* The table has room again: everybody goes on where he was. */
static void feed(struct reactor *r)
{
	struct rdy__list *node;

	if (rdy__list_empty(&r->starved) || !agent_room(r->agent))
		return;
	while ((node = rdy__list_pop(&r->starved))) {
		struct session *s = rdy__list_entry(node, struct session, work);

		s->starved = false;
		rdy__list_append(s->state >= SESSION_ENDING ? &r->ending : &r->input, &s->work);
	}
}

void reactor_give_up(struct reactor *r)
{
	if (r->graveyard.n == 0)
		return;
	agent_post(r->agent,
		&(struct agent_message){.type = AGENT_DISPOSE,
			.u.dispose = {.take_fds = r->graveyard.fds, .n = r->graveyard.n}});
	r->graveyard.n = 0;
}

/* Is something left from the last round, or is there room for it now? */
static bool has_work(struct reactor *r)
{
	feed(r);
	if (!rdy__list_empty(&r->ending))
		return true;
	return !r->frozen && (!rdy__list_empty(&r->input) || !rdy__list_empty(&r->output));
}

static void work(struct reactor *r)
{
	if (r->frozen) {
		end_all(r);
		return;
	}
	deliver_all(r);
	read_all(r);
	end_all(r);
	deliver_all(r);
}

/* Is there a session that is neither live nor gone? */
static bool is_ending(const struct reactor *r)
{
	if (!rdy__list_empty(&r->ending))
		return true;
	rdy__list_for_each (l, &r->starved)
		if (rdy__list_entry(l, struct session, work)->state >= SESSION_ENDING)
			return true;
	return false;
}

/* Once for a whole batch, and only if somebody counts in time. */
static void read_clock(struct reactor *r)
{
	if (!r->flood.tick_ns && !r->deadlines.n)
		return;
	r->now_ns = rdy__now_ns();
	if (r->flood.tick_ns)
		flood_round(&r->flood, r->now_ns);
}

void reactor_round(struct reactor *r, int64_t timeout_ns)
{
	bool was_parked = r->parked;
	struct rdy_event e;
	int n;

	if (!r->parked && has_work(r))
		timeout_ns = 0;
	/* Each event of a batch may end one registration. */
	if (graveyard_reserve(&r->graveyard, REACTOR_EVENTS) < 0) {
		agent_fail(r->agent, "out of memory");
		return;
	}
	n = rdy_poll_wait(r->poll, r->events, timeout_ns);
	if (n < 0) {
		agent_fail(r->agent, "the poll failed");
		return;
	}
	r->counters.wakeups += n > 0;
	read_clock(r);
	/*
	 * Invariant: BATCH-1: nothing is freed while a batch is gone through: sessions wait in `dead`,
	 * registrations end in place. Why: a later event of the batch may be about what an earlier one ended.
	 * Test: tests/unit/agent/session.c/ended_within_a_batch
	 */
	while (rdy_events_next(r->events, &e) == 1)
		dispatch(r, &e);
	/* What was dropped is reported by the next wait: it goes out together with what waits already. */
	if (!r->parked && !was_parked)
		work(r);
	reactor_give_up(r);
	free_dead(r);
	atomic_store_explicit(&r->load, r->registrations.n_used, memory_order_relaxed);
	/* After give_up(): whoever sees it has been told of everything that may make room. */
	atomic_store_explicit(&r->starving, !rdy__list_empty(&r->starved), memory_order_release);
	/* Nothing is half ended when others look at it. */
	if (r->park_round && !is_ending(r))
		park_enter(r);
}
