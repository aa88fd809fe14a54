/* SPDX-License-Identifier: MIT */
/*
 * libready: socket addresses as values: IPv4, IPv6 with scope, unix path, abstract name, unnamed.
 *
 * Text, as parsed and printed:
 *   127.0.0.1:80   [::1]:80   [fe80::1%2]:80 or [fe80::1%eth0]:80   unix:/run/x   unix:@name   unix:
 * A byte of a path or name that does not print, a space, and '%' stand as %XX.
 */
#ifndef READY_ADDR_H
#define READY_ADDR_H

#include <ready/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;

/* Kinds of addresses. Since: 0.1. */
#define RDY_ADDR_NONE 0u /* a zeroed struct rdy_addr */
#define RDY_ADDR_V4 1u
#define RDY_ADDR_V6 2u
#define RDY_ADDR_UNIX_PATH 3u
#define RDY_ADDR_UNIX_ABSTRACT 4u /* Linux: a name that is no path, unix(7) */
#define RDY_ADDR_UNIX_UNNAMED 5u  /* of a socket that was never bound */

/* The longest text of an address, with its final 0. Since: 0.1. */
#define RDY_ADDR_TEXT_BYTES 344u

/* An address. Plain data, copied by assignment; look into it with the functions. Since: 0.1. */
struct rdy_addr {
	uint32_t n_bytes; /* of the socket address in raw */
	uint32_t pad0;
	uint64_t raw[16]; /* as the system has it */
};

/*
 * Make an address. ip: 4 or 16 bytes in network order; port: as a number; scope: index of the interface, 0 =
 * none. path and name: n_bytes without a final 0; a path must not have one within, a name may.
 * Errors: -EINVAL a NULL argument, an empty path or one with a 0 in it · -ENAMETOOLONG a path
 *   above 108 bytes, a name above 107.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_addr_v4(const uint8_t ip[4], uint16_t port, struct rdy_addr *ret);
RDY_API int rdy_addr_v6(const uint8_t ip[16], uint16_t port, uint32_t scope, struct rdy_addr *ret);
RDY_API int rdy_addr_unix_path(const char *path, size_t n_bytes, struct rdy_addr *ret);
RDY_API int rdy_addr_unix_abstract(const void *name, size_t n_bytes, struct rdy_addr *ret);

/*
 * From text, in one of the forms above; nothing is looked up but the name of a scope's interface.
 * Errors: -EINVAL no such form, a port above 65535, NULL · -ENAMETOOLONG as above · -ENODEV no interface of
 *   that name. Thread: any. Since: 0.1.
 */
RDY_API int rdy_addr_parse(const char *text, struct rdy_addr *ret);

/*
 * To text; RDY_ADDR_TEXT_BYTES are always enough. Returns its length without the final 0.
 * Errors: -EINVAL NULL, or an address of no kind · -ENOSPC buf is too small; untouched.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_addr_format(const struct rdy_addr *addr, char *buf, size_t buf_bytes);

/*
 * From what the system gave, of any length: never reads beyond n_bytes, nor believes what stands inside.
 * Errors: -EINVAL NULL, too short for its family, too long · -EAFNOSUPPORT another family.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_addr_from_sockaddr(const struct sockaddr *sa, size_t n_bytes, struct rdy_addr *ret);

/* The address for system calls, borrowed; *ret_bytes its length. NULL if it has no kind.
 * Thread: any. Since: 0.1. */
RDY_API const struct sockaddr *rdy_addr_sockaddr(const struct rdy_addr *addr, size_t *ret_bytes);

/* RDY_ADDR_*. Thread: any. Since: 0.1. */
RDY_API uint32_t rdy_addr_kind(const struct rdy_addr *addr);

/* Are they the same (1 or 0), scope and port included? Errors: none. Thread: any. Since: 0.1. */
RDY_API int rdy_addr_equal(const struct rdy_addr *a, const struct rdy_addr *b);

/* Port of an IPv4 or IPv6 address, else 0. Thread: any. Since: 0.1. */
RDY_API uint16_t rdy_addr_port(const struct rdy_addr *addr);

/* Scope of an IPv6 address, else 0. Thread: any. Since: 0.1. */
RDY_API uint32_t rdy_addr_scope(const struct rdy_addr *addr);

/* The 4 or 16 bytes of an IP address, borrowed; NULL for others. Thread: any. Since: 0.1. */
RDY_API const uint8_t *rdy_addr_ip(const struct rdy_addr *addr, size_t *ret_bytes);

/* Path, or abstract name without its leading 0, borrowed; NULL for others. A path has a final 0 beyond
 * *ret_bytes; a name may have 0 within. Thread: any. Since: 0.1. */
RDY_API const char *rdy_addr_name(const struct rdy_addr *addr, size_t *ret_bytes);

#ifdef __cplusplus
}
#endif
#endif
