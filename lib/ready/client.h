/* SPDX-License-Identifier: MIT */
/*
 * libready, the broker's client: a connection to readyd, which watches descriptors for this process.
 *
 * A client object belongs to one thread at a time. Calls that only queue a request never block, and nothing
 * is sent before rdy_client_dispatch(), rdy_client_wait() or rdy_client_sync(); requests queued together
 * travel together. When the connection is lost (the daemon restarted, its agent died) the library connects
 * again and hands every live registration over anew; readiness that is there is reported again, so nothing
 * is lost, but an event may come twice. Every event is a hint: a read or write may find EAGAIN.
 * The daemon drops a session when the process that connected has ended: connect after daemonizing.
 * After fork() every call answers -ECHILD, except rdy_client_free(), which leaves the parent's session alone.
 */
#ifndef READY_CLIENT_H
#define READY_CLIENT_H

#include <ready/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rdy_client;

/* Where the system instance listens, the default of rdy_client_options.path. */
#define RDY_CLIENT_SYSTEM_PATH "/run/readyd/session.sock"

/* rdy_client_options.flags */
#define RDY_CLIENT_NO_RECONNECT 0x1u /* a lost connection ends the client: -ENOTCONN from then on */

/* Settings of a client. Zero it, set size = sizeof, then what is wanted. Since: 0.1. */
struct rdy_client_options {
	size_t size;	  /* sizeof(struct rdy_client_options) */
	const char *path; /* session socket; NULL = RDY_CLIENT_SYSTEM_PATH; borrowed until return */
	const char *name; /* for the operator's eyes, <= 31 printable ASCII bytes; NULL = none */
	int64_t reply_within_ns; /* silence after a request before the connection counts as dead; 0 = 5 s */
	uint32_t flags;		 /* RDY_CLIENT_* */
	uint32_t pad0;		 /* 0 */
};

/* rdy_client_event.type */
#define RDY_CLIENT_READY 1u  /* the descriptor is ready */
#define RDY_CLIENT_FAILED 2u /* the registration was refused or has ended: error says why */
#define RDY_CLIENT_LOST 3u /* the connection is gone (handle 0); the library is connecting again */
#define RDY_CLIENT_RESTORED 4u /* connected again (handle 0), every live registration handed over */
#define RDY_CLIENT_REFUSED 5u  /* the daemon refuses us (handle 0); tried again later */
#define RDY_CLIENT_TIMEOUT 6u  /* a deadline has passed: flags say which, RDY_CLIENT_AT or _IDLE */

/* rdy_client_event.flags */
#define RDY_CLIENT_DISARMED 0x1u /* ONESHOT: silent until rdy_client_rearm() */
#define RDY_CLIENT_ENDED 0x2u  /* hangup or error: the registration has ended, its handle is dead */
#define RDY_CLIENT_PAUSED 0x4u /* EDGE: it floods and is silent for a while; nothing is lost */
#define RDY_CLIENT_AT 0x10u    /* TIMEOUT: the moment has come */
#define RDY_CLIENT_IDLE 0x20u  /* TIMEOUT: nothing happened for so long */

/* One event. Caller-allocated, plain data. Since: 0.1. */
struct rdy_client_event {
	uint64_t token;	 /* the one given at registration */
	uint64_t handle; /* the registration, 0 for connection events */
	uint32_t type;	 /* RDY_CLIENT_READY ... */
	uint32_t flags;	 /* RDY_CLIENT_DISARMED ... */
	uint32_t ready;	 /* RDY_READABLE ... */
	uint32_t error;	 /* broker's error, 0 = none; see rdy_client_error_name() */
};

/* rdy_client_register() flags */
#define RDY_CLIENT_KEEP 0x1u /* a hangup does not end it (a FIFO that gets new writers) */

/*
 * Connect to readyd and wait for its welcome, at most timeout_ns (negative = for ever).
 * Ownership: *ret is the caller's, freed with rdy_client_free(); options borrowed until return, may be NULL.
 * Errors: -EINVAL wrong size, unknown flag, name too long or not printable · -ENOENT no such socket: not
 *   installed or not running · -ECONNREFUSED nobody listens: not running · -EACCES the socket's permissions ·
 *   -ENAMETOOLONG path does not fit a socket address · -EPROTO the peer does not speak this protocol (or
 *   no version in common) · -ECONNRESET it hung up · -EDQUOT it refused: a quota or limit (then *ret_error, if
 *   not NULL, has the broker's error, else 0) · -EPERM it refused for another reason (likewise) ·
 *   -ETIMEDOUT no answer in time · -EMFILE, -ENFILE, -ENOMEM.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_client_new(const struct rdy_client_options *options, int64_t timeout_ns,
	uint32_t *ret_error, struct rdy_client **ret);

/*
 * Close the connection, which ends all registrations; registered descriptors stay open. NULL is allowed.
 * Returns NULL. Thread: owner. Since: 0.1.
 */
RDY_API struct rdy_client *rdy_client_free(struct rdy_client *client);

