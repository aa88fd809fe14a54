/* SPDX-License-Identifier: MIT */
/*
 * The sockets of sessions whose agent is dead. A client may have queued into them what nobody can close, so they
 * go to a process of their user that is killed at once: its end closes them, however long that takes, and what
 * it takes is the user's own. The shared bouncer would be stuck for everybody. The supervisor's thread.
 */
#ifndef SUPERVISOR_REMAINS_H
#define SUPERVISOR_REMAINS_H

#include <stddef.h>
#include <sys/types.h>

#include "link/link.h"

struct supervisor;
struct child;

#define REMAINS_STUCK_MAX 8u /* processes of a user that cannot end, its closers among them */

struct remains {
	struct child *child; /* NULL: none was needed so far */
	int link;
	int fds[LINK_BATCH_MAX];
	size_t n_fds;
};

void remains_init(struct remains *r);
/* Shut down, and to be closed by somebody else. Consumed. */
void remains_take(struct supervisor *sv, struct remains *r, uid_t uid, int take_sock);
/* All of them are gone from here. Ends what remains_init() began. */
void remains_leave(struct supervisor *sv, struct remains *r, uid_t uid);

#endif
