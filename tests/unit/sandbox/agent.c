/* SPDX-License-Identifier: MIT */
/*
 * readyd-agent and readyd-closer as they are built, with the filter on where the build has one: a session
 * with every kind of descriptor, every request, refusals, and the end. A call that the filter forgot would
 * end one of the two with SIGSYS.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "channel/channel.h"
#include "link/link.h"
#include "sandbox/sandbox.h"
#include "wire/wire.h"
#include "unit.h"

#define PATIENCE_MS 10000 /* for one answer */

static struct {
	pid_t agent, closer;
	int channel; /* our end */
} run;

extern char **environ;

/* Numbers that no file action overwrites while it is still needed. */
static void high_pair(int sv[2])
{
	int low[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, low), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(sv[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 20), 0);
		rdy__fd_close(low[i]);
	}
}

static pid_t start(const char *path, int fd3, int fd4)
{
	char *argv[] = {(char *)path, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd3, 3);
	if (fd4 >= 0)
		posix_spawn_file_actions_adddup2(&actions, fd4, 4);
	ck_assert_int_eq(posix_spawn(&pid, path, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void tell(const struct channel_message *m, const int *fds, size_t n_fds)
{
	uint8_t buf[sizeof(*m)];

	ck_assert_int_eq(rdy__send_fds(run.channel, buf, channel_encode(buf, m), fds, n_fds), 0);
}

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
}

static void hear(uint32_t type)
{
	struct channel_message m;
	uint8_t buf[sizeof(m)];
	ssize_t n;

	/* An agent with something in quarantine asks to be ended whenever it has no session. */
	do {
		wait_readable(run.channel);
		n = recv(run.channel, buf, sizeof(buf), 0);
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(channel_decode(buf, (size_t)n, 0, &m), 0);
	} while (m.type == CHANNEL_IDLE);
	ck_assert_uint_eq(m.type, type);
}

static void start_both(uint32_t selector)
{
	struct channel_message config = {
		.type = CHANNEL_CONFIG,
		.u.config =
			{
				.uid = getuid(),
				.registrations = 100,
				.registrations_session = 100,
				.fd_reserve = 317,
				.selector = selector,
				.closer_batch = 16,
				.hello_timeout_ns = 60000000000,
				.idle_exit_ns = -1,
				.reactors = 1,
				.log_level = LOG_INFO,
			},
	};
	int channel[2], link[2];

	high_pair(channel);
	high_pair(link);
	run.closer = start(READYD_CLOSER, link[1], -1);
	run.agent = start(READYD_AGENT, channel[1], link[0]);
	rdy__fd_close(channel[1]);
	rdy__fd_close(link[0]);
	rdy__fd_close(link[1]);
	run.channel = channel[0];
	tell(&config, NULL, 0);
	hear(CHANNEL_HELLO);
}

/* 0 is a good end; a signal is negative. */
static int status_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void stop_both(void)
{
	tell(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	ck_assert_int_eq(status_of(run.agent), 0);
	ck_assert_int_eq(status_of(run.closer), 0);
	rdy__fd_close(run.channel);
}

static bool is_filtered(pid_t pid)
{
	char path[64], line[256];
	bool on = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ck_assert_ptr_nonnull(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f))
		on |= strcmp(line, "Seccomp:\t2\n") == 0;
	fclose(f);
	return on;
}

/* Else this whole test would show nothing. The closer may still be starting: nobody waits for it. */
static void wait_for_filter(pid_t pid)
{
	int left_ms = PATIENCE_MS;

	if (!sandbox_available())
		return;
	while (!is_filtered(pid)) {
		ck_assert_int_gt(left_ms--, 0);
		poll(NULL, 0, 1);
	}
}

static int connect_client(void)
{
	struct channel_message m = {
		.type = CHANNEL_SESSION,
		.u.session = {.session = 1, .uid = getuid(), .gid = getgid(), .pid = getpid()},
	};
	int sv[2], fds[2];
	size_t n = 1;

	high_pair(sv);
	fds[0] = sv[1];
	fds[1] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	n += fds[1] >= 0;
	tell(&m, fds, n);
	hear(CHANNEL_TAKEN);
	rdy__fd_close(fds[1]);
	rdy__fd_close(sv[1]);
	return sv[0];
}

/* The next frame, which must be of this type. */
static void read_frame(int sock, uint8_t *buf, enum wire_type type, struct wire_frame *ret)
{
	uint32_t detail;
	ssize_t n;

	wait_readable(sock);
	n = recv(sock, buf, WIRE_FRAME_MAX, 0);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(wire_decode_reply(buf, (size_t)n, 0, ret, &detail), WIRE_OK);
	ck_assert_uint_eq(ret->header.type, type);
}

static void greet(int sock)
{
	struct wire_hello hello = {WIRE_VERSION_MIN, WIRE_VERSION_MAX,
		WIRE_FEATURE_ONESHOT | WIRE_FEATURE_EDGE, "sandboxed"};
	uint8_t buf[WIRE_FRAME_MAX];
	struct wire_frame f;

	wire_put_hello(buf, &hello);
	ck_assert_int_eq(
		rdy__send_fds(sock, buf, wire_put_header(buf, WIRE_HELLO, 1, 1), NULL, 0), 0);
	read_frame(sock, buf, WIRE_WELCOME, &f);
}

/* Register one for reading, oneshot. Returns the id, or 0 with the error in *ret_error. */
static uint64_t enrol(int sock, int fd, uint64_t cookie, uint16_t interest, uint32_t *ret_error)
{
	struct wire_register r = {cookie, interest, WIRE_ONESHOT, 0};
	uint8_t buf[WIRE_FRAME_MAX];
	struct wire_result result;
	struct wire_frame f;

	wire_put_register(buf, 0, &r);
	ck_assert_int_eq(
		rdy__send_fds(sock, buf, wire_put_header(buf, WIRE_REGISTER, 2, 1), &fd, 1), 0);
	read_frame(sock, buf, WIRE_REGISTERED, &f);
	wire_get_result(&f, 0, &result);
	*ret_error = result.error;
	return result.id;
}

static void expect_event(int sock, uint64_t cookie, uint32_t *ret_seq)
{
	uint8_t buf[WIRE_FRAME_MAX];
	struct wire_event e;
	struct wire_frame f;

	read_frame(sock, buf, WIRE_EVENTS, &f);
	ck_assert_uint_eq(f.header.count, 1);
	wire_get_event(&f, 0, &e);
	ck_assert_uint_eq(e.cookie, cookie);
	*ret_seq = e.seq;
}

static void deregister(int sock, uint64_t id)
{
	uint8_t buf[WIRE_FRAME_MAX];
	struct wire_result result;
	struct wire_frame f;

	wire_put_deregister(buf, 0, id);
	ck_assert_int_eq(
		rdy__send_fds(sock, buf, wire_put_header(buf, WIRE_DEREGISTER, 5, 1), NULL, 0), 0);
	read_frame(sock, buf, WIRE_DEREGISTERED, &f);
	wire_get_result(&f, 0, &result);
	ck_assert_uint_eq(result.error, WIRE_OK);
}

static void rearm(int sock, uint64_t id, uint32_t seq)
{
	struct wire_rearm r = {id, seq};
	uint8_t buf[WIRE_FRAME_MAX];

	wire_put_rearm(buf, 0, &r);
	ck_assert_int_eq(
		rdy__send_fds(sock, buf, wire_put_header(buf, WIRE_REARM, 4, 1), NULL, 0), 0);
}

static int open_fifo(void)
{
	char path[] = "/tmp/readyd-test-XXXXXX", name[64];
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/fifo", path);
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	ck_assert_int_ge(fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC), 0);
	unlink(name);
	rmdir(path);
	return fd;
}

static int tcp_listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Without an address it gets one; a socket that never listened nor connected is a hangup. */
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* All writable or readable at once, or (listener, pidfd, inotify) silent. */
static void every_kind(int sock)
{
	const struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
	int p[2], n_events = 0;
	sigset_t none;
	const struct {
		int fd;
		uint16_t interest;
		uint32_t error;
		bool event;
	} kinds[] = {
		{eventfd(1, EFD_CLOEXEC), WIRE_READABLE, WIRE_OK, true},
		{pipe2(p, O_CLOEXEC) == 0 ? p[1] : -1, WIRE_WRITABLE, WIRE_OK, true},
		{tcp_listener(), WIRE_READABLE, WIRE_OK, false},
		{socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), WIRE_WRITABLE, WIRE_OK, true},
		{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), WIRE_WRITABLE, WIRE_OK, true},
		{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), WIRE_READABLE, WIRE_OK, true},
		{inotify_init1(IN_CLOEXEC), WIRE_READABLE, WIRE_OK, false},
		{(int)syscall(SYS_pidfd_open, getpid(), 0), WIRE_READABLE, WIRE_OK, false},
		{open_fifo(), WIRE_WRITABLE, WIRE_OK, true},
		{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), WIRE_WRITABLE, WIRE_OK, true},
		{open("/dev/null", O_RDONLY | O_CLOEXEC), WIRE_READABLE, WIRE_E_FD_KIND_REFUSED,
			false},
		{open("/proc/self/stat", O_RDONLY | O_CLOEXEC), WIRE_READABLE,
			WIRE_E_FD_KIND_REFUSED, false},
		{memfd_create("m", MFD_CLOEXEC), WIRE_READABLE, WIRE_E_FD_KIND_REFUSED, false},
		{epoll_create1(EPOLL_CLOEXEC), WIRE_READABLE, WIRE_E_FD_KIND_REFUSED, false},
		{(sigemptyset(&none), signalfd(-1, &none, SFD_CLOEXEC)), WIRE_READABLE,
			WIRE_E_FD_KIND_REFUSED, false},
		{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), WIRE_READABLE,
			WIRE_E_FD_KIND_REFUSED, false},
	};

	ck_assert_int_eq(timerfd_settime(kinds[5].fd, 0, &soon, NULL), 0);
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t error, seq;
		uint64_t id;

		ck_assert_msg(kinds[i].fd >= 0, "kind %u cannot be made here", i);
		id = enrol(sock, kinds[i].fd, i + 1, kinds[i].interest, &error);
		ck_assert_msg(error == kinds[i].error, "kind %u: %s", i, wire_error_name(error));
		if (kinds[i].event) {
			expect_event(sock, i + 1, &seq);
			rearm(sock, id, seq);
			expect_event(sock, i + 1, &seq);
			n_events++;
		}
		/* Some are left to the end of the session. */
		if (id && i % 2)
			deregister(sock, id);
		rdy__fd_close(kinds[i].fd);
	}
	ck_assert_int_eq(n_events, 7);
	rdy__fd_close(p[0]);
}

