/* SPDX-License-Identifier: MIT */
/*
 * The channel's decoder. Input: one byte, how many descriptors came, then the message.
 * What is accepted must be reproduced by the encoder, byte by byte; what is refused leaves no trace.
 */
#include "channel/channel.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[CHANNEL_BYTES_MAX];
	struct channel_message m, untouched;
	int r;

	if (size < 1)
		return 0;
	memset(&m, 0x5a, sizeof(m));
	untouched = m;
	r = channel_decode(data + 1, size - 1, data[0], &m);
	if (r < 0) {
		must(r == -EPROTO && memcmp(&m, &untouched, sizeof(m)) == 0);
		return 0;
	}
	must(r == 0 && m.version >= CHANNEL_VERSION_OLDEST && m.version <= CHANNEL_VERSION &&
		data[0] <= 2);
	must(m.n_data <= CHANNEL_DATA_MAX && size - 1 <= CHANNEL_BYTES_MAX);
	/* Borrowed: the end of the message. */
	must(m.n_data ? (const uint8_t *)m.data + m.n_data == data + size : m.data == NULL);
	must(channel_encode(again, &m) == size - 1 && memcmp(again, data + 1, size - 1) == 0);
	return 0;
}
