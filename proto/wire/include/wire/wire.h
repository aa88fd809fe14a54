/* SPDX-License-Identifier: MIT */
/*
 * The session protocol: frames between a client and its agent. readyd-protocol(7) is the specification,
 * proto/vectors holds the bytes.
 *
 * Pure: no I/O, no clock, no allocation, no global state; any thread.
 * Invariant: DECODE-1: decoding has no side effects and is done wholly before anything is applied.
 *   Why: half-applied input needs roll-back, which is where such daemons break.
 *   Test: tests/unit/wire/decode.c/decoding_is_pure
 *
 * All integers are little-endian. A frame is a header of 16 bytes and `count` records of the type's size
 * (HELLO, WELCOME, PING, PONG, ERROR: exactly one). On a packet socket a frame is one message.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION_MIN 1u
#define WIRE_VERSION_MAX 1u

/* First bytes of a HELLO record; no text file starts like this, and CR LF translation breaks it. */
#define WIRE_MAGIC "\x89RDY\r\n\x1a\n"
#define WIRE_MAGIC_BYTES 8u

#define WIRE_HEADER_BYTES 16u
#define WIRE_FRAME_MAX 16384u	    /* longest frame a client may send */
#define WIRE_EVENTS_MAX_BYTES 8192u /* longest EVENTS frame */
#define WIRE_BATCH_MAX 250u /* most registrations, and so descriptors, in one REGISTER frame */
#define WIRE_NAME_BYTES 32u /* client name in HELLO, NUL padded, at most 31 printable ASCII bytes */
#define WIRE_UNANSWERED_MAX \
	32u /* replies that may wait for a client before its socket is not read */

/* Features, negotiated in HELLO/WELCOME: the intersection holds. */
#define WIRE_FEATURE_ONESHOT 0x1u
#define WIRE_FEATURE_EDGE 0x2u
#define WIRE_FEATURE_LEVEL 0x4u
#define WIRE_FEATURE_DEADLINE 0x8u

enum wire_type {
	/* client to agent */
	WIRE_HELLO = 0x01,
	WIRE_REGISTER = 0x02,
	WIRE_MODIFY = 0x03,
	WIRE_REARM = 0x04,
	WIRE_DEREGISTER = 0x05,
	WIRE_PING = 0x06,
	WIRE_SET_DEADLINE = 0x07,
	/* agent to client */
	WIRE_WELCOME = 0x81,
	WIRE_REGISTERED = 0x82,
	WIRE_MODIFIED = 0x83,
	WIRE_EVENTS = 0x84,
	WIRE_DEREGISTERED = 0x85,
	WIRE_PONG = 0x86,
	WIRE_ERROR = 0x87,
	WIRE_DEADLINE_SET = 0x88,
};

/* Bytes of one record, by type. */
#define WIRE_HELLO_BYTES 56u
#define WIRE_REGISTER_BYTES 16u
#define WIRE_MODIFY_BYTES 16u
#define WIRE_REARM_BYTES 16u
#define WIRE_DEREGISTER_BYTES 8u
#define WIRE_PING_BYTES 8u
#define WIRE_SET_DEADLINE_BYTES 24u
#define WIRE_WELCOME_BYTES 40u
#define WIRE_RESULT_BYTES 16u /* REGISTERED, MODIFIED, DEREGISTERED, DEADLINE_SET */
#define WIRE_EVENT_BYTES 24u
#define WIRE_ERROR_BYTES 16u

/* Most records in a DEREGISTER frame: its answer, whose records are longer, must fit WIRE_FRAME_MAX. */
#define WIRE_DEREGISTER_MAX ((WIRE_FRAME_MAX - WIRE_HEADER_BYTES) / WIRE_RESULT_BYTES)

#define WIRE_EVENTS_MAX ((WIRE_EVENTS_MAX_BYTES - WIRE_HEADER_BYTES) / WIRE_EVENT_BYTES)

/* Interest and readiness bits on the wire; equal to RDY_* of libready (asserted where both are seen). */
#define WIRE_READABLE 0x0001u
#define WIRE_WRITABLE 0x0002u
#define WIRE_PRIORITY 0x0004u
#define WIRE_HANGUP_ONLY 0x0008u
#define WIRE_INTERESTS 0x000fu
#define WIRE_READY_ERROR 0x0010u
#define WIRE_READ_CLOSED 0x0020u
#define WIRE_WRITE_CLOSED 0x0040u

/*
 * Modes; equal to RDY_EDGE, RDY_LEVEL, RDY_ONESHOT. LEVEL is ONESHOT whose REARM is an acknowledgement: the
 * client library owes one for each event and sends them in batches, without being asked.
 */
