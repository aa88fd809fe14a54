/* SPDX-License-Identifier: MIT */
/* See take_over.h. Writes what all reactors own, while they are parked (PARK-1). */
#include "take_over.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "base/fd.h"
#include "closer.h"
#include "deliver.h"
#include "handover.h"
#include "log.h"
#include "outbox.h"
#include "reactors.h"
#include "session.h"

#define MESSAGES 64u /* read per event */

struct take_over {
	int link;
	bool parked, begun;
	uint32_t watched; /* interest in the poll */
	uint32_t version; /* the predecessor's */
	struct handover_begin begin;
	uint32_t n_reactors, n_sessions, n_registrations; /* come so far */
	uint32_t credits_owed;
	bool ack_owed;
	struct session *session; /* under way */
	struct handover_session said;
	struct handover_message m;
	int fds[RDY__FDS_MAX];
	uint8_t buf[HANDOVER_BYTES_MAX];
};

struct take_over *take_over_free(struct agent *a)
{
	struct take_over *t = a->taking;

	if (!t)
		return NULL;
	rdy_poll_deregister(a->reactor.poll, t->link);
	rdy__fd_close(t->link);
	quota_release(&a->descriptors, 1);
	free(t);
	return NULL;
}

bool take_over_give_up(struct agent *a, const char *why)
{
	if (!a->taking)
		return false;
	log_line(LOG_WARNING, "takeover=failed why=\"%s\" sessions=%u", why, a->n_sessions);
	/* Before they were parked there was nothing. */
	for (uint32_t i = 0; i < a->n_reactors && a->taking->parked; i++) {
		struct reactor *r = reactors_at(a, i);

		for (uint32_t k = 0; k < r->n_slots; k++)
			if (r->sessions[k])
				session_forget(r->sessions[k]);
		reactor_give_up(r);
		r->n_given = 0;
	}
	a->n_sessions = 0;
	roster_deinit(&a->roster);
	a->taking = take_over_free(a);
	a->leaving = true;
	park_open(a);
	return true;
}

void take_over_start(struct agent *a, int take_link)
{
	struct take_over *t = calloc(1, sizeof(*t));

	/* It is the first that a fresh agent hears. */
	if (!t || a->taking || a->n_sessions || a->handing || a->handed_over ||
		rdy_poll_register(a->reactor.poll, take_link, TOKEN(TOKEN_HANDOVER, 0, 0),
			RDY_READABLE, RDY_LEVEL) < 0) {
		free(t);
		rdy__fd_close(take_link);
		quota_release(&a->descriptors, 1);
		agent_fail(a, "nothing can be taken over");
		return;
	}
	t->link = take_link;
	t->watched = RDY_READABLE;
	a->taking = t;
	rdy_timer_clear(a->idle_timer);
}

static int take_begin(struct agent *a, struct take_over *t)
{
	int e;

	if (t->begun || t->m.u.begin.uid != a->config.uid)
		return -EPROTO;
	t->begun = true;
	t->version = t->m.version;
	t->begin = t->m.u.begin;
	/* As many as it had, whatever is configured now: ids are of a reactor. */
	e = reactors_need(a, t->begin.n_reactors);
	if (e == 0)
		park_ask(a);
	return e;
}

static int take_reactor(struct agent *a, struct take_over *t)
{
	if (t->m.u.reactor.reactor != t->n_reactors || t->n_reactors >= t->begin.n_reactors)
		return -EPROTO;
	reactors_at(a, t->n_reactors++)->registrations.first_generation =
		t->m.u.reactor.first_generation;
	return 0;
}

static int take_session(struct agent *a, struct take_over *t, size_t *n_fds_taken)
{
	const struct handover_session *h = &t->m.u.session;
	const struct channel_session info = {
		.session = h->number, .uid = h->uid, .gid = h->gid, .pid = h->pid};
	const struct channel_snapshot_session known = {
		.session = h->number,
		.uid = h->uid,
		.gid = h->gid,
		.pid = h->pid,
		.since_ns = h->since_ns,
	};
	bool pidfd = *n_fds_taken > 1;
	int e;

	*n_fds_taken = 0;
	if (t->session || t->n_reactors < t->begin.n_reactors ||
		h->reactor >= t->begin.n_reactors || h->uid != a->config.uid ||
		t->n_sessions >= t->begin.n_sessions || roster_find(&a->roster, h->number))
		return -EPROTO;
	e = roster_add(&a->roster, &known);
	if (e == 0)
		e = session_new(reactors_at(a, h->reactor), &info, t->fds[0],
			pidfd ? t->fds[1] : -1, &t->session);
	if (e < 0)
		return e;
	*n_fds_taken = pidfd ? 2 : 1;
	reactors_at(a, h->reactor)->n_given++;
	a->n_sessions++;
	t->said = *h;
	session_restore(t->session, h->flags & HANDOVER_SESSION_OPEN, h->features, h->name);
	t->session->n_quarantined = h->n_quarantined;
	t->session->since_ns = h->since_ns;
	t->session->n_events = h->events;
	t->session->n_requests = h->requests;
	return 0;
}

