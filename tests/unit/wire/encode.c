/* SPDX-License-Identifier: MIT */
/* What is put can be got back, for any value of any field; an encoder writes all bytes of its record. */
#include <string.h>

#include "unit.h"
#include "wire/wire.h"

#define RECORDS 5u
#define ROUNDS 2000u

static uint64_t state;

/* splitmix64 (Vigna 2015): every run the same numbers. */
static uint64_t any(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint8_t buf[WIRE_HEADER_BYTES + RECORDS * WIRE_HELLO_BYTES];

/* The records are in buf; the frame that a decoder makes of it. */
static void decoded(enum wire_type type, uint32_t count, struct wire_frame *ret)
{
	uint32_t serial = (uint32_t)any(), detail = 0;
	size_t n = wire_put_header(buf, type, serial, count);
	size_t n_fds = type == WIRE_REGISTER ? count : 0;

	ck_assert_uint_eq(n, WIRE_HEADER_BYTES + count * wire_record_bytes((uint16_t)type));
	ck_assert_uint_eq((type & 0x80u ? wire_decode_reply : wire_decode_request)(
				  buf, n, n_fds, ret, &detail),
		WIRE_OK);
	ck_assert_uint_eq(ret->header.type, type);
	ck_assert_uint_eq(ret->header.serial, serial);
	ck_assert_uint_eq(ret->header.count, count);
	ck_assert_uint_eq(ret->header.n_fds, n_fds);
	/* The next round finds garbage where an encoder forgets a byte. */
}

static void setup(void)
{
	unit_setup();
	state = 1;
}

START_TEST(requests)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct wire_register reg[RECORDS], reg_got;
		struct wire_modify mod[RECORDS], mod_got;
		struct wire_rearm rearm[RECORDS], rearm_got;
		struct wire_set_deadline dead[RECORDS], dead_got;
		uint64_t id[RECORDS];
		struct wire_frame f;

		memset(buf, (int)any(), sizeof(buf));
		for (uint32_t i = 0; i < RECORDS; i++) {
			reg[i] = (struct wire_register){
				any(), (uint16_t)any(), (uint8_t)any(), (uint8_t)any()};
			wire_put_register(buf, i, &reg[i]);
		}
		decoded(WIRE_REGISTER, RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++) {
			wire_get_register(&f, i, &reg_got);
			ck_assert(reg_got.cookie == reg[i].cookie &&
				  reg_got.interest == reg[i].interest &&
				  reg_got.mode == reg[i].mode && reg_got.flags == reg[i].flags);
		}
		memset(buf, (int)any(), sizeof(buf));
		for (uint32_t i = 0; i < RECORDS; i++) {
			mod[i] = (struct wire_modify){
				any(), (uint16_t)any(), (uint8_t)any(), (uint8_t)any()};
			wire_put_modify(buf, i, &mod[i]);
		}
		decoded(WIRE_MODIFY, RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++) {
			wire_get_modify(&f, i, &mod_got);
			ck_assert(mod_got.id == mod[i].id && mod_got.interest == mod[i].interest &&
				  mod_got.mode == mod[i].mode && mod_got.flags == mod[i].flags);
		}
		memset(buf, (int)any(), sizeof(buf));
		for (uint32_t i = 0; i < RECORDS; i++) {
			rearm[i] = (struct wire_rearm){any(), (uint32_t)any()};
			wire_put_rearm(buf, i, &rearm[i]);
		}
		decoded(WIRE_REARM, RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++) {
			wire_get_rearm(&f, i, &rearm_got);
			ck_assert(rearm_got.id == rearm[i].id && rearm_got.seq == rearm[i].seq);
		}
		memset(buf, (int)any(), sizeof(buf));
		for (uint32_t i = 0; i < RECORDS; i++) {
			dead[i] = (struct wire_set_deadline){any(), any(), any()};
			wire_put_set_deadline(buf, i, &dead[i]);
		}
		decoded(WIRE_SET_DEADLINE, RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++) {
			wire_get_set_deadline(&f, i, &dead_got);
			ck_assert(dead_got.id == dead[i].id && dead_got.at_ns == dead[i].at_ns &&
				  dead_got.idle_ns == dead[i].idle_ns);
		}
		for (uint32_t i = 0; i < RECORDS; i++)
			wire_put_deregister(buf, i, id[i] = any());
		decoded(WIRE_DEREGISTER, RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++)
			ck_assert_uint_eq(wire_get_deregister(&f, i), id[i]);
	}
}
END_TEST

