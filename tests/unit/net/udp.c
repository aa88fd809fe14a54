/* SPDX-License-Identifier: MIT */
/* UDP: datagrams with and without a peer, options, multicast groups. */
#include "net.h"

static const char *const loopbacks[] = {"127.0.0.1:0", "[::1]:0"};

static struct rdy_io *bound(const char *text, struct rdy_addr *ret)
{
	struct rdy_addr at = addr_of(text);
	struct rdy_io *io;

	ck_assert_int_eq(rdy_udp_bind(&at, &io), 0);
	ck_assert_int_eq(rdy_socket_local_addr(io, ret), 0);
	expect_flags(io);
	return io;
}

START_TEST(datagrams)
{
	for_each_variant(b)
	{
		for (int i = 0; i < 2; i++) {
			struct rdy_addr at_a, at_z, from, at_other;
			struct rdy_io *a = bound(loopbacks[i], &at_a),
				      *z = bound(loopbacks[i], &at_z),
				      *other = bound(loopbacks[i], &at_other);
			char buf[8];

			watch(&b, z, 1, RDY_READABLE, RDY_EDGE);
			ck_assert_int_eq((int)rdy_socket_send(a, "x", 1), -EDESTADDRREQ);
			ck_assert_int_eq((int)rdy_socket_send_to(a, "hello", 5, &at_z), 5);
			wait_for(&b, 1, RDY_READABLE);
			ck_assert_int_eq((int)rdy_socket_peek_from(z, buf, 8, &from), 5);
			ck_assert_int_eq(rdy_addr_equal(&from, &at_a), 1);
			/* Cut to the room there is. */
			ck_assert_int_eq((int)rdy_socket_recv_from(z, buf, 2, &from), 2);
			ck_assert_int_eq((int)rdy_socket_recv_from(z, buf, 8, &from), -EAGAIN);
			/* An empty one is one. */
			ck_assert_int_eq((int)rdy_socket_send_to(a, NULL, 0, &at_z), 0);
			wait_for(&b, 1, RDY_READABLE);
			ck_assert_int_eq((int)rdy_socket_recv(z, buf, 8), 0);
			ck_assert_int_eq((int)rdy_socket_recv(z, buf, 8), -EAGAIN);
			/* Connected: others are not heard. */
			ck_assert_int_eq(rdy_udp_connect(z, &at_a), 0);
			ck_assert_int_eq(rdy_socket_peer_addr(z, &from), 0);
			ck_assert_int_eq(rdy_addr_equal(&from, &at_a), 1);
			ck_assert_int_eq((int)rdy_socket_send_to(other, "no", 2, &at_z), 2);
			ck_assert_int_eq((int)rdy_socket_send_to(a, "yes", 3, &at_z), 3);
			wait_for(&b, 1, RDY_READABLE);
			ck_assert_int_eq((int)rdy_socket_recv(z, buf, 8), 3);
			ck_assert_int_eq((int)rdy_socket_recv(z, buf, 8), -EAGAIN);
			ck_assert_int_eq(rdy_udp_connect(z, &at_other), 0);
			ck_assert_int_eq((int)rdy_socket_send(z, "z", 1), 1);
			ck_assert_int_eq((int)rdy_socket_recv(other, buf, 8), 1);
			rdy_io_free(a);
			rdy_io_free(z);
			rdy_io_free(other);
		}
	}
}
END_TEST

static void try_flag(struct rdy_io *io, int (*set)(struct rdy_io *io, int on),
	int (*get)(struct rdy_io *io, int *ret), int first)
{
	int on = 9;

	ck_assert_int_eq(get(io, &on), 0);
	ck_assert_int_eq(on, first);
	ck_assert_int_eq(set(io, !first), 0);
	ck_assert_int_eq(get(io, &on), 0);
	ck_assert_int_eq(on, !first);
	ck_assert_int_eq(set(io, 2), -EINVAL);
	ck_assert_int_eq(set(io, -1), -EINVAL);
	ck_assert_int_eq(get(io, NULL), -EINVAL);
}