#define WIRE_EDGE 1u
#define WIRE_LEVEL 2u
#define WIRE_ONESHOT 3u

/* Flags of a registration. */
#define WIRE_REG_KEEP 0x1u     /* a hangup does not end it */
#define WIRE_REG_DISARMED 0x2u /* ONESHOT only: starts silent, as after an event */
#define WIRE_REG_FLAGS 0x3u

/* Event types and flags. */
#define WIRE_EVENT_READY 1u
#define WIRE_EVENT_TIMEOUT 2u	 /* a deadline has passed; ready says which: WIRE_TIMEOUT_* */
#define WIRE_EVENT_DISARMED 0x1u /* READY of ONESHOT: silent until REARM */
#define WIRE_EVENT_ENDED 0x2u	 /* hangup or error: the registration is gone, its id is dead */
#define WIRE_EVENT_ACK 0x4u	 /* READY of LEVEL: silent until REARM, which acknowledges it */
#define WIRE_EVENT_PAUSED \
	0x8u /* READY of EDGE: it floods and is silent for a while; nothing is lost */

/* wire_event.ready of a TIMEOUT */
#define WIRE_TIMEOUT_AT 0x1u
#define WIRE_TIMEOUT_IDLE 0x2u
#define WIRE_DEADLINE_MAX_NS ((uint64_t)1 << 62)

/*
 * The protocol's own errors; never an errno, whose numbers differ between systems. Values never change and
 * are never reused. "Fatal": an ERROR frame with the fatal bit says it and the session ends.
 */
enum wire_error {
	WIRE_OK = 0,
	/* fatal: the frame itself */
	WIRE_E_BAD_MAGIC = 1, /* the first message is no HELLO of this protocol */
	WIRE_E_VERSION_UNSUPPORTED =
		2,		    /* no version in common; detail = newest the daemon speaks */
	WIRE_E_FRAME_TRUNCATED = 3, /* shorter than a header, or than its length says */
	WIRE_E_FRAME_OVERSIZED = 4, /* longer than frame_max, or than its length says */
	WIRE_E_FRAME_MALFORMED = 5, /* count, record size, reserved bits or padding wrong */
	WIRE_E_TYPE_UNKNOWN = 6,    /* no such request; detail = type */
	WIRE_E_FD_COUNT_MISMATCH =
		7, /* descriptors that came differ from the header's n_fds, or from what the type takes; detail = number that came */
	WIRE_E_FDS_LOST =
		8, /* the kernel dropped descriptors (MSG_CTRUNC): limit or security module */
	WIRE_E_FD_BEFORE_WELCOME = 9, /* a descriptor came with or before HELLO's answer */
	WIRE_E_HELLO_REPEATED = 10,   /* a second HELLO */
	WIRE_E_HELLO_TIMEOUT = 11,    /* no HELLO in time */
	WIRE_E_QUARANTINE_FULL = 12,  /* too many refused path-backed descriptors in one session */
	/* fatal: the session is refused or ended by the daemon */
	WIRE_E_QUOTA_SESSIONS = 20, /* the uid's sessions; detail = limit */
	WIRE_E_QUOTA_CONNECTS = 21, /* the uid connects too often; detail = limit per second */
	WIRE_E_LIMIT_SESSIONS = 22, /* the daemon's sessions; detail = limit */
	WIRE_E_LIMIT_UIDS = 23,	    /* the daemon's agents; detail = limit */
	WIRE_E_UID_WEDGED = 24,	    /* too many of the uid's agents are stuck in the kernel */
	WIRE_E_SHUTTING_DOWN = 25,  /* the daemon is stopping */
	WIRE_E_AGENT_FAILED = 26,   /* the uid's agent could not be started */
	WIRE_E_KICKED = 27,	    /* an administrator ended the session */
	WIRE_E_UID_FROZEN = 28, /* an administrator froze the uid: no new sessions until it thaws */
	WIRE_E_POLICY_DENIED = 29, /* the policy does not let the user connect */
	/* one request or record; the session goes on */
	WIRE_E_REGISTRATION_UNKNOWN = 40, /* no registration of this session has that id */
	WIRE_E_COOKIE_DUPLICATE = 41,	  /* a live registration of this session has that cookie */
	WIRE_E_INTEREST_INVALID = 42,	  /* empty or unknown bits; detail = the bits */
	WIRE_E_MODE_INVALID = 43,  /* unknown, or a mode that was not negotiated; detail = mode */
	WIRE_E_FLAGS_INVALID = 44, /* unknown flags, or DISARMED without ONESHOT; detail = flags */
	WIRE_E_FD_KIND_REFUSED = 45, /* the kind is not on the allowlist; detail = wire_kind */
	WIRE_E_FD_OWN_SOCKET = 46,   /* a socket of readyd itself */
	WIRE_E_FD_NOT_POLLABLE = 47, /* the kernel refuses to poll it */
	WIRE_E_QUOTA_REGISTRATIONS =
		48, /* the uid's or the session's registrations; detail = limit */
	WIRE_E_OUT_OF_DESCRIPTORS = 49, /* the agent is at its reserve */
	WIRE_E_OUT_OF_MEMORY = 50,
	WIRE_E_INTERNAL = 51, /* a bug or an unexpected kernel answer; the daemon's log says more */
	WIRE_E_DEADLINE_INVALID = 52, /* longer than 2^62 ns, or the feature was not negotiated */
};

