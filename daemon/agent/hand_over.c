/* SPDX-License-Identifier: MIT */
/*
 * See hand_over.h. Reads what all reactors own, while they are parked (PARK-1). One message is made at a time
 * and kept until the kernel has taken it; descriptors are borrowed from their sessions all the way.
 */
#include "hand_over.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent.h"
#include "base/clock.h"
#include "base/fd.h"
#include "handover.h"
#include "log.h"
#include "outbox.h"
#include "reactors.h"
#include "session.h"

#define RETRY_NS (20 * RDY__NS_PER_MS)
#define BATCH (HANDOVER_CREDITS / 2) /* so that the next one is on its way while one is taken in */
_Static_assert(BATCH <= HANDOVER_RECORDS_MAX, "a batch is a message");

enum stage { BEGIN, REACTOR, SESSION, REPLY, READY, REST, SESSION_DONE, END, WAIT };

struct hand_over {
	int link;
	struct rdy_timer *timer;
	bool parked, full; /* full: WRITABLE is watched */
	uint32_t in_flight;
	uint32_t n_sessions; /* begun */
	/* What comes next. */
	enum stage stage;
	uint32_t reactor, slot, registration;
	const struct reply *reply;
	/* Made and not sent yet; n_bytes = 0: nothing. */
	size_t n_bytes, n_fds;
	int fds[BATCH];
	uint8_t buf[HANDOVER_BYTES_MAX];
};
_Static_assert(BATCH >= 2, "a session has two descriptors");

static struct hand_over *hand_over_free(struct agent *a)
{
	struct hand_over *h = a->handing;

	rdy_poll_deregister(a->reactor.poll, h->link);
	rdy__fd_close(h->link);
	quota_release(&a->descriptors, 1);
	rdy_timer_free(h->timer);
	free(h);
	return NULL;
}

static void fail(struct agent *a, const char *why)
{
	log_line(LOG_WARNING, "handover=failed why=\"%s\" sessions=%u effect=\"serves on\"", why,
		a->n_sessions);
	a->handing = hand_over_free(a);
	park_open(a);
	outbox_say(a, CHANNEL_HANDOVER_FAILED, 0);
}

/*
 * Invariant: HANDOVER-1: a session has exactly one agent that reads it: this one until it has read ACK, the
 * other one from when it has sent it. Why: two readers would each have half of what the client says.
 * Test: tests/unit/agent/take_over.c/nobody_reads_meanwhile
 */
static void commit(struct agent *a)
{
	uint32_t n = a->handing->n_sessions;

	a->handing = hand_over_free(a);
	for (uint32_t i = 0; i < a->n_reactors; i++) {
		struct reactor *r = reactors_at(a, i);

		for (uint32_t k = 0; k < r->n_slots; k++)
			if (r->sessions[k])
				session_forget(r->sessions[k]);
		reactor_give_up(r);
		r->n_given = 0;
	}
	a->n_sessions -= n;
	roster_deinit(&a->roster);
	a->handed_over = true;
	log_line(LOG_NOTICE, "handover=done sessions=%u", n);
	park_open(a);
	outbox_say(a, CHANNEL_HANDED_OVER, n);
}

void hand_over_start(struct agent *a, int take_link)
{
	struct hand_over *h = calloc(1, sizeof(*h));
	int e = h && !a->handing && !a->taking && !a->handed_over && !a->ending ? 0 : -EINVAL;

	if (e == 0)
		e = rdy_timer_new(a->reactor.poll, TOKEN(TOKEN_HANDOVER, 1, 0), &h->timer);
	if (e == 0)
		e = rdy_poll_register(a->reactor.poll, take_link, TOKEN(TOKEN_HANDOVER, 0, 0),
			RDY_READABLE, RDY_LEVEL);
	if (e < 0) {
		if (h)
			rdy_timer_free(h->timer);
		free(h);
		rdy__fd_close(take_link);
		quota_release(&a->descriptors, 1);
		outbox_say(a, CHANNEL_HANDOVER_FAILED, 0);
		return;
	}
	h->link = take_link;
	a->handing = h;
	park_ask(a);
}

static void make(struct hand_over *h, const struct handover_message *m)
{
	h->n_bytes = handover_encode(h->buf, m);
}

static void make_value(struct hand_over *h, uint32_t type, uint64_t value)
{
	const struct handover_message m = {.type = type, .n = 1, .u.value = value};

	make(h, &m);
}

