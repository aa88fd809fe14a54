/* SPDX-License-Identifier: MIT */
/*
 * libready: the registry of a poll, as a handle of its own: what another part of a program needs to register
 * there, and nothing else. It may outlive the poll: then every call answers -EPIPE.
 */
#ifndef READY_REGISTRY_H
#define READY_REGISTRY_H

#include <ready/poll.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rdy_registry;

/*
 * The registry of a poll, which owns it: valid as long as the poll; rdy_registry_ref() to keep it longer.
 * Returns NULL if poll is NULL. Thread: any. Since: 0.1.
 */
RDY_API struct rdy_registry *rdy_poll_registry(struct rdy_poll *poll);

/* One more owner; returns registry. NULL is allowed. Thread: any. Since: 0.1. */
RDY_API struct rdy_registry *rdy_registry_ref(struct rdy_registry *registry);

/* One owner less; the last one frees it. NULL is allowed. Returns NULL. Thread: any. Since: 0.1. */
RDY_API struct rdy_registry *rdy_registry_unref(struct rdy_registry *registry);

/* rdy_poll_caps() of the registry's poll, also after it was freed. 0 if registry is NULL. Thread: any. Since: 0.1. */
RDY_API uint32_t rdy_registry_caps(const struct rdy_registry *registry);

/*
 * rdy_poll_register(), rdy_poll_modify(), rdy_poll_rearm(), rdy_poll_deregister() of the registry's poll.
 * Ownership: fd is borrowed until it is deregistered.
 * Errors: theirs · -EPIPE the poll was freed, and the registration with it.
 * Thread: any, also while the poll is freed. Since: 0.1.
 */
RDY_API int rdy_registry_register(
	struct rdy_registry *registry, int fd, uint64_t token, uint32_t interest, uint32_t mode);
RDY_API int rdy_registry_modify(
	struct rdy_registry *registry, int fd, uint64_t token, uint32_t interest, uint32_t mode);
RDY_API int rdy_registry_rearm(struct rdy_registry *registry, int fd);
RDY_API int rdy_registry_deregister(struct rdy_registry *registry, int fd);

#ifdef __cplusplus
}
#endif
#endif
