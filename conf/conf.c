/* SPDX-License-Identifier: MIT */
/* Setting values by key, with errors that name the right form. No I/O. */
#include "conf/conf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "parse.h"
#include "schema.h"

#define RANGE_BYTES 24 /* a number of 64 bits with a unit */

size_t conf_find(const char *key, size_t n)
{
	for (size_t i = 0; i < conf_schema_n; i++)
		if (strlen(conf_schema[i].key) == n && memcmp(conf_schema[i].key, key, n) == 0)
			return i;
	return SIZE_MAX;
}

#define DISTANCE_MAX 48

size_t conf_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t row[DISTANCE_MAX + 1];

	if (n_a > DISTANCE_MAX || n_b > DISTANCE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n_b];
}

static const char *nearest(const char *key, size_t n)
{
	const char *best = NULL;
	size_t best_distance = n / 3 + 2;

	for (size_t i = 0; i < conf_schema_n; i++) {
		size_t d = conf_distance(key, n, conf_schema[i].key, strlen(conf_schema[i].key));

		if (d < best_distance) {
			best_distance = d;
			best = conf_schema[i].key;
		}
	}
	return best;
}

const char *conf_shown(const char *text, size_t n, char buf[CONF_SHOWN_MAX + 1])
{
	size_t i;

	for (i = 0; i < n && i < CONF_SHOWN_MAX; i++)
		buf[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	buf[i] = 0;
	return buf;
}

static int unknown(const char *key, size_t n, struct conf_error *e)
{
	const char *guess = nearest(key, n);
	char buf[CONF_SHOWN_MAX + 1];

	e->where[0] = 0;
	snprintf(e->what, sizeof(e->what), "unknown key '%s'", conf_shown(key, n, buf));
	snprintf(e->why, sizeof(e->why), "there is no such key in this version");
	if (guess)
		snprintf(e->fix, sizeof(e->fix),
			"did you mean '%s'? All keys: readyd --help-config", guess);
	else
		snprintf(e->fix, sizeof(e->fix), "readyd --help-config lists all keys");
	return -EINVAL;
}

static int out_of_range(const struct conf_key *k, struct conf_error *e)
{
	char min[RANGE_BYTES], max[RANGE_BYTES];

	conf_format(k, k->min, min, sizeof(min));
	conf_format(k, k->max, max, sizeof(max));
	snprintf(e->why, sizeof(e->why), "it is out of range");
	snprintf(e->fix, sizeof(e->fix), "from %s to %s; the default is %s", min, max, k->fallback);
	return -EINVAL;
}

/* As it would be written in the place that style says. */
static void show_setting(char *buf, size_t n, const char *before, const struct conf_key *k,
	const char *value, enum conf_style style)
{
	const char *dot = strrchr(k->key, '.');

	if (style == CONF_STYLE_YAML)
		snprintf(buf, n, "%s%s: %s", before, dot ? dot + 1 : k->key, value);
	else
		snprintf(buf, n, "%s%s=%s", before, k->key, value);
}

static int wrong(const struct conf_key *k, const char *value, int r, enum conf_style style,
	struct conf_error *e)
{
	char buf[CONF_SHOWN_MAX + 1], meant[RANGE_BYTES];

	e->where[0] = 0;
	snprintf(e->what, sizeof(e->what), "%s: '%s' is not allowed", k->key,
		conf_shown(value, strlen(value), buf));
	if (r == -ERANGE)
		return out_of_range(k, e);
	if (conf_with_unit(k, value, meant, sizeof(meant))) {
		snprintf(e->why, sizeof(e->why), "it has no unit: it takes %s", conf_form(k));
		show_setting(e->fix, sizeof(e->fix), "", k, meant, style);
		return -EINVAL;
	}
	snprintf(e->why, sizeof(e->why), "it takes %s%s", k->type == CONF_CHOICE ? "one of " : "",
		conf_form(k));
	show_setting(e->fix, sizeof(e->fix), "for example ", k, k->fallback, style);
	return -EINVAL;
}

bool conf_is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= CONF_NAME_BYTES || *s == '-')
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			    (*s >= '0' && *s <= '9') || *s == '_' || *s == '-' || *s == '.'))
			return false;
	return true;
}

static bool is_path(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= CONF_PATH_BYTES || s[n - 1] == '/')
		return false;
	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
		if (p[0] == '.' && p[1] == '.' && (p == s || p[-1] == '/') &&
			(p[2] == '/' || p[2] == 0))
			return false;
	}
	return true;
}

int conf_parse_said(const struct conf_key *k, const char *value, enum conf_style style,
	uint64_t *ret, struct conf_error *e)
{
	int r = conf_parse(k, value, ret);

	return r < 0 ? wrong(k, value, r, style, e) : 0;
}

int conf_set_row(
	struct conf *c, size_t i, const char *value, enum conf_style style, struct conf_error *e)
{
	const struct conf_key *k = &conf_schema[i];
	char *at = (char *)c + k->offset;
	uint64_t number;

