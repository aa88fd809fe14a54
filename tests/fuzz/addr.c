/* SPDX-License-Identifier: MIT */
/*
 * Addresses. The input is taken three times: as a socket address of that length, as text, and as a path or an
 * abstract name. What comes out of the first is what stands in the bytes, read here a second time; whatever is an
 * address survives text and back; what is refused has a listed error and leaves no trace.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "ready/addr.h"

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define PATH_MAX_BYTES 108u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static struct rdy_addr untouched(void)
{
	struct rdy_addr a;

	memset(&a, 0x5a, sizeof(a));
	return a;
}

static void must_be_untouched(const struct rdy_addr *addr)
{
	const struct rdy_addr before = untouched();

	must(memcmp(addr, &before, sizeof(before)) == 0);
}

/* Exactly that long, so that a sanitizer sees a byte too far. */
static void *copy(const uint8_t *data, size_t size, size_t more)
{
	char *p = calloc(1, size + more ? size + more : 1);

	must(p != NULL);
	if (size)
		memcpy(p, data, size);
	return p;
}

static void try_text(const struct rdy_addr *addr)
{
	char longest[RDY_ADDR_TEXT_BYTES], *exact;
	struct rdy_addr again = untouched();
	int n = rdy_addr_format(addr, longest, sizeof(longest));

	must(n > 0 && (size_t)n == strlen(longest));
	for (int i = 0; i < n; i++)
		must(longest[i] > ' ' && longest[i] < 0x7f);
	must(rdy_addr_parse(longest, &again) == 0);
	must(rdy_addr_equal(addr, &again) == 1 && rdy_addr_equal(&again, addr) == 1);
	/* Room for all but the final 0 is no room. */
	exact = malloc((size_t)n + 1);
	must(exact != NULL);
	memset(exact, 0x5a, (size_t)n + 1);
	must(rdy_addr_format(addr, exact, (size_t)n) == -ENOSPC && exact[0] == 0x5a);
	must(rdy_addr_format(&again, exact, (size_t)n + 1) == n && strcmp(exact, longest) == 0);
	free(exact);
}

/* What holds for each address, wherever it is from. */
static void try_addr(const struct rdy_addr *addr)
{
	uint32_t kind = rdy_addr_kind(addr);
	struct rdy_addr again = untouched();
	size_t n = 0, n_ip = 0, n_name = 0;
	const struct sockaddr *sa = rdy_addr_sockaddr(addr, &n);
	const uint8_t *ip = rdy_addr_ip(addr, &n_ip);
	const char *name = rdy_addr_name(addr, &n_name);
	void *exact;

	must(kind >= RDY_ADDR_V4 && kind <= RDY_ADDR_UNIX_UNNAMED);
	must(sa != NULL && n >= sizeof(sa->sa_family) && n <= sizeof(struct sockaddr_un));
	must((ip != NULL) == (kind <= RDY_ADDR_V6));
	must(n_ip == (kind == RDY_ADDR_V4 ? 4 : kind == RDY_ADDR_V6 ? 16 : 0));
	must((name != NULL) == (kind == RDY_ADDR_UNIX_PATH || kind == RDY_ADDR_UNIX_ABSTRACT));
	if (kind == RDY_ADDR_UNIX_PATH)
		must(n_name > 0 && strlen(name) == n_name);
	must(rdy_addr_equal(addr, addr) == 1);
	exact = copy((const uint8_t *)sa, n, 0);
	must(rdy_addr_from_sockaddr(exact, n, &again) == 0 && rdy_addr_equal(addr, &again) == 1);
	free(exact);
	try_text(addr);
}

