/* SPDX-License-Identifier: MIT */
/*
 * See request.h. One result per record, in the request's order; a bad record does not touch the others.
 */
#include "request.h"

#include <assert.h>
#include <errno.h>

#include "agent.h"
#include "base/clock.h"
#include "deadline.h"
#include "deliver.h"
#include "reactor.h"
#include "vet.h"

static enum wire_error check_mode(const struct session *s, uint16_t interest, uint8_t mode,
	uint8_t flags, uint32_t *ret_detail)
{
	uint64_t feature = mode == WIRE_ONESHOT ? WIRE_FEATURE_ONESHOT
			   : mode == WIRE_LEVEL ? WIRE_FEATURE_LEVEL
			   : mode == WIRE_EDGE	? WIRE_FEATURE_EDGE
						: 0;

	if (!interest || interest & ~WIRE_INTERESTS) {
		*ret_detail = interest;
		return WIRE_E_INTEREST_INVALID;
	}
	if (!(s->features & feature)) {
		*ret_detail = mode;
		return WIRE_E_MODE_INVALID;
	}
	if (flags & ~WIRE_REG_FLAGS || (flags & WIRE_REG_DISARMED && mode != WIRE_ONESHOT)) {
		*ret_detail = flags;
		return WIRE_E_FLAGS_INVALID;
	}
	return WIRE_OK;
}

static uint8_t state_flags(uint8_t mode, uint8_t flags)
{
	return (uint8_t)((flags & WIRE_REG_KEEP ? REGISTRATION_KEEP : 0) |
			 (mode != WIRE_EDGE && !(flags & WIRE_REG_DISARMED) ? REGISTRATION_ARMED
									    : 0));
}

static enum wire_error poll_error(int e)
{
	switch (e) {
	case -EPERM:
	case -EBADF:
	case -EINVAL:
	case -ELOOP:
		return WIRE_E_FD_NOT_POLLABLE;
	case -ENOMEM:
	case -ENOSPC:
		return WIRE_E_OUT_OF_MEMORY;
	default:
		return WIRE_E_INTERNAL;
	}
}

static enum wire_error check_kind(
	struct session *s, const struct vet_result *v, uint32_t *ret_detail)
{
	if (v->own || (v->cookie && sockets_have(&s->reactor->agent->sockets, v->cookie)))
		return WIRE_E_FD_OWN_SOCKET;
	if (!vet_kind_allowed(v->kind) || s->reactor->config.kinds_refused & 1u << v->kind) {
		*ret_detail = v->kind;
		return WIRE_E_FD_KIND_REFUSED;
	}
	return WIRE_OK;
}

/* All that a registration takes but its quota; on failure nothing is left of it. */
static enum wire_error insert(struct session *s, const struct wire_register *q, int fd,
	enum wire_kind kind, uint32_t *ret_index)
{
	struct reactor *r = s->reactor;
	uint64_t seed = r->agent->cookie_seed;
	struct registration *reg;
	uint32_t index;
	int e;

	if (cookies_reserve(&s->cookies, &r->registrations, seed) < 0 ||
		registrations_take(&r->registrations, &index) < 0)
		return WIRE_E_OUT_OF_MEMORY;
	reg = registrations_at(&r->registrations, index);
	reg->cookie = q->cookie;
	reg->owner = s->index;
	reg->interest = (uint8_t)q->interest;
	reg->mode = q->mode;
	reg->flags = state_flags(q->mode, q->flags);
	e = deliver_first_watch(s, index, fd);
	if (e < 0) {
		registrations_give(&r->registrations, index);
		return poll_error(e);
	}
	reg->fd = fd;
	reg->kind = (uint8_t)kind;
	registrations_link(&r->registrations, &s->all, index);
	cookies_add(&s->cookies, &r->registrations, seed, index);
	s->n_registrations++;
	*ret_index = index;
	return WIRE_OK;
}

