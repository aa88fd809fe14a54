/* SPDX-License-Identifier: MIT */
/*
 * Validation of whole frames, before anything is applied. Reads bytes that a hostile peer chose: every
 * length is compared before it is used, and nothing is multiplied that could wrap (count is bounded first).
 */
#include <string.h>

#include "base/bytes.h"
#include "wire/wire.h"

static void load_header(const uint8_t *buf, struct wire_header *h)
{
	h->length = rdy__load32(buf);
	h->type = rdy__load16(buf + 4);
	h->n_fds = buf[6];
	h->flags = buf[7];
	h->serial = rdy__load32(buf + 8);
	h->count = rdy__load32(buf + 12);
}

/* What both directions share: length, type, count, flags. direction: bit 7 of the type. */
static enum wire_error decode_header(const uint8_t *buf, size_t n_bytes, uint16_t direction,
	struct wire_header *h, uint32_t *ret_detail)
{
	size_t record;

	if (n_bytes < WIRE_HEADER_BYTES)
		return WIRE_E_FRAME_TRUNCATED;
	load_header(buf, h);
	if (n_bytes > WIRE_FRAME_MAX || h->length > WIRE_FRAME_MAX || n_bytes > h->length)
		return WIRE_E_FRAME_OVERSIZED;
	if (n_bytes < h->length)
		return WIRE_E_FRAME_TRUNCATED;
	record = wire_record_bytes(h->type);
	if (!record || (h->type & 0x80u) != direction) {
		*ret_detail = h->type;
		return WIRE_E_TYPE_UNKNOWN;
	}
	/* count <= WIRE_FRAME_MAX first, so that the product can't wrap. */
	if (h->count < 1 || h->count > WIRE_FRAME_MAX || h->flags ||
		h->length != WIRE_HEADER_BYTES + h->count * record)
		return WIRE_E_FRAME_MALFORMED;
	return WIRE_OK;
}

static bool is_name(const uint8_t *p)
{
	size_t n = strnlen((const char *)p, WIRE_NAME_BYTES);

	if (n == WIRE_NAME_BYTES)
		return false;
	for (size_t i = 0; i < WIRE_NAME_BYTES; i++)
		if (i < n ? p[i] < 0x20 || p[i] > 0x7e : p[i] != 0)
			return false;
	return true;
}

static enum wire_error check_hello(const uint8_t *p, uint32_t *ret_detail)
{
	uint16_t min = rdy__load16(p + 8), max = rdy__load16(p + 10);

	if (memcmp(p, WIRE_MAGIC, WIRE_MAGIC_BYTES) != 0)
		return WIRE_E_BAD_MAGIC;
	/* The version comes before the rest: a newer HELLO may give the reserved bytes a meaning. */
	if (min > max)
		return WIRE_E_FRAME_MALFORMED;
	if (max < WIRE_VERSION_MIN || min > WIRE_VERSION_MAX) {
		*ret_detail = WIRE_VERSION_MAX;
		return WIRE_E_VERSION_UNSUPPORTED;
	}
	if (rdy__load32(p + 12) || !is_name(p + 24))
		return WIRE_E_FRAME_MALFORMED;
	return WIRE_OK;
}

/* The last four bytes of each record are reserved and zero (REGISTER, MODIFY, REARM). */
static bool reserved_clear(const uint8_t *records, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (rdy__load32(records + i * 16u + 12))
			return false;
	return true;
}

static enum wire_error check_request(
	const struct wire_header *h, const uint8_t *p, uint32_t *ret_detail)
{
	switch (h->type) {
	case WIRE_HELLO:
		return h->count == 1 ? check_hello(p, ret_detail) : WIRE_E_FRAME_MALFORMED;
	case WIRE_REGISTER:
		if (h->count > WIRE_BATCH_MAX)
			return WIRE_E_FRAME_MALFORMED;
		__attribute__((fallthrough));
	case WIRE_MODIFY:
	case WIRE_REARM:
		return reserved_clear(p, h->count) ? WIRE_OK : WIRE_E_FRAME_MALFORMED;
	case WIRE_DEREGISTER:
		return h->count <= WIRE_DEREGISTER_MAX ? WIRE_OK : WIRE_E_FRAME_MALFORMED;
	case WIRE_PING:
		return h->count == 1 ? WIRE_OK : WIRE_E_FRAME_MALFORMED;
	default:
		return WIRE_OK;
	}
}

enum wire_error wire_decode_request(const uint8_t *buf, size_t n_bytes, size_t n_fds,
	struct wire_frame *ret, uint32_t *ret_detail)
{
	struct wire_header h = {0};
	uint32_t detail = 0;
	enum wire_error e = decode_header(buf, n_bytes, 0, &h, &detail);

	ret->header.serial = h.serial;
	if (e == WIRE_OK)
		e = check_request(&h, buf + WIRE_HEADER_BYTES, &detail);
	if (e == WIRE_OK &&
		(h.n_fds != n_fds || h.n_fds != (h.type == WIRE_REGISTER ? h.count : 0))) {
		detail = (uint32_t)n_fds;
		e = WIRE_E_FD_COUNT_MISMATCH;
	}
	if (e != WIRE_OK) {
		*ret_detail = detail;
		return e;
	}
	ret->header = h;
	ret->records = buf + WIRE_HEADER_BYTES;
	return WIRE_OK;
}

enum wire_error wire_decode_reply(const uint8_t *buf, size_t n_bytes, size_t n_fds,
	struct wire_frame *ret, uint32_t *ret_detail)
{
	struct wire_header h = {0};
	uint32_t detail = 0;
	enum wire_error e = decode_header(buf, n_bytes, 0x80u, &h, &detail);
	bool single;

	ret->header.serial = h.serial;
	single = h.type == WIRE_WELCOME || h.type == WIRE_PONG || h.type == WIRE_ERROR;
	if (e == WIRE_OK && single && h.count != 1)
		e = WIRE_E_FRAME_MALFORMED;
	if (e == WIRE_OK && (h.n_fds || n_fds)) {
		detail = (uint32_t)n_fds;
		e = WIRE_E_FD_COUNT_MISMATCH;
	}
	if (e != WIRE_OK) {
		*ret_detail = detail;
		return e;
	}
	ret->header = h;
	ret->records = buf + WIRE_HEADER_BYTES;
	return WIRE_OK;
}