static void make_begin(struct agent *a, struct hand_over *h)
{
	struct handover_message m = {
		.type = HANDOVER_BEGIN,
		.n = 1,
		.u.begin = {.uid = a->config.uid, .n_reactors = a->n_reactors},
	};

	for (uint32_t i = 0; i < a->n_reactors; i++) {
		m.u.begin.n_sessions += reactors_at(a, i)->n_sessions;
		m.u.begin.n_registrations += reactors_at(a, i)->registrations.n_used;
	}
	make(h, &m);
	h->stage = REACTOR;
}

static void make_reactor(struct agent *a, struct hand_over *h)
{
	const struct handover_message m = {
		.type = HANDOVER_REACTOR,
		.n = 1,
		.u.reactor =
			{
				.reactor = h->reactor,
				.first_generation = registrations_next_generation(
					&reactors_at(a, h->reactor)->registrations),
			},
	};

	make(h, &m);
	if (++h->reactor < a->n_reactors)
		return;
	h->reactor = 0;
	h->stage = SESSION;
}

/* The session that is under way, or the first of those that come. */
static struct session *present(struct agent *a, struct hand_over *h)
{
	for (; h->reactor < a->n_reactors; h->reactor++, h->slot = 0) {
		struct reactor *r = reactors_at(a, h->reactor);

		for (; h->slot < r->n_slots; h->slot++)
			if (r->sessions[h->slot])
				return r->sessions[h->slot];
	}
	return NULL;
}

static void make_session(struct agent *a, struct hand_over *h)
{
	const struct session *s = present(a, h);
	const struct channel_snapshot_session *known;
	struct handover_message m = {.type = HANDOVER_SESSION, .n = 1};

	if (!s) {
		make_value(h, HANDOVER_END, h->n_sessions);
		h->stage = WAIT;
		return;
	}
	known = roster_find(&a->roster, s->number);
	m.u.session = (struct handover_session){
		.number = s->number,
		.features = s->features,
		.uid = a->config.uid,
		.pid = s->pid,
		.reactor = h->reactor,
		.flags = s->state == SESSION_OPEN ? HANDOVER_SESSION_OPEN : 0,
		.n_replies = s->replies.n,
		.n_registrations = s->n_registrations,
		.n_quarantined = s->n_quarantined,
		.blocked_ns = s->blocked ? s->blocked_ns : 0,
		.events = s->n_events,
		.requests = s->n_requests,
	};
	if (known) {
		m.u.session.gid = known->gid;
		m.u.session.since_ns = known->since_ns;
	}
	memcpy(m.u.session.name, s->name, sizeof(s->name));
	make(h, &m);
	h->fds[h->n_fds++] = s->sock;
	if (s->pidfd >= 0)
		h->fds[h->n_fds++] = s->pidfd;
	h->n_sessions++;
	h->reply = s->replies.head;
	h->stage = REPLY;
}

static void make_reply(struct agent *a, struct hand_over *h)
{
	struct handover_message m = {.type = HANDOVER_REPLY};

	if (!h->reply) {
		h->registration = present(a, h)->ready.head;
		h->stage = READY;
		return;
	}
	m.data = h->reply->bytes;
	m.n_data = h->reply->n_bytes;
	make(h, &m);
	h->reply = h->reply->next;
}

static struct handover_registration describe(
	const struct reactor *r, const struct registration *reg, uint64_t id)
{
	const struct deadline *d = deadline_of(r, reg);

	return (struct handover_registration){
		.id = id,
		.at_ns = d ? d->at_ns : 0,
		.idle_ns = d ? deadline_idle_at_ns(d) : 0,
		.idle_period_ns = d ? d->idle_ns : 0,
		.timeouts = reg->timeouts,
		.cookie = reg->cookie,
		.seq = reg->seq,
		.interest = reg->interest,
		.pending = reg->pending,
		.mode = reg->mode,
		.kind = reg->kind,
		.flags = (uint8_t)((reg->fd >= 0 ? HANDOVER_FD : 0) |
				   (reg->flags & REGISTRATION_KEEP ? HANDOVER_KEEP : 0) |
				   (reg->flags & REGISTRATION_ARMED ? HANDOVER_ARMED : 0) |
				   (reg->flags & REGISTRATION_READY ? HANDOVER_READY : 0) |
				   (reg->flags & REGISTRATION_ENDED ? HANDOVER_ENDED : 0) |
				   (reg->flags & REGISTRATION_PAUSED ? HANDOVER_PAUSED : 0)),
	};
}

