/* SPDX-License-Identifier: MIT */
/* libready: unix sockets: streams, listeners, datagrams. Each is an io; the rest is in ready/socket.h. */
#ifndef READY_UNIX_H
#define READY_UNIX_H

#include <ready/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Listen at a path or an abstract name. A path is created and remains when the listener is freed.
 * backlog: as rdy_tcp_listen(). Ownership: *ret is freed with rdy_io_free().
 * Errors: -EINVAL NULL, no unix address with a name, backlog above INT_MAX · -EADDRINUSE somebody has it, or the
 *   path exists · -EACCES, -ENOENT, -ENOTDIR, -EROFS the folder · -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_unix_listen(const struct rdy_addr *addr, uint32_t backlog, struct rdy_io **ret);

/*
 * Accept a connection. *peer, if not NULL, is its address: unnamed, as a rule.
 * Errors: as rdy_tcp_accept(). Thread: the listener's. Since: 0.1.
 */
RDY_API int rdy_unix_accept(struct rdy_io *listener, struct rdy_addr *peer, struct rdy_io **ret);

/*
 * Connect a stream. It is connected when this returns.
 * Errors: -EINVAL NULL, no unix address with a name · -EAGAIN the listener's queue is full: there is no event
 *   for it, try later · -ECONNREFUSED nobody listens · -ENOENT, -ENOTDIR · -EACCES · -EPROTOTYPE no stream
 *   listens there · -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_unix_connect(const struct rdy_addr *addr, struct rdy_io **ret);

/* Two streams, connected to each other.
 * Errors: -EINVAL NULL · -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM. Thread: any. Since: 0.1. */
RDY_API int rdy_unix_pair(struct rdy_io **ret_a, struct rdy_io **ret_b);

/*
 * A datagram socket: bound to an address, unbound, or two that are connected to each other.
 * Errors: as rdy_unix_listen(). Thread: any. Since: 0.1.
 */
RDY_API int rdy_unix_datagram_bind(const struct rdy_addr *addr, struct rdy_io **ret);
RDY_API int rdy_unix_datagram_unbound(struct rdy_io **ret);
RDY_API int rdy_unix_datagram_pair(struct rdy_io **ret_a, struct rdy_io **ret_b);

/*
 * Connect a datagram socket: what it sends goes there, what comes from elsewhere is refused. May be repeated.
 * Errors: -EINVAL NULL, no unix address with a name · -ENOTSOCK · -ECONNREFUSED, -ENOENT, -ENOTDIR nobody
 *   there · -EACCES · -EPROTOTYPE no datagram socket there · -EPERM connected to another one.
 * Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_unix_datagram_connect(struct rdy_io *io, const struct rdy_addr *addr);

#ifdef __cplusplus
}
#endif
#endif
