/* SPDX-License-Identifier: MIT */
/* What the files of conf/ share. */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "conf/load.h"

/* How a fix is written: key=value, or the last word of the key, a colon and the value. */
enum conf_style { CONF_STYLE_PAIR, CONF_STYLE_YAML };

/* The index of the row with this key, or SIZE_MAX. */
size_t conf_find(const char *key, size_t n);

/* Set row i from its text. Errors as conf_set(). */
int conf_set_row(struct conf *c, size_t i, const char *value, enum conf_style style,
	struct conf_error *ret_error);

bool conf_is_name(const char *text);

/* Parts of a rule from their text: "any", "user:ann", "group:ops"; "self:*", "*:*", "ann:*". 0 or -EINVAL. */
int conf_rule_who(struct conf_rule *rule, const char *text);
int conf_rule_names(struct conf_rule *rule, const char *text);

/* Levenshtein's distance; SIZE_MAX if one is long. */
size_t conf_distance(const char *a, size_t n_a, const char *b, size_t n_b);

/* "quota.users.": what is behind it is no row. */
extern const char conf_users_prefix[];

/* The quota's word in a file; the quota of a word, or CONF_QUOTAS. */
const char *conf_quota_word(enum conf_quota q);
enum conf_quota conf_find_quota(const char *word, size_t n);

/* A user to be set, added if need be. Returns 0, or -EINVAL with what, why and fix of *e filled. */
int conf_add_user(
	struct conf *c, const char *name, size_t n, size_t *ret_user, struct conf_error *e);
/* Errors as conf_add_user(). */
int conf_set_user(struct conf *c, size_t user, const char *word, const char *value,
	enum conf_style style, struct conf_error *e);
/* A key that begins with conf_users_prefix, as on the command line. ret_user may be NULL. */
int conf_set_user_key(
	struct conf *c, const char *key, size_t n, const char *value, struct conf_error *e);
/* Which one that is, of a key that conf_set_user_key() took. */
void conf_split_user_key(const struct conf *c, const char *key, size_t n, size_t *ret_user,
	enum conf_quota *ret_quota);

/* Numbers of a range from their text, and whether it may be beside the others. As conf_add_user(). */
int conf_set_range_uid(
	struct conf_range *range, bool count, const char *text, struct conf_error *e);
int conf_check_range(
	const struct conf_ranges *others, const struct conf_range *range, struct conf_error *e);

#define CONF_SHOWN_MAX 60 /* of what somebody typed, in a message */

/* What somebody typed, for a message: cut, and without what a terminal would obey. Returns buf. */
const char *conf_shown(const char *text, size_t n, char buf[CONF_SHOWN_MAX + 1]);

/* Where in a file what was set; 0: it was not. */
struct conf_lines {
	uint32_t rows[CONF_KEYS_MAX];
	uint32_t users[CONF_USERS_MAX], user_quotas[CONF_USERS_MAX][CONF_QUOTAS];
};

/* Read the n bytes of a file into c. Returns 0, -EINVAL with *ret_error filled, or -ENOMEM. */
int conf_yaml(struct conf *c, const char *path, const char *bytes, size_t n,
	struct conf_lines *lines, struct conf_error *ret_error);

#endif