	switch (k->type) {
	case CONF_NAME:
		if (!conf_is_name(value))
			return wrong(k, value, -EINVAL, style, e);
		memset(at, 0, CONF_NAME_BYTES);
		memcpy(at, value, strlen(value));
		return 0;
	case CONF_POLICY: /* a list is read by yaml_policy.c */
		if (strcmp(value, k->fallback) != 0)
			return wrong(k, value, -EINVAL, style, e);
		memset(at, 0, sizeof(struct conf_policy));
		return 0;
	case CONF_USERS: /* the same from yaml_quota.c; nobody is taken away */
	case CONF_RANGES:
		if (strcmp(value, k->fallback) != 0)
			return wrong(k, value, -EINVAL, style, e);
		if (k->type == CONF_RANGES)
			memset(at, 0, sizeof(struct conf_ranges));
		return 0;
	case CONF_PATH:
		if (!is_path(value))
			return wrong(k, value, -EINVAL, style, e);
		memset(at, 0, CONF_PATH_BYTES);
		memcpy(at, value, strlen(value));
		return 0;
	default:
		if (conf_parse_said(k, value, style, &number, e) < 0)
			return -EINVAL;
		memcpy(at, &number, sizeof(number));
		return 0;
	}
}

void conf_init(struct conf *c)
{
	struct conf_error e;

	*c = (struct conf){0};
	for (size_t i = 0; i < conf_schema_n; i++) {
		int r = conf_set_row(c, i, conf_schema[i].fallback, CONF_STYLE_PAIR, &e);

		/* A default that its own row refuses is a bug of the table. */
		assert(r == 0);
		(void)r;
	}
}

static int set_key(
	struct conf *c, const char *key, size_t n_key, const char *value, struct conf_error *e)
{
	size_t i = conf_find(key, n_key), n = strlen(conf_users_prefix);

	if (n_key > n && memcmp(key, conf_users_prefix, n) == 0)
		return conf_set_user_key(c, key, n_key, value, e);
	return i == SIZE_MAX ? unknown(key, n_key, e)
			     : conf_set_row(c, i, value, CONF_STYLE_PAIR, e);
}

int conf_set(struct conf *c, const char *key, const char *value, struct conf_error *ret_error)
{
	return set_key(c, key, strlen(key), value, ret_error);
}

int conf_set_pair(struct conf *c, const char *pair, struct conf_error *ret_error)
{
	const char *eq = strchr(pair, '=');

	if (!eq) {
		char buf[CONF_SHOWN_MAX + 1];

		ret_error->where[0] = 0;
		snprintf(ret_error->what, sizeof(ret_error->what), "'%s' sets nothing",
			conf_shown(pair, strlen(pair), buf));
		snprintf(ret_error->why, sizeof(ret_error->why), "there is no '=' in it");
		snprintf(ret_error->fix, sizeof(ret_error->fix), "for example limits.sessions=512");
		return -EINVAL;
	}
	return set_key(c, pair, (size_t)(eq - pair), eq + 1, ret_error);
}

/* A default that other readers of YAML take for a number or a truth. */
static bool is_yamls_own(const struct conf_key *k)
{
	return k->type == CONF_MODE || strcmp(k->fallback, "on") == 0 ||
	       strcmp(k->fallback, "off") == 0;
}

bool conf_row(size_t i, struct conf_row *ret)
{
	char min[RANGE_BYTES], max[RANGE_BYTES];
	const struct conf_key *k;

	if (i >= conf_schema_n)
		return false;
	k = &conf_schema[i];
	*ret = (struct conf_row){
		k->key, conf_form(k), k->fallback, k->text, is_yamls_own(k), k->live, ""};
	if (k->max) {
		conf_format(k, k->min, min, sizeof(min));
		conf_format(k, k->max, max, sizeof(max));
		snprintf(ret->range, sizeof(ret->range), "%s..%s", min, max);
	}
	return true;
}

static size_t n_value(const struct conf_key *k)
{
	switch (k->type) {
	case CONF_NAME:
		return CONF_NAME_BYTES;
	case CONF_PATH:
		return CONF_PATH_BYTES;
	case CONF_POLICY:
		return sizeof(struct conf_policy);
	case CONF_USERS:
		return sizeof(struct conf_users);
	case CONF_RANGES:
		return sizeof(struct conf_ranges);
	default:
		return sizeof(uint64_t);
	}
}

static const char *how_many(const struct conf_key *k, uint32_t n, const char *what, char *buf)
{
	snprintf(buf, CONF_VALUE_BYTES, "%s", k->fallback);
	if (n)
		snprintf(buf, CONF_VALUE_BYTES, "%u %s%s", n, what, n == 1 ? "" : "s");
	return buf;
}

const char *conf_value(const struct conf *c, size_t i, char *buf)
{
	const struct conf_key *k = &conf_schema[i];
	const char *at = (const char *)c + k->offset;
	uint64_t number;

	if (k->type == CONF_NAME || k->type == CONF_PATH) {
		memcpy(buf, at, n_value(k));
		return buf;
	}
	if (k->type == CONF_POLICY)
		return how_many(k, c->policy.n_rules, "rule", buf);
	if (k->type == CONF_USERS)
		return how_many(k, c->users.n, "user", buf);
	if (k->type == CONF_RANGES)
		return how_many(k, c->ranges.n, "range", buf);
	memcpy(&number, at, sizeof(number));
	conf_format(k, number, buf, CONF_VALUE_BYTES);
	return buf;
}

bool conf_same(const struct conf *a, const struct conf *b, size_t i)
{
	const struct conf_key *k = &conf_schema[i];

	return memcmp((const char *)a + k->offset, (const char *)b + k->offset, n_value(k)) == 0;
}

void conf_copy(struct conf *c, const struct conf *from, size_t i)
{
	const struct conf_key *k = &conf_schema[i];

	memcpy((char *)c + k->offset, (const char *)from + k->offset, n_value(k));
}
