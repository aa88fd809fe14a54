/* SPDX-License-Identifier: MIT */
/* Giving root up, for good. Only at the start, with one thread. */
#ifndef SUPERVISOR_DROP_H
#define SUPERVISOR_DROP_H

#include <sys/types.h>

struct drop_user {
	uid_t uid;
	gid_t gid;
};

/* Look a user up by name. Returns 0, -ENOENT (no such user), -EPERM (it is root), or -errno. */
int drop_find_user(const char *name, struct drop_user *ret);

/* Look a group up by name. Returns 0, -ENOENT, or -errno. */
int drop_find_group(const char *name, gid_t *ret);

/*
 * Become the user: no supplementary groups, no saved ids, no capability left. Checked: it returns -EPERM if
 * root could be had again. Returns 0 or -errno; after an error the process must end.
 */
int drop_become(const struct drop_user *u);

#endif
