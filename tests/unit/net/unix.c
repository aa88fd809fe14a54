/* SPDX-License-Identifier: MIT */
/* Unix sockets: streams and listeners by path and by abstract name, pairs, datagrams. */
#include <stdbool.h>

#include "net.h"

/* A path of this test's own, and an abstract name. */
static struct rdy_addr an_addr(bool abstract, const char *what)
{
	char text[128];

	snprintf(text, sizeof(text), "unix:%sreadyd-test-%d-%s", abstract ? "@" : "/tmp/",
		(int)getpid(), what);
	return addr_of(text);
}

static void remove_path(const struct rdy_addr *addr)
{
	if (rdy_addr_kind(addr) == RDY_ADDR_UNIX_PATH)
		ck_assert_int_eq(unlink(rdy_addr_name(addr, NULL)), 0);
}

START_TEST(listen_and_connect)
{
	for_each_variant(b)
	{
		for (int abstract = 0; abstract < 2; abstract++) {
			struct rdy_addr at = an_addr(abstract, "l"), got, peer;
			struct rdy_io *l, *c, *s = NULL, *second = NULL;
			char byte;

			ck_assert_int_eq(rdy_unix_listen(&at, 0, &l), 0);
			expect_flags(l);
			ck_assert_int_eq(rdy_unix_listen(&at, 0, &second), -EADDRINUSE);
			ck_assert_ptr_null(second);
			ck_assert_int_eq(rdy_socket_local_addr(l, &got), 0);
			ck_assert_int_eq(rdy_addr_equal(&at, &got), 1);
			watch(&b, l, 1, RDY_READABLE, RDY_EDGE);
			ck_assert_int_eq(rdy_unix_accept(l, &peer, &s), -EAGAIN);
			ck_assert_int_eq(rdy_unix_connect(&at, &c), 0);
			expect_flags(c);
			wait_for(&b, 1, RDY_READABLE);
			ck_assert_int_eq(rdy_unix_accept(l, &peer, &s), 0);
			expect_flags(s);
			ck_assert_uint_eq(rdy_addr_kind(&peer), RDY_ADDR_UNIX_UNNAMED);
			ck_assert_int_eq(rdy_socket_peer_addr(c, &got), 0);
			ck_assert_int_eq(rdy_addr_equal(&at, &got), 1);
			watch(&b, s, 2, RDY_READABLE, RDY_EDGE);
			ck_assert_int_eq((int)rdy_io_write(c, "x", 1), 1);
			wait_for(&b, 2, RDY_READABLE);
			ck_assert_int_eq((int)rdy_io_read(s, &byte, 1), 1);
			c = rdy_io_free(c);
			wait_for(&b, 2, RDY_READ_CLOSED);
			rdy_io_free(s);
			rdy_io_free(l);
			ck_assert_int_eq(rdy_unix_connect(&at, &c), -ECONNREFUSED);
			remove_path(&at);
		}
	}
}
END_TEST

/* The queue is full: there is no event for it, and nothing is left open. */
START_TEST(a_full_queue)
{
	struct rdy_addr at = an_addr(true, "full");
	struct rdy_io *l, *c[8] = {NULL};
	int n = 0, r;

	ck_assert_int_eq(rdy_unix_listen(&at, 1, &l), 0);
	while (n < 8 && (r = rdy_unix_connect(&at, &c[n])) == 0)
		n++;
	ck_assert_int_lt(n, 8);
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_ptr_null(c[n]);
	while (n > 0)
		rdy_io_free(c[--n]);
	rdy_io_free(l);
}
END_TEST

