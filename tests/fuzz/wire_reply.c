/* SPDX-License-Identifier: MIT */
/*
 * The decoder of replies, which reads what a daemon sends. Input: one byte, how many descriptors came, then
 * the message. As wire_request.c, but for the bytes that a client ignores.
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
	static uint8_t out[WIRE_FRAME_MAX], in[WIRE_FRAME_MAX];
	struct wire_frame f, untouched;
	uint32_t detail = 0x5a5a5a5a;
	enum wire_error e;

	if (size < 1)
		return 0;
	memset(&f, 0x5a, sizeof(f));
	untouched = f;
	e = wire_decode_reply(data + 1, size - 1, data[0], &f, &detail);
	if (e != WIRE_OK) {
		must(e <= WIRE_E_FD_COUNT_MISMATCH && detail != 0x5a5a5a5a);
		/* Those are a request's. */
		must(e != WIRE_E_BAD_MAGIC && e != WIRE_E_VERSION_UNSUPPORTED);
		untouched.header.serial = f.header.serial;
		must(memcmp(&f, &untouched, sizeof(f)) == 0);
		return 0;
	}
	must(f.header.length == size - 1 && f.records == data + 1 + WIRE_HEADER_BYTES);
	must(data[0] == 0 && f.header.n_fds == 0 && f.header.count >= 1);
	memcpy(in, data + 1, size - 1);
	again_clear_ignored(in, f.header.type);
	must(again(&f, out) == size - 1 && memcmp(out, in, size - 1) == 0);
	return 0;
}
