/* SPDX-License-Identifier: MIT */
/* Out of descriptors, in flight and in tables: who causes it waits, nobody spins (threats: d, k, l). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "unit.h"

/* ---- accept() at EMFILE ---- */

#define STORM 60
#define ROOM 20		 /* far fewer than come */
#define WAKEUPS_MAX 5000 /* one that spins has a million per second */

static long wakeups(pid_t pid)
{
	char path[64], line[256];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	need(f, "%s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	fclose(f);
	need_int(n, >=, 0);
	return n;
}

/* Time on a CPU, in clock ticks. */
static long ticks(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64], text[512], *at;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	rdy__fd_close(fd);
	need(n > 0, "%s", strerror(errno));
	text[n] = 0;
	at = strrchr(text, ')');
	need(at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			   &kernel) == 2,
		"%s", text);
	return (long)(user + kernel);
}

static long wakeups_before, ticks_before;
static int64_t began_ns;

static void lower_the_supervisor(const struct instance *in, const struct attack *a)
{
	struct limiter limiter;

	limiter_start(&limiter);
	limiter_lower(&limiter, in->pid, ROOM);
	wakeups_before = wakeups(in->pid);
	ticks_before = ticks(in->pid);
	began_ns = now_ns();
}

static void has_not_spun(const struct instance *in, const struct attack *a)
{
	long n = wakeups(in->pid) - wakeups_before, used = ticks(in->pid) - ticks_before;
	double s = (double)(now_ns() - began_ns) / 1e9;

	note("%s: the supervisor woke %ld times in %.1f s, %.2f s of CPU", a->name, n, s,
		(double)used / (double)sysconf(_SC_CLK_TCK));
	need_int(n, <, WAKEUPS_MAX);
	need((double)used / (double)sysconf(_SC_CLK_TCK) < s / 4, "%ld ticks", used);
}

static size_t pauses(const struct instance *in)
{
	size_t n = 0;

	for (const char *at = instance_log(in); (at = strstr(at, "accept=paused")); at++)
		n++;
	return n;
}

/* They come, and the listener stays readable all the time: it is left alone for a while. */
static void storm(const struct instance *in, uint32_t n, void *arg)
{
	int64_t start = now_ns();
	size_t before = pauses(in);
	int socks[STORM];

	for (int i = 0; i < STORM; i++)
		socks[i] = raw_connect(in->sock);
	while (pauses(in) < before + 2)
		need(look_again(start), "accepting goes on: %s", instance_log(in));
	for (int i = 0; i < STORM; i++)
		rdy__fd_close(socks[i]);
	/* As soon as there is room all is well. */
	int sock = raw_open(in->sock);

	raw_ping(sock);
	rdy__fd_close(sock);
}

START_TEST(accept_without_descriptors)
{
	attack(&(struct attack){.name = "accept without descriptors",
		.round = storm,
		.rounds = 2,
		.rounds_max = 2,
		.begin = lower_the_supervisor,
		.end = has_not_spun,
		.expects = {"accept=paused"}});
}
END_TEST

/* ---- in flight ---- */

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	need(fd >= 0, "%s", strerror(errno));
	return fd;
}

static size_t put_registers(uint8_t *buf, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE, .mode = WIRE_EDGE};

		wire_put_register(buf, i, &q);
	}
	return wire_put_header(buf, WIRE_REGISTER, 1, n);
}

/*
 * Sessions that are not read, as too much is unanswered, get messages of 250 until the kernel refuses: that is
 * the attacker's own bound, and his alone. What was on the way is disposed of with the sessions.
 */
static void fill_the_way(const struct instance *in, uint32_t n, void *arg)
{
	enum { SESSIONS = 4 };
	int socks[SESSIONS], fd = event_fd(), fds[WIRE_BATCH_MAX], r = 0;
	static uint8_t buf[WIRE_FRAME_MAX];
	struct rlimit l = {256, 256};
	uint32_t sent = 0;
	size_t n_bytes;

	need(setrlimit(RLIMIT_NOFILE, &l) == 0, "%s", strerror(errno));
	for (uint32_t i = 0; i < WIRE_BATCH_MAX; i++)
		fds[i] = fd;
	for (int i = 0; i < SESSIONS; i++) {
		socks[i] = raw_open(in->sock);
		for (uint32_t k = 0; k < 300; k++) {
			wire_put_ping(buf, k);
			raw_send(socks[i], buf, wire_put_header(buf, WIRE_PING, k, 1), NULL, 0);
		}
	}
	n_bytes = put_registers(buf, WIRE_BATCH_MAX);
	for (int i = 0; i < SESSIONS; i++)
		while ((r = rdy__send_fds(socks[i], buf, n_bytes, fds, WIRE_BATCH_MAX)) == 0)
			sent++;
	need(r == -ETOOMANYREFS || r == -EAGAIN, "%s", strerror(-r));
	need_int(sent, >, 0);
	for (int i = 0; i < SESSIONS; i++)
		rdy__fd_close(socks[i]);
	rdy__fd_close(fd);
}

