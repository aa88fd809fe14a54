/* SPDX-License-Identifier: MIT */
/* What all sockets have: addresses, ends, receiving and sending; options of another kind of socket. */
#include <linux/netlink.h>
#include <linux/vm_sockets.h>

#include "net.h"

/* One of each. */
enum kind { TCP4, TCP6, UDP4, UDP6, STREAM, DATAGRAM, PIPE, N_KINDS };

struct all {
	struct rdy_io *io[N_KINDS], *peer[2]; /* of STREAM, of PIPE */
};

static void open_all(struct all *a)
{
	struct rdy_addr v4 = addr_of("127.0.0.1:0"), v6 = addr_of("[::1]:0");

	ck_assert_int_eq(rdy_tcp_listen(&v4, 0, &a->io[TCP4]), 0);
	ck_assert_int_eq(rdy_tcp_listen(&v6, 0, &a->io[TCP6]), 0);
	ck_assert_int_eq(rdy_udp_bind(&v4, &a->io[UDP4]), 0);
	ck_assert_int_eq(rdy_udp_bind(&v6, &a->io[UDP6]), 0);
	ck_assert_int_eq(rdy_unix_pair(&a->io[STREAM], &a->peer[0]), 0);
	ck_assert_int_eq(rdy_unix_datagram_unbound(&a->io[DATAGRAM]), 0);
	ck_assert_int_eq(rdy_pipe_new(&a->io[PIPE], &a->peer[1]), 0);
}

static void close_all(struct all *a)
{
	for (int i = 0; i < N_KINDS; i++)
		rdy_io_free(a->io[i]);
	for (int i = 0; i < 2; i++)
		rdy_io_free(a->peer[i]);
}

static const struct rdy_addr *group(int family)
{
	static struct rdy_addr v4, v6;

	v4 = addr_of("224.0.0.123:0");
	v6 = addr_of("[ff02::123]:0");
	return family == 4 ? &v4 : &v6;
}

static int flag;
static uint32_t number;

static int nodelay(struct rdy_io *io)
{
	return rdy_tcp_nodelay(io, &flag);
}

static int set_nodelay(struct rdy_io *io)
{
	return rdy_tcp_set_nodelay(io, 1);
}

static int ttl(struct rdy_io *io)
{
	return rdy_socket_ttl(io, &number);
}

static int set_ttl(struct rdy_io *io)
{
	return rdy_socket_set_ttl(io, 9);
}

static int broadcast(struct rdy_io *io)
{
	return rdy_udp_broadcast(io, &flag);
}

static int set_broadcast(struct rdy_io *io)
{
	return rdy_udp_set_broadcast(io, 1);
}

static int loop_v4(struct rdy_io *io)
{
	return rdy_udp_multicast_loop_v4(io, &flag);
}

static int set_loop_v4(struct rdy_io *io)
{
	return rdy_udp_set_multicast_loop_v4(io, 1);
}

static int ttl_v4(struct rdy_io *io)
{
	return rdy_udp_multicast_ttl_v4(io, &number);
}

static int set_ttl_v4(struct rdy_io *io)
{
	return rdy_udp_set_multicast_ttl_v4(io, 0);
}

static int loop_v6(struct rdy_io *io)
{
	return rdy_udp_multicast_loop_v6(io, &flag);
}

static int set_loop_v6(struct rdy_io *io)
{
	return rdy_udp_set_multicast_loop_v6(io, 1);
}

static int only_v6(struct rdy_io *io)
{
	return rdy_udp_only_v6(io, &flag);
}

static int join_v4(struct rdy_io *io)
{
	return rdy_udp_join_v4(io, group(4), NULL);
}

static int leave_v4(struct rdy_io *io)
{
	return rdy_udp_leave_v4(io, group(4), NULL);
}

static int join_v6(struct rdy_io *io)
{
	return rdy_udp_join_v6(io, group(6), 0);
}

static int leave_v6(struct rdy_io *io)
{
	return rdy_udp_leave_v6(io, group(6), 0);
}

