/* SPDX-License-Identifier: MIT */
/*
 * The channel between the supervisor and one agent: a SEQPACKET socketpair, one message = one struct
 * below, native byte order (same machine), descriptors only downward (supervisor to agent).
 * This header and its small codec are all that the two share.
 *
 * Version N of the supervisor accepts agents of version N - 1: fields are only ever appended.
 * Credits: at most CHANNEL_CREDITS messages with descriptors are unacknowledged; in-flight descriptors
 * are charged to our own uid, and a channel without credits could hold thousands of them.
 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#define CHANNEL_VERSION 1u
#define CHANNEL_CREDITS 64u

/* Descriptors that a started agent finds. */
#define CHANNEL_FD_SUPERVISOR 3 /* this channel */
#define CHANNEL_FD_CLOSER 4	/* disposal link (daemon/link) to its closer */

enum channel_type {
	/* supervisor to agent */
	CHANNEL_CONFIG = 1,  /* first message, and again when it changes */
	CHANNEL_SESSION = 2, /* + session socket, + client's pidfd where the kernel has it */
	CHANNEL_REFUSE = 3,  /* + session socket: answer with an ERROR frame, then dispose of it */
	CHANNEL_CLOSER = 4,  /* + disposal link to a fresh closer; the old one is dead */
	CHANNEL_END = 5,     /* end all sessions (SHUTTING_DOWN), then exit */
	/* agent to supervisor */
	CHANNEL_HELLO = 32, /* ready to serve */
	CHANNEL_TAKEN = 33, /* SESSION or REFUSE number `session` has an owner: a credit returns */
	CHANNEL_SESSION_END = 34,  /* the agent has let go of it: either side may close its copy */
	CHANNEL_CLOSER_STUCK = 35, /* the closer has not answered for 2 s */
	CHANNEL_CLOSER_GONE = 37,  /* the closer has ended, or speaks nonsense */
	CHANNEL_IDLE = 36,	   /* no sessions for idle_exit: asks for CHANNEL_END */
};

/* What an agent needs to know, by value. */
struct channel_config {
	uint32_t uid;
	uint32_t registrations;		/* quota of the uid */
	uint32_t registrations_session; /* of one session */
	uint32_t fd_reserve;		/* descriptors kept free; below it sessions are not read */
	uint32_t send_buffer_bytes;	/* SO_SNDBUF of session sockets; 0 = the kernel's default */
	uint32_t selector;		/* CHANNEL_SELECTOR_* */
	uint32_t closer_batch;		/* descriptors per message to the closer, 1..64 */
	uint32_t pad0;
	int64_t hello_timeout_ns; /* > 0 */
	int64_t idle_exit_ns;	  /* < 0 = never */
};

#define CHANNEL_SELECTOR_AUTO 0u
#define CHANNEL_SELECTOR_EPOLL 1u
#define CHANNEL_SELECTOR_POLL 2u

struct channel_session {
	uint64_t session; /* unique in the supervisor's life, never 0 */
	uint32_t uid, gid;
	int32_t pid;	/* for people only, may be 0 */
	uint32_t error; /* REFUSE: enum wire_error */
	uint32_t detail;
	uint32_t pad0;
};

struct channel_message {
	uint32_t type;	  /* enum channel_type */
	uint32_t version; /* sender's CHANNEL_VERSION; set by decode, stamped by encode */
	union {
		struct channel_config config;
		struct channel_session session; /* SESSION, REFUSE, TAKEN, SESSION_END */
	} u;
};

/*
 * Encode into buf, at least sizeof(struct channel_message) long; returns the length: only the bytes that
 * belong to the type travel, and all of them are defined. m->version is not read: what is written is
 * CHANNEL_VERSION. TAKEN and SESSION_END carry u.session.session and nothing else. m->type must be a known
 * one (asserted). Pure.
 */
size_t channel_encode(uint8_t *buf, const struct channel_message *m);

/*
 * Decode and validate: type, length, version, number of descriptors that came, ranges. Pure.
 * Returns 0, or -EPROTO with *ret untouched: the other side is not what we started; the channel ends.
 */
int channel_decode(const uint8_t *buf, size_t n_bytes, size_t n_fds, struct channel_message *ret);

#endif
