/* SPDX-License-Identifier: MIT */
/*
 * The runtime directory: made and checked, locked against a second supervisor, and the sockets in it.
 * Names of files: `lock` (a POSIX lock, kept while we live; its text is our pid), the two sockets.
 */
#ifndef SUPERVISOR_RUNTIME_H
#define SUPERVISOR_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct runtime {
	int dir;			      /* the directory */
	int lock;			      /* the lock file */
	int listener;			      /* of sessions */
	int control;			      /* of control connections */
	bool passed_listener, passed_control; /* the service manager's: it removes them */
	char dir_path[CONF_PATH_BYTES];
	char socket_path[CONF_PATH_BYTES];  /* absolute */
	char control_path[CONF_PATH_BYTES]; /* the same */
};

#define RUNTIME_NULL \
	(struct runtime) \
	{ \
		.dir = -1, .lock = -1, .listener = -1, .control = -1 \
	}

/*
 * Open all of it. owner: who the directory is given to (as root), or -1. Says in three lines on standard
 * error what is wrong. Returns 0 or -errno; deinit is legal after either.
 */
int runtime_init(struct runtime *r, const struct options *o, uid_t owner, gid_t owner_group);

/* Remove the sockets and let go of the lock. Idempotent. */
void runtime_deinit(struct runtime *r);

#endif
