/* SPDX-License-Identifier: MIT */
/* mio's tests/udp_socket.rs; options are in udp_options.c. */
#include "conformance.h"

#define A 0
#define B 1

/* A socket that the library did not make. */
static struct rdy_io *bound_elsewhere(void)
{
	struct rdy_io *io = taken_over(AF_INET, SOCK_DGRAM);
	struct rdy_addr at = addr_of(LOOPBACK);
	size_t n;
	const struct sockaddr *sa = rdy_addr_sockaddr(&at, &n);

	ok(bind(rdy_io_fd(io), sa, (socklen_t)n));
	return io;
}

static void two(const char *text, struct rdy_io *io[2])
{
	io[A] = bound_udp(text);
	io[B] = bound_udp(text);
}

static void connect_to(struct rdy_io *io, struct rdy_io *peer)
{
	struct rdy_addr at = local_of(peer);

	ok(rdy_udp_connect(io, &at));
}

static void connect_both(struct rdy_io *io[2])
{
	connect_to(io[A], io[B]);
	connect_to(io[B], io[A]);
}

static void say(struct rdy_io *io, const char *text)
{
	gives(rdy_socket_send(io, text, strlen(text)), (ptrdiff_t)strlen(text));
}

static void say_to(struct rdy_io *io, struct rdy_io *peer, const char *text)
{
	struct rdy_addr at = local_of(peer);

	gives(rdy_socket_send_to(io, text, strlen(text), &at), (ptrdiff_t)strlen(text));
}

static void hear(struct rdy_io *io, const char *text)
{
	char buf[64];

	gives(rdy_socket_recv(io, buf, sizeof(buf)), (ptrdiff_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void hear_from(struct rdy_io *io, struct rdy_io *peer, const char *text)
{
	struct rdy_addr at = local_of(peer), from;
	char buf[64];

	gives(rdy_socket_recv_from(io, buf, sizeof(buf), &from), (ptrdiff_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
	gives(rdy_addr_equal(&at, &from), 1);
}

static void hear_nothing(struct rdy_io *io)
{
	char c;

	fails(rdy_socket_recv(io, &c, 1), EAGAIN);
}

static void hear_from_nobody(struct rdy_io *io)
{
	struct rdy_addr from;
	char c;

	fails(rdy_socket_recv_from(io, &c, 1, &from), EAGAIN);
}

static void *say_elsewhere(void *p)
{
	say(p, HELLO);
	return NULL;
}

START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		connect_both(io);
		reg(&b, io[A], A, RDY_READABLE);
		elsewhere(say_elsewhere, io[B]);
		elsewhere(say_elsewhere, io[A]);
		wait_for(&b, A, RDY_READABLE);
		hear(io[B], HELLO);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(empty_datagram)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		struct rdy_addr at;
		char buf[8];

		two(LOOPBACK, io);
		at = local_of(io[B]);
		reg(&b, io[B], B, RDY_READABLE);
		ok(rdy_socket_send_to(io[A], "", 0, &at));
		wait_for(&b, B, RDY_READABLE);
		ok(rdy_socket_recv(io[B], buf, sizeof(buf)));
		hear_nothing(io[B]);
		free_all(io, 2);
	}
}
END_TEST

static void smoke_unconnected(struct bench *b, struct rdy_io *io[2])
{
	char buf[64];
	struct rdy_addr from, at = local_of(io[A]);

	for (int i = 0; i < 2; i++) {
		expect_flags(io[i]);
		reg(b, io[i], (uint64_t)i, RW);
		hear_from_nobody(io[i]);
		fails(rdy_socket_peek_from(io[i], buf, 1, &from), EAGAIN);
	}
	wait_for_each(b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
	say_to(io[A], io[B], HELLO);
	say_to(io[B], io[A], "2");
	wait_for_each(b, {A, RDY_READABLE}, {B, RDY_READABLE});
	gives(rdy_socket_peek_from(io[B], buf, sizeof(buf), &from), HELLO_BYTES);
	gives(rdy_addr_equal(&at, &from), 1);
	hear_from(io[B], io[A], HELLO);
	hear_from(io[A], io[B], "2");
	for (int i = 0; i < 2; i++) {
		hear_from_nobody(io[i]);
		no_error(io[i]);
	}
	free_all(io, 2);
}

START_TEST(unconnected_udp_socket_ipv4)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		smoke_unconnected(&b, io);
	}
}
END_TEST

START_TEST(unconnected_udp_socket_ipv6)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK_V6, io);
		smoke_unconnected(&b, io);
	}
}
END_TEST

