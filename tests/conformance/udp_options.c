/* SPDX-License-Identifier: MIT */
/* mio's tests/udp_socket.rs, its options. */
#include "conformance.h"

/* An option is read back as it was set, of a socket that is registered; and as the system has it before. */
static void option_is_kept(struct bench *b, const char *text, int value,
	int (*set)(struct rdy_io *io, int on), int (*get)(struct rdy_io *io, int *ret))
{
	struct rdy_io *io = bound_udp(text);
	int got = -1;

	reg(b, io, 1, RDY_WRITABLE);
	ok(set(io, value));
	ok(get(io, &got));
	gives(got, value);
	no_error(io);
	rdy_io_free(io);
}

static void number_is_kept(struct bench *b, int (*set)(struct rdy_io *io, uint32_t value),
	int (*get)(struct rdy_io *io, uint32_t *ret))
{
	struct rdy_io *io = bound_udp(LOOPBACK);
	uint32_t got = 0;

	reg(b, io, 1, RDY_WRITABLE);
	ok(set(io, 10));
	ok(get(io, &got));
	ck_assert_uint_eq(got, 10);
	no_error(io);
	rdy_io_free(io);
}

static void option_is(const char *text, int value, int (*get)(struct rdy_io *io, int *ret))
{
	struct rdy_io *io = bound_udp(text);
	int got = -1;

	ok(get(io, &got));
	gives(got, value);
	rdy_io_free(io);
}

static void number_is_above_0(int (*get)(struct rdy_io *io, uint32_t *ret))
{
	struct rdy_io *io = bound_udp(LOOPBACK);
	uint32_t got = 0;

	ok(get(io, &got));
	ck_assert_uint_gt(got, 0);
	rdy_io_free(io);
}

START_TEST(set_get_ttl)
{
	for_each_variant(b)
	{
		number_is_kept(&b, rdy_socket_set_ttl, rdy_socket_ttl);
	}
}
END_TEST

START_TEST(get_ttl_without_previous_set)
{
	for_each_variant(b)
	{
		number_is_above_0(rdy_socket_ttl);
	}
}
END_TEST

START_TEST(set_get_broadcast)
{
	for_each_variant(b)
	{
		option_is_kept(&b, LOOPBACK, 1, rdy_udp_set_broadcast, rdy_udp_broadcast);
	}
}
END_TEST

START_TEST(get_broadcast_without_previous_set)
{
	for_each_variant(b)
	{
		option_is(LOOPBACK, 0, rdy_udp_broadcast);
	}
}
END_TEST

START_TEST(set_get_multicast_loop_v4)
{
	for_each_variant(b)
	{
		option_is_kept(
			&b, LOOPBACK, 0, rdy_udp_set_multicast_loop_v4, rdy_udp_multicast_loop_v4);
	}
}
END_TEST

START_TEST(get_multicast_loop_v4_without_previous_set)
{
	for_each_variant(b)
	{
		option_is(LOOPBACK, 1, rdy_udp_multicast_loop_v4);
	}
}
END_TEST

START_TEST(set_get_multicast_ttl_v4)
{
	for_each_variant(b)
	{
		number_is_kept(&b, rdy_udp_set_multicast_ttl_v4, rdy_udp_multicast_ttl_v4);
	}
}
END_TEST

START_TEST(get_multicast_ttl_v4_without_previous_set)
{
	for_each_variant(b)
	{
		number_is_above_0(rdy_udp_multicast_ttl_v4);
	}
}
END_TEST

START_TEST(set_get_multicast_loop_v6)
{
	for_each_variant(b)
	{
		option_is_kept(&b, LOOPBACK_V6, 0, rdy_udp_set_multicast_loop_v6,
			rdy_udp_multicast_loop_v6);
	}
}
END_TEST

START_TEST(get_multicast_loop_v6_without_previous_set)
{
	for_each_variant(b)
	{
		option_is(LOOPBACK_V6, 1, rdy_udp_multicast_loop_v6);
	}
}
END_TEST

UNIT_MAIN("conformance/udp_options", set_get_ttl, get_ttl_without_previous_set, set_get_broadcast,
	get_broadcast_without_previous_set, set_get_multicast_loop_v4,
	get_multicast_loop_v4_without_previous_set, set_get_multicast_ttl_v4,
	get_multicast_ttl_v4_without_previous_set, set_get_multicast_loop_v6,
	get_multicast_loop_v6_without_previous_set)
