/* SPDX-License-Identifier: MIT */
/* mio's tests/tcp.rs. Names of C library calls have a tcp_ in front. */
#include "conformance.h"

#define MUCH ((size_t)16 << 20)
#define CHUNK ((size_t)64 << 10)

/* io: listener, client, what was accepted. */
#define LISTENER 0
#define CLIENT 1
#define SERVER 2

static char chunk[CHUNK];

static void *read_elsewhere(void *p)
{
	data_arrived(p);
	receive_text(p, HELLO);
	return NULL;
}

START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		tcp_pair(LOOPBACK, io);
		reg(&b, io[SERVER], SERVER, RDY_READABLE);
		send_text(io[CLIENT], HELLO);
		wait_for(&b, SERVER, RDY_READABLE);
		elsewhere(read_elsewhere, io[SERVER]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(tcp_accept)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		reg(&b, io[LISTENER], LISTENER, RDY_READABLE);
		fails(rdy_tcp_accept(io[LISTENER], NULL, &io[SERVER]), EAGAIN);
		io[CLIENT] = a_client(io[LISTENER]);
		wait_for(&b, LISTENER, RDY_READABLE);
		ok(rdy_tcp_accept(io[LISTENER], NULL, &io[SERVER]));
		expect_flags(io[SERVER]);
		fails(rdy_tcp_accept(io[LISTENER], NULL, &io[SERVER]), EAGAIN);
		expect_none(&b);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(tcp_connect)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		io[CLIENT] = a_client(io[LISTENER]);
		reg(&b, io[CLIENT], CLIENT, RW);
		gives(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].token, CLIENT);
		ck_assert_uint_eq(b.got[0].ready, RDY_WRITABLE);
		io[SERVER] = an_accepted(io[LISTENER]);
		expect_none(&b);
		io[SERVER] = rdy_io_free(io[SERVER]);
		wait_for(&b, CLIENT, RDY_READABLE);
		free_all(io, 2);
	}
}
END_TEST

/* By another thread, with a descriptor that may block. */
static void *write_much(void *p)
{
	ok(rdy_io_set_blocking(p, 1));
	for (size_t n = 0; n < MUCH;) {
		size_t left = MUCH - n;
		ptrdiff_t r = rdy_io_write(p, chunk, left < CHUNK ? left : CHUNK);

		ck_assert_int_gt(r, 0);
		n += (size_t)r;
	}
	return NULL;
}

static void *read_much(void *p)
{
	static char buf[CHUNK];

	ok(rdy_io_set_blocking(p, 1));
	for (size_t n = 0; n < MUCH;) {
		ptrdiff_t r = rdy_io_read(p, buf, sizeof(buf));

		ck_assert_int_gt(r, 0);
		n += (size_t)r;
	}
	return NULL;
}

static void would_block_writing(struct rdy_io *io)
{
	fails(rdy_io_write(io, chunk, CHUNK), EAGAIN);
}

/* After each event until -EAGAIN; returns how much it was. */
static size_t drain(struct rdy_io *io, bool peek_first)
{
	static char buf[CHUNK];
	size_t n = 0;

	for (;;) {
		ptrdiff_t r;

		if (peek_first) {
			r = rdy_socket_peek(io, buf, 100);
			if (r < 0) {
				gives(r, -EAGAIN);
				return n;
			}
		}
		r = rdy_io_read(io, buf, sizeof(buf));
		if (r < 0) {
			gives(r, -EAGAIN);
			return n;
		}
		ck_assert_int_gt(r, 0);
		n += (size_t)r;
	}
}

static void much_arrives(struct bench *b, bool peek_first)
{
	struct rdy_io *io[3];
	pthread_t t;

	tcp_pair(LOOPBACK, io);
	reg(b, io[CLIENT], CLIENT, RDY_READABLE);
	t = started(write_much, io[SERVER]);
	for (size_t n = 0; n < MUCH;) {
		wait_for(b, CLIENT, RDY_READABLE);
		n += drain(io[CLIENT], peek_first);
	}
	ok(pthread_join(t, NULL));
	would_block(io[CLIENT]);
	free_all(io, 3);
}

START_TEST(tcp_read)
{
	for_each_variant(b)
	{
		much_arrives(&b, false);
	}
}
END_TEST

START_TEST(tcp_peek)
{
	for_each_variant(b)
	{
		much_arrives(&b, true);
	}
}
END_TEST

