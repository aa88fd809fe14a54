/* SPDX-License-Identifier: MIT */
/* See harness.h: the session protocol without the client library. */
#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

int raw_connect(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	need(sock >= 0, "%s", strerror(errno));
	need_int(strlen(path), <, sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	need(connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0, "%s: %s", path, strerror(errno));
	return sock;
}

size_t raw_put_hello(uint8_t *buf, uint64_t features)
{
	const struct wire_hello hello = {.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.features = features,
		.name = "raw"};

	wire_put_hello(buf, &hello);
	return wire_put_header(buf, WIRE_HELLO, 1, 1);
}

int raw_open(const char *path)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	int sock = raw_connect(path);
	struct raw_frame frame;

	need_int(raw_send(sock, buf, raw_put_hello(buf, RAW_FEATURES), NULL, 0), ==, 0);
	raw_recv_type(sock, &frame, WIRE_WELCOME);
	return sock;
}

int raw_send(int sock, const void *buf, size_t n_bytes, const int *fds, size_t n_fds)
{
	int64_t start = now_ns();
	int e;

	while ((e = rdy__send_fds(sock, buf, n_bytes, fds, n_fds)) == -EAGAIN ||
		e == -ETOOMANYREFS || e == -EINTR) {
		struct pollfd p = {.fd = sock, .events = POLLOUT};

		if (!look_again(start))
			return e;
		poll(&p, 1, 100);
	}
	return e;
}

int raw_recv(int sock, struct raw_frame *ret, int timeout_ms)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	uint32_t detail = 0;
	ssize_t n;

	if (poll(&p, 1, timeout_ms) == 0)
		return -ETIMEDOUT;
	n = recv(sock, ret->buf, sizeof(ret->buf), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	ret->n_bytes = (size_t)n;
	if (n == 0)
		return 0;
	need_int(wire_decode_reply(ret->buf, ret->n_bytes, 0, &ret->f, &detail), ==, WIRE_OK);
	return 1;
}

/* What came instead, for people. */
static const char *describe(int r, const struct raw_frame *frame)
{
	static char text[160];
	struct wire_error_record e;

	if (r <= 0) {
		snprintf(text, sizeof(text), "%s", r ? strerror(-r) : "end of file");
	} else if (frame->f.header.type == WIRE_ERROR) {
		wire_get_error(&frame->f, &e);
		snprintf(text, sizeof(text), "ERROR %s detail %u%s", wire_error_name(e.error),
			e.detail, e.fatal ? " fatal" : "");
	} else {
		snprintf(text, sizeof(text), "a frame of type %#x", frame->f.header.type);
	}
	return text;
}

void raw_recv_type(int sock, struct raw_frame *ret, uint16_t type)
{
	int r = raw_recv(sock, ret, PATIENCE_MS);

	need(r == 1 && ret->f.header.type == type, "type %#x wanted, got %s", type,
		describe(r, ret));
}

void raw_recv_past_events(int sock, struct raw_frame *ret, uint16_t type)
{
	int r;

	do
		r = raw_recv(sock, ret, PATIENCE_MS);
	while (r == 1 && ret->f.header.type == WIRE_EVENTS);
	need(r == 1 && ret->f.header.type == type, "type %#x wanted, got %s", type,
		describe(r, ret));
}

void raw_expect_end(int sock)
{
	struct raw_frame frame;
	int r = raw_recv(sock, &frame, PATIENCE_MS);

	/* The kernel says that what we sent was not read before it says that this is the end. */
	if (r == -ECONNRESET)
		r = raw_recv(sock, &frame, PATIENCE_MS);
	need(r == 0, "the end wanted, got %s", describe(r, &frame));
}

void raw_expect_fatal(int sock, uint32_t error, uint32_t detail)
{
	struct wire_error_record e = {0};
	struct raw_frame frame;
	int r = raw_recv(sock, &frame, PATIENCE_MS);

	if (r == -ECONNRESET)
		r = raw_recv(sock, &frame, PATIENCE_MS);
	if (r == 1 && frame.f.header.type == WIRE_ERROR)
		wire_get_error(&frame.f, &e);
	need(r == 1 && e.fatal && e.error == error && (detail == RAW_ANY || e.detail == detail),
		"fatal %s (detail %u) wanted, got %s", wire_error_name(error), detail,
		describe(r, &frame));
	raw_expect_end(sock);
}

struct wire_result raw_register(
	int sock, int fd, uint64_t cookie, uint16_t interest, uint8_t mode, uint8_t flags)
{
	const struct wire_register q = {
		.cookie = cookie, .interest = interest, .mode = mode, .flags = flags};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES];
	struct raw_frame frame;
	struct wire_result result;

	wire_put_register(buf, 0, &q);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 2, 1), &fd, 1), ==, 0);
	raw_recv_past_events(sock, &frame, WIRE_REGISTERED);
	need_int(frame.f.header.count, ==, 1);
	wire_get_result(&frame.f, 0, &result);
	return result;
}

uint64_t raw_register_ok(
	int sock, int fd, uint64_t cookie, uint16_t interest, uint8_t mode, uint8_t flags)
{
	struct wire_result result = raw_register(sock, fd, cookie, interest, mode, flags);

	need(result.error == WIRE_OK, "%s", wire_error_name(result.error));
	return result.id;
}

uint32_t raw_deregister(int sock, uint64_t id)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_DEREGISTER_BYTES];
	struct raw_frame frame;
	struct wire_result result;

	wire_put_deregister(buf, 0, id);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_DEREGISTER, 3, 1), NULL, 0), ==, 0);
	raw_recv_past_events(sock, &frame, WIRE_DEREGISTERED);
	wire_get_result(&frame.f, 0, &result);
	return result.error;
}

void raw_rearm(int sock, uint64_t id, uint32_t seq)
{
	const struct wire_rearm q = {.id = id, .seq = seq};
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_REARM_BYTES];

	wire_put_rearm(buf, 0, &q);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REARM, 4, 1), NULL, 0), ==, 0);
}

static void ping_once(int sock)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	struct raw_frame frame;

	wire_put_ping(buf, 42);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_PING, 5, 1), NULL, 0), ==, 0);
	raw_recv_type(sock, &frame, WIRE_PONG);
	need_int(wire_get_ping(&frame.f), ==, 42);
}

void raw_ping(int sock)
{
	/* What a request has made ready is found by the agent's next look, which comes before the second. */
	ping_once(sock);
	ping_once(sock);
}
