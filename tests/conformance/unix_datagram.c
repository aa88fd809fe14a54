/* SPDX-License-Identifier: MIT */
/* mio's tests/unix_datagram.rs. By path and by abstract name, where it matters. */
#include "conformance.h"

#define A 0
#define B 1

static struct rdy_io *bound(const struct rdy_addr *at)
{
	struct rdy_io *io = NULL;

	ok(rdy_unix_datagram_bind(at, &io));
	return io;
}

static struct rdy_io *unbound(void)
{
	struct rdy_io *io = NULL;

	ok(rdy_unix_datagram_unbound(&io));
	return io;
}

/* One that the library did not make. */
static struct rdy_io *bound_elsewhere(const struct rdy_addr *at)
{
	struct rdy_io *io = taken_over(AF_UNIX, SOCK_DGRAM);
	size_t n;
	const struct sockaddr *sa = rdy_addr_sockaddr(at, &n);

	ok(bind(rdy_io_fd(io), sa, (socklen_t)n));
	return io;
}

static void hear_nothing(struct rdy_io *io)
{
	char c;

	fails(rdy_socket_recv(io, &c, 1), EAGAIN);
}

static void hear(struct rdy_io *io, const char *text)
{
	char buf[64];

	gives(rdy_socket_recv(io, buf, sizeof(buf)), (ptrdiff_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void *say_elsewhere(void *p)
{
	gives(rdy_socket_send(p, HELLO, HELLO_BYTES), HELLO_BYTES);
	return NULL;
}

START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		ok(rdy_unix_datagram_pair(&io[A], &io[B]));
		reg(&b, io[A], A, RDY_READABLE);
		elsewhere(say_elsewhere, io[B]);
		wait_for(&b, A, RDY_READABLE);
		free_all(io, 2);
	}
}
END_TEST

static void smoke_unconnected(struct bench *b, bool abstract, bool elsewhere_made)
{
	struct rdy_addr at[2] = {unix_addr(abstract, "a"), unix_addr(abstract, "b")}, got, from;
	struct rdy_io *io[2];
	char buf[64];

	for (int i = 0; i < 2; i++) {
		io[i] = elsewhere_made ? bound_elsewhere(&at[i]) : bound(&at[i]);
		expect_flags(io[i]);
		got = local_of(io[i]);
		gives(rdy_addr_equal(&at[i], &got), 1);
		reg(b, io[i], (uint64_t)i, RW);
		hear_nothing(io[i]);
	}
	wait_for_each(b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
	gives(rdy_socket_send_to(io[A], HELLO, HELLO_BYTES, &at[B]), HELLO_BYTES);
	gives(rdy_socket_send_to(io[B], "2", 1, &at[A]), 1);
	wait_for_each(b, {A, RDY_READABLE}, {B, RDY_READABLE});
	gives(rdy_socket_recv_from(io[A], buf, sizeof(buf), &from), 1);
	gives(rdy_addr_equal(&from, &at[B]), 1);
	gives(rdy_socket_recv_from(io[B], buf, sizeof(buf), &from), HELLO_BYTES);
	gives(rdy_addr_equal(&from, &at[A]), 1);
	ck_assert_mem_eq(buf, HELLO, HELLO_BYTES);
	for (int i = 0; i < 2; i++) {
		hear_nothing(io[i]);
		no_error(io[i]);
		remove_path(&at[i]);
	}
	free_all(io, 2);
}

static void smoke_connected(struct bench *b, bool abstract, bool elsewhere_made)
{
	struct rdy_addr at[2] = {unix_addr(abstract, "a"), unix_addr(abstract, "b")}, got;
	struct rdy_io *io[2];

	for (int i = 0; i < 2; i++)
		io[i] = elsewhere_made ? bound_elsewhere(&at[i]) : bound(&at[i]);
	for (int i = 0; i < 2; i++) {
		ok(rdy_unix_datagram_connect(io[i], &at[!i]));
		ok(rdy_socket_peer_addr(io[i], &got));
		gives(rdy_addr_equal(&at[!i], &got), 1);
		reg(b, io[i], (uint64_t)i, RW);
		hear_nothing(io[i]);
	}
	wait_for_each(b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
	gives(rdy_socket_send(io[A], HELLO, HELLO_BYTES), HELLO_BYTES);
	gives(rdy_socket_send(io[B], "2", 1), 1);
	wait_for_each(b, {A, RDY_READABLE}, {B, RDY_READABLE});
	hear(io[A], "2");
	hear(io[B], HELLO);
	for (int i = 0; i < 2; i++) {
		hear_nothing(io[i]);
		no_error(io[i]);
		remove_path(&at[i]);
	}
	free_all(io, 2);
}

START_TEST(unix_datagram_smoke_unconnected)
{
	for_each_variant(b)
	{
		smoke_unconnected(&b, false, false);
		smoke_unconnected(&b, true, false);
	}
}
END_TEST

START_TEST(unix_datagram_smoke_connected)
{
	for_each_variant(b)
	{
		smoke_connected(&b, false, false);
		smoke_connected(&b, true, false);
	}
}
END_TEST

START_TEST(unix_datagram_smoke_unconnected_from_std)
{
	for_each_variant(b)
	{
		smoke_unconnected(&b, false, true);
	}
}
END_TEST

START_TEST(unix_datagram_smoke_connected_from_std)
{
	for_each_variant(b)
	{
		smoke_connected(&b, false, true);
	}
}
END_TEST

START_TEST(unix_datagram_connect)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(false, "own"), local, peer;
		struct rdy_io *io = bound(&at);

		/* To itself, which is a way to talk to oneself. */
		ok(rdy_unix_datagram_connect(io, &at));
		local = local_of(io);
		ok(rdy_socket_peer_addr(io, &peer));
		gives(rdy_addr_equal(&local, &peer), 1);
		reg(&b, io, A, RDY_READABLE);
		gives(rdy_socket_send(io, HELLO, HELLO_BYTES), HELLO_BYTES);
		wait_for(&b, A, RDY_READABLE);
		hear(io, HELLO);
		rdy_io_free(io);
		remove_path(&at);
	}
}
END_TEST

START_TEST(unix_datagram_pair)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		ok(rdy_unix_datagram_pair(&io[A], &io[B]));
		for (int i = 0; i < 2; i++) {
			expect_flags(io[i]);
			reg(&b, io[i], (uint64_t)i, RW);
		}
		wait_for_each(&b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
		gives(rdy_socket_send(io[A], HELLO, HELLO_BYTES), HELLO_BYTES);
		gives(rdy_socket_send(io[B], "2", 1), 1);
		wait_for_each(&b, {A, RDY_READABLE}, {B, RDY_READABLE});
		hear(io[A], "2");
		hear(io[B], HELLO);
		for (int i = 0; i < 2; i++) {
			hear_nothing(io[i]);
			no_error(io[i]);
		}
		free_all(io, 2);
	}
}
END_TEST

