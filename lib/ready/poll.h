/* SPDX-License-Identifier: MIT */
/*
 * libready, the reactor: a poll watches descriptors, timers and wakers, and reports what is ready.
 *
 * One thread waits (rdy_poll_wait, rdy_events_next, timers); any thread may register, modify, rearm,
 * deregister and wake meanwhile, unless the poll was made with RDY_POLL_SINGLE_THREAD.
 * After fork() every call on a poll of the parent answers -ECHILD, except rdy_poll_free(), which releases
 * the memory and the child's descriptors and leaves the parent's registrations alone.
 */
#ifndef READY_POLL_H
#define READY_POLL_H

#include <ready/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rdy_poll;
struct rdy_events;

/* One readiness event; predicates: ready/event.h. Caller-allocated, plain data. Since: 0.1. */
struct rdy_event {
	uint64_t token; /* the one given at registration, unchanged */
	uint32_t ready; /* RDY_READABLE ... */
	uint32_t pad0;	/* 0 */
};

/* rdy_poll_options.flags */
#define RDY_POLL_SINGLE_THREAD 0x1u /* the caller promises: one thread does everything but wake */
#define RDY_POLL_PIPE_WAKER 0x2u    /* use a pipe for wakers where an eventfd would be taken */
#define RDY_POLL_RETURN_EINTR 0x4u  /* a signal handler ends the wait with -EINTR */

/* Optional settings of a poll. Zero it, set size = sizeof, then what is wanted. Since: 0.1. */
struct rdy_poll_options {
	size_t size; /* sizeof(struct rdy_poll_options) */
	const char *
		selector; /* "epoll", "poll"; NULL = the best one that works; borrowed until return */
	uint32_t flags;	  /* RDY_POLL_* */
	uint32_t pad0;	  /* 0 */
};

/* Capabilities of the selector in use, for rdy_poll_caps(). Since: 0.1. */
#define RDY_CAP_EDGE 0x1u      /* edges are native: no rearm needed in mode EDGE */
#define RDY_CAP_NESTABLE 0x2u  /* rdy_poll_fd() can itself be polled */
#define RDY_CAP_EXCLUSIVE 0x4u /* RDY_EXCLUSIVE wakes fewer than all */

/*
 * Create a poll.
 * Ownership: *ret is the caller's, freed with rdy_poll_free(); options borrowed until return, may be NULL.
 * Errors: -EINVAL ret is NULL, size is wrong, an unknown flag, pad0 set · -ENOTSUP no selector of that
 *   name, or it does not work here · -EMFILE, -ENFILE, -ENOMEM, -EPERM as epoll_create1(2), eventfd(2) ·
 *   -ENOSPC (fs.epoll.max_user_watches).
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_poll_new(const struct rdy_poll_options *options, struct rdy_poll **ret);

/*
 * Free a poll: its registrations end, its timers and wakers become inert and must still be freed.
 * Registered descriptors stay open. NULL is allowed. Returns NULL.
 * Thread: the waiting one, with no other call in progress. Since: 0.1.
 */
RDY_API struct rdy_poll *rdy_poll_free(struct rdy_poll *poll);

/* The selector's name ("epoll"), static. Thread: any. Errors: none. Since: 0.1. */
RDY_API const char *rdy_poll_selector(const struct rdy_poll *poll);

/* The selector's RDY_CAP_* bits. Thread: any. Errors: none. Since: 0.1. */
RDY_API uint32_t rdy_poll_caps(const struct rdy_poll *poll);

