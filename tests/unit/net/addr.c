/* SPDX-License-Identifier: MIT */
/* Addresses: values, text both ways, and what the system gives. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ready/addr.h"
#include "unit.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

START_TEST(text_both_ways)
{
	static const struct {
		const char *text, *again; /* NULL: the same */
		uint32_t kind;
	} rows[] = {
		{"127.0.0.1:80", NULL, RDY_ADDR_V4},
		{"0.0.0.0:0", NULL, RDY_ADDR_V4},
		{"255.255.255.255:65535", NULL, RDY_ADDR_V4},
		{"127.0.0.1:0080", "127.0.0.1:80", RDY_ADDR_V4},
		{"[::1]:80", NULL, RDY_ADDR_V6},
		{"[::]:0", NULL, RDY_ADDR_V6},
		{"[0:0::0:1]:7", "[::1]:7", RDY_ADDR_V6},
		{"[::ffff:1.2.3.4]:5", NULL, RDY_ADDR_V6},
		{"[fe80::1%1]:80", NULL, RDY_ADDR_V6},
		{"[fe80::1%lo]:80", "[fe80::1%1]:80", RDY_ADDR_V6},
		{"unix:/run/x", NULL, RDY_ADDR_UNIX_PATH},
		{"unix:x y", "unix:x%20y", RDY_ADDR_UNIX_PATH},
		{"unix:%40x", NULL, RDY_ADDR_UNIX_PATH},
		{"unix:100%25", NULL, RDY_ADDR_UNIX_PATH},
		{"unix:@name", NULL, RDY_ADDR_UNIX_ABSTRACT},
		{"unix:@@", NULL, RDY_ADDR_UNIX_ABSTRACT},
		{"unix:@a%00b%ff", "unix:@a%00b%FF", RDY_ADDR_UNIX_ABSTRACT},
		{"unix:@", NULL, RDY_ADDR_UNIX_ABSTRACT},
		{"unix:", NULL, RDY_ADDR_UNIX_UNNAMED},
	};
	char buf[RDY_ADDR_TEXT_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *again = rows[i].again ? rows[i].again : rows[i].text;
		size_t n = strlen(again);
		struct rdy_addr a, b;

		ck_assert_msg(rdy_addr_parse(rows[i].text, &a) == 0, "%s", rows[i].text);
		ck_assert_uint_eq(rdy_addr_kind(&a), rows[i].kind);
		ck_assert_int_eq(rdy_addr_format(&a, buf, sizeof(buf)), (int)n);
		ck_assert_str_eq(buf, again);
		ck_assert_int_eq(rdy_addr_parse(buf, &b), 0);
		ck_assert_int_eq(rdy_addr_equal(&a, &b), 1);
		memset(buf, 'x', sizeof(buf));
		ck_assert_int_eq(rdy_addr_format(&a, buf, n), -ENOSPC);
		ck_assert_int_eq(buf[0], 'x');
	}
}
END_TEST

START_TEST(no_such_form)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{"", -EINVAL},
		{"127.0.0.1", -EINVAL},
		{"127.0.0.1:", -EINVAL},
		{"127.0.0.1:65536", -EINVAL},
		{"127.0.0.1:4294967376", -EINVAL},
		{"127.0.0.1:+1", -EINVAL},
		{"127.0.0.1: 1", -EINVAL},
		{"127.0.0.1:1 ", -EINVAL},
		{" 127.0.0.1:1", -EINVAL},
		{"127.1:1", -EINVAL},
		{"1234567890123456:1", -EINVAL},
		{"localhost:80", -EINVAL},
		{"::1:80", -EINVAL},
		{"[::1]", -EINVAL},
		{"[::1]80", -EINVAL},
		{"[::1]:", -EINVAL},
		{"[::1:80", -EINVAL},
		{"[127.0.0.1]:80", -EINVAL},
		{"[fe80::1%]:80", -EINVAL},
		{"[fe80::1%0]:80", -EINVAL},
		{"[fe80::1%no_such_if]:80", -ENODEV},
		{"[fe80::1%a_name_that_is_too_long]:80", -EINVAL},
		{"unix:a%", -EINVAL},
		{"unix:a%4", -EINVAL},
		{"unix:a%4g", -EINVAL},
		{"unix:a%00", -EINVAL},
		{"UNIX:/x", -EINVAL},
	};
	struct rdy_addr a, before;
	char longest[160] = "unix:@";

	memset(&a, 0x5a, sizeof(a));
	before = a;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(rdy_addr_parse(rows[i].text, &a) == rows[i].want, "%s", rows[i].text);
	memset(longest + 6, 'n', 108);
	ck_assert_int_eq(rdy_addr_parse(longest, &a), -ENAMETOOLONG);
	memset(longest + 5, 'p', 130);
	ck_assert_int_eq(rdy_addr_parse(longest, &a), -ENAMETOOLONG);
	ck_assert_mem_eq(&a, &before, sizeof(a));
	ck_assert_int_eq(rdy_addr_parse(NULL, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_parse("unix:", NULL), -EINVAL);
}
END_TEST