START_TEST(unix_datagram_shutdown)
{
	for_each_variant(b)
	{
		struct rdy_addr at[2] = {unix_addr(false, "a"), unix_addr(false, "b")};
		struct rdy_io *io[2] = {bound(&at[A]), bound(&at[B])};

		ok(rdy_unix_datagram_connect(io[A], &at[B]));
		reg(&b, io[A], A, RW);
		wait_for(&b, A, RDY_WRITABLE);
		gives(rdy_socket_send(io[A], HELLO, HELLO_BYTES), HELLO_BYTES);
		ok(rdy_socket_shutdown(io[A], RDY_SHUT_READ));
		wait_for(&b, A, RDY_READ_CLOSED);
		ok(rdy_socket_shutdown(io[A], RDY_SHUT_WRITE));
		wait_for(&b, A, RDY_WRITE_CLOSED);
		fails(rdy_socket_send(io[A], HELLO, HELLO_BYTES), EPIPE);
		no_error(io[A]);
		for (int i = 0; i < 2; i++)
			remove_path(&at[i]);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(unix_datagram_register)
{
	for_each_variant(b)
	{
		struct rdy_io *io = unbound();

		reg(&b, io, A, RDY_READABLE);
		expect_none(&b);
		rdy_io_free(io);
	}
}
END_TEST

START_TEST(unix_datagram_reregister)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "b");
		struct rdy_io *io[2] = {unbound(), bound(&at)};

		reg(&b, io[A], A, RDY_READABLE);
		ok(rdy_unix_datagram_connect(io[A], &at));
		expect_none(&b);
		rereg(io[A], A, RDY_WRITABLE);
		expect(&b, A, RDY_WRITABLE);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(unix_datagram_deregister)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(true, "a");
		struct rdy_io *io[2] = {bound(&at), unbound()};

		reg(&b, io[A], A, RDY_READABLE);
		dereg(io[A]);
		gives(rdy_socket_send_to(io[B], HELLO, HELLO_BYTES, &at), HELLO_BYTES);
		data_arrived(io[A]);
		expect_none(&b);
		hear(io[A], HELLO);
		free_all(io, 2);
	}
}
END_TEST

UNIT_MAIN("conformance/unix_datagram", is_send_and_sync, unix_datagram_smoke_unconnected,
	unix_datagram_smoke_connected, unix_datagram_smoke_unconnected_from_std,
	unix_datagram_smoke_connected_from_std, unix_datagram_connect, unix_datagram_pair,
	unix_datagram_shutdown, unix_datagram_register, unix_datagram_reregister,
	unix_datagram_deregister)
