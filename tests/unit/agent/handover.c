/* SPDX-License-Identifier: MIT */
/* The format of a handover; built a second time as the version that comes after this one. */
#include "handover.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static uint8_t buf[HANDOVER_BYTES_MAX + 64];

static struct handover_registration registration(uint32_t index)
{
	return (struct handover_registration){
		.id = (uint64_t)index << 32 | 7,
		.cookie = 1000 + index,
		.at_ns = 5,
		.idle_ns = 6,
		.idle_period_ns = 7,
		.seq = 8,
		.interest = WIRE_READABLE,
		.mode = WIRE_EDGE,
		.kind = WIRE_KIND_PIPE,
		.flags = HANDOVER_FD,
	};
}

static struct handover_message session(void)
{
	return (struct handover_message){
		.type = HANDOVER_SESSION,
		.n = 1,
		.u.session =
			{
				.number = 12,
				.features = 3,
				.since_ns = 4,
				.uid = 1000,
				.gid = 1001,
				.pid = 4711,
				.reactor = 2,
				.flags = HANDOVER_SESSION_OPEN,
				.n_replies = 1,
				.n_registrations = 3,
				.n_quarantined = 1,
				.name = "a client",
			},
	};
}

static struct handover_message value(uint32_t type, uint64_t v)
{
	return (struct handover_message){.type = type, .n = 1, .u.value = v};
}

static int recode(const struct handover_message *m, size_t n_fds, struct handover_message *ret)
{
	return handover_decode(buf, handover_encode(buf, m), n_fds, ret);
}

START_TEST(there_and_back)
{
	static const uint32_t values[] = {
		HANDOVER_SESSION_DONE, HANDOVER_END, HANDOVER_CREDIT, HANDOVER_ACK};
	struct handover_message got, m = {.type = HANDOVER_BEGIN, .n = 1};

	m.u.begin = (struct handover_begin){
		.uid = 1000, .n_reactors = 2, .n_sessions = 3, .n_registrations = 4};
	ck_assert_int_eq(recode(&m, 0, &got), 0);
	ck_assert_uint_eq(got.version, HANDOVER_VERSION);
	ck_assert_mem_eq(&got.u.begin, &m.u.begin, sizeof(m.u.begin));
	m = (struct handover_message){.type = HANDOVER_REACTOR, .n = 1};
	m.u.reactor = (struct handover_reactor){.reactor = 63, .first_generation = 9};
	ck_assert_int_eq(recode(&m, 0, &got), 0);
	ck_assert_mem_eq(&got.u.reactor, &m.u.reactor, sizeof(m.u.reactor));
	m = session();
	ck_assert_int_eq(recode(&m, 1, &got), 0);
	ck_assert_int_eq(recode(&m, 2, &got), 0);
	ck_assert_mem_eq(&got.u.session, &m.u.session, sizeof(m.u.session));
	for (size_t i = 0; i < 4; i++) {
		m = value(values[i], 64);
		ck_assert_int_eq(recode(&m, 0, &got), 0);
		ck_assert_uint_eq(got.type, values[i]);
		ck_assert_uint_eq(got.u.value, 64);
	}
}
END_TEST

START_TEST(replies)
{
	static uint8_t frame[WIRE_FRAME_MAX];
	struct handover_message got, m = {.type = HANDOVER_REPLY, .data = frame};

	memset(frame, 0xa5, sizeof(frame));
	for (m.n_data = 1; m.n_data <= sizeof(frame); m.n_data = m.n_data * 2) {
		ck_assert_int_eq(recode(&m, 0, &got), 0);
		ck_assert_uint_eq(got.n_data, m.n_data);
		ck_assert_mem_eq(got.data, frame, m.n_data);
	}
	m.n_data = sizeof(frame);
	ck_assert_uint_eq(handover_encode(buf, &m), HANDOVER_BYTES_MAX);
	ck_assert_int_eq(handover_decode(buf, HANDOVER_BYTES_MAX + 1, 0, &got), -EPROTO);
	ck_assert_int_eq(handover_decode(buf, HANDOVER_HEAD_BYTES, 0, &got), -EPROTO);
	ck_assert_int_eq(handover_decode(buf, HANDOVER_BYTES_MAX, 1, &got), -EPROTO);
}
END_TEST