START_TEST(unconnected_udp_socket_std)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2] = {bound_elsewhere(), bound_elsewhere()};

		smoke_unconnected(&b, io);
	}
}
END_TEST

static void smoke_connected(struct bench *b, struct rdy_io *io[2])
{
	char buf[64];
	struct rdy_addr peer, at = local_of(io[B]);

	connect_both(io);
	ok(rdy_socket_peer_addr(io[A], &peer));
	gives(rdy_addr_equal(&at, &peer), 1);
	for (int i = 0; i < 2; i++) {
		expect_flags(io[i]);
		reg(b, io[i], (uint64_t)i, RW);
		hear_nothing(io[i]);
		fails(rdy_socket_peek(io[i], buf, 1), EAGAIN);
	}
	wait_for_each(b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
	say(io[A], HELLO);
	say(io[B], "2");
	wait_for_each(b, {A, RDY_READABLE}, {B, RDY_READABLE});
	gives(rdy_socket_peek(io[B], buf, sizeof(buf)), HELLO_BYTES);
	hear(io[B], HELLO);
	hear(io[A], "2");
	for (int i = 0; i < 2; i++) {
		hear_nothing(io[i]);
		no_error(io[i]);
	}
	free_all(io, 2);
}

START_TEST(connected_udp_socket_ipv4)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		smoke_connected(&b, io);
	}
}
END_TEST

START_TEST(connected_udp_socket_ipv6)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK_V6, io);
		smoke_connected(&b, io);
	}
}
END_TEST

START_TEST(connected_udp_socket_std)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2] = {bound_elsewhere(), bound_elsewhere()};

		smoke_connected(&b, io);
	}
}
END_TEST

START_TEST(reconnect_udp_socket_sending)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2], *third = bound_udp(LOOPBACK);

		two(LOOPBACK, io);
		connect_to(io[A], io[B]);
		reg(&b, io[A], A, RW);
		reg(&b, io[B], B, RDY_READABLE);
		reg(&b, third, 2, RDY_READABLE);
		wait_for(&b, A, RDY_WRITABLE);
		say(io[A], HELLO);
		wait_for(&b, B, RDY_READABLE);
		hear(io[B], HELLO);
		connect_to(io[A], third);
		say(io[A], "2");
		wait_for(&b, 2, RDY_READABLE);
		hear(third, "2");
		hear_nothing(io[B]);
		for (int i = 0; i < 2; i++)
			no_error(io[i]);
		free_all(io, 2);
		rdy_io_free(third);
	}
}
END_TEST

START_TEST(reconnect_udp_socket_receiving)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2], *third = bound_udp(LOOPBACK);

		two(LOOPBACK, io);
		connect_both(io);
		reg(&b, io[A], A, RDY_READABLE);
		say(io[B], HELLO);
		wait_for(&b, A, RDY_READABLE);
		hear(io[A], HELLO);
		hear_nothing(io[A]);
		/* What another one sends is not heard (connected, it would be told: ECONNREFUSED) ... */
		say_to(third, io[A], "lost");
		connect_to(io[A], third);
		say_to(third, io[A], "2");
		wait_for(&b, A, RDY_READABLE);
		hear(io[A], "2");
		hear_nothing(io[A]);
		/* ... and now the first is the other one. */
		say(io[B], "lost");
		say_to(third, io[A], "3");
		wait_for(&b, A, RDY_READABLE);
		hear(io[A], "3");
		hear_nothing(io[A]);
		free_all(io, 2);
		rdy_io_free(third);
	}
}
END_TEST

