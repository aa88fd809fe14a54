/* SPDX-License-Identifier: MIT */
/*
 * What happens, to whoever has called Monitor and may know of it: kept with his connection until it can be sent, and
 * counted as lost when that is too much, so that nobody waits for a slow reader. The supervisor's thread.
 */
#ifndef SUPERVISOR_MONITOR_H
#define SUPERVISOR_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct control;
struct supervisor;

#define MONITOR_PENDING_MAX 100u /* events that may wait; so many fit a message */

/* What happened last, for who asks later: as many as fit a message. */
struct monitor_history {
	struct {
		json_t *event; /* owned; NULL: none yet */
		uid_t uid;
		int64_t at_ns;
	} of[MONITOR_PENDING_MAX];
	size_t next; /* where the oldest one is, or none */
};

/* What it is about. */
struct monitor_event {
	const char *word;   /* of the interface's Event */
	uid_t uid;	    /* whose it is; POLICY_EVERYBODY: the daemon's, for those who see all */
	pid_t pid;	    /* 0: of none */
	uint64_t session;   /* 0: of none */
	const char *detail; /* NULL: there is none */
};

void monitor_say(struct supervisor *sv, const struct monitor_event *e);

/* Idempotent. */
void monitor_forget(struct monitor_history *h);

/* The call, begun; and gone on with: what waits is sent. Returns false when nothing waits. */
void monitor_begin(struct supervisor *sv, struct control *c);
bool monitor_step(struct control *c);

#endif
