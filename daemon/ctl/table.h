/* SPDX-License-Identifier: MIT */
/* Rows of JSON objects as a table for people. One thread; memory for all rows, because columns are aligned. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>

#define CTL_CELL_BYTES 128u

struct ctl_column {
	const char *title;
	bool right;
	/* The cell's text, at most CTL_CELL_BYTES with its NUL. */
	void (*text)(const json_t *row, char *buf);
};

struct libscols_table;

/* color: the titles, and the words for what is not as it should be. NULL: out of memory. */
struct libscols_table *ctl_table_new(const struct ctl_column *columns, size_t n, bool color);
/* Returns 0 or -ENOMEM. */
int ctl_table_add(
	struct libscols_table *t, const struct ctl_column *columns, size_t n, const json_t *row);
/* Print to f and free. */
int ctl_table_print(struct libscols_table *take_table, FILE *f);

#endif
