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
	const char *file;  /* --config; NULL: the usual ones */
	const char **sets; /* what -o was given, in its order; owned, the texts are argv's */
	size_t n_sets;
	struct conf_loaded loaded; /* what files and command line say, and where */
	struct conf conf; /* what is in force: the same, but for keys that wait for a restart */
};

/* Returns -1 to go on, or the exit status: everything that had to be said is said. */
int options_parse(struct options *o, int argc, char **argv);
void options_deinit(struct options *o);

/* Read the files again, and what -o says; *ret needs conf_loaded_deinit() also then. Errors as conf_load_all(). */
int options_load(const struct options *o, struct conf_loaded *ret, struct conf_error *ret_error);

#endif
