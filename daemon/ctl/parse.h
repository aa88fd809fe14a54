/* SPDX-License-Identifier: MIT */
/* The small grammars of readyctl's command line: durations, NAME=FD[:words], near misses. Pure. */
#ifndef CTL_PARSE_H
#define CTL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "options.h"

/* "5s", "250ms", "1.5h": ns us ms s m h d; a unit is needed. Returns false, *ret_ns untouched, if not. */
bool ctl_parse_duration(const char *s, int64_t *ret_ns);

/* NAME=FD[:in,out,pri,hup]. Returns 0 or CTL_USAGE with *p set, *ret untouched. */
int ctl_parse_name(const char *s, struct ctl_name *ret, struct ctl_problem *p);

/* Whether s[0..n) is [A-Za-z0-9._-]+ and at most CTL_NAME_MAX long. */
bool ctl_name_is_valid(const char *s, size_t n);

/* The nearest of n words by edit distance, NULL if none is near. */
const char *ctl_suggest(const char *word, const char *const words[], size_t n);

#endif
