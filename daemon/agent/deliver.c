/* SPDX-License-Identifier: MIT */
/*
 * See deliver.h.
 *
 * A ONESHOT registration, or LEVEL, whose REARM is an acknowledgement (native edges: edge-triggered in the
 * poll, the arming is ours, because changing the poll for each event would double its cost):
 *
 *    ARMED ---deliver_event()---> disarmed, pending ---deliver_flush()---> disarmed
 *      ^                                                                      |
 *      |                                          deliver_event(): MUTED, the poll looks for hangups only
 *      +--------deliver_watch() for REARM, MODIFY: reports the level <--------+
 *
 * Without native edges an armed one is ONESHOT in the poll, and MUTED from its event on. Whatever is muted is
 * EDGE, which an emulation can do, too: half a hangup is told once and does not hide the other half.
 * Invariant: HANGUP-1: a hangup is told whatever the state of a registration is, without anybody looking for
 *   it. Why: a sweep would wake an idle daemon. Test: tests/integration/hangups.c/hangups
 */
#include "deliver.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "agent.h"
#include "reactor.h"

_Static_assert(WIRE_READABLE == RDY_READABLE && WIRE_WRITABLE == RDY_WRITABLE &&
		       WIRE_PRIORITY == RDY_PRIORITY && WIRE_HANGUP_ONLY == RDY_HANGUP_ONLY &&
		       WIRE_INTERESTS == RDY_INTERESTS && WIRE_READY_ERROR == RDY_ERROR &&
		       WIRE_READ_CLOSED == RDY_READ_CLOSED && WIRE_WRITE_CLOSED == RDY_WRITE_CLOSED,
	"readiness on the wire is libready's");
_Static_assert(WIRE_EDGE == RDY_EDGE && WIRE_LEVEL == RDY_LEVEL && WIRE_ONESHOT == RDY_ONESHOT,
	"modes are libready's");

#define BOTH_CLOSED (WIRE_READ_CLOSED | WIRE_WRITE_CLOSED)
#define END_BITS (WIRE_READY_ERROR | BOTH_CLOSED)
#define EVENT_BITS (WIRE_READABLE | WIRE_WRITABLE | WIRE_PRIORITY | END_BITS)

static bool wants_silence(const struct registration *reg)
{
	return (reg->mode != WIRE_EDGE && !(reg->flags & REGISTRATION_ARMED)) ||
	       reg->flags & REGISTRATION_PAUSED;
}

static uint32_t poll_mode(const struct reactor *r, bool mute)
{
	return mute || r->native_edge ? RDY_EDGE : RDY_ONESHOT;
}

static void note_mute(struct registration *reg, bool mute)
{
	if (mute)
		reg->flags |= REGISTRATION_MUTED;
	else
		reg->flags &= (uint8_t)~REGISTRATION_MUTED;
}

int deliver_first_watch(struct session *s, uint32_t index, int fd)
{
	struct reactor *r = s->reactor;
	struct registration *reg = registrations_at(&r->registrations, index);
	bool mute = wants_silence(reg);
	int e = rdy_poll_register(r->poll, fd, registration_id(&r->registrations, index),
		mute ? RDY_HANGUP_ONLY : reg->interest, poll_mode(r, mute));

	if (e == 0)
		note_mute(reg, mute);
	return e;
}

int deliver_watch(struct session *s, uint32_t index)
{
	struct reactor *r = s->reactor;
	struct registration *reg = registrations_at(&r->registrations, index);
	bool mute = wants_silence(reg);
	int e = rdy_poll_modify(r->poll, reg->fd, registration_id(&r->registrations, index),
		mute ? RDY_HANGUP_ONLY : reg->interest, poll_mode(r, mute));

	if (e == 0)
		note_mute(reg, mute);
	return e;
}

static void want_delivery(struct session *s, uint32_t index, struct registration *reg)
{
	if (!(reg->flags & REGISTRATION_READY))
		registrations_append_ready(&s->reactor->registrations, &s->ready, index, reg);
	session_want_output(s);
}

