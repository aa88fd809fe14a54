/* SPDX-License-Identifier: MIT */
/* mio's tests/tcp_listener.rs. */
#include "conformance.h"

static void *connect_and_accept(void *p)
{
	struct rdy_io *c = a_client(p), *s = an_accepted(p);

	rdy_io_free(s);
	rdy_io_free(c);
	return NULL;
}

START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);

		reg(&b, l, 1, RDY_READABLE);
		elsewhere(connect_and_accept, l);
		rdy_io_free(l);
	}
}
END_TEST

static void smoke(struct bench *b, struct rdy_io *l)
{
	struct rdy_io *c, *s = NULL;
	struct rdy_addr from, local;

	expect_flags(l);
	reg(b, l, 1, RDY_READABLE);
	fails(rdy_tcp_accept(l, &from, &s), EAGAIN);
	c = a_client(l);
	wait_for(b, 1, RDY_READABLE);
	ok(rdy_tcp_accept(l, &from, &s));
	expect_flags(s);
	local = local_of(c);
	gives(rdy_addr_equal(&local, &from), 1);
	rdy_io_free(s);
	s = NULL;
	fails(rdy_tcp_accept(l, &from, &s), EAGAIN);
	ck_assert_ptr_null(s);
	no_error(l);
	rdy_io_free(c);
	rdy_io_free(l);
}

START_TEST(tcp_listener)
{
	for_each_variant(b)
	{
		smoke(&b, a_listener(LOOPBACK));
	}
}
END_TEST

START_TEST(tcp_listener_ipv6)
{
	for_each_variant(b)
	{
		smoke(&b, a_listener(LOOPBACK_V6));
	}
}
END_TEST

/* A listener that the library did not make: blocking, inherited. */
START_TEST(tcp_listener_std)
{
	for_each_variant(b)
	{
		struct rdy_io *l = taken_over(AF_INET, SOCK_STREAM);
		struct rdy_addr at = addr_of(LOOPBACK);
		size_t n;
		const struct sockaddr *sa = rdy_addr_sockaddr(&at, &n);

		ok(bind(rdy_io_fd(l), sa, (socklen_t)n));
		ok(listen(rdy_io_fd(l), 16));
		smoke(&b, l);
	}
}
END_TEST

START_TEST(set_get_ttl)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);
		uint32_t ttl = 0;

		ok(rdy_socket_set_ttl(l, 10));
		ok(rdy_socket_ttl(l, &ttl));
		ck_assert_uint_eq(ttl, 10);
		no_error(l);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(get_ttl_without_previous_set)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);
		uint32_t ttl = 0;

		ok(rdy_socket_ttl(l, &ttl));
		ck_assert_uint_gt(ttl, 0);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(raw_fd)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);
		struct rdy_addr at = local_of(l), again;
		int fd = rdy_io_fd(l);

		/* Out and in, also of a poll. */
		reg(&b, l, 1, RDY_READABLE);
		gives(rdy_io_release(l), fd);
		ok(rdy_io_new(fd, &l));
		gives(rdy_io_fd(l), fd);
		again = local_of(l);
		gives(rdy_addr_equal(&at, &again), 1);
		smoke(&b, l);
	}
}
END_TEST

START_TEST(registering)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);

		reg(&b, l, 1, RDY_READABLE);
		expect_none(&b);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(reregister)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c, *s;

		reg(&b, l, 1, RDY_READABLE);
		rereg(l, 2, RDY_READABLE);
		c = a_client(l);
		data_arrived(l);
		expect(&b, 2, RDY_READABLE);
		ok(rdy_tcp_accept(l, NULL, &s));
		fails(rdy_tcp_accept(l, NULL, &s), EAGAIN);
		rdy_io_free(s);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(no_events_after_deregister)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c, *s;

		reg(&b, l, 1, RDY_READABLE);
		c = a_client(l);
		data_arrived(l);
		dereg(l);
		expect_none(&b);
		ok(rdy_tcp_accept(l, NULL, &s));
		fails(rdy_tcp_accept(l, NULL, &s), EAGAIN);
		rdy_io_free(s);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

/* A second connection is an event again after -EAGAIN. */
START_TEST(tcp_listener_two_streams)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c[2], *s[2];

		reg(&b, l, 1, RDY_READABLE);
		for (int i = 0; i < 2; i++) {
			c[i] = a_client(l);
			wait_for(&b, 1, RDY_READABLE);
			ok(rdy_tcp_accept(l, NULL, &s[i]));
			fails(rdy_tcp_accept(l, NULL, &s[i]), EAGAIN);
			expect_none(&b);
		}
		free_all(c, 2);
		free_all(s, 2);
		rdy_io_free(l);
	}
}
END_TEST

UNIT_MAIN("conformance/tcp_listener", is_send_and_sync, tcp_listener, tcp_listener_ipv6,
	tcp_listener_std, set_get_ttl, get_ttl_without_previous_set, raw_fd, registering,
	reregister, no_events_after_deregister, tcp_listener_two_streams)
