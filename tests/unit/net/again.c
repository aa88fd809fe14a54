/* SPDX-License-Identifier: MIT */
/* Mode EDGE on every selector: whatever call ended in -EAGAIN, what comes next is an event. */
#include <poll.h>
#include <sys/uio.h>

#include "net.h"
#include "net/io.h"

static char buf[1 << 16];

static ptrdiff_t do_read(struct rdy_io *io)
{
	return rdy_io_read(io, buf, sizeof(buf));
}

static ptrdiff_t do_readv(struct rdy_io *io)
{
	struct iovec iov[2] = {{buf, 10}, {buf + 10, sizeof(buf) - 10}};

	return rdy_io_readv(io, iov, 2);
}

static ptrdiff_t do_recv(struct rdy_io *io)
{
	return rdy_socket_recv(io, buf, sizeof(buf));
}

static ptrdiff_t do_recv_from(struct rdy_io *io)
{
	struct rdy_addr from;

	return rdy_socket_recv_from(io, buf, sizeof(buf), &from);
}

/* Peeking leaves it there: what was seen is taken, the last look finds nothing. */
static ptrdiff_t do_peek(struct rdy_io *io)
{
	ptrdiff_t r = rdy_socket_peek(io, buf, sizeof(buf));

	return r > 0 ? read(rdy_io_fd(io), buf, sizeof(buf)) : r;
}

static ptrdiff_t do_peek_from(struct rdy_io *io)
{
	struct rdy_addr from;
	ptrdiff_t r = rdy_socket_peek_from(io, buf, sizeof(buf), &from);

	return r > 0 ? read(rdy_io_fd(io), buf, sizeof(buf)) : r;
}

static ptrdiff_t bare_read(int fd, void *data)
{
	ssize_t r = read(fd, data, sizeof(buf));

	return r < 0 ? -errno : r;
}

static ptrdiff_t do_try(struct rdy_io *io)
{
	return rdy_io_try(io, bare_read, buf);
}

static ptrdiff_t do_write(struct rdy_io *io)
{
	return rdy_io_write(io, buf, sizeof(buf));
}

static ptrdiff_t do_writev(struct rdy_io *io)
{
	struct iovec iov[2] = {{buf, 10}, {buf + 10, sizeof(buf) - 10}};

	return rdy_io_writev(io, iov, 2);
}

static ptrdiff_t do_send(struct rdy_io *io)
{
	return rdy_socket_send(io, buf, 1000);
}

static struct rdy_addr listening;

static ptrdiff_t do_send_to(struct rdy_io *io)
{
	return rdy_socket_send_to(io, buf, 1000, &listening);
}

static ptrdiff_t bare_write(int fd, void *data)
{
	ssize_t r = write(fd, data, sizeof(buf));

	return r < 0 ? -errno : r;
}

static ptrdiff_t do_try_write(struct rdy_io *io)
{
	return rdy_io_try(io, bare_write, buf);
}

static ptrdiff_t do_accept_tcp(struct rdy_io *io)
{
	struct rdy_addr from;
	struct rdy_io *got;
	int r = rdy_tcp_accept(io, &from, &got);

	if (r == 0)
		rdy_io_free(got);
	return r;
}

static ptrdiff_t do_accept(struct rdy_io *io)
{
	struct rdy_io *got;
	int r = rdy_unix_accept(io, NULL, &got);

	if (r == 0)
		rdy_io_free(got);
	return r;
}

static void make_stream(struct rdy_io *ret[3])
{
	ck_assert_int_eq(rdy_unix_pair(&ret[0], &ret[1]), 0);
}

static void make_datagram(struct rdy_io *ret[3])
{
	ck_assert_int_eq(rdy_unix_datagram_pair(&ret[0], &ret[1]), 0);
}

static void make_tcp(struct rdy_io *ret[3])
{
	struct rdy_io *three[3];

	tcp_pair("127.0.0.1:0", three);
	ret[0] = three[1];
	ret[1] = three[2];
	ret[2] = three[0];
}

static void make_receiver(struct rdy_io *ret[3])
{
	ck_assert_int_eq(rdy_pipe_new(&ret[1], &ret[0]), 0);
}

static void make_sender(struct rdy_io *ret[3])
{
	ck_assert_int_eq(rdy_pipe_new(&ret[0], &ret[1]), 0);
}

/* For a kernel without RWF_NOSIGNAL. */
static void make_sender_of_old(struct rdy_io *ret[3])
{
	make_sender(ret);
	ret[0]->no_nosignal = true;
}

static void name_one(void)
{
	char name[64];

	snprintf(name, sizeof(name), "unix:@readyd-test-again-%d", (int)getpid());
	listening = addr_of(name);
}

/* Connected to whom it sends to: else the kernel does not know whose queue is full, and says writable. */
static void make_datagram_to(struct rdy_io *ret[3])
{
	name_one();
	ck_assert_int_eq(rdy_unix_datagram_bind(&listening, &ret[1]), 0);
	ck_assert_int_eq(rdy_unix_datagram_unbound(&ret[0]), 0);
	ck_assert_int_eq(rdy_unix_datagram_connect(ret[0], &listening), 0);
}