static int take_reply(struct take_over *t)
{
	if (!t->session || t->session->replies.n >= t->said.n_replies ||
		t->m.n_data > WIRE_FRAME_MAX)
		return -EPROTO;
	return replies_append(&t->session->replies, t->m.data, t->m.n_data);
}

static uint8_t flags_of(uint8_t h)
{
	return (uint8_t)((h & HANDOVER_KEEP ? REGISTRATION_KEEP : 0) |
			 (h & HANDOVER_ARMED ? REGISTRATION_ARMED : 0) |
			 (h & HANDOVER_ENDED ? REGISTRATION_ENDED : 0));
}

/* A paused one starts with an empty bucket: it is watched, and pauses again if it still floods. */
static int restore_deadlines(
	struct reactor *r, uint32_t index, const struct handover_registration *h)
{
	int64_t active_ns = h->idle_ns ? h->idle_ns - h->idle_period_ns : 0;
	int e = deadline_set(r, index, h->at_ns, h->idle_period_ns, active_ns);

	if (e == 0 && h->idle_period_ns && !h->idle_ns)
		deadline_idle_is_over(r, registrations_at(&r->registrations, index));
	return e;
}

/* fd (-1: it has ended) is the registration's on success. */
static int restore(
	struct agent *a, struct session *s, const struct handover_registration *h, int fd)
{
	struct registrations *all = &s->reactor->registrations;
	uint32_t index = (uint32_t)(h->id >> 32);
	struct registration *reg;
	int e;

	if (s->state != SESSION_OPEN || cookies_has(&s->cookies, all, a->cookie_seed, h->cookie))
		return -EPROTO;
	e = cookies_reserve(&s->cookies, all, a->cookie_seed);
	if (e == 0)
		e = registrations_take_at(all, index, (uint32_t)h->id);
	if (e < 0)
		return e;
	reg = registrations_at(all, index);
	reg->cookie = h->cookie;
	reg->owner = s->index;
	reg->seq = h->seq;
	reg->pending = h->pending;
	reg->interest = (uint8_t)h->interest;
	reg->mode = h->mode;
	reg->kind = h->kind;
	reg->flags = flags_of(h->flags);
	reg->timeouts = h->timeouts;
	e = restore_deadlines(s->reactor, index, h);
	if (e == 0 && fd >= 0)
		e = deliver_first_watch(s, index, fd);
	if (e < 0) {
		deadline_clear(s->reactor, reg);
		registrations_give(all, index);
		return e;
	}
	reg->fd = fd;
	registrations_link(all, &s->all, index);
	cookies_add(&s->cookies, all, a->cookie_seed, index);
	s->n_registrations++;
	/* Whatever the quota is now: a limit that is lowered never evicts. */
	quota_add(&a->registrations, 1);
	if (h->flags & HANDOVER_READY)
		registrations_ready(all, &s->ready, index);
	return 0;
}

/* *n_fds_taken: how many of the descriptors have got an owner. */
static int take_registrations(struct agent *a, struct take_over *t, size_t *n_fds_taken)
{
	int e = t->session ? 0 : -EPROTO;

	*n_fds_taken = 0;
	for (uint32_t i = 0; i < t->m.n && e == 0; i++) {
		const struct handover_registration *h = &t->m.u.registrations[i];
		bool has = h->flags & HANDOVER_FD;

		if (t->session->n_registrations >= t->said.n_registrations)
			return -EPROTO;
		e = restore(a, t->session, h, has ? t->fds[*n_fds_taken] : -1);
		if (e == 0)
			*n_fds_taken += has;
	}
	return e;
}

static int take_session_done(struct take_over *t)
{
	struct session *s = t->session;

	if (!s || t->m.u.value != s->number || s->replies.n != t->said.n_replies ||
		s->n_registrations != t->said.n_registrations)
		return -EPROTO;
	session_want_output(s);
	session_check(s);
	t->n_sessions++;
	t->n_registrations += s->n_registrations;
	t->session = NULL;
	return 0;
}

static int take_end(struct take_over *t)
{
	if (t->session || t->m.u.value != t->n_sessions || t->n_sessions != t->begin.n_sessions ||
		t->n_registrations != t->begin.n_registrations)
		return -EPROTO;
	t->ack_owed = true;
	return 0;
}

