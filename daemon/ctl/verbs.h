/* SPDX-License-Identifier: MIT */
/* The verbs that watch. path: the daemon's socket, unused with --local. Return an exit code, *p set if bad. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "errors.h"
#include "options.h"

int ctl_wait(const struct ctl_options *o, const char *path, struct ctl_problem *p);
int ctl_watch(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* demo. tmp: where a folder may be made, NULL = /tmp. */
int ctl_demo(const struct ctl_options *o, const char *path, const char *tmp, struct ctl_problem *p);

#endif
