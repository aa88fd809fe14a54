/* SPDX-License-Identifier: MIT */
/* The words of a policy's rules. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const struct {
	const char *word;
	uint32_t bit;
} verbs[] = {{"connect", CONF_CONNECT}, {"inspect", CONF_INSPECT}, {"admin", CONF_ADMIN},
	{"all", CONF_VERBS}};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

uint32_t conf_verb(const char *word, size_t n)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strlen(verbs[i].word) == n && memcmp(verbs[i].word, word, n) == 0)
			return verbs[i].bit;
	return 0;
}

const char *conf_verb_word(uint32_t verb)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (verbs[i].bit == verb)
			return verbs[i].word;
	return NULL;
}

static int set_name(char *to, const char *text, size_t n)
{
	char name[CONF_NAME_BYTES];

	if (n >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, n);
	name[n] = 0;
	if (!conf_is_name(name))
		return -EINVAL;
	memcpy(to, name, n + 1);
	return 0;
}

int conf_rule_who(struct conf_rule *rule, const char *text)
{
	if (strcmp(text, "any") == 0) {
		rule->who = CONF_WHO_ANY;
		return 0;
	}
	if (strncmp(text, "user:", 5) == 0) {
		rule->who = CONF_WHO_USER;
		return set_name(rule->who_name, text + 5, strlen(text + 5));
	}
	if (strncmp(text, "group:", 6) == 0) {
		rule->who = CONF_WHO_GROUP;
		return set_name(rule->who_name, text + 6, strlen(text + 6));
	}
	return -EINVAL;
}

int conf_rule_names(struct conf_rule *rule, const char *text)
{
	size_t n = strlen(text);

	if (n < 3 || strcmp(text + n - 2, ":*") != 0)
		return -EINVAL;
	n -= 2;
	if (n == 1 && text[0] == '*') {
		rule->owner = CONF_OWNER_ALL;
		return 0;
	}
	if (n == 4 && memcmp(text, "self", 4) == 0) {
		rule->owner = CONF_OWNER_SELF;
		return 0;
	}
	rule->owner = CONF_OWNER_USER;
	return set_name(rule->owner_name, text, n);
}

const char *conf_rule_text(const struct conf_rule *r, char *buf)
{
	char allow[64] = "";
	size_t n = 0;

	for (uint32_t bit = 1; bit <= CONF_VERBS; bit <<= 1)
		if (r->allow & bit)
			n += (size_t)snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "",
				conf_verb_word(bit));
	snprintf(buf, CONF_RULE_BYTES, "who: %s%s, allow: [%s], names: \"%s:*\"",
		r->who == CONF_WHO_ANY	  ? "any"
		: r->who == CONF_WHO_USER ? "user:"
					  : "group:",
		r->who_name, r->allow == CONF_VERBS ? "all" : allow,
		r->owner == CONF_OWNER_ALL    ? "*"
		: r->owner == CONF_OWNER_SELF ? "self"
					      : r->owner_name);
	return buf;
}
