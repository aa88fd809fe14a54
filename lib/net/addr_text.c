/* SPDX-License-Identifier: MIT */
/* Socket addresses as text, both ways. Threads: any. Looks nothing up but the name of a scope's interface. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ready/addr.h"

#define UNIX "unix:"
#define PORT_MAX 65535u

/* Decimal digits and nothing else, no sign, no blank. Errors: -EINVAL, above max as well. */
static int number(const char *text, size_t n, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;

	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(text[i] - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = (uint32_t)v;
	return 0;
}

/* A part of the text as a string of its own. Errors: -EINVAL it does not fit. */
static int part(const char *text, size_t n, char *ret, size_t room)
{
	if (n >= room)
		return -EINVAL;
	memcpy(ret, text, n);
	ret[n] = 0;
	return 0;
}

static int parse_scope(const char *text, size_t n, uint32_t *ret)
{
	char name[IF_NAMESIZE];

	if (number(text, n, UINT32_MAX, ret) == 0)
		return *ret ? 0 : -EINVAL;
	if (n == 0 || part(text, n, name, sizeof(name)) < 0)
		return -EINVAL;
	*ret = if_nametoindex(name);
	return *ret ? 0 : -ENODEV;
}

static int parse_v6(const char *text, struct rdy_addr *ret)
{
	const char *end = strchr(text, ']'), *percent;
	char ip_text[INET6_ADDRSTRLEN];
	uint32_t port, scope = 0;
	uint8_t ip[16];
	int r;

	if (!end || end[1] != ':' || number(end + 2, strlen(end + 2), PORT_MAX, &port) < 0)
		return -EINVAL;
	percent = memchr(text, '%', (size_t)(end - text));
	if (part(text, (size_t)((percent ? percent : end) - text), ip_text, sizeof(ip_text)) < 0 ||
		inet_pton(AF_INET6, ip_text, ip) != 1)
		return -EINVAL;
	if (percent) {
		r = parse_scope(percent + 1, (size_t)(end - percent - 1), &scope);
		if (r < 0)
			return r;
	}
	return rdy_addr_v6(ip, (uint16_t)port, scope, ret);
}

static int parse_v4(const char *text, struct rdy_addr *ret)
{
	const char *colon = strchr(text, ':');
	char ip_text[INET_ADDRSTRLEN];
	uint32_t port;
	uint8_t ip[4];

	if (!colon || part(text, (size_t)(colon - text), ip_text, sizeof(ip_text)) < 0 ||
		inet_pton(AF_INET, ip_text, ip) != 1 ||
		number(colon + 1, strlen(colon + 1), PORT_MAX, &port) < 0)
		return -EINVAL;
	return rdy_addr_v4(ip, (uint16_t)port, ret);
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* Undo %XX. Errors: -EINVAL a wrong escape · -ENAMETOOLONG. */
static int unescape(const char *text, char *ret, size_t room, size_t *ret_n)
{
	size_t n = 0;

	for (; *text; text++) {
		char c = *text;

		if (c == '%') {
			int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);

			if (low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			text += 2;
		}
		if (n == room)
			return -ENAMETOOLONG;
		ret[n++] = c;
	}
	*ret_n = n;
	return 0;
}

static int parse_unix(const char *text, struct rdy_addr *ret)
{
	const struct {
		unsigned short family;
	} unnamed = {AF_UNIX};
	bool abstract = *text == '@';
	char name[128];
	size_t n;
	int r;

	if (!*text)
		return rdy_addr_from_sockaddr(
			(const struct sockaddr *)(const void *)&unnamed, sizeof(unnamed), ret);
	r = unescape(text + abstract, name, sizeof(name), &n);
	if (r < 0)
		return r;
	return abstract ? rdy_addr_unix_abstract(name, n, ret) : rdy_addr_unix_path(name, n, ret);
}

int rdy_addr_parse(const char *text, struct rdy_addr *ret)
{
	if (!text || !ret)
		return -EINVAL;
	if (strncmp(text, UNIX, strlen(UNIX)) == 0)
		return parse_unix(text + strlen(UNIX), ret);
	return *text == '[' ? parse_v6(text + 1, ret) : parse_v4(text, ret);
}

/* A path may begin with what means an abstract name. */
static size_t escape(const char *name, size_t n, bool abstract, char *ret)
{
	char *p = ret;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= ' ' || c >= 0x7f || c == '%' || (i == 0 && !abstract && c == '@'))
			p += sprintf(p, "%%%02X", c);
		else
			*p++ = (char)c;
	}
	*p = 0;
	return (size_t)(p - ret);
}

/* RDY_ADDR_TEXT_BYTES: every byte of the longest name escaped, and what is around it. */
_Static_assert(RDY_ADDR_TEXT_BYTES >= sizeof(UNIX "@") + (size_t)3 * 108, "the longest text fits");

int rdy_addr_format(const struct rdy_addr *addr, char *buf, size_t buf_bytes)
{
	char text[RDY_ADDR_TEXT_BYTES], ip[INET6_ADDRSTRLEN], scope[16] = "";
	uint32_t kind = rdy_addr_kind(addr);
	size_t n;

	if (!buf)
		return -EINVAL;
	switch (kind) {
	case RDY_ADDR_V4:
		inet_ntop(AF_INET, rdy_addr_ip(addr, NULL), ip, sizeof(ip));
		n = (size_t)snprintf(text, sizeof(text), "%s:%u", ip, rdy_addr_port(addr));
		break;
	case RDY_ADDR_V6:
		inet_ntop(AF_INET6, rdy_addr_ip(addr, NULL), ip, sizeof(ip));
		if (rdy_addr_scope(addr))
			snprintf(scope, sizeof(scope), "%%%u", rdy_addr_scope(addr));
		n = (size_t)snprintf(
			text, sizeof(text), "[%s%s]:%u", ip, scope, rdy_addr_port(addr));
		break;
	case RDY_ADDR_UNIX_PATH:
	case RDY_ADDR_UNIX_ABSTRACT: {
		bool abstract = kind == RDY_ADDR_UNIX_ABSTRACT;
		const char *name = rdy_addr_name(addr, &n);
		size_t at = (size_t)sprintf(text, abstract ? UNIX "@" : UNIX);

		n = at + escape(name, n, abstract, text + at);
		break;
	}
	case RDY_ADDR_UNIX_UNNAMED:
		n = (size_t)sprintf(text, UNIX);
		break;
	default:
		return -EINVAL;
	}
	if (n >= buf_bytes)
		return -ENOSPC;
	memcpy(buf, text, n + 1);
	return (int)n;
}
