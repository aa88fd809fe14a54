/* SPDX-License-Identifier: MIT */
/* Where the configuration of an instance is. Reads files and, for a private instance, XDG_CONFIG_HOME and HOME. */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "conf/load.h"

/*
 * Load into *l: file and nothing else, no file at all if it is "none", or, if it is NULL, what the system or (user) the
 * user has. Errors as conf_load_all().
 */
int config_load(struct conf_loaded *l, const char *file, bool user, struct conf_error *ret_error);

#endif
