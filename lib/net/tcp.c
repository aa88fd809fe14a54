/* SPDX-License-Identifier: MIT */
/* TCP listeners and streams. */
#include "ready/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "net/socket.h"

int rdy_tcp_listen(const struct rdy_addr *addr, uint32_t backlog, struct rdy_io **ret)
{
	const int one = 1;
	int sock, r = 0;

	if (!ret || !rdy__addr_is(addr, RDY__ADDR_IP))
		return -EINVAL;
	sock = rdy__socket_new(rdy__socket_family(addr), SOCK_STREAM);
	if (sock < 0)
		return sock;
	if (setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		r = -errno;
	if (r == 0)
		r = rdy__socket_bind(sock, addr);
	if (r == 0)
		r = rdy__socket_listen(sock, backlog);
	if (r < 0) {
		rdy__fd_close(sock);
		return r;
	}
	return rdy__io_take(sock, RDY__IO_ANY, 0, ret);
}

int rdy_tcp_accept(struct rdy_io *listener, struct rdy_addr *peer, struct rdy_io **ret)
{
	return rdy__socket_accept(listener, peer, ret);
}

int rdy_tcp_connect(const struct rdy_addr *addr, struct rdy_io **ret)
{
	int sock, r;

	if (!ret || !rdy__addr_is(addr, RDY__ADDR_IP))
		return -EINVAL;
	sock = rdy__socket_new(rdy__socket_family(addr), SOCK_STREAM);
	if (sock < 0)
		return sock;
	r = rdy__socket_connect(sock, addr);
	if (r < 0 && r != -EINPROGRESS) {
		rdy__fd_close(sock);
		return r;
	}
	return rdy__io_take(sock, RDY__IO_ANY, 0, ret);
}

int rdy_tcp_set_nodelay(struct rdy_io *io, int on)
{
	return rdy__socket_set(io, IPPROTO_TCP, TCP_NODELAY, on, 0, 1);
}

int rdy_tcp_nodelay(struct rdy_io *io, int *ret)
{
	return rdy__socket_get(io, IPPROTO_TCP, TCP_NODELAY, ret);
}
