/* SPDX-License-Identifier: MIT */
/* mio's tests/tcp_stream.rs. */
#include "conformance.h"

/* io: listener, client, what was accepted. The client is registered, the others are its world. */
#define LISTENER 0
#define CLIENT 1
#define SERVER 2

static void connected(struct bench *b, struct rdy_io *io[3], uint32_t interest)
{
	tcp_pair(LOOPBACK, io);
	if (!interest)
		return;
	reg(b, io[CLIENT], CLIENT, interest);
	if (interest & RDY_WRITABLE)
		wait_for(b, CLIENT, RDY_WRITABLE);
}

static void *write_elsewhere(void *p)
{
	send_text(p, HELLO);
	return NULL;
}

START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		elsewhere(write_elsewhere, io[SERVER]);
		elsewhere(write_elsewhere, io[CLIENT]);
		wait_for(&b, CLIENT, RDY_READABLE);
		free_all(io, 3);
	}
}
END_TEST

static void peek_text(struct rdy_io *io, const char *text)
{
	char buf[64];

	gives(rdy_socket_peek(io, buf, sizeof(buf)), (ptrdiff_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void peek_would_find_nothing(struct rdy_io *io)
{
	char c;

	fails(rdy_socket_peek(io, &c, 1), EAGAIN);
}

static void echo(struct rdy_io *server, const char *text)
{
	data_arrived(server);
	receive_text(server, text);
	send_text(server, text);
}

/* io[CLIENT] is on its way. */
static void smoke(struct bench *b, struct rdy_io *io[3])
{
	char one[6], two[16];
	struct iovec out[2] = {{(void *)HELLO, 5}, {(void *)&HELLO[5], HELLO_BYTES - 5}};
	struct iovec in[2] = {{one, sizeof(one)}, {two, sizeof(two)}};

	expect_flags(io[CLIENT]);
	reg(b, io[CLIENT], CLIENT, RW);
	wait_for(b, CLIENT, RDY_WRITABLE);
	no_error(io[CLIENT]);
	io[SERVER] = an_accepted(io[LISTENER]);
	peek_would_find_nothing(io[CLIENT]);
	would_block(io[CLIENT]);
	send_text(io[CLIENT], HELLO);
	echo(io[SERVER], HELLO);
	wait_for(b, CLIENT, RDY_READABLE);
	peek_text(io[CLIENT], HELLO);
	receive_text(io[CLIENT], HELLO);
	would_block(io[CLIENT]);
	gives(rdy_io_writev(io[CLIENT], out, 2), HELLO_BYTES);
	echo(io[SERVER], HELLO);
	wait_for(b, CLIENT, RDY_READABLE);
	gives(rdy_io_readv(io[CLIENT], in, 2), HELLO_BYTES);
	ck_assert_mem_eq(one, HELLO, sizeof(one));
	ck_assert_mem_eq(two, &HELLO[sizeof(one)], HELLO_BYTES - sizeof(one));
	would_block(io[CLIENT]);
	no_error(io[CLIENT]);
	free_all(io, 3);
}

static void smoke_at(struct bench *b, const char *text)
{
	struct rdy_io *io[3] = {a_listener(text)};

	io[CLIENT] = a_client(io[LISTENER]);
	smoke(b, io);
}

START_TEST(tcp_stream_ipv4)
{
	for_each_variant(b)
	{
		smoke_at(&b, LOOPBACK);
	}
}
END_TEST

START_TEST(tcp_stream_ipv6)
{
	for_each_variant(b)
	{
		smoke_at(&b, LOOPBACK_V6);
	}
}
END_TEST

/* A stream that the library did not make, connected while it still blocked. */
START_TEST(tcp_stream_std)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};
		struct rdy_addr at = local_of(io[LISTENER]);
		size_t n;
		const struct sockaddr *sa = rdy_addr_sockaddr(&at, &n);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		ck_assert_int_ge(fd, 0);
		ok(connect(fd, sa, (socklen_t)n));
		ok(rdy_io_new(fd, &io[CLIENT]));
		smoke(&b, io);
	}
}
END_TEST

