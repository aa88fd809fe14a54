/* SPDX-License-Identifier: MIT */
/* Unix sockets: streams, listeners, datagrams. */
#include "ready/unix.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/socket.h"

/* A new socket of this type, bound; it listens if it is a stream. */
static int make_bound(int type, const struct rdy_addr *addr, uint32_t backlog, struct rdy_io **ret)
{
	struct rdy_io *io;
	int sock, r;

	if (!ret || !rdy__addr_is(addr, RDY__ADDR_UNIX))
		return -EINVAL;
	sock = rdy__socket_new(AF_UNIX, type);
	if (sock < 0)
		return sock;
	/* First: bind makes a path. */
	r = rdy__io_take(sock, RDY__IO_ANY, 0, &io);
	if (r < 0)
		return r;
	r = rdy__socket_bind(sock, addr);
	if (r == 0 && type == SOCK_STREAM) {
		r = rdy__socket_listen(sock, backlog);
		/* It was made a moment ago, and would refuse the next try with -EADDRINUSE. */
		if (r < 0 && rdy_addr_kind(addr) == RDY_ADDR_UNIX_PATH)
			(void)unlink(rdy_addr_name(addr, NULL));
	}
	if (r < 0) {
		rdy_io_free(io);
		return r;
	}
	*ret = io;
	return 0;
}

static int make_pair(int type, struct rdy_io **ret_a, struct rdy_io **ret_b)
{
	struct rdy_io *a;
	int sv[2], r;

	if (!ret_a || !ret_b)
		return -EINVAL;
	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	r = rdy__io_take(sv[0], RDY__IO_ANY, 0, &a);
	if (r < 0) {
		rdy__fd_close(sv[1]);
		return r;
	}
	r = rdy__io_take(sv[1], RDY__IO_ANY, 0, ret_b);
	if (r < 0) {
		rdy_io_free(a);
		return r;
	}
	*ret_a = a;
	return 0;
}

int rdy_unix_listen(const struct rdy_addr *addr, uint32_t backlog, struct rdy_io **ret)
{
	/* Before the path is made. */
	if (backlog > INT32_MAX)
		return -EINVAL;
	return make_bound(SOCK_STREAM, addr, backlog, ret);
}

int rdy_unix_accept(struct rdy_io *listener, struct rdy_addr *peer, struct rdy_io **ret)
{
	return rdy__socket_accept(listener, peer, ret);
}

int rdy_unix_connect(const struct rdy_addr *addr, struct rdy_io **ret)
{
	int sock, r;

	if (!ret || !rdy__addr_is(addr, RDY__ADDR_UNIX))
		return -EINVAL;
	sock = rdy__socket_new(AF_UNIX, SOCK_STREAM);
	if (sock < 0)
		return sock;
	r = rdy__socket_connect(sock, addr);
	if (r < 0) {
		rdy__fd_close(sock);
		return r;
	}
	return rdy__io_take(sock, RDY__IO_ANY, 0, ret);
}

int rdy_unix_pair(struct rdy_io **ret_a, struct rdy_io **ret_b)
{
	return make_pair(SOCK_STREAM, ret_a, ret_b);
}

int rdy_unix_datagram_bind(const struct rdy_addr *addr, struct rdy_io **ret)
{
	return make_bound(SOCK_DGRAM, addr, 0, ret);
}

int rdy_unix_datagram_unbound(struct rdy_io **ret)
{
	int sock;

	if (!ret)
		return -EINVAL;
	sock = rdy__socket_new(AF_UNIX, SOCK_DGRAM);
	return sock < 0 ? sock : rdy__io_take(sock, RDY__IO_ANY, 0, ret);
}

int rdy_unix_datagram_pair(struct rdy_io **ret_a, struct rdy_io **ret_b)
{
	return make_pair(SOCK_DGRAM, ret_a, ret_b);
}

int rdy_unix_datagram_connect(struct rdy_io *io, const struct rdy_addr *addr)
{
	if (!io || !rdy__addr_is(addr, RDY__ADDR_UNIX))
		return -EINVAL;
	return rdy__socket_connect(io->fd, addr);
}