START_TEST(datagrams)
{
	for_each_variant(b)
	{
		struct rdy_addr at = an_addr(true, "d"), from;
		struct rdy_io *z, *a, *x, *y;
		char buf[8];

		ck_assert_int_eq(rdy_unix_datagram_bind(&at, &z), 0);
		ck_assert_int_eq(rdy_unix_datagram_unbound(&a), 0);
		expect_flags(z);
		expect_flags(a);
		watch(&b, z, 1, RDY_READABLE, RDY_EDGE);
		ck_assert_int_eq((int)rdy_socket_send(a, "x", 1), -ENOTCONN);
		ck_assert_int_eq((int)rdy_socket_send_to(a, "abc", 3, &at), 3);
		wait_for(&b, 1, RDY_READABLE);
		ck_assert_int_eq((int)rdy_socket_recv_from(z, buf, 8, &from), 3);
		/* Nobody's name. */
		ck_assert_ptr_null(rdy_addr_name(&from, NULL));
		ck_assert_int_eq((int)rdy_socket_recv(z, buf, 8), -EAGAIN);
		ck_assert_int_eq(rdy_unix_datagram_connect(a, &at), 0);
		ck_assert_int_eq((int)rdy_socket_send(a, "d", 1), 1);
		wait_for(&b, 1, RDY_READABLE);
		ck_assert_int_eq((int)rdy_socket_recv(z, buf, 8), 1);
		rdy_io_free(z);
		ck_assert_int_eq((int)rdy_socket_send(a, "d", 1), -ECONNREFUSED);
		ck_assert_int_eq(rdy_unix_datagram_connect(a, &at), -ECONNREFUSED);
		rdy_io_free(a);
		ck_assert_int_eq(rdy_unix_datagram_pair(&x, &y), 0);
		expect_flags(x);
		watch(&b, y, 2, RDY_READABLE | RDY_WRITABLE, RDY_EDGE);
		ck_assert_int_eq((int)rdy_io_write(x, "pq", 2), 2);
		wait_for(&b, 2, RDY_READABLE);
		ck_assert_int_eq((int)rdy_io_read(y, buf, 1), 1);
		ck_assert_int_eq((int)rdy_io_read(y, buf, 1), -EAGAIN);
		rdy_io_free(x);
		rdy_io_free(y);
	}
}
END_TEST

