/* SPDX-License-Identifier: MIT */
/*
 * The standing bouncer: answers and closes session sockets that nobody else may close: refusals of uids
 * without an agent, and what a dead agent leaves behind. It serves everybody, so what could block it goes to a
 * process of the uid's own (holders.h): sockets with descriptors in them, and all of a uid with which a bouncer
 * is stuck already. Killed when stuck for 2 s and replaced; with too many stuck ones accepting pauses.
 */
#ifndef SUPERVISOR_BOUNCER_H
#define SUPERVISOR_BOUNCER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "child.h"
#include "link/link.h"
#include "wire/wire.h"

#define BOUNCER_STUCK_MAX 16u	   /* one of a uid, as a rule */
#define BOUNCER_NOBODY ((uid_t)-1) /* a socket of no uid */

struct bouncer {
	struct link_sender link;
	struct child *child;
	bool watched;
	int64_t restart_at_ns; /* after a failed start; 0 = none */
};

int bouncer_init(struct supervisor *sv);
void bouncer_deinit(struct supervisor *sv);

/* uid: whose client is on the other side. The first two: sock is in no other process. */

/* Send ERROR (fatal) on sock, then close it (consumed). */
void bouncer_refuse(
	struct supervisor *sv, uid_t uid, int take_sock, enum wire_error error, uint32_t detail);
/* Send these bytes (at most LINK_ANSWER_MAX) on sock, then close it (consumed). */
void bouncer_answer(
	struct supervisor *sv, uid_t uid, int take_sock, const void *bytes, size_t n_bytes);
/* Shut sock down and close it (consumed). */
void bouncer_close(struct supervisor *sv, uid_t uid, int take_sock);
/* Close it (consumed), because that close may be the last one; somebody else still answers on it. */
void bouncer_let_go(struct supervisor *sv, uid_t uid, int take_sock);

/*
 * We end, with sockets that could not be closed yet; our end must not close them. One more bouncer has them,
 * whatever becomes of it.
 */
void bouncer_leave(struct supervisor *sv);

void bouncer_died(struct supervisor *sv);
void bouncer_readable(struct supervisor *sv);
/* End of each round: send what waits. */
void bouncer_flush(struct supervisor *sv, int64_t now_ns);
/* When something has to be done without an event, or RDY__NEVER; and do it. */
int64_t bouncer_deadline(const struct supervisor *sv);
void bouncer_tick(struct supervisor *sv, int64_t now_ns);
/* Accepting would only add to what cannot be closed. */
bool bouncer_overwhelmed(const struct supervisor *sv);

#endif