/* What a descriptor was found to be; stands in detail of WIRE_E_FD_KIND_REFUSED and in listings. */
enum wire_kind {
	WIRE_KIND_UNKNOWN = 0,
	/* on the allowlist */
	WIRE_KIND_TCP = 1,
	WIRE_KIND_UDP = 2,
	WIRE_KIND_UNIX = 3,
	WIRE_KIND_PIPE = 4,
	WIRE_KIND_FIFO = 5,
	WIRE_KIND_EVENTFD = 6,
	WIRE_KIND_TIMERFD = 7,
	WIRE_KIND_PIDFD = 8,
	WIRE_KIND_INOTIFY = 9,
	WIRE_KIND_PTY = 10,
	/* recognised and refused */
	WIRE_KIND_PATH = 32, /* regular file, directory, device, FUSE file: anything with a path */
	WIRE_KIND_EPOLL = 33,
	WIRE_KIND_IO_URING = 34,
	WIRE_KIND_SIGNALFD = 35,
	WIRE_KIND_SOCKET_OTHER = 36, /* a socket family or protocol that is not listed */
	WIRE_KIND_MEMFD = 37,
	WIRE_KIND_ANON_OTHER = 38,
};

struct wire_header {
	uint32_t length; /* of the whole frame */
	uint16_t type;	 /* enum wire_type */
	uint8_t n_fds;	 /* descriptors that travel with it */
	uint8_t flags;	 /* 0 */
	uint32_t serial; /* the sender's; a reply carries its request's */
	uint32_t count;	 /* records */
};

struct wire_hello {
	uint16_t version_min, version_max;
	uint64_t features;
	char name[WIRE_NAME_BYTES]; /* NUL-terminated */
};

struct wire_welcome {
	uint16_t version;
	uint16_t batch_max; /* registrations in one REGISTER */
	uint32_t frame_max; /* bytes */
	uint64_t features;
	uint64_t session;	/* id for the operator's eyes */
	uint32_t registrations; /* quota of this session */
	uint32_t unanswered_max;
	uint32_t events_max_bytes;
};

struct wire_register {
	uint64_t cookie;
	uint16_t interest;
	uint8_t mode;
	uint8_t flags;
};

struct wire_modify {
	uint64_t id;
	uint16_t interest;
	uint8_t mode;
	uint8_t flags;
};

struct wire_rearm {
	uint64_t id;
	uint32_t seq; /* last sequence number read; an older one is ignored */
};

/*
 * Deadlines of a registration, each 0 = none; a new SET_DEADLINE replaces both, and drops what was not told
 * yet. Times from when the daemon reads it. `at` fires once. `idle` fires when there was no readiness (and no
 * REARM, MODIFY, SET_DEADLINE) for so long, once; the next of these starts it again. It does not run in a pause.
 */
struct wire_set_deadline {
	uint64_t id;
	uint64_t at_ns, idle_ns;
};

/* REGISTERED, MODIFIED, DEREGISTERED, DEADLINE_SET: one per record of the request, in its order. */
struct wire_result {
	uint64_t id;	 /* 0 when REGISTER failed */
	uint32_t error;	 /* enum wire_error, WIRE_OK */
	uint32_t detail; /* see the error */
};

struct wire_event {
	uint64_t cookie;
	uint64_t id; /* index:32 | generation:32, opaque to the client */
	uint8_t type;
	uint8_t flags;
	uint16_t ready;
	/*
	 * READY: number of this event among the registration's, 1, 2, ... wrapping. TIMEOUT: of its last READY
	 * event, unchanged: a REARM that crosses a TIMEOUT is not stale.
	 */
	uint32_t seq;
};

