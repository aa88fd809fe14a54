/* SPDX-License-Identifier: MIT */
/*
 * Agents, one per uid: started on demand, given sessions, watched, replaced.
 *
 *     AGENT_ADOPTING (adopt.h) --------+ of an earlier supervisor: it serves already
 *                                      v
 *     agents_get()          CHANNEL_HELLO            CHANNEL_IDLE and nothing handed over meanwhile
 *        |                       |                                   |
 *        v                       v                                   v
 *   AGENT_STARTING -------> AGENT_SERVING -----------------------> AGENT_ENDING (END was sent)
 *        |                       |                                   |
 *        +-----------------------+-----------------------------------+
 *                                |  it died, or owes an answer for too long (killed: dead at once)
 *                                v
 *                     agents_lose(): its sessions' sockets are shut and go to the bouncer
 */
#ifndef SUPERVISOR_AGENTS_H
#define SUPERVISOR_AGENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "channel/channel.h"
#include "child.h"
#include "failures.h"
#include "identity.h"
#include "wire/wire.h"

#define AGENTS_STUCK_MAX 3u   /* wedged agents of a uid */
#define AGENTS_LEAVING_MAX 8u /* those, and its agents that were told to end */

struct control;
struct upgrade;

enum agent_state {
	AGENT_ADOPTING,
	AGENT_STARTING,
	AGENT_SERVING,
	AGENT_HANDING, /* upgrade.h: to a fresh one */
	AGENT_TAKING,  /* from an older one */
	AGENT_ENDING,
};

struct agent {
	struct rdy__list link; /* in agents.all */
	uid_t uid;
	uint32_t index; /* in agents.slots */
	enum agent_state state;
	int channel;
	bool channel_full; /* WRITABLE is watched */
	struct child *process, *closer;
	uint32_t closers_stuck, closers_gone; /* replaced so far */
	int closer_end; /* our copy of the agent's end of the next closer's link, while it is to be sent */
	int64_t started_at_ns, ending_at_ns;
	int64_t retry_at_ns;	  /* the kernel would not take a message; 0 = none */
	struct rdy__list waiting; /* sessions to be handed over, in order */
	struct rdy__list handed;  /* sent, not TAKEN, in order */
	struct rdy__list serving; /* TAKEN */
	uint32_t n_handed;	  /* <= CHANNEL_CREDITS */
	uint32_t n_sessions;	  /* of all three, refusals not counted */
	uint32_t version;	  /* of the channel that it speaks; 0 = ours */
	uint64_t program;	  /* what it was started from */
	bool frozen;		  /* its sessions are neither read nor written */
	bool config_owed;	  /* CONFIG is to be sent again */
	uint32_t n_kicks;	  /* sessions with `kick` */
	struct rdy__list queries; /* control_query.c: the first is under way */
	struct upgrade *upgrade;  /* HANDING, TAKING */
	/* adopt.c */
	char file[24];	 /* its socket in <runtime>/agents; "" = none */
	char stored[40]; /* its channel's name in the service manager's store; "" = not there */
	bool snapshot;	 /* SNAPSHOT has come, and of its sessions */
	uint32_t snapshot_left; /* so many have not, */
	uint64_t snapshot_last; /* and this was the last */
};

/* A session socket on its way to an agent, or our copy of one that is there. */
struct session {
	struct rdy__list link;
	uint64_t number;
	int64_t sent_at_ns;
	int sock; /* our copy: only ever shut down, or given to the bouncer; -1: adopted, we have none */
	int pidfd; /* until it is sent; -1 */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	enum wire_error refuse; /* WIRE_OK: serve it */
	uint32_t detail;
	bool beyond; /* adopted, and more than the quota: not counted in limits.sessions */
	bool kick;   /* KICK is to be sent */
	struct control
		*control; /* it is a control connection; no session, and not counted as one */
};

struct agents {
	struct rdy__list all;
	struct agent **slots;
	uint32_t *generations;
	uint32_t n_slots, n;
	uint64_t last_session;
	bool sessions_wrapped; /* numbers may be in use: an agent has claimed the highest one */
	uint32_t n_sessions;
	struct failures failures;
};

void agents_init(struct agents *a);
/* Our ends are closed, which ends every agent; sessions go with the process. Idempotent. */
void agents_deinit(struct supervisor *sv);

/* The uid's agent, or NULL. */
struct agent *agents_find(const struct agents *a, uid_t uid);
/* A session (or control connection) by its number, and whose it is; or NULL. */
struct session *agents_find_session(
	const struct agents *a, uint64_t number, struct agent **ret_agent);
/*
 * The uid's agent, started if need be. n_reserved: so many agents more than limits.uids may be. Returns
 * WIRE_OK, or why there is none (with detail).
 */
enum wire_error agents_get(struct supervisor *sv, uid_t uid, uint32_t n_reserved,
	struct agent **ret, uint32_t *ret_detail);

/*
 * Hand a session over, or let the agent refuse it. sock and who->pidfd are consumed. Returns 0, or -ENOMEM
 * with both still the caller's.
 */
int agents_hand_over(struct supervisor *sv, struct agent *agent, int take_sock,
	const struct identity *who, enum wire_error refuse, uint32_t detail);

/* The same for a control connection, which is borrowed until session_free(). */
int agents_hand_over_control(struct supervisor *sv, struct agent *agent, int take_sock,
	const struct identity *who, struct control *control);

/* Start one, whatever there is already. Says what is wrong. Returns 0 or -errno. */
int agents_start(struct supervisor *sv, uid_t uid, struct agent **ret);

/* A fresh one in the table, without process or channel. agents_lose() is its end. Returns 0 or -errno. */
int agents_new(struct supervisor *sv, uid_t uid, struct agent **ret);
/* A session that an adopted agent has; memory from calloc(), consumed. */
void agents_keep_session(struct supervisor *sv, struct agent *agent, struct session *take_s,
	const struct channel_snapshot_session *info);

/* The agent is dead, or as good as: its sessions' sockets are shut, it is freed. */
void agents_lose(struct supervisor *sv, struct agent *agent);
/* A fresh closer; *ret_link is the agent's end of the link to it. Returns 0 or -errno. */
int agents_start_closer(struct supervisor *sv, struct agent *agent, int *ret_link);

/* The channel's event. */
void agents_event(struct supervisor *sv, uint32_t index, uint32_t generation, uint32_t ready);
/* It is about to be lost and was not told to end: counted, and said to who monitors. pid 0: nobody knows. */
void agents_note_lost(struct supervisor *sv, const struct agent *agent, pid_t pid);
/* Its process or its closer has ended. */
void agents_child_died(struct supervisor *sv, struct child *child);

/* Deadlines of everything that an agent owes. */
int64_t agents_deadline(const struct supervisor *sv);
void agents_tick(struct supervisor *sv, int64_t now_ns);

/* They outlive us: who waits for one is refused. */
void agents_leave(struct supervisor *sv);
/* END to all. */
void agents_stop(struct supervisor *sv);
/* SIGKILL to all that are left. */
void agents_kill(struct supervisor *sv);

#endif
