/* SPDX-License-Identifier: MIT */
/* The command line of readyd and the configuration it names. Reads argv and, for --user, XDG_RUNTIME_DIR; prints help. */
#ifndef SUPERVISOR_OPTIONS_H
#define SUPERVISOR_OPTIONS_H

#include <stdbool.h>

#include "conf/load.h"

#define EXIT_USAGE 2
#define EXIT_CONFIG 78 /* EX_CONFIG, sysexits.h: a service manager must not start it again */

struct options {
	bool user;	   /* a private instance */
	bool check_config; /* say whether the configuration is good, then exit */
	int ready_fd;	   /* a newline goes there when we can serve; -1 = none */
	char runtime_dir[CONF_PATH_BYTES];
	struct conf_loaded loaded; /* where each value is from */
	struct conf conf;	   /* its values, as they are used */
};

/* Returns -1 to go on, or the exit status: everything that had to be said is said. */
int options_parse(struct options *o, int argc, char **argv);

#endif
