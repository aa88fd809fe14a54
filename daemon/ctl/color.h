/* SPDX-License-Identifier: MIT */
/* Whether to color, and the few sequences for it (ECMA-48). No state. */
#ifndef CTL_COLOR_H
#define CTL_COLOR_H

#include <stdbool.h>

#include "options.h"

#define CTL_COLOR_BAD "\033[31m"    /* red: it does not work */
#define CTL_COLOR_LOOK "\033[1;33m" /* bold yellow: it needs a look */
#define CTL_COLOR_HEAD "\033[1m"
#define CTL_COLOR_END "\033[0m"

/*
 * For a stream. is_tty: of it. env_no_color, env_term: the values of NO_COLOR (no-color.org: not empty means none) and
 * TERM, or NULL.
 */
bool ctl_color(enum ctl_color asked, bool is_tty, const char *env_no_color, const char *env_term);

#endif
