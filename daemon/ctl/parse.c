/* SPDX-License-Identifier: MIT */
/* Grammars of the command line. Pure: no input, no output, no allocation. */
#include "parse.h"

#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ready/types.h"

bool ctl_parse_duration(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"ms", RDY__NS_PER_MS},
		{"s", RDY__NS_PER_S},
		{"m", 60 * RDY__NS_PER_S},
		{"min", 60 * RDY__NS_PER_S},
		{"h", 3600 * RDY__NS_PER_S},
		{"d", 86400 * RDY__NS_PER_S},
	};
	int64_t whole = 0, part = 0, scale = 1, unit = 0;
	const char *start = s;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (whole > (INT64_MAX - 9) / 10)
			return false;
		whole = whole * 10 + (*s - '0');
	}
	if (s == start)
		return false;
	if (*s == '.') {
		start = ++s;
		for (; *s >= '0' && *s <= '9'; s++) {
			if (scale >= RDY__NS_PER_S)
				continue; /* below what any unit can tell apart */
			part = part * 10 + (*s - '0');
			scale *= 10;
		}
		if (s == start)
			return false;
	}
	for (size_t i = 0; i < RDY__ARRAY_SIZE(units); i++)
		if (strcmp(s, units[i].unit) == 0)
			unit = units[i].ns;
	if (unit == 0 || whole > INT64_MAX / unit - 1)
		return false;
	/* part < scale, so the second term is below one unit; 128 bits because unit * part is not. */
	*ret_ns = whole * unit + (int64_t)((__int128)unit * part / scale);
	return true;
}

bool ctl_name_is_valid(const char *s, size_t n)
{
	if (n == 0 || n > CTL_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= 'A' && s[i] <= 'Z') &&
			!(s[i] >= '0' && s[i] <= '9') && s[i] != '.' && s[i] != '_' && s[i] != '-')
			return false;
	return true;
}

static bool interest_of(const char *word, size_t n, uint32_t *interest)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} words[] = {
		{"in", RDY_READABLE},
		{"out", RDY_WRITABLE},
		{"pri", RDY_PRIORITY},
		{"hup", RDY_HANGUP_ONLY},
	};

	for (size_t i = 0; i < RDY__ARRAY_SIZE(words); i++) {
		if (strlen(words[i].word) == n && memcmp(words[i].word, word, n) == 0) {
			*interest |= words[i].bit;
			return true;
		}
	}
	return false;
}

int ctl_parse_name(const char *s, struct ctl_name *ret, struct ctl_problem *p)
{
	const char *equals = strchr(s, '='), *at;
	struct ctl_name r = {.interest = 0};
	int64_t fd = 0;

	if (!equals) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is not NAME=FD", s);
		ctl_problem_why(p, "a descriptor is given by a name of your choice and its number");
		ctl_problem_hint(p, "readyctl wait bell=4        or bell=4:in,out");
		return p->exit;
	}
	if (!ctl_name_is_valid(s, (size_t)(equals - s))) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.*s' is not a name",
			equals - s > 60 ? 60 : (int)(equals - s), s);
		ctl_problem_why(p, "names are made of A-Z a-z 0-9 . _ - and have 1 to %u bytes",
			CTL_NAME_MAX);
		ctl_problem_hint(p, "readyctl wait bell=4");
		return p->exit;
	}
	memcpy(r.name, s, (size_t)(equals - s));
	at = equals + 1;
	for (; *at >= '0' && *at <= '9' && fd <= INT_MAX; at++)
		fd = fd * 10 + (*at - '0');
	if (at == equals + 1 || fd > INT_MAX || (*at && *at != ':')) {
		ctl_problem_set(
			p, CTL_USAGE, "USAGE", "'%.60s' is not a descriptor's number", equals + 1);
		ctl_problem_why(p,
			"after NAME= comes the number the shell knows it by, as in exec 4<>file");
		ctl_problem_hint(p, "readyctl wait %s=4", r.name);
		return p->exit;
	}
	r.fd = (int)fd;
	if (*at == '\0')
		r.interest = RDY_READABLE;
	while (*at) {
		const char *word = at + 1;
		size_t n = strcspn(word, ",");

		if (!interest_of(word, n, &r.interest)) {
			ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.*s' is nothing to wait for",
				n > 60 ? 60 : (int)n, word);
			ctl_problem_why(p,
				"after %s=%d: come words of in, out, pri, hup, with commas between",
				r.name, r.fd);
			ctl_problem_hint(p, "readyctl wait %s=%d:in,out", r.name, r.fd);
			return p->exit;
		}
		at = word + n;
	}
	*ret = r;
	return 0;
}

/* Words are short; what is longer is near to nothing. */
#define SUGGEST_MAX 24u

/* Levenshtein's distance with transpositions counted once. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][SUGGEST_MAX + 1];
	size_t n_a = strlen(a), n_b = strlen(b);

	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i - 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned int d = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < d)
				d = above[j] + 1;
			if (row[j - 1] + 1 < d)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				rows[(i - 2) % 3][j - 2] + 1 < d)
				d = rows[(i - 2) % 3][j - 2] + 1;
			row[j] = d;
		}
	}
	return rows[n_a % 3][n_b];
}

const char *ctl_suggest(const char *word, const char *const words[], size_t n)
{
	unsigned int best = 3; /* farther is another word */
	const char *found = NULL;

	if (strlen(word) > SUGGEST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		unsigned int d = strlen(words[i]) > SUGGEST_MAX ? best : distance(word, words[i]);

		if (d < best && d < strlen(words[i])) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