/* First those with an event that waits, in the order in which it waits; then the others. */
static void make_registrations(struct agent *a, struct hand_over *h)
{
	const struct session *s = present(a, h);
	const struct registrations *all = &s->reactor->registrations;
	static struct handover_message m; /* the main thread's */
	bool ready = h->stage == READY;

	m.type = HANDOVER_REGISTRATIONS;
	m.n = 0;
	while (h->registration != REGISTRATION_NONE && m.n < BATCH) {
		const struct registration *reg = registrations_at(all, h->registration);

		if (ready || !(reg->flags & REGISTRATION_READY)) {
			m.u.registrations[m.n++] =
				describe(s->reactor, reg, registration_id(all, h->registration));
			if (reg->fd >= 0)
				h->fds[h->n_fds++] = reg->fd;
		}
		h->registration = ready ? reg->ready_next : reg->next;
	}
	if (m.n) {
		make(h, &m);
		return;
	}
	h->registration = s->all.head;
	h->stage = ready ? REST : SESSION_DONE;
}

static void make_done(struct agent *a, struct hand_over *h)
{
	make_value(h, HANDOVER_SESSION_DONE, present(a, h)->number);
	h->slot++;
	h->stage = SESSION;
}

/* Make the next message. Returns false when all has been said. */
static bool prepare(struct agent *a, struct hand_over *h)
{
	while (h->n_bytes == 0) {
		switch (h->stage) {
		case BEGIN:
			make_begin(a, h);
			break;
		case REACTOR:
			make_reactor(a, h);
			break;
		case SESSION:
			make_session(a, h);
			break;
		case REPLY:
			make_reply(a, h);
			break;
		case READY:
		case REST:
			make_registrations(a, h);
			break;
		case SESSION_DONE:
			make_done(a, h);
			break;
		case END:
		case WAIT:
			return false;
		}
	}
	return true;
}

static void watch(struct agent *a, bool full)
{
	struct hand_over *h = a->handing;

	if (h->full == full)
		return;
	h->full = full;
	if (rdy_poll_modify(a->reactor.poll, h->link, TOKEN(TOKEN_HANDOVER, 0, 0),
		    RDY_READABLE | (full ? RDY_WRITABLE : 0), RDY_LEVEL) < 0)
		agent_fail(a, "the handover cannot be watched");
}

/* Send as much as credits and the kernel allow. */
static void push(struct agent *a)
{
	struct hand_over *h = a->handing;

	while (prepare(a, h) && h->in_flight + h->n_fds <= HANDOVER_CREDITS) {
		int e = rdy__send_fds(h->link, h->buf, h->n_bytes, h->fds, h->n_fds);

		switch (e) {
		case 0:
			h->in_flight += (uint32_t)h->n_fds;
			h->n_bytes = h->n_fds = 0;
			break;
		case -EAGAIN:
			watch(a, true);
			return;
		case -ETOOMANYREFS:
		case -ENOBUFS:
		case -ENOMEM:
			/* Nothing tells when there is room. */
			rdy_timer_set(h->timer, rdy__deadline_ns(rdy__now_ns(), RETRY_NS));
			return;
		default:
			fail(a, "the successor is gone");
			return;
		}
	}
	watch(a, false);
}

void hand_over_parked(struct agent *a)
{
	a->handing->parked = true;
	push(a);
}

/* What the successor says. Returns false when the handover is over, whichever way. */
static bool hear(struct agent *a)
{
	struct hand_over *h = a->handing;
	static struct handover_message m; /* the main thread's */
	uint8_t buf[HANDOVER_HEAD_BYTES + 64];
	struct rdy__received got;
	int fds[RDY__FDS_MAX], e;

	for (;;) {
		e = rdy__recv_fds(h->link, buf, sizeof(buf), fds, 0, &got);
		if (e == -EAGAIN)
			return true;
		for (size_t i = 0; e == 0 && i < got.n_fds; i++)
			rdy__fd_close(fds[i]); /* never: it sends none */
		if (e < 0 || got.n_bytes == 0) {
			fail(a, "the successor is gone");
			return false;
		}
		if (handover_decode(buf, got.n_bytes, got.n_fds, &m) < 0)
			break;
		if (m.type == HANDOVER_CREDIT && m.u.value <= h->in_flight) {
			h->in_flight -= (uint32_t)m.u.value;
		} else if (m.type == HANDOVER_ACK && h->stage == WAIT && !h->n_bytes &&
			   m.u.value == h->n_sessions) {
			commit(a);
			return false;
		} else {
			break;
		}
	}
	fail(a, "the successor speaks something else");
	return false;
}

void hand_over_event(struct agent *a, uint32_t ready)
{
	(void)ready; /* both directions, and the timer: whatever can be done now */
	if (a->handing && hear(a) && a->handing->parked)
		push(a);
}

void hand_over_cancel(struct agent *a)
{
	if (!a->handing)
		return;
	/* From here on nothing more comes in; an ACK that is there already stands. */
	shutdown(a->handing->link, SHUT_RDWR);
	hear(a);
}
