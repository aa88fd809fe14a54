/* SPDX-License-Identifier: MIT */
/*
 * The configuration files: which there are, what they say, and where.
 * Threads: any, each its own. Reads files, writes none. What is loaded is a whole: a file with a mistake changes nothing.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/conf.h"

#define CONF_FILES_MAX 64u	       /* that are read for one configuration */
#define CONF_FILE_BYTES_MAX (1u << 20) /* of one */
#define CONF_KEYS_MAX 64u

/* Where a value comes from. */
struct conf_origin {
	const char *file; /* one of conf_loaded.files, or CONF_FROM_DEFAULT, CONF_FROM_COMMAND */
	uint32_t line;	  /* of a file; else 0 */
};

extern const char CONF_FROM_DEFAULT[], CONF_FROM_COMMAND[];

struct conf_loaded {
	struct conf conf;
	struct conf_origin origins[CONF_KEYS_MAX]; /* in the order of conf_row() */
	struct conf_origin user_origins[CONF_USERS_MAX][CONF_QUOTAS]; /* where one is set */
	char *files[CONF_FILES_MAX]; /* that were read, in that order; owned */
	size_t n_files;
};

/* All defaults. */
void conf_loaded_init(struct conf_loaded *l);
void conf_loaded_deinit(struct conf_loaded *l);

/*
 * Read one file; what it does not say stays as it is.
 * Returns 0, or with *l unchanged and *ret_error filled: -EINVAL something in it is wrong · -ENOENT, -EACCES and others
 * of open(2) · -ENOMEM.
 */
int conf_load_file(struct conf_loaded *l, const char *path, struct conf_error *ret_error);

/* Folders that have readyd.yaml and conf.d; NULL: there is none of the kind. */
struct conf_folders {
	const char *vendor, *system, *runtime;
};

/*
 * Read readyd.yaml of vendor, then of system, then the files *.yaml of conf.d of all three in the order of their
 * names. Of drop-ins with the same name that of system goes before that of runtime, and that before that of vendor; a
 * link to /dev/null hides the others. No file at all is no mistake. What *l said before is forgotten.
 * Errors as conf_load_file().
 */
int conf_load_all(
	struct conf_loaded *l, const struct conf_folders *folders, struct conf_error *ret_error);

/* As conf_set_pair(): the command line goes before all files. */
int conf_loaded_set_pair(struct conf_loaded *l, const char *pair, struct conf_error *ret_error);

#endif
