/* SPDX-License-Identifier: MIT */
/*
 * The inside of a client. Everything belongs to the client's thread; no function here takes a lock or logs.
 *
 *   client.c   the public calls that queue          regs.c     registrations
 *   wait.c     dispatch, next, wait, sync           send.c     queues -> frames
 *   connect.c  connecting, losing, trying again     receive.c  frames -> events
 *   poller.c   the descriptor that others poll    deadline.c deadlines of registrations
 */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <ready/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "base/guard.h"
#include "base/list.h"
#include "deadline.h"
#include "regs.h"
#include "wire/wire.h"

#define rdy__likely(x) __builtin_expect(!!(x), 1)
#define rdy__unlikely(x) __builtin_expect(!!(x), 0)

/* Requests of ours that may wait for their reply; below WIRE_UNANSWERED_MAX, so that no agent ever stops
 * reading us for it. */
#define RDY__OWED_MAX 24u

/*
 *          rdy__client_attempt()           WELCOME
 *   DOWN ─────────────────────────> HELLO ─────────> UP
 *    ^ retry_at_ns                    │               │
 *    └────────────────────────────────┴───────────────┘ rdy__client_lost(), and to DEAD if NO_RECONNECT
 */
enum rdy__conn { RDY__CONN_DOWN, RDY__CONN_HELLO, RDY__CONN_UP, RDY__CONN_DEAD };

/* A request whose reply is owed. */
struct rdy__owed {
	uint64_t *handles; /* of its records, owned; NULL where nobody asks */
	uint32_t serial;
	uint32_t count;
	uint16_t type; /* enum wire_type of the request */
};

/* Connection events that wait, in order; see rdy__client_notify(). */
struct rdy__notice {
	uint32_t type, error;
};
#define RDY__NOTICES_MAX 3u

struct rdy_client {
	struct rdy__guard guard;
	enum rdy__conn conn;
	int sock;	  /* -1: none. Blocking; MSG_DONTWAIT where wanted */
	uint32_t n_ready; /* events in ready; a registration may have two */
	uint32_t n_notices;
	uint32_t n_queued; /* sum of queue[] and deadlines */
	uint32_t n_owed;

	bool send_blocked; /* the socket is full: POLLOUT says when not */
	bool read_more;	   /* the last read stopped before the socket was empty */
	bool restoring;	   /* RESTORED is due when every registration was answered */
	bool one_by_one;   /* a batch was refused by the kernel: find the culprit */
	bool rearmed;	   /* a REARM was sent after the last PING */
	bool want_ping;	   /* rdy_client_sync() wants an answer behind the REARMs */
	bool reset_seen;   /* ECONNRESET was read once; what was queued before comes after it */
	uint32_t n_owed_registers; /* of owed[] */

	struct rdy__list ready; /* FIFO of registrations with an event */
	struct rdy__list queue[RDY__N_WANTS];
	struct rdy__list deadlines; /* of live registrations: to be sent */
	struct rdy__regs regs;
	struct rdy__owed owed[RDY__OWED_MAX];
	struct rdy__notice notices[RDY__NOTICES_MAX];

	uint32_t serial;    /* of the last frame sent */
	uint32_t batch_max; /* records in a frame of ours */
	uint32_t owed_max;
	uint32_t deadlines_max; /* records in a SET_DEADLINE of ours */
	uint64_t features;	/* of the last WELCOME, as far as they can be used */
	int64_t reply_by_ns;	/* HELLO, or n_owed > 0: an answer must come until then */
	int64_t retry_at_ns;	/* DOWN: the next attempt */
	int64_t send_at_ns; /* 0, or: the kernel has too many descriptors in flight, not before */
	int64_t backoff_ns; /* of the next attempt */
	int64_t up_since_ns;
	uint32_t random;
	uint32_t refusal; /* broker's error that the last HELLO got, 0 = none */

	/* poller.c */
	int ep, attention, timer; /* -1 until rdy_client_fd() */
	bool attention_set;
	uint32_t sock_events; /* what ep waits for on sock, 0 = not there */
	int64_t timer_at_ns;  /* RDY__NEVER: disarmed */

	/* settings */
	uint32_t flags;
	int64_t reply_within_ns;
	struct sockaddr_un addr;
	char name[WIRE_NAME_BYTES];