START_TEST(wrong_arguments)
{
	struct rdy_addr ip = addr_of("127.0.0.1:1"), unnamed = addr_of("unix:"),
			at = an_addr(false, "w"), far = addr_of("unix:/no/such/folder/x");
	struct rdy_io *io = NULL, *other = NULL, *l, *d;
	struct rlimit before;

	ck_assert_int_eq(rdy_unix_listen(NULL, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_listen(&at, 0, NULL), -EINVAL);
	ck_assert_int_eq(rdy_unix_listen(&ip, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_listen(&unnamed, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_listen(&at, UINT32_MAX, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_listen(&far, 0, &io), -ENOENT);
	ck_assert_int_eq(rdy_unix_accept(NULL, NULL, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_connect(NULL, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_connect(&at, NULL), -EINVAL);
	ck_assert_int_eq(rdy_unix_connect(&ip, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_connect(&far, &io), -ENOENT);
	ck_assert_int_eq(rdy_unix_pair(NULL, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_pair(&io, NULL), -EINVAL);
	ck_assert_int_eq(rdy_unix_datagram_bind(&ip, &io), -EINVAL);
	ck_assert_int_eq(rdy_unix_datagram_unbound(NULL), -EINVAL);
	ck_assert_int_eq(rdy_unix_datagram_pair(&io, NULL), -EINVAL);
	before = no_more_descriptors();
	ck_assert_int_eq(rdy_unix_listen(&at, 0, &io), -EMFILE);
	ck_assert_int_eq(rdy_unix_connect(&at, &io), -EMFILE);
	ck_assert_int_eq(rdy_unix_pair(&io, &other), -EMFILE);
	ck_assert_int_eq(rdy_unix_datagram_bind(&at, &io), -EMFILE);
	ck_assert_int_eq(rdy_unix_datagram_unbound(&io), -EMFILE);
	ck_assert_int_eq(rdy_unix_datagram_pair(&io, &other), -EMFILE);
	descriptors_again(before);
	ck_assert(!io && !other);
	/* The wrong kind of socket is there. */
	ck_assert_int_eq(rdy_unix_listen(&at, 0, &l), 0);
	ck_assert_int_eq(rdy_unix_datagram_unbound(&d), 0);
	ck_assert_int_eq(rdy_unix_datagram_connect(d, &at), -EPROTOTYPE);
	ck_assert_int_eq(rdy_unix_datagram_connect(NULL, &at), -EINVAL);
	ck_assert_int_eq(rdy_unix_datagram_connect(d, &ip), -EINVAL);
	rdy_io_free(l);
	remove_path(&at);
	ck_assert_int_eq(rdy_unix_datagram_bind(&at, &l), 0);
	ck_assert_int_eq(rdy_unix_connect(&at, &io), -EPROTOTYPE);
	rdy_io_free(l);
	remove_path(&at);
	rdy_io_free(d);
}
END_TEST

START_TEST(addresses_that_cannot_be_had)
{
	struct rdy_addr under = addr_of("unix:/dev/null/x"), file = addr_of("unix:/dev/null"),
			theirs = addr_of("unix:/usr/readyd-test"), at = an_addr(true, "here"),
			there = an_addr(true, "there");
	struct rdy_io *io = NULL, *a, *z, *d, *s, *r;
	uid_t before;

	ck_assert_int_eq(rdy_unix_listen(&under, 0, &io), -ENOTDIR);
	ck_assert_int_eq(rdy_unix_datagram_bind(&under, &io), -ENOTDIR);
	ck_assert_int_eq(rdy_unix_connect(&under, &io), -ENOTDIR);
	ck_assert_int_eq(rdy_unix_listen(&file, 0, &io), -EADDRINUSE);
	ck_assert_int_eq(rdy_unix_datagram_bind(&file, &io), -EADDRINUSE);
	ck_assert_int_eq(rdy_unix_connect(&file, &io), -ECONNREFUSED);
	/* Connected to somebody: others cannot connect to it, nor send. */
	ck_assert_int_eq(rdy_unix_datagram_bind(&at, &a), 0);
	ck_assert_int_eq(rdy_unix_datagram_bind(&there, &z), 0);
	ck_assert_int_eq(rdy_unix_datagram_bind(&at, &io), -EADDRINUSE);
	ck_assert_int_eq(rdy_unix_datagram_unbound(&d), 0);
	ck_assert_int_eq(rdy_unix_datagram_connect(a, &there), 0);
	ck_assert_int_eq(rdy_unix_datagram_connect(d, &at), -EPERM);
	ck_assert_int_eq((int)rdy_socket_send_to(d, "x", 1, &at), -EPERM);
	ck_assert_int_eq(rdy_unix_datagram_connect(d, &file), -ECONNREFUSED);
	ck_assert_int_eq(rdy_unix_datagram_connect(d, &under), -ENOTDIR);
	/* It may be repeated. */
	ck_assert_int_eq(rdy_unix_datagram_connect(d, &there), 0);
	ck_assert_int_eq((int)rdy_socket_send(d, "x", 1), 1);
	ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
	ck_assert_int_eq(rdy_unix_datagram_connect(s, &there), -ENOTSOCK);
	ck_assert_int_eq(rdy_unix_accept(s, NULL, &io), -ENOTSOCK);
	rdy_io_free(s);
	rdy_io_free(r);
	rdy_io_free(a);
	rdy_io_free(z);
	rdy_io_free(d);
	before = be_nobody();
	ck_assert_int_eq(rdy_unix_listen(&theirs, 0, &io), -EACCES);
	ck_assert_int_eq(rdy_unix_datagram_bind(&theirs, &io), -EACCES);
	ck_assert_int_eq(seteuid(before), 0);
	ck_assert_ptr_null(io);
}
END_TEST

/* The longest path and name there are: 108 and 107 bytes. */
START_TEST(the_longest_names)
{
	for (int abstract = 0; abstract < 2; abstract++) {
		char text[128] = "unix:";
		struct rdy_addr at, got;
		struct rdy_io *l, *c, *s;
		int n = snprintf(
			text + 5, 64, "%sreadyd-test-%d-", abstract ? "@" : "/tmp/", (int)getpid());

		memset(text + 5 + n, 'n', (size_t)(108 - n));
		text[5 + 108] = 0;
		at = addr_of(text);
		ck_assert_int_eq(rdy_unix_listen(&at, 0, &l), 0);
		ck_assert_int_eq(rdy_socket_local_addr(l, &got), 0);
		ck_assert_int_eq(rdy_addr_equal(&at, &got), 1);
		ck_assert_int_eq(rdy_unix_connect(&at, &c), 0);
		ck_assert_int_eq(rdy_unix_accept(l, &got, &s), 0);
		ck_assert_int_eq(rdy_socket_peer_addr(c, &got), 0);
		ck_assert_int_eq(rdy_addr_equal(&at, &got), 1);
		rdy_io_free(s);
		rdy_io_free(c);
		rdy_io_free(l);
		remove_path(&at);
		/* As the address of who sends. */
		ck_assert_int_eq(rdy_unix_datagram_bind(&at, &l), 0);
		ck_assert_int_eq((int)rdy_socket_send_to(l, "x", 1, &at), 1);
		ck_assert_int_eq((int)rdy_socket_recv_from(l, text, 1, &got), 1);
		ck_assert_int_eq(rdy_addr_equal(&at, &got), 1);
		rdy_io_free(l);
		remove_path(&at);
	}
}
END_TEST

UNIT_MAIN("net/unix", listen_and_connect, a_full_queue, datagrams, wrong_arguments,
	addresses_that_cannot_be_had, the_longest_names)
