/* SPDX-License-Identifier: MIT */
/* The main job: each kind of descriptor, in each mode, from libready's client through the daemon and back. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <ready/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "client.h"
#include "harness.h"
#include "unit.h"

#define TOKEN UINT64_C(0x1234567890abcdef)

struct source {
	int fd;	   /* what is watched */
	int other; /* what makes it ready; -1 where fd does so itself */
	pid_t child;
	char path[128];
	const struct instance *in;
};

struct kind {
	const char *name;
	void (*open)(struct source *s);
	void (*poke)(struct source *s);
	void (*drain)(struct source *s);
	bool once; /* becomes ready once in its life */
};

static void must(bool good, const char *what)
{
	need(good, "%s: %s", what, strerror(errno));
}

static void poke_byte(struct source *s)
{
	must(write(s->other, "x", 1) == 1, "write");
}

static void drain_bytes(struct source *s)
{
	char buf[4096];

	while (read(s->fd, buf, sizeof(buf)) > 0)
		;
	must(errno == EAGAIN, "read");
}

static void bind_loopback(int fd, struct sockaddr_in *a)
{
	socklen_t n = sizeof(*a);

	*a = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	must(bind(fd, (struct sockaddr *)a, n) == 0, "bind");
	must(getsockname(fd, (struct sockaddr *)a, &n) == 0, "getsockname");
}

static void open_tcp(struct source *s)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a;

	bind_loopback(listener, &a);
	must(listen(listener, 1) == 0, "listen");
	s->other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(s->other, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
	s->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	rdy__fd_close(listener);
}

