/* SPDX-License-Identifier: MIT */
/* The codec says what the vectors say: result, detail, serial, every field; and encodes the same bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "again.h"
#include "load.h"
#include "unit.h"

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{WIRE_HELLO, "HELLO"},
	{WIRE_REGISTER, "REGISTER"},
	{WIRE_MODIFY, "MODIFY"},
	{WIRE_REARM, "REARM"},
	{WIRE_DEREGISTER, "DEREGISTER"},
	{WIRE_PING, "PING"},
	{WIRE_SET_DEADLINE, "SET_DEADLINE"},
	{WIRE_WELCOME, "WELCOME"},
	{WIRE_REGISTERED, "REGISTERED"},
	{WIRE_MODIFIED, "MODIFIED"},
	{WIRE_EVENTS, "EVENTS"},
	{WIRE_DEREGISTERED, "DEREGISTERED"},
	{WIRE_PONG, "PONG"},
	{WIRE_ERROR, "ERROR"},
	{WIRE_DEADLINE_SET, "DEADLINE_SET"},
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static const char *type_name(uint16_t type)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

static enum wire_error decode(const struct vector *v, struct wire_frame *ret, uint32_t *ret_detail)
{
	return (v->from_agent ? wire_decode_reply : wire_decode_request)(
		v->bytes, v->n_bytes, v->n_fds, ret, ret_detail);
}

static void say_request(char *line, size_t room, const struct wire_frame *f, uint32_t i)
{
	struct wire_hello hello;
	struct wire_register reg;
	struct wire_modify modify;
	struct wire_rearm rearm;
	struct wire_set_deadline deadline;

	switch (f->header.type) {
	case WIRE_HELLO:
		wire_get_hello(f, &hello);
		snprintf(line, room, "version_min=%u version_max=%u features=0x%" PRIx64 " name=%s",
			hello.version_min, hello.version_max, hello.features, hello.name);
		break;
	case WIRE_REGISTER:
		wire_get_register(f, i, &reg);
		snprintf(line, room, "cookie=0x%" PRIx64 " interest=0x%x mode=%u flags=0x%x",
			reg.cookie, reg.interest, reg.mode, reg.flags);
		break;
	case WIRE_MODIFY:
		wire_get_modify(f, i, &modify);
		snprintf(line, room, "id=0x%" PRIx64 " interest=0x%x mode=%u flags=0x%x", modify.id,
			modify.interest, modify.mode, modify.flags);
		break;
	case WIRE_REARM:
		wire_get_rearm(f, i, &rearm);
		snprintf(line, room, "id=0x%" PRIx64 " seq=%u", rearm.id, rearm.seq);
		break;
	case WIRE_SET_DEADLINE:
		wire_get_set_deadline(f, i, &deadline);
		snprintf(line, room, "id=0x%" PRIx64 " at=%" PRIu64 " idle=%" PRIu64, deadline.id,
			deadline.at_ns, deadline.idle_ns);
		break;
	default:
		snprintf(line, room, "id=0x%" PRIx64, wire_get_deregister(f, i));
		break;
	}
}

static void say_reply(char *line, size_t room, const struct wire_frame *f, uint32_t i)
{
	struct wire_welcome w;
	struct wire_event event;
	struct wire_error_record error;
	struct wire_result result;

	switch (f->header.type) {
	case WIRE_WELCOME:
		wire_get_welcome(f, &w);
		snprintf(line, room,
			"version=%u batch_max=%u frame_max=%u features=0x%" PRIx64
			" session=%" PRIu64
			" registrations=%u unanswered_max=%u events_max_bytes=%u",
			w.version, w.batch_max, w.frame_max, w.features, w.session, w.registrations,
			w.unanswered_max, w.events_max_bytes);
		break;
	case WIRE_EVENTS:
		wire_get_event(f, i, &event);
		snprintf(line, room,
			"cookie=0x%" PRIx64 " id=0x%" PRIx64
			" type=%u flags=0x%x ready=0x%x seq=%u",
			event.cookie, event.id, event.type, event.flags, event.ready, event.seq);
		break;
	case WIRE_ERROR:
		wire_get_error(f, &error);
		snprintf(line, room, "error=%u detail=%u fatal=%u", error.error, error.detail,
			error.fatal);
		break;
	default:
		wire_get_result(f, i, &result);
		snprintf(line, room, "id=0x%" PRIx64 " error=%u detail=%u", result.id, result.error,
			result.detail);
		break;
	}
}

static void compare_records(const struct vector *v, const struct wire_frame *f)
{
	uint32_t i = 0;

	for (size_t k = 0; k < v->n_records; k++) {
		for (uint32_t t = 0; t < v->records[k].times; t++, i++) {
			char line[256];

			ck_assert_msg(i < f->header.count, "%s: too many records", v->name);
			if (f->header.type == WIRE_PING || f->header.type == WIRE_PONG)
				snprintf(line, sizeof(line), "value=0x%" PRIx64, wire_get_ping(f));
			else
				(v->from_agent ? say_reply : say_request)(line, sizeof(line), f, i);
			ck_assert_msg(strcmp(line, v->records[k].text) == 0,
				"%s, record %u:\n  vector %s\n  codec  %s", v->name, i,
				v->records[k].text, line);
		}
	}
	ck_assert_msg(i == f->header.count, "%s: %u records, not %u", v->name, i, f->header.count);
}

START_TEST(meaning)
{
	struct vectors all;
	size_t n_good = 0;

	vectors_load(&all);
	for (size_t i = 0; i < all.n; i++) {
		const struct vector *v = &all.all[i];
		struct wire_frame f = {0};
		uint32_t detail = 0;
		enum wire_error e = decode(v, &f, &detail);
		char header[96];

		ck_assert_msg(strcmp(wire_error_name(e), v->result) == 0, "%s: vector %s, codec %s",
			v->name, v->result, wire_error_name(e));
		ck_assert_msg(
			detail == v->detail, "%s: detail %u, not %u", v->name, detail, v->detail);
		if (e != WIRE_OK) {
			ck_assert_msg(f.header.serial == v->serial, "%s: serial %u, not %u",
				v->name, f.header.serial, v->serial);
			continue;
		}
		snprintf(header, sizeof(header), "%s %u %u %u %u", type_name(f.header.type),
			f.header.length, f.header.n_fds, f.header.serial, f.header.count);
		ck_assert_str_eq(header, v->header);
		compare_records(v, &f);
		n_good++;
	}
	ck_assert_uint_gt(n_good, 50);
	vectors_free(&all);
}
END_TEST

START_TEST(same_bytes_again)
{
	struct vectors all;

	vectors_load(&all);
	for (size_t i = 0; i < all.n; i++) {
		const struct vector *v = &all.all[i];
		struct wire_frame f;
		uint32_t detail;
		uint8_t *out;

		if (decode(v, &f, &detail) != WIRE_OK)
			continue;
		out = malloc(v->n_bytes);
		ck_assert_ptr_nonnull(out);
		memset(out, 0x5a, v->n_bytes);
		ck_assert_uint_eq(again(&f, out), v->n_bytes);
		ck_assert_msg((memcmp(out, v->bytes, v->n_bytes) == 0) == !v->inexact,
			"%s: encoded again it is %s", v->name,
			v->inexact ? "the same, and should not be" : "something else");
		again_clear_ignored(v->bytes, f.header.type);
		ck_assert_mem_eq(out, v->bytes, v->n_bytes);
		free(out);
	}
	vectors_free(&all);
}
END_TEST

static bool is_type(const struct vector *v, const char *name)
{
	size_t n = strlen(name);

	return strncmp(v->header, name, n) == 0 && v->header[n] == ' ';
}

/* Every type and every result that a codec can produce has a vector. */
START_TEST(nothing_is_missing)
{
	static const enum wire_error results[] = {WIRE_OK, WIRE_E_BAD_MAGIC,
		WIRE_E_VERSION_UNSUPPORTED, WIRE_E_FRAME_TRUNCATED, WIRE_E_FRAME_OVERSIZED,
		WIRE_E_FRAME_MALFORMED, WIRE_E_TYPE_UNKNOWN, WIRE_E_FD_COUNT_MISMATCH};
	struct vectors all;

	vectors_load(&all);
	for (size_t t = 0; t < N_TYPES; t++) {
		size_t n = 0;

		for (size_t i = 0; i < all.n; i++)
			n += is_type(&all.all[i], types[t].name);
		ck_assert_msg(n > 0, "no vector of %s", types[t].name);
	}
	for (size_t r = 0; r < sizeof(results) / sizeof(results[0]); r++) {
		size_t n = 0;

		for (size_t i = 0; i < all.n; i++)
			n += strcmp(all.all[i].result, wire_error_name(results[r])) == 0;
		ck_assert_msg(n > 0, "no vector with %s", wire_error_name(results[r]));
	}
	vectors_free(&all);
}
END_TEST

UNIT_MAIN("wire/vectors", meaning, same_bytes_again, nothing_is_missing)
