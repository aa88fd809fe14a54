/* SPDX-License-Identifier: MIT */
/*
 * The channel between the supervisor and one agent: a SEQPACKET socket, one message = one struct below,
 * native byte order (same machine), descriptors only downward (supervisor to agent).
 * This header and its small codec are all that the two share.
 *
 * An agent outlives its supervisor, so the two can be of different versions. Version N of the supervisor
 * accepts agents of version N - 1 and speaks N - 1 with them: fields and types are only ever appended, and
 * what an older side does not know is zero when it is decoded, absent when it is encoded.
 * Credits: at most CHANNEL_CREDITS messages with descriptors are unacknowledged; in-flight descriptors
 * are charged to our own uid, and a channel without credits could hold thousands of them.
 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#ifndef CHANNEL_VERSION
#define CHANNEL_VERSION 2u
#endif
#define CHANNEL_VERSION_OLDEST (CHANNEL_VERSION - 1u)
#define CHANNEL_CREDITS 64u
#define CHANNEL_ADOPT_SINCE 2u /* version */
#define CHANNEL_HAND_OVER_SINCE 2u

/* Descriptors that a started agent finds. */
#define CHANNEL_FD_SUPERVISOR 3 /* this channel */
#define CHANNEL_FD_CLOSER 4	/* disposal link (daemon/link) to its closer */
#define CHANNEL_FD_ADOPT \
	5 /* listening socket for the next supervisor; only if config.grace_ns > 0 */

enum channel_type {
	/* supervisor to agent */
	CHANNEL_CONFIG = 1,  /* first message, and again when it changes */
	CHANNEL_SESSION = 2, /* + session socket, + client's pidfd where the kernel has it */
	CHANNEL_REFUSE = 3,  /* + session socket: answer with an ERROR frame, then dispose of it */
	CHANNEL_CLOSER = 4,  /* + disposal link to a fresh closer; the old one is dead */
	CHANNEL_END = 5,     /* end all sessions (SHUTTING_DOWN), then exit */
	CHANNEL_ADOPT =
		6, /* a new supervisor: what was said upward before is void; answer SNAPSHOT */
	CHANNEL_QUERY = 7, /* answer with one ROWS */
	CHANNEL_KICK = 8,  /* u.session.session: end it (KICKED); unknown: it has ended already */
	CHANNEL_CONTROL =
		9, /* + a control connection: pump its bytes; TAKEN and SESSION_END as for SESSION */
	CHANNEL_CONTROL_DATA =
		10, /* both ways: bytes of the control connection u.control.session */
	CHANNEL_CONTROL_CREDIT =
		11, /* both ways: u.control.n_bytes of what was sent are consumed */
	CHANNEL_TAKE_OVER =
		12, /* + link: a predecessor hands its sessions over; before any SESSION */
	CHANNEL_HAND_OVER = 13, /* + link: give everything to the successor at its other end */
	/* agent to supervisor */
	CHANNEL_HELLO = 32, /* ready to serve */
	CHANNEL_TAKEN =
		33, /* number `session` has an owner, and every reactor is alive: a credit returns */
	CHANNEL_SESSION_END = 34,  /* the agent has let go of it: either side may close its copy */
	CHANNEL_CLOSER_STUCK = 35, /* the closer has not answered for 2 s */
	CHANNEL_IDLE = 36,	   /* no sessions for idle_exit: asks for CHANNEL_END */
	CHANNEL_CLOSER_GONE = 37,  /* the closer has ended, or speaks nonsense */
	CHANNEL_SNAPSHOT =
		38, /* answer of ADOPT: who it is; then n_sessions times SNAPSHOT_SESSION */
	CHANNEL_SNAPSHOT_SESSION = 39, /* in order of their numbers, each once */
	CHANNEL_ROWS = 40,	       /* one page, the answer of QUERY */
	CHANNEL_TAKEN_OVER =
		41, /* u.count: sessions that came from the predecessor; it serves now */
	CHANNEL_HANDED_OVER =
		42, /* u.count: sessions that went; it has none left and only waits for END */
	CHANNEL_HANDOVER_FAILED = 43, /* the successor is gone: it serves on */
};

/* channel_config.flags */
#define CHANNEL_FROZEN 0x1u /* sessions are neither read nor written; nothing is lost */
#define CHANNEL_FLAGS 0x1u

