/* SPDX-License-Identifier: MIT */
/*
 * From frames to events. What breaks the protocol ends the connection: it is decoded wholly before anything
 * is applied, and every id, serial and count is compared with what was asked.
 * Owner: the client's thread.
 */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "internal.h"

void rdy__client_post(struct rdy_client *c, struct rdy__reg *reg, uint8_t type, uint16_t bits,
	uint8_t flags, uint32_t error)
{
	/* Invariant: PEND-1: a registration has one waiting event, and one of its deadlines, into which
	 * later ones are merged.
	 * Why: memory is bounded by the number of registrations, however late the user takes them.
	 * Test: tests/unit/client/events.c/events_merge */
	if (!reg->type) {
		if (!reg->timeouts)
			rdy__list_append(&c->ready, &reg->ready);
		c->n_ready++;
	}
	reg->type = type;
	reg->bits |= bits;
	reg->event_flags |= flags;
	reg->error = error;
}

void rdy__client_withdraw(struct rdy_client *c, struct rdy__reg *reg)
{
	if (!reg->type)
		return;
	if (!reg->timeouts)
		rdy__list_unlink(&reg->ready);
	c->n_ready--;
	reg->type = reg->event_flags = 0;
	reg->bits = 0;
	reg->error = 0;
}

void rdy__client_post_timeouts(struct rdy_client *c, struct rdy__reg *reg, uint8_t over)
{
	if (!reg->timeouts) {
		if (!reg->type)
			rdy__list_append(&c->ready, &reg->ready);
		c->n_ready++;
	}
	reg->timeouts |= over;
}

void rdy__client_withdraw_timeouts(struct rdy_client *c, struct rdy__reg *reg, uint8_t over)
{
	if (!(reg->timeouts & over))
		return;
	reg->timeouts &= (uint8_t)~over;
	if (reg->timeouts)
		return;
	c->n_ready--;
	if (!reg->type)
		rdy__list_unlink(&reg->ready);
}

/* Nothing more comes of it but the event that says so. */
static void end(struct rdy_client *c, struct rdy__reg *reg)
{
	rdy__client_want_nothing(c, reg);
	rdy__deadline_drop(c, reg);
	rdy__client_withdraw_timeouts(c, reg, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE);
	reg->state = RDY__REG_ENDED;
}

void rdy__client_fail(struct rdy_client *c, struct rdy__reg *reg, uint32_t error)
{
	end(c, reg);
	rdy__client_withdraw(c, reg);
	rdy__client_post(c, reg, RDY_CLIENT_FAILED, 0, RDY_CLIENT_ENDED, error);
}

static void apply_ready(struct rdy_client *c, struct rdy__reg *reg, const struct wire_event *e)
{
	uint8_t flags = e->flags & WIRE_EVENT_PAUSED ? RDY_CLIENT_PAUSED : 0;
	/* An event that crossed a MODIFY to another mode leaves nothing to be armed: the MODIFY has. */
	bool acknowledged = e->flags & WIRE_EVENT_ACK && reg->mode == RDY_LEVEL;

	reg->seq = e->seq;
	if (e->flags & WIRE_EVENT_DISARMED)
		flags |= RDY_CLIENT_DISARMED;
	if (e->flags & WIRE_EVENT_DISARMED || acknowledged) {
		reg->disarmed = true;
		/* A REARM that was not sent yet answers an earlier event; the user answers this one. */
		if (reg->want == RDY__WANT_REARM)
			rdy__client_want_nothing(c, reg);
	}
	/* What was silent is not any more, and its time starts again. */
	rdy__client_withdraw_timeouts(c, reg, WIRE_TIMEOUT_IDLE);
	rdy__deadline_touch(c, reg);
	if (e->flags & WIRE_EVENT_ENDED) {
		flags |= RDY_CLIENT_ENDED;
		end(c, reg);
	}
	rdy__client_post(c, reg, RDY_CLIENT_READY, e->ready, flags, 0);
}

static void apply_event(struct rdy_client *c, const struct wire_event *e)
{
	struct rdy__reg *reg = rdy__regs_find(&c->regs, e->cookie);

	/* Of an ended or left registration. */
	if (!reg || (reg->state != RDY__REG_LIVE && reg->state != RDY__REG_SENT) ||
		(reg->id && reg->id != e->id))
		return;
	if (rdy__likely(e->type == WIRE_EVENT_READY))
		apply_ready(c, reg, e);
	else if (e->type == WIRE_EVENT_TIMEOUT)
		rdy__deadline_over(c, reg, e->ready);
	/* Other types are a newer daemon's. */
}

static void apply_registered(
	struct rdy_client *c, struct rdy__reg *reg, const struct wire_result *r)
{
	if (r->error != WIRE_OK) {
		if (reg->state == RDY__REG_SENT)
			rdy__client_fail(c, reg, r->error);
		else if (reg->state == RDY__REG_LEAVING)
			rdy__regs_release(&c->regs, reg);
		return;
	}
	/* ENDED: its last event came before. */
	if (reg->state != RDY__REG_SENT && reg->state != RDY__REG_LEAVING)
		return;
	reg->id = r->id;
	if (reg->state == RDY__REG_SENT)
		reg->state = RDY__REG_LIVE;
	if (reg->want != RDY__WANT_NOTHING) {
		enum rdy__want want = reg->want;

		/* It waited for the id; now it can be queued. */
		reg->want = RDY__WANT_NOTHING;
		rdy__client_want(c, reg, want);
	}
	if (reg->state == RDY__REG_LIVE)
		rdy__deadline_live(c, reg);
}

