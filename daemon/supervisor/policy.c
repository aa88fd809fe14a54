/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drop.h"
#include "identity.h"
#include "log.h"

static void missing(const char *kind, const char *name, uint32_t line)
{
	log_line(LOG_P_WARNING, "policy-line=%u %s=%s missing=yes effect=\"the rule fits nobody\"",
		line, kind, name);
}

static uid_t find_user(const char *name, uint32_t line)
{
	const struct passwd *user = getpwnam(name);

	if (user)
		return user->pw_uid;
	missing("user", name, line);
	return (uid_t)-1;
}

static gid_t find_group(const char *name, uint32_t line)
{
	gid_t gid;

	if (drop_find_group(name, &gid) == 0)
		return gid;
	missing("group", name, line);
	return (gid_t)-1;
}

static void look_up(struct policy_rule *r, const struct conf_rule *rule)
{
	*r = (struct policy_rule){
		.rule = *rule, .uid = (uid_t)-1, .owner = (uid_t)-1, .gid = (gid_t)-1};
	if (rule->who == CONF_WHO_USER)
		r->uid = find_user(rule->who_name, rule->line);
	else if (rule->who == CONF_WHO_GROUP)
		r->gid = find_group(rule->who_name, rule->line);
	if (rule->owner == CONF_OWNER_USER)
		r->owner = find_user(rule->owner_name, rule->line);
}

/* Everybody with what is their own; the group of administrators, where there is one, everything. */
static void build_in(struct policy *p, const struct conf *c, bool user)
{
	struct policy_rule *r = &p->rules[p->n_rules];

	*r = (struct policy_rule){
		.rule = {.who = CONF_WHO_GROUP, .owner = CONF_OWNER_ALL, .allow = CONF_VERBS},
		.uid = (uid_t)-1,
		.owner = (uid_t)-1,
		.gid = (gid_t)-1};
	strcpy(r->rule.who_name, c->admin_group);
	/* Nobody else reaches the sockets of a private instance. */
	if (!user && drop_find_group(c->admin_group, &r->gid) < 0) {
		r->gid = (gid_t)-1;
		log_line(LOG_P_INFO, "group=%s missing=yes effect=\"only root administers\"",
			c->admin_group);
	}
	r[1] = (struct policy_rule){.rule = {.who = CONF_WHO_ANY,
					    .owner = CONF_OWNER_SELF,
					    .allow = CONF_CONNECT | CONF_INSPECT},
		.uid = (uid_t)-1,
		.owner = (uid_t)-1,
		.gid = (gid_t)-1};
	p->n_rules += 2;
}

int policy_new(const struct conf *c, bool user, struct policy **ret)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->n_users = 1;
	p->master = user ? geteuid() : 0;
	p->built_in = c->policy.n_rules == 0;
	if (p->built_in)
		build_in(p, c, user);
	for (uint32_t i = 0; i < c->policy.n_rules; i++)
		look_up(&p->rules[p->n_rules++], &c->policy.rules[i]);
	*ret = p;
	return 0;
}

struct policy *policy_ref(struct policy *p)
{
	p->n_users++;
	return p;
}

struct policy *policy_unref(struct policy *p)
{
	if (p && --p->n_users == 0)
		free(p);
	return NULL;
}

static bool has_group(const gid_t *groups, size_t n, gid_t group)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* who: asked for groups, or NULL: groups has them. */
static struct policy_peer judge(const struct policy *p, uid_t uid, int sock,
	const struct identity *who, const gid_t *groups, size_t n_groups)
{
	struct policy_peer peer = {.uid = uid};

	for (size_t i = 0; i < p->n_rules && uid != 0 && uid != p->master; i++) {
		const struct policy_rule *r = &p->rules[i];
		bool fits = true;

		if (r->rule.who == CONF_WHO_USER)
			fits = r->uid == uid && uid != (uid_t)-1;
		else if (r->rule.who == CONF_WHO_GROUP)
			fits = r->gid != (gid_t)-1 && (who ? identity_in_group(sock, who, r->gid)
							   : has_group(groups, n_groups, r->gid));
		peer.fits |= (uint64_t)fits << i;
	}
	return peer;
}

struct policy_peer policy_peer(const struct policy *p, int sock, const struct identity *who)
{
	return judge(p, who->uid, sock, who, NULL, 0);
}

struct policy_peer policy_somebody(
	const struct policy *p, uid_t uid, const gid_t *groups, size_t n_groups)
{
	return judge(p, uid, -1, NULL, groups, n_groups);
}

bool policy_allows(const struct policy *p, const struct policy_peer *peer, uint32_t verbs,
	uid_t owner, const struct policy_rule **ret_rule)
{
	if (ret_rule)
		*ret_rule = NULL;
	if (peer->uid == 0 || peer->uid == p->master)
		return true;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!(peer->fits & UINT64_C(1) << i))
			continue;
		if ((r->rule.owner == CONF_OWNER_SELF && owner != peer->uid) ||
			(r->rule.owner == CONF_OWNER_USER &&
				(owner != r->owner || owner == POLICY_EVERYBODY)))
			continue;
		if (ret_rule)
			*ret_rule = r;
		return (r->rule.allow & verbs) == verbs;
	}
	return false;
}
