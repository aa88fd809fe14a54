/* SPDX-License-Identifier: MIT */
/* ls -o: which columns, in which order. */
#ifndef CTL_COLUMNS_H
#define CTL_COLUMNS_H

#include "errors.h"
#include "table.h"

#define CTL_COLUMNS_MAX 16u

/*
 * names: titles of columns in any case, with commas; each at most once. NULL: all. chosen has room for
 * CTL_COLUMNS_MAX. Returns 0 or an exit code.
 */
int ctl_columns_choose(const struct ctl_column *all, size_t n_all, const char *names,
	struct ctl_column *chosen, size_t *ret_n, struct ctl_problem *p);

#endif