START_TEST(options)
{
	struct rdy_addr at;
	struct rdy_io *v4 = bound("127.0.0.1:0", &at), *v6 = bound("[::1]:0", &at);
	uint32_t n = 0;
	int on = 9;

	try_flag(v4, rdy_udp_set_broadcast, rdy_udp_broadcast, 0);
	try_flag(v4, rdy_udp_set_multicast_loop_v4, rdy_udp_multicast_loop_v4, 1);
	try_flag(v6, rdy_udp_set_multicast_loop_v6, rdy_udp_multicast_loop_v6, 1);
	ck_assert_int_eq(rdy_udp_set_broadcast(NULL, 1), -EINVAL);
	ck_assert_int_eq(rdy_udp_broadcast(NULL, &on), -EINVAL);
	ck_assert_int_eq(rdy_udp_set_multicast_loop_v4(NULL, 1), -EINVAL);
	ck_assert_int_eq(rdy_udp_multicast_loop_v4(NULL, &on), -EINVAL);
	ck_assert_int_eq(rdy_udp_set_multicast_loop_v6(NULL, 1), -EINVAL);
	ck_assert_int_eq(rdy_udp_multicast_loop_v6(NULL, &on), -EINVAL);
	ck_assert_int_eq(rdy_udp_multicast_ttl_v4(v4, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(rdy_udp_set_multicast_ttl_v4(v4, 255), 0);
	ck_assert_int_eq(rdy_udp_multicast_ttl_v4(v4, &n), 0);
	ck_assert_uint_eq(n, 255);
	ck_assert_int_eq(rdy_udp_set_multicast_ttl_v4(v4, 256), -EINVAL);
	ck_assert_int_eq(rdy_udp_multicast_ttl_v4(v4, NULL), -EINVAL);
	ck_assert_int_eq(rdy_udp_only_v6(v6, &on), 0);
	ck_assert(on == 0 || on == 1);
	ck_assert_int_eq(rdy_udp_only_v6(v4, &on), -ENOPROTOOPT);
	ck_assert_int_eq(rdy_udp_set_multicast_loop_v6(v4, 1), -ENOPROTOOPT);
	rdy_io_free(v4);
	rdy_io_free(v6);
}
END_TEST

START_TEST(groups)
{
	struct rdy_addr any = addr_of("0.0.0.0:0"), lo = addr_of("127.0.0.1:0"),
			group = addr_of("224.0.0.123:0"), v6 = addr_of("[ff02::123]:0"), at, to,
			six;
	const uint8_t ip[4] = {224, 0, 0, 123};
	struct rdy_io *z, *a, *s = bound("[::1]:0", &six);
	char c;

	for_each_variant(b)
	{
		ck_assert_int_eq(rdy_udp_bind(&any, &z), 0);
		ck_assert_int_eq(rdy_socket_local_addr(z, &at), 0);
		ck_assert_int_eq(rdy_udp_bind(&lo, &a), 0);
		ck_assert_int_eq(rdy_udp_join_v4(z, &group, &lo), 0);
		ck_assert_int_eq(rdy_udp_join_v4(z, &group, &lo), -EADDRINUSE);
		watch(&b, z, 1, RDY_READABLE, RDY_EDGE);
		ck_assert_int_eq(rdy_addr_v4(ip, rdy_addr_port(&at), &to), 0);
		/* Bound to the loopback's address, it goes out there. */
		ck_assert_int_eq((int)rdy_socket_send_to(a, "m", 1, &to), 1);
		wait_for(&b, 1, RDY_READABLE);
		ck_assert_int_eq((int)rdy_socket_recv(z, &c, 1), 1);
		ck_assert_int_eq(rdy_udp_leave_v4(z, &group, &lo), 0);
		ck_assert_int_eq(rdy_udp_leave_v4(z, &group, &lo), -EADDRNOTAVAIL);
		rdy_io_free(z);
		rdy_io_free(a);
	}
	ck_assert_int_eq(rdy_udp_join_v6(s, &v6, 1), 0);
	ck_assert_int_eq(rdy_udp_join_v6(s, &v6, 1), -EADDRINUSE);
	ck_assert_int_eq(rdy_udp_leave_v6(s, &v6, 1), 0);
	ck_assert_int_eq(rdy_udp_leave_v6(s, &v6, 1), -EADDRNOTAVAIL);
	ck_assert_int_eq(rdy_udp_join_v6(s, &group, 1), -EINVAL);
	ck_assert_int_eq(rdy_udp_leave_v6(NULL, &v6, 1), -EINVAL);
	ck_assert_int_eq(rdy_udp_join_v4(s, &v6, NULL), -EINVAL);
	ck_assert_int_eq(rdy_udp_join_v4(s, &group, &v6), -EINVAL);
	ck_assert_int_eq(rdy_udp_leave_v4(NULL, &group, NULL), -EINVAL);
	ck_assert_int_eq(rdy_udp_join_v4(NULL, &group, NULL), -EINVAL);
	rdy_io_free(s);
}
END_TEST

START_TEST(addresses_that_cannot_be_had)
{
	struct rdy_addr foreign = addr_of("192.0.2.1:0"), all = addr_of("127.255.255.255:9"),
			group = addr_of("224.0.0.123:0"), v6 = addr_of("[ff02::123]:0"), at;
	struct rdy_io *io = NULL, *six = bound("[::1]:0", &at), *s, *r;

	ck_assert_int_eq(rdy_udp_bind(&foreign, &io), -EADDRNOTAVAIL);
	ck_assert_ptr_null(io);
	io = bound("127.0.0.1:0", &at);
	/* A broadcast address. */
	ck_assert_int_eq(rdy_udp_connect(io, &all), -EACCES);
	ck_assert_int_eq((int)rdy_socket_send_to(io, "x", 1, &all), -EACCES);
	ck_assert_int_eq(rdy_udp_set_broadcast(io, 1), 0);
	ck_assert_int_eq(rdy_udp_connect(io, &all), 0);
	/* The other family's. */
	ck_assert_int_eq(rdy_udp_connect(six, &all), -EAFNOSUPPORT);
	/* No interface, no group. */
	ck_assert_int_eq(rdy_udp_join_v4(io, &group, &foreign), -ENODEV);
	ck_assert_int_eq(rdy_udp_join_v4(io, &foreign, NULL), -EINVAL);
	ck_assert_int_eq(rdy_udp_join_v6(six, &v6, INT32_MAX), -ENODEV);
	ck_assert_int_eq(rdy_udp_join_v6(six, &at, 1), -EINVAL);
	ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
	ck_assert_int_eq(rdy_udp_connect(s, &at), -ENOTSOCK);
	rdy_io_free(s);
	rdy_io_free(r);
	rdy_io_free(io);
	rdy_io_free(six);
}
END_TEST

START_TEST(wrong_arguments)
{
	struct rdy_addr at = addr_of("127.0.0.1:0"), path = addr_of("unix:@x"), none = {0};
	struct rdy_io *io = NULL;
	struct rlimit before;

	ck_assert_int_eq(rdy_udp_bind(NULL, &io), -EINVAL);
	ck_assert_int_eq(rdy_udp_bind(&at, NULL), -EINVAL);
	ck_assert_int_eq(rdy_udp_bind(&path, &io), -EINVAL);
	before = no_more_descriptors();
	ck_assert_int_eq(rdy_udp_bind(&at, &io), -EMFILE);
	descriptors_again(before);
	ck_assert_ptr_null(io);
	io = bound("127.0.0.1:0", &at);
	{
		struct rdy_io *second = NULL;

		ck_assert_int_eq(rdy_udp_bind(&at, &second), -EADDRINUSE);
		ck_assert_ptr_null(second);
	}
	ck_assert_int_eq(rdy_udp_connect(NULL, &at), -EINVAL);
	ck_assert_int_eq(rdy_udp_connect(io, NULL), -EINVAL);
	ck_assert_int_eq(rdy_udp_connect(io, &path), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(io, "x", 1, &none), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(io, "x", 1, NULL), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(NULL, "x", 1, &at), -EINVAL);
	rdy_io_free(io);
}
END_TEST

/* The kernel's answers, which have no name of their own. */
START_TEST(a_tcp_socket)
{
	struct rdy_addr at = addr_of("127.0.0.1:0");
	int sock = socket(AF_INET, SOCK_STREAM, 0);
	struct rdy_io *listener, *io;

	ck_assert_int_eq(rdy_tcp_listen(&at, 0, &listener), 0);
	ck_assert_int_eq(rdy_socket_local_addr(listener, &at), 0);
	ck_assert_int_eq(rdy_io_new(sock, &io), 0);
	ck_assert_int_eq(rdy_udp_set_multicast_ttl_v4(io, 1), -EINVAL);
	ck_assert_int_eq(rdy_udp_connect(io, &at), -EINPROGRESS);
	rdy_io_free(io);
	rdy_io_free(listener);
}
END_TEST

UNIT_MAIN("net/udp", datagrams, a_tcp_socket, options, groups, addresses_that_cannot_be_had,
	wrong_arguments)
