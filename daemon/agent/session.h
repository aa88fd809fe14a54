/* SPDX-License-Identifier: MIT */
/*
 * A session: one connection of a client. The reactor's thread.
 *
 *            session_new()
 *                 |
 *                 v         session_welcome()
 *            SESSION_NEW ---------------------> SESSION_OPEN
 *                 |                                  |
 *                 |  session_end(), session_fatal()  |
 *                 +----------------+-----------------+
 *                                  v
 *                           SESSION_ENDING   shut; not polled; drained and torn down in slices
 *                                  |
 *                                  |  session_end_slice(): socket drained, no registration left
 *                                  v
 *                            SESSION_DEAD    SESSION_END said, socket given up; freed after the round
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "channel/channel.h"
#include "registration.h"
#include "reply.h"
#include "wire/wire.h"

struct reactor;

#define SESSION_QUARANTINE_MAX 16u

enum session_state {
	SESSION_NEW,
	SESSION_OPEN,
	SESSION_ENDING,
	SESSION_DEAD,
};

struct session {
	/* in reactor.input or .starved; in .ending; in .dead: never two of them */
	struct rdy__list work;
	struct rdy__list output; /* in reactor.output */
	struct rdy__list hello;	 /* in reactor.hello while NEW */
	struct reactor *reactor;
	uint64_t number; /* the supervisor's */
	uint64_t cookie; /* SO_COOKIE of our end, 0 = unknown */
	uint64_t features;
	int64_t hello_deadline_ns;
	int sock;  /* ours, but strangers can queue descriptors into it */
	int pidfd; /* -1 where the kernel has none */
	int32_t pid;
	uint32_t index; /* in reactor.sessions */
	enum session_state state;
	bool readable; /* the socket may have something; cleared by EAGAIN */
	bool blocked;  /* the socket is full; WRITABLE is watched */
	bool starved;  /* in reactor.starved */
	bool drained;  /* ENDING: nothing is left in the socket */
	bool silent;   /* emulated edges: an event came, the poll is silent until session_watch() */
	uint8_t watched; /* interest in the poll */
	struct replies replies;
	struct registration_queue all, ready;
	struct cookies cookies;
	uint32_t n_registrations;
	uint32_t n_quarantined;
	int64_t since_ns;   /* when the agent got it */
	int64_t blocked_ns; /* since when its socket is full, while it is */
	uint64_t n_events, n_requests;
	char name[WIRE_NAME_BYTES];
};

/*
 * Take over a session (both descriptors consumed on success). Returns 0, or -errno with nothing changed.
 */
int session_new(struct reactor *r, const struct channel_session *info, int take_sock,
	int take_pidfd, struct session **ret);

/* Frees the memory of a session that is in no list. Returns NULL. */
struct session *session_free(struct session *s);

/* The poll's event on its socket; on its pidfd every event means the client is gone: session_end(). */
void session_event(struct session *s, uint32_t ready);

/* Read up to REACTOR_MESSAGES requests. The session has been taken off reactor.input. */
void session_read(struct session *s);

/* HELLO was accepted. */
void session_welcome(struct session *s, const struct wire_hello *hello, uint32_t serial);

/* Send a reply: reactor.out holds the records, header not yet written. May end the session. */
void session_reply(struct session *s, enum wire_type type, uint32_t serial, uint32_t count);

/* Send a frame. Returns 1 sent, 0 not: the socket is full (blocked) or the session has ended. */
int session_send(struct session *s, const uint8_t *frame, size_t n_bytes);

/* Say why (ERROR with the fatal bit, after what was queued, if the socket takes it), and end. */
void session_fatal(struct session *s, uint32_t serial, enum wire_error error, uint32_t detail);

/* End it without a word: the client is gone. Idempotent. */
void session_end(struct session *s);

/*
 * A slice of the end: read and dispose of up to REACTOR_MESSAGES messages, end up to *budget registrations.
 * Returns true when more can be done at once, false when it is dead or waits for room.
 */
bool session_end_slice(struct session *s, uint32_t *budget);

/* As it was at a predecessor: has it said HELLO, and what. Of one that has not, the time starts again. */
void session_restore(struct session *s, bool open, uint64_t features, const char *name);

/* After events were dropped: the poll reports again what there is. May end the session. */
void session_watch_again(struct session *s);

/*
 * It is somebody else's now: everything that is here of it goes, without a word to the client or the
 * supervisor, and its socket is not shut. All reactors are parked (park.h); the main thread.
 */
void session_forget(struct session *s);

/* It has something to send, or may be read again: put it where the reactor will see it. */
void session_want_output(struct session *s);
void session_want_input(struct session *s);

/* Asserts what holds between rounds; debug builds call it after each transition. */
void session_check(const struct session *s);

#endif
