/* SPDX-License-Identifier: MIT */
/* The list of a policy's rules, each a mapping of who, allow and names. No I/O. */
#include <errno.h>
#include <string.h>

#include "reader.h"

#define EXAMPLE "{who: any, allow: [connect, inspect], names: \"self:*\"}"

#define HAS_WHO 0x1u
#define HAS_ALLOW 0x2u
#define HAS_NAMES 0x4u
#define HAS_ALL 0x7u

/* What stands here is not what fits. */
static int unfit(struct reader *r, const char *key, const char *why, const char *fix)
{
	const char *word = reader_word(r);
	char buf[CONF_SHOWN_MAX + 1];

	SAY(r->e->what, "policy: '%s' is not allowed as %s",
		word ? conf_shown(word, strlen(word), buf) : "a list or a section", key);
	SAY(r->e->fix, "%s", fix);
	return reader_mistake(r, "%s", why);
}

static int verb(struct reader *r, struct conf_rule *rule)
{
	const char *word = reader_word(r);
	uint32_t bit = word ? conf_verb(word, strlen(word)) : 0;

	if (!bit)
		return unfit(r, "allow", "it is none of what can be allowed",
			"a list of: connect, inspect, admin, or all");
	rule->allow |= (uint8_t)bit;
	return 0;
}

static int allow(struct reader *r, struct conf_rule *rule)
{
	int e;

	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return unfit(
			r, "allow", "it takes a list", "allow: [connect, inspect], or [] to deny");
	for (;;) {
		e = reader_next(r);
		if (e < 0 || r->event.type == YAML_SEQUENCE_END_EVENT)
			return e;
		e = verb(r, rule);
		if (e < 0)
			return e;
	}
}

/* One key of a rule, and its value. */
static int part(struct reader *r, struct conf_rule *rule, unsigned int *has)
{
	static const char *const names[] = {"who", "allow", "names"};
	const char *word = reader_word(r);
	unsigned int i = 0;
	int e;

	while (i < 3 && (!word || strcmp(word, names[i]) != 0))
		i++;
	if (i == 3)
		return unfit(r, "a part of a rule", "a rule has who, allow and names", EXAMPLE);
	if (*has & 1u << i) {
		SAY(r->e->what, "policy: '%s' is there twice in a rule", names[i]);
		SAY(r->e->fix, "take one away");
		return reader_mistake(r, "a rule has each part once");
	}
	*has |= 1u << i;
	e = reader_next(r);
	if (e < 0)
		return e;
	if (i == 1)
		return allow(r, rule);
	word = reader_word(r);
	if (i == 0)
		return word && conf_rule_who(rule, word) == 0
			       ? 0
			       : unfit(r, "who", "it takes one of three forms",
					 "any, user:NAME or group:NAME");
	return word && conf_rule_names(rule, word) == 0
		       ? 0
		       : unfit(r, "names", "it takes an owner and a star: nothing else has a name",
				 "\"self:*\", \"*:*\" or \"USER:*\"");
}

static int rule_of(struct reader *r, struct conf_rule *rule)
{
	unsigned int has = 0;
	int e;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return unfit(r, "a rule", "a rule is a section", EXAMPLE);
	rule->line = (uint32_t)r->event.start_mark.line + 1;
	for (;;) {
		e = reader_next(r);
		if (e < 0)
			return e;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			break;
		e = part(r, rule, &has);
		if (e < 0)
			return e;
	}
	if (has == HAS_ALL)
		return 0;
	SAY(r->e->what, "policy: a rule has no '%s'",
		has & HAS_WHO ? has & HAS_ALLOW ? "names" : "allow" : "who");
	SAY(r->e->fix, EXAMPLE);
	return reader_mistake(r, "a rule says who, what and with whose things");
}

int reader_policy(struct reader *r, struct conf_policy *ret)
{
	struct conf_policy p = {0};
	int e;

	for (;;) {
		e = reader_next(r);
		if (e < 0)
			return e;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (p.n_rules == CONF_RULES_MAX) {
			SAY(r->e->what, "policy: there are too many rules");
			SAY(r->e->fix, "groups instead of users");
			return reader_mistake(r, "there can be %u", CONF_RULES_MAX);
		}
		e = rule_of(r, &p.rules[p.n_rules]);
		if (e < 0)
			return e;
		p.n_rules++;
	}
	if (p.n_rules == 0) {
		SAY(r->e->what, "policy: there is no rule in it");
		SAY(r->e->fix, "without the key the built-in rules count; or " EXAMPLE);
		return reader_mistake(r, "it would admit nobody but root");
	}
	*ret = p;
	return 0;
}
