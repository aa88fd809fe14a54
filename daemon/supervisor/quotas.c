/* SPDX-License-Identifier: MIT */
#include "quotas.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "log.h"

static bool find_uid(const char *name, const char *key, uid_t *ret)
{
	const struct passwd *user = getpwnam(name);

	if (user) {
		*ret = user->pw_uid;
		return true;
	}
	log_line(LOG_P_WARNING, "key=%s user=%s missing=yes effect=\"it counts for nobody\"", key,
		name);
	return false;
}

static int by_uid(const void *a, const void *b)
{
	const struct quota_user *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int by_from(const void *a, const void *b)
{
	const struct quota_range *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Two names of one uid are one user; what stands last counts. */
static struct quota_user *user_of(struct quotas *q, uid_t uid)
{
	for (size_t i = 0; i < q->n_users; i++)
		if (q->users[i].uid == uid)
			return &q->users[i];
	q->users[q->n_users] = (struct quota_user){uid, q->all};
	return &q->users[q->n_users++];
}

static void add_user(struct quotas *q, const struct conf_user *u)
{
	struct quota_user *to;
	uid_t uid;

	if (!find_uid(u->name, "quota.users", &uid))
		return;
	to = user_of(q, uid);
	for (size_t i = 0; i < CONF_QUOTAS; i++)
		if (u->quotas[i])
			to->limits.of[i] = u->quotas[i];
}

void quotas_init(struct quotas *q, const struct conf *c)
{
	q->n_users = q->n_ranges = 0;
	q->all = (struct quota_limits){
		.of = {
			[CONF_Q_CONNECTS] = (uint32_t)c->quota_connects_per_s,
			[CONF_Q_CONTROLS] = (uint32_t)c->quota_controls,
			[CONF_Q_REGISTRATIONS] = (uint32_t)c->quota_registrations,
			[CONF_Q_SESSIONS] = (uint32_t)c->quota_sessions,
		}};
	for (uint32_t i = 0; i < c->users.n; i++)
		add_user(q, &c->users.users[i]);
	for (uint32_t i = 0; i < c->ranges.n; i++) {
		const struct conf_range *r = &c->ranges.ranges[i];
		uid_t payer;

		if (find_uid(r->charge_to, "quota.uid_ranges", &payer))
			q->ranges[q->n_ranges++] =
				(struct quota_range){r->from, r->from + (r->count - 1), payer};
	}
	qsort(q->users, q->n_users, sizeof(q->users[0]), by_uid);
	qsort(q->ranges, q->n_ranges, sizeof(q->ranges[0]), by_from);
}

static int in_range(const void *key, const void *element)
{
	const uid_t *uid = key;
	const struct quota_range *r = element;

	return *uid < r->from ? -1 : *uid > r->last;
}

uid_t quotas_payer(const struct quotas *q, uid_t uid)
{
	const struct quota_range *r =
		bsearch(&uid, q->ranges, q->n_ranges, sizeof(q->ranges[0]), in_range);

	return r ? r->payer : uid;
}

uint32_t quotas_of(const struct quotas *q, uid_t uid, enum conf_quota what)
{
	const struct quota_user key = {.uid = quotas_payer(q, uid)};
	const struct quota_user *u =
		bsearch(&key, q->users, q->n_users, sizeof(q->users[0]), by_uid);

	return u ? u->limits.of[what] : q->all.of[what];
}

uint32_t quotas_sessions(const struct quotas *q, const struct agents *agents, uid_t uid)
{
	const struct agent *own = agents_find(agents, uid);
	uid_t payer = quotas_payer(q, uid);
	uint32_t n = 0;

	if (q->n_ranges == 0)
		return own ? own->n_sessions : 0;
	rdy__list_for_each (l, &agents->all) {
		const struct agent *agent = rdy__list_entry(l, struct agent, link);

		if (quotas_payer(q, agent->uid) == payer)
			n += agent->n_sessions;
	}
	return n;
}
