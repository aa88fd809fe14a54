/* SPDX-License-Identifier: MIT */
/*
 * Properties of the decoder over all vectors: it changes nothing but its outputs, and whatever is cut off or
 * flipped, it reads no byte that is not there (each input is a heap block of its own size, for ASan).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "again.h"
#include "load.h"
#include "unit.h"

static struct vectors all;

static void setup(void)
{
	unit_setup();
	vectors_load(&all);
}

static void teardown(void)
{
	vectors_free(&all);
	unit_teardown();
}

static enum wire_error decode(const struct vector *v, const uint8_t *bytes, size_t n_bytes,
	struct wire_frame *ret, uint32_t *ret_detail)
{
	return (v->from_agent ? wire_decode_reply : wire_decode_request)(
		bytes, n_bytes, v->n_fds, ret, ret_detail);
}

static bool is_good(const struct vector *v)
{
	return strcmp(v->result, "OK") == 0;
}

static uint8_t *exact(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n);

	ck_assert(copy || !n);
	if (n)
		memcpy(copy, bytes, n);
	return copy;
}

/* Decode once over outputs filled with a byte, and compare with what was there. */
static enum wire_error decode_over(
	const struct vector *v, int fill, struct wire_frame *ret, uint32_t *ret_detail)
{
	struct wire_frame before;
	uint32_t detail_before;
	enum wire_error e;

	memset(ret, fill, sizeof(*ret));
	memset(ret_detail, fill, sizeof(*ret_detail));
	before = *ret;
	detail_before = *ret_detail;
	errno = 12345;
	e = decode(v, v->bytes, v->n_bytes, ret, ret_detail);
	ck_assert_int_eq(errno, 12345);
	if (e == WIRE_OK) {
		ck_assert_uint_eq(*ret_detail, detail_before);
		ck_assert_ptr_eq(ret->records, v->bytes + WIRE_HEADER_BYTES);
		return e;
	}
	/* All but the serial, which is the frame's or 0. */
	ck_assert_uint_eq(ret->header.serial, v->serial);
	before.header.serial = v->serial;
	ck_assert_mem_eq(ret, &before, sizeof(before));
	return e;
}

/* Invariant: DECODE-1 */
START_TEST(decoding_is_pure)
{
	for (size_t i = 0; i < all.n; i++) {
		const struct vector *v = &all.all[i];
		uint8_t *copy = exact(v->bytes, v->n_bytes);
		struct wire_frame a, b;
		uint32_t detail_a, detail_b;
		enum wire_error e = decode_over(v, 0x00, &a, &detail_a);

		ck_assert_uint_eq(e, decode_over(v, 0xa5, &b, &detail_b));
		ck_assert_msg((e == WIRE_OK) == is_good(v), "%s", v->name);
		if (e == WIRE_OK)
			ck_assert_mem_eq(&a.header, &b.header, sizeof(a.header));
		else
			ck_assert_uint_eq(detail_a, detail_b);
		if (v->n_bytes)
			ck_assert_mem_eq(copy, v->bytes, v->n_bytes);
		free(copy);
	}
}
END_TEST

START_TEST(every_truncation)
{
	size_t n_frames = 0;

	for (size_t i = 0; i < all.n; i++) {
		const struct vector *v = &all.all[i];

		if (!is_good(v))
			continue;
		n_frames++;
		for (size_t n = 0; n < v->n_bytes; n++) {
			uint8_t *copy = exact(v->bytes, n);
			struct wire_frame f = {0};
			uint32_t detail = 0;

			ck_assert_msg(decode(v, copy, n, &f, &detail) == WIRE_E_FRAME_TRUNCATED,
				"%s cut to %zu bytes", v->name, n);
			free(copy);
		}
	}
	ck_assert_uint_gt(n_frames, 50);
}
END_TEST

/* A frame that was accepted is one that our own encoder makes. */
static void must_be_frame(const struct vector *v, uint8_t *bytes, const struct wire_frame *f)
{
	uint8_t *out = malloc(v->n_bytes);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(f->header.length, v->n_bytes);
	ck_assert_uint_eq(again(f, out), v->n_bytes);
	again_clear_ignored(bytes, f->header.type);
	ck_assert_msg(memcmp(out, bytes, v->n_bytes) == 0, "%s, a bit flipped", v->name);
	free(out);
}

static void flip(const struct vector *v, size_t bit)
{
	uint8_t *copy = exact(v->bytes, v->n_bytes);
	struct wire_frame f = {0};
	uint32_t detail = 0;
	enum wire_error e;
	size_t at = bit / 8;

	copy[at] ^= (uint8_t)(1u << bit % 8);
	e = decode(v, copy, v->n_bytes, &f, &detail);
	if (e == WIRE_OK)
		must_be_frame(v, copy, &f);
	/* In the header only the serial, and the type of a record of the same size, go unnoticed. */
	if (at < WIRE_HEADER_BYTES && at != 4 && at / 4 != 2)
		ck_assert_msg(e != WIRE_OK, "%s, bit %zu flipped: accepted", v->name, bit);
	if (at / 4 == 2)
		ck_assert_msg(e == WIRE_OK, "%s, bit %zu of the serial: %s", v->name, bit,
			wire_error_name(e));
	free(copy);
}

START_TEST(every_bit_of_the_header)
{
	for (size_t i = 0; i < all.n; i++)
		for (size_t bit = 0; is_good(&all.all[i]) && bit < WIRE_HEADER_BYTES * 8; bit++)
			flip(&all.all[i], bit);
}
END_TEST

START_TEST(every_bit_of_short_frames)
{
	for (size_t i = 0; i < all.n; i++)
		if (is_good(&all.all[i]) && all.all[i].n_bytes <= 128)
			for (size_t bit = WIRE_HEADER_BYTES * 8; bit < all.all[i].n_bytes * 8;
				bit++)
				flip(&all.all[i], bit);
}
END_TEST

/* Neither direction takes the other's frames. */
START_TEST(directions_are_apart)
{
	for (size_t i = 0; i < all.n; i++) {
		struct vector v = all.all[i];
		struct wire_frame f;
		uint32_t detail = 0;

		if (!is_good(&v))
			continue;
		v.from_agent = !v.from_agent;
		ck_assert_uint_eq(decode(&v, v.bytes, v.n_bytes, &f, &detail), WIRE_E_TYPE_UNKNOWN);
		ck_assert_uint_eq(detail, v.bytes[4]);
	}
}
END_TEST

UNIT_MAIN_WITH("wire/decode", setup, teardown, decoding_is_pure, every_truncation,
	every_bit_of_the_header, every_bit_of_short_frames, directions_are_apart)