/* What an agent needs to know, by value. */
struct channel_config {
	uint32_t uid;
	uint32_t registrations;		/* quota of the uid */
	uint32_t registrations_session; /* of one session */
	uint32_t fd_reserve;		/* descriptors kept free; below it sessions are not read */
	uint32_t send_buffer_bytes;	/* SO_SNDBUF of session sockets; 0 = the kernel's default */
	uint32_t selector;		/* CHANNEL_SELECTOR_* */
	uint32_t closer_batch;		/* descriptors per message to the closer, 1..64 */
	uint32_t flags;			/* CHANNEL_FROZEN */
	int64_t hello_timeout_ns;	/* > 0 */
	int64_t idle_exit_ns;		/* < 0 = never */
	/* since version 2 */
	uint32_t reactors;    /* at most, 1..CHANNEL_REACTORS_MAX */
	uint32_t log_level;   /* syslog priority that is still logged, LOG_ERR..LOG_DEBUG */
	uint32_t flood_rate;  /* events per second of one edge registration; 0 = no bound */
	uint32_t flood_burst; /* and at once */
	int64_t grace_ns;     /* waits for the next supervisor this long; <= 0: end with this one */
	uint64_t program;     /* what the agent was started from; for SNAPSHOT */
	int32_t supervisor;   /* pid: who listens on readyd's sockets */
	int32_t closer;	      /* pid, for SNAPSHOT; 0 = none */
	uint32_t sessions;    /* quota of the uid, to know how large the descriptor table gets */
	uint32_t kinds_refused; /* 1 << enum wire_kind: what may not be registered */
};

/* channel_config.kinds_refused: WIRE_KIND_TCP to WIRE_KIND_PTY */
#define CHANNEL_KINDS 0x7feu
#define CHANNEL_SELECTOR_AUTO 0u
#define CHANNEL_SELECTOR_EPOLL 1u
#define CHANNEL_SELECTOR_POLL 2u
#define CHANNEL_REACTORS_MAX 64u

struct channel_session {
	uint64_t session; /* unique, never 0; sessions and control connections share the numbers */
	uint32_t uid, gid;
	int32_t pid;	/* for people only, may be 0 */
	uint32_t error; /* REFUSE: enum wire_error */
	uint32_t detail;
	uint32_t pad0;
};

/*
 * Control connections. Either side sends at most CHANNEL_CONTROL_WINDOW bytes of a connection that the other
 * has not given back with CONTROL_CREDIT.
 */
#define CHANNEL_CONTROL_WINDOW 65536u
#define CHANNEL_CONTROL_LAST \
	0x1u /* nothing follows. Up: the peer has shut its side; down: then end it */

struct channel_control {
	uint64_t session;
	uint32_t n_bytes; /* CONTROL_CREDIT; CONTROL_DATA: 0, the data's length says it */
	uint32_t flags;	  /* CONTROL_DATA: CHANNEL_CONTROL_LAST */
};

struct channel_adopt {
	uint64_t epoch; /* comes back in SNAPSHOT */
};

struct channel_snapshot {
	uint64_t epoch;
	uint64_t program; /* config.program when it was started */
	uint32_t uid;
	uint32_t
		n_sessions; /* SNAPSHOT_SESSION messages that follow, control connections not among them */
	int32_t closer; /* pid, 0 = none */
	uint32_t flags; /* CHANNEL_FROZEN */
};

struct channel_snapshot_session {
	uint64_t session;
	uint32_t uid, gid;
	int32_t pid;
	uint32_t pad0;
	int64_t since_ns; /* CLOCK_MONOTONIC when its agent got it */
};

/* channel_query.kind */
#define CHANNEL_ROWS_REACTORS 1u
#define CHANNEL_ROWS_SESSIONS 2u
#define CHANNEL_ROWS_REGISTRATIONS 3u

struct channel_query {
	uint64_t cursor;  /* 0 = from the start, else next_cursor of the page before */
	uint64_t session; /* only this session's; 0 = all */
	uint32_t query;	  /* comes back in ROWS */
	uint32_t kind;
	uint32_t rows_max; /* 1..CHANNEL_ROWS_MAX */
	uint32_t pad0;
};

#define CHANNEL_ROWS_MAX 256u

