/* SPDX-License-Identifier: MIT */
/* What the kinds of sockets share: making, binding, accepting, and options. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/io.h"
#include "ready/addr.h"

/* Is it an address of these kinds (1 << RDY_ADDR_...)? NULL is not. */
bool rdy__addr_is(const struct rdy_addr *addr, uint32_t kinds);

#define RDY__ADDR_IP (1u << RDY_ADDR_V4 | 1u << RDY_ADDR_V6)
#define RDY__ADDR_UNIX (1u << RDY_ADDR_UNIX_PATH | 1u << RDY_ADDR_UNIX_ABSTRACT)

/* A socket that does not block. Returns the descriptor or -errno. */
int rdy__socket_new(int family, int type);

int rdy__socket_family(const struct rdy_addr *addr);

int rdy__socket_bind(int sock, const struct rdy_addr *addr);

/* connect(2), repeated when interrupted. Returns 0 or -errno, -EINPROGRESS too. */
int rdy__socket_connect(int sock, const struct rdy_addr *addr);

/* listen(2). Errors: -EINVAL backlog above INT_MAX · as listen(2). */
int rdy__socket_listen(int sock, uint32_t backlog);

/* Errors: as rdy_tcp_accept(). */
int rdy__socket_accept(struct rdy_io *listener, struct rdy_addr *peer, struct rdy_io **ret);

/*
 * errno of an option that failed, negative. For one of another kind of socket the kernel says ENOPROTOOPT,
 * EOPNOTSUPP or EPROTO, one to set it and another to get it; here it is -ENOPROTOOPT.
 */
int rdy__socket_option_error(void);

/* An option that is an int. Errors: -EINVAL io is NULL, the value out of range · as setsockopt(2), as above. */
int rdy__socket_set(
	struct rdy_io *io, int level, int option, int64_t value, int64_t min, int64_t max);
int rdy__socket_get(struct rdy_io *io, int level, int option, int *ret);

#endif
