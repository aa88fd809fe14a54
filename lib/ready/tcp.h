/* SPDX-License-Identifier: MIT */
/* libready: TCP listeners and streams. Each is an io; what all sockets have is in ready/socket.h. */
#ifndef READY_TCP_H
#define READY_TCP_H

#include <ready/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Listen at addr, with SO_REUSEADDR, so that a restart is not refused by what is left of old connections.
 * backlog: connections that wait for accept; 0 = the system's most.
 * Ownership: *ret is freed with rdy_io_free(); addr is borrowed until return.
 * Errors: -EINVAL NULL, no IP address, backlog above INT_MAX · -EADDRINUSE · -EADDRNOTAVAIL · -EACCES a port
 *   below 1024 · -EAFNOSUPPORT no IPv6 here · -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_tcp_listen(const struct rdy_addr *addr, uint32_t backlog, struct rdy_io **ret);

/*
 * Accept a connection. *peer, if not NULL, is where it comes from; of no kind if it is none of RDY_ADDR_...
 * Errors: -EINVAL NULL · -EAGAIN none now · -ECONNABORTED it is gone again: try the next · -EMFILE, -ENFILE: it
 *   stays in the queue, and mode EDGE will not tell again · -ENOBUFS, -ENOMEM · others as accept(2).
 * Thread: the listener's. Since: 0.1.
 */
RDY_API int rdy_tcp_accept(struct rdy_io *listener, struct rdy_addr *peer, struct rdy_io **ret);

/*
 * Begin to connect; returns before it is connected. Register the stream as RDY_WRITABLE; after the event
 * rdy_socket_take_error() has the result, and rdy_socket_peer_addr() fails with -ENOTCONN while it lasts.
 * Errors: -EINVAL NULL, no IP address · -ECONNREFUSED, -ENETUNREACH, -EADDRNOTAVAIL known at once ·
 *   -EAFNOSUPPORT · -EACCES, -EPERM a firewall · -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_tcp_connect(const struct rdy_addr *addr, struct rdy_io **ret);

/* TCP_NODELAY: send small pieces at once (1 or 0).
 * Errors: -EINVAL NULL, another value · -ENOTSOCK · -ENOPROTOOPT no TCP. Thread: the io's. Since: 0.1. */
RDY_API int rdy_tcp_set_nodelay(struct rdy_io *io, int on);
RDY_API int rdy_tcp_nodelay(struct rdy_io *io, int *ret);

#ifdef __cplusplus
}
#endif
#endif