struct channel_rows {
	uint64_t next_cursor; /* 0 = that was all */
	uint32_t query;
	uint32_t kind;
	uint32_t n_rows; /* in data; may be 0 with more to come */
	uint32_t pad0;
};

/* One reactor's counters since it started. */
struct channel_row_reactor {
	uint64_t events, frames, requests, surprises, wakeups, paused;
	uint32_t reactor;
	uint32_t n_sessions, n_registrations;
	uint32_t n_descriptors; /* of the whole agent, in its table */
};

/* channel_row_session.flags */
#define CHANNEL_SESSION_BLOCKED 0x1u /* its socket is full: the client does not read */
#define CHANNEL_SESSION_PAUSED 0x2u  /* not read: WIRE_UNANSWERED_MAX answers wait */
#define CHANNEL_SESSION_STARVED 0x4u /* not read: the agent is at its reserve of descriptors */
#define CHANNEL_SESSION_NEW 0x8u     /* has not said HELLO */
#define CHANNEL_SESSION_ENDING 0x10u
#define CHANNEL_SESSION_FROZEN 0x20u

struct channel_row_session {
	uint64_t session;
	int64_t since_ns;   /* CLOCK_MONOTONIC */
	int64_t blocked_ns; /* CLOCK_MONOTONIC since when its socket is full; 0 = it is not */
	uint64_t events, requests;
	uint32_t reactor, n_registrations;
	uint32_t n_ready; /* with an event that waits */
	uint32_t n_unanswered, n_quarantined;
	uint32_t flags;
	int32_t pid;
	uint32_t pad0;
	char name[32]; /* NUL-terminated, what the client says of itself */
};

/* channel_row_registration.flags */
#define CHANNEL_REGISTRATION_ARMED 0x1u
#define CHANNEL_REGISTRATION_READY 0x2u /* an event waits for its session's socket */
#define CHANNEL_REGISTRATION_KEEP 0x4u
#define CHANNEL_REGISTRATION_ENDED 0x8u
#define CHANNEL_REGISTRATION_PAUSED 0x10u /* floods; silent until its bucket has room */

struct channel_row_registration {
	uint64_t session, id, cookie;
	int64_t at_ns, idle_ns; /* CLOCK_MONOTONIC of the next deadline of each kind; 0 = none */
	int32_t fd;		/* the agent's number, -1 = gone */
	uint32_t seq;
	uint16_t interest, pending;
	uint8_t mode, kind, flags, pad0;
};

/* Most bytes of variable length in a message: rows, or a control connection's bytes. */
#define CHANNEL_DATA_MAX 32768u

struct channel_message {
	uint32_t type;	  /* enum channel_type */
	uint32_t version; /* decode: the sender's. encode: what to speak; 0 = CHANNEL_VERSION */
	union {
		struct channel_config config;
		struct channel_session
			session; /* SESSION, REFUSE, CONTROL, TAKEN, SESSION_END, KICK */
		struct channel_control control;
		struct channel_adopt adopt;
		struct channel_snapshot snapshot;
		struct channel_snapshot_session snapshot_session;
		struct channel_query query;
		struct channel_rows rows;
		uint64_t count; /* TAKEN_OVER, HANDED_OVER */
	} u;
	const void *data; /* ROWS, CONTROL_DATA: borrowed; decode: points into buf */
	size_t n_data;
};

#define CHANNEL_BYTES_MAX (128u + CHANNEL_DATA_MAX)

/* Bytes of one row, 0 for an unknown kind. */
size_t channel_row_bytes(uint32_t kind);

/*
 * Encode into buf, at least CHANNEL_BYTES_MAX long (160 where there is no data); returns the length: only
 * the bytes that belong to the type and version travel, and all of them are defined. TAKEN, SESSION_END and
 * KICK carry u.session.session and nothing else. m->type must be a known one that the version has
 * (asserted). Pure.
 */
size_t channel_encode(uint8_t *buf, const struct channel_message *m);

/*
 * Decode and validate: type, length, version, number of descriptors that came, ranges. Pure.
 * Returns 0, or -EPROTO with *ret untouched: the other side is not what we started; the channel ends.
 */
int channel_decode(const uint8_t *buf, size_t n_bytes, size_t n_fds, struct channel_message *ret);

#endif