START_TEST(unconnected_udp_socket_connected_methods)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		char buf[64];

		two(LOOPBACK, io);
		reg(&b, io[B], B, RDY_READABLE);
		fails(rdy_socket_send(io[A], HELLO, HELLO_BYTES), EDESTADDRREQ);
		say_to(io[A], io[B], HELLO);
		wait_for(&b, B, RDY_READABLE);
		gives(rdy_socket_peek(io[B], buf, sizeof(buf)), HELLO_BYTES);
		hear(io[B], HELLO);
		no_error(io[A]);
		no_error(io[B]);
		free_all(io, 2);
	}
}
END_TEST

/* On Linux an address for a connected socket is taken as it is. */
START_TEST(connected_udp_socket_unconnected_methods)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2], *third = bound_udp(LOOPBACK);
		char buf[64];
		struct rdy_addr from;

		two(LOOPBACK, io);
		connect_to(io[A], io[B]);
		connect_to(third, io[B]);
		reg(&b, io[B], B, RDY_READABLE);
		reg(&b, third, 2, RDY_READABLE);
		say_to(io[A], io[B], HELLO);
		wait_for(&b, B, RDY_READABLE);
		gives(rdy_socket_peek_from(io[B], buf, sizeof(buf), &from), HELLO_BYTES);
		hear_from(io[B], io[A], HELLO);
		say_to(io[B], third, "2");
		wait_for(&b, 2, RDY_READABLE);
		hear_from(third, io[B], "2");
		no_error(io[A]);
		free_all(io, 2);
		rdy_io_free(third);
	}
}
END_TEST

START_TEST(udp_socket_raw_fd)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		struct rdy_addr at, again;
		int fd;

		two(LOOPBACK, io);
		at = local_of(io[A]);
		fd = rdy_io_fd(io[A]);
		reg(&b, io[A], A, RDY_READABLE);
		gives(rdy_io_release(io[A]), fd);
		ok(rdy_io_new(fd, &io[A]));
		gives(rdy_io_fd(io[A]), fd);
		again = local_of(io[A]);
		gives(rdy_addr_equal(&at, &again), 1);
		smoke_unconnected(&b, io);
	}
}
END_TEST

START_TEST(udp_socket_register)
{
	for_each_variant(b)
	{
		struct rdy_io *io = bound_udp(LOOPBACK);

		reg(&b, io, A, RDY_READABLE);
		expect_none(&b);
		rdy_io_free(io);
	}
}
END_TEST

START_TEST(udp_socket_reregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		/* PRIORITY says nothing of plain datagrams. */
		reg(&b, io[A], A, RDY_PRIORITY);
		say_to(io[B], io[A], HELLO);
		data_arrived(io[A]);
		expect_none(&b);
		rereg(io[A], 7, RDY_READABLE);
		expect(&b, 7, RDY_READABLE);
		hear_from(io[A], io[B], HELLO);
		no_error(io[A]);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(udp_socket_no_events_after_deregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		reg(&b, io[A], A, RDY_READABLE);
		dereg(io[A]);
		say_to(io[B], io[A], HELLO);
		data_arrived(io[A]);
		expect_none(&b);
		hear_from(io[A], io[B], HELLO);
		no_error(io[A]);
		free_all(io, 2);
	}
}
END_TEST

/* There and back, each step after its event. */
static void round_trip(struct bench *b, bool connect)
{
	struct rdy_io *io[2];

	two(LOOPBACK, io);
	if (connect)
		connect_both(io);
	reg(b, io[A], A, RDY_WRITABLE);
	reg(b, io[B], B, RDY_READABLE);
	for (int i = 0; i < 3; i++) {
		wait_for(b, A, RDY_WRITABLE);
		if (connect)
			say(io[A], HELLO);
		else
			say_to(io[A], io[B], HELLO);
		wait_for(b, B, RDY_READABLE);
		if (connect)
			hear(io[B], HELLO);
		else
			hear_from(io[B], io[A], HELLO);
		hear_nothing(io[B]);
		rereg(io[A], A, RDY_WRITABLE);
	}
	free_all(io, 2);
}

