/* SPDX-License-Identifier: MIT */
#include "nofile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "supervisor.h"

/* Of the supervisor itself, besides sessions and agents: what waits for the bouncer, and a few. */
#define OWN_FDS 384u

void nofile_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

int nofile_check(const struct conf *c, struct conf_error *e)
{
	rlim_t agent = c->quota_registrations + 2 * c->quota_sessions + supervisor_fd_reserve(c);
	rlim_t own = c->limit_sessions + c->limit_controls + CONTROL_RESERVED +
		     4 * (c->limit_uids + CONTROL_RESERVED) + OWN_FDS;
	rlim_t need = agent > own ? agent : own;
	const char *key = agent > own ? "quota.default.registrations" : "limits.sessions";
	struct rlimit have = {0};

	getrlimit(RLIMIT_NOFILE, &have);
	if (need <= have.rlim_cur)
		return 0;
	e->where[0] = 0;
	snprintf(e->what, sizeof(e->what), "%s is %llu but %s may open only %llu descriptors", key,
		(unsigned long long)(agent > own ? c->quota_registrations : c->limit_sessions),
		agent > own ? "an agent" : "readyd", (unsigned long long)have.rlim_cur);
	snprintf(e->why, sizeof(e->why), "with %s it takes up to %llu",
		agent > own ? "the sessions and the reserve" : "the agents and the reserve",
		(unsigned long long)need);
	snprintf(e->fix, sizeof(e->fix),
		"LimitNOFILE=%llu in the unit (systemctl edit readyd), ulimit -Hn, or a smaller %s",
		(unsigned long long)need, key);
	return -EINVAL;
}
