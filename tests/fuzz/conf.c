/* SPDX-License-Identifier: MIT */
/*
 * Configuration values. Input: lines KEY=VALUE, as they come from a command line; later from a file.
 * What is refused changes nothing and says so in three parts; what is taken stays within its row's bounds.
 */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static int is_text(const char *s, size_t n)
{
	size_t k = strnlen(s, n);

	for (size_t i = 0; i < k; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return 0;
	return k > 0 && k < n;
}

static void check(const struct conf *c)
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
	must(is_text(c->user, sizeof(c->user)) &&
		is_text(c->session_group, sizeof(c->session_group)));
	must(is_text(c->session_path, sizeof(c->session_path)));
}

static void one(struct conf *c, const char *pair)
{
	struct conf before = *c;
	struct conf_error e;
	int r;

	memset(&e, 0x5a, sizeof(e));
	r = conf_set_pair(c, pair, &e);
	must(r == 0 || r == -EINVAL);
	if (r == 0) {
		check(c);
		return;
	}
	must(memcmp(c, &before, sizeof(before)) == 0);
	must(is_text(e.what, sizeof(e.what)) && is_text(e.why, sizeof(e.why)) &&
		is_text(e.fix, sizeof(e.fix)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LINE_MAX_BYTES + 1];
	struct conf c;

	conf_init(&c);
	for (size_t i = 0; i < size;) {
		size_t n = 0;

		while (i + n < size && n < LINE_MAX_BYTES && data[i + n] != '\n')
			n++;
		memcpy(line, data + i, n);
		line[n] = 0;
		one(&c, line);
		i += n + 1;
	}
	return 0;
}
