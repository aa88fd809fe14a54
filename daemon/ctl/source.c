/* SPDX-License-Identifier: MIT */
/* The choice between readyd and this process, and what both share. */
#include "source.h"

int ctl_source_new(const struct ctl_options *o, const char *path, int64_t timeout_ns,
	struct ctl_source **ret, struct ctl_problem *p)
{
	return o->local ? ctl_local_new(o, ret, p) : ctl_broker_new(o, path, timeout_ns, ret, p);
}

struct ctl_source *ctl_source_free(struct ctl_source *s)
{
	if (s)
		s->ops->free(s);
	return NULL;
}

size_t ctl_gathered_take(struct ctl_gathered *g, size_t n, struct ctl_event *events)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		if (!g[i].is)
			continue;
		/* Ready at last: the silence before is no news any more. */
		events[found++] = (struct ctl_event){.index = i,
			.ready = g[i].ready,
			.ended = g[i].ended,
			.idle = g[i].idle && !g[i].ready && !g[i].ended};
		g[i] = (struct ctl_gathered){.is = false};
	}
	return found;
}
