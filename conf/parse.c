/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", 1000000},
	{"s", UINT64_C(1000000000)},
	{"m", UINT64_C(60000000000)},
	{"h", UINT64_C(3600000000000)},
	{"d", UINT64_C(86400000000000)},
	{NULL, 0},
};
static const struct unit sizes[] = {
	{"B", 1},
	{"KiB", 1024},
	{"MiB", 1024 * 1024},
	{"GiB", 1024 * 1024 * 1024},
	{NULL, 0},
};
static const struct unit percent[] = {{"%", 1}, {NULL, 0}};
static const struct unit rate[] = {{"", 1}, {"/s", 1}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

/* Digits in base; no sign, no blank, no overflow. */
static int digits(const char **p, unsigned int base, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	while (*s >= '0' && *s < (char)('0' + base)) {
		if (__builtin_mul_overflow(v, base, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
		s++;
	}
	if (s == *p)
		return -EINVAL;
	*p = s;
	*ret = v;
	return 0;
}

static int with_unit(const char *text, const struct unit *units, uint64_t *ret)
{
	uint64_t v;
	int r = digits(&text, 10, &v);

	if (r < 0)
		return r;
	for (; units->name; units++) {
		if (strcmp(text, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units->factor, ret))
			return -ERANGE;
		return 0;
	}
	return -EINVAL;
}

static int choice(const char *text, const char *words, uint64_t *ret)
{
	size_t n = strlen(text);

	for (uint64_t i = 0; n && words; i++) {
		const char *end = strchrnul(words, '|');

		if ((size_t)(end - words) == n && memcmp(words, text, n) == 0) {
			*ret = i;
			return 0;
		}
		words = *end ? end + 1 : NULL;
	}
	return -EINVAL;
}

#define ALL "all"

/* A bit for each word. */
static uint64_t all_of(const char *words)
{
	unsigned int n = 1;

	for (; *words; words++)
		n += *words == '|';
	return (UINT64_C(1) << n) - 1;
}

/* "tcp, udp", in brackets or not: at least one word; or all of them. */
static int set(const char *text, const char *words, uint64_t *ret)
{
	char word[32];
	uint64_t bit, all = 0;
	bool open = *text == '[';
	size_t n;

	if (strcmp(text, ALL) == 0) {
		*ret = all_of(words);
		return 0;
	}
	for (text += open; *text && *text != ']'; text += n) {
		text += strspn(text, ", ");
		n = strcspn(text, ", ]");
		if (n == 0)
			continue;
		if (n >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, n);
		word[n] = 0;
		if (choice(word, words, &bit) < 0)
			return -EINVAL;
		all |= UINT64_C(1) << bit;
	}
	if (open ? strcmp(text, "]") != 0 : *text != 0)
		return -EINVAL;
	*ret = all;
	return all ? 0 : -EINVAL;
}

static int octal(const char *text, uint64_t *ret)
{
	int r;

	if (*text != '0')
		return -EINVAL;
	r = digits(&text, 8, ret);
	return r < 0 ? r : *text ? -EINVAL : 0;
}

static int number(const struct conf_key *k, const char *text, uint64_t *ret)
{
	switch (k->type) {
	case CONF_COUNT:
		return with_unit(text, plain, ret);
	case CONF_RATE:
		return with_unit(text, rate, ret);
	case CONF_DURATION:
		return with_unit(text, durations, ret);
	case CONF_SIZE:
		return with_unit(text, sizes, ret);
	case CONF_PERCENT:
		return with_unit(text, percent, ret);
	case CONF_MODE:
		return octal(text, ret);
	default:
		return -EINVAL;
	}
}

int conf_parse(const struct conf_key *k, const char *text, uint64_t *ret)
{
	uint64_t v;
	int r;

	if (k->type == CONF_CHOICE)
		return choice(text, k->words, ret);
	if (k->type == CONF_SET)
		return set(text, k->words, ret);
	/* The word for 0: auto, off. */
	if (k->words && strcmp(text, k->words) == 0) {
		*ret = 0;
		return 0;
	}
	r = number(k, text, &v);
	if (r < 0)
		return r;
	if (v < k->min || v > k->max)
		return -ERANGE;
	*ret = v;
	return 0;
}

static void format_choice(const char *words, uint64_t value, char *buf, size_t n)
{
	while (value-- && *words)
		words = strchrnul(words, '|') + 1;
	snprintf(buf, n, "%.*s", (int)strcspn(words, "|"), words);
}

static void format_set(const char *words, uint64_t value, char *buf, size_t n)
{
	size_t at;

	if (value == all_of(words)) {
		snprintf(buf, n, ALL);
		return;
	}
	at = (size_t)snprintf(buf, n, "[");
	for (unsigned int i = 0; i < 64 && value >> i && at < n; i++) {
		char word[32];

		if (!(value >> i & 1))
			continue;
		format_choice(words, i, word, sizeof(word));
		at += (size_t)snprintf(buf + at, n - at, "%s%s", at > 1 ? ", " : "", word);
	}
	if (at < n)
		snprintf(buf + at, n - at, "]");
}

void conf_format(const struct conf_key *k, uint64_t value, char *buf, size_t n)
{
	const struct unit *units = k->type == CONF_DURATION  ? durations
				   : k->type == CONF_SIZE    ? sizes
				   : k->type == CONF_PERCENT ? percent
				   : k->type == CONF_RATE    ? rate + 1
							     : plain;
	const struct unit *best = units;

	if (k->type == CONF_MODE) {
		snprintf(buf, n, "0%03llo", (unsigned long long)value);
		return;
	}
	if (k->type == CONF_CHOICE) {
		format_choice(k->words, value, buf, n);
		return;
	}
	if (k->type == CONF_SET) {
		format_set(k->words, value, buf, n);
		return;
	}
	if (k->words && value == 0) {
		snprintf(buf, n, "%s", k->words);
		return;
	}
	for (; value && units->name; units++)
		if (value % units->factor == 0)
			best = units;
	snprintf(buf, n, "%llu%s", (unsigned long long)(value / best->factor), best->name);
}

bool conf_with_unit(const struct conf_key *k, const char *text, char *buf, size_t n)
{
	const char *end = text;
	uint64_t v;

	if (k->type != CONF_DURATION && k->type != CONF_SIZE && k->type != CONF_PERCENT)
		return false;
	if (digits(&end, 10, &v) < 0 || *end)
		return false;
	snprintf(buf, n, "%llu%s", (unsigned long long)v,
		k->type == CONF_DURATION ? "s"
		: k->type == CONF_SIZE	 ? "KiB"
					 : "%");
	return true;
}

const char *conf_form(const struct conf_key *k)
{
	switch (k->type) {
	case CONF_COUNT:
		return k->words ? "a number, or auto" : "a number";
	case CONF_RATE:
		return k->words ? "a number per second, like 10 or 10/s, or off"
				: "a number per second, like 10 or 10/s";
	case CONF_DURATION:
		return k->words ? "a duration with its unit, like 5s, 250ms or 1h, or off"
				: "a duration with its unit, like 5s, 250ms or 1h";
	case CONF_SIZE:
		return "a size with its unit, like 64KiB or 1MiB";
	case CONF_PERCENT:
		return "a percentage, like 50%";
	case CONF_MODE:
		return "octal permissions, like 0660";
	case CONF_CHOICE:
		return k->words;
	case CONF_SET:
		return "all, or a list of " CONF_KIND_FORM;
	case CONF_POLICY:
		return "a list of rules, {who: any, allow: [connect, inspect], names: \"self:*\"}";
	case CONF_USERS:
		return "a section of users, {mail: {sessions: 64}}";
	case CONF_RANGES:
		return "a list of ranges, {from: 100000, count: 65536, charge_to: ann}";
	case CONF_NAME:
		return "a name of letters, digits, '_', '-' or '.'";
	default:
		return "a path without '..'";
	}
}
