/* SPDX-License-Identifier: MIT */
/* Frames that are none: each ends its session with the error that the protocol names. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "unit.h"

#define FRAME(type_bytes) (WIRE_HEADER_BYTES + (type_bytes))

/* A session's first message, and what it gets. */
static void first(
	const struct instance *in, const void *buf, size_t n_bytes, uint32_t error, uint32_t detail)
{
	int sock = raw_connect(in->sock);

	need_int(raw_send(sock, buf, n_bytes, NULL, 0), ==, 0);
	raw_expect_fatal(sock, error, detail);
	rdy__fd_close(sock);
}

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

static void versions(const struct instance *in, uint32_t n, void *arg)
{
	static const uint16_t wrong[][2] = {{2, 9}, {7, 7}, {0xffff, 0xffff}, {0, 0}};
	const struct wire_hello hello = {
		.version_min = wrong[n % 4][0], .version_max = wrong[n % 4][1]};
	uint8_t buf[FRAME(WIRE_HELLO_BYTES)];

	wire_put_hello(buf, &hello);
	first(in, buf, wire_put_header(buf, WIRE_HELLO, 1, 1), WIRE_E_VERSION_UNSUPPORTED,
		WIRE_VERSION_MAX);
}

START_TEST(unknown_version)
{
	attack(&(struct attack){.name = "unknown version", .round = versions});
}
END_TEST

static void magics(const struct instance *in, uint32_t n, void *arg)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	uint8_t buf[FRAME(WIRE_HELLO_BYTES)];
	size_t n_bytes;

	switch (n % 3) {
	case 0:
		first(in, text, sizeof(text) - 1, WIRE_E_BAD_MAGIC, RAW_ANY);
		break;
	case 1: /* as a text file in transit would have it */
		n_bytes = raw_put_hello(buf, RAW_FEATURES);
		buf[WIRE_HEADER_BYTES + 4] = '\n';
		first(in, buf, n_bytes, WIRE_E_BAD_MAGIC, RAW_ANY);
		break;
	default: /* a good frame, but not that of a beginning */
		wire_put_ping(buf, 1);
		n_bytes = wire_put_header(buf, WIRE_PING, 1, 1);
		first(in, buf, n_bytes, WIRE_E_BAD_MAGIC, RAW_ANY);
		break;
	}
}

START_TEST(bad_magic)
{
	attack(&(struct attack){.name = "bad magic", .round = magics});
}
END_TEST

static void truncations(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_FRAME_MAX];
	size_t n_bytes = wire_put_header(buf, WIRE_DEREGISTER, 1, 100);

	memset(buf + WIRE_HEADER_BYTES, 0, n_bytes - WIRE_HEADER_BYTES);
	/* Any length, from one byte to one that is missing. */
	attack_expect(
		in, buf, 1 + n * 37 % (n_bytes - 1), NULL, 0, WIRE_E_FRAME_TRUNCATED, RAW_ANY);
}

START_TEST(truncated)
{
	attack(&(struct attack){.name = "truncated", .round = truncations});
}
END_TEST

static void oversizes(const struct instance *in, uint32_t n, void *arg)
{
	static uint8_t buf[64 * 1024];
	size_t n_bytes = wire_put_header(buf, WIRE_DEREGISTER, 1, 4);

	switch (n % 4) {
	case 0: /* more than the frame says */
		n_bytes += 1 + n;
		break;
	case 1: /* more than any frame may have, and it says so */
		n_bytes = wire_put_header(buf, WIRE_DEREGISTER, 1, 2500);
		break;
	case 2: /* or not */
		n_bytes = sizeof(buf);
		break;
	default:
		n_bytes = WIRE_FRAME_MAX + 1;
		break;
	}
	attack_expect(in, buf, n_bytes, NULL, 0, WIRE_E_FRAME_OVERSIZED, RAW_ANY);
}

START_TEST(oversized)
{
	attack(&(struct attack){.name = "oversized", .round = oversizes});
}
END_TEST

