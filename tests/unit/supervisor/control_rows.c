/* SPDX-License-Identifier: MIT */
/* Rows as JSON: words, seconds, what an agent that lies may say, and that a page always fits a message. */
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "control_rows.h"
#include "unit.h"
#include "wire/wire.h"

#define NOW INT64_C(5000000000)

static const char *word(const json_t *o, const char *name)
{
	ck_assert_msg(json_is_string(json_object_get(o, name)), "%s", name);
	return json_string_value(json_object_get(o, name));
}

START_TEST(registration)
{
	struct channel_row_registration r = {.session = 3,
		.id = UINT64_MAX,
		.cookie = UINT64_C(1) << 63,
		.at_ns = NOW + 1500000000,
		.idle_ns = NOW - 250000000,
		.fd = 12,
		.seq = 9,
		.interest = WIRE_READABLE | WIRE_PRIORITY,
		.mode = WIRE_LEVEL,
		.kind = WIRE_KIND_PIPE,
		.flags = CHANNEL_REGISTRATION_KEEP};
	static const struct {
		uint8_t flags;
		const char *state;
	} states[] = {{0, "disarmed"}, {CHANNEL_REGISTRATION_ARMED, "armed"},
		{CHANNEL_REGISTRATION_ARMED | CHANNEL_REGISTRATION_PAUSED, "paused"},
		{CHANNEL_REGISTRATION_READY, "ready"},
		{CHANNEL_REGISTRATION_READY | CHANNEL_REGISTRATION_ENDED, "ended"}};
	json_t *o = control_row_registration(&r, 1000, NOW);

	ck_assert_str_eq(word(o, "id"), "18446744073709551615");
	ck_assert_str_eq(word(o, "cookie"), "9223372036854775808");
	ck_assert_str_eq(word(o, "kind"), "pipe");
	ck_assert_str_eq(word(o, "mode"), "level");
	ck_assert(json_is_true(json_object_get(o, "keep")));
	ck_assert(json_real_value(json_object_get(o, "at")) == 1.5);
	ck_assert(json_real_value(json_object_get(o, "idle")) == -0.25);
	ck_assert_uint_eq(json_array_size(json_object_get(o, "interest")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(o, "pending")), 0);
	json_decref(o);
	r.at_ns = r.idle_ns = 0;
	r.fd = -1;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		r.flags = states[i].flags;
		o = control_row_registration(&r, 1000, NOW);
		ck_assert_str_eq(word(o, "state"), states[i].state);
		ck_assert(json_is_null(json_object_get(o, "at")));
		ck_assert(json_is_null(json_object_get(o, "idle")));
		ck_assert(json_is_null(json_object_get(o, "fd")));
		ck_assert(json_is_false(json_object_get(o, "keep")));
		json_decref(o);
	}
}
END_TEST

START_TEST(session)
{
	struct channel_row_session s = {
		.session = 3, .since_ns = NOW - 2000000000, .pid = 0, .name = "a \"b\" \x01\xff"};
	static const struct {
		uint32_t flags;
		const char *state;
	} states[] = {{0, "serving"}, {CHANNEL_SESSION_NEW, "new"},
		{CHANNEL_SESSION_BLOCKED | CHANNEL_SESSION_PAUSED, "blocked"},
		{CHANNEL_SESSION_PAUSED, "paused"}, {CHANNEL_SESSION_STARVED, "starved"},
		{CHANNEL_SESSION_FROZEN | CHANNEL_SESSION_BLOCKED, "frozen"},
		{CHANNEL_SESSION_FROZEN | CHANNEL_SESSION_ENDING, "ending"}};
	json_t *o = control_row_session(&s, 1000, NOW);

	ck_assert_str_eq(word(o, "name"), "a \"b\" ??");
	ck_assert(json_is_null(json_object_get(o, "pid")));
	ck_assert(json_is_null(json_object_get(o, "blocked_for")));
	ck_assert(json_real_value(json_object_get(o, "age")) == 2.0);
	json_decref(o);
	s.blocked_ns = NOW - 3250000000;
	/* No NUL: what an agent says is not trusted. */
	memset(s.name, 'n', sizeof(s.name));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		s.flags = states[i].flags;
		s.blocked_ns = s.flags & CHANNEL_SESSION_BLOCKED ? NOW - 3250000000 : 0;
		o = control_row_session(&s, 1000, NOW);
		ck_assert_str_eq(word(o, "state"), states[i].state);
		ck_assert_uint_eq(strlen(word(o, "name")), sizeof(s.name) - 1);
		if (s.blocked_ns)
			ck_assert(json_real_value(json_object_get(o, "blocked_for")) == 3.25);
		json_decref(o);
	}
}
END_TEST

static size_t page_bytes(json_t *take_row, const char *name)
{
	json_t *rows = json_array();
	char *text;
	size_t n;

	for (uint32_t i = 0; i < CONTROL_PAGE_UNITS; i++)
		json_array_append(rows, take_row);
	json_decref(take_row);
	/* And as many silent uids as there can be agents at all, which is worse than it gets. */
	ck_assert_int_eq(
		control_make_reply(json_pack("{s:o, s:[]}", name, rows, "silent"), true, &text, &n),
		0);
	free(text);
	return n;
}

START_TEST(a_full_page_fits_a_message)
{
	struct channel_row_registration r;
	struct channel_row_session s;
	struct channel_row_reactor c;
	size_t n;

	memset(&r, 0xff, sizeof(r));
	r.fd = INT32_MAX;
	r.kind = WIRE_KIND_SOCKET_OTHER;
	r.flags = 0;
	r.at_ns = INT64_MIN + 1;
	r.idle_ns = INT64_MAX - 1;
	n = page_bytes(control_row_registration(&r, UINT32_MAX, NOW), "registrations");
	ck_assert_uint_lt(n, CONTROL_MESSAGE_MAX - 1024);
	memset(&s, 0xff, sizeof(s));
	memset(s.name, '"', sizeof(s.name));
	s.pid = INT32_MAX;
	s.flags = CHANNEL_SESSION_STARVED;
	s.since_ns = s.blocked_ns = INT64_MIN + NOW + 1;
	n = page_bytes(control_row_session(&s, UINT32_MAX, NOW), "sessions");
	ck_assert_uint_lt(n, CONTROL_MESSAGE_MAX - 1024);
	memset(&c, 0xff, sizeof(c));
	n = page_bytes(control_row_reactor(&c), "reactors");
	ck_assert_uint_lt(n, CONTROL_MESSAGE_MAX - 1024);
}
END_TEST

START_TEST(seconds)
{
	ck_assert(control_seconds(5, 5) == 0);
	ck_assert(control_seconds(6, 5) == 0);
	ck_assert(control_seconds(0, 1500000) == 0.0015);
	ck_assert(control_seconds(INT64_MIN, INT64_MAX) == 0);
	ck_assert(control_seconds(0, INT64_MAX) > 9e9);
}
END_TEST

UNIT_MAIN("supervisor/control_rows", registration, session, a_full_page_fits_a_message, seconds)
