/* SPDX-License-Identifier: MIT */
/*
 * What each uid may have: what everybody has, what the configuration gives a user, and whose quotas the uids of a range
 * use. Names are looked up when a configuration is loaded, which reads the system's user database and may wait for it.
 * The supervisor's thread. No memory of its own, so that a reload cannot fail half way.
 */
#ifndef SUPERVISOR_QUOTAS_H
#define SUPERVISOR_QUOTAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

struct agents;

struct quota_limits {
	uint32_t of[CONF_QUOTAS]; /* by enum conf_quota; never 0 */
};

struct quota_user {
	uid_t uid;
	struct quota_limits limits;
};

struct quota_range {
	uid_t from, last, payer;
};

struct quotas {
	struct quota_limits all;
	size_t n_users, n_ranges;
	struct quota_user users[CONF_USERS_MAX];    /* by uid */
	struct quota_range ranges[CONF_RANGES_MAX]; /* by uid; they do not overlap */
};

/* A name that nobody has is logged, and changes nothing. */
void quotas_init(struct quotas *q, const struct conf *c);

/* Whose quotas uid uses: its own, or those of the user whom its range is charged to. */
uid_t quotas_payer(const struct quotas *q, uid_t uid);

/* What uid may have, with all who use the same quota. */
uint32_t quotas_of(const struct quotas *q, uid_t uid, enum conf_quota what);

/* Sessions of all who use uid's quotas. */
uint32_t quotas_sessions(const struct quotas *q, const struct agents *agents, uid_t uid);

#endif
