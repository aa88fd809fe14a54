/* SPDX-License-Identifier: MIT */
/*
 * Control connections: bytes between a client's stream socket and the supervisor, by value. Nothing in them is
 * looked at here. Main thread.
 *
 *        pump_take(): TAKEN
 *             |
 *             v      DATA, LAST up                        DATA, LAST down
 *           OPEN   <------------------ its socket ------------------> the supervisor
 *             |    the supervisor's LAST is written, the peer is gone, descriptors came, a kick
 *             v
 *          ENDING    shut; drained in slices
 *             |
 *             v
 *           gone     its socket is the closer's, SESSION_END is said
 *
 * A peer that is gone is found by reading (what it said still goes up, then LAST, as for one that shut its
 * side), or by writing: then it ends at once, whatever is under way for it.
 * Memory: what waits for the socket is within the supervisor's window; what waits for the channel is one piece,
 * because nothing is read while the channel is full.
 */
#ifndef AGENT_PUMP_H
#define AGENT_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "channel/channel.h"

struct agent;

#define PUMP_READ_BYTES 4096u
#define PUMP_READS 4u	/* pieces per connection and round */
#define PUMP_DRAINS 16u /* the same at its end */

struct pump {
	struct rdy__list link; /* in pumps.all */
	struct rdy__list work; /* in pumps.work or .waiting */
	uint64_t number;       /* the supervisor's */
	uint32_t index;	       /* in pumps.slots */
	int sock;	       /* strangers can queue descriptors into it */
	bool ending;
	bool silent;	  /* nobody is there to be told of its end */
	bool readable;	  /* the socket may have something */
	bool blocked;	  /* the socket is full */
	bool eof, said;	  /* the peer shut its side; LAST is said */
	bool down_last;	  /* the supervisor's LAST has come */
	uint8_t watched;  /* interest in the poll; 0 = silent */
	uint32_t n_up;	  /* bytes that went up, not given back */
	uint32_t n_owed;  /* bytes that are written, to be given back */
	uint32_t n_down;  /* bytes that came down, not given back: all that wait, and n_owed */
	uint32_t at, end; /* what waits for the socket: down[at..end) */
	uint32_t cap;
	uint8_t *down;
};

struct pumps {
	struct rdy__list all;
	struct rdy__list work;	  /* has something to do at once */
	struct rdy__list waiting; /* for the channel, or for room in the descriptor table */
	struct pump **slots;
	uint32_t *generations;
	uint32_t n, n_slots;
	bool starving; /* one of them waits for room in the descriptor table */
};

void pumps_init(struct pumps *ps);
/* Closes their sockets: the process ends. Idempotent. */
void pumps_deinit(struct pumps *ps);

/* CONTROL: both descriptors are consumed (take_pidfd may be -1). Cannot fail but by agent_fail(). */
void pump_take(struct agent *a, const struct channel_session *info, int take_sock, int take_pidfd);

/* CONTROL_DATA, CONTROL_CREDIT. A number that is none has just ended. */
void pump_data(struct agent *a, const struct channel_message *m);
void pump_credit(struct agent *a, const struct channel_control *c);

/* Is it a control connection? Then it ends. */
bool pump_kick(struct agent *a, uint64_t number);

/* The poll's event on a connection. */
void pump_event(struct agent *a, uint64_t token, uint32_t ready);

/* The end of a round; is there more to do at once? */
void pump_work(struct agent *a);
bool pump_has_work(const struct agent *a);

/* The supervisor they were for is gone: all of them end, and nobody is told. */
void pump_void(struct agent *a);

#endif