static void make_tcp_listener(struct rdy_io *ret[3])
{
	listening = addr_of("127.0.0.1:0");
	ck_assert_int_eq(rdy_tcp_listen(&listening, 0, &ret[0]), 0);
	ck_assert_int_eq(rdy_socket_local_addr(ret[0], &listening), 0);
}

static void make_listener(struct rdy_io *ret[3])
{
	name_one();
	ck_assert_int_eq(rdy_unix_listen(&listening, 0, &ret[0]), 0);
}

static void give(struct rdy_io *peer)
{
	ck_assert_int_eq(write(rdy_io_fd(peer), "x", 1), 1);
}

static void empty(struct rdy_io *peer)
{
	while (read(rdy_io_fd(peer), buf, sizeof(buf)) > 0)
		;
}

static void join(struct rdy_io *peer)
{
	struct rdy_io *client;

	ck_assert_int_eq(rdy_unix_connect(&listening, &client), 0);
	rdy_io_free(client);
}

/* It is in the queue at once, over the loopback, and stays there when it is closed. */
static void join_tcp(struct rdy_io *peer)
{
	struct rdy_io *client;

	struct pollfd p = {.events = POLLOUT};

	ck_assert_int_eq(rdy_tcp_connect(&listening, &client), 0);
	/* Closed before it is connected, it never arrives. */
	p.fd = rdy_io_fd(client);
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	rdy_io_free(client);
}

/* call: until it says -EAGAIN; more: by the peer, after which it would not. */
static const struct row {
	const char *name;
	uint32_t interest;
	void (*make)(struct rdy_io *ret[3]);
	ptrdiff_t (*call)(struct rdy_io *io);
	void (*more)(struct rdy_io *peer);
} rows[] = {
	{"read", RDY_READABLE, make_stream, do_read, give},
	{"read of a pipe", RDY_READABLE, make_receiver, do_read, give},
	{"readv", RDY_READABLE, make_stream, do_readv, give},
	{"recv", RDY_READABLE, make_tcp, do_recv, give},
	{"recv of datagrams", RDY_READABLE, make_datagram, do_recv, give},
	{"recv_from", RDY_READABLE, make_datagram, do_recv_from, give},
	{"peek", RDY_READABLE, make_tcp, do_peek, give},
	{"peek_from", RDY_READABLE, make_datagram, do_peek_from, give},
	{"try", RDY_READABLE, make_stream, do_try, give},
	{"readv of a pipe", RDY_READABLE, make_receiver, do_readv, give},
	{"recv_from of a stream", RDY_READABLE, make_tcp, do_recv_from, give},
	{"accept of TCP", RDY_READABLE, make_tcp_listener, do_accept_tcp, join_tcp},
	{"accept", RDY_READABLE, make_listener, do_accept, join},
	{"write", RDY_WRITABLE, make_stream, do_write, empty},
	{"write to a pipe", RDY_WRITABLE, make_sender, do_write, empty},
	{"writev", RDY_WRITABLE, make_stream, do_writev, empty},
	{"write to a pipe of old", RDY_WRITABLE, make_sender_of_old, do_write, empty},
	{"writev to a pipe", RDY_WRITABLE, make_sender, do_writev, empty},
	{"try to write", RDY_WRITABLE, make_stream, do_try_write, empty},
	{"send_to", RDY_WRITABLE, make_datagram_to, do_send_to, empty},
	{"send", RDY_WRITABLE, make_stream, do_send, empty},
	{"send of datagrams", RDY_WRITABLE, make_datagram, do_send, empty},
};

static void try_row(struct bench *b, const struct row *row, uint32_t mode)
{
	struct rdy_io *io[3] = {NULL, NULL, NULL};

	fprintf(stderr, "# %s, mode %#x\n", row->name, mode);
	row->make(io);
	watch(b, io[0], 3, row->interest, mode);
	for (int round = 0; round < 3; round++) {
		if (row->interest == RDY_READABLE || round > 0) {
			row->more(io[1]);
			wait_for(b, 3, row->interest);
		}
		while (row->call(io[0]) >= 0)
			;
		/* What came while it was drained may be told once more; then it is silent. */
		take(b, 0);
		ck_assert_int_eq((int)row->call(io[0]), -EAGAIN);
		expect_none(b);
	}
	for (int i = 0; i < 3; i++)
		rdy_io_free(io[i]);
}

/* Invariant: IO-2 */
START_TEST(every_call_arms_again)
{
	for_each_variant(b)
	{
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			try_row(&b, &rows[i], RDY_EDGE);
			try_row(&b, &rows[i], RDY_EDGE | RDY_EXCLUSIVE);
		}
	}
}
END_TEST

UNIT_MAIN("net/again", every_call_arms_again)