/* fd is the registration's on success and still the caller's on failure. */
static enum wire_error register_one(struct session *s, const struct wire_register *q, int fd,
	const struct vet_result *v, struct wire_result *ret)
{
	struct reactor *r = s->reactor;
	enum wire_error e = check_mode(s, q->interest, q->mode, q->flags, &ret->detail);
	uint32_t index;

	if (e == WIRE_OK)
		e = check_kind(s, v, &ret->detail);
	if (e != WIRE_OK)
		return e;
	if (cookies_has(&s->cookies, &r->registrations, r->agent->cookie_seed, q->cookie))
		return WIRE_E_COOKIE_DUPLICATE;
	if (!agent_may_keep(r->agent))
		return WIRE_E_OUT_OF_DESCRIPTORS;
	if (s->n_registrations >= r->config.registrations_session) {
		ret->detail = r->config.registrations_session;
		return WIRE_E_QUOTA_REGISTRATIONS;
	}
	/*
	 * Invariant: QUOTA-1: charged before it is kept; deliver_forget() is the one place that releases.
	 * Why: what is kept first can be kept for ever. Test: tests/unit/agent/session.c/quotas
	 */
	if (!quota_charge(&r->agent->registrations)) {
		ret->detail = r->config.registrations;
		return WIRE_E_QUOTA_REGISTRATIONS;
	}
	e = insert(s, q, fd, v->kind, &index);
	if (e != WIRE_OK) {
		quota_release(&r->agent->registrations, 1);
		return e;
	}
	ret->id = registration_id(&r->registrations, index);
	return WIRE_OK;
}

static void apply_register(struct session *s, const struct wire_frame *f, const int *take_fds)
{
	struct reactor *r = s->reactor;

	for (uint32_t i = 0; i < f->header.count; i++) {
		struct wire_result result = {0};
		struct wire_register q;
		struct vet_result v;

		wire_get_register(f, i, &q);
		vet_fd(&r->agent->vet, take_fds[i], &v);
		result.error = register_one(s, &q, take_fds[i], &v, &result);
		if (result.error != WIRE_OK) {
			if (v.kind == WIRE_KIND_PATH)
				dispose_quarantine(r, s, take_fds[i]);
			else
				dispose_plain(r, take_fds[i]);
		}
		wire_put_result(r->out, i, &result);
	}
	session_reply(s, WIRE_REGISTERED, f->header.serial, f->header.count);
	if (s->n_quarantined > SESSION_QUARANTINE_MAX)
		session_fatal(s, f->header.serial, WIRE_E_QUARANTINE_FULL, SESSION_QUARANTINE_MAX);
}

/* What its client does at it counts as activity, too. */
static void touch(struct reactor *r, const struct registration *reg)
{
	if (!reg->deadline)
		return;
	r->now_ns = rdy__now_ns();
	deadline_touch(r, reg);
}

static enum wire_error modify_one(
	struct session *s, const struct wire_modify *q, uint32_t *ret_detail)
{
	struct registrations *all = &s->reactor->registrations;
	struct registration *reg, before;
	uint32_t index;
	enum wire_error e;
	int m;

	reg = registrations_find(all, q->id, s->index, &index);
	if (!reg)
		return WIRE_E_REGISTRATION_UNKNOWN;
	e = check_mode(s, q->interest, q->mode, q->flags, ret_detail);
	/* Ended, and its last event is on the way: that one says so. */
	if (e != WIRE_OK || reg->flags & REGISTRATION_ENDED)
		return e;
	before = *reg;
	reg->interest = (uint8_t)q->interest;
	reg->mode = q->mode;
	/* A flood is not over because somebody says so. */
	reg->flags = (uint8_t)((reg->flags & (REGISTRATION_READY | REGISTRATION_PAUSED)) |
			       state_flags(q->mode, q->flags));
	m = deliver_watch(s, index);
	if (m < 0) {
		*reg = before;
		return poll_error(m);
	}
	/* What was found with the old interest is void; what still holds is reported again. */
	reg->pending = 0;
	if (!reg->timeouts)
		registrations_unready(all, &s->ready, index);
	touch(s->reactor, reg);
	return WIRE_OK;
}

static void apply_modify(struct session *s, const struct wire_frame *f)
{
	for (uint32_t i = 0; i < f->header.count; i++) {
		struct wire_result result = {0};
		struct wire_modify q;

		wire_get_modify(f, i, &q);
		result.id = q.id;
		result.error = modify_one(s, &q, &result.detail);
		wire_put_result(s->reactor->out, i, &result);
	}
	session_reply(s, WIRE_MODIFIED, f->header.serial, f->header.count);
}

/*
 * No answer, but one ERROR a frame if an id in it is none of the session's: it may have ended while this was
 * on its way, or its client is mistaken. Stale and needless ones are ignored: an event may have crossed them.
 */
