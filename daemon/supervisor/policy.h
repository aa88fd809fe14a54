/* SPDX-License-Identifier: MIT */
/*
 * Who may do what with whose things. Rules from the configuration, with their names looked up; without any what
 * is built in. The first rule that fits the peer and the owner decides; after the last one it is no. Root, and the
 * user of a private instance, may do everything, as they could take it anyway.
 * The supervisor's thread. Looking names up reads the system's user database and may wait for it.
 */
#ifndef SUPERVISOR_POLICY_H
#define SUPERVISOR_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

struct identity;

#define POLICY_RULES_MAX (CONF_RULES_MAX + 2u)
#define POLICY_EVERYBODY ((uid_t)-1) /* an owner: what is nobody's, or everybody's */

struct policy_rule {
	struct conf_rule rule;
	uid_t uid, owner; /* of user:NAME, of NAME:*; -1: there is no such user */
	gid_t gid;	  /* of group:NAME; -1: there is no such group */
};

/* Shared by who was judged by it: a reload makes another one for who comes later. */
struct policy {
	unsigned int n_users;
	bool built_in;
	uid_t master; /* of a private instance; else root */
	size_t n_rules;
	struct policy_rule rules[POLICY_RULES_MAX];
};

/* What a peer is to a policy. */
struct policy_peer {
	uid_t uid;
	uint64_t fits; /* bit i: rule i's `who` fits */
};

/* Returns 0 or -ENOMEM. A name that nobody has is logged, and its rule fits nobody. */
int policy_new(const struct conf *c, bool user, struct policy **ret);
struct policy *policy_ref(struct policy *p);
/* Returns NULL; NULL is legal. */
struct policy *policy_unref(struct policy *p);

/* Somebody who has connected; his groups are asked of the socket. */
struct policy_peer policy_peer(const struct policy *p, int sock, const struct identity *who);
/* Somebody with these groups. */
struct policy_peer policy_somebody(
	const struct policy *p, uid_t uid, const gid_t *groups, size_t n_groups);

/*
 * May he do all of verbs (CONF_CONNECT...) with what is owner's? *ret_rule, where not NULL: the rule that decided, or
 * NULL: none did.
 */
bool policy_allows(const struct policy *p, const struct policy_peer *peer, uint32_t verbs,
	uid_t owner, const struct policy_rule **ret_rule);

#endif
