/* SPDX-License-Identifier: MIT */
/*
 * The process: what all reactors of an agent share. The main thread owns the channel to the supervisor and
 * the disposal link and runs reactor 0; another reactor reaches what is here only by agent_post(), by the
 * atomic counters, the sockets' lock, and by what is never written after the start. agent_post() and
 * reactor_post() are the only two ways across.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "adopt.h"
#include "channel/channel.h"
#include "link/link.h"
#include "mailbox.h"
#include "park.h"
#include "pump.h"
#include "query.h"
#include "quota.h"
#include "reactor.h"
#include "roster.h"
#include "sockets.h"
#include "vet.h"

/* A closer that owes an answer for this long is stuck (architecture: "Wedged means dead"). */
#define AGENT_CLOSER_SILENT_NS (2 * RDY__NS_PER_S)
#define AGENT_LINK_RETRY_NS (20 * RDY__NS_PER_MS)

/* From a reactor to the process. */
enum agent_message_type {
	AGENT_SESSION_TAKEN,  /* u.session: the reactor has it */
	AGENT_SESSION_FAILED, /* u.failed: it could not; the descriptors come back */
	AGENT_SESSION_END,    /* u.session: nothing of it is left but its socket */
	AGENT_DISPOSE,	      /* u.dispose: consumed descriptors for the closer */
	AGENT_QUARANTINED,    /* one more descriptor that stays until the process ends */
	AGENT_MARK,	      /* u.mark: it is alive */
	AGENT_PARKED,	      /* u.mark: it has stopped, see park.h */
	AGENT_ENDED,	      /* END is done in this reactor */
	AGENT_QUERIED,	      /* u.query: its rows are in */
};

struct agent_message {
	enum agent_message_type type;
	uint32_t reactor; /* whose */
	union {
		uint64_t session, mark;
		struct query_job *query;
		struct {
			uint64_t session;
			int take_sock, take_pidfd;
		} failed;
		struct {
			const int *take_fds; /* the array is borrowed until agent_post() returns */
			size_t n;
		} dispose;
	} u;
};

/* The channel's outgoing messages that wait because the supervisor is busy: a growing ring. */
struct agent_outbox {
	struct outbox_message {
		uint64_t session;
		uint32_t type, n_bytes;
		uint8_t *bytes; /* the whole of it, encoded; NULL: type and session are */
	} * messages;
	uint32_t head, n, cap; /* cap: power of two */
};

struct agent {
	/* any thread, atomic */
	struct quota registrations;   /* the uid's */
	struct quota descriptors;     /* our table: every open one is counted here exactly once */
	_Atomic uint32_t reserve;     /* of that, what is kept free */
	_Atomic uint32_t n_receivers; /* reactors that may receive: each needs room of its own */
	_Atomic bool done;	      /* leave the loop */
	_Atomic int status;	      /* exit status, != 0: something is wrong, leave by _exit() */
	struct sockets sockets;	      /* of all sessions; has a lock */
	struct park park;	      /* where reactors stop; has a lock */
	struct mailbox mailbox;	      /* from the other reactors to the main thread */
	/* any thread, written only before the reactors start */
	uint64_t cookie_seed;
	struct vet vet;
	pthread_t main_thread;
	/* the main thread */
	struct channel_config config;
	struct reactor reactor; /* number 0 */
	struct reactor *others[CHANNEL_REACTORS_MAX - 1];
	uint32_t n_reactors;
	bool inited;		      /* there is something to deinit */
	uint32_t reactor_descriptors; /* that one more opens */
	struct rdy__list owed;	      /* struct owed: TAKEN messages that wait */
	uint64_t mark;		      /* last one asked for */
	uint32_t n_ending;	      /* reactors that have not done END */
	bool ending;
	struct hand_over *handing; /* to a successor; NULL = no */
	struct take_over *taking;  /* from a predecessor; NULL = no */
	bool handed_over;	   /* nothing is left here, END is waited for */
	bool leaving;		   /* ends when the closer has everything */
	int channel;		   /* -1: see adoption */
	struct agent_outbox outbox;
	struct pumps pumps;
	struct queries queries;
	bool channel_blocked;
	struct link_sender link;
	bool link_watched;    /* the link's socket is registered */
	bool closer_stuck;    /* said so; waits for a fresh one */
	uint32_t closer_said; /* in this way: CHANNEL_CLOSER_STUCK or _GONE */
	struct roster roster;
	struct adoption adoption;
	struct rdy_timer *link_timer;
	struct rdy_timer *idle_timer;
	uint32_t n_sessions;
	uint32_t n_quarantined;
	bool idle_said;
};

/*
 * Start: config has come, channel and link are consumed on success and failure, supervisor is who listens
 * on readyd's sockets. Counts the descriptors that are open. Nothing is sent yet.
 * Returns 0 or -errno; deinit is legal after either.
 */
int agent_init(struct agent *a, const struct channel_config *config, int take_channel,
	int take_link, pid_t supervisor);
void agent_deinit(struct agent *a);

/* Say HELLO: ready to serve, sandboxed. */
void agent_hello(struct agent *a);

/* One round: wait up to timeout_ns (negative: for ever; less when work is left over), then do what is due. */
void agent_round(struct agent *a, int64_t timeout_ns);

/*
 * Reactor to process: at once in the main thread, by mailbox from any other. Cannot fail: what can't be done
 * ends the agent (agent_fail).
 */
void agent_post(struct agent *a, const struct agent_message *m);

/* An event of reactor 0's poll that is the process's (CHANNEL, LINK, its timers, MAILBOX). Main thread. */
void agent_event(struct agent *a, uint64_t token, uint32_t ready);

/* Read some messages of the channel, which may end and be -1 then. Main thread. */
void agent_read_channel(struct agent *a);

/* May a session be read: does one more message full of descriptors fit the table? */
bool agent_room(const struct agent *a);

/* May a descriptor that has arrived be kept: is the reserve whole? */
bool agent_may_keep(const struct agent *a);

/*
 * The process cannot go on (memory, a full table): it ends, the clients come back to a fresh agent.
 * Any thread.
 */
void agent_fail(struct agent *a, const char *why);

#endif
