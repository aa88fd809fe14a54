/* SPDX-License-Identifier: MIT */
#include "control_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/wire.h"

#define NS_PER_US 1000
#define US_PER_S 1e6

json_t *control_count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *control_pid(int32_t pid)
{
	return pid > 0 ? json_integer(pid) : json_null();
}

double control_seconds(int64_t from_ns, int64_t to_ns)
{
	int64_t ns;

	if (to_ns <= from_ns || __builtin_sub_overflow(to_ns, from_ns, &ns))
		return 0;
	return (double)(ns / NS_PER_US) / US_PER_S;
}

/* Until a deadline: negative when it has passed; null for none. */
static json_t *until(int64_t at_ns, int64_t now_ns)
{
	if (at_ns == 0)
		return json_null();
	return json_real(
		at_ns >= now_ns ? control_seconds(now_ns, at_ns) : -control_seconds(at_ns, now_ns));
}

json_t *control_ready_words(uint32_t bits)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {
		{WIRE_READABLE, "readable"},
		{WIRE_WRITABLE, "writable"},
		{WIRE_PRIORITY, "priority"},
		{WIRE_HANGUP_ONLY, "hangup"},
		{WIRE_READY_ERROR, "error"},
		{WIRE_READ_CLOSED, "read_closed"},
		{WIRE_WRITE_CLOSED, "write_closed"},
	};
	json_t *a = json_array();

	for (size_t i = 0; a && i < sizeof(words) / sizeof(words[0]); i++) {
		if (bits & words[i].bit &&
			json_array_append_new(a, json_string(words[i].word)) < 0) {
			json_decref(a);
			a = NULL;
		}
	}
	return a;
}

json_t *control_row_reactor(const struct channel_row_reactor *r)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "reactor",
		(json_int_t)r->reactor, "sessions", (json_int_t)r->n_sessions, "registrations",
		(json_int_t)r->n_registrations, "events", control_count(r->events), "frames",
		control_count(r->frames), "requests", control_count(r->requests), "wakeups",
		control_count(r->wakeups), "surprises", control_count(r->surprises), "paused",
		control_count(r->paused));
}

const char *control_session_state(const struct channel_row_session *s)
{
	/* The most telling one. */
	if (s->flags & CHANNEL_SESSION_ENDING)
		return "ending";
	if (s->flags & CHANNEL_SESSION_FROZEN)
		return "frozen";
	if (s->flags & CHANNEL_SESSION_STARVED)
		return "starved";
	if (s->flags & CHANNEL_SESSION_BLOCKED || s->blocked_ns)
		return "blocked";
	if (s->flags & CHANNEL_SESSION_PAUSED)
		return "paused";
	return s->flags & CHANNEL_SESSION_NEW ? "new" : "serving";
}

json_t *control_row_session(const struct channel_row_session *s, uid_t uid, int64_t now_ns)
{
	char name[sizeof(s->name)];
	size_t n = 0;

	/* Printable ASCII, as the session's HELLO had to have it; but this comes from an agent. */
	while (n < sizeof(name) - 1 && s->name[n]) {
		name[n] = s->name[n] >= ' ' && s->name[n] < 0x7f ? s->name[n] : '?';
		n++;
	}
	name[n] = 0;
	return json_pack("{s:o, s:I, s:o, s:s, s:s, s:f, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"session", control_count(s->session), "uid", (json_int_t)uid, "pid",
		control_pid(s->pid), "name", name, "state", control_session_state(s), "age",
		control_seconds(s->since_ns, now_ns), "blocked_for",
		s->blocked_ns ? json_real(control_seconds(s->blocked_ns, now_ns)) : json_null(),
		"reactor", (json_int_t)s->reactor, "registrations", (json_int_t)s->n_registrations,
		"ready", (json_int_t)s->n_ready, "unanswered", (json_int_t)s->n_unanswered,
		"quarantined", (json_int_t)s->n_quarantined, "events", control_count(s->events),
		"requests", control_count(s->requests));
}

const char *control_registration_state(const struct channel_row_registration *r)
{
	if (r->flags & CHANNEL_REGISTRATION_ENDED)
		return "ended";
	if (r->flags & CHANNEL_REGISTRATION_READY)
		return "ready";
	if (r->flags & CHANNEL_REGISTRATION_PAUSED)
		return "paused";
	/* An edge registration has nothing to be armed. */
	return r->mode == WIRE_EDGE || r->flags & CHANNEL_REGISTRATION_ARMED ? "armed" : "disarmed";
}

static const char *mode_word(uint8_t mode)
{
	return mode == WIRE_EDGE ? "edge" : mode == WIRE_LEVEL ? "level" : "oneshot";
}

json_t *control_row_registration(
	const struct channel_row_registration *r, uid_t uid, int64_t now_ns)
{
	char id[24], cookie[24];

	snprintf(id, sizeof(id), "%" PRIu64, r->id);
	snprintf(cookie, sizeof(cookie), "%" PRIu64, r->cookie);
	return json_pack("{s:o, s:I, s:s, s:s, s:s, s:o, s:s, s:s, s:b, s:o, s:o, s:I, s:o, s:o}",
		"session", control_count(r->session), "uid", (json_int_t)uid, "id", id, "cookie",
		cookie, "kind", wire_kind_name(r->kind), "fd",
		r->fd >= 0 ? json_integer(r->fd) : json_null(), "mode", mode_word(r->mode), "state",
		control_registration_state(r), "keep", !!(r->flags & CHANNEL_REGISTRATION_KEEP),
		"interest", control_ready_words(r->interest), "pending",
		control_ready_words(r->pending), "seq", (json_int_t)r->seq, "at",
		until(r->at_ns, now_ns), "idle", until(r->idle_ns, now_ns));
}