START_TEST(parts)
{
	const uint8_t v4[4] = {1, 2, 3, 4};
	uint8_t v6[16] = {0xfe, 0x80};
	struct rdy_addr a, b, none = {0};
	size_t n = 0;
	char buf[8];

	ck_assert_int_eq(rdy_addr_v4(v4, 80, &a), 0);
	ck_assert_uint_eq(rdy_addr_port(&a), 80);
	ck_assert_uint_eq(rdy_addr_scope(&a), 0);
	ck_assert_mem_eq(rdy_addr_ip(&a, &n), v4, 4);
	ck_assert_uint_eq(n, 4);
	ck_assert_ptr_null(rdy_addr_name(&a, &n));
	ck_assert_int_eq(rdy_addr_v6(v6, 81, 7, &b), 0);
	ck_assert_uint_eq(rdy_addr_port(&b), 81);
	ck_assert_uint_eq(rdy_addr_scope(&b), 7);
	ck_assert_mem_eq(rdy_addr_ip(&b, &n), v6, 16);
	ck_assert_uint_eq(n, 16);
	ck_assert_int_eq(rdy_addr_equal(&a, &b), 0);
	ck_assert_int_eq(rdy_addr_v6(v6, 81, 8, &a), 0);
	ck_assert_int_eq(rdy_addr_equal(&a, &b), 0);
	ck_assert_int_eq(rdy_addr_unix_path("/a", 2, &a), 0);
	ck_assert_str_eq(rdy_addr_name(&a, &n), "/a");
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(rdy_addr_port(&a), 0);
	ck_assert_ptr_null(rdy_addr_ip(&a, &n));
	ck_assert_int_eq(rdy_addr_unix_abstract("a\0b", 3, &b), 0);
	ck_assert_mem_eq(rdy_addr_name(&b, &n), "a\0b", 3);
	ck_assert_uint_eq(n, 3);
	ck_assert_ptr_nonnull(rdy_addr_sockaddr(&b, &n));
	ck_assert_uint_eq(n, PATH_OFFSET + 4);
	/* No kind, and nothing at all. */
	ck_assert_uint_eq(rdy_addr_kind(&none), RDY_ADDR_NONE);
	ck_assert_uint_eq(rdy_addr_kind(NULL), RDY_ADDR_NONE);
	ck_assert_ptr_null(rdy_addr_sockaddr(&none, &n));
	ck_assert_int_eq(rdy_addr_format(&none, buf, sizeof(buf)), -EINVAL);
	ck_assert_int_eq(rdy_addr_format(&a, NULL, 8), -EINVAL);
	ck_assert_int_eq(rdy_addr_equal(&none, NULL), 0);
	ck_assert_uint_eq(rdy_addr_port(&none), 0);
	ck_assert_int_eq(rdy_addr_v4(NULL, 1, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_v4(v4, 1, NULL), -EINVAL);
	ck_assert_int_eq(rdy_addr_v6(NULL, 1, 0, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_v6(v6, 1, 0, NULL), -EINVAL);
	ck_assert_int_eq(rdy_addr_unix_path(NULL, 1, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_unix_path("", 0, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_unix_path("a\0b", 3, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_unix_path("a", 1, NULL), -EINVAL);
	ck_assert_int_eq(rdy_addr_unix_abstract(NULL, 1, &a), -EINVAL);
	ck_assert_int_eq(rdy_addr_unix_abstract("", 0, NULL), -EINVAL);
}
END_TEST

/* What the system gives is of any length, and may have no final 0. */
START_TEST(from_the_system)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_flowinfo = 5};
	struct sockaddr other = {.sa_family = AF_APPLETALK};
	char buf[RDY_ADDR_TEXT_BYTES];
	struct rdy_addr a, b;
	size_t n;

#define FROM(x, bytes) rdy_addr_from_sockaddr((const struct sockaddr *)(x), (bytes), &a)
	for (n = 0; n < sizeof(in); n++)
		ck_assert_int_eq(FROM(&in, n), -EINVAL);
	ck_assert_int_eq(FROM(&in, sizeof(in)), 0);
	ck_assert_uint_eq(rdy_addr_port(&a), 9);
	for (n = 0; n < sizeof(in6); n++)
		ck_assert_int_eq(FROM(&in6, n), -EINVAL);
	ck_assert_int_eq(FROM(&in6, sizeof(in6)), 0);
	b = a;
	in6.sin6_flowinfo = 6;
	ck_assert_int_eq(FROM(&in6, sizeof(in6)), 0);
	ck_assert_int_eq(rdy_addr_equal(&a, &b), 1);
	ck_assert_int_eq(FROM(&other, sizeof(other)), -EAFNOSUPPORT);
	ck_assert_int_eq(FROM(NULL, 16), -EINVAL);
	ck_assert_int_eq(rdy_addr_from_sockaddr(&other, sizeof(other), NULL), -EINVAL);

	ck_assert_int_eq(FROM(&un, PATH_OFFSET), 0);
	ck_assert_uint_eq(rdy_addr_kind(&a), RDY_ADDR_UNIX_UNNAMED);
	memset(un.sun_path, 'p', sizeof(un.sun_path));
	ck_assert_int_eq(FROM(&un, PATH_OFFSET + 3), 0);
	ck_assert_str_eq(rdy_addr_name(&a, &n), "ppp");
	/* 108 bytes: the system says 111, or 110. */
	for (size_t more = 0; more < 2; more++) {
		char padded[sizeof(un) + 1] = "";

		memcpy(padded, &un, sizeof(un));
		ck_assert_int_eq(FROM(padded, sizeof(un) + more), 0);
		ck_assert_uint_eq(strlen(rdy_addr_name(&a, &n)), 108);
		ck_assert_uint_eq(n, 108);
		ck_assert_ptr_nonnull(rdy_addr_sockaddr(&a, &n));
		ck_assert_uint_eq(n, sizeof(un));
		ck_assert_int_eq(rdy_addr_format(&a, buf, sizeof(buf)), 5 + 108);
		ck_assert_int_eq(rdy_addr_parse(buf, &b), 0);
		ck_assert_int_eq(rdy_addr_equal(&a, &b), 1);
	}
	{
		char far[200] = "";

		memcpy(far, &un, sizeof(un));
		ck_assert_int_eq(FROM(far, sizeof(far)), -EINVAL);
	}
	/* A final 0 that is counted, or more of them. */
	memset(un.sun_path, 0, sizeof(un.sun_path));
	un.sun_path[0] = 'q';
	for (n = 1; n < 20; n++) {
		ck_assert_int_eq(FROM(&un, PATH_OFFSET + n), 0);
		ck_assert_str_eq(rdy_addr_name(&a, NULL), "q");
	}
	/* Abstract, as long as it gets. */
	un.sun_path[0] = 0;
	ck_assert_int_eq(FROM(&un, sizeof(un)), 0);
	ck_assert_ptr_nonnull(rdy_addr_name(&a, &n));
	ck_assert_uint_eq(n, 107);
	ck_assert_int_eq(rdy_addr_format(&a, buf, sizeof(buf)), 6 + 3 * 107);
}
END_TEST

UNIT_MAIN("net/addr", text_both_ways, no_such_form, parts, from_the_system)
