/* SPDX-License-Identifier: MIT */
/* The section of users with quotas of their own, and the list of ranges of uids. No I/O. */
#include <errno.h>
#include <string.h>

#include "reader.h"

#define RANGE_EXAMPLE "{from: 100000, count: 65536, charge_to: ann}"
#define USER_EXAMPLE "mail: {sessions: 64}"

#define HAS_ALL 0x7u

static int twice(struct reader *r, const char *what, uint32_t line)
{
	SAY(r->e->what, "'%s' is there twice", what);
	SAY(r->e->fix, "take one away");
	return reader_mistake(r, "it stands in line %u already", (unsigned int)line);
}

static const char *kind(const struct reader *r)
{
	return r->event.type == YAML_MAPPING_START_EVENT    ? "a section"
	       : r->event.type == YAML_SEQUENCE_START_EVENT ? "a list"
	       : reader_is_nothing(r)			    ? "nothing"
							    : "a value";
}

static int no_word(struct reader *r, const char *what, const char *example)
{
	SAY(r->e->what, "quota.users: %s stands where %s should", kind(r), what);
	SAY(r->e->fix, "for example %s", example);
	return reader_mistake(r, "keys are words");
}

/* One quota of a user, the word of which was read. */
static int quota(struct reader *r, size_t user)
{
	const char *name = r->conf->users.users[user].name, *word = reader_word(r);
	uint32_t line = (uint32_t)r->event.start_mark.line + 1, *at;
	enum conf_quota q;
	char key[CONF_USER_KEY_BYTES];
	int e;

	if (!word)
		return no_word(r, "a quota's name", USER_EXAMPLE);
	q = conf_find_quota(word, strlen(word));
	if (q == CONF_QUOTAS) {
		(void)conf_set_user(r->conf, user, word, "", CONF_STYLE_YAML, r->e);
		return reader_place(r);
	}
	SAY(key, "quota.users.%s.%s", name, conf_quota_word(q));
	at = &r->lines->user_quotas[user][q];
	if (*at)
		return twice(r, key, *at);
	e = reader_next(r);
	if (e < 0)
		return e;
	word = reader_word(r);
	if (!word || reader_is_nothing(r)) {
		SAY(r->e->what, "'%s' has no value", key);
		SAY(r->e->fix, "for example %s", USER_EXAMPLE);
		return reader_mistake(r, "%s stands here", kind(r));
	}
	*at = line;
	e = conf_set_user(r->conf, user, conf_quota_word(q), word, CONF_STYLE_YAML, r->e);
	return e < 0 ? reader_place(r) : 0;
}

/* What a user has, after his name. */
static int quotas(struct reader *r, size_t user)
{
	int e = reader_next(r);

	if (e < 0 || reader_is_nothing(r))
		return e;
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		SAY(r->e->what, "'quota.users.%s' is a section, not a key",
			r->conf->users.users[user].name);
		SAY(r->e->fix, "for example %s", USER_EXAMPLE);
		return reader_mistake(r, "%s stands where its keys should", kind(r));
	}
	for (;;) {
		e = reader_next(r);
		if (e < 0 || r->event.type == YAML_MAPPING_END_EVENT)
			return e;
		e = quota(r, user);
		if (e < 0)
			return e;
	}
}

int reader_users(struct reader *r)
{
	for (;;) {
		const char *name;
		size_t user;
		int e = reader_next(r);

		if (e < 0 || r->event.type == YAML_MAPPING_END_EVENT)
			return e;
		name = reader_word(r);
		if (!name)
			return no_word(r, "a user's name", USER_EXAMPLE);
		if (conf_add_user(r->conf, name, strlen(name), &user, r->e) < 0)
			return reader_place(r);
		if (r->lines->users[user])
			return twice(r, name, r->lines->users[user]);
		r->lines->users[user] = (uint32_t)r->event.start_mark.line + 1;
		e = quotas(r, user);
		if (e < 0)
			return e;
	}
}

static int charge_to(struct reader *r, struct conf_range *range, const char *word)
{
	char buf[CONF_SHOWN_MAX + 1];

	if (conf_is_name(word)) {
		strcpy(range->charge_to, word);
		return 0;
	}
	SAY(r->e->what, "quota.uid_ranges: '%s' is not allowed as charge_to",
		conf_shown(word, strlen(word), buf));
	SAY(r->e->fix, "for example %s", RANGE_EXAMPLE);
	return reader_mistake(r, "it takes the name of a user");
}

static int no_range(struct reader *r, const char *what)
{
	SAY(r->e->what, "quota.uid_ranges: %s", what);
	SAY(r->e->fix, "for example %s", RANGE_EXAMPLE);
	return reader_mistake(r, "a range has from, count and charge_to");
}

/* One key of a range, and its value. */
static int part(struct reader *r, struct conf_range *range, unsigned int *has)
{
	static const char *const parts[] = {"from", "count", "charge_to"};
	const char *word = reader_word(r);
	unsigned int i = 0;
	int e;

	while (i < 3 && (!word || strcmp(word, parts[i]) != 0))
		i++;
	if (i == 3)
		return no_range(r, "there is something else in a range");
	if (*has & 1u << i)
		return twice(r, parts[i], range->line);
	*has |= 1u << i;
	e = reader_next(r);
	if (e < 0)
		return e;
	word = reader_word(r);
	if (!word)
		return no_range(r, "a value is missing");
	if (i == 2)
		return charge_to(r, range, word);
	return conf_set_range_uid(range, i == 1, word, r->e) < 0 ? reader_place(r) : 0;
}

static int range_of(struct reader *r, const struct conf_ranges *others, struct conf_range *range)
{
	unsigned int has = 0;
	int e;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return no_range(r, "a range is a section");
	range->line = (uint32_t)r->event.start_mark.line + 1;
	for (;;) {
		e = reader_next(r);
		if (e < 0)
			return e;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			break;
		e = part(r, range, &has);
		if (e < 0)
			return e;
	}
	if (has != HAS_ALL)
		return no_range(r, "a part of a range is missing");
	return conf_check_range(others, range, r->e) < 0 ? reader_place(r) : 0;
}

int reader_ranges(struct reader *r, struct conf_ranges *ret)
{
	struct conf_ranges all = {0};
	int e;

	for (;;) {
		e = reader_next(r);
		if (e < 0)
			return e;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (all.n == CONF_RANGES_MAX) {
			SAY(r->e->what, "quota.uid_ranges: there are too many ranges");
			SAY(r->e->fix, "one for each user who has containers");
			return reader_mistake(r, "there can be %u", CONF_RANGES_MAX);
		}
		e = range_of(r, &all, &all.ranges[all.n]);
		if (e < 0)
			return e;
		all.n++;
	}
	*ret = all;
	return 0;
}