START_TEST(batches)
{
	struct handover_message got, m = {.type = HANDOVER_REGISTRATIONS};

	for (m.n = 1; m.n <= HANDOVER_RECORDS_MAX; m.n++) {
		size_t n_fds = 0;

		for (uint32_t i = 0; i < m.n; i++) {
			m.u.registrations[i] = registration(i);
			if (i % 3 == 0) {
				m.u.registrations[i].flags = HANDOVER_ENDED | HANDOVER_READY;
				m.u.registrations[i].pending = WIRE_READ_CLOSED;
			} else {
				n_fds++;
			}
		}
		ck_assert_int_eq(recode(&m, n_fds, &got), 0);
		ck_assert_uint_eq(got.n, m.n);
		ck_assert_mem_eq(
			got.u.registrations, m.u.registrations, m.n * sizeof(registration(0)));
		ck_assert_int_eq(recode(&m, n_fds + 1, &got), -EPROTO);
		if (n_fds)
			ck_assert_int_eq(recode(&m, n_fds - 1, &got), -EPROTO);
	}
}
END_TEST

static void refuse_session(const struct handover_message *m)
{
	struct handover_message got;

	ck_assert_int_eq(recode(m, 1, &got), -EPROTO);
}

START_TEST(impossible_sessions)
{
	struct handover_message m, got;

#define REFUSE(change) \
	do { \
		m = session(); \
		m.u.session.change; \
		refuse_session(&m); \
	} while (0)
	REFUSE(number = 0);
	REFUSE(uid = UINT32_MAX);
	REFUSE(gid = UINT32_MAX);
	REFUSE(pid = -1);
	REFUSE(reactor = 64);
	REFUSE(flags = 2);
	REFUSE(flags = 0); /* has not said HELLO and has registrations */
	REFUSE(since_ns = -1);
	REFUSE(blocked_ns = -1);
	REFUSE(n_replies = WIRE_UNANSWERED_MAX + 2);
	REFUSE(n_registrations = (1u << 28) + 1);
	REFUSE(name[WIRE_NAME_BYTES - 1] = 'x');
#undef REFUSE
	m = session();
	ck_assert_int_eq(recode(&m, 0, &got), -EPROTO);
	ck_assert_int_eq(recode(&m, 3, &got), -EPROTO);
}
END_TEST

START_TEST(impossible_registrations)
{
	struct handover_message m = {.type = HANDOVER_REGISTRATIONS, .n = 2}, got;
	struct handover_registration *r = &m.u.registrations[1];

#define TRY(change, n_fds, answer) \
	do { \
		m.u.registrations[0] = registration(1); \
		*r = registration(2); \
		change; \
		ck_assert_int_eq(recode(&m, n_fds, &got), answer); \
	} while (0)
	TRY((void)0, 2, 0);
	TRY(r->id = 5ull << 32, 2, -EPROTO);
	TRY(r->id = 1ull << 60 | 1, 2, -EPROTO);
	TRY(r->interest = 0, 2, -EPROTO);
	TRY(r->interest = 0x8000, 2, -EPROTO);
	TRY(r->mode = 0, 2, -EPROTO);
	TRY(r->mode = 77, 2, -EPROTO);
	TRY(r->pad0 = 1, 2, -EPROTO);
	TRY(r->flags |= 0x80, 2, -EPROTO);
	TRY(r->at_ns = -1, 2, -EPROTO);
	TRY(r->idle_ns = -1, 2, -EPROTO);
	TRY(r->idle_period_ns = -1, 2, -EPROTO);
	TRY(r->timeouts = 4, 2, -EPROTO);
	/* An event waits exactly where there is something to say. */
	TRY(r->pending = WIRE_READABLE, 2, -EPROTO);
	TRY(r->flags |= HANDOVER_READY, 2, -EPROTO);
	TRY((r->flags |= HANDOVER_READY, r->pending = WIRE_READABLE), 2, 0);
	TRY((r->flags |= HANDOVER_READY, r->timeouts = WIRE_TIMEOUT_AT), 2, 0);
	TRY((r->flags |= HANDOVER_READY, r->pending = 0x4000), 2, -EPROTO);
	/* Whoever has ended has no descriptor, has something to say, and the other way round. */
	TRY(r->flags = 0, 1, -EPROTO);
	TRY(r->flags = HANDOVER_ENDED, 1, -EPROTO);
	TRY((r->flags = HANDOVER_ENDED | HANDOVER_READY, r->pending = WIRE_READ_CLOSED), 1, 0);
	TRY((r->flags = HANDOVER_ENDED | HANDOVER_READY | HANDOVER_FD,
		    r->pending = WIRE_READ_CLOSED),
		2, -EPROTO);
#undef TRY
}
END_TEST