/* Data may come as often as it likes: it is reported by the rearm, and wakes nobody before. */
static void mute(struct session *s, uint32_t index)
{
	if (deliver_watch(s, index) < 0)
		s->reactor->counters.surprises++; /* costs wakeups, loses nothing */
}

void deliver_event(struct session *s, uint32_t index, uint32_t ready)
{
	struct reactor *r = s->reactor;
	struct registration *reg = registrations_at(&r->registrations, index);
	uint16_t bits = (uint16_t)(ready & EVENT_BITS);
	bool closed =
		bits & END_BITS && (bits & WIRE_READY_ERROR || (bits & BOTH_CLOSED) == BOTH_CLOSED);

	if (s->state != SESSION_OPEN || reg->fd < 0 || !bits)
		return;
	if (reg->deadline)
		deadline_touch(r, reg);
	if (closed && !(reg->flags & REGISTRATION_KEEP)) {
		deliver_unwatch(s, index);
		reg->flags |= REGISTRATION_ENDED;
		reg->flags &= (uint8_t)~REGISTRATION_ARMED;
	} else if (reg->mode == WIRE_EDGE) {
		if (r->flood.tick_ns && flood_spend(&r->flood, reg) &&
			!(reg->flags & REGISTRATION_PAUSED))
			flood_pause(s, index);
	} else if (reg->flags & REGISTRATION_ARMED) {
		reg->flags &= (uint8_t)~REGISTRATION_ARMED;
		/* An emulated one has gone silent and must still see a hangup, if this was none. */
		if (!r->native_edge && !closed)
			mute(s, index);
	} else {
		/* After a hangup nothing comes, and muting would report that again. */
		if (r->native_edge && !closed && !(reg->flags & REGISTRATION_MUTED))
			mute(s, index);
		/* One event, which may still grow; then silence but for a hangup of a kept one. */
		if (!reg->pending)
			bits = closed ? bits & END_BITS : 0;
		if (!bits)
			return;
	}
	reg->pending |= bits;
	want_delivery(s, index, reg);
}

void deliver_timeout(struct session *s, uint32_t index, uint8_t over)
{
	struct registration *reg = registrations_at(&s->reactor->registrations, index);

	/* Its last event is on the way, or nobody is there to be told. */
	if (s->state != SESSION_OPEN || reg->flags & REGISTRATION_ENDED)
		return;
	reg->timeouts |= over;
	want_delivery(s, index, reg);
}

_Static_assert(REGISTRATION_ENDED >> 2 == WIRE_EVENT_ENDED &&
		       REGISTRATION_PAUSED >> 2 == WIRE_EVENT_PAUSED,
	"event_flags() shifts them");

static uint8_t event_flags(const struct registration *reg)
{
	static const uint8_t by_mode[] = {[WIRE_EDGE] = 0,
		[WIRE_LEVEL] = WIRE_EVENT_ACK,
		[WIRE_ONESHOT] = WIRE_EVENT_DISARMED};

	return (uint8_t)(by_mode[reg->mode] |
			 (reg->flags >> 2 & (WIRE_EVENT_ENDED | WIRE_EVENT_PAUSED)));
}

__attribute__((noinline, cold)) static void put_timeout(
	struct reactor *r, uint32_t n, const struct registration *reg, uint64_t id)
{
	const struct wire_event e = {
		.cookie = reg->cookie,
		.id = id,
		.type = WIRE_EVENT_TIMEOUT,
		.ready = reg->timeouts,
		.seq = reg->seq,
	};

	wire_put_event(r->out, n, &e);
}

/* Returns the number of records; *ret_taken: of registrations, from the head of the ready queue on. */
__attribute__((flatten)) static uint32_t encode(
	struct reactor *r, const struct session *s, uint32_t *ret_taken)
{
	uint32_t n = 0, taken = 0;

