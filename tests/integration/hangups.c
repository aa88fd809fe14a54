/* SPDX-License-Identifier: MIT */
/*
 * Whoever hangs up is told of at once, whatever the registration is doing, for every kind of descriptor that
 * can: silent from the start, silent after an event, flooding; kept or not; in two halves or at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"
#include "unit.h"

#define BOTH_CLOSED (WIRE_READ_CLOSED | WIRE_WRITE_CLOSED)

struct source {
	int fd;	   /* what is watched */
	int other; /* who hangs up */
	pid_t child;
	const struct instance *in;
};

static void must(bool good, const char *what)
{
	need(good, "%s: %s", what, strerror(errno));
}

static void open_tcp(struct source *s)
{
	const struct linger reset = {.l_onoff = 1};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(a);

	must(bind(listener, (struct sockaddr *)&a, n) == 0, "bind");
	must(getsockname(listener, (struct sockaddr *)&a, &n) == 0, "getsockname");
	must(listen(listener, 1) == 0, "listen");
	s->other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(s->other, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
	s->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	must(setsockopt(s->other, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0, "linger");
	rdy__fd_close(listener);
}

static void open_pair(struct source *s, int type)
{
	int sv[2];

	must(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0, "pair");
	s->fd = sv[0];
	s->other = sv[1];
}

static void open_stream(struct source *s)
{
	open_pair(s, SOCK_STREAM);
}

static void open_seqpacket(struct source *s)
{
	open_pair(s, SOCK_SEQPACKET);
}

static void open_pipe(struct source *s)
{
	int p[2];

	must(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
	s->fd = p[0];
	s->other = p[1];
}

static void open_fifo(struct source *s)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", s->in->dir);
	must(mkfifo(path, 0600) == 0, "mkfifo");
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	s->other = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	unlink(path);
}

static void open_pty(struct source *s)
{
	struct termios t;

	s->fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	must(s->fd >= 0 && grantpt(s->fd) == 0 && unlockpt(s->fd) == 0, "ptmx");
	s->other = open(ptsname(s->fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	must(s->other >= 0 && tcgetattr(s->other, &t) == 0, "pts");
	cfmakeraw(&t);
	must(tcsetattr(s->other, TCSANOW, &t) == 0, "tcsetattr");
}

static void open_pidfd(struct source *s)
{
	s->child = fork();
	if (s->child == 0) {
		pause();
		_exit(0);
	}
	must(s->child > 0, "fork");
	s->fd = pidfd_open(s->child, 0);
}

static void poke_byte(struct source *s)
{
	must(write(s->other, "x", 1) == 1, "write");
}

static void poke_pidfd(struct source *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	must(kill(s->child, SIGKILL) == 0, "kill");
	must(poll(&p, 1, PATIENCE_MS) == 1, "poll");
}

static void hang_up(struct source *s)
{
	s->other = rdy__fd_close(s->other);
}

/* Reaped; newer kernels call that a hangup. */
static void reap(struct source *s)
{
	kill(s->child, SIGKILL);
	must(waitpid(s->child, NULL, 0) == s->child, "waitpid");
	s->child = 0;
}

static const struct kind {
	const char *name;
	void (*open)(struct source *s);
	void (*poke)(struct source *s);
	void (*end)(struct source *s);
	bool halves; /* it can be shut for one direction first */
} kinds[] = {
	{"tcp", open_tcp, poke_byte, hang_up, true},
	{"unix stream", open_stream, poke_byte, hang_up, true},
	{"unix seqpacket", open_seqpacket, poke_byte, hang_up, true},
	{"pipe", open_pipe, poke_byte, hang_up, false},
	{"fifo", open_fifo, poke_byte, hang_up, false},
	{"pty", open_pty, poke_byte, hang_up, false},
	{"pidfd", open_pidfd, poke_pidfd, reap, false},
};

/* What the registration is doing meanwhile. */
enum state {
	STARTS_SILENT, /* oneshot, DISARMED */
	SILENT,	       /* oneshot, after an event that nobody has rearmed */
	SILENT_MORE,   /* and more has come since */
	LEVEL,	       /* an event that was not acknowledged */
	LEVEL_MORE,
	EDGE,
	PAUSED, /* edge, flooding */
	N_STATES,
};

static const char *const state_names[] = {"starts silent", "silent", "silent, more came",
	"level, not acknowledged", "level, more came", "edge", "paused"};

static int open_session(const struct instance *in)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	int sock = raw_connect(in->sock);
	struct raw_frame frame;

	need_int(
		raw_send(sock, buf, raw_put_hello(buf, RAW_FEATURES | WIRE_FEATURE_LEVEL), NULL, 0),
		==, 0);
	raw_recv_type(sock, &frame, WIRE_WELCOME);
	return sock;
}

static struct wire_event next_event(int sock, uint64_t id)
{
	struct raw_frame frame;
	struct wire_event e;

	raw_recv_type(sock, &frame, WIRE_EVENTS);
	need_int(frame.f.header.count, ==, 1);
	wire_get_event(&frame.f, 0, &e);
	need(e.id == id && e.type == WIRE_EVENT_READY, "type %u of another one", e.type);
	return e;
}

static bool hung_up(const struct wire_event *e)
{
	return e->ready & WIRE_READY_ERROR || (e->ready & BOTH_CLOSED) == BOTH_CLOSED;
}

/* The kernel may tell of an error and of the end that it means one after the other: two events, if it is kept. */
static void expect_silence(int sock, uint64_t id)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	struct raw_frame frame;
	struct wire_event e;
	int n = 0;

	wire_put_ping(buf, 7);
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_PING, 5, 1), NULL, 0), ==, 0);
	while (raw_recv(sock, &frame, PATIENCE_MS) == 1 && frame.f.header.type == WIRE_EVENTS) {
		wire_get_event(&frame.f, 0, &e);
		need(e.id == id && hung_up(&e), "ready %#x", e.ready);
		need_int(++n, <, 3);
	}
	need_int(frame.f.header.type, ==, WIRE_PONG);
	raw_ping(sock);
}

