/* SPDX-License-Identifier: MIT */
/* mio's tests/unix_stream.rs. */
#include "conformance.h"

/* io: listener, client, what was accepted. The client is registered. */
#define LISTENER 0
#define CLIENT 1
#define SERVER 2

static void listen_at(struct rdy_io *io[3], const struct rdy_addr *at)
{
	io[LISTENER] = io[CLIENT] = io[SERVER] = NULL;
	ok(rdy_unix_listen(at, 0, &io[LISTENER]));
}

static void accept_it(struct rdy_io *io[3])
{
	data_arrived(io[LISTENER]);
	ok(rdy_unix_accept(io[LISTENER], NULL, &io[SERVER]));
}

static void connected(struct bench *b, struct rdy_io *io[3], uint32_t interest)
{
	struct rdy_addr at = unix_addr(true, "s");

	listen_at(io, &at);
	ok(rdy_unix_connect(&at, &io[CLIENT]));
	accept_it(io);
	reg(b, io[CLIENT], CLIENT, interest);
	if (interest & RDY_WRITABLE)
		wait_for(b, CLIENT, RDY_WRITABLE);
}

static void *write_elsewhere(void *p)
{
	send_text(p, HELLO);
	return NULL;
}

START_TEST(unix_stream_send_and_sync)
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

static void echo(struct rdy_io *server, const char *text)
{
	data_arrived(server);
	receive_text(server, text);
	send_text(server, text);
}

static void smoke(struct bench *b, struct rdy_io *io[3])
{
	char one[6], two[16];
	struct iovec out[2] = {{(void *)HELLO, 5}, {(void *)&HELLO[5], HELLO_BYTES - 5}};
	struct iovec in[2] = {{one, sizeof(one)}, {two, sizeof(two)}};

	expect_flags(io[CLIENT]);
	reg(b, io[CLIENT], CLIENT, RW);
	wait_for(b, CLIENT, RDY_WRITABLE);
	accept_it(io);
	would_block(io[CLIENT]);
	send_text(io[CLIENT], HELLO);
	echo(io[SERVER], HELLO);
	wait_for(b, CLIENT, RDY_READABLE);
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

START_TEST(unix_stream_smoke)
{
	for_each_variant(b)
	{
		for (int abstract = 0; abstract < 2; abstract++) {
			struct rdy_addr at = unix_addr(abstract, "s");
			struct rdy_io *io[3];

			listen_at(io, &at);
			ok(rdy_unix_connect(&at, &io[CLIENT]));
			smoke(&b, io);
			remove_path(&at);
		}
	}
}
END_TEST

/* Writable at once; readable when the peer is freed. */
static void connect_then_close(struct bench *b, bool abstract)
{
	struct rdy_addr at = unix_addr(abstract, "s");
	struct rdy_io *io[3];
	char c;

	listen_at(io, &at);
	ok(rdy_unix_connect(&at, &io[CLIENT]));
	reg(b, io[CLIENT], CLIENT, RW);
	accept_it(io);
	expect(b, CLIENT, RDY_WRITABLE);
	io[SERVER] = rdy_io_free(io[SERVER]);
	wait_for(b, CLIENT, RDY_READABLE);
	gives(rdy_io_read(io[CLIENT], &c, 1), 0);
	free_all(io, 2);
	remove_path(&at);
}

START_TEST(unix_stream_connect)
{
	for_each_variant(b)
	{
		connect_then_close(&b, false);
	}
}
END_TEST

/* An address that is no path. */
START_TEST(unix_stream_connect_addr)
{
	for_each_variant(b)
	{
		connect_then_close(&b, true);
	}
}
END_TEST

START_TEST(unix_stream_from_std)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(false, "s");
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		struct rdy_io *io[3];
		size_t n;
		const struct sockaddr *sa = rdy_addr_sockaddr(&at, &n);

		ck_assert_int_ge(fd, 0);
		listen_at(io, &at);
		ok(connect(fd, sa, (socklen_t)n));
		ok(rdy_io_new(fd, &io[CLIENT]));
		smoke(&b, io);
		remove_path(&at);
	}
}
END_TEST