START_TEST(set_get_ttl)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		uint32_t ttl = 0;

		connected(&b, io, RDY_WRITABLE);
		ok(rdy_socket_set_ttl(io[CLIENT], 10));
		ok(rdy_socket_ttl(io[CLIENT], &ttl));
		ck_assert_uint_eq(ttl, 10);
		no_error(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(get_ttl_without_previous_set)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		uint32_t ttl = 0;

		connected(&b, io, RDY_WRITABLE);
		ok(rdy_socket_ttl(io[CLIENT], &ttl));
		ck_assert_uint_gt(ttl, 0);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(set_get_nodelay)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		int on = 0;

		connected(&b, io, RDY_WRITABLE);
		ok(rdy_tcp_set_nodelay(io[CLIENT], 1));
		ok(rdy_tcp_nodelay(io[CLIENT], &on));
		gives(on, 1);
		ok(rdy_tcp_set_nodelay(io[CLIENT], 0));
		ok(rdy_tcp_nodelay(io[CLIENT], &on));
		gives(on, 0);
		no_error(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(get_nodelay_without_previous_set)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		int on = -1;

		connected(&b, io, RDY_WRITABLE);
		ok(rdy_tcp_nodelay(io[CLIENT], &on));
		gives(on, 0);
		free_all(io, 3);
	}
}
END_TEST

/* Linux, too, reads the end, as long as nothing comes. */
START_TEST(shutdown_read)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		char c;

		connected(&b, io, RW);
		send_text(io[CLIENT], HELLO);
		echo(io[SERVER], HELLO);
		wait_for(&b, CLIENT, RDY_READABLE);
		receive_text(io[CLIENT], HELLO);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_READ));
		gives(rdy_io_read(io[CLIENT], &c, 1), 0);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(shutdown_write)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_WRITE));
		fails(rdy_io_write(io[CLIENT], "x", 1), EPIPE);
		send_text(io[SERVER], HELLO);
		wait_for(&b, CLIENT, RDY_READABLE);
		receive_text(io[CLIENT], HELLO);
		would_block(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(shutdown_both)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		char c;

		connected(&b, io, RW);
		send_text(io[SERVER], HELLO);
		wait_for(&b, CLIENT, RDY_READABLE);
		receive_text(io[CLIENT], HELLO);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_READ | RDY_SHUT_WRITE));
		gives(rdy_io_read(io[CLIENT], &c, 1), 0);
		fails(rdy_io_write(io[CLIENT], "x", 1), EPIPE);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(raw_fd)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};
		struct rdy_addr at = local_of(io[LISTENER]), peer;
		int fd;

		io[CLIENT] = a_client(io[LISTENER]);
		fd = rdy_io_fd(io[CLIENT]);
		gives(rdy_io_release(io[CLIENT]), fd);
		ok(rdy_io_new(fd, &io[CLIENT]));
		gives(rdy_io_fd(io[CLIENT]), fd);
		ok(rdy_socket_peer_addr(io[CLIENT], &peer));
		gives(rdy_addr_equal(&at, &peer), 1);
		smoke(&b, io);
	}
}
END_TEST

START_TEST(registering)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_READABLE);
		expect_none(&b);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(reregistering)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_READABLE);
		rereg(io[CLIENT], 7, RDY_WRITABLE);
		expect(&b, 7, RDY_WRITABLE);
		no_error(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(no_events_after_deregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		dereg(io[CLIENT]);
		would_block(io[CLIENT]);
		send_text(io[CLIENT], HELLO);
		echo(io[SERVER], HELLO);
		data_arrived(io[CLIENT]);
		expect_none(&b);
		peek_text(io[CLIENT], HELLO);
		receive_text(io[CLIENT], HELLO);
		no_error(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(tcp_shutdown_client_read_close_event)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_READ));
		wait_for(&b, CLIENT, RDY_READ_CLOSED);
		free_all(io, 3);
	}
}
END_TEST