struct wire_error_record {
	uint32_t error;
	uint32_t detail;
	bool fatal; /* the session ends after this frame */
};

/* A decoded frame; borrows the buffer. Records are read with wire_get_*(frame, i), i < header.count. */
struct wire_frame {
	struct wire_header header;
	const uint8_t *records;
};

/*
 * Decode and validate one request as it came in one message: length, type, count, sizes, reserved bits,
 * padding, the name in HELLO, n_fds against what came and against what the type takes (REGISTER: = count,
 * 1..WIRE_BATCH_MAX; all others 0). Values inside records (interest, mode, flags, ids) are not judged:
 * they are answered record by record.
 * n_fds: descriptors that came. Returns WIRE_OK and fills *ret, or the fatal error with *ret_detail set;
 * *ret untouched then, except that ret->header.serial holds the frame's serial where 16 bytes came, else 0.
 */
enum wire_error wire_decode_request(const uint8_t *buf, size_t n_bytes, size_t n_fds,
	struct wire_frame *ret, uint32_t *ret_detail);

/* The same for what an agent sends (n_fds must be 0). For clients; strict, but ignores reserved bytes of
 * records, unknown event flags and unknown error codes, which a newer daemon may send. */
enum wire_error wire_decode_reply(const uint8_t *buf, size_t n_bytes, size_t n_fds,
	struct wire_frame *ret, uint32_t *ret_detail);

/* HELLO's magic is checked by wire_decode_request(). */
void wire_get_hello(const struct wire_frame *f, struct wire_hello *ret);
void wire_get_register(const struct wire_frame *f, uint32_t i, struct wire_register *ret);
void wire_get_modify(const struct wire_frame *f, uint32_t i, struct wire_modify *ret);
void wire_get_rearm(const struct wire_frame *f, uint32_t i, struct wire_rearm *ret);
uint64_t wire_get_deregister(const struct wire_frame *f, uint32_t i);
uint64_t wire_get_ping(const struct wire_frame *f); /* PING and PONG */
void wire_get_set_deadline(const struct wire_frame *f, uint32_t i, struct wire_set_deadline *ret);
void wire_get_welcome(const struct wire_frame *f, struct wire_welcome *ret);
void wire_get_result(const struct wire_frame *f, uint32_t i, struct wire_result *ret);
void wire_get_event(const struct wire_frame *f, uint32_t i, struct wire_event *ret);
void wire_get_error(const struct wire_frame *f, struct wire_error_record *ret);

/*
 * Encoding: put the records first (wire_put_*(buf, i, record); buf is the frame's start and must have room
 * for WIRE_HEADER_BYTES + (i + 1) * size), then the header with wire_put_header(), which returns the frame's
 * length. n_fds is 0 but for REGISTER, where it is count.
 */
size_t wire_put_header(uint8_t *buf, enum wire_type type, uint32_t serial, uint32_t count);
void wire_put_hello(uint8_t *buf, const struct wire_hello *hello);
void wire_put_register(uint8_t *buf, uint32_t i, const struct wire_register *r);
void wire_put_modify(uint8_t *buf, uint32_t i, const struct wire_modify *r);
void wire_put_rearm(uint8_t *buf, uint32_t i, const struct wire_rearm *r);
void wire_put_deregister(uint8_t *buf, uint32_t i, uint64_t id);
void wire_put_ping(uint8_t *buf, uint64_t value); /* PING and PONG */
void wire_put_set_deadline(uint8_t *buf, uint32_t i, const struct wire_set_deadline *d);
void wire_put_welcome(uint8_t *buf, const struct wire_welcome *w);
void wire_put_result(uint8_t *buf, uint32_t i, const struct wire_result *r);
void wire_put_event(uint8_t *buf, uint32_t i, const struct wire_event *e);
void wire_put_error(uint8_t *buf, const struct wire_error_record *e);

/* A whole ERROR frame, the answer of agents and bouncer alike; returns its length (32 bytes). */
size_t wire_make_error(
	uint8_t *buf, uint32_t serial, enum wire_error error, uint32_t detail, bool fatal);

/* Bytes of one record of a type, 0 for an unknown type. */
size_t wire_record_bytes(uint16_t type);

/* "FD_KIND_REFUSED" and a one-line explanation for people; "UNKNOWN" for an unknown code. Static. */
const char *wire_error_name(uint32_t error);
const char *wire_error_text(uint32_t error);
/* "tcp", "pipe", ...; "unknown". Static. */
const char *wire_kind_name(uint32_t kind);

#endif
