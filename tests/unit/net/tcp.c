/* SPDX-License-Identifier: MIT */
/* TCP: listening, connecting, ends, options; what all sockets have. */
#include "net.h"

static const char *const loopbacks[] = {"127.0.0.1:0", "[::1]:0"};

START_TEST(a_connection)
{
	for_each_variant(b)
	{
		for (int i = 0; i < 2; i++) {
			struct rdy_io *io[3];
			struct rdy_addr local, peer;
			char c;

			tcp_pair(loopbacks[i], io);
			for (int k = 0; k < 3; k++)
				expect_flags(io[k]);
			ck_assert_int_eq(rdy_socket_local_addr(io[1], &local), 0);
			ck_assert_int_eq(rdy_socket_peer_addr(io[2], &peer), 0);
			ck_assert_int_eq(rdy_addr_equal(&local, &peer), 1);
			watch(&b, io[2], 2, RDY_READABLE, RDY_EDGE);
			ck_assert_int_eq((int)rdy_socket_peek(io[2], &c, 1), -EAGAIN);
			ck_assert_int_eq((int)rdy_socket_send(io[1], "h", 1), 1);
			wait_for(&b, 2, RDY_READABLE);
			ck_assert_int_eq((int)rdy_socket_peek(io[2], &c, 1), 1);
			ck_assert_int_eq((int)rdy_socket_recv(io[2], &c, 1), 1);
			ck_assert_int_eq(c, 'h');
			ck_assert_int_eq((int)rdy_io_read(io[2], &c, 1), -EAGAIN);
			ck_assert_int_eq(rdy_socket_shutdown(io[1], RDY_SHUT_WRITE), 0);
			wait_for(&b, 2, RDY_READ_CLOSED);
			ck_assert_int_eq((int)rdy_socket_recv(io[2], &c, 1), 0);
			ck_assert_int_eq((int)rdy_io_write(io[1], "x", 1), -EPIPE);
			/* The other direction still goes. */
			ck_assert_int_eq((int)rdy_io_write(io[2], "y", 1), 1);
			ck_assert_int_eq(
				rdy_socket_shutdown(io[2], RDY_SHUT_READ | RDY_SHUT_WRITE), 0);
			wait_for(&b, 2, RDY_READ_CLOSED | RDY_WRITE_CLOSED);
			for (int k = 0; k < 3; k++)
				rdy_io_free(io[k]);
		}
	}
}
END_TEST

START_TEST(nobody_listens)
{
	for_each_variant(b)
	{
		struct rdy_addr at = addr_of("127.0.0.1:0");
		struct rdy_io *io;
		int error, r;

		/* A port that nobody has: the one of a listener that has gone. */
		ck_assert_int_eq(rdy_tcp_listen(&at, 0, &io), 0);
		ck_assert_int_eq(rdy_socket_local_addr(io, &at), 0);
		rdy_io_free(io);
		r = rdy_tcp_connect(&at, &io);
		if (r == 0) {
			watch(&b, io, 1, RDY_WRITABLE, RDY_ONESHOT);
			wait_for(&b, 1, RDY_WRITABLE);
			ck_assert_int_eq(rdy_socket_take_error(io, &error), 0);
			ck_assert_int_eq(error, ECONNREFUSED);
			ck_assert_int_eq(rdy_socket_take_error(io, &error), 0);
			ck_assert_int_eq(error, 0);
			ck_assert_int_eq(rdy_socket_peer_addr(io, &at), -ENOTCONN);
			rdy_io_free(io);
		} else {
			ck_assert_int_eq(r, -ECONNREFUSED);
		}
	}
}
END_TEST

