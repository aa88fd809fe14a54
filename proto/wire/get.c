/* SPDX-License-Identifier: MIT */
/* Records of a frame that wire_decode_*() has accepted. Pure; no check is left to do here. */
#include <string.h>

#include "base/bytes.h"
#include "wire/wire.h"

static const uint8_t *record(const struct wire_frame *f, uint32_t i, size_t bytes)
{
	return f->records + i * bytes;
}

void wire_get_hello(const struct wire_frame *f, struct wire_hello *ret)
{
	const uint8_t *p = f->records;

	ret->version_min = rdy__load16(p + 8);
	ret->version_max = rdy__load16(p + 10);
	ret->features = rdy__load64(p + 16);
	memcpy(ret->name, p + 24, WIRE_NAME_BYTES);
}

void wire_get_register(const struct wire_frame *f, uint32_t i, struct wire_register *ret)
{
	const uint8_t *p = record(f, i, WIRE_REGISTER_BYTES);

	ret->cookie = rdy__load64(p);
	ret->interest = rdy__load16(p + 8);
	ret->mode = p[10];
	ret->flags = p[11];
}

void wire_get_modify(const struct wire_frame *f, uint32_t i, struct wire_modify *ret)
{
	const uint8_t *p = record(f, i, WIRE_MODIFY_BYTES);

	ret->id = rdy__load64(p);
	ret->interest = rdy__load16(p + 8);
	ret->mode = p[10];
	ret->flags = p[11];
}

void wire_get_rearm(const struct wire_frame *f, uint32_t i, struct wire_rearm *ret)
{
	const uint8_t *p = record(f, i, WIRE_REARM_BYTES);

	ret->id = rdy__load64(p);
	ret->seq = rdy__load32(p + 8);
}

uint64_t wire_get_deregister(const struct wire_frame *f, uint32_t i)
{
	return rdy__load64(record(f, i, WIRE_DEREGISTER_BYTES));
}

uint64_t wire_get_ping(const struct wire_frame *f)
{
	return rdy__load64(f->records);
}

void wire_get_set_deadline(const struct wire_frame *f, uint32_t i, struct wire_set_deadline *ret)
{
	const uint8_t *p = record(f, i, WIRE_SET_DEADLINE_BYTES);

	ret->id = rdy__load64(p);
	ret->at_ns = rdy__load64(p + 8);
	ret->idle_ns = rdy__load64(p + 16);
}

void wire_get_welcome(const struct wire_frame *f, struct wire_welcome *ret)
{
	const uint8_t *p = f->records;

	ret->version = rdy__load16(p);
	ret->batch_max = rdy__load16(p + 2);
	ret->frame_max = rdy__load32(p + 4);
	ret->features = rdy__load64(p + 8);
	ret->session = rdy__load64(p + 16);
	ret->registrations = rdy__load32(p + 24);
	ret->unanswered_max = rdy__load32(p + 28);
	ret->events_max_bytes = rdy__load32(p + 32);
}

void wire_get_result(const struct wire_frame *f, uint32_t i, struct wire_result *ret)
{
	const uint8_t *p = record(f, i, WIRE_RESULT_BYTES);

	ret->id = rdy__load64(p);
	ret->error = rdy__load32(p + 8);
	ret->detail = rdy__load32(p + 12);
}

void wire_get_event(const struct wire_frame *f, uint32_t i, struct wire_event *ret)
{
	const uint8_t *p = record(f, i, WIRE_EVENT_BYTES);

	ret->cookie = rdy__load64(p);
	ret->id = rdy__load64(p + 8);
	ret->type = p[16];
	ret->flags = p[17];
	ret->ready = rdy__load16(p + 18);
	ret->seq = rdy__load32(p + 20);
}

void wire_get_error(const struct wire_frame *f, struct wire_error_record *ret)
{
	const uint8_t *p = f->records;

	ret->error = rdy__load32(p);
	ret->detail = rdy__load32(p + 4);
	ret->fatal = rdy__load32(p + 8) & 1u;
}
