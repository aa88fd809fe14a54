/* SPDX-License-Identifier: MIT */
/* The verbs of the control socket. path: that socket. Return an exit code, *p set if it is bad. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include <jansson.h>

#include "errors.h"
#include "options.h"

int ctl_status(const struct ctl_options *o, const char *path, struct ctl_problem *p);
int ctl_ls(const struct ctl_options *o, const char *path, struct ctl_problem *p);
int ctl_explain(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* explain --can */
int ctl_can(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* kick, freeze, thaw, log-level */
int ctl_act(const struct ctl_options *o, const char *path, struct ctl_problem *p);

int ctl_whoami(const struct ctl_options *o, const char *path, struct ctl_problem *p);
int ctl_report(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* metrics */
int ctl_metrics(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* top */
int ctl_top(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* monitor */
int ctl_monitor(const struct ctl_options *o, const char *path, struct ctl_problem *p);
/* config, reload */
int ctl_config(const struct ctl_options *o, const char *path, struct ctl_problem *p);

/* One object on standard output: a line, or indented. Returns 0 or an exit code. */
int ctl_put_json(const struct ctl_options *o, const json_t *value, struct ctl_problem *p);
/* What is there is out, or why not. CTL_CLOSED: nobody reads any more. */
int ctl_flush(struct ctl_problem *p);

/* A user by name or number. Returns 0 or an exit code. */
int ctl_find_uid(const char *text, int64_t *ret, struct ctl_problem *p);

#endif
