/* SPDX-License-Identifier: MIT */
/* UDP sockets. */
#include "ready/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "net/socket.h"

int rdy_udp_bind(const struct rdy_addr *addr, struct rdy_io **ret)
{
	int sock, r;

	if (!ret || !rdy__addr_is(addr, RDY__ADDR_IP))
		return -EINVAL;
	sock = rdy__socket_new(rdy__socket_family(addr), SOCK_DGRAM);
	if (sock < 0)
		return sock;
	r = rdy__socket_bind(sock, addr);
	if (r < 0) {
		rdy__fd_close(sock);
		return r;
	}
	return rdy__io_take(sock, RDY__IO_ANY, 0, ret);
}

int rdy_udp_connect(struct rdy_io *io, const struct rdy_addr *addr)
{
	if (!io || !rdy__addr_is(addr, RDY__ADDR_IP))
		return -EINVAL;
	return rdy__socket_connect(io->fd, addr);
}

int rdy_udp_set_broadcast(struct rdy_io *io, int on)
{
	return rdy__socket_set(io, SOL_SOCKET, SO_BROADCAST, on, 0, 1);
}

int rdy_udp_broadcast(struct rdy_io *io, int *ret)
{
	return rdy__socket_get(io, SOL_SOCKET, SO_BROADCAST, ret);
}

int rdy_udp_set_multicast_loop_v4(struct rdy_io *io, int on)
{
	return rdy__socket_set(io, IPPROTO_IP, IP_MULTICAST_LOOP, on, 0, 1);
}

int rdy_udp_multicast_loop_v4(struct rdy_io *io, int *ret)
{
	return rdy__socket_get(io, IPPROTO_IP, IP_MULTICAST_LOOP, ret);
}

int rdy_udp_set_multicast_ttl_v4(struct rdy_io *io, uint32_t ttl)
{
	return rdy__socket_set(io, IPPROTO_IP, IP_MULTICAST_TTL, ttl, 0, 255);
}

int rdy_udp_multicast_ttl_v4(struct rdy_io *io, uint32_t *ret)
{
	int value = 0,
	    r = ret ? rdy__socket_get(io, IPPROTO_IP, IP_MULTICAST_TTL, &value) : -EINVAL;

	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}

int rdy_udp_set_multicast_loop_v6(struct rdy_io *io, int on)
{
	return rdy__socket_set(io, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, on, 0, 1);
}

int rdy_udp_multicast_loop_v6(struct rdy_io *io, int *ret)
{
	return rdy__socket_get(io, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, ret);
}

int rdy_udp_only_v6(struct rdy_io *io, int *ret)
{
	return rdy__socket_get(io, IPPROTO_IPV6, IPV6_V6ONLY, ret);
}

static int membership_v4(
	struct rdy_io *io, int option, const struct rdy_addr *group, const struct rdy_addr *iface)
{
	struct ip_mreq m = {0};
	size_t n;

	if (!io || !rdy__addr_is(group, 1u << RDY_ADDR_V4) ||
		(iface && !rdy__addr_is(iface, 1u << RDY_ADDR_V4)))
		return -EINVAL;
	memcpy(&m.imr_multiaddr, rdy_addr_ip(group, &n), sizeof(m.imr_multiaddr));
	if (iface)
		memcpy(&m.imr_interface, rdy_addr_ip(iface, &n), sizeof(m.imr_interface));
	if (setsockopt(io->fd, IPPROTO_IP, option, &m, sizeof(m)) < 0)
		return rdy__socket_option_error();
	return 0;
}

int rdy_udp_join_v4(struct rdy_io *io, const struct rdy_addr *group, const struct rdy_addr *iface)
{
	return membership_v4(io, IP_ADD_MEMBERSHIP, group, iface);
}

int rdy_udp_leave_v4(struct rdy_io *io, const struct rdy_addr *group, const struct rdy_addr *iface)
{
	return membership_v4(io, IP_DROP_MEMBERSHIP, group, iface);
}

static int membership_v6(
	struct rdy_io *io, int option, const struct rdy_addr *group, uint32_t iface)
{
	struct ipv6_mreq m = {.ipv6mr_interface = iface};
	size_t n;

	if (!io || !rdy__addr_is(group, 1u << RDY_ADDR_V6))
		return -EINVAL;
	memcpy(&m.ipv6mr_multiaddr, rdy_addr_ip(group, &n), sizeof(m.ipv6mr_multiaddr));
	if (setsockopt(io->fd, IPPROTO_IPV6, option, &m, sizeof(m)) < 0)
		return rdy__socket_option_error();
	return 0;
}

int rdy_udp_join_v6(struct rdy_io *io, const struct rdy_addr *group, uint32_t iface)
{
	return membership_v6(io, IPV6_ADD_MEMBERSHIP, group, iface);
}

int rdy_udp_leave_v6(struct rdy_io *io, const struct rdy_addr *group, uint32_t iface)
{
	return membership_v6(io, IPV6_DROP_MEMBERSHIP, group, iface);
}
