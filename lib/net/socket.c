/* SPDX-License-Identifier: MIT */
/* What all sockets have. Threads: one at a time for one io. May not block. */
#include "ready/socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/socket.h"

/* Room for any address that accept(2) and the like may report, whatever the family. */
union address {
	struct sockaddr sa;
	struct sockaddr_storage storage;
};

bool rdy__addr_is(const struct rdy_addr *addr, uint32_t kinds)
{
	return addr && 1u << rdy_addr_kind(addr) & kinds;
}

int rdy__socket_family(const struct rdy_addr *addr)
{
	size_t n;

	return rdy_addr_sockaddr(addr, &n)->sa_family;
}

int rdy__socket_new(int family, int type)
{
	int sock = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return sock < 0 ? -errno : sock;
}

int rdy__socket_bind(int sock, const struct rdy_addr *addr)
{
	size_t n;
	const struct sockaddr *sa = rdy_addr_sockaddr(addr, &n);

	return bind(sock, sa, (socklen_t)n) < 0 ? -errno : 0;
}

int rdy__socket_connect(int sock, const struct rdy_addr *addr)
{
	size_t n;
	const struct sockaddr *sa = rdy_addr_sockaddr(addr, &n);
	int r;

	/* It does not block, so it is not interrupted half way (connect(2): EINTR only where it would wait). */
	do
		r = connect(sock, sa, (socklen_t)n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int rdy__socket_listen(int sock, uint32_t backlog)
{
	if (backlog > INT_MAX)
		return -EINVAL;
	/* The kernel cuts it to net.core.somaxconn. */
	return listen(sock, backlog ? (int)backlog : INT_MAX) < 0 ? -errno : 0;
}

int rdy__socket_accept(struct rdy_io *listener, struct rdy_addr *peer, struct rdy_io **ret)
{
	union address a;
	socklen_t n = sizeof(a);
	struct rdy_addr from = {0};
	struct rdy_io *io;
	int sock, r;

	if (!listener || !ret)
		return -EINVAL;
	/* First: a connection that was accepted and has no place would be lost. */
	io = rdy__io_alloc(RDY__IO_ANY, 0);
	if (!io)
		return -ENOMEM;
	do
		sock = accept4(listener->fd, &a.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (sock < 0 && errno == EINTR);
	if (sock < 0) {
		r = (int)rdy__io_done(listener, -errno);
		free(io);
		return r;
	}
	io->fd = sock;
	/* A connection whose address we do not know is one all the same. */
	if (peer) {
		(void)rdy_addr_from_sockaddr(&a.sa, n < sizeof(a) ? n : sizeof(a), &from);
		*peer = from;
	}
	*ret = io;
	return 0;
}

static int address_of(struct rdy_io *io, struct rdy_addr *ret,
	int (*get)(int sock, struct sockaddr *sa, socklen_t *n))
{
	union address a;
	socklen_t n = sizeof(a);

	if (!io || !ret)
		return -EINVAL;
	if (get(io->fd, &a.sa, &n) < 0)
		return -errno;
	return rdy_addr_from_sockaddr(&a.sa, n < sizeof(a) ? n : sizeof(a), ret);
}

int rdy_socket_local_addr(struct rdy_io *io, struct rdy_addr *ret)
{
	return address_of(io, ret, getsockname);
}

int rdy_socket_peer_addr(struct rdy_io *io, struct rdy_addr *ret)
{
	return address_of(io, ret, getpeername);
}

int rdy__socket_option_error(void)
{
	return errno == EOPNOTSUPP || errno == EPROTO ? -ENOPROTOOPT : -errno;
}

int rdy__socket_set(
	struct rdy_io *io, int level, int option, int64_t value, int64_t min, int64_t max)
{
	int v = (int)value;

	if (!io || value < min || value > max)
		return -EINVAL;
	if (setsockopt(io->fd, level, option, &v, sizeof(v)) < 0)
		return rdy__socket_option_error();
	return 0;
}

int rdy__socket_get(struct rdy_io *io, int level, int option, int *ret)
{
	int v = 0;
	socklen_t n = sizeof(v);

	if (!io || !ret)
		return -EINVAL;
	if (getsockopt(io->fd, level, option, &v, &n) < 0)
		return rdy__socket_option_error();
	*ret = v;
	return 0;
}

int rdy_socket_take_error(struct rdy_io *io, int *ret)
{
	return rdy__socket_get(io, SOL_SOCKET, SO_ERROR, ret);
}

int rdy_socket_shutdown(struct rdy_io *io, uint32_t how)
{
	static const int hows[] = {
		[RDY_SHUT_READ] = SHUT_RD,
		[RDY_SHUT_WRITE] = SHUT_WR,
		[RDY_SHUT_READ | RDY_SHUT_WRITE] = SHUT_RDWR,
	};

	if (!io || how == 0 || how > (RDY_SHUT_READ | RDY_SHUT_WRITE))
		return -EINVAL;
	return shutdown(io->fd, hows[how]) < 0 ? -errno : 0;
}

static ptrdiff_t receive(
	struct rdy_io *io, void *buf, size_t n_bytes, int flags, struct rdy_addr *from)
{
	union address a;
	socklen_t n;
	ssize_t r;

	if (!io || (!buf && n_bytes))
		return -EINVAL;
	do {
		n = sizeof(a);
		r = recvfrom(io->fd, buf, n_bytes, flags, from ? &a.sa : NULL, from ? &n : NULL);
	} while (r < 0 && errno == EINTR);
	/* A stream socket does not say whom it is from, nor does a datagram socket that has no name. */
	if (r >= 0 && from &&
		rdy_addr_from_sockaddr(&a.sa, n < sizeof(a) ? n : sizeof(a), from) < 0)
		*from = (struct rdy_addr){0};
	return rdy__io_done(io, r < 0 ? -errno : r);
}

ptrdiff_t rdy_socket_recv(struct rdy_io *io, void *buf, size_t n_bytes)
{
	return receive(io, buf, n_bytes, 0, NULL);
}

ptrdiff_t rdy_socket_peek(struct rdy_io *io, void *buf, size_t n_bytes)
{
	return receive(io, buf, n_bytes, MSG_PEEK, NULL);
}

ptrdiff_t rdy_socket_recv_from(struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from)
{
	return receive(io, buf, n_bytes, 0, from);
}

ptrdiff_t rdy_socket_peek_from(struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from)
{
	return receive(io, buf, n_bytes, MSG_PEEK, from);
}

static ptrdiff_t transmit(struct rdy_io *io, const void *buf, size_t n_bytes,
	const struct sockaddr *sa, size_t sa_bytes)
{
	ssize_t r;

	do
		r = sendto(io->fd, buf, n_bytes, MSG_NOSIGNAL, sa, (socklen_t)sa_bytes);
	while (r < 0 && errno == EINTR);
	return rdy__io_done(io, r < 0 ? -errno : r);
}

ptrdiff_t rdy_socket_send(struct rdy_io *io, const void *buf, size_t n_bytes)
{
	if (!io || (!buf && n_bytes))
		return -EINVAL;
	return transmit(io, buf, n_bytes, NULL, 0);
}

ptrdiff_t rdy_socket_send_to(
	struct rdy_io *io, const void *buf, size_t n_bytes, const struct rdy_addr *to)
{
	const struct sockaddr *sa;
	size_t n;

	if (!io || (!buf && n_bytes) || !rdy__addr_is(to, RDY__ADDR_IP | RDY__ADDR_UNIX))
		return -EINVAL;
	sa = rdy_addr_sockaddr(to, &n);
	return transmit(io, buf, n_bytes, sa, n);
}

/* The time to live is another option for each family. */
static int ttl_option(struct rdy_io *io, int *ret_level, int *ret_option)
{
	int family = 0, r = rdy__socket_get(io, SOL_SOCKET, SO_DOMAIN, &family);

	if (r < 0)
		return r;
	if (family != AF_INET && family != AF_INET6)
		return -ENOPROTOOPT;
	*ret_level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	*ret_option = family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS;
	return 0;
}

int rdy_socket_set_ttl(struct rdy_io *io, uint32_t ttl)
{
	int level = 0, option = 0, r;

	if (!io || ttl == 0 || ttl > 255)
		return -EINVAL;
	r = ttl_option(io, &level, &option);
	return r < 0 ? r : rdy__socket_set(io, level, option, ttl, 1, 255);
}

int rdy_socket_ttl(struct rdy_io *io, uint32_t *ret)
{
	int level = 0, option = 0, value = 0, r;

	if (!io || !ret)
		return -EINVAL;
	r = ttl_option(io, &level, &option);
	if (r == 0)
		r = rdy__socket_get(io, level, option, &value);
	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}