#define BIT(kind) (1u << (kind))
#define TCPS (BIT(TCP4) | BIT(TCP6))
#define UDPS (BIT(UDP4) | BIT(UDP6))
#define SIXES (BIT(TCP6) | BIT(UDP6))
#define SOCKETS (BIT(PIPE) - 1)

/* Of which kinds of sockets each option is not: those say -ENOPROTOOPT, to set it and to get it. */
static const struct option {
	const char *name;
	int (*call)(struct rdy_io *io);
	uint32_t not_of;
} options[] = {
	{"nodelay", nodelay, SOCKETS & ~TCPS},
	{"set_nodelay", set_nodelay, SOCKETS & ~TCPS},
	{"ttl", ttl, BIT(STREAM) | BIT(DATAGRAM)},
	{"set_ttl", set_ttl, BIT(STREAM) | BIT(DATAGRAM)},
	{"broadcast", broadcast, 0},
	{"set_broadcast", set_broadcast, 0},
	{"multicast_loop_v4", loop_v4, BIT(STREAM) | BIT(DATAGRAM)},
	{"set_multicast_loop_v4", set_loop_v4, BIT(STREAM) | BIT(DATAGRAM)},
	{"multicast_ttl_v4", ttl_v4, BIT(STREAM) | BIT(DATAGRAM)},
	{"set_multicast_ttl_v4", set_ttl_v4, BIT(STREAM) | BIT(DATAGRAM)},
	{"multicast_loop_v6", loop_v6, SOCKETS & ~SIXES},
	{"set_multicast_loop_v6", set_loop_v6, SOCKETS & ~SIXES},
	{"only_v6", only_v6, SOCKETS & ~SIXES},
	{"join_v4", join_v4, SOCKETS & ~UDPS},
	{"leave_v4", leave_v4, SOCKETS & ~UDPS},
	{"join_v6", join_v6, SOCKETS & ~BIT(UDP6)},
	{"leave_v6", leave_v6, SOCKETS & ~BIT(UDP6)},
};

START_TEST(options_of_another_kind)
{
	struct all a = {0};

	open_all(&a);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *o = &options[i];

		fprintf(stderr, "# %s\n", o->name);
		flag = 77;
		number = 77;
		for (int k = 0; k < PIPE; k++)
			if (o->not_of & BIT(k))
				ck_assert_int_eq(o->call(a.io[k]), -ENOPROTOOPT);
		ck_assert_int_eq(o->call(a.io[PIPE]), -ENOTSOCK);
		ck_assert_int_eq(o->call(NULL), -EINVAL);
		ck_assert(flag == 77 && number == 77);
	}
	close_all(&a);
}
END_TEST