static void one_life(uint32_t selector)
{
	struct channel_message refuse = {
		.type = CHANNEL_REFUSE,
		.u.session = {.session = 2,
			.uid = getuid(),
			.gid = getgid(),
			.error = WIRE_E_QUOTA_SESSIONS},
	};
	uint8_t buf[WIRE_FRAME_MAX];
	struct wire_frame f;
	int sock, sv[2];

	start_both(selector);
	sock = connect_client();
	greet(sock);
	wait_for_filter(run.agent);
	every_kind(sock);
	wait_for_filter(run.closer);
	rdy__fd_close(sock);
	hear(CHANNEL_SESSION_END);

	/* A second session that is garbage; its end is the agent's to say. */
	sock = connect_client();
	ck_assert_int_eq(send(sock, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	read_frame(sock, buf, WIRE_ERROR, &f);
	hear(CHANNEL_SESSION_END);
	rdy__fd_close(sock);

	high_pair(sv);
	tell(&refuse, &sv[1], 1);
	rdy__fd_close(sv[1]);
	hear(CHANNEL_TAKEN);
	read_frame(sv[0], buf, WIRE_ERROR, &f);
	rdy__fd_close(sv[0]);

	/* And one that is still there at the end. */
	sock = connect_client();
	greet(sock);
	stop_both();
	rdy__fd_close(sock);
}

START_TEST(with_epoll)
{
	one_life(CHANNEL_SELECTOR_EPOLL);
}
END_TEST

START_TEST(with_poll)
{
	one_life(CHANNEL_SELECTOR_POLL);
}
END_TEST

UNIT_MAIN("sandbox/agent", with_epoll, with_poll)
