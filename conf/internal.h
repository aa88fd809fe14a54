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

#define CONF_SHOWN_MAX 60 /* of what somebody typed, in a message */

/* What somebody typed, for a message: cut, and without what a terminal would obey. Returns buf. */
const char *conf_shown(const char *text, size_t n, char buf[CONF_SHOWN_MAX + 1]);

/*
 * Read the n bytes of a file into c. lines[row]: where it was set, else 0. Returns 0, -EINVAL with *ret_error
 * filled, or -ENOMEM.
 */
int conf_yaml(struct conf *c, const char *path, const char *bytes, size_t n,
	uint32_t lines[CONF_KEYS_MAX], struct conf_error *ret_error);

#endif
