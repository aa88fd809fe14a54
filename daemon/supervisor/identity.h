/* SPDX-License-Identifier: MIT */
/*
 * Who a client is: taken from the kernel when it connects, never later and never from what it says.
 * Source: unix(7), SO_PEERCRED; SO_PEERPIDFD since Linux 6.5.
 */
#ifndef SUPERVISOR_IDENTITY_H
#define SUPERVISOR_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* for people only; 0 in a foreign pid namespace */
	int pidfd; /* readable when the process has ended; -1: it is gone already, or nobody knows */
};

/* Returns 0, or -errno with *ret untouched. pidfd is the caller's. */
int identity_of(int sock, struct identity *ret);

/*
 * What there is before SO_PEERPIDFD: a pidfd of that process if it is that uid's now, something readable if it has
 * ended, -1 if it is another's or nobody knows. A client may have gone and left its number to another process of
 * its user; then that one's end is taken for its own.
 */
int identity_open(pid_t pid, uid_t uid);

/* Was the client in the group when it connected? false for (gid_t)-1, and where the kernel does not say. */
bool identity_in_group(int sock, const struct identity *who, gid_t group);

#endif
