/* SPDX-License-Identifier: MIT */
/* See notify.h; without libsystemd. */
#include "notify.h"

#include "base/clock.h"

void notify_init(struct notify *n)
{
	*n = (struct notify){.alive_at_ns = RDY__NEVER};
}

void notify_ready(struct supervisor *sv)
{
	(void)sv;
}

void notify_stopping(struct supervisor *sv)
{
	(void)sv;
}

void notify_reloading(struct supervisor *sv)
{
	(void)sv;
}

void notify_reloaded(struct supervisor *sv, const char *words)
{
	(void)sv;
	(void)words;
}

int64_t notify_deadline(const struct notify *n)
{
	return n->alive_at_ns;
}

void notify_tick(struct supervisor *sv, int64_t now_ns)
{
	(void)sv;
	(void)now_ns;
}
