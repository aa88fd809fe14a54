/* SPDX-License-Identifier: MIT */
/* The rows of one reactor, see query.h. The reactor's thread (or the main thread while it is parked). */
#include <string.h>

#include "agent.h"
#include "deadline.h"
#include "query.h"
#include "reactor.h"
#include "session.h"

static void append(struct query_job *job, const void *row)
{
	size_t n = channel_row_bytes(job->query.kind);

	memcpy(job->rows + job->n_rows++ * n, row, n);
}

static bool is_full(const struct query_job *job)
{
	return job->n_rows == job->query.rows_max;
}

static void gather_reactor(const struct reactor *r, struct query_job *job)
{
	const struct channel_row_reactor row = {
		.events = r->counters.events,
		.frames = r->counters.frames,
		.requests = r->counters.requests,
		.surprises = r->counters.surprises,
		.wakeups = r->counters.wakeups,
		.paused = r->counters.paused,
		.reactor = r->index,
		.n_sessions = r->n_sessions,
		.n_registrations = r->registrations.n_used,
		.n_descriptors =
			atomic_load_explicit(&r->agent->descriptors.used, memory_order_relaxed),
	};

	append(job, &row);
	job->done_here = true;
}

static uint32_t session_flags(const struct session *s)
{
	bool live = s->state < SESSION_ENDING;

	return (s->blocked ? CHANNEL_SESSION_BLOCKED : 0) |
	       (live && s->replies.n >= WIRE_UNANSWERED_MAX ? CHANNEL_SESSION_PAUSED : 0) |
	       (s->starved ? CHANNEL_SESSION_STARVED : 0) |
	       (s->state == SESSION_NEW ? CHANNEL_SESSION_NEW : 0) |
	       (live ? 0 : CHANNEL_SESSION_ENDING) |
	       (s->reactor->frozen ? CHANNEL_SESSION_FROZEN : 0);
}

static void append_session(struct query_job *job, const struct session *s)
{
	struct channel_row_session row = {
		.session = s->number,
		.since_ns = s->since_ns,
		.blocked_ns = s->blocked ? s->blocked_ns : 0,
		.events = s->n_events,
		.requests = s->n_requests,
		.reactor = s->reactor->index,
		.n_registrations = s->n_registrations,
		.n_ready = s->ready.n,
		.n_unanswered = s->replies.n,
		.n_quarantined = s->n_quarantined,
		.flags = session_flags(s),
		.pid = s->pid,
	};

	_Static_assert(sizeof(row.name) == sizeof(s->name), "the name fits");
	memcpy(row.name, s->name, sizeof(row.name));
	append(job, &row);
}

static void gather_sessions(const struct reactor *r, struct query_job *job)
{
	for (uint32_t i = 0; i < QUERY_SLOTS_MAX && job->slot < r->n_slots; i++) {
		const struct session *s;

		if (is_full(job))
			return;
		s = r->sessions[job->slot++];
		if (s && (!job->query.session || s->number == job->query.session))
			append_session(job, s);
	}
	job->done_here = job->slot >= r->n_slots;
}

static uint8_t registration_flags(uint8_t f)
{
	return (uint8_t)((f & REGISTRATION_ARMED ? CHANNEL_REGISTRATION_ARMED : 0) |
			 (f & REGISTRATION_READY ? CHANNEL_REGISTRATION_READY : 0) |
			 (f & REGISTRATION_KEEP ? CHANNEL_REGISTRATION_KEEP : 0) |
			 (f & REGISTRATION_ENDED ? CHANNEL_REGISTRATION_ENDED : 0) |
			 (f & REGISTRATION_PAUSED ? CHANNEL_REGISTRATION_PAUSED : 0));
}

static void append_registration(
	const struct reactor *r, struct query_job *job, uint32_t index, uint64_t session)
{
	const struct registration *reg = registrations_at(&r->registrations, index);
	const struct deadline *d = deadline_of(r, reg);
	const struct channel_row_registration row = {
		.session = session,
		.id = registration_id(&r->registrations, index),
		.cookie = reg->cookie,
		.at_ns = d ? d->at_ns : 0,
		.idle_ns = d ? deadline_idle_at_ns(d) : 0,
		.fd = reg->fd,
		.seq = reg->seq,
		.interest = reg->interest,
		.pending = reg->pending,
		.mode = reg->mode,
		.kind = reg->kind,
		.flags = registration_flags(reg->flags),
	};

	append(job, &row);
}

/* Is there nothing of that session here? */
static bool is_elsewhere(const struct reactor *r, uint64_t session)
{
	for (uint32_t i = 0; session && i < r->n_slots; i++)
		if (r->sessions[i] && r->sessions[i]->number == session)
			return false;
	return session != 0;
}

/*
 * Invariant: QUERY-1: a slot is looked at once in a list, from the first to the last that there is. Why: lists are
 * read while sessions come and go; a place in a linked list could be gone, or lead back.
 * Test: tests/unit/agent/query.c/changes_between_pages
 */
static void gather_registrations(const struct reactor *r, struct query_job *job)
{
	uint32_t n = r->registrations.n_chunks * REGISTRATION_CHUNK;
	uint64_t only = job->query.session;

	if (is_elsewhere(r, only)) {
		job->done_here = true;
		return;
	}
	for (uint32_t i = 0; i < QUERY_SLOTS_MAX && job->slot < n; i++) {
		const struct registration *reg;
		uint64_t number;

		if (is_full(job))
			return;
		reg = registrations_at(&r->registrations, job->slot++);
		if (!reg->mode)
			continue;
		number = r->sessions[reg->owner]->number;
		if (!only || number == only)
			append_registration(r, job, job->slot - 1, number);
	}
	job->done_here = job->slot >= n;
}

void query_gather(const struct reactor *r, struct query_job *job)
{
	job->done_here = false;
	switch (job->query.kind) {
	case CHANNEL_ROWS_REACTORS:
		gather_reactor(r, job);
		break;
	case CHANNEL_ROWS_SESSIONS:
		gather_sessions(r, job);
		break;
	default:
		gather_registrations(r, job);
		break;
	}
}
