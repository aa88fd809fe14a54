/* SPDX-License-Identifier: MIT */
/* libready: UDP sockets. Each is an io; sending and receiving is in ready/socket.h. */
#ifndef READY_UDP_H
#define READY_UDP_H

#include <ready/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A UDP socket bound to addr.
 * Errors: -EINVAL NULL, no IP address · -EADDRINUSE · -EADDRNOTAVAIL · -EACCES · -EAFNOSUPPORT · -EMFILE,
 *   -ENFILE, -ENOBUFS, -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_udp_bind(const struct rdy_addr *addr, struct rdy_io **ret);

/*
 * Connect: rdy_socket_send() goes there, and what comes from elsewhere is dropped. May be done again.
 * Errors: -EINVAL NULL, no IP address · -ENOTSOCK · -ENETUNREACH · -EACCES a broadcast address without
 *   rdy_udp_set_broadcast() · -EAFNOSUPPORT · -EINPROGRESS and those of rdy_tcp_connect() if it is a TCP socket.
 * Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_udp_connect(struct rdy_io *io, const struct rdy_addr *addr);

/*
 * Options, on or off (1 or 0), or a number: SO_BROADCAST, IP_MULTICAST_LOOP, IP_MULTICAST_TTL (0 to 255),
 * IPV6_MULTICAST_LOOP, IPV6_V6ONLY.
 * Errors: -EINVAL NULL, another value, IP_MULTICAST_TTL of a TCP socket · -ENOTSOCK · -ENOPROTOOPT no socket of that
 *   family, no UDP.
 * Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_udp_set_broadcast(struct rdy_io *io, int on);
RDY_API int rdy_udp_broadcast(struct rdy_io *io, int *ret);
RDY_API int rdy_udp_set_multicast_loop_v4(struct rdy_io *io, int on);
RDY_API int rdy_udp_multicast_loop_v4(struct rdy_io *io, int *ret);
RDY_API int rdy_udp_set_multicast_ttl_v4(struct rdy_io *io, uint32_t ttl);
RDY_API int rdy_udp_multicast_ttl_v4(struct rdy_io *io, uint32_t *ret);
RDY_API int rdy_udp_set_multicast_loop_v6(struct rdy_io *io, int on);
RDY_API int rdy_udp_multicast_loop_v6(struct rdy_io *io, int *ret);
RDY_API int rdy_udp_only_v6(struct rdy_io *io, int *ret);

/*
 * Join or leave a multicast group. group: its address, the port does not matter; v4: at the interface that has
 * the address iface (NULL = the system's choice); v6: at that of the number iface (0 = the same).
 * Errors: -EINVAL NULL, no address of that family, no multicast address · -ENODEV no such interface, or no
 *   route · -EADDRINUSE joined already · -EADDRNOTAVAIL (leave) not joined · -ENOTSOCK · -ENOPROTOOPT as above ·
 *   -ENOBUFS. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_udp_join_v4(
	struct rdy_io *io, const struct rdy_addr *group, const struct rdy_addr *iface);
RDY_API int rdy_udp_leave_v4(
	struct rdy_io *io, const struct rdy_addr *group, const struct rdy_addr *iface);
RDY_API int rdy_udp_join_v6(struct rdy_io *io, const struct rdy_addr *group, uint32_t iface);
RDY_API int rdy_udp_leave_v6(struct rdy_io *io, const struct rdy_addr *group, uint32_t iface);

#ifdef __cplusplus
}
#endif
#endif