/*
 * The poll's own descriptor, for polling this poll from another loop: readable when rdy_poll_wait() would
 * find a descriptor or waker ready (timers do not make it readable). Borrowed from the poll.
 * Returns the descriptor. Errors: -ENOTSUP the selector has none (RDY_CAP_NESTABLE) · -ECHILD after fork.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_poll_fd(const struct rdy_poll *poll);

/*
 * Watch a descriptor. interest: RDY_INTERESTS bits, at least one; mode: RDY_EDGE, RDY_LEVEL or RDY_ONESHOT, the
 * first two with or without RDY_EXCLUSIVE.
 * Errors and hangups are reported whatever the interest.
 * Ownership: fd is borrowed until rdy_poll_deregister(), which must come before close(): where another
 *   process or a duplicate keeps the file open, closing alone would leave events coming for ever; and
 *   poll(2), who knows numbers only, takes the next file under the number for the one that was closed.
 * Errors: -EINVAL empty or unknown interest, unknown mode, what does not go with EXCLUSIVE, fd is the poll's own ·
 *   -EBADF fd is not open ·
 *   -EEXIST fd is registered already · -EPERM the kind of file cannot be polled (regular file, directory, /dev/null) ·
 *   -ENOMEM, -ENOSPC (fs.epoll.max_user_watches) · -ELOOP nested polls · -ECHILD after fork.
 *   On error nothing has changed.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_poll_register(
	struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode);

/*
 * Replace token, interest and mode of a registration. Readiness that is there now is reported again.
 * Errors: -EINVAL as register, or the registration or the new mode is EXCLUSIVE · -ENOENT fd is not registered · -ENOMEM · -ECHILD. On error nothing changed.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_poll_modify(
	struct rdy_poll *poll, int fd, uint64_t token, uint32_t interest, uint32_t mode);

/*
 * Arm a ONESHOT (or emulated EDGE) registration again; readiness that is still there is reported.
 * Free of cost where nothing has to be done: there, EDGE on epoll, fd is not looked at.
 * Errors: -ENOENT fd is not registered · -ENOMEM · -ECHILD.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_poll_rearm(struct rdy_poll *poll, int fd);

/*
 * Stop watching. When it has returned, no event of this registration comes out of rdy_events_next() any
 * more, not even one that was fetched before.
 * Errors: -ENOENT fd is not registered (or was closed without deregistering and is forgotten now) · -ECHILD.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_poll_deregister(struct rdy_poll *poll, int fd);

/* One of many, for rdy_poll_register_many(). Since: 0.1. */
struct rdy_registration {
	int fd;
	uint32_t interest;
	uint64_t token;
	uint32_t mode;
	int result; /* 0 or the -errno of rdy_poll_register(); written by the call */
};

/*
 * Register n descriptors as rdy_poll_register() does one by one, with one lock, and in one system call where the
 * selector can. One that is refused does not keep the others out.
 * Returns how many were registered; each one's result stands in it. Errors: -EINVAL a NULL argument · -EPIPE,
 *   -ECHILD as rdy_poll_register(): no result was written.
 * Thread: any. Since: 0.1.
 */
RDY_API ptrdiff_t rdy_poll_register_many(
	struct rdy_poll *poll, struct rdy_registration *registrations, size_t n);

/*
 * Wait until something is ready, the timeout has passed, or (RDY_POLL_RETURN_EINTR) a signal came.
 * Replaces what events held. timeout_ns: nanoseconds, rounded up to what the kernel can do; 0 = do not
 * wait, negative = for ever. A wait ends early only with events.
 * Returns the number of events fetched, 0 after the timeout. rdy_events_next() may still skip some, whose
 *   registration ended after the fetch.
 * Errors: -EINVAL a NULL argument · -EBUSY another thread is waiting · -EINTR only if asked for · -ENOMEM (poll(2)
 *   only) the kernel has no memory now · -EMFILE (poll(2) only) RLIMIT_NOFILE was lowered below what is
 *   registered · -ECHILD. The wait may be repeated.
 * Thread: one at a time. Since: 0.1.
 */
RDY_API int rdy_poll_wait(struct rdy_poll *poll, struct rdy_events *events, int64_t timeout_ns);

/*
 * Create a batch buffer for up to capacity events; what does not fit comes with the next wait.
 * Ownership: *ret is the caller's, freed with rdy_events_free().
 * Errors: -EINVAL capacity is 0 or over 1 000 000, ret is NULL · -ENOMEM.
 * Thread: any; the object then belongs to the waiting thread. Since: 0.1.
 */
RDY_API int rdy_events_new(size_t capacity, struct rdy_events **ret);

/* How many events fit. 0 if events is NULL. Thread: any. Since: 0.1. */
RDY_API size_t rdy_events_capacity(const struct rdy_events *events);

/* Forget the events that were not taken. They do not come again in mode EDGE. NULL is allowed.
 * Thread: owner. Since: 0.1. */
RDY_API void rdy_events_clear(struct rdy_events *events);

/* Free a batch. NULL is allowed. Returns NULL. Thread: owner. Since: 0.1. */
RDY_API struct rdy_events *rdy_events_free(struct rdy_events *events);

/*
 * Take the next event of the batch. Events of registrations that have ended since are skipped.
 * Returns 1 and fills *ret, or 0 at the end. Errors: none.
 * Thread: the waiting one. Since: 0.1.
 */
RDY_API int rdy_events_next(struct rdy_events *events, struct rdy_event *ret);

/*
 * Take up to n events of the batch at once: cheaper than one by one. What was taken is the caller's: if he ends a
 * registration while he goes through them, those of its events that he holds already are his to skip.
 * Returns how many there are in ret; fewer than n at the end. Errors: none.
 * Thread: the waiting one. Since: 0.1.
 */
RDY_API size_t rdy_events_take(struct rdy_events *events, struct rdy_event *ret, size_t n);

#ifdef __cplusplus
}
#endif
#endif