START_TEST(addresses)
{
	struct rdy_addr at = {0}, untouched;
	struct rdy_io *link;
	struct all a = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	open_all(&a);
	memset(&untouched, 0x5a, sizeof(untouched));
	at = untouched;
	for (int k = TCP4; k <= UDP6; k++)
		ck_assert_int_eq(rdy_socket_peer_addr(a.io[k], &at), -ENOTCONN);
	ck_assert_int_eq(rdy_socket_peer_addr(a.io[DATAGRAM], &at), -ENOTCONN);
	ck_assert_int_eq(rdy_socket_peer_addr(NULL, &at), -EINVAL);
	ck_assert_int_eq(rdy_socket_peer_addr(a.io[STREAM], NULL), -EINVAL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(rdy_io_new(fd, &link), 0);
	ck_assert_int_eq(rdy_socket_local_addr(link, &at), -EAFNOSUPPORT);
	ck_assert_int_eq(rdy_socket_peer_addr(link, &at), -EAFNOSUPPORT);
	ck_assert_mem_eq(&at, &untouched, sizeof(at));
	rdy_io_free(link);
	ck_assert_int_eq(rdy_socket_local_addr(a.io[DATAGRAM], &at), 0);
	ck_assert_uint_eq(rdy_addr_kind(&at), RDY_ADDR_UNIX_UNNAMED);
	ck_assert_int_eq(rdy_socket_peer_addr(a.io[STREAM], &at), 0);
	ck_assert_uint_eq(rdy_addr_kind(&at), RDY_ADDR_UNIX_UNNAMED);
	for (int k = TCP4; k <= UDP6; k++) {
		ck_assert_int_eq(rdy_socket_local_addr(a.io[k], &at), 0);
		ck_assert_uint_eq(
			rdy_addr_kind(&at), k == TCP4 || k == UDP4 ? RDY_ADDR_V4 : RDY_ADDR_V6);
		ck_assert_uint_ne(rdy_addr_port(&at), 0);
	}
	close_all(&a);
}
END_TEST

/* A connection from where we have no address for: it is one all the same, from no kind of address. */
START_TEST(accepted_from_elsewhere)
{
	struct sockaddr_vm at = {
		.svm_family = AF_VSOCK, .svm_port = VMADDR_PORT_ANY, .svm_cid = VMADDR_CID_LOCAL};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0), client = socket(AF_VSOCK, SOCK_STREAM, 0);
	struct rdy_addr from = addr_of("unix:@other");
	struct rdy_io *listener, *io;
	socklen_t n = sizeof(at);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, 1) < 0 ||
		getsockname(fd, (struct sockaddr *)&at, &n) < 0 ||
		connect(client, (struct sockaddr *)&at, n) < 0) {
		if (fd >= 0)
			shut(&fd);
		if (client >= 0)
			shut(&client);
		unit_skip("no vsock to oneself");
	}
	ck_assert_int_eq(rdy_io_new(fd, &listener), 0);
	ck_assert_int_eq(rdy_tcp_accept(listener, &from, &io), 0);
	expect_flags(io);
	ck_assert_uint_eq(rdy_addr_kind(&from), RDY_ADDR_NONE);
	rdy_io_free(io);
	rdy_io_free(listener);
	shut(&client);
}
END_TEST

typedef ptrdiff_t receive_fn(struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from);

static ptrdiff_t recv_without(struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from)
{
	return rdy_socket_recv(io, buf, n_bytes);
}

static ptrdiff_t peek_without(struct rdy_io *io, void *buf, size_t n_bytes, struct rdy_addr *from)
{
	return rdy_socket_peek(io, buf, n_bytes);
}

/* In the order in which they are tried: those that leave it there come first. */
static const struct receiving {
	receive_fn *fn;
	int peeks, says_from;
} receiving[] = {
	{peek_without, 1, 0},
	{rdy_socket_peek_from, 1, 1},
	{recv_without, 0, 0},
	{rdy_socket_recv_from, 0, 1},
};
#define N_RECEIVING 4

START_TEST(receiving_wrongly)
{
	struct all a = {0};
	char c = 'u';

	open_all(&a);
	for (int i = 0; i < N_RECEIVING; i++) {
		struct rdy_addr from, untouched;

		memset(&untouched, 0x5a, sizeof(untouched));
		from = untouched;
		ck_assert_int_eq((int)receiving[i].fn(NULL, &c, 1, &from), -EINVAL);
		ck_assert_int_eq((int)receiving[i].fn(a.io[UDP4], NULL, 1, &from), -EINVAL);
		ck_assert_int_eq((int)receiving[i].fn(a.io[PIPE], &c, 1, &from), -ENOTSOCK);
		ck_assert_int_eq((int)receiving[i].fn(a.io[TCP4], &c, 1, &from), -ENOTCONN);
		ck_assert_int_eq((int)receiving[i].fn(a.io[UDP4], &c, 1, &from), -EAGAIN);
		ck_assert_int_eq((int)receiving[i].fn(a.io[UDP6], &c, 1, NULL), -EAGAIN);
		ck_assert_int_eq((int)receiving[i].fn(a.io[STREAM], &c, 1, &from), -EAGAIN);
		ck_assert_mem_eq(&from, &untouched, sizeof(from));
	}
	ck_assert_int_eq(c, 'u');
	close_all(&a);
}
END_TEST

