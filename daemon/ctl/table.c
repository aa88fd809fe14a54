/* SPDX-License-Identifier: MIT */
/* See table.h. */
#include "table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <unistd.h>

struct libscols_table *ctl_table_new(const struct ctl_column *columns, size_t n)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		return NULL;
	/* Nothing is cut, and nothing is drawn to the width of a terminal: what is piped looks the same. */
	scols_table_enable_maxout(t, 0);
	scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; i < n; i++) {
		if (!scols_table_new_column(
			    t, columns[i].title, 0, columns[i].right ? SCOLS_FL_RIGHT : 0)) {
			scols_unref_table(t);
			return NULL;
		}
	}
	return t;
}

int ctl_table_add(
	struct libscols_table *t, const struct ctl_column *columns, size_t n, const json_t *row)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);
	char cell[CTL_CELL_BYTES];

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		columns[i].text(row, cell);
		if (scols_line_set_data(line, i, cell) < 0)
			return -ENOMEM;
	}
	return 0;
}

int ctl_table_print(struct libscols_table *take_table, FILE *f)
{
	int r;

	scols_table_set_stream(take_table, f);
	r = scols_print_table(take_table);
	scols_unref_table(take_table);
	return r;
}