static void apply_rearm(struct session *s, const struct wire_frame *f)
{
	struct registrations *all = &s->reactor->registrations;
	bool unknown = false;

	for (uint32_t i = 0; i < f->header.count; i++) {
		struct registration *reg;
		struct wire_rearm q;
		uint32_t index;

		wire_get_rearm(f, i, &q);
		reg = registrations_find(all, q.id, s->index, &index);
		unknown |= !reg;
		if (!reg || reg->mode == WIRE_EDGE || reg->seq != q.seq || reg->pending ||
			reg->flags & (REGISTRATION_ARMED | REGISTRATION_ENDED))
			continue;
		touch(s->reactor, reg);
		reg->flags |= REGISTRATION_ARMED;
		if (deliver_watch(s, index) < 0) {
			/* It would be silent for ever, and REARM has no answer: the client comes back. */
			session_fatal(s, f->header.serial, WIRE_E_OUT_OF_MEMORY, 0);
			return;
		}
	}
	if (!unknown)
		return;
	wire_make_error(s->reactor->out, f->header.serial, WIRE_E_REGISTRATION_UNKNOWN, 0, false);
	session_reply(s, WIRE_ERROR, f->header.serial, 1);
}

static void apply_deregister(struct session *s, const struct wire_frame *f)
{
	struct reactor *r = s->reactor;

	if (graveyard_reserve(&r->graveyard, f->header.count) < 0) {
		agent_fail(r->agent, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < f->header.count; i++) {
		struct wire_result result = {.id = wire_get_deregister(f, i)};
		uint32_t index;

		/* Pending readiness goes with it, so no event of this id follows the answer. */
		if (registrations_find(&r->registrations, result.id, s->index, &index))
			deliver_forget(s, index);
		else
			result.error = WIRE_E_REGISTRATION_UNKNOWN;
		wire_put_result(r->out, i, &result);
	}
	session_reply(s, WIRE_DEREGISTERED, f->header.serial, f->header.count);
}

static enum wire_error set_deadline(struct session *s, const struct wire_set_deadline *q)
{
	struct reactor *r = s->reactor;
	struct registration *reg;
	int64_t now_ns = rdy__now_ns();
	uint32_t index;

	reg = registrations_find(&r->registrations, q->id, s->index, &index);
	if (!reg)
		return WIRE_E_REGISTRATION_UNKNOWN;
	if (!(s->features & WIRE_FEATURE_DEADLINE) || q->at_ns > WIRE_DEADLINE_MAX_NS ||
		q->idle_ns > WIRE_DEADLINE_MAX_NS)
		return WIRE_E_DEADLINE_INVALID;
	/* Ended, and its last event is on the way: that one says so. */
	if (reg->flags & REGISTRATION_ENDED)
		return WIRE_OK;
	if (deadline_set(r, index, q->at_ns ? rdy__deadline_ns(now_ns, (int64_t)q->at_ns) : 0,
		    (int64_t)q->idle_ns, now_ns) < 0)
		return WIRE_E_OUT_OF_MEMORY;
	/*
	 * Invariant: DEADLINE-2: what is told after DEADLINE_SET is about the new deadlines. Why: a client that
	 * has put one off would take the old one for it. Test: tests/unit/agent/modes.c/replaced
	 */
	reg->timeouts = 0;
	if (!reg->pending)
		registrations_unready(&r->registrations, &s->ready, index);
	return WIRE_OK;
}

static void apply_set_deadline(struct session *s, const struct wire_frame *f)
{
	for (uint32_t i = 0; i < f->header.count; i++) {
		struct wire_result result = {0};
		struct wire_set_deadline q;

		wire_get_set_deadline(f, i, &q);
		result.id = q.id;
		result.error = set_deadline(s, &q);
		wire_put_result(s->reactor->out, i, &result);
	}
	session_reply(s, WIRE_DEADLINE_SET, f->header.serial, f->header.count);
}

void request_apply(struct session *s, const struct wire_frame *f, const int *take_fds)
{
	assert(s->state == SESSION_OPEN);
	/* Only REGISTER carries descriptors: the codec has refused everything else. */
	switch (f->header.type) {
	case WIRE_REGISTER:
		apply_register(s, f, take_fds);
		break;
	case WIRE_MODIFY:
		apply_modify(s, f);
		break;
	case WIRE_REARM:
		apply_rearm(s, f);
		break;
	case WIRE_DEREGISTER:
		apply_deregister(s, f);
		break;
	case WIRE_SET_DEADLINE:
		apply_set_deadline(s, f);
		break;
	case WIRE_PING:
		wire_put_ping(s->reactor->out, wire_get_ping(f));
		session_reply(s, WIRE_PONG, f->header.serial, 1);
		break;
	case WIRE_HELLO:
		session_fatal(s, f->header.serial, WIRE_E_HELLO_REPEATED, 0);
		break;
	default:
		session_fatal(s, f->header.serial, WIRE_E_TYPE_UNKNOWN, f->header.type);
		break;
	}
}
