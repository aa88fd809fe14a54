/* SPDX-License-Identifier: MIT */
/*
 * libready: what all sockets have. Each of them is an io (ready/io.h): non-blocking, closed on exec, freed with
 * rdy_io_free(). The kinds: ready/tcp.h, ready/udp.h, ready/unix.h.
 */
#ifndef READY_SOCKET_H
#define READY_SOCKET_H

#include <ready/addr.h>
#include <ready/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What rdy_socket_shutdown() ends. Since: 0.1. */
#define RDY_SHUT_READ 1u
#define RDY_SHUT_WRITE 2u

/*
 * The socket's own address, or that of the peer it is connected to.
 * Errors: -EINVAL NULL · -ENOTSOCK · -ENOTCONN (peer) not connected, or not yet · -EAFNOSUPPORT an address
 *   of another family · -ENOBUFS.
 * Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_socket_local_addr(struct rdy_io *io, struct rdy_addr *ret);
RDY_API int rdy_socket_peer_addr(struct rdy_io *io, struct rdy_addr *ret);

/*
 * Take the pending error: *ret is an errno value, 0 = none; it is cleared. After a connect: its result.
 * Errors: -EINVAL NULL · -ENOTSOCK. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_socket_take_error(struct rdy_io *io, int *ret);

/* End one direction or both: how is RDY_SHUT_READ, RDY_SHUT_WRITE or their union.
 * Errors: -EINVAL NULL, another how · -ENOTSOCK · -ENOTCONN. Thread: the io's. Since: 0.1. */
RDY_API int rdy_socket_shutdown(struct rdy_io *io, uint32_t how);

/*
 * Receive; peek: leave the data where it is. A datagram that is longer than buf is cut. from may be NULL.
 * Returns bytes; 0 at the end of a stream, or for an empty datagram.
 * Errors: -EINVAL NULL · -ENOTSOCK · -EAGAIN · -ENOTCONN · -ECONNREFUSED, -ECONNRESET · -ENOMEM.
 * Thread: the io's. Since: 0.1.
 */
RDY_API ptrdiff_t rdy_socket_recv(struct rdy_io *io, void *buf, size_t n_bytes);
RDY_API ptrdiff_t rdy_socket_peek(struct rdy_io *io, void *buf, size_t n_bytes);
RDY_API ptrdiff_t rdy_socket_recv_from(
	struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from);
RDY_API ptrdiff_t rdy_socket_peek_from(
	struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from);

/*
 * Send, to the peer or to an address, without SIGPIPE. Returns bytes.
 * A unix datagram socket that is not connected to the receiver gets no event for -EAGAIN: whether there is room is
 * the receiver's, and only a peer is told (it may be told of room that is none, too). Connect it, or try later.
 * Errors: -EINVAL NULL, an address of no kind · -ENOTSOCK · -EAGAIN · -EDESTADDRREQ, -ENOTCONN no peer · -EISCONN
 *   an address for a connected socket, where the system minds · -EMSGSIZE · -EPIPE · -ECONNREFUSED · others as
 *   sendto(2). Thread: the io's. Since: 0.1.
 */
RDY_API ptrdiff_t rdy_socket_send(struct rdy_io *io, const void *buf, size_t n_bytes);
RDY_API ptrdiff_t rdy_socket_send_to(
	struct rdy_io *io, const void *buf, size_t n_bytes, const struct rdy_addr *to);

/*
 * Time to live of what is sent (IP_TTL; for IPv6 the hop limit), 1 to 255.
 * Errors: -EINVAL NULL, out of range · -ENOTSOCK · -ENOPROTOOPT no IP socket. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_socket_set_ttl(struct rdy_io *io, uint32_t ttl);
RDY_API int rdy_socket_ttl(struct rdy_io *io, uint32_t *ret);

#ifdef __cplusplus
}
#endif
#endif