static uint64_t bring_about(
	int sock, const struct kind *k, struct source *s, enum state state, uint8_t keep)
{
	uint8_t mode = state >= EDGE ? WIRE_EDGE : state >= LEVEL ? WIRE_LEVEL : WIRE_ONESHOT;
	struct wire_event e = {0};
	uint64_t id;

	id = raw_register_ok(sock, s->fd, 1, WIRE_READABLE, mode,
		(uint8_t)(keep | (state == STARTS_SILENT ? WIRE_REG_DISARMED : 0)));
	if (state == STARTS_SILENT)
		return id;
	do {
		k->poke(s);
		e = next_event(sock, id);
		need_int(e.ready, ==, WIRE_READABLE);
	} while (state == PAUSED && !(e.flags & WIRE_EVENT_PAUSED));
	if (state == SILENT_MORE || state == LEVEL_MORE || state == PAUSED)
		k->poke(s);
	if (state != EDGE)
		raw_ping(sock);
	return id;
}

static void check(const struct instance *in, int sock, const struct kind *k, enum state state,
	bool keep, bool halves)
{
	struct source s = {.fd = -1, .other = -1, .in = in};
	struct wire_event e;
	uint64_t id;

	k->open(&s);
	must(s.fd >= 0, k->name);
	id = bring_about(sock, k, &s, state, keep ? WIRE_REG_KEEP : 0);
	if (halves) {
		must(shutdown(s.other, SHUT_WR) == 0, "shutdown");
		/* Of somebody silent this is not told. */
		if (state < EDGE)
			raw_ping(sock);
	}
	k->end(&s);
	do
		e = next_event(sock, id);
	while (state >= EDGE && !hung_up(&e));
	need(hung_up(&e), "%s, %s: ready %#x", k->name, state_names[state], e.ready);
	need(!(e.flags & WIRE_EVENT_ENDED) == keep, "%s, %s: flags %#x", k->name,
		state_names[state], e.flags);
	/* Once; but a pause ends in a look at what there is. */
	if (state != PAUSED)
		expect_silence(sock, id);
	need_int(raw_deregister(sock, id), ==, keep ? WIRE_OK : WIRE_E_REGISTRATION_UNKNOWN);
	rdy__fd_close(s.fd);
	rdy__fd_close(s.other);
}

static bool reaping_hangs_up(void)
{
	struct source s = {.fd = -1};
	struct pollfd p;
	bool yes;

	open_pidfd(&s);
	reap(&s);
	p = (struct pollfd){.fd = s.fd};
	yes = poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
	rdy__fd_close(s.fd);
	return yes;
}

static void check_all(const struct instance *in, enum state n_states)
{
	bool with_pidfd = reaping_hangs_up();
	int sock = open_session(in);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i];

		if (k->open == open_pidfd && !with_pidfd) {
			note("this kernel does not tell of reaped processes");
			continue;
		}
		for (enum state state = 0; state < n_states; state++) {
			/* It cannot be ready twice. */
			if (k->open == open_pidfd &&
				(state == SILENT_MORE || state == LEVEL_MORE || state == PAUSED))
				continue;
			for (int way = 0; way < (k->halves ? 4 : 2); way++)
				check(in, sock, k, state, way & 1, way & 2);
		}
	}
	rdy__fd_close(sock);
}

/* Invariant: HANGUP-1 */
START_TEST(hangups)
{
	struct instance in;

	instance_start(&in, "delivery.flood_rate=1/s", "delivery.flood_burst=3", NULL);
	check_all(&in, N_STATES);
	instance_stop(&in);
}
END_TEST

START_TEST(hangups_by_poll)
{
	struct instance in;

	instance_start(&in, "selector=poll", NULL);
	check_all(&in, EDGE);
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/hangups", hangups, hangups_by_poll)
