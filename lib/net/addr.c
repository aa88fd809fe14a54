/* SPDX-License-Identifier: MIT */
/* Socket addresses as values. Threads: any. May not believe a length that came from elsewhere. */
#include "ready/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define PATH_ROOM (sizeof(struct sockaddr_un) - PATH_OFFSET)

/* What struct rdy_addr.raw holds. */
union raw {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
	/* A path of 108 bytes fills sun_path; ours has its final 0 behind. */
	char longest[sizeof(struct sockaddr_un) + 1];
};

_Static_assert(sizeof(union raw) <= sizeof(((struct rdy_addr *)NULL)->raw), "every kind fits");

static void put(struct rdy_addr *ret, const union raw *raw, size_t n_bytes)
{
	*ret = (struct rdy_addr){.n_bytes = (uint32_t)n_bytes};
	memcpy(ret->raw, raw, n_bytes);
}

static union raw get(const struct rdy_addr *addr)
{
	union raw raw;

	memcpy(&raw, addr->raw, sizeof(raw));
	return raw;
}

int rdy_addr_v4(const uint8_t ip[4], uint16_t port, struct rdy_addr *ret)
{
	union raw raw = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};

	if (!ip || !ret)
		return -EINVAL;
	memcpy(&raw.v4.sin_addr, ip, 4);
	put(ret, &raw, sizeof(raw.v4));
	return 0;
}

int rdy_addr_v6(const uint8_t ip[16], uint16_t port, uint32_t scope, struct rdy_addr *ret)
{
	union raw raw = {
		.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope}};

	if (!ip || !ret)
		return -EINVAL;
	memcpy(&raw.v6.sin6_addr, ip, 16);
	put(ret, &raw, sizeof(raw.v6));
	return 0;
}

static int put_name(const void *name, size_t n_bytes, bool abstract, struct rdy_addr *ret)
{
	union raw raw = {.longest = ""};

	if (n_bytes > PATH_ROOM - abstract)
		return -ENAMETOOLONG;
	raw.un.sun_family = AF_UNIX;
	if (n_bytes)
		memcpy(raw.longest + PATH_OFFSET + abstract, name, n_bytes);
	put(ret, &raw, PATH_OFFSET + n_bytes + 1);
	return 0;
}

int rdy_addr_unix_path(const char *path, size_t n_bytes, struct rdy_addr *ret)
{
	if (!path || !ret || n_bytes == 0 || memchr(path, 0, n_bytes))
		return -EINVAL;
	return put_name(path, n_bytes, false, ret);
}

int rdy_addr_unix_abstract(const void *name, size_t n_bytes, struct rdy_addr *ret)
{
	if (!ret || (!name && n_bytes))
		return -EINVAL;
	return put_name(name, n_bytes, true, ret);
}

/*
 * unix(7): "unnamed" is the family alone; a leading 0 makes the rest a name of exactly the length given; a path ends
 * with a 0 or with the length, and the system may count a final 0 or not.
 */
static int from_unix(const union raw *raw, size_t n_bytes, struct rdy_addr *ret)
{
	const char *path = raw->un.sun_path;
	size_t n = n_bytes - PATH_OFFSET;

	if (n == 0) {
		put(ret, raw, PATH_OFFSET);
		return 0;
	}
	if (path[0])
		return rdy_addr_unix_path(path, strnlen(path, n), ret);
	return rdy_addr_unix_abstract(path + 1, n - 1, ret);
}

int rdy_addr_from_sockaddr(const struct sockaddr *sa, size_t n_bytes, struct rdy_addr *ret)
{
	union raw raw = {.longest = ""};

	if (!sa || !ret || n_bytes < sizeof(sa->sa_family))
		return -EINVAL;
	memcpy(&raw, sa, n_bytes < sizeof(raw) ? n_bytes : sizeof(raw));
	switch (raw.sa.sa_family) {
	case AF_INET:
		if (n_bytes < sizeof(raw.v4))
			return -EINVAL;
		return rdy_addr_v4((const uint8_t *)&raw.v4.sin_addr, ntohs(raw.v4.sin_port), ret);
	case AF_INET6:
		if (n_bytes < sizeof(raw.v6))
			return -EINVAL;
		put(ret, &raw, sizeof(raw.v6));
		return 0;
	case AF_UNIX:
		/* A path of the full length has its final 0 counted behind the structure by accept(2). */
		if (n_bytes > sizeof(raw.un) + 1)
			return -EINVAL;
		return from_unix(&raw, n_bytes < sizeof(raw.un) ? n_bytes : sizeof(raw.un), ret);
	default:
		return -EAFNOSUPPORT;
	}
}