	uint8_t buf[WIRE_FRAME_MAX]; /* one received frame */
};

static inline size_t rdy__client_n_events(const struct rdy_client *c)
{
	return (size_t)c->n_ready + c->n_notices;
}

/* connect.c */

/* Open a socket, connect, say HELLO. Returns 0 (conn is HELLO) or -errno (-EAGAIN: the listener's backlog is
 * full) with nothing changed. */
int rdy__client_attempt(struct rdy_client *c, int64_t now_ns);
/*
 * HELLO: read the answer. Returns 0 (conn is UP), -EAGAIN none yet, or why not, with refusal set: -EPROTO,
 * -ECONNRESET, -EDQUOT, -EPERM.
 */
int rdy__client_welcome(struct rdy_client *c);
/* Close the connection, if any; registrations wait for the next one. error: the broker's, or 0. */
void rdy__client_lost(struct rdy_client *c, uint32_t error);
/* What is due by the clock or by an answer to HELLO. have_read: the socket was read empty just now. */
void rdy__client_tick(struct rdy_client *c, bool have_read);
/* The next moment at which rdy__client_tick() has something to do; RDY__NEVER. */
int64_t rdy__client_next_tick(const struct rdy_client *c);
/* Every registration of a connection that was lost has been answered? Then say so. */
void rdy__client_check_restored(struct rdy_client *c);
/* Queue a connection event; merges with those that wait. */
void rdy__client_notify(struct rdy_client *c, uint32_t type, uint32_t error);

/* send.c */

/* Queue a request of a registration; replaces a weaker one. While the id is unknown it waits in the record. */
void rdy__client_want(struct rdy_client *c, struct rdy__reg *reg, enum rdy__want want);
/* Take the request back, if one is queued. */
void rdy__client_want_nothing(struct rdy_client *c, struct rdy__reg *reg);
/* True: rdy__client_flush() would send something. */
bool rdy__client_can_send(const struct rdy_client *c);
/* Send what can be sent without waiting. Returns 0 (whatever became of the connection) or -ENOMEM. */
int rdy__client_flush(struct rdy_client *c);
/* Forget all requests that are owed an answer. */
void rdy__client_drop_owed(struct rdy_client *c);
/* An answered request leaves owed[]. */
void rdy__client_settle(struct rdy_client *c, struct rdy__owed *o);

/* client.c */

/* Dead for the user from here on; gone when the broker knows as well. It is QUEUED or ENDED with nothing
 * wanted, or wants DEREGISTER. No event of it waits. */
void rdy__client_bury(struct rdy_client *c, struct rdy__reg *reg);

/* receive.c */

/* Read and apply one frame. block: wait for it. Returns true, or false: nothing there, or not UP any more. */
bool rdy__client_receive(struct rdy_client *c, bool block);
/* errno is a first ECONNRESET: the kernel says it before it gives what was queued, so look once more. */
bool rdy__client_first_reset(struct rdy_client *c);
/* An event waits: merged into the one that waits already. type RDY_CLIENT_READY or FAILED. */
void rdy__client_post(struct rdy_client *c, struct rdy__reg *reg, uint8_t type, uint16_t bits,
	uint8_t flags, uint32_t error);
/* Withdraw it, if any. */
void rdy__client_withdraw(struct rdy_client *c, struct rdy__reg *reg);
/* Deadlines have passed: an event of its own. WIRE_TIMEOUT_* bits, merged into those that wait. */
void rdy__client_post_timeouts(struct rdy_client *c, struct rdy__reg *reg, uint8_t over);
/* Withdraw these, if they wait. */
void rdy__client_withdraw_timeouts(struct rdy_client *c, struct rdy__reg *reg, uint8_t over);
/* The registration has failed: the user will hear, its handle dies with that event. */
void rdy__client_fail(struct rdy_client *c, struct rdy__reg *reg, uint32_t error);

/* poller.c */

/* The client's own socket comes or goes. Errors: -ENOMEM, -ENOSPC. */
int rdy__client_poller_add_sock(struct rdy_client *c);
void rdy__client_poller_del_sock(struct rdy_client *c);
/* Make the descriptor tell the truth; again: an edge for a user that left something behind. */
void rdy__client_poller_update(struct rdy_client *c, bool again);
void rdy__client_poller_close(struct rdy_client *c);

#endif
