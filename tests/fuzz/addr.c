/* SPDX-License-Identifier: MIT */
/*
 * Addresses. Input: a byte that says what the rest is (0: text, else: what the system gave). Whatever is taken has a
 * kind, a text that is taken again and means the same, and parts within its length; nothing beyond the input is read.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ready/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void must_be_address(const struct rdy_addr *a)
{
	char text[RDY_ADDR_TEXT_BYTES];
	struct rdy_addr again;
	const struct sockaddr *sa;
	size_t n = 0, name_n = 0, ip_n = 0;
	int r = rdy_addr_format(a, text, sizeof(text));

	must(rdy_addr_kind(a) >= RDY_ADDR_V4 && rdy_addr_kind(a) <= RDY_ADDR_UNIX_UNNAMED);
	must(r > 0 && (size_t)r == strlen(text));
	must(rdy_addr_parse(text, &again) == 0 && rdy_addr_equal(a, &again));
	sa = rdy_addr_sockaddr(a, &n);
	must(sa && n >= sizeof(sa->sa_family) && n <= sizeof(a->raw));
	/* A path of the full length has its final 0 behind what the system is given. */
	must(rdy_addr_from_sockaddr(sa, n, &again) == 0 && rdy_addr_equal(a, &again));
	if (rdy_addr_name(a, &name_n))
		must(name_n <= 108);
	if (rdy_addr_ip(a, &ip_n))
		must(ip_n == 4 || ip_n == 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rdy_addr a;
	char *copy;
	int r;

	if (size < 1)
		return 0;
	/* Of its own size, so that a step beyond it is seen; and text ends with 0. */
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = 0;
	if (data[0] == 0)
		r = rdy_addr_parse(copy, &a);
	else
		r = rdy_addr_from_sockaddr((const struct sockaddr *)(void *)copy, size - 1, &a);
	if (r == 0)
		must_be_address(&a);
	free(copy);
	return 0;
}
