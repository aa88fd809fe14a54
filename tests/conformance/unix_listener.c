/* SPDX-License-Identifier: MIT */
/* mio's tests/unix_listener.rs. */
#include "conformance.h"

static struct rdy_io *listener_at(const struct rdy_addr *at)
{
	struct rdy_io *io = NULL;

	ok(rdy_unix_listen(at, 0, &io));
	return io;
}

static struct rdy_io *client_of(const struct rdy_addr *at)
{
	struct rdy_io *io = NULL;

	ok(rdy_unix_connect(at, &io));
	return io;
}

static void *connect_elsewhere(void *p)
{
	struct rdy_addr at = local_of(p);
	struct rdy_io *c = client_of(&at), *s = NULL;

	ok(rdy_unix_accept(p, NULL, &s));
	rdy_io_free(s);
	rdy_io_free(c);
	return NULL;
}

START_TEST(unix_listener_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "l");
		struct rdy_io *l = listener_at(&at);

		reg(&b, l, 1, RDY_READABLE);
		elsewhere(connect_elsewhere, l);
		rdy_io_free(l);
	}
}
END_TEST

static void smoke(struct bench *b, struct rdy_io *l)
{
	struct rdy_addr at = local_of(l), from;
	struct rdy_io *c, *s = NULL;
	char buf[16];

	expect_flags(l);
	reg(b, l, 1, RDY_READABLE);
	fails(rdy_unix_accept(l, &from, &s), EAGAIN);
	c = client_of(&at);
	wait_for(b, 1, RDY_READABLE);
	ok(rdy_unix_accept(l, &from, &s));
	expect_flags(s);
	ck_assert_uint_eq(rdy_addr_kind(&from), RDY_ADDR_UNIX_UNNAMED);
	no_error(l);
	fails(rdy_io_read(s, buf, sizeof(buf)), EAGAIN);
	send_text(c, HELLO);
	receive_text(s, HELLO);
	rdy_io_free(s);
	s = NULL;
	fails(rdy_unix_accept(l, &from, &s), EAGAIN);
	ck_assert_ptr_null(s);
	rdy_io_free(c);
	rdy_io_free(l);
	remove_path(&at);
}

START_TEST(unix_listener_smoke)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(false, "l");

		smoke(&b, listener_at(&at));
	}
}
END_TEST

START_TEST(unix_listener_from_std)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(false, "l");
		struct rdy_io *l = taken_over(AF_UNIX, SOCK_STREAM);
		size_t n;
		const struct sockaddr *sa = rdy_addr_sockaddr(&at, &n);

		ok(bind(rdy_io_fd(l), sa, (socklen_t)n));
		ok(listen(rdy_io_fd(l), 16));
		smoke(&b, l);
	}
}
END_TEST

START_TEST(unix_listener_local_addr)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(false, "l"), got, peer;
		struct rdy_io *l = listener_at(&at), *c, *s;
		size_t n = 0;

		got = local_of(l);
		gives(rdy_addr_equal(&at, &got), 1);
		ck_assert_str_eq(rdy_addr_name(&got, &n), rdy_addr_name(&at, NULL));
		reg(&b, l, 1, RDY_READABLE);
		c = client_of(&at);
		got = local_of(c);
		ck_assert_uint_eq(rdy_addr_kind(&got), RDY_ADDR_UNIX_UNNAMED);
		wait_for(&b, 1, RDY_READABLE);
		ok(rdy_unix_accept(l, &peer, &s));
		ck_assert_uint_eq(rdy_addr_kind(&peer), RDY_ADDR_UNIX_UNNAMED);
		ck_assert_ptr_null(rdy_addr_name(&peer, NULL));
		got = local_of(s);
		gives(rdy_addr_equal(&at, &got), 1);
		rdy_io_free(s);
		rdy_io_free(c);
		rdy_io_free(l);
		remove_path(&at);
	}
}
END_TEST

START_TEST(unix_listener_register)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "l");
		struct rdy_io *l = listener_at(&at);

		reg(&b, l, 1, RDY_READABLE);
		expect_none(&b);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(unix_listener_reregister)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "l");
		struct rdy_io *l = listener_at(&at), *c;

		reg(&b, l, 1, RDY_WRITABLE);
		c = client_of(&at);
		data_arrived(l);
		expect_none(&b);
		rereg(l, 1, RDY_READABLE);
		expect(&b, 1, RDY_READABLE);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(unix_listener_deregister)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "l");
		struct rdy_io *l = listener_at(&at), *c;

		reg(&b, l, 1, RDY_READABLE);
		c = client_of(&at);
		data_arrived(l);
		dereg(l);
		expect_none(&b);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(unix_listener_abstract_namespace)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "named"), got, odd;
		static const char zeros[] = "\0readyd\0conformance\0";
		struct rdy_io *l = listener_at(&at);
		size_t n = 0, n_at = 0;

		got = local_of(l);
		ck_assert_uint_eq(rdy_addr_kind(&got), RDY_ADDR_UNIX_ABSTRACT);
		gives(rdy_addr_equal(&at, &got), 1);
		ck_assert_ptr_nonnull(rdy_addr_name(&at, &n_at));
		ck_assert_mem_eq(rdy_addr_name(&got, &n), rdy_addr_name(&at, &n_at), n_at);
		ck_assert_uint_eq(n, n_at);
		smoke(&b, l);
		/* A 0 is a byte like any other. */
		ok(rdy_addr_unix_abstract(zeros, sizeof(zeros), &odd));
		l = listener_at(&odd);
		got = local_of(l);
		ck_assert_ptr_nonnull(rdy_addr_name(&got, &n));
		ck_assert_uint_eq(n, sizeof(zeros));
		smoke(&b, l);
	}
}
END_TEST

UNIT_MAIN("conformance/unix_listener", unix_listener_send_and_sync, unix_listener_smoke,
	unix_listener_from_std, unix_listener_local_addr, unix_listener_register,
	unix_listener_reregister, unix_listener_deregister, unix_listener_abstract_namespace)