/*
 * The one descriptor to poll for reading: readable exactly while rdy_client_dispatch() or
 * rdy_client_next() has something to do. Created on the first call; stays the same over reconnects.
 * Ownership: borrowed from the client; poll it (level or edge), nothing else.
 * Returns the descriptor. Errors: -EMFILE, -ENFILE, -ENOMEM, -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_fd(struct rdy_client *client);

/*
 * Queue a registration. The broker gets a duplicate of fd with the next dispatch, wait or sync.
 * token: anything, echoed with each event. interest: RDY_INTERESTS bits; mode: RDY_EDGE, RDY_LEVEL or
 *   RDY_ONESHOT. LEVEL: an event as long as it is ready, each after the last one was taken: what was taken is
 *   acknowledged with the next dispatch, wait or sync, unasked, many at a time.
 * Ownership: fd is borrowed until rdy_client_deregister() has returned or the registration ended; call that
 *   before close(): the broker's duplicate keeps the file open.
 * The broker's refusal arrives as an event RDY_CLIENT_FAILED.
 * Errors: -EINVAL interest, mode or flags · -EBADF fd is negative or not open · -EEXIST fd is registered
 *   with this client · -ENOMEM · -ENOTCONN connection lost and RDY_CLIENT_NO_RECONNECT · -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_register(struct rdy_client *client, int fd, uint64_t token,
	uint32_t interest, uint32_t mode, uint32_t flags, uint64_t *ret_handle);

/*
 * Queue a change of interest and mode; readiness that is there is reported again.
 * Errors: -EINVAL · -ENOENT no live registration has this handle · -ENOTCONN · -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_modify(
	struct rdy_client *client, uint64_t handle, uint32_t interest, uint32_t mode);

/*
 * Queue the re-arming of a ONESHOT registration after its event; readiness that is still there is reported.
 * Harmless while armed. Errors: -ENOENT no live registration has this handle · -ENOTCONN · -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_rearm(struct rdy_client *client, uint64_t handle);

/*
 * Queue deadlines of a registration; both replace what it has, also what waits to be taken.
 * at_ns: absolute, as rdy_now_ns(); fires once, in the past at once. idle_ns: fires when there was no
 *   readiness, rearm, modify or acknowledgement for so long, and again only after the next one. 0 = none;
 *   more than 2^62 is 2^62.
 * They arrive as an event RDY_CLIENT_TIMEOUT, also while the registration is disarmed, end with it, and live on
 * over a reconnect. The daemon's refusal, or a daemon without deadlines after a reconnect, arrives as
 * RDY_CLIENT_FAILED.
 * Errors: -EINVAL a time is negative · -ENOENT no live registration has this handle · -ENOTSUP the daemon has
 *   no deadlines · -ENOMEM · -ENOTCONN connection lost and RDY_CLIENT_NO_RECONNECT · -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_set_deadline(
	struct rdy_client *client, uint64_t handle, int64_t at_ns, int64_t idle_ns);

/*
 * End a registration. From the return on, no event of it comes and fd may be closed; the broker gives its
 * duplicate up when the request has arrived (rdy_client_sync() waits for that).
 * Errors: -ENOENT no live registration has this handle · -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_deregister(struct rdy_client *client, uint64_t handle);

/*
 * Do what can be done without waiting: send what is queued, read what has come, reconnect when it is time.
 * Returns the number of events that rdy_client_next() will give (capped at INT_MAX).
 * Errors: -ENOTCONN connection lost and RDY_CLIENT_NO_RECONNECT, all events taken · -ENOMEM · -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_dispatch(struct rdy_client *client);

/*
 * Take the next event, without any input or output. Events of one registration that were not taken yet are
 * merged into one; passed deadlines are an event of their own, after its readiness, and RDY_CLIENT_IDLE is
 * withdrawn when there is readiness after all. Returns 1 and fills *ret, or 0 when there is none. Errors: -ECHILD.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_next(struct rdy_client *client, struct rdy_client_event *ret);

/*
 * Dispatch until there is an event or the time is over, then take up to n_events.
 * timeout_ns: 0 = do not wait, negative = for ever. EINTR is retried with the time that is left.
 * Returns the number of events, 0 after the timeout. Errors: -EINVAL n_events is 0 · as dispatch.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_wait(struct rdy_client *client, struct rdy_client_event *events,
	size_t n_events, int64_t timeout_ns);

/*
 * Send all that is queued and wait until the broker has answered it. Events are kept for rdy_client_next().
 * Errors: -ETIMEDOUT · as dispatch.
 * Thread: owner. Since: 0.1.
 */
RDY_API int rdy_client_sync(struct rdy_client *client, int64_t timeout_ns);

/*
 * Name ("FD_KIND_REFUSED") and one-line explanation of a broker's error, static; never NULL, "UNKNOWN" for
 * a code of a newer daemon. The list is in readyd-protocol(7). Thread: any. Since: 0.1.
 */
RDY_API const char *rdy_client_error_name(uint32_t error);
RDY_API const char *rdy_client_error_text(uint32_t error);

#ifdef __cplusplus
}
#endif
#endif
