/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

void peer_start(struct peer *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	*p = (struct peer){.conn = -1,
		.welcome = {
			.version = WIRE_VERSION_MAX,
			.batch_max = WIRE_BATCH_MAX,
			.frame_max = WIRE_FRAME_MAX,
			.features = WIRE_FEATURE_EDGE | WIRE_FEATURE_ONESHOT | WIRE_FEATURE_LEVEL |
				    WIRE_FEATURE_DEADLINE,
			.session = 7,
			.registrations = 10000,
			.unanswered_max = WIRE_UNANSWERED_MAX,
			.events_max_bytes = WIRE_EVENTS_MAX_BYTES,
		}};
	strcpy(p->dir, "/tmp/rdy-client-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
	strcpy(addr.sun_path, p->path);
	p->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(p->listener, 0);
	ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(p->listener, 8), 0);
}

void peer_hang_up(struct peer *p)
{
	p->conn = rdy__fd_close(p->conn);
}

void peer_stop(struct peer *p)
{
	peer_hang_up(p);
	p->listener = rdy__fd_close(p->listener);
	unlink(p->path);
	rmdir(p->dir);
}

static void wait_readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&pfd, 1, LONG_NS / RDY__NS_PER_MS), 1);
}

static void receive(struct peer *p, struct got *ret)
{
	struct rdy__received r;
	uint32_t detail = 0;

	wait_readable(p->conn);
	ck_assert_int_eq(rdy__recv_fds(p->conn, ret->buf, sizeof(ret->buf), ret->fds, 0, &r), 0);
	ck_assert_uint_eq(r.flags, 0);
	ck_assert_uint_eq(
		wire_decode_request(ret->buf, r.n_bytes, r.n_fds, &ret->frame, &detail), WIRE_OK);
	ret->n_fds = r.n_fds;
	for (size_t i = 0; i < r.n_fds; i++)
		rdy__fd_close(ret->fds[i]);
}

void peer_recv(struct peer *p, struct got *ret, enum wire_type type, uint32_t count)
{
	receive(p, ret);
	ck_assert_uint_eq(ret->frame.header.type, type);
	ck_assert_uint_eq(ret->frame.header.count, count);
}