/* Everything that can be wrong with a frame of the right length, one a round. */
static void malformations(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_FRAME_MAX] = {0};
	size_t n_bytes = wire_put_header(buf, WIRE_REARM, 1, 2);
	uint32_t error = WIRE_E_FRAME_MALFORMED, detail = RAW_ANY;

	switch (n % 10) {
	case 0: /* no record, and none is there */
		n_bytes = WIRE_HEADER_BYTES;
		rdy__store32(buf, (uint32_t)n_bytes);
		rdy__store32(buf + 12, 0);
		break;
	case 1: /* none is there, but one is said to be */
		n_bytes = WIRE_HEADER_BYTES;
		rdy__store32(buf, (uint32_t)n_bytes);
		break;
	case 2: /* records times size wraps around to the length */
		rdy__store32(buf + 12, 0x10000000u + 2);
		break;
	case 3: /* half a record too much */
		n_bytes += WIRE_REARM_BYTES / 2;
		rdy__store32(buf, (uint32_t)n_bytes);
		break;
	case 4: /* flags in the header */
		buf[7] = 1;
		break;
	case 5: /* reserved bits in the last record */
		buf[n_bytes - 1] = 1;
		break;
	case 6: /* two of what is always one */
		n_bytes = wire_put_header(buf, WIRE_PING, 1, 2);
		break;
	case 7: /* more than can be answered */
		n_bytes = wire_put_header(buf, WIRE_DEREGISTER, 1, WIRE_DEREGISTER_MAX + 1);
		break;
	case 8: /* a reply is no request */
		n_bytes = wire_put_header(buf, WIRE_PONG, 1, 1);
		error = WIRE_E_TYPE_UNKNOWN;
		detail = WIRE_PONG;
		break;
	default:
		buf[4] = 0x7f;
		error = WIRE_E_TYPE_UNKNOWN;
		detail = 0x7f;
		break;
	}
	attack_expect(in, buf, n_bytes, NULL, 0, error, detail);
}

START_TEST(malformed)
{
	attack(&(struct attack){.name = "malformed", .round = malformations, .rounds = 40});
}
END_TEST

static void bad_hellos(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[FRAME(WIRE_HELLO_BYTES)], *record = buf + WIRE_HEADER_BYTES;
	size_t n_bytes = raw_put_hello(buf, RAW_FEATURES);

	switch (n % 4) {
	case 0:
		record[24] = '\n'; /* a name with a line end in it */
		break;
	case 1: /* a name without an end */
		memset(record + 24, 'x', WIRE_NAME_BYTES);
		break;
	case 2: /* something behind its end */
		record[24 + WIRE_NAME_BYTES - 1] = 'x';
		break;
	default: /* reserved bits */
		record[12] = 1;
		break;
	}
	first(in, buf, n_bytes, WIRE_E_FRAME_MALFORMED, RAW_ANY);
}

START_TEST(malformed_hello)
{
	attack(&(struct attack){.name = "malformed HELLO", .round = bad_hellos});
}
END_TEST

/* What is said, what comes and what the frame takes: any two of them differ. */
static void fd_counts(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[FRAME(4 * WIRE_REGISTER_BYTES)];
	int fds[WIRE_BATCH_MAX];
	size_t n_bytes, n_fds;

	for (uint32_t i = 0; i < 4; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE, .mode = WIRE_EDGE};

		wire_put_register(buf, i, &q);
	}
	n_bytes = wire_put_header(buf, WIRE_REGISTER, 1, 4);
	switch (n % 6) {
	case 0: /* more */
		n_fds = 5;
		break;
	case 1: /* many more */
		n_fds = WIRE_BATCH_MAX;
		break;
	case 2: /* fewer */
		n_fds = 3;
		break;
	case 3: /* none */
		n_fds = 0;
		break;
	case 4: /* as the header says, but not as many as records */
		n_fds = 2;
		buf[6] = 2;
		break;
	default: /* with a frame that takes none */
		wire_put_ping(buf, 1);
		n_bytes = wire_put_header(buf, WIRE_PING, 1, 1);
		n_fds = 1;
		break;
	}
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = event_fd();
	attack_expect(in, buf, n_bytes, fds, n_fds, WIRE_E_FD_COUNT_MISMATCH, (uint32_t)n_fds);
	for (size_t i = 0; i < n_fds; i++)
		rdy__fd_close(fds[i]);
}

START_TEST(wrong_number_of_descriptors)
{
	attack(&(struct attack){.name = "wrong number of descriptors", .round = fd_counts});
}
END_TEST

static void nothing_but_fds(const struct instance *in, uint32_t n, void *arg)
{
	int fds[8];
	uint32_t n_fds = 1 + n % 8;

	for (uint32_t i = 0; i < n_fds; i++)
		fds[i] = event_fd();
	attack_expect(in, NULL, 0, fds, n_fds, WIRE_E_FRAME_TRUNCATED, RAW_ANY);
	for (uint32_t i = 0; i < n_fds; i++)
		rdy__fd_close(fds[i]);
}

START_TEST(no_bytes_but_descriptors)
{
	attack(&(struct attack){.name = "no bytes but descriptors", .round = nothing_but_fds});
}
END_TEST

#define MANY 100

