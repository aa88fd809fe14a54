/* SPDX-License-Identifier: MIT */
/* See table.h. */
#include "table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "base/cleanup.h"
#include "color.h"

struct libscols_table *ctl_table_new(const struct ctl_column *columns, size_t n, bool color)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		return NULL;
	/* Nothing is cut, and nothing is drawn to the width of a terminal: what is piped looks the same. */
	scols_table_enable_maxout(t, 0);
	scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_colors(t, color);
	for (size_t i = 0; i < n; i++) {
		struct libscols_column *c = scols_table_new_column(
			t, columns[i].title, 0, columns[i].right ? SCOLS_FL_RIGHT : 0);

		if (!c || scols_cell_set_color(scols_column_get_header(c), CTL_COLOR_HEAD) < 0) {
			scols_unref_table(t);
			return NULL;
		}
	}
	return t;
}

/* States, and the flags of top. */
static bool is_bad(const char *cell)
{
	static const char *const words[] = {"frozen", "wedged", "silent", "frozen,wedged"};

	for (size_t i = 0; i < RDY__ARRAY_SIZE(words); i++)
		if (strcmp(words[i], cell) == 0)
			return true;
	return false;
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
		if (is_bad(cell) &&
			scols_cell_set_color(scols_line_get_cell(line, i), CTL_COLOR_BAD) < 0)
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