/* A datagram is cut, and says where it is from, however it is received; a stream does not say. */
START_TEST(receiving_from)
{
	struct all a = {0};
	struct rdy_addr at, me;

	open_all(&a);
	ck_assert_int_eq(rdy_socket_local_addr(a.io[UDP4], &at), 0);
	me = at;
	for (int i = 0; i < N_RECEIVING; i++) {
		for (int room = 0; room < 6; room++) {
			struct rdy_addr from = addr_of("unix:@other");
			char buf[8] = "........";
			int n = room < 4 ? room : 4;

			ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], "four", 4, &at), 4);
			ck_assert_int_eq(
				(int)receiving[i].fn(a.io[UDP4], buf, (size_t)room, &from), n);
			ck_assert_mem_eq(buf, "four", (size_t)n);
			ck_assert_int_eq(buf[n], '.');
			if (receiving[i].says_from)
				ck_assert_int_eq(rdy_addr_equal(&from, &me), 1);
			if (receiving[i].peeks)
				ck_assert_int_eq((int)rdy_socket_recv(a.io[UDP4], buf, 8), 4);
			ck_assert_int_eq((int)rdy_socket_recv(a.io[UDP4], buf, 8), -EAGAIN);
		}
	}
	for (int i = 0; i < N_RECEIVING; i++) {
		struct rdy_addr from = at;
		char buf[2];

		ck_assert_int_eq((int)rdy_io_write(a.peer[0], "ab", 2), 2);
		/* The rest stays. */
		ck_assert_int_eq((int)receiving[i].fn(a.io[STREAM], buf, 1, &from), 1);
		ck_assert_int_eq(buf[0], 'a');
		if (receiving[i].says_from)
			ck_assert_uint_eq(rdy_addr_kind(&from), RDY_ADDR_NONE);
		ck_assert_int_eq(
			(int)rdy_socket_recv(a.io[STREAM], buf, 2), receiving[i].peeks ? 2 : 1);
	}
	rdy_io_free(a.peer[0]);
	a.peer[0] = NULL;
	for (int i = 0; i < N_RECEIVING; i++) {
		char c;

		ck_assert_int_eq((int)receiving[i].fn(a.io[STREAM], &c, 1, NULL), 0);
	}
	close_all(&a);
}
END_TEST

START_TEST(sending_wrongly)
{
	struct rdy_addr v4 = addr_of("127.0.0.1:9"), named = addr_of("unix:@readyd-test-nobody"),
			unnamed = addr_of("unix:"), none = {0};
	static char large[70000];
	struct all a = {0};

	open_all(&a);
	ck_assert_int_eq((int)rdy_socket_send(a.io[UDP4], "x", 1), -EDESTADDRREQ);
	ck_assert_int_eq((int)rdy_socket_send(a.io[UDP6], "x", 1), -EDESTADDRREQ);
	ck_assert_int_eq((int)rdy_socket_send(a.io[DATAGRAM], "x", 1), -ENOTCONN);
	ck_assert_int_eq((int)rdy_socket_send(a.io[TCP4], "x", 1), -EPIPE);
	ck_assert_int_eq((int)rdy_socket_send(a.io[PIPE], "x", 1), -ENOTSOCK);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[PIPE], "x", 1, &v4), -ENOTSOCK);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], "x", 1, &unnamed), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], "x", 1, &none), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], "x", 1, NULL), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], NULL, 1, &v4), -EINVAL);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], "x", 1, &named), -EAFNOSUPPORT);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[UDP4], large, sizeof(large), &v4), -EMSGSIZE);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[STREAM], "x", 1, &named), -EISCONN);
	ck_assert_int_eq((int)rdy_socket_send_to(a.io[DATAGRAM], "x", 1, &named), -ECONNREFUSED);
	close_all(&a);
}
END_TEST