START_TEST(udp_socket)
{
	for_each_variant(b)
	{
		round_trip(&b, false);
	}
}
END_TEST

START_TEST(udp_socket_send_recv)
{
	for_each_variant(b)
	{
		round_trip(&b, true);
	}
}
END_TEST

START_TEST(udp_socket_discard)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2], *third = bound_udp(LOOPBACK);

		two(LOOPBACK, io);
		connect_both(io);
		reg(&b, io[A], A, RDY_READABLE);
		say_to(third, io[A], "lost");
		/* Sent later by the right one, and alone there: the first was dropped. */
		say(io[B], HELLO);
		wait_for(&b, A, RDY_READABLE);
		hear(io[A], HELLO);
		hear_nothing(io[A]);
		expect_none(&b);
		free_all(io, 2);
		rdy_io_free(third);
	}
}
END_TEST

START_TEST(multicast)
{
	static const uint8_t groups[2][4] = {{227, 1, 1, 100}, {227, 1, 1, 101}};
	struct rdy_addr lo = addr_of(LOOPBACK);

	for_each_variant(b)
	{
		struct rdy_io *sender = bound_udp(LOOPBACK), *receiver = bound_udp("0.0.0.0:0");
		uint16_t port;
		struct rdy_addr at = local_of(receiver), group[2];

		port = rdy_addr_port(&at);
		reg(&b, receiver, A, RDY_READABLE);
		for (int i = 0; i < 2; i++) {
			ok(rdy_addr_v4(groups[i], port, &group[i]));
			ok(rdy_udp_join_v4(receiver, &group[i], &lo));
		}
		for (int i = 0; i < 2; i++) {
			gives(rdy_socket_send_to(sender, HELLO, HELLO_BYTES, &group[i]),
				HELLO_BYTES);
			wait_for(&b, A, RDY_READABLE);
			hear_from(receiver, sender, HELLO);
			hear_nothing(receiver);
		}
		for (int i = 0; i < 2; i++)
			ok(rdy_udp_leave_v4(receiver, &group[i], &lo));
		rdy_io_free(sender);
		rdy_io_free(receiver);
	}
}
END_TEST

START_TEST(et_behavior_recv)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		connect_both(io);
		reg(&b, io[A], A, RW);
		reg(&b, io[B], B, RW);
		wait_for_each(&b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
		for (int i = 0; i < 3; i++) {
			say(io[A], HELLO);
			wait_for(&b, B, RDY_READABLE);
			hear(io[B], HELLO);
			/* This is what arms it again. */
			hear_nothing(io[B]);
		}
		free_all(io, 2);
	}
}
END_TEST

START_TEST(et_behavior_recv_from)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		two(LOOPBACK, io);
		reg(&b, io[A], A, RW);
		reg(&b, io[B], B, RW);
		wait_for_each(&b, {A, RDY_WRITABLE}, {B, RDY_WRITABLE});
		for (int i = 0; i < 3; i++) {
			say_to(io[A], io[B], HELLO);
			wait_for(&b, B, RDY_READABLE);
			hear_from(io[B], io[A], HELLO);
			hear_from_nobody(io[B]);
		}
		free_all(io, 2);
	}
}
END_TEST

UNIT_MAIN("conformance/udp_socket", is_send_and_sync, empty_datagram, unconnected_udp_socket_ipv4,
	unconnected_udp_socket_ipv6, unconnected_udp_socket_std, connected_udp_socket_ipv4,
	connected_udp_socket_ipv6, connected_udp_socket_std, reconnect_udp_socket_sending,
	reconnect_udp_socket_receiving, unconnected_udp_socket_connected_methods,
	connected_udp_socket_unconnected_methods, udp_socket_raw_fd, udp_socket_register,
	udp_socket_reregister, udp_socket_no_events_after_deregister, udp_socket,
	udp_socket_send_recv, udp_socket_discard, multicast, et_behavior_recv,
	et_behavior_recv_from)