START_TEST(too_many_in_flight)
{
	attack(&(struct attack){.name = "too many in flight",
		.round = fill_the_way,
		.rounds = 3,
		.rounds_max = 50});
}
END_TEST

/*
 * More refused descriptors, and more sessions, at once than the channels to the agent and to its closer may
 * have in flight: both have credits, so nobody's messages fail.
 */
static void fill_the_channels(const struct instance *in, uint32_t n, void *arg)
{
	enum { SESSIONS = 30 };
	static uint8_t buf[WIRE_FRAME_MAX];
	int socks[SESSIONS], fds[WIRE_BATCH_MAX], fd = event_fd();
	size_t n_bytes = put_registers(buf, WIRE_BATCH_MAX);

	for (uint32_t i = 0; i < WIRE_BATCH_MAX; i++)
		fds[i] = fd;
	for (int i = 0; i < SESSIONS; i++)
		socks[i] = raw_open(in->sock);
	/* One descriptor less than records: all of it is refused, and all of it has to be closed. */
	for (int i = 0; i < SESSIONS; i++)
		need_int(raw_send(socks[i], buf, n_bytes, fds, WIRE_BATCH_MAX - 1), ==, 0);
	for (int i = 0; i < SESSIONS; i++) {
		raw_expect_fatal(socks[i], WIRE_E_FD_COUNT_MISMATCH, WIRE_BATCH_MAX - 1);
		rdy__fd_close(socks[i]);
	}
	rdy__fd_close(fd);
}

/* Invariant: FD-4 */
START_TEST(more_to_close_than_fits_in_flight)
{
	attack(&(struct attack){.name = "more to close than fits in flight",
		.round = fill_the_channels,
		.rounds = 3,
		.rounds_max = 50});
}
END_TEST

/* ---- the agent's table ---- */

/* With few descriptors to be had, what comes beyond the reserve is refused by name, and comes again later. */
static void fill_the_table(const struct instance *in, uint32_t n, void *arg)
{
	static uint8_t buf[WIRE_FRAME_MAX];
	int fds[WIRE_BATCH_MAX], fd = event_fd(), sock = raw_open(in->sock);
	uint32_t refused = 0, taken = 0;
	int64_t start = now_ns();
	struct raw_frame frame;
	struct wire_result r;

	for (uint32_t i = 0; i < WIRE_BATCH_MAX; i++)
		fds[i] = fd;
	/* What the last one had is on its way to be closed. */
	for (uint32_t round = 0; round < 10 || taken <= 100 || refused <= 100; round++) {
		need(look_again(start), "%u taken, %u refused", taken, refused);
		for (uint32_t i = 0; i < WIRE_BATCH_MAX; i++) {
			const struct wire_register q = {.cookie = (uint64_t)round << 32 | i,
				.interest = WIRE_READABLE,
				.mode = WIRE_EDGE};

			wire_put_register(buf, i, &q);
		}
		need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, WIRE_BATCH_MAX),
				 fds, WIRE_BATCH_MAX),
			==, 0);
		raw_recv_type(sock, &frame, WIRE_REGISTERED);
		for (uint32_t i = 0; i < frame.f.header.count; i++) {
			wire_get_result(&frame.f, i, &r);
			need(r.error == WIRE_OK || r.error == WIRE_E_OUT_OF_DESCRIPTORS ||
					r.error == WIRE_E_QUOTA_REGISTRATIONS,
				"%s", wire_error_name(r.error));
			refused += r.error != WIRE_OK;
			taken += r.error == WIRE_OK;
		}
	}
	raw_ping(sock);
	rdy__fd_close(sock);
	rdy__fd_close(fd);
}

START_TEST(a_table_that_is_nearly_full)
{
	attack(&(struct attack){.name = "a table that is nearly full",
		.round = fill_the_table,
		.rounds = 3,
		.rounds_max = 100,
		.nofile = 2800,
		.options = {"quota.per_session=100%"}});
}
END_TEST

UNIT_MAIN("hostile/accept", accept_without_descriptors, too_many_in_flight,
	more_to_close_than_fits_in_flight, a_table_that_is_nearly_full)