static void apply_modified(struct rdy_client *c, struct rdy__reg *reg, const struct wire_result *r)
{
	/* Unknown: its last event, on the way, says why. */
	if (r->error == WIRE_OK || r->error == WIRE_E_REGISTRATION_UNKNOWN ||
		reg->state != RDY__REG_LIVE)
		return;
	/* The broker watches what nobody wants any more: the user and the broker are both told. */
	rdy__client_fail(c, reg, r->error);
	rdy__client_want(c, reg, RDY__WANT_DEREGISTER);
}

static void apply_deadline_set(
	struct rdy_client *c, struct rdy__reg *reg, const struct wire_result *r)
{
	reg->deadline->n_asked--;
	apply_modified(c, reg, r);
}

static struct rdy__owed *find_owed(struct rdy_client *c, uint32_t serial)
{
	for (uint32_t i = 0; i < c->n_owed; i++)
		if (c->owed[i].serial == serial)
			return &c->owed[i];
	return NULL;
}

static void apply_result(struct rdy_client *c, const struct rdy__owed *o, uint32_t i,
	const struct wire_result *result)
{
	struct rdy__reg *reg = o->handles ? rdy__regs_find(&c->regs, o->handles[i]) : NULL;

	if (!reg)
		return;
	if (o->type == WIRE_REGISTER)
		apply_registered(c, reg, result);
	else if (o->type == WIRE_MODIFY)
		apply_modified(c, reg, result);
	else if (o->type == WIRE_SET_DEADLINE)
		apply_deadline_set(c, reg, result);
}

/* Every record has one and the same result. */
static void apply_to_all(
	struct rdy_client *c, struct rdy__owed *o, const struct wire_result *result)
{
	for (uint32_t i = 0; i < o->count; i++)
		apply_result(c, o, i, result);
	rdy__client_settle(c, o);
}

static bool apply_results(struct rdy_client *c, const struct wire_frame *f, uint16_t request)
{
	struct rdy__owed *o = find_owed(c, f->header.serial);
	struct wire_result result;

	if (!o || o->type != request || o->count != f->header.count)
		return false;
	/* Judged before anything is applied: a registration without an id could not be ended. */
	for (uint32_t i = 0; request == WIRE_REGISTER && i < f->header.count; i++) {
		wire_get_result(f, i, &result);
		if (result.error == WIRE_OK && result.id == 0)
			return false;
	}
	for (uint32_t i = 0; i < f->header.count; i++) {
		wire_get_result(f, i, &result);
		apply_result(c, o, i, &result);
	}
	rdy__client_settle(c, o);
	return true;
}

static bool apply_pong(struct rdy_client *c, const struct wire_frame *f)
{
	struct rdy__owed *o = find_owed(c, f->header.serial);

	if (!o || o->type != WIRE_PING || wire_get_ping(f) != o->serial)
		return false;
	rdy__client_settle(c, o);
	return true;
}

static void apply_error(struct rdy_client *c, const struct wire_frame *f)
{
	struct wire_error_record e;
	struct rdy__owed *o;

	wire_get_error(f, &e);
	if (e.fatal) {
		rdy__client_lost(c, e.error);
		return;
	}
	o = find_owed(c, f->header.serial);
	if (o)
		apply_to_all(c, o, &(struct wire_result){.error = e.error, .detail = e.detail});
}

/* False: against the protocol. */
static bool apply(struct rdy_client *c, const struct wire_frame *f)
{
	struct wire_event e;

	switch (f->header.type) {
	case WIRE_EVENTS:
		for (uint32_t i = 0; i < f->header.count; i++) {
			wire_get_event(f, i, &e);
			apply_event(c, &e);
		}
		return true;
	case WIRE_REGISTERED:
		return apply_results(c, f, WIRE_REGISTER);
	case WIRE_MODIFIED:
		return apply_results(c, f, WIRE_MODIFY);
	case WIRE_DEREGISTERED:
		return apply_results(c, f, WIRE_DEREGISTER);
	case WIRE_DEADLINE_SET:
		return apply_results(c, f, WIRE_SET_DEADLINE);
	case WIRE_PONG:
		return apply_pong(c, f);
	case WIRE_ERROR:
		apply_error(c, f);
		return true;
	default:
		return false;
	}
}

bool rdy__client_first_reset(struct rdy_client *c)
{
	if (errno != ECONNRESET || c->reset_seen)
		return false;
	c->reset_seen = true;
	return true;
}

/* The socket has an error. True: look again. */
static bool broken(struct rdy_client *c)
{
	if (errno == EAGAIN)
		return false;
	if (errno == EINTR || rdy__client_first_reset(c))
		return true;
	rdy__client_lost(c, 0);
	return false;
}

bool rdy__client_receive(struct rdy_client *c, bool block)
{
	struct wire_frame f;
	uint32_t detail;
	ssize_t n;

	if (c->conn != RDY__CONN_UP)
		return false;
	/* Descriptors are never asked for, so the kernel installs none, whatever the peer sends.
	 * MSG_TRUNC: the message's own length, also when it is longer than the buffer. */
	n = recv(c->sock, c->buf, sizeof(c->buf), MSG_TRUNC | (block ? 0 : MSG_DONTWAIT));
	if (n < 0)
		return broken(c);
	if (rdy__unlikely(n == 0)) {
		rdy__client_lost(c, 0);
		return false;
	}
	if (rdy__unlikely((size_t)n > sizeof(c->buf) ||
			  wire_decode_reply(c->buf, (size_t)n, 0, &f, &detail) != WIRE_OK ||
			  !apply(c, &f))) {
		rdy__client_lost(c, 0);
		return false;
	}
	if (c->conn == RDY__CONN_UP && c->n_owed)
		c->reply_by_ns = rdy__deadline_ns(rdy__now_ns(), c->reply_within_ns);
	return c->conn == RDY__CONN_UP;
}