/* kqueue says WRITE_CLOSED; Linux knows no such thing: writing tells. */
START_TEST(tcp_shutdown_client_write_close_event)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_WRITE));
		take(&b, 0);
		for (int i = 0; i < b.n; i++) {
			gives(rdy_event_is_write_closed(&b.got[i]), 0);
			gives(rdy_event_is_read_closed(&b.got[i]), 0);
		}
		fails(rdy_io_write(io[CLIENT], "x", 1), EPIPE);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(tcp_shutdown_server_write_close_event)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		ok(rdy_socket_shutdown(io[SERVER], RDY_SHUT_WRITE));
		wait_for(&b, CLIENT, RDY_READ_CLOSED);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(tcp_reset_close_event)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		char c;

		connected(&b, io, RW);
		send_text(io[CLIENT], HELLO);
		data_arrived(io[SERVER]);
		/* With unread data: it is a reset. */
		io[SERVER] = rdy_io_free(io[SERVER]);
		arrived(rdy_io_fd(io[CLIENT]), POLLHUP);
		wait_for(&b, CLIENT, RDY_READ_CLOSED);
		fails(rdy_io_read(io[CLIENT], &c, 1), ECONNRESET);
		expect_none(&b);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(tcp_shutdown_client_both_close_event)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_READ | RDY_SHUT_WRITE));
		wait_for(&b, CLIENT, RDY_WRITE_CLOSED);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(hup_event_on_disconnect)
{
	static const struct linger none = {1, 0};

	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		ok(setsockopt(rdy_io_fd(io[SERVER]), SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
		io[SERVER] = rdy_io_free(io[SERVER]);
		wait_for(&b, CLIENT, RDY_READABLE);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(priority_event_on_oob_data)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		char c = 0;

		connected(&b, io, RDY_READABLE | RDY_PRIORITY);
		gives(send(rdy_io_fd(io[SERVER]), "u", 1, MSG_OOB), 1);
		wait_for(&b, CLIENT, RDY_READABLE | RDY_PRIORITY);
		gives(recv(rdy_io_fd(io[CLIENT]), &c, 1, MSG_OOB), 1);
		gives(c, 'u');
		free_all(io, 3);
	}
}
END_TEST

/* What was peeked at is still there, and its event too where it was not taken. */
START_TEST(peek_ok)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_READABLE);
		send_text(io[SERVER], HELLO);
		data_arrived(io[CLIENT]);
		peek_text(io[CLIENT], HELLO);
		wait_for(&b, CLIENT, RDY_READABLE);
		peek_text(io[CLIENT], HELLO);
		receive_text(io[CLIENT], HELLO);
		would_block(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(peek_would_block)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_READABLE);
		for (int i = 0; i < 3; i++) {
			peek_would_find_nothing(io[CLIENT]);
			send_text(io[SERVER], HELLO);
			wait_for(&b, CLIENT, RDY_READABLE);
			peek_text(io[CLIENT], HELLO);
			receive_text(io[CLIENT], HELLO);
		}
		free_all(io, 3);
	}
}
END_TEST

START_TEST(read_peek_would_block)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_READABLE);
		for (int i = 0; i < 3; i++) {
			send_text(io[SERVER], HELLO);
			wait_for(&b, CLIENT, RDY_READABLE);
			receive_text(io[CLIENT], HELLO);
			/* Only the peek says -EAGAIN, and arms again. */
			peek_would_find_nothing(io[CLIENT]);
			expect_none(&b);
		}
		free_all(io, 3);
	}
}
END_TEST

UNIT_MAIN("conformance/tcp_stream", is_send_and_sync, tcp_stream_ipv4, tcp_stream_ipv6,
	tcp_stream_std, set_get_ttl, get_ttl_without_previous_set, set_get_nodelay,
	get_nodelay_without_previous_set, shutdown_read, shutdown_write, shutdown_both, raw_fd,
	registering, reregistering, no_events_after_deregister,
	tcp_shutdown_client_read_close_event, tcp_shutdown_client_write_close_event,
	tcp_shutdown_server_write_close_event, tcp_reset_close_event,
	tcp_shutdown_client_both_close_event, hup_event_on_disconnect, priority_event_on_oob_data,
	peek_ok, peek_would_block, read_peek_would_block)