static void open_udp(struct source *s)
{
	struct sockaddr_in a;

	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bind_loopback(s->fd, &a);
	s->other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(connect(s->other, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
}

static void open_unix(struct source *s)
{
	int sv[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0, "pair");
	s->fd = sv[0];
	s->other = sv[1];
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
	snprintf(s->path, sizeof(s->path), "%s/fifo", s->in->dir);
	must(mkfifo(s->path, 0600) == 0, "mkfifo");
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	s->other = open(s->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	unlink(s->path);
}

static void open_eventfd(struct source *s)
{
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void poke_eventfd(struct source *s)
{
	must(eventfd_write(s->fd, 1) == 0, "eventfd");
}

static void open_timerfd(struct source *s)
{
	s->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

static void poke_timerfd(struct source *s)
{
	const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	must(timerfd_settime(s->fd, 0, &soon, NULL) == 0, "timerfd");
	must(poll(&p, 1, PATIENCE_MS) == 1, "poll");
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

static void poke_pidfd(struct source *s)
{
	must(kill(s->child, SIGKILL) == 0, "kill");
}

static void open_inotify(struct source *s)
{
	s->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	must(s->fd >= 0 && inotify_add_watch(s->fd, s->in->dir, IN_CREATE) >= 0, "inotify");
}

static void poke_inotify(struct source *s)
{
	snprintf(s->path, sizeof(s->path), "%s/made", s->in->dir);
	rdy__fd_close(open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	must(unlink(s->path) == 0, "unlink");
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

static const struct kind kinds[] = {
	{"tcp", open_tcp, poke_byte, drain_bytes, false},
	{"udp", open_udp, poke_byte, drain_bytes, false},
	{"unix", open_unix, poke_byte, drain_bytes, false},
	{"pipe", open_pipe, poke_byte, drain_bytes, false},
	{"fifo", open_fifo, poke_byte, drain_bytes, false},
	{"eventfd", open_eventfd, poke_eventfd, drain_bytes, false},
	{"timerfd", open_timerfd, poke_timerfd, drain_bytes, false},
	{"pidfd", open_pidfd, poke_pidfd, NULL, true},
	{"inotify", open_inotify, poke_inotify, drain_bytes, false},
	{"pty", open_pty, poke_byte, drain_bytes, false},
};

static void source_open(struct source *s, const struct kind *k, const struct instance *in)
{
	*s = (struct source){.fd = -1, .other = -1, .in = in};
	k->open(s);
	must(s->fd >= 0, k->name);
}

static void source_close(struct source *s)
{
	rdy__fd_close(s->fd);
	rdy__fd_close(s->other);
	if (s->child)
		waitpid(s->child, NULL, 0);
}

static void oneshot(const struct kind *k, const struct instance *in, struct rdy_client *c)
{
	struct rdy_client_event e;
	struct source s;
	uint64_t handle;

	source_open(&s, k, in);
	need_int(rdy_client_register(c, s.fd, TOKEN, RDY_READABLE, RDY_ONESHOT, 0, &handle), ==, 0);
	client_no_event(c);
	k->poke(&s);
	client_event(c, &e);
	need(e.type == RDY_CLIENT_READY && e.handle == handle && e.token == TOKEN &&
			e.ready & RDY_READABLE && e.flags & RDY_CLIENT_DISARMED,
		"%s: type %u ready %#x flags %#x error %s", k->name, e.type, e.ready, e.flags,
		rdy_client_error_name(e.error));
	if (!k->once) {
		/* Silent until the rearm, which reports what is there. */
		k->poke(&s);
		client_no_event(c);
		need_int(rdy_client_rearm(c, handle), ==, 0);
		client_event(c, &e);
		need(e.handle == handle && e.ready & RDY_READABLE, "%s: rearm", k->name);
		k->drain(&s);
		need_int(rdy_client_rearm(c, handle), ==, 0);
		client_no_event(c);
		k->poke(&s);
		client_event(c, &e);
		need(e.handle == handle && e.ready & RDY_READABLE, "%s: third", k->name);
	}
	need_int(rdy_client_deregister(c, handle), ==, 0);
	source_close(&s);
}

static void edge(const struct kind *k, const struct instance *in, struct rdy_client *c)
{
	struct rdy_client_event e;
	struct source s;
	uint64_t handle;

	source_open(&s, k, in);
	need_int(rdy_client_register(c, s.fd, TOKEN, RDY_READABLE, RDY_EDGE, 0, &handle), ==, 0);
	client_no_event(c);
	for (int i = 0; i < (k->once ? 1 : 5); i++) {
		k->poke(&s);
		client_event(c, &e);
		need(e.type == RDY_CLIENT_READY && e.handle == handle && e.token == TOKEN &&
				e.ready & RDY_READABLE && !(e.flags & RDY_CLIENT_DISARMED),
			"%s: type %u ready %#x flags %#x error %s", k->name, e.type, e.ready,
			e.flags, rdy_client_error_name(e.error));
		if (k->drain)
			k->drain(&s);
		client_no_event(c);
	}
	need_int(rdy_client_deregister(c, handle), ==, 0);
	source_close(&s);
}

static void each_kind(const char *option,
	void (*check)(const struct kind *k, const struct instance *in, struct rdy_client *c))
{
	struct census before;
	struct instance in;
	struct rdy_client *c;

	instance_start(&in, option, NULL);
	c = client_open(&in);
	client_sync(c);
	census_settle(&in, &before);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		check(&kinds[i], &in, c);
		client_sync(c);
	}
	census_wait(&in, &before);
	rdy_client_free(c);
	instance_stop(&in);
}

START_TEST(every_kind_oneshot)
{
	each_kind(NULL, oneshot);
}
END_TEST

/* The other selector has no edges of its own, and offers no such mode. */
START_TEST(every_kind_oneshot_by_poll)
{
	each_kind("selector=poll", oneshot);
}
END_TEST

START_TEST(every_kind_edge)
{
	each_kind(NULL, edge);
}
END_TEST

/* All of them at once in one session, each ready at the same time. */
START_TEST(all_kinds_together)
{
	enum { N = sizeof(kinds) / sizeof(kinds[0]) };
	struct source s[N];
	struct instance in;
	struct rdy_client *c;
	uint64_t handle;
	uint32_t seen = 0;

	instance_start(&in, NULL);
	c = client_open(&in);
	for (uint32_t i = 0; i < N; i++) {
		source_open(&s[i], &kinds[i], &in);
		need_int(rdy_client_register(c, s[i].fd, i, RDY_READABLE,
				 i % 2 ? RDY_EDGE : RDY_ONESHOT, 0, &handle),
			==, 0);
	}
	client_no_event(c);
	for (uint32_t i = 0; i < N; i++)
		kinds[i].poke(&s[i]);
	while (seen != (1u << N) - 1) {
		struct rdy_client_event e;

		client_event(c, &e);
		need(e.type == RDY_CLIENT_READY && e.token < N, "type %u", e.type);
		seen |= 1u << e.token;
	}
	rdy_client_free(c);
	for (uint32_t i = 0; i < N; i++)
		source_close(&s[i]);
	instance_stop(&in);
}
END_TEST

/* Writable, and the other end's goodbye. */
START_TEST(writable_and_hangup)
{
	struct rdy_client_event e;
	struct instance in;
	struct rdy_client *c;
	uint64_t handle;
	char buf[4096];
	int sv[2];

	memset(buf, 'x', sizeof(buf));
	instance_start(&in, NULL);
	c = client_open(&in);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0, "pair");
	while (write(sv[0], buf, sizeof(buf)) > 0)
		;
	need_int(rdy_client_register(c, sv[0], 1, RDY_WRITABLE, RDY_EDGE, 0, &handle), ==, 0);
	client_no_event(c);
	while (read(sv[1], buf, sizeof(buf)) > 0)
		;
	client_event(c, &e);
	need(e.ready & RDY_WRITABLE && !e.flags, "ready %#x flags %#x", e.ready, e.flags);
	sv[1] = rdy__fd_close(sv[1]);
	do /* room was made in several steps */
		client_event(c, &e);
	while (e.ready == RDY_WRITABLE);
	need(e.ready & RDY_READ_CLOSED && e.ready & RDY_WRITE_CLOSED && e.flags & RDY_CLIENT_ENDED,
		"ready %#x flags %#x", e.ready, e.flags);
	need_int(rdy_client_rearm(c, handle), ==, -ENOENT);
	rdy_client_free(c);
	rdy__fd_close(sv[0]);
	instance_stop(&in);
}
END_TEST

/* The administrator's choice: for what is registered from now on, also after a reload. */
START_TEST(kinds_of_the_configuration)
{
	int p[2], sv[2], sock;
	struct wire_result r;
	struct instance in;

	instance_start(&in, "kinds=unix,timerfd", NULL);
	need(pipe2(p, O_CLOEXEC) == 0 &&
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0,
		"%s", strerror(errno));
	sock = raw_open(in.sock);
	raw_register_ok(sock, sv[0], 1, WIRE_READABLE, WIRE_ONESHOT, 0);
	r = raw_register(sock, p[0], 2, WIRE_READABLE, WIRE_ONESHOT, 0);
	need_int(r.error, ==, WIRE_E_FD_KIND_REFUSED);
	need_int(r.detail, ==, WIRE_KIND_PIPE);
	/* Nobody else is concerned, the session least of all. */
	raw_ping(sock);
	rdy__fd_close(sock);
	for (int i = 0; i < 2; i++) {
		rdy__fd_close(p[i]);
		rdy__fd_close(sv[i]);
	}
	instance_stop(&in);
}
END_TEST

UNIT_MAIN("integration/kinds", every_kind_oneshot, every_kind_oneshot_by_poll, every_kind_edge,
	all_kinds_together, writable_and_hangup, kinds_of_the_configuration)
