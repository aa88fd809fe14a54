/* SPDX-License-Identifier: MIT */
#include "nofile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

/* The agent that may need the most, and the key that says so. Returns what it may take. */
static uint64_t largest(const struct conf *c, char *key, uint64_t *ret_registrations)
{
	uint64_t reserve = supervisor_fd_reserve(c),
		 most = c->quota_registrations + 2 * c->quota_sessions + reserve;

	strcpy(key, "quota.default.registrations");
	*ret_registrations = c->quota_registrations;
	for (uint32_t i = 0; i < c->users.n; i++) {
		const uint32_t *own = c->users.users[i].quotas;
		uint64_t registrations = own[CONF_Q_REGISTRATIONS] ? own[CONF_Q_REGISTRATIONS]
								   : c->quota_registrations,
			 sessions = own[CONF_Q_SESSIONS] ? own[CONF_Q_SESSIONS] : c->quota_sessions,
			 need = registrations + 2 * sessions + reserve;

		if (need <= most)
			continue;
		most = need;
		*ret_registrations = registrations;
		snprintf(key, CONF_USER_KEY_BYTES, "quota.users.%s.registrations",
			c->users.users[i].name);
	}
	return most;
}

int nofile_check(const struct conf *c, struct conf_error *e)
{
	char key[CONF_USER_KEY_BYTES];
	uint64_t value, agent = largest(c, key, &value),
			own = c->limit_sessions + c->limit_controls + CONTROL_RESERVED +
			      4 * (c->limit_uids + CONTROL_RESERVED) + OWN_FDS,
			need = agent > own ? agent : own;
	struct rlimit have = {0};

	getrlimit(RLIMIT_NOFILE, &have);
	if (need <= have.rlim_cur)
		return 0;
	if (agent <= own) {
		strcpy(key, "limits.sessions");
		value = c->limit_sessions;
	}
	e->where[0] = 0;
	snprintf(e->what, sizeof(e->what), "%s is %llu but %s may open only %llu descriptors", key,
		(unsigned long long)value, agent > own ? "an agent" : "readyd",
		(unsigned long long)have.rlim_cur);
	snprintf(e->why, sizeof(e->why), "with %s it takes up to %llu",
		agent > own ? "the sessions and the reserve" : "the agents and the reserve",
		(unsigned long long)need);
	snprintf(e->fix, sizeof(e->fix),
		"LimitNOFILE=%llu in the unit (systemctl edit readyd), ulimit -Hn, or a smaller %s",
		(unsigned long long)need, key);
	return -EINVAL;
}
