/* SPDX-License-Identifier: MIT */
/* Names of errors and kinds: all there, unlike each other, and never NULL. */
#include <string.h>

#include "unit.h"
#include "wire/wire.h"

#define N(name) \
	case WIRE_E_##name: \
		return #name

/* Without a default: a compiler that warns finds the one that is missing here. */
static const char *expected(enum wire_error e)
{
	switch (e) {
	case WIRE_OK:
		return "OK";
		N(BAD_MAGIC);
		N(VERSION_UNSUPPORTED);
		N(FRAME_TRUNCATED);
		N(FRAME_OVERSIZED);
		N(FRAME_MALFORMED);
		N(TYPE_UNKNOWN);
		N(FD_COUNT_MISMATCH);
		N(FDS_LOST);
		N(FD_BEFORE_WELCOME);
		N(HELLO_REPEATED);
		N(HELLO_TIMEOUT);
		N(QUARANTINE_FULL);
		N(QUOTA_SESSIONS);
		N(QUOTA_CONNECTS);
		N(LIMIT_SESSIONS);
		N(LIMIT_UIDS);
		N(UID_WEDGED);
		N(SHUTTING_DOWN);
		N(AGENT_FAILED);
		N(KICKED);
		N(UID_FROZEN);
		N(POLICY_DENIED);
		N(REGISTRATION_UNKNOWN);
		N(COOKIE_DUPLICATE);
		N(INTEREST_INVALID);
		N(MODE_INVALID);
		N(FLAGS_INVALID);
		N(FD_KIND_REFUSED);
		N(FD_OWN_SOCKET);
		N(FD_NOT_POLLABLE);
		N(QUOTA_REGISTRATIONS);
		N(OUT_OF_DESCRIPTORS);
		N(OUT_OF_MEMORY);
		N(INTERNAL);
		N(DEADLINE_INVALID);
	}
	return "UNKNOWN";
}

START_TEST(errors)
{
	for (uint32_t e = 0; e < 300; e++) {
		const char *text = wire_error_text(e);

		ck_assert_str_eq(wire_error_name(e), expected((enum wire_error)e));
		ck_assert_uint_gt(strlen(text), 4);
		/* It stands within a sentence. */
		ck_assert_int_ne(text[strlen(text) - 1], '.');
	}
	ck_assert_str_eq(wire_error_name(UINT32_MAX), "UNKNOWN");
	ck_assert_str_eq(wire_error_text(UINT32_MAX), wire_error_text(299));
}
END_TEST

START_TEST(texts_differ)
{
	for (uint32_t a = 0; a < 60; a++)
		for (uint32_t b = 0; b < a; b++)
			if (strcmp(wire_error_name(a), "UNKNOWN") != 0)
				ck_assert_str_ne(wire_error_text(a), wire_error_text(b));
}
END_TEST

static const char *expected_kind(enum wire_kind k)
{
	switch (k) {
	case WIRE_KIND_UNKNOWN:
		return "unknown";
	case WIRE_KIND_TCP:
		return "tcp";
	case WIRE_KIND_UDP:
		return "udp";
	case WIRE_KIND_UNIX:
		return "unix";
	case WIRE_KIND_PIPE:
		return "pipe";
	case WIRE_KIND_FIFO:
		return "fifo";
	case WIRE_KIND_EVENTFD:
		return "eventfd";
	case WIRE_KIND_TIMERFD:
		return "timerfd";
	case WIRE_KIND_PIDFD:
		return "pidfd";
	case WIRE_KIND_INOTIFY:
		return "inotify";
	case WIRE_KIND_PTY:
		return "pty";
	case WIRE_KIND_PATH:
		return "path";
	case WIRE_KIND_EPOLL:
		return "epoll";
	case WIRE_KIND_IO_URING:
		return "io_uring";
	case WIRE_KIND_SIGNALFD:
		return "signalfd";
	case WIRE_KIND_SOCKET_OTHER:
		return "other socket";
	case WIRE_KIND_MEMFD:
		return "memfd";
	case WIRE_KIND_ANON_OTHER:
		return "other anonymous file";
	}
	return "unknown";
}

START_TEST(kinds)
{
	for (uint32_t k = 0; k < 300; k++)
		ck_assert_str_eq(wire_kind_name(k), expected_kind((enum wire_kind)k));
	ck_assert_str_eq(wire_kind_name(UINT32_MAX), "unknown");
}
END_TEST

/* The limits that the specification promises fit each other. */
START_TEST(limits)
{
	ck_assert_uint_le(WIRE_HEADER_BYTES + WIRE_BATCH_MAX * WIRE_REGISTER_BYTES, WIRE_FRAME_MAX);
	ck_assert_uint_le(
		WIRE_HEADER_BYTES + WIRE_DEREGISTER_MAX * WIRE_RESULT_BYTES, WIRE_FRAME_MAX);
	ck_assert_uint_le(
		WIRE_HEADER_BYTES + WIRE_EVENTS_MAX * WIRE_EVENT_BYTES, WIRE_EVENTS_MAX_BYTES);
	for (uint32_t type = 0; type < 0x10000; type++) {
		size_t bytes = wire_record_bytes((uint16_t)type);

		if (bytes == 0)
			continue;
		ck_assert_uint_eq(bytes % 8, 0);
		ck_assert_uint_le(type, WIRE_DEADLINE_SET);
	}
}
END_TEST

UNIT_MAIN("wire/names", errors, texts_differ, kinds, limits)