START_TEST(tcp_write)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		pthread_t reader = 0;
		int n_full = 0;

		tcp_pair(LOOPBACK, io);
		reg(&b, io[CLIENT], CLIENT, RDY_WRITABLE);
		for (size_t n = 0; n < MUCH;) {
			size_t left = MUCH - n;
			ptrdiff_t r = rdy_io_write(io[CLIENT], chunk, left < CHUNK ? left : CHUNK);

			if (r == -EAGAIN) {
				/* Nobody reads before it is full. */
				if (n_full++ == 0) {
					take(&b, 0);
					would_block_writing(io[CLIENT]);
					expect_none(&b);
					reader = started(read_much, io[SERVER]);
				}
				wait_for(&b, CLIENT, RDY_WRITABLE);
				continue;
			}
			ck_assert_int_gt(r, 0);
			n += (size_t)r;
		}
		ck_assert_int_gt(n_full, 0);
		ok(pthread_join(reader, NULL));
		free_all(io, 3);
	}
}
END_TEST

START_TEST(connect_then_close)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		reg(&b, io[LISTENER], LISTENER, RDY_READABLE);
		io[CLIENT] = a_client(io[LISTENER]);
		reg(&b, io[CLIENT], CLIENT, RDY_READABLE);
		wait_for(&b, LISTENER, RDY_READABLE);
		ok(rdy_tcp_accept(io[LISTENER], NULL, &io[SERVER]));
		reg(&b, io[SERVER], SERVER, RW);
		io[SERVER] = rdy_io_free(io[SERVER]);
		wait_for(&b, CLIENT, RDY_READABLE);
		expect_none_of(&b, SERVER);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(listen_then_close)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c = a_client(l);

		data_arrived(l);
		reg(&b, l, LISTENER, RDY_READABLE);
		rdy_io_free(l);
		ok(take(&b, MS));
		rdy_io_free(c);
	}
}
END_TEST

START_TEST(bind_twice_bad)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *second = NULL;
		struct rdy_addr at = local_of(l);

		fails(rdy_tcp_listen(&at, 0, &second), EADDRINUSE);
		ck_assert_ptr_null(second);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(multiple_writes_immediate_success)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		io[CLIENT] = a_client(io[LISTENER]);
		reg(&b, io[CLIENT], CLIENT, RDY_WRITABLE);
		io[SERVER] = an_accepted(io[LISTENER]);
		wait_for(&b, CLIENT, RDY_WRITABLE);
		for (int i = 0; i < 16; i++)
			gives(rdy_io_write(io[CLIENT], chunk, 1024), 1024);
		for (size_t n = 0; n < 16 * 1024; n += drain(io[SERVER], false))
			data_arrived(io[SERVER]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(connection_reset_by_peer)
{
	static const struct linger none = {1, 0};

	for_each_variant(b)
	{
		struct rdy_io *io[3];
		char buf[16];
		ptrdiff_t r;

		tcp_pair(LOOPBACK, io);
		reg(&b, io[SERVER], SERVER, RDY_READABLE);
		ok(setsockopt(rdy_io_fd(io[CLIENT]), SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
		io[CLIENT] = rdy_io_free(io[CLIENT]);
		wait_for(&b, SERVER, RDY_READABLE);
		r = rdy_io_read(io[SERVER], buf, sizeof(buf));
		ck_assert_msg(r == 0 || r == -ECONNRESET, "read: %d", (int)r);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(connect_error)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c = NULL;
		struct rdy_addr at = local_of(l);
		int error = 0, r;

		/* A port that nobody has any more. */
		rdy_io_free(l);
		r = rdy_tcp_connect(&at, &c);
		if (r < 0) {
			/* Known at once, which is allowed too. */
			fails(r, ECONNREFUSED);
			continue;
		}
		reg(&b, c, CLIENT, RDY_WRITABLE);
		wait_for(&b, CLIENT, RDY_WRITABLE | RDY_WRITE_CLOSED);
		ok(rdy_socket_take_error(c, &error));
		gives(error, ECONNREFUSED);
		no_error(c);
		rdy_io_free(c);
	}
}
END_TEST

START_TEST(write_error)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];
		ptrdiff_t r;

		tcp_pair(LOOPBACK, io);
		reg(&b, io[CLIENT], CLIENT, RW);
		wait_for(&b, CLIENT, RDY_WRITABLE);
		io[SERVER] = rdy_io_free(io[SERVER]);
		wait_for(&b, CLIENT, RDY_READ_CLOSED);
		/* The first one still goes and is answered by a reset; then there is an error, but no signal. */
		do {
			r = rdy_io_write(io[CLIENT], "x", 1);
			if (r == 1)
				arrived(rdy_io_fd(io[CLIENT]), POLLHUP | POLLERR);
		} while (r == 1);
		ck_assert_msg(r == -EPIPE || r == -ECONNRESET, "write: %d", (int)r);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(write_shutdown)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3];

		tcp_pair(LOOPBACK, io);
		reg(&b, io[SERVER], SERVER, RDY_READABLE);
		expect_none(&b);
		ok(rdy_socket_shutdown(io[CLIENT], RDY_SHUT_WRITE));
		wait_for(&b, SERVER, RDY_READABLE | RDY_READ_CLOSED);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(local_addr_ready)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};
		struct rdy_addr at = local_of(io[LISTENER]), peer, local;

		reg(&b, io[LISTENER], LISTENER, RDY_READABLE);
		io[CLIENT] = a_client(io[LISTENER]);
		reg(&b, io[CLIENT], CLIENT, RW);
		wait_for_each(&b, {LISTENER, RDY_READABLE}, {CLIENT, RDY_WRITABLE});
		ok(rdy_tcp_accept(io[LISTENER], &peer, &io[SERVER]));
		reg(&b, io[SERVER], SERVER, RW);
		wait_for(&b, SERVER, RDY_WRITABLE);
		local = local_of(io[CLIENT]);
		gives(rdy_addr_equal(&local, &peer), 1);
		ok(rdy_socket_peer_addr(io[CLIENT], &peer));
		gives(rdy_addr_equal(&at, &peer), 1);
		ok(rdy_socket_peer_addr(io[SERVER], &peer));
		gives(rdy_addr_equal(&local, &peer), 1);
		local = local_of(io[SERVER]);
		gives(rdy_addr_equal(&local, &at), 1);
		free_all(io, 3);
	}
}
END_TEST

