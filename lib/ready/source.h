/* SPDX-License-Identifier: MIT */
/*
 * libready: sources: things that can be registered, whatever they are made of. A source knows where it is
 * registered, so that it can be in one poll at a time, and nobody can modify it in another one.
 *
 * To make one, put a struct rdy_source into a structure of your own, init it with operations that register
 * what it is made of (descriptors, other sources, a waker of a thread), and give &it to the calls below.
 */
#ifndef READY_SOURCE_H
#define READY_SOURCE_H

#include <ready/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rdy_source;

/*
 * What a kind of source does. Each returns 0 or -errno, which the caller of rdy_source_...() gets as it is.
 * One that fails must leave the source as it was: not registered, or registered as before.
 * They are called with valid arguments only, and only in the order register, (modify | rearm)*, deregister.
 */
struct rdy_source_ops {
	int (*add)(struct rdy_source *source, struct rdy_registry *registry, uint64_t token,
		uint32_t interest, uint32_t mode);
	int (*modify)(struct rdy_source *source, struct rdy_registry *registry, uint64_t token,
		uint32_t interest, uint32_t mode);
	int (*rearm)(struct rdy_source *source, struct rdy_registry *registry);
	/* Errors: -ENOENT it was gone already; the source counts as deregistered then, too. */
	int (*remove)(struct rdy_source *source, struct rdy_registry *registry);
};

/* Its fields are the library's. Since: 0.1. */
struct rdy_source {
	const struct rdy_source_ops *ops;
	struct rdy_registry *registry; /* where it is registered, a reference; NULL = nowhere */
	uint32_t mode;		       /* as registered */
	uint32_t pad0;
};

/*
 * Make a source. ops is borrowed as long as the source lives. Errors: none.
 * Thread: that of the source: one at a time, for all calls on it. Since: 0.1.
 */
RDY_API void rdy_source_init(struct rdy_source *source, const struct rdy_source_ops *ops);

/*
 * Deregister the source if it is registered; what it is made of remains. Before its memory is freed. Legal on
 * zeroed memory. Errors: none: a poll that was freed has forgotten it.
 * Thread: the source's. Since: 0.1.
 */
RDY_API void rdy_source_deinit(struct rdy_source *source);

/*
 * Register a source. token, interest, mode as for rdy_poll_register().
 * Errors: -EINVAL a NULL argument, or as rdy_poll_register() · -EEXIST it is registered there already ·
 *   -EBUSY it is registered in another poll: deregister first · -EPIPE the poll was freed · -ECHILD after
 *   fork · what its operation answers: for what the library makes, as rdy_poll_register().
 *   On error nothing has changed, and the call may be repeated.
 * Thread: the source's, whichever thread waits. Since: 0.1.
 */
RDY_API int rdy_source_register(struct rdy_source *source, struct rdy_registry *registry,
	uint64_t token, uint32_t interest, uint32_t mode);

/*
 * Replace token, interest and mode. Readiness that is there now is reported again.
 * Errors: -EINVAL as register · -ENOENT it is not registered · -EPIPE the poll was freed · -ECHILD · what its
 *   operation answers. On error nothing has changed.
 * Thread: the source's. Since: 0.1.
 */
RDY_API int rdy_source_modify(
	struct rdy_source *source, uint64_t token, uint32_t interest, uint32_t mode);

/* As rdy_poll_rearm(). Errors: -EINVAL · -ENOENT · -EPIPE · -ECHILD · what its operation answers.
 * Thread: the source's. Since: 0.1. */
RDY_API int rdy_source_rearm(struct rdy_source *source);

/*
 * Stop watching; no event of it comes out any more, as with rdy_poll_deregister(). It may be registered again,
 * in the same poll or another one.
 * Errors: -EINVAL · -ENOENT it is not registered, or its descriptor was closed behind its back · -EPIPE the
 *   poll was freed · -ECHILD. After each of them it counts as deregistered.
 * Thread: the source's. Since: 0.1.
 */
RDY_API int rdy_source_deregister(struct rdy_source *source);

/* Is it registered (1 or 0)? With a poll that was freed: still 1. Errors: none.
 * Thread: the source's. Since: 0.1. */
RDY_API int rdy_source_is_registered(const struct rdy_source *source);

#ifdef __cplusplus
}
#endif
#endif