/* *n_fds: how many came; how many of them have got an owner. */
static int apply(struct agent *a, struct take_over *t, size_t *n_fds)
{
	switch (t->begun ? t->m.type : t->m.type == HANDOVER_BEGIN ? HANDOVER_BEGIN : 0) {
	case HANDOVER_BEGIN:
		return take_begin(a, t);
	case HANDOVER_REACTOR:
		return take_reactor(a, t);
	case HANDOVER_SESSION:
		return take_session(a, t, n_fds);
	case HANDOVER_REPLY:
		return take_reply(t);
	case HANDOVER_REGISTRATIONS:
		return take_registrations(a, t, n_fds);
	case HANDOVER_SESSION_DONE:
		return take_session_done(t);
	case HANDOVER_END:
		return take_end(t);
	default:
		*n_fds = 0;
		return -EPROTO;
	}
}

/* Returns 0 sent, -EAGAIN, or another -errno. */
static int say(struct take_over *t, uint32_t type, uint64_t value)
{
	const struct handover_message m = {
		.type = type, .version = t->version, .n = 1, .u.value = value};
	uint8_t buf[HANDOVER_HEAD_BYTES + 8];

	return rdy__send_fds(t->link, buf, handover_encode(buf, &m), NULL, 0);
}

/* Until the reactors are parked nothing is read. */
static void watch(struct agent *a)
{
	struct take_over *t = a->taking;
	uint32_t want = (t->parked || !t->begun ? RDY_READABLE : 0) |
			(t->credits_owed || t->ack_owed ? RDY_WRITABLE : 0);

	if (!want)
		want = RDY_HANGUP_ONLY;
	if (want == t->watched)
		return;
	t->watched = want;
	if (rdy_poll_modify(
		    a->reactor.poll, t->link, TOKEN(TOKEN_HANDOVER, 0, 0), want, RDY_LEVEL) < 0)
		agent_fail(a, "the handover cannot be watched");
}

/* The predecessor has read ACK, or is dead: they are ours. */
static void serve(struct agent *a)
{
	uint32_t n = a->taking->n_sessions;

	log_line(LOG_NOTICE, "takeover=done sessions=%u registrations=%u", n,
		a->taking->n_registrations);
	a->taking = take_over_free(a);
	a->idle_said = false;
	park_open(a);
	outbox_say(a, CHANNEL_TAKEN_OVER, n);
	closer_idle_check(a);
}

/* Say what is owed. */
static void answer(struct agent *a)
{
	struct take_over *t = a->taking;
	int e = 0;

	if (t->credits_owed) {
		e = say(t, HANDOVER_CREDIT, t->credits_owed);
		if (e == 0)
			t->credits_owed = 0;
	}
	if (e == 0 && t->ack_owed) {
		e = say(t, HANDOVER_ACK, t->n_sessions);
		if (e == 0) {
			serve(a);
			return;
		}
	}
	if (e < 0 && e != -EAGAIN) {
		take_over_give_up(a, "the predecessor is gone");
		return;
	}
	watch(a);
}

/* Returns 1 for a message taken in, 0 when there is none, -errno when it is over. */
static int take_message(struct agent *a, struct take_over *t)
{
	struct rdy__received got;
	size_t n_taken;
	int e = rdy__recv_fds(t->link, t->buf, sizeof(t->buf), t->fds, 0, &got);

	if (e < 0)
		return e == -EAGAIN ? 0 : e;
	if (got.n_bytes == 0 && got.n_fds == 0)
		return -EPIPE;
	quota_add(&a->descriptors, (uint32_t)got.n_fds);
	n_taken = got.n_fds;
	if (got.flags & (RDY__RECV_FDS_LOST | RDY__RECV_CUT))
		e = -EMFILE;
	else
		e = handover_decode(t->buf, got.n_bytes, got.n_fds, &t->m);
	if (e == 0)
		e = apply(a, t, &n_taken);
	else
		n_taken = 0;
	t->credits_owed += (uint32_t)got.n_fds;
	for (size_t i = n_taken; i < got.n_fds; i++)
		closer_take(a, t->fds[i], NULL, 0);
	return e < 0 ? e : 1;
}

static const char *reason(int e)
{
	switch (e) {
	case -EPROTO:
		return "the predecessor speaks something else";
	case -EPIPE:
	case -ECONNRESET:
		return "the predecessor is gone";
	default:
		return strerror(-e);
	}
}

void take_over_event(struct agent *a, uint32_t ready)
{
	struct take_over *t = a->taking;

	int e = 1;

	(void)ready; /* both directions: whatever can be done now */
	if (!t)
		return;
	/* What follows BEGIN is written into the reactors. */
	for (uint32_t i = 0; i < MESSAGES && e > 0 && (t->parked || !t->begun); i++)
		e = take_message(a, t);
	if (e < 0)
		take_over_give_up(a, reason(e));
	else
		answer(a);
}

void take_over_parked(struct agent *a)
{
	a->taking->parked = true;
	take_over_event(a, 0);
}