void peer_expect_silence(struct peer *p)
{
	char b;

	ck_assert_int_eq(recv(p->conn, &b, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

void peer_send(struct peer *p, const void *bytes, size_t n_bytes)
{
	ck_assert_int_eq(rdy__send_fds(p->conn, bytes, n_bytes, NULL, 0), 0);
}

void peer_accept(struct peer *p)
{
	struct got g;

	wait_readable(p->listener);
	peer_hang_up(p);
	p->conn = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(p->conn, 0);
	receive(p, &g);
	ck_assert_uint_eq(g.frame.header.type, WIRE_HELLO);
	wire_get_hello(&g.frame, &p->hello);
}

void peer_welcome(struct peer *p)
{
	uint8_t b[WIRE_HEADER_BYTES + WIRE_WELCOME_BYTES];

	wire_put_welcome(b, &p->welcome);
	peer_send(p, b, wire_put_header(b, WIRE_WELCOME, 1, 1));
}

static void *greet(void *arg)
{
	peer_accept(arg);
	peer_welcome(arg);
	return NULL;
}

struct rdy_client *peer_client(struct peer *p, const struct rdy_client_options *o)
{
	struct rdy_client_options options = o ? *o : (struct rdy_client_options){0};
	struct rdy_client *c = NULL;
	pthread_t t;

	options.size = sizeof(options);
	options.path = p->path;
	ck_assert_int_eq(pthread_create(&t, NULL, greet, p), 0);
	ck_assert_int_eq(rdy_client_new(&options, LONG_NS, NULL, &c), 0);
	pthread_join(t, NULL);
	return c;
}

void peer_accept_again(struct peer *p, struct rdy_client *c)
{
	struct pollfd pfds[2] = {
		{.fd = p->listener, .events = POLLIN},
		{.fd = rdy_client_fd(c), .events = POLLIN},
	};
	int64_t deadline = rdy__now_ns() + LONG_NS;

	while (poll(pfds, 1, 0) == 0) {
		ck_assert_int_lt(rdy__now_ns(), deadline);
		/* While events wait the descriptor is readable, so this may spin for a moment. */
		ck_assert_int_ge(poll(pfds, 2, LONG_NS / RDY__NS_PER_MS), 1);
		ck_assert_int_ge(rdy_client_dispatch(c), 0);
	}
	peer_accept(p);
}

void peer_answer(struct peer *p, const struct got *request, uint64_t first_id)
{
	static const uint16_t replies[] = {
		[WIRE_REGISTER] = WIRE_REGISTERED,
		[WIRE_MODIFY] = WIRE_MODIFIED,
		[WIRE_DEREGISTER] = WIRE_DEREGISTERED,
		[WIRE_SET_DEADLINE] = WIRE_DEADLINE_SET,
	};
	uint8_t b[WIRE_FRAME_MAX];
	uint32_t n = request->frame.header.count;

	for (uint32_t i = 0; i < n; i++)
		wire_put_result(b, i, &(struct wire_result){.id = first_id + i});
	peer_send(p, b,
		wire_put_header(
			b, replies[request->frame.header.type], request->frame.header.serial, n));
}

void peer_refuse(struct peer *p, const struct got *request, enum wire_error error)
{
	uint8_t b[64];
	uint16_t type = request->frame.header.type == WIRE_REGISTER	  ? WIRE_REGISTERED
			: request->frame.header.type == WIRE_MODIFY	  ? WIRE_MODIFIED
			: request->frame.header.type == WIRE_SET_DEADLINE ? WIRE_DEADLINE_SET
									  : WIRE_DEREGISTERED;

	ck_assert_uint_eq(request->frame.header.count, 1);
	wire_put_result(b, 0, &(struct wire_result){.error = error});
	peer_send(p, b, wire_put_header(b, type, request->frame.header.serial, 1));
}

void peer_event(
	struct peer *p, uint64_t cookie, uint64_t id, uint16_t ready, uint8_t flags, uint32_t seq)
{
	uint8_t b[WIRE_HEADER_BYTES + WIRE_EVENT_BYTES];

	wire_put_event(b, 0,
		&(struct wire_event){.cookie = cookie,
			.id = id,
			.type = WIRE_EVENT_READY,
			.flags = flags,
			.ready = ready,
			.seq = seq});
	peer_send(p, b, wire_put_header(b, WIRE_EVENTS, 0, 1));
}

void peer_timeout(struct peer *p, uint64_t cookie, uint64_t id, uint16_t which, uint32_t seq)
{
	uint8_t b[WIRE_HEADER_BYTES + WIRE_EVENT_BYTES];

	wire_put_event(b, 0,
		&(struct wire_event){.cookie = cookie,
			.id = id,
			.type = WIRE_EVENT_TIMEOUT,
			.ready = which,
			.seq = seq});
	peer_send(p, b, wire_put_header(b, WIRE_EVENTS, 0, 1));
}

void peer_error(struct peer *p, uint32_t serial, enum wire_error error, bool fatal)
{
	uint8_t b[64];

	peer_send(p, b, wire_make_error(b, serial, error, 0, fatal));
}

uint64_t live(
	struct peer *p, struct rdy_client *c, int fd, uint64_t token, uint32_t mode, uint64_t id)
{
	struct wire_register r;
	struct got g;
	uint64_t handle = 0;

	ck_assert_int_eq(rdy_client_register(c, fd, token, RDY_READABLE, mode, 0, &handle), 0);
	ck_assert_int_ge(rdy_client_dispatch(c), 0);
	peer_recv(p, &g, WIRE_REGISTER, 1);
	wire_get_register(&g.frame, 0, &r);
	ck_assert_uint_eq(r.cookie, handle);
	peer_answer(p, &g, id);
	ck_assert_int_eq(rdy_client_sync(c, LONG_NS), 0);
	return handle;
}

bool readable(struct rdy_client *c)
{
	struct pollfd pfd = {.fd = rdy_client_fd(c), .events = POLLIN};

	ck_assert_int_ge(pfd.fd, 0);
	return poll(&pfd, 1, 0) == 1;
}

void dispatch_until(struct rdy_client *c, int n)
{
	int64_t deadline = rdy__now_ns() + LONG_NS;
	int r;

	while ((r = rdy_client_dispatch(c)) < n) {
		struct pollfd pfd = {.fd = rdy_client_fd(c), .events = POLLIN};

		ck_assert_int_ge(r, 0);
		ck_assert_int_lt(rdy__now_ns(), deadline);
		ck_assert_int_eq(poll(&pfd, 1, LONG_NS / RDY__NS_PER_MS), 1);
	}
}

struct rdy_client_event take_one(struct rdy_client *c)
{
	struct rdy_client_event e, none;

	ck_assert_int_eq(rdy_client_dispatch(c), 1);
	ck_assert_int_eq(rdy_client_next(c, &e), 1);
	ck_assert_int_eq(rdy_client_next(c, &none), 0);
	return e;
}

struct rdy_client_event wait_one(struct rdy_client *c)
{
	struct rdy_client_event e;

	ck_assert_int_eq(rdy_client_wait(c, &e, 1, LONG_NS), 1);
	return e;
}

void make_pipe(int fds[2])
{
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}
