/* SPDX-License-Identifier: MIT */
/*
 * Keys and values of the configuration. Input: lines of key=value, set one after the other.
 * A refusal changes nothing and has its three sentences; what is accepted is accepted again, to the same.
 */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void must_be_text(const char *s, size_t room)
{
	size_t n = strnlen(s, room);

	must(n > 0 && n < room);
	/* Nothing that a terminal would obey. */
	for (size_t i = 0; i < n; i++)
		must((unsigned char)s[i] >= 0x20 && s[i] != 0x7f);
}

/* Every value is within its row's bounds, whatever came before. */
static void must_be_conf(const struct conf *c)
{
	must(c->selector <= CONF_SELECTOR_POLL && c->sandbox <= 1 &&
		c->log_level <= CONF_LOG_DEBUG);
	must(c->session_mode <= 0777 && c->limit_sessions >= 1 && c->limit_uids >= 1);
	must(c->fd_reserve == 0 || (c->fd_reserve >= 320 && c->fd_reserve <= 65536));
	must(c->hello_timeout_ns >= 10000000 && c->idle_exit_ns <= UINT64_C(86400000000000));
	must(c->send_buffer_bytes >= 16384 && c->send_buffer_bytes <= 1 << 24);
	must(c->quota_sessions >= 1 && c->quota_registrations >= 1 && c->quota_connects_per_s >= 1);
	must(c->per_session_percent >= 1 && c->per_session_percent <= 100);
	must(c->closer_batch >= 1 && c->closer_batch <= 64);
	must_be_text(c->user, sizeof(c->user));
	must_be_text(c->session_group, sizeof(c->session_group));
	must_be_text(c->session_path, sizeof(c->session_path));
}

static void set(struct conf *c, const char *pair)
{
	struct conf before = *c, after;
	struct conf_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = conf_set_pair(c, pair, &e);
	if (r < 0) {
		must(r == -EINVAL && memcmp(&before, c, sizeof(before)) == 0);
		must_be_text(e.what, sizeof(e.what));
		must_be_text(e.why, sizeof(e.why));
		must_be_text(e.fix, sizeof(e.fix));
		return;
	}
	must(r == 0);
	must_be_conf(c);
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