START_TEST(accepting)
{
	struct rdy_addr at = addr_of("127.0.0.1:0"), from, local;
	struct rdy_io *listener, *client, *got = NULL, *second;

	ck_assert_int_eq(rdy_tcp_listen(&at, 5, &listener), 0);
	ck_assert_int_eq(rdy_tcp_accept(listener, &from, &got), -EAGAIN);
	ck_assert_int_eq(rdy_tcp_accept(NULL, &from, &got), -EINVAL);
	ck_assert_int_eq(rdy_tcp_accept(listener, &from, NULL), -EINVAL);
	ck_assert_ptr_null(got);
	ck_assert_int_eq(rdy_socket_local_addr(listener, &at), 0);
	ck_assert_int_eq(rdy_tcp_listen(&at, 0, &second), -EADDRINUSE);
	for_each_variant(b)
	{
		struct rlimit before;

		watch(&b, listener, 7, RDY_READABLE, RDY_LEVEL);
		ck_assert_int_eq(rdy_tcp_connect(&at, &client), 0);
		wait_for(&b, 7, RDY_READABLE);
		before = no_more_descriptors();
		ck_assert_int_eq(rdy_tcp_accept(listener, &from, &got), -EMFILE);
		descriptors_again(before);
		/* It is still there. */
		wait_for(&b, 7, RDY_READABLE);
		ck_assert_int_eq(rdy_tcp_accept(listener, &from, &got), 0);
		ck_assert_int_eq(rdy_socket_local_addr(client, &local), 0);
		ck_assert_int_eq(rdy_addr_equal(&local, &from), 1);
		got = rdy_io_free(got);
		rdy_io_free(client);
		ck_assert_int_eq(rdy_source_deregister(rdy_io_source(listener)), 0);
	}
	rdy_io_free(listener);
}
END_TEST

/* The end that closed first leaves its port in TIME_WAIT; a server that starts again is not refused for it. */
START_TEST(a_restart)
{
	for (int i = 0; i < 2; i++) {
		struct rdy_io *io[3], *again;
		struct rdy_addr at;

		tcp_pair(loopbacks[i], io);
		ck_assert_int_eq(rdy_socket_local_addr(io[0], &at), 0);
		/* Listener, its connection, and only then the client. */
		rdy_io_free(io[0]);
		rdy_io_free(io[2]);
		rdy_io_free(io[1]);
		ck_assert_int_eq(rdy_tcp_listen(&at, 0, &again), 0);
		rdy_io_free(again);
	}
}
END_TEST

START_TEST(options)
{
	for (int i = 0; i < 2; i++) {
		struct rdy_io *io[3];
		uint32_t ttl = 0;
		int on = 9;

		tcp_pair(loopbacks[i], io);
		ck_assert_int_eq(rdy_tcp_nodelay(io[1], &on), 0);
		ck_assert_int_eq(on, 0);
		ck_assert_int_eq(rdy_tcp_set_nodelay(io[1], 1), 0);
		ck_assert_int_eq(rdy_tcp_nodelay(io[1], &on), 0);
		ck_assert_int_ne(on, 0);
		ck_assert_int_eq(rdy_tcp_set_nodelay(io[1], 2), -EINVAL);
		ck_assert_int_eq(rdy_tcp_set_nodelay(NULL, 1), -EINVAL);
		ck_assert_int_eq(rdy_tcp_nodelay(NULL, &on), -EINVAL);
		ck_assert_int_eq(rdy_tcp_nodelay(io[1], NULL), -EINVAL);
		ck_assert_int_eq(rdy_socket_ttl(io[1], &ttl), 0);
		ck_assert_uint_gt(ttl, 0);
		ck_assert_int_eq(rdy_socket_set_ttl(io[1], 17), 0);
		ck_assert_int_eq(rdy_socket_ttl(io[1], &ttl), 0);
		ck_assert_uint_eq(ttl, 17);
		ck_assert_int_eq(rdy_socket_set_ttl(io[1], 0), -EINVAL);
		ck_assert_int_eq(rdy_socket_set_ttl(io[1], 256), -EINVAL);
		ck_assert_int_eq(rdy_socket_set_ttl(NULL, 1), -EINVAL);
		ck_assert_int_eq(rdy_socket_ttl(io[1], NULL), -EINVAL);
		for (int k = 0; k < 3; k++)
			rdy_io_free(io[k]);
	}
}
END_TEST