/* Four bytes that were written arrive, whatever becomes of the sender. */
static void four_bytes_survive(struct bench *b, bool freed)
{
	struct rdy_io *io[3];

	tcp_pair(LOOPBACK, io);
	reg(b, io[SERVER], SERVER, RDY_WRITABLE);
	reg(b, io[CLIENT], CLIENT, RDY_READABLE);
	wait_for(b, SERVER, RDY_WRITABLE);
	send_text(io[SERVER], "1234");
	if (freed)
		io[SERVER] = rdy_io_free(io[SERVER]);
	else
		dereg(io[SERVER]);
	wait_for(b, CLIENT, RDY_READABLE);
	receive_text(io[CLIENT], "1234");
	free_all(io, 3);
}

START_TEST(write_then_drop)
{
	for_each_variant(b)
	{
		four_bytes_survive(&b, true);
	}
}
END_TEST

START_TEST(write_then_deregister)
{
	for_each_variant(b)
	{
		four_bytes_survive(&b, false);
	}
}
END_TEST

START_TEST(tcp_no_events_after_deregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)}, *second, *accepted;

		reg(&b, io[LISTENER], LISTENER, RDY_READABLE);
		io[CLIENT] = a_client(io[LISTENER]);
		reg(&b, io[CLIENT], CLIENT, RW);
		wait_for_each(&b, {LISTENER, RDY_READABLE}, {CLIENT, RDY_WRITABLE});
		ok(rdy_tcp_accept(io[LISTENER], NULL, &io[SERVER]));
		reg(&b, io[SERVER], SERVER, RW);
		wait_for(&b, SERVER, RDY_WRITABLE);
		for (int i = 0; i < 3; i++)
			dereg(io[i]);
		second = a_client(io[LISTENER]);
		send_text(io[CLIENT], HELLO);
		send_text(io[SERVER], HELLO);
		for (int i = 0; i < 3; i++)
			data_arrived(io[i]);
		expect_none(&b);
		receive_text(io[CLIENT], HELLO);
		receive_text(io[SERVER], HELLO);
		ok(rdy_tcp_accept(io[LISTENER], NULL, &accepted));
		expect_none(&b);
		rdy_io_free(accepted);
		rdy_io_free(second);
		free_all(io, 3);
	}
}
END_TEST

UNIT_MAIN("conformance/tcp", is_send_and_sync, tcp_accept, tcp_connect, tcp_read, tcp_peek,
	tcp_write, connect_then_close, listen_then_close, bind_twice_bad,
	multiple_writes_immediate_success, connection_reset_by_peer, connect_error, write_error,
	write_shutdown, local_addr_ready, write_then_drop, write_then_deregister,
	tcp_no_events_after_deregister)