START_TEST(replies)
{
	static const enum wire_type with_results[] = {
		WIRE_REGISTERED, WIRE_MODIFIED, WIRE_DEREGISTERED, WIRE_DEADLINE_SET};

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct wire_result result[RECORDS], result_got;
		struct wire_event event[RECORDS], event_got;
		struct wire_frame f;

		memset(buf, (int)any(), sizeof(buf));
		for (uint32_t i = 0; i < RECORDS; i++) {
			result[i] = (struct wire_result){any(), (uint32_t)any(), (uint32_t)any()};
			wire_put_result(buf, i, &result[i]);
		}
		decoded(with_results[round % 4], RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++) {
			wire_get_result(&f, i, &result_got);
			ck_assert(result_got.id == result[i].id &&
				  result_got.error == result[i].error &&
				  result_got.detail == result[i].detail);
		}
		memset(buf, (int)any(), sizeof(buf));
		for (uint32_t i = 0; i < RECORDS; i++) {
			event[i] = (struct wire_event){any(), any(), (uint8_t)any(), (uint8_t)any(),
				(uint16_t)any(), (uint32_t)any()};
			wire_put_event(buf, i, &event[i]);
		}
		decoded(WIRE_EVENTS, RECORDS, &f);
		for (uint32_t i = 0; i < RECORDS; i++) {
			wire_get_event(&f, i, &event_got);
			ck_assert(event_got.cookie == event[i].cookie &&
				  event_got.id == event[i].id && event_got.type == event[i].type &&
				  event_got.flags == event[i].flags &&
				  event_got.ready == event[i].ready &&
				  event_got.seq == event[i].seq);
		}
	}
}
END_TEST

START_TEST(single_records)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct wire_hello hello = {.version_min = 1, .features = any()}, hello_got;
		struct wire_welcome w = {(uint16_t)any(), (uint16_t)any(), (uint32_t)any(), any(),
			any(), (uint32_t)any(), (uint32_t)any(), (uint32_t)any()};
		struct wire_welcome w_got;
		struct wire_error_record e = {(uint32_t)any(), (uint32_t)any(), any() & 1}, e_got;
		struct wire_frame f;
		uint64_t value = any();

		hello.version_max = (uint16_t)(any() | 1);
		for (size_t i = 0, n = any() % WIRE_NAME_BYTES; i < n; i++)
			hello.name[i] = (char)(0x20 + any() % 0x5f);
		memset(buf, (int)any(), sizeof(buf));
		wire_put_hello(buf, &hello);
		decoded(WIRE_HELLO, 1, &f);
		wire_get_hello(&f, &hello_got);
		ck_assert(hello_got.version_min == 1 &&
			  hello_got.version_max == hello.version_max &&
			  hello_got.features == hello.features);
		ck_assert_mem_eq(hello_got.name, hello.name, WIRE_NAME_BYTES);

		memset(buf, (int)any(), sizeof(buf));
		wire_put_welcome(buf, &w);
		decoded(WIRE_WELCOME, 1, &f);
		wire_get_welcome(&f, &w_got);
		ck_assert(w_got.version == w.version && w_got.batch_max == w.batch_max &&
			  w_got.frame_max == w.frame_max && w_got.features == w.features &&
			  w_got.session == w.session && w_got.registrations == w.registrations &&
			  w_got.unanswered_max == w.unanswered_max &&
			  w_got.events_max_bytes == w.events_max_bytes);
		/* The reserved bytes are the encoder's to clear. */
		ck_assert_mem_eq(buf + WIRE_HEADER_BYTES + 36, "\0\0\0\0", 4);

		memset(buf, (int)any(), sizeof(buf));
		wire_put_error(buf, &e);
		decoded(WIRE_ERROR, 1, &f);
		wire_get_error(&f, &e_got);
		ck_assert(e_got.error == e.error && e_got.detail == e.detail &&
			  e_got.fatal == e.fatal);
		ck_assert_mem_eq(buf + WIRE_HEADER_BYTES + 9, "\0\0\0\0\0\0\0", 7);

		wire_put_ping(buf, value);
		decoded(round & 1 ? WIRE_PING : WIRE_PONG, 1, &f);
		ck_assert_uint_eq(wire_get_ping(&f), value);
	}
}
END_TEST

/* A name without its NUL is cut, not sent as it is. */
START_TEST(long_names_are_cut)
{
	struct wire_hello hello = {.version_min = 1, .version_max = 1}, got;
	struct wire_frame f;

	memset(hello.name, 'x', sizeof(hello.name));
	wire_put_hello(buf, &hello);
	decoded(WIRE_HELLO, 1, &f);
	wire_get_hello(&f, &got);
	ck_assert_uint_eq(strlen(got.name), WIRE_NAME_BYTES - 1);
}
END_TEST

START_TEST(make_error)
{
	uint8_t frame[WIRE_HEADER_BYTES + WIRE_ERROR_BYTES];
	struct wire_error_record e;
	struct wire_frame f;
	uint32_t detail;

	memset(frame, 0x5a, sizeof(frame));
	ck_assert_uint_eq(
		wire_make_error(frame, 77, WIRE_E_FDS_LOST, 3, true), WIRE_HEADER_BYTES + 16);
	ck_assert_uint_eq(wire_decode_reply(frame, sizeof(frame), 0, &f, &detail), WIRE_OK);
	wire_get_error(&f, &e);
	ck_assert(f.header.serial == 77 && e.error == WIRE_E_FDS_LOST && e.detail == 3 && e.fatal);
	wire_make_error(frame, 0, WIRE_E_REGISTRATION_UNKNOWN, 0, false);
	ck_assert_uint_eq(wire_decode_reply(frame, sizeof(frame), 0, &f, &detail), WIRE_OK);
	wire_get_error(&f, &e);
	ck_assert(!e.fatal && e.error == WIRE_E_REGISTRATION_UNKNOWN);
}
END_TEST

UNIT_MAIN_WITH("wire/encode", setup, unit_teardown, requests, replies, single_records,
	long_names_are_cut, make_error)
