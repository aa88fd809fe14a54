/* SPDX-License-Identifier: MIT */
/*
 * What an agent says to its successor when it hands its live sessions over: the format and its codec. A
 * SEQPACKET socketpair that the supervisor made; one message = one head and n records, native byte order.
 *
 *     old agent                                           new agent
 *     BEGIN
 *     REACTOR      once for each, in order
 *     for each session:
 *        SESSION          + its socket, + the client's pidfd  ->  CREDIT
 *        REPLY            queued answers, in order
 *        REGISTRATIONS    + a descriptor for each that has one  ->  CREDIT
 *        SESSION_DONE
 *     END                                                ->  ACK: they are all the new one's
 *
 * Until ACK the old agent has everything and can go on; from ACK on the new one has.
 * The two can be of different versions: N accepts what N - 1 says. Fields are only ever appended to a
 * record; its length travels in the head, and what the other side does not say is zero.
 * Credits: at most HANDOVER_CREDITS descriptors are on the way; those are charged to our own uid.
 * Threads: any. Pure: no I/O, no clock, no allocation.
 */
#ifndef AGENT_HANDOVER_H
#define AGENT_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

#ifndef HANDOVER_VERSION
#define HANDOVER_VERSION 1u
#endif
#define HANDOVER_VERSION_OLDEST (HANDOVER_VERSION > 1u ? HANDOVER_VERSION - 1u : 1u)

#define HANDOVER_CREDITS 64u /* descriptors */
#define HANDOVER_RECORDS_MAX 64u

enum handover_type {
	/* old to new */
	HANDOVER_BEGIN = 1,
	HANDOVER_REACTOR = 2,
	HANDOVER_SESSION = 3, /* + session socket, + pidfd where there is one */
	HANDOVER_REPLY = 4,   /* data: one frame */
	HANDOVER_REGISTRATIONS = 5,
	HANDOVER_SESSION_DONE = 6, /* u.value: its number */
	HANDOVER_END = 7,	   /* u.value: how many sessions */
	/* new to old */
	HANDOVER_CREDIT = 32, /* u.value: descriptors that have arrived */
	HANDOVER_ACK = 33,    /* u.value: sessions taken over */
};

struct handover_begin {
	uint32_t uid;
	uint32_t n_reactors; /* 1..CHANNEL_REACTORS_MAX */
	uint32_t n_sessions;
	uint32_t n_registrations;
};

struct handover_reactor {
	uint32_t reactor;
	uint32_t first_generation; /* of the ids that it gives out from now on */
};

#define HANDOVER_SESSION_OPEN 0x1u /* has said HELLO */

struct handover_session {
	uint64_t number; /* the supervisor's, never 0 */
	uint64_t features;
	int64_t since_ns;	   /* CLOCK_MONOTONIC, as all times here; 0 = unknown */
	int64_t blocked_ns;	   /* since when its socket is full; 0 = it is not */
	uint64_t events, requests; /* so far */
	uint32_t uid, gid;
	int32_t pid;
	uint32_t reactor;
	uint32_t flags; /* HANDOVER_SESSION_* */
	uint32_t n_replies, n_registrations, n_quarantined;
	char name[WIRE_NAME_BYTES]; /* NUL-terminated */
};

/* handover_registration.flags */
#define HANDOVER_FD 0x01u   /* a descriptor comes with it */
#define HANDOVER_KEEP 0x02u /* a hangup does not end it */
#define HANDOVER_ARMED 0x04u
#define HANDOVER_READY 0x08u  /* an event waits; ready ones come first, in their order */
#define HANDOVER_ENDED 0x10u  /* its last event waits; no descriptor */
#define HANDOVER_PAUSED 0x20u /* it floods */

struct handover_registration {
	uint64_t id, cookie;
	int64_t at_ns;	 /* deadline; 0 = none */
	int64_t idle_ns; /* when it has been idle for idle_period_ns; 0 = no such deadline */
	int64_t idle_period_ns;
	uint32_t seq; /* of the last event delivered */
	uint16_t interest;
	uint16_t pending;   /* readiness not delivered yet */
	uint8_t mode, kind; /* WIRE_* */
	uint8_t flags;	    /* HANDOVER_* */
	uint8_t timeouts;   /* WIRE_TIMEOUT_*, not delivered yet */
	uint32_t pad0;
};

struct handover_message {
	uint32_t type;
	uint32_t version; /* decode: the sender's. encode: what to speak; 0 = HANDOVER_VERSION */
	uint32_t n;	  /* REGISTRATIONS: records; else 1, or 0 for REPLY */
	union {
		struct handover_begin begin;
		struct handover_reactor reactor;
		struct handover_session session;
		struct handover_registration registrations[HANDOVER_RECORDS_MAX];
		uint64_t value;
	} u;
	const uint8_t *data; /* REPLY: borrowed; decode: points into buf */
	size_t n_data;
};

#define HANDOVER_HEAD_BYTES 16u
#define HANDOVER_BYTES_MAX (HANDOVER_HEAD_BYTES + WIRE_FRAME_MAX)

/* Encode into buf, HANDOVER_BYTES_MAX long; returns the length. The message must be possible (asserted). */
size_t handover_encode(uint8_t *buf, const struct handover_message *m);

/*
 * Decode and validate: version, type, length, number of descriptors that came, ranges. Returns 0, or -EPROTO
 * with *ret of no meaning.
 */
int handover_decode(const uint8_t *buf, size_t n_bytes, size_t n_fds, struct handover_message *ret);

#endif
