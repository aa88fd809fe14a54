/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "parse.h"

#define NAME_BYTES 16u /* of a title, with its NUL */

static int unknown(struct ctl_problem *p, const char *name, size_t n_name,
	const struct ctl_column *all, size_t n_all)
{
	char words[CTL_COLUMNS_MAX][NAME_BYTES], word[61];
	char list[CTL_COLUMNS_MAX * NAME_BYTES] = "";
	const char *names[CTL_COLUMNS_MAX], *near;

	snprintf(word, sizeof(word), "%.*s", n_name > 60 ? 60 : (int)n_name, name);
	for (size_t i = 0; i < n_all; i++) {
		size_t used = strlen(list);

		snprintf(words[i], NAME_BYTES, "%s", all[i].title);
		for (char *c = words[i]; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		names[i] = words[i];
		snprintf(list + used, sizeof(list) - used, "%s%.15s", i ? "," : "", words[i]);
	}
	near = ctl_suggest(word, names, n_all);
	ctl_problem_set(p, CTL_USAGE, "USAGE", "there is no column '%s' in this list", word);
	if (near)
		ctl_problem_why(p, "did you mean '%s'?", near);
	else
		ctl_problem_why(p, "each list has columns of its own");
	ctl_problem_hint(p, "-o %s", list);
	return p->exit;
}

static int twice(struct ctl_problem *p, const char *title)
{
	ctl_problem_set(p, CTL_USAGE, "USAGE", "the column %s is given twice", title);
	ctl_problem_why(p, "one of them says all there is");
	ctl_problem_hint(p, "name each column once");
	return p->exit;
}

int ctl_columns_choose(const struct ctl_column *all, size_t n_all, const char *names,
	struct ctl_column *chosen, size_t *ret_n, struct ctl_problem *p)
{
	size_t n = 0;

	assert(n_all <= CTL_COLUMNS_MAX);
	if (!names) {
		memcpy(chosen, all, n_all * sizeof(*all));
		*ret_n = n_all;
		return 0;
	}
	for (const char *rest = names;; rest++) {
		size_t n_name = strcspn(rest, ","), i = 0;

		while (i < n_all && (strlen(all[i].title) != n_name ||
					    strncasecmp(all[i].title, rest, n_name) != 0))
			i++;
		if (i == n_all)
			return unknown(p, rest, n_name, all, n_all);
		for (size_t k = 0; k < n; k++)
			if (chosen[k].title == all[i].title)
				return twice(p, all[i].title);
		chosen[n++] = all[i];
		rest += n_name;
		if (!*rest)
			break;
	}
	*ret_n = n;
	return 0;
}
