/* SPDX-License-Identifier: MIT */
/*
 * Child processes: started, watched by pidfd, killed, reaped. A killed child that sits in the kernel for
 * ever stays here as `killed` and costs a slot; nobody waits for it.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

struct supervisor;
struct agent;

enum child_kind { CHILD_AGENT, CHILD_CLOSER, CHILD_BOUNCER, CHILD_KINDS };

struct child {
	struct rdy__list link; /* in children.all */
	enum child_kind kind;
	uid_t uid; /* whom it serves */
	pid_t pid;
	int pidfd;
	uint32_t index; /* in children.slots */
	bool adopted; /* started by an earlier supervisor: not our child, only its pidfd tells its end */
	bool killed;	 /* by us; not gone yet */
	bool said_stuck; /* and logged as such */
	int64_t killed_at_ns;
	struct agent
		*agent; /* whose agent or closer it is; NULL: of nobody any more, or the bouncer */
};

struct children {
	struct rdy__list all;
	struct child **slots;
	uint32_t *generations;
	uint32_t n_slots;
	int programs
		[CHILD_KINDS]; /* O_PATH: what was installed when we started, also after an upgrade */
	uint64_t ids[CHILD_KINDS]; /* of these programs: another file is another number */
};

/* Find the helper programs. Says what is missing. Returns 0 or -errno. */
int children_init(struct children *c);
/* Forget all; nobody is killed or waited for. Idempotent. */
void children_deinit(struct children *c);

/*
 * Start a helper with fds[0] as its descriptor 3, fds[1] as 4, fds[2] as 5 (borrowed). Returns 0 or -errno.
 * The pidfd is watched until the child is reaped.
 */
int child_start(struct supervisor *sv, enum child_kind kind, uid_t uid, const int *fds,
	size_t n_fds, struct child **ret);

/*
 * Watch and kill a helper that an earlier supervisor started as one of ours. The pidfd is consumed on success.
 * Returns 0 or -errno.
 */
int child_adopt(struct supervisor *sv, enum child_kind kind, uid_t uid, pid_t pid, int take_pidfd,
	struct child **ret);

/* SIGKILL. The child is nobody's from here on and is reaped when the kernel lets it go. NULL is allowed. */
void child_kill(struct supervisor *sv, struct child *child);

/* A pidfd is readable: reap, and tell the owner. Token's index and generation. */
void child_event(struct supervisor *sv, uint32_t index, uint32_t generation);

/* When a killed one that is still there has to be spoken of, or RDY__NEVER; and do it. */
int64_t children_deadline(const struct children *c);
void children_tick(struct children *c, int64_t now_ns);

/* Children of a kind (and uid, unless -1) that were killed and are not gone. */
size_t children_stuck(const struct children *c, enum child_kind kind, uid_t uid);

#endif
