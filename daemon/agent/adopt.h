/* SPDX-License-Identifier: MIT */
/*
 * Outliving the supervisor: when the channel ends, the agent serves on and waits for the next one. Main thread.
 *
 *            supervised <-------------------------------------------+
 *                 |  the channel ends, config.grace_ns > 0          |  ADOPT: SNAPSHOT goes out
 *                 v                                                 |
 *              orphan ------ somebody of our uid connects -----> unproven (has a channel again)
 *                 |                                                 |
 *                 |  grace is over             2 s, something else, or the end: orphan again
 *                 v
 *            every session is told SHUTTING_DOWN, the process exits
 *
 * ADOPT over a channel that has never ended (the service manager kept it) is answered in the same way.
 */
#ifndef AGENT_ADOPT_H
#define AGENT_ADOPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "channel/channel.h"
#include "ready/timer.h"

struct agent;

#define ADOPT_PROOF_NS (2 * RDY__NS_PER_S) /* from the connection to ADOPT */

struct adoption {
	int listener; /* -1: the agent ends with its supervisor */
	uid_t uid;    /* ours: who may connect, beside root */
	/* Nobody supervises us. agent.channel is -1, or of somebody who has not said ADOPT. */
	bool orphan;
	int64_t grace_until_ns, proof_until_ns;
	struct rdy_timer *timer;
	uint64_t program; /* config.program when we started */
	/* The SNAPSHOT that is being sent. */
	struct channel_snapshot head;
	struct channel_snapshot_session *sessions;
	uint32_t n_sessions, n_sent; /* n_sent counts the head, too */
	bool sending;
};

#define ADOPTION_NULL \
	(struct adoption) \
	{ \
		.listener = -1, .grace_until_ns = RDY__NEVER, .proof_until_ns = RDY__NEVER \
	}

/*
 * Before anything else is opened: is this the listening socket that we were to find? Anything else is closed.
 * Returns it, or -1.
 */
int adopt_find(int take_fd);

/*
 * After agent_init(), before the sandbox: take over the listening socket (consumed; counted as open already),
 * -1: there is none. Returns 0 or -errno.
 */
int adopt_init(struct agent *a, int take_listener);
void adopt_deinit(struct agent *a);

/* The channel has ended, or is not what it should be. Returns false if that is our end, too. */
bool adopt_channel_gone(struct agent *a);

/* ADOPT has come. */
void adopt_take(struct agent *a, const struct channel_adopt *m);

/* The listener is readable; the timer fired. */
void adopt_connection(struct agent *a);
void adopt_timer(struct agent *a);

/* Send what is left of the snapshot: nothing else goes out before it. Returns 0 done, -EAGAIN the channel is full. */
int adopt_send(struct agent *a);

/* Is what we have to say to the supervisor of use to anybody? Without one the next SNAPSHOT says it. */
bool adopt_heard(const struct agent *a);

#endif