START_TEST(unix_stream_pair)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		ok(rdy_unix_pair(&io[0], &io[1]));
		for (int i = 0; i < 2; i++) {
			expect_flags(io[i]);
			reg(&b, io[i], (uint64_t)i, RW);
			would_block(io[i]);
		}
		wait_for_each(&b, {0, RDY_WRITABLE}, {1, RDY_WRITABLE});
		send_text(io[0], HELLO);
		send_text(io[1], "2");
		wait_for_each(&b, {0, RDY_READABLE}, {1, RDY_READABLE});
		receive_text(io[1], HELLO);
		receive_text(io[0], "2");
		would_block(io[0]);
		no_error(io[0]);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(unix_stream_peer_addr)
{
	for_each_variant(b)
	{
		struct rdy_addr at = unix_addr(false, "s"), peer, local;
		struct rdy_io *io[3];

		listen_at(io, &at);
		ok(rdy_unix_connect(&at, &io[CLIENT]));
		reg(&b, io[CLIENT], CLIENT, RW);
		wait_for(&b, CLIENT, RDY_WRITABLE);
		ok(rdy_socket_peer_addr(io[CLIENT], &peer));
		gives(rdy_addr_equal(&at, &peer), 1);
		local = local_of(io[CLIENT]);
		ck_assert_uint_eq(rdy_addr_kind(&local), RDY_ADDR_UNIX_UNNAMED);
		accept_it(io);
		ok(rdy_socket_peer_addr(io[SERVER], &peer));
		ck_assert_ptr_null(rdy_addr_name(&peer, NULL));
		free_all(io, 3);
		remove_path(&at);
	}
}
END_TEST

START_TEST(unix_stream_shutdown_read)
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
		wait_for(&b, CLIENT, RDY_READ_CLOSED);
		gives(rdy_io_read(io[CLIENT], &c, 1), 0);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(unix_stream_shutdown_write)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RW);
		send_text(io[CLIENT], HELLO);
		echo(io[SERVER], HELLO);
		wait_for(&b, CLIENT, RDY_READABLE);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_WRITE));
		fails(rdy_io_write(io[CLIENT], HELLO, HELLO_BYTES), EPIPE);
		no_error(io[CLIENT]);
		/* The other direction is open. */
		receive_text(io[CLIENT], HELLO);
		would_block(io[CLIENT]);
		send_text(io[SERVER], HELLO);
		wait_for(&b, CLIENT, RDY_READABLE);
		receive_text(io[CLIENT], HELLO);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(unix_stream_shutdown_both)
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
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_READ | RDY_SHUT_WRITE));
		wait_for(&b, CLIENT, RDY_WRITE_CLOSED);
		gives(rdy_io_read(io[CLIENT], &c, 1), 0);
		fails(rdy_io_write(io[CLIENT], HELLO, HELLO_BYTES), EPIPE);
		no_error(io[CLIENT]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(unix_stream_shutdown_listener_write)
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

START_TEST(unix_stream_register)
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

START_TEST(unix_stream_reregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_READABLE);
		rereg(io[CLIENT], 7, RDY_WRITABLE);
		expect(&b, 7, RDY_WRITABLE);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(unix_stream_deregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		connected(&b, io, RDY_WRITABLE);
		rereg(io[CLIENT], CLIENT, RW);
		dereg(io[CLIENT]);
		send_text(io[SERVER], HELLO);
		data_arrived(io[CLIENT]);
		expect_none(&b);
		receive_text(io[CLIENT], HELLO);
		free_all(io, 3);
	}
}
END_TEST

UNIT_MAIN("conformance/unix_stream", unix_stream_send_and_sync, unix_stream_smoke,
	unix_stream_connect, unix_stream_connect_addr, unix_stream_from_std, unix_stream_pair,
	unix_stream_peer_addr, unix_stream_shutdown_read, unix_stream_shutdown_write,
	unix_stream_shutdown_both, unix_stream_shutdown_listener_write, unix_stream_register,
	unix_stream_reregister, unix_stream_deregister)
