/* SPDX-License-Identifier: MIT */
/* Quotas of single users, and ranges of uids that use them. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "schema.h"

#define DEFAULT_PREFIX "quota.default."
#define UID_LAST 4294967294u /* the one after it is nobody's */

const char conf_users_prefix[] = "quota.users.";

static const char *const words[] = {
	[CONF_Q_CONNECTS] = "connects_per_s",
	[CONF_Q_CONTROLS] = "control",
	[CONF_Q_REGISTRATIONS] = "registrations",
	[CONF_Q_SESSIONS] = "sessions",
};
_Static_assert(sizeof(words) / sizeof(words[0]) == CONF_QUOTAS, "a word each");

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

const char *conf_quota_word(enum conf_quota q)
{
	return words[q];
}

enum conf_quota conf_find_quota(const char *word, size_t n)
{
	enum conf_quota q = 0;

	while (q < CONF_QUOTAS && (strlen(words[q]) != n || memcmp(words[q], word, n) != 0))
		q++;
	return q;
}

static size_t row_of(enum conf_quota q)
{
	char key[CONF_USER_KEY_BYTES];

	SAY(key, DEFAULT_PREFIX "%s", words[q]);
	return conf_find(key, strlen(key));
}

size_t conf_find_user(const struct conf *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->users.n; i++)
		if (strlen(c->users.users[i].name) == n &&
			memcmp(c->users.users[i].name, name, n) == 0)
			return i;
	return SIZE_MAX;
}

int conf_add_user(
	struct conf *c, const char *name, size_t n, size_t *ret_user, struct conf_error *e)
{
	char text[CONF_NAME_BYTES] = "", buf[CONF_SHOWN_MAX + 1];
	size_t i = conf_find_user(c, name, n);

	if (i != SIZE_MAX) {
		*ret_user = i;
		return 0;
	}
	if (n < sizeof(text))
		memcpy(text, name, n);
	e->where[0] = 0;
	if (strlen(text) != n || !conf_is_name(text)) {
		SAY(e->what, "quota.users: '%s' is not allowed as a user",
			conf_shown(name, n, buf));
		SAY(e->why, "it takes a name of letters, digits, '_', '-' or '.'");
		SAY(e->fix, "for example mail: {sessions: 64}");
		return -EINVAL;
	}
	if (c->users.n == CONF_USERS_MAX) {
		SAY(e->what, "quota.users: there are too many users");
		SAY(e->why, "there can be %u", CONF_USERS_MAX);
		SAY(e->fix, "quota.default for what most of them have");
		return -EINVAL;
	}
	i = c->users.n++;
	memcpy(c->users.users[i].name, text, sizeof(text));
	*ret_user = i;
	return 0;
}

static int unknown(const char *user, const char *word, struct conf_error *e)
{
	size_t best = strlen(word) / 3 + 2, guess = CONF_QUOTAS;
	char buf[CONF_SHOWN_MAX + 1];

	for (size_t q = 0; q < CONF_QUOTAS; q++) {
		size_t d = conf_distance(word, strlen(word), words[q], strlen(words[q]));

		if (d < best) {
			best = d;
			guess = q;
		}
	}
	e->where[0] = 0;
	SAY(e->what, "unknown key '%s%s.%s'", conf_users_prefix, user,
		conf_shown(word, strlen(word), buf));
	SAY(e->why, "a user has no such quota in this version");
	if (guess < CONF_QUOTAS)
		SAY(e->fix, "did you mean '%s'?", words[guess]);
	else
		SAY(e->fix, "%s, %s, %s or %s", words[0], words[1], words[2], words[3]);
	return -EINVAL;
}

int conf_set_user(struct conf *c, size_t user, const char *word, const char *value,
	enum conf_style style, struct conf_error *e)
{
	struct conf_user *u = &c->users.users[user];
	enum conf_quota q = conf_find_quota(word, strlen(word));
	char key[CONF_USER_KEY_BYTES];
	struct conf_key k;
	uint64_t number;