START_TEST(impossible_heads)
{
	struct handover_message m = session(), got;
	size_t n = handover_encode(buf, &m);
	uint32_t head[4], bad[4];

	memcpy(head, buf, sizeof(head));
	for (size_t k = 0; k < n; k++)
		ck_assert_int_eq(handover_decode(buf, k, 1, &got), -EPROTO);
	ck_assert_int_eq(handover_decode(buf, n + 8, 1, &got), -EPROTO);
	for (size_t k = 0; k < 4; k++) {
		static const uint32_t values[] = {0, 2, 10, 31, 128, 1000, UINT32_MAX};

		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			if (k == 1 && values[i] <= HANDOVER_VERSION && values[i])
				continue;
			memcpy(bad, head, sizeof(head));
			bad[k] = values[i];
			memcpy(buf, bad, sizeof(bad));
			ck_assert_int_eq(handover_decode(buf, n, 1, &got), -EPROTO);
		}
	}
	memcpy(buf, head, sizeof(head));
	ck_assert_int_eq(handover_decode(buf, n, 1, &got), 0);
	m = value(HANDOVER_CREDIT, 0);
	ck_assert_int_eq(recode(&m, 0, &got), -EPROTO);
	m = value(HANDOVER_CREDIT, HANDOVER_CREDITS + 1);
	ck_assert_int_eq(recode(&m, 0, &got), -EPROTO);
	m = value(HANDOVER_END, 5);
	ck_assert_int_eq(recode(&m, 1, &got), -EPROTO);
	m = (struct handover_message){.type = HANDOVER_BEGIN, .n = 1};
	m.u.begin.n_reactors = 65;
	ck_assert_int_eq(recode(&m, 0, &got), -EPROTO);
	m.u.begin.n_reactors = 0;
	ck_assert_int_eq(recode(&m, 0, &got), -EPROTO);
	m = (struct handover_message){.type = HANDOVER_REACTOR, .n = 1};
	ck_assert_int_eq(recode(&m, 0, &got), -EPROTO);
}
END_TEST

/* The one before is understood and answered in its own words; the one after is not. */
START_TEST(versions)
{
	struct handover_message m = session(), got;

	m.version = HANDOVER_VERSION_OLDEST;
	ck_assert_int_eq(recode(&m, 1, &got), 0);
	ck_assert_uint_eq(got.version, HANDOVER_VERSION_OLDEST);
	m.version = HANDOVER_VERSION_OLDEST - 1;
	if (m.version)
		ck_assert_int_eq(recode(&m, 1, &got), -EPROTO);
	m.version = HANDOVER_VERSION + 1;
	ck_assert_int_eq(recode(&m, 1, &got), -EPROTO);
}
END_TEST

UNIT_MAIN("agent/handover", there_and_back, replies, batches, impossible_sessions,
	impossible_registrations, impossible_heads, versions)
