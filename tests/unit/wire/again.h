/* SPDX-License-Identifier: MIT */
/* A frame that was decoded, read record by record and encoded again. For unit tests and fuzz targets. */
#ifndef AGAIN_H
#define AGAIN_H

#include <string.h>

#include "wire/wire.h"

static inline void again_record(const struct wire_frame *f, uint32_t i, uint8_t *out)
{
	union {
		struct wire_hello hello;
		struct wire_welcome welcome;
		struct wire_register reg;
		struct wire_modify modify;
		struct wire_rearm rearm;
		struct wire_set_deadline deadline;
		struct wire_result result;
		struct wire_event event;
		struct wire_error_record error;
	} u;

	memset(&u, 0x5a, sizeof(u));
	switch (f->header.type) {
	case WIRE_HELLO:
		wire_get_hello(f, &u.hello);
		wire_put_hello(out, &u.hello);
		break;
	case WIRE_WELCOME:
		wire_get_welcome(f, &u.welcome);
		wire_put_welcome(out, &u.welcome);
		break;
	case WIRE_REGISTER:
		wire_get_register(f, i, &u.reg);
		wire_put_register(out, i, &u.reg);
		break;
	case WIRE_MODIFY:
		wire_get_modify(f, i, &u.modify);
		wire_put_modify(out, i, &u.modify);
		break;
	case WIRE_REARM:
		wire_get_rearm(f, i, &u.rearm);
		wire_put_rearm(out, i, &u.rearm);
		break;
	case WIRE_SET_DEADLINE:
		wire_get_set_deadline(f, i, &u.deadline);
		wire_put_set_deadline(out, i, &u.deadline);
		break;
	case WIRE_DEREGISTER:
		wire_put_deregister(out, i, wire_get_deregister(f, i));
		break;
	case WIRE_PING:
	case WIRE_PONG:
		wire_put_ping(out, wire_get_ping(f));
		break;
	case WIRE_EVENTS:
		wire_get_event(f, i, &u.event);
		wire_put_event(out, i, &u.event);
		break;
	case WIRE_ERROR:
		wire_get_error(f, &u.error);
		wire_put_error(out, &u.error);
		break;
	default:
		wire_get_result(f, i, &u.result);
		wire_put_result(out, i, &u.result);
		break;
	}
}

/* out has room for header.length bytes; returns the length. */
static inline size_t again(const struct wire_frame *f, uint8_t *out)
{
	for (uint32_t i = 0; i < f->header.count; i++)
		again_record(f, i, out);
	return wire_put_header(
		out, (enum wire_type)f->header.type, f->header.serial, f->header.count);
}

/* Clear what a client ignores in the bytes of a reply, so that they compare with what again() made. */
static inline void again_clear_ignored(uint8_t *reply, uint16_t type)
{
	if (type == WIRE_WELCOME)
		memset(reply + WIRE_HEADER_BYTES + 36, 0, 4);
	if (type == WIRE_ERROR) {
		reply[WIRE_HEADER_BYTES + 8] &= 1;
		memset(reply + WIRE_HEADER_BYTES + 9, 0, 7);
	}
}

#endif