START_TEST(wrong_arguments)
{
	struct rdy_addr at = addr_of("127.0.0.1:0"), path = addr_of("unix:@x"), none = {0};
	struct rdy_io *io = NULL, *s, *r;
	struct rlimit before;
	uint32_t ttl;
	int error;
	char c;

	ck_assert_int_eq(rdy_tcp_listen(NULL, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_tcp_listen(&at, 0, NULL), -EINVAL);
	ck_assert_int_eq(rdy_tcp_listen(&path, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_tcp_listen(&none, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_tcp_listen(&at, UINT32_MAX, &io), -EINVAL);
	ck_assert_int_eq(rdy_tcp_connect(NULL, &io), -EINVAL);
	ck_assert_int_eq(rdy_tcp_connect(&at, NULL), -EINVAL);
	ck_assert_int_eq(rdy_tcp_connect(&path, &io), -EINVAL);
	before = no_more_descriptors();
	ck_assert_int_eq(rdy_tcp_listen(&at, 0, &io), -EMFILE);
	ck_assert_int_eq(rdy_tcp_connect(&at, &io), -EMFILE);
	descriptors_again(before);
	ck_assert_ptr_null(io);
	/* No sockets at all. */
	ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
	ck_assert_int_eq(rdy_socket_local_addr(s, &at), -ENOTSOCK);
	ck_assert_int_eq(rdy_socket_peer_addr(s, &at), -ENOTSOCK);
	ck_assert_int_eq(rdy_socket_take_error(s, &error), -ENOTSOCK);
	ck_assert_int_eq(rdy_socket_shutdown(s, RDY_SHUT_READ), -ENOTSOCK);
	ck_assert_int_eq((int)rdy_socket_send(s, "x", 1), -ENOTSOCK);
	ck_assert_int_eq((int)rdy_socket_recv(r, &c, 1), -ENOTSOCK);
	ck_assert_int_eq(rdy_socket_set_ttl(s, 1), -ENOTSOCK);
	ck_assert_int_eq(rdy_tcp_set_nodelay(s, 1), -ENOTSOCK);
	rdy_io_free(s);
	rdy_io_free(r);
	/* Of another kind. */
	ck_assert_int_eq(rdy_unix_pair(&s, &r), 0);
	ck_assert_int_eq(rdy_socket_ttl(s, &ttl), -ENOPROTOOPT);
	ck_assert_int_eq(rdy_tcp_set_nodelay(s, 1), -ENOPROTOOPT);
	ck_assert_int_eq(rdy_socket_shutdown(s, 0), -EINVAL);
	ck_assert_int_eq(rdy_socket_shutdown(s, 4), -EINVAL);
	ck_assert_int_eq(rdy_socket_shutdown(NULL, 1), -EINVAL);
	ck_assert_int_eq(rdy_socket_local_addr(NULL, &at), -EINVAL);
	ck_assert_int_eq(rdy_socket_local_addr(s, NULL), -EINVAL);
	ck_assert_int_eq(rdy_socket_take_error(s, NULL), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send(NULL, "x", 1), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send(s, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_recv(NULL, &c, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_recv(s, NULL, 1), -EINVAL);
	rdy_io_free(s);
	rdy_io_free(r);
}
END_TEST

START_TEST(addresses_that_cannot_be_had)
{
	struct rdy_addr foreign = addr_of("192.0.2.1:0"), low = addr_of("127.0.0.1:1");
	struct rdy_io *io = NULL, *s, *r, *udp;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	int lowest = 1024;
	uid_t before;

	ck_assert_int_eq(rdy_tcp_listen(&foreign, 0, &io), -EADDRNOTAVAIL);
	ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
	ck_assert_int_eq(rdy_tcp_accept(s, NULL, &io), -ENOTSOCK);
	rdy_io_free(s);
	rdy_io_free(r);
	foreign = addr_of("127.0.0.1:0");
	ck_assert_int_eq(rdy_udp_bind(&foreign, &udp), 0);
	ck_assert_int_eq(rdy_tcp_accept(udp, NULL, &io), -EOPNOTSUPP);
	rdy_io_free(udp);
	if (f) {
		ck_assert_int_eq(fscanf(f, "%d", &lowest), 1);
		fclose(f);
	}
	before = be_nobody();
	if (lowest > 1)
		ck_assert_int_eq(rdy_tcp_listen(&low, 0, &io), -EACCES);
	ck_assert_int_eq(seteuid(before), 0);
	ck_assert_ptr_null(io);
}
END_TEST

UNIT_MAIN("net/tcp", a_connection, nobody_listens, accepting, a_restart, options, wrong_arguments,
	addresses_that_cannot_be_had)