	if (q == CONF_QUOTAS)
		return unknown(u->name, word, e);
	SAY(key, "%s%s.%s", conf_users_prefix, u->name, words[q]);
	k = conf_schema[row_of(q)];
	k.key = key;
	if (conf_parse_said(&k, value, style, &number, e) < 0)
		return -EINVAL;
	u->quotas[q] = (uint32_t)number;
	return 0;
}

/* The name may have dots in it, the word has none. */
static size_t n_name(const char *rest, size_t n)
{
	const char *dot = memrchr(rest, '.', n);

	return dot ? (size_t)(dot - rest) : n;
}

int conf_set_user_key(
	struct conf *c, const char *key, size_t n, const char *value, struct conf_error *e)
{
	const char *rest = key + strlen(conf_users_prefix);
	size_t n_rest = n - strlen(conf_users_prefix), n_user = n_name(rest, n_rest), user;
	char word[CONF_USER_KEY_BYTES] = "";
	struct conf_users before = c->users;
	int r;

	if (n_user < n_rest && n_rest - n_user <= sizeof(word))
		memcpy(word, rest + n_user + 1, n_rest - n_user - 1);
	r = conf_add_user(c, rest, n_user, &user, e);
	if (r == 0)
		r = conf_set_user(c, user, word, value, CONF_STYLE_PAIR, e);
	if (r < 0)
		c->users = before;
	return r;
}

void conf_split_user_key(const struct conf *c, const char *key, size_t n, size_t *ret_user,
	enum conf_quota *ret_quota)
{
	const char *rest = key + strlen(conf_users_prefix);
	size_t n_rest = n - strlen(conf_users_prefix), n_user = n_name(rest, n_rest);

	*ret_user = conf_find_user(c, rest, n_user);
	*ret_quota = conf_find_quota(rest + n_user + 1, n_rest - n_user - 1);
}

bool conf_user_text(const struct conf *c, size_t user, enum conf_quota q,
	char key[CONF_USER_KEY_BYTES], char value[CONF_VALUE_BYTES])
{
	const struct conf_user *u = &c->users.users[user];

	if (u->quotas[q] == 0)
		return false;
	snprintf(key, CONF_USER_KEY_BYTES, "%s%s.%s", conf_users_prefix, u->name, words[q]);
	snprintf(value, CONF_VALUE_BYTES, q == CONF_Q_CONNECTS ? "%u/s" : "%u", u->quotas[q]);
	return true;
}

const char *conf_quota_fallback(const struct conf *c, enum conf_quota q, char buf[CONF_VALUE_BYTES])
{
	return conf_value(c, row_of(q), buf);
}

int conf_set_range_uid(struct conf_range *range, bool count, const char *text, struct conf_error *e)
{
	struct conf_key k = {.key = count ? "quota.uid_ranges.count" : "quota.uid_ranges.from",
		.type = CONF_COUNT,
		.min = 1,
		.max = UID_LAST,
		.fallback = count ? "65536" : "100000"};
	uint64_t number;

	if (conf_parse_said(&k, text, CONF_STYLE_YAML, &number, e) < 0)
		return -EINVAL;
	*(count ? &range->count : &range->from) = (uint32_t)number;
	return 0;
}

int conf_check_range(
	const struct conf_ranges *others, const struct conf_range *range, struct conf_error *e)
{
	uint64_t end = (uint64_t)range->from + range->count;

	e->where[0] = 0;
	SAY(e->what, "quota.uid_ranges: %u and the %u after it are not allowed", range->from,
		range->count - 1);
	if (end - 1 > UID_LAST) {
		SAY(e->why, "the last uid there can be is %u", UID_LAST);
		SAY(e->fix, "a smaller count");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < others->n; i++) {
		const struct conf_range *o = &others->ranges[i];

		if (range->from >= (uint64_t)o->from + o->count || o->from >= end)
			continue;
		SAY(e->why, "some of them are in the range of line %u already", o->line);
		SAY(e->fix, "each uid in one range, as in subuid(5)");
		return -EINVAL;
	}
	return 0;
}
