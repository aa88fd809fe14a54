/* SPDX-License-Identifier: MIT */
/*
 * A reactor: one thread with one poll, its sessions and registrations. All that is here is touched by its
 * own thread only (OWN-1); others post.
 */
#ifndef AGENT_REACTOR_H
#define AGENT_REACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fd.h"
#include "base/list.h"
#include "channel/channel.h"
#include "deadline.h"
#include "dispose.h"
#include "flood.h"
#include "mailbox.h"
#include "ready/poll.h"
#include "ready/timer.h"
#include "registration.h"
#include "wire/wire.h"

struct agent;
struct query_job;
struct session;

/*
 * Tokens in the poll: kind:4 | index:28 | generation:32. A registration's token is its id (kind 0).
 */
#define TOKEN_KIND_SHIFT 60
enum token_kind {
	TOKEN_REGISTRATION = 0,
	TOKEN_SESSION = 1, /* the session's socket */
	TOKEN_PIDFD = 2,   /* its client's pidfd */
	TOKEN_HELLO_TIMER = 3,
	TOKEN_CHANNEL = 4, /* the process's, only in reactor 0 */
	TOKEN_LINK = 5,
	TOKEN_LINK_TIMER = 6,
	TOKEN_IDLE_TIMER = 7,
	TOKEN_MAILBOX = 8,	  /* reactor 0: the process's; any other: its own */
	TOKEN_DEADLINE_TIMER = 9, /* a registration's index and generation */
	TOKEN_FLOOD_TIMER = 10,
	TOKEN_CONTROL = 11,	/* the process's: a control connection, index = its slot */
	TOKEN_HANDOVER = 12,	/* the process's: the link to predecessor or successor, a timer */
	TOKEN_ADOPT = 13,	/* the process's: a listening socket */
	TOKEN_GRACE_TIMER = 14, /* the process's */
};
#define TOKEN(kind, index, generation) \
	((uint64_t)(kind) << TOKEN_KIND_SHIFT | (uint64_t)(index) << 32 | (uint32_t)(generation))

#define REACTOR_EVENTS 256u  /* fetched per wait */
#define REACTOR_MESSAGES 16u /* read per session and round */
#define REACTOR_TEARDOWN 8u  /* registrations ended per round: what another event waits for */
/* From the process to a reactor. */
enum reactor_message_type {
	REACTOR_SESSION, /* u.session: take over */
	REACTOR_CONFIG,	 /* u.config: a new snapshot */
	REACTOR_MARK,	 /* u.mark: say that you are alive */
	REACTOR_PARK,	 /* u.park: stop, see park.h */
	REACTOR_END,	 /* every session is told SHUTTING_DOWN; then the process exits */
	REACTOR_STOP,	 /* leave the loop, and say nothing */
	REACTOR_QUERY,	 /* u.query: add rows; comes back as AGENT_QUERIED */
	REACTOR_KICK,	 /* u.kick: end this session, if it is here */
};

struct reactor_message {
	enum reactor_message_type type;
	union {
		struct {
			struct channel_session info;
			int take_sock, take_pidfd; /* pidfd may be -1 */
		} session;
		struct channel_config config;
		uint64_t mark, park, kick;
		struct query_job *query;
	} u;
};

/* Written by the reactor only. */
struct reactor_counters {
	uint64_t events;    /* delivered */
	uint64_t frames;    /* EVENTS frames */
	uint64_t requests;  /* messages read */
	uint64_t surprises; /* impossible but survived */
	uint64_t wakeups;   /* of the poll, with something to do */
	uint64_t paused;    /* floods that were stopped */
};

struct reactor {
	/* any thread */
	struct mailbox mailbox; /* not in reactor 0, which the main thread runs */
	_Atomic uint32_t load;	/* registrations, as of its last round */
	_Atomic bool starving;	/* sessions wait for room in the descriptor table */
	/* the main thread */
	uint32_t n_given; /* sessions that it has or is about to get */
	uint64_t mark;	  /* last one it answered */
	pthread_t thread; /* not of reactor 0 */
	/* its own */
	uint32_t index;
	bool stopped;
	uint64_t park_round; /* asked to park; 0 = no */
	bool parked;	     /* reactor 0: its sessions are left alone */
	bool frozen;	     /* sessions are neither read nor written, see freeze.h */
	struct agent *agent;
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct rdy_timer *hello_timer;
	bool native_edge; /* RDY_CAP_EDGE */
	struct channel_config config;

	struct registrations registrations;
	struct deadlines deadlines;
	struct flood flood;
	int64_t now_ns; /* CLOCK_MONOTONIC of this round's batch, where somebody needs it */
	struct session **sessions; /* by index; NULL = free */
	uint32_t *generations;	   /* of the indexes */
	uint32_t n_slots, n_sessions;

	struct rdy__list input;	  /* sessions whose socket may have something */
	struct rdy__list output;  /* sessions with replies or events to send, socket not full */
	struct rdy__list starved; /* sessions that wait for room in the descriptor table */
	struct rdy__list ending;
	struct rdy__list dead;	/* freed at the end of the round (BATCH-1) */
	struct rdy__list hello; /* sessions that owe HELLO, by deadline */
	struct graveyard graveyard;
	struct reactor_counters counters;

	int fds[RDY__FDS_MAX];
	uint8_t in[WIRE_FRAME_MAX];
	uint8_t out[WIRE_FRAME_MAX]; /* no reply is longer */
};

/* Returns 0 or -errno; deinit is legal after either and leaves clients' descriptors to the kernel. */
int reactor_init(struct reactor *r, struct agent *agent, uint32_t index,
	const struct channel_config *config);
void reactor_deinit(struct reactor *r);

/*
 * Process to reactor, from the main thread: at once to reactor 0, by mailbox to any other. Descriptors are
 * consumed: a session that cannot be served comes back as AGENT_SESSION_FAILED.
 * Returns 0, or -ENOMEM with nothing consumed.
 */
int reactor_post(struct reactor *r, const struct reactor_message *m);

/*
 * One round: wait, take in events, deliver, read requests, tear down, deliver the answers, give up
 * descriptors. timeout_ns: as rdy_poll_wait(); not waited when work is left from the last round.
 */
void reactor_round(struct reactor *r, int64_t timeout_ns);

/* Give up what is in the graveyard: to the process, for its closer. */
void reactor_give_up(struct reactor *r);

/* The next hello deadline has changed. */
void reactor_set_hello_timer(struct reactor *r);

#endif
