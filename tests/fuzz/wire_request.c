/* SPDX-License-Identifier: MIT */
/*
 * The decoder of requests, which reads what any client sends. Input: one byte, how many descriptors came,
 * then the message. What is accepted is what our encoder makes of the records that were read, byte by byte;
 * what is refused has one of the codec's errors and leaves no trace.
 */
#include <stdlib.h>

#include "again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[WIRE_FRAME_MAX];
	struct wire_frame f, untouched;
	uint32_t detail = 0x5a5a5a5a;
	enum wire_error e;

	if (size < 1)
		return 0;
	memset(&f, 0x5a, sizeof(f));
	untouched = f;
	e = wire_decode_request(data + 1, size - 1, data[0], &f, &detail);
	if (e != WIRE_OK) {
		must(e <= WIRE_E_FD_COUNT_MISMATCH && detail != 0x5a5a5a5a);
		untouched.header.serial = f.header.serial;
		must(memcmp(&f, &untouched, sizeof(f)) == 0);
		must(size - 1 >= WIRE_HEADER_BYTES || f.header.serial == 0);
		return 0;
	}
	must(f.header.length == size - 1 && f.records == data + 1 + WIRE_HEADER_BYTES);
	must(f.header.n_fds == data[0] && f.header.count >= 1);
	must(data[0] == (f.header.type == WIRE_REGISTER ? f.header.count : 0));
	must(data[0] <= WIRE_BATCH_MAX);
	/* Its answer fits a frame, too. */
	must(WIRE_HEADER_BYTES + f.header.count * WIRE_RESULT_BYTES <= WIRE_FRAME_MAX);
	must(again(&f, out) == size - 1 && memcmp(out, data + 1, size - 1) == 0);
	return 0;
}
