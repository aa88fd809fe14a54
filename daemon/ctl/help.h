/* SPDX-License-Identifier: MIT */
/* readyctl's help texts. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include <stdio.h>

#include "errors.h"

/* The overview (NULL), or a verb's page. Returns 0, or CTL_USAGE with *p set for an unknown verb. */
int ctl_help(FILE *f, const char *verb, struct ctl_problem *p);

#endif
