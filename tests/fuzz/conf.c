/* SPDX-License-Identifier: MIT */
/*
 * Keys and values of the configuration. Input: lines of key=value, set one after the other.
 * A refusal changes nothing and has its three sentences; what is accepted is accepted again, to the same.
 */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void must_be_text(const char *s)
{
	size_t n = strnlen(s, CONF_ERROR_BYTES);

	must(n > 0 && n < CONF_ERROR_BYTES);
	/* Nothing that a terminal would obey. */
	for (size_t i = 0; i < n; i++)
		must((unsigned char)s[i] >= 0x20 && s[i] != 0x7f);
}

static void set(struct conf *c, const char *pair)
{
	struct conf before = *c, after;
	struct conf_error e;
	int r;

	memset(&e, 0, sizeof(e));
	r = conf_set_pair(c, pair, &e);
	if (r < 0) {
		must(r == -EINVAL && memcmp(&before, c, sizeof(before)) == 0);
		must_be_text(e.what);
		must_be_text(e.why);
		must_be_text(e.fix);
		return;
	}
	must(r == 0);
	after = *c;
	must(conf_set_pair(c, pair, &e) == 0 && memcmp(&after, c, sizeof(after)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf c;

	conf_init(&c);
	for (int i = 0; size && i < PAIRS_MAX; i++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;
		char *pair = malloc(n + 1);

		must(pair != NULL);
		memcpy(pair, data, n);
		pair[n] = 0;
		set(&c, pair);
		free(pair);
		size -= end ? n + 1 : n;
		data += end ? n + 1 : n;
	}
	return 0;
}