/* The kernel drops what does not fit the agent's table: the session ends, and what did come is closed too. */
static void overflow_the_table(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[FRAME(MANY * WIRE_REGISTER_BYTES)];
	int fds[MANY], others[MANY];

	for (uint32_t i = 0; i < MANY; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE, .mode = WIRE_EDGE};
		int sv[2];

		need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, "%s",
			strerror(errno));
		fds[i] = sv[0];
		others[i] = sv[1];
		wire_put_register(buf, i, &q);
	}
	attack_expect(in, buf, wire_put_header(buf, WIRE_REGISTER, 1, MANY), fds, MANY,
		WIRE_E_FDS_LOST, RAW_ANY);
	for (uint32_t i = 0; i < MANY; i++)
		rdy__fd_close(fds[i]);
	for (uint32_t i = 0; i < MANY; i++) {
		struct pollfd p = {.fd = others[i], .events = POLLIN};

		need(poll(&p, 1, PATIENCE_MS) == 1 && p.revents & POLLHUP, "%u is open", i);
		rdy__fd_close(others[i]);
	}
}

static void lower_the_limit(const struct instance *in, const struct attack *a)
{
	struct limiter limiter;

	limiter_start(&limiter);
	limiter_lower(&limiter, instance_wait_agent(in, UID_ATTACKER), 40);
}

START_TEST(descriptors_lost_on_the_way)
{
	attack(&(struct attack){.name = "descriptors lost on the way",
		.round = overflow_the_table,
		.begin = lower_the_limit});
}
END_TEST

/* Bytes of a fixed seed: the first message, and later ones between good ones, with descriptors. */
static void garbage(const struct instance *in, uint32_t n, void *arg)
{
	unsigned int seed = 1000 + n;
	uint8_t buf[4096];
	struct raw_frame frame;
	int sock, fd = event_fd(), r;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rand_r(&seed);
	if (n % 2) {
		first(in, buf, 1 + (size_t)rand_r(&seed) % sizeof(buf), WIRE_E_BAD_MAGIC, RAW_ANY);
		rdy__fd_close(fd);
		return;
	}
	sock = raw_open(in->sock);
	need_int(raw_send(sock, buf, 1 + (size_t)rand_r(&seed) % sizeof(buf), &fd, n % 4 / 2), ==,
		0);
	/* Whatever is wrong with it is fatal: no length that was thrown fits. */
	r = raw_recv(sock, &frame, PATIENCE_MS);
	if (r == -ECONNRESET)
		r = raw_recv(sock, &frame, PATIENCE_MS);
	need(r == 1 && frame.f.header.type == WIRE_ERROR, "%d", r);
	raw_expect_end(sock);
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(garbage_instead_of_frames)
{
	attack(&(struct attack){.name = "garbage", .round = garbage, .rounds = 200});
}
END_TEST

/* Good frames with a few bits turned over: an error or none, but always an answer or the end. */
static void bent_frames(const struct instance *in, uint32_t n, void *arg)
{
	unsigned int seed = 77 + n;
	int sock = raw_open(in->sock), fd = event_fd(), r = 1;
	struct raw_frame frame;
	bool pong = false;

	for (int i = 0; i < 8 && r > 0; i++) {
		const struct wire_register q = {
			.cookie = (uint64_t)i, .interest = WIRE_READABLE, .mode = WIRE_ONESHOT};
		uint8_t buf[FRAME(WIRE_REGISTER_BYTES)];
		size_t n_bytes;

		wire_put_register(buf, 0, &q);
		n_bytes = wire_put_header(buf, i % 2 ? WIRE_REGISTER : WIRE_REARM, (uint32_t)i, 1);
		for (int bit = 0; bit < 2; bit++)
			buf[(size_t)rand_r(&seed) % n_bytes] ^= (uint8_t)(1u << rand_r(&seed) % 8);
		if (raw_send(sock, buf, n_bytes, &fd, i % 2) < 0)
			break;
	}
	/* Alive or ended; in both cases soon. */
	if (r > 0) {
		uint8_t buf[FRAME(WIRE_PING_BYTES)];

		wire_put_ping(buf, 1);
		raw_send(sock, buf, wire_put_header(buf, WIRE_PING, 1, 1), NULL, 0);
	}
	while (!pong && (r = raw_recv(sock, &frame, PATIENCE_MS)) != 0) {
		need(r == 1 || r == -ECONNRESET, "%s", strerror(-r));
		pong = r == 1 && frame.f.header.type == WIRE_PONG;
	}
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(frames_with_bits_turned)
{
	attack(&(struct attack){.name = "bits turned", .round = bent_frames, .rounds = 200});
}
END_TEST

UNIT_MAIN("hostile/frames", unknown_version, bad_magic, truncated, oversized, malformed,
	malformed_hello, wrong_number_of_descriptors, no_bytes_but_descriptors,
	descriptors_lost_on_the_way, garbage_instead_of_frames, frames_with_bits_turned)