/* The same bytes, read by hand. */
static void must_say(const struct rdy_addr *addr, const uint8_t *data, size_t size)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	const char *path = (const char *)data + PATH_AT, *name;
	size_t n = 0, room = size - PATH_AT < PATH_MAX_BYTES ? size - PATH_AT : PATH_MAX_BYTES;

	switch (rdy_addr_kind(addr)) {
	case RDY_ADDR_V4:
		memcpy(&v4, data, sizeof(v4));
		must(v4.sin_family == AF_INET && rdy_addr_port(addr) == ntohs(v4.sin_port));
		must(memcmp(rdy_addr_ip(addr, NULL), &v4.sin_addr, 4) == 0);
		return;
	case RDY_ADDR_V6:
		memcpy(&v6, data, sizeof(v6));
		must(v6.sin6_family == AF_INET6 && rdy_addr_port(addr) == ntohs(v6.sin6_port));
		must(memcmp(rdy_addr_ip(addr, NULL), &v6.sin6_addr, 16) == 0);
		must(rdy_addr_scope(addr) == v6.sin6_scope_id);
		return;
	case RDY_ADDR_UNIX_UNNAMED:
		must(size == PATH_AT);
		return;
	case RDY_ADDR_UNIX_PATH:
		name = rdy_addr_name(addr, &n);
		must(n == strnlen(path, room) && memcmp(name, path, n) == 0);
		return;
	default:
		name = rdy_addr_name(addr, &n);
		must(path[0] == 0 && n == room - 1 && memcmp(name, path + 1, n) == 0);
	}
}

/* What a socket address of these bytes is: 0, or the error. */
static int verdict(const uint8_t *data, size_t size)
{
	sa_family_t family;

	if (size < sizeof(family))
		return -EINVAL;
	memcpy(&family, data, sizeof(family));
	switch (family) {
	case AF_INET:
		return size < sizeof(struct sockaddr_in) ? -EINVAL : 0;
	case AF_INET6:
		return size < sizeof(struct sockaddr_in6) ? -EINVAL : 0;
	case AF_UNIX:
		/* accept(2) counts a final 0 behind the longest path. */
		return size > PATH_AT + PATH_MAX_BYTES + 1 ? -EINVAL : 0;
	default:
		return -EAFNOSUPPORT;
	}
}

static void try_sockaddr(const uint8_t *data, size_t size)
{
	struct rdy_addr addr = untouched();
	void *exact = copy(data, size, 0);
	int r = rdy_addr_from_sockaddr(exact, size, &addr);

	free(exact);
	must(r == verdict(data, size));
	if (r < 0) {
		must_be_untouched(&addr);
		return;
	}
	must_say(&addr, data, size);
	try_addr(&addr);
}

static void try_parse(const uint8_t *data, size_t size)
{
	struct rdy_addr addr = untouched();
	char *text = copy(data, size, 1);
	int r = rdy_addr_parse(text, &addr);

	free(text);
	if (r < 0) {
		must(r == -EINVAL || r == -ENAMETOOLONG || r == -ENODEV);
		must_be_untouched(&addr);
		return;
	}
	try_addr(&addr);
}

static void try_names(const uint8_t *data, size_t size)
{
	struct rdy_addr path = untouched(), abstract = untouched();
	void *exact = copy(data, size, 0);
	int r = rdy_addr_unix_path(exact, size, &path),
	    z = size ? memchr(data, 0, size) != NULL : 1;
	size_t n = 0;

	must(r == (z ? -EINVAL : size > PATH_MAX_BYTES ? -ENAMETOOLONG : 0));
	if (r == 0) {
		must(memcmp(rdy_addr_name(&path, &n), data, size) == 0 && n == size);
		try_addr(&path);
	} else {
		must_be_untouched(&path);
	}
	r = rdy_addr_unix_abstract(exact, size, &abstract);
	must(r == (size > PATH_MAX_BYTES - 1 ? -ENAMETOOLONG : 0));
	if (r == 0) {
		const char *name = rdy_addr_name(&abstract, &n);

		must(n == size && (n == 0 || memcmp(name, data, n) == 0));
		must(rdy_addr_equal(&path, &abstract) == 0);
		try_addr(&abstract);
	} else {
		must_be_untouched(&abstract);
	}
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_sockaddr(data, size);
	try_parse(data, size);
	try_names(data, size);
	return 0;
}