	/* A registration that is ready and has timed out makes two. */
	for (uint32_t i = s->ready.head; i != REGISTRATION_NONE && n < WIRE_EVENTS_MAX - 1;
		taken++) {
		const struct registration *reg = registrations_at(&r->registrations, i);
		const struct wire_event e = {
			.cookie = reg->cookie,
			.id = (uint64_t)i << 32 | reg->generation,
			.type = WIRE_EVENT_READY,
			.flags = event_flags(reg),
			.ready = reg->pending,
			.seq = reg->seq + 1,
		};

		i = reg->ready_next;
		if (__builtin_expect(reg->timeouts, 0)) {
			put_timeout(r, n++, reg, e.id);
			if (!e.ready)
				continue;
		}
		wire_put_event(r->out, n++, &e);
	}
	*ret_taken = taken;
	return n;
}

/* n records of the first `taken` of the ready queue went out: they leave it together. */
static void delivered(struct session *s, uint32_t n, uint32_t taken)
{
	struct registrations *all = &s->reactor->registrations;
	uint32_t ended = REGISTRATION_NONE;

	s->reactor->counters.frames++;
	s->reactor->counters.events += n;
	s->n_events += n;
	s->ready.n -= taken;
	for (uint32_t i = s->ready.head; taken--;) {
		struct registration *reg = registrations_at(all, i);
		uint32_t next = reg->ready_next;

		reg->seq += reg->pending != 0;
		reg->pending = 0;
		reg->timeouts = 0;
		reg->flags &= (uint8_t)~REGISTRATION_READY;
		if (reg->flags & REGISTRATION_ENDED) {
			reg->ready_next = ended;
			ended = i;
		}
		i = next;
		s->ready.head = next;
	}
	if (s->ready.head == REGISTRATION_NONE)
		s->ready.tail = REGISTRATION_NONE;
	else
		registrations_at(all, s->ready.head)->ready_prev = REGISTRATION_NONE;
	while (ended != REGISTRATION_NONE) {
		uint32_t i = ended;

		ended = registrations_at(all, i)->ready_next;
		deliver_forget(s, i);
	}
}

void deliver_flush(struct session *s)
{
	struct reactor *r = s->reactor;

	if (r->frozen)
		return; /* session_fatal(): what waits goes with the session */
	rdy__list_unlink(&s->output);
	if (s->state >= SESSION_ENDING || s->blocked)
		return;
	while (s->replies.head) {
		if (!session_send(s, s->replies.head->bytes, s->replies.head->n_bytes))
			return;
		replies_drop(&s->replies);
		/* It may have waited for this one. */
		session_want_input(s);
	}
	while (s->ready.head != REGISTRATION_NONE) {
		uint32_t taken, n = encode(r, s, &taken);

		if (!session_send(s, r->out, wire_put_header(r->out, WIRE_EVENTS, 0, n)))
			return;
		delivered(s, n, taken);
	}
}

void deliver_unwatch(struct session *s, uint32_t index)
{
	struct reactor *r = s->reactor;
	struct registration *reg = registrations_at(&r->registrations, index);
	int e;

	if (reg->fd < 0)
		return;
	deadline_clear(r, reg);
	flood_forget(r, reg);
	/*
	 * Invariant: EPOLL-1: the poll has let go of a descriptor before it is given up. Why: the client holds
	 * the same open file description, so a registration that was missed would fire for ever, and no
	 * close() of ours could remove it. Test: tests/unit/agent/session.c/del_before_close
	 */
	e = rdy_poll_deregister(r->poll, reg->fd);
	if (e == 0 || e == -ENOENT) {
		dispose_plain(r, reg->fd);
	} else {
		/* Never seen. A descriptor that stays open costs a slot, a ghost costs every wait. */
		r->counters.surprises++;
		dispose_quarantine(r, s, reg->fd);
	}
	reg->fd = -1;
}

void deliver_forget(struct session *s, uint32_t index)
{
	struct reactor *r = s->reactor;

	deliver_unwatch(s, index);
	registrations_unready(&r->registrations, &s->ready, index);
	registrations_unlink(&r->registrations, &s->all, index);
	cookies_remove(&s->cookies, &r->registrations, r->agent->cookie_seed, index);
	registrations_give(&r->registrations, index);
	s->n_registrations--;
	quota_release(&r->agent->registrations, 1);
}
