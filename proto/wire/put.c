/* SPDX-License-Identifier: MIT */
/* Records and headers to bytes. Pure; the caller has made room. */
#include <string.h>

#include "base/bytes.h"
#include "wire/wire.h"

size_t wire_record_bytes(uint16_t type)
{
	switch (type) {
	case WIRE_HELLO:
		return WIRE_HELLO_BYTES;
	case WIRE_REGISTER:
		return WIRE_REGISTER_BYTES;
	case WIRE_MODIFY:
		return WIRE_MODIFY_BYTES;
	case WIRE_REARM:
		return WIRE_REARM_BYTES;
	case WIRE_DEREGISTER:
		return WIRE_DEREGISTER_BYTES;
	case WIRE_PING:
	case WIRE_PONG:
		return WIRE_PING_BYTES;
	case WIRE_SET_DEADLINE:
		return WIRE_SET_DEADLINE_BYTES;
	case WIRE_WELCOME:
		return WIRE_WELCOME_BYTES;
	case WIRE_REGISTERED:
	case WIRE_MODIFIED:
	case WIRE_DEREGISTERED:
	case WIRE_DEADLINE_SET:
		return WIRE_RESULT_BYTES;
	case WIRE_EVENTS:
		return WIRE_EVENT_BYTES;
	case WIRE_ERROR:
		return WIRE_ERROR_BYTES;
	default:
		return 0;
	}
}

static uint8_t *record(uint8_t *buf, uint32_t i, size_t bytes)
{
	return buf + WIRE_HEADER_BYTES + i * bytes;
}

size_t wire_put_header(uint8_t *buf, enum wire_type type, uint32_t serial, uint32_t count)
{
	size_t length = WIRE_HEADER_BYTES + count * wire_record_bytes((uint16_t)type);

	rdy__store32(buf, (uint32_t)length);
	rdy__store16(buf + 4, (uint16_t)type);
	buf[6] = type == WIRE_REGISTER ? (uint8_t)count : 0;
	buf[7] = 0;
	rdy__store32(buf + 8, serial);
	rdy__store32(buf + 12, count);
	return length;
}

void wire_put_hello(uint8_t *buf, const struct wire_hello *hello)
{
	uint8_t *p = record(buf, 0, 0);

	memcpy(p, WIRE_MAGIC, WIRE_MAGIC_BYTES);
	rdy__store16(p + 8, hello->version_min);
	rdy__store16(p + 10, hello->version_max);
	rdy__store32(p + 12, 0);
	rdy__store64(p + 16, hello->features);
	memset(p + 24, 0, WIRE_NAME_BYTES);
	memcpy(p + 24, hello->name, strnlen(hello->name, WIRE_NAME_BYTES - 1));
}

void wire_put_register(uint8_t *buf, uint32_t i, const struct wire_register *r)
{
	uint8_t *p = record(buf, i, WIRE_REGISTER_BYTES);

	rdy__store64(p, r->cookie);
	rdy__store16(p + 8, r->interest);
	p[10] = r->mode;
	p[11] = r->flags;
	rdy__store32(p + 12, 0);
}

void wire_put_modify(uint8_t *buf, uint32_t i, const struct wire_modify *r)
{
	uint8_t *p = record(buf, i, WIRE_MODIFY_BYTES);

	rdy__store64(p, r->id);
	rdy__store16(p + 8, r->interest);
	p[10] = r->mode;
	p[11] = r->flags;
	rdy__store32(p + 12, 0);
}

void wire_put_rearm(uint8_t *buf, uint32_t i, const struct wire_rearm *r)
{
	uint8_t *p = record(buf, i, WIRE_REARM_BYTES);

	rdy__store64(p, r->id);
	rdy__store32(p + 8, r->seq);
	rdy__store32(p + 12, 0);
}

void wire_put_deregister(uint8_t *buf, uint32_t i, uint64_t id)
{
	rdy__store64(record(buf, i, WIRE_DEREGISTER_BYTES), id);
}

void wire_put_ping(uint8_t *buf, uint64_t value)
{
	rdy__store64(record(buf, 0, WIRE_PING_BYTES), value);
}

void wire_put_set_deadline(uint8_t *buf, uint32_t i, const struct wire_set_deadline *d)
{
	uint8_t *p = record(buf, i, WIRE_SET_DEADLINE_BYTES);

	rdy__store64(p, d->id);
	rdy__store64(p + 8, d->at_ns);
	rdy__store64(p + 16, d->idle_ns);
}

void wire_put_welcome(uint8_t *buf, const struct wire_welcome *w)
{
	uint8_t *p = record(buf, 0, WIRE_WELCOME_BYTES);

	rdy__store16(p, w->version);
	rdy__store16(p + 2, w->batch_max);
	rdy__store32(p + 4, w->frame_max);
	rdy__store64(p + 8, w->features);
	rdy__store64(p + 16, w->session);
	rdy__store32(p + 24, w->registrations);
	rdy__store32(p + 28, w->unanswered_max);
	rdy__store32(p + 32, w->events_max_bytes);
	rdy__store32(p + 36, 0);
}

void wire_put_result(uint8_t *buf, uint32_t i, const struct wire_result *r)
{
	uint8_t *p = record(buf, i, WIRE_RESULT_BYTES);

	rdy__store64(p, r->id);
	rdy__store32(p + 8, r->error);
	rdy__store32(p + 12, r->detail);
}

void wire_put_event(uint8_t *buf, uint32_t i, const struct wire_event *e)
{
	uint8_t *p = record(buf, i, WIRE_EVENT_BYTES);

	rdy__store64(p, e->cookie);
	rdy__store64(p + 8, e->id);
	p[16] = e->type;
	p[17] = e->flags;
	rdy__store16(p + 18, e->ready);
	rdy__store32(p + 20, e->seq);
}

void wire_put_error(uint8_t *buf, const struct wire_error_record *e)
{
	uint8_t *p = record(buf, 0, WIRE_ERROR_BYTES);

	rdy__store32(p, e->error);
	rdy__store32(p + 4, e->detail);
	rdy__store32(p + 8, e->fatal ? 1 : 0);
	rdy__store32(p + 12, 0);
}

size_t wire_make_error(
	uint8_t *buf, uint32_t serial, enum wire_error error, uint32_t detail, bool fatal)
{
	wire_put_error(
		buf, &(struct wire_error_record){.error = error, .detail = detail, .fatal = fatal});
	return wire_put_header(buf, WIRE_ERROR, serial, 1);
}