/* What a datagram met on its way comes with the next call. */
START_TEST(nobody_there)
{
	for_each_variant(b)
	{
		struct rdy_addr at = addr_of("127.0.0.1:0"), gone;
		struct rdy_io *a, *z;
		int error = 7;
		char c;

		ck_assert_int_eq(rdy_udp_bind(&at, &z), 0);
		ck_assert_int_eq(rdy_socket_local_addr(z, &gone), 0);
		rdy_io_free(z);
		ck_assert_int_eq(rdy_udp_bind(&at, &a), 0);
		ck_assert_int_eq(rdy_udp_connect(a, &gone), 0);
		watch(&b, a, 1, RDY_READABLE, RDY_EDGE);
		ck_assert_int_eq((int)rdy_socket_send(a, "x", 1), 1);
		wait_for(&b, 1, RDY_ERROR);
		ck_assert_int_eq((int)rdy_socket_recv(a, &c, 1), -ECONNREFUSED);
		ck_assert_int_eq((int)rdy_socket_recv(a, &c, 1), -EAGAIN);
		/* Or it is taken. */
		ck_assert_int_eq((int)rdy_socket_send(a, "x", 1), 1);
		wait_for(&b, 1, RDY_ERROR);
		ck_assert_int_eq(rdy_socket_take_error(a, &error), 0);
		ck_assert_int_eq(error, ECONNREFUSED);
		ck_assert_int_eq(rdy_socket_take_error(a, &error), 0);
		ck_assert_int_eq(error, 0);
		ck_assert_int_eq((int)rdy_socket_recv(a, &c, 1), -EAGAIN);
		rdy_io_free(a);
	}
}
END_TEST

START_TEST(shutting_down)
{
	struct all a = {0};
	char c;

	open_all(&a);
	ck_assert_int_eq(rdy_socket_shutdown(a.io[UDP4], RDY_SHUT_WRITE), -ENOTCONN);
	ck_assert_int_eq(rdy_socket_shutdown(a.io[PIPE], RDY_SHUT_WRITE), -ENOTSOCK);
	for (uint32_t how = 0; how < 8; how++)
		if (how == 0 || how > 3)
			ck_assert_int_eq(rdy_socket_shutdown(a.io[STREAM], how), -EINVAL);
	/* Nothing has ended. */
	ck_assert_int_eq((int)rdy_io_write(a.peer[0], "x", 1), 1);
	ck_assert_int_eq((int)rdy_io_read(a.io[STREAM], &c, 1), 1);
	for_each_variant(b)
	{
		for (uint32_t how = RDY_SHUT_READ; how <= (RDY_SHUT_READ | RDY_SHUT_WRITE); how++) {
			struct rdy_io *x, *y;

			ck_assert_int_eq(rdy_unix_pair(&x, &y), 0);
			watch(&b, x, 1, RDY_READABLE | RDY_WRITABLE, RDY_EDGE);
			watch(&b, y, 2, RDY_READABLE | RDY_WRITABLE, RDY_EDGE);
			ck_assert_int_eq(rdy_socket_shutdown(x, how), 0);
			wait_for(&b, how & RDY_SHUT_READ ? 1 : 2, RDY_READ_CLOSED);
			ck_assert_int_eq((int)rdy_io_read(how & RDY_SHUT_READ ? x : y, &c, 1), 0);
			ck_assert_int_eq(
				(int)rdy_io_write(how & RDY_SHUT_WRITE ? x : y, "x", 1), -EPIPE);
			/* The direction that was not ended still goes. */
			if (how != (RDY_SHUT_READ | RDY_SHUT_WRITE))
				ck_assert_int_eq(
					(int)rdy_io_write(how & RDY_SHUT_WRITE ? y : x, "x", 1), 1);
			rdy_io_free(x);
			rdy_io_free(y);
		}
	}
	close_all(&a);
}
END_TEST

UNIT_MAIN("net/socket", options_of_another_kind, addresses, accepted_from_elsewhere,
	receiving_wrongly, receiving_from, sending_wrongly, nobody_there, shutting_down)