uint32_t rdy_addr_kind(const struct rdy_addr *addr)
{
	union raw raw;

	if (!addr || addr->n_bytes < sizeof(raw.sa.sa_family))
		return RDY_ADDR_NONE;
	raw = get(addr);
	switch (raw.sa.sa_family) {
	case AF_INET:
		return RDY_ADDR_V4;
	case AF_INET6:
		return RDY_ADDR_V6;
	case AF_UNIX:
		return addr->n_bytes == PATH_OFFSET ? RDY_ADDR_UNIX_UNNAMED
		       : raw.un.sun_path[0]	    ? RDY_ADDR_UNIX_PATH
						    : RDY_ADDR_UNIX_ABSTRACT;
	default:
		return RDY_ADDR_NONE;
	}
}

const struct sockaddr *rdy_addr_sockaddr(const struct rdy_addr *addr, size_t *ret_bytes)
{
	if (rdy_addr_kind(addr) == RDY_ADDR_NONE)
		return NULL;
	if (ret_bytes)
		*ret_bytes = addr->n_bytes < sizeof(struct sockaddr_un)
				     ? addr->n_bytes
				     : sizeof(struct sockaddr_un);
	return (const struct sockaddr *)(const void *)addr->raw;
}

int rdy_addr_equal(const struct rdy_addr *a, const struct rdy_addr *b)
{
	union raw x, y;

	if (!a || !b || rdy_addr_kind(a) != rdy_addr_kind(b) || a->n_bytes != b->n_bytes)
		return 0;
	x = get(a);
	y = get(b);
	/* The flow label is no part of who it is. */
	if (rdy_addr_kind(a) == RDY_ADDR_V6)
		x.v6.sin6_flowinfo = y.v6.sin6_flowinfo = 0;
	return memcmp(&x, &y, a->n_bytes) == 0;
}

uint16_t rdy_addr_port(const struct rdy_addr *addr)
{
	switch (rdy_addr_kind(addr)) {
	case RDY_ADDR_V4:
		return ntohs(get(addr).v4.sin_port);
	case RDY_ADDR_V6:
		return ntohs(get(addr).v6.sin6_port);
	default:
		return 0;
	}
}

uint32_t rdy_addr_scope(const struct rdy_addr *addr)
{
	return rdy_addr_kind(addr) == RDY_ADDR_V6 ? get(addr).v6.sin6_scope_id : 0;
}

const uint8_t *rdy_addr_ip(const struct rdy_addr *addr, size_t *ret_bytes)
{
	const uint8_t *raw;
	uint32_t kind = rdy_addr_kind(addr);

	if (kind != RDY_ADDR_V4 && kind != RDY_ADDR_V6)
		return NULL;
	if (ret_bytes)
		*ret_bytes = kind == RDY_ADDR_V4 ? 4 : 16;
	raw = (const uint8_t *)addr->raw;
	return raw + (kind == RDY_ADDR_V4 ? offsetof(struct sockaddr_in, sin_addr)
					  : offsetof(struct sockaddr_in6, sin6_addr));
}

const char *rdy_addr_name(const struct rdy_addr *addr, size_t *ret_bytes)
{
	uint32_t kind = rdy_addr_kind(addr);

	if (kind != RDY_ADDR_UNIX_PATH && kind != RDY_ADDR_UNIX_ABSTRACT)
		return NULL;
	if (ret_bytes)
		*ret_bytes = addr->n_bytes - PATH_OFFSET - 1;
	return (const char *)addr->raw + PATH_OFFSET + (kind == RDY_ADDR_UNIX_ABSTRACT);
}
