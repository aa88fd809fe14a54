/* SPDX-License-Identifier: MIT */
/*
 * A tour of readyd: hand seven kinds of descriptor over, print each event as it comes back with the time
 * that passed since its cause, read, re-arm.
 *
 *   tour [--once] [SOCKET]     SOCKET: readyd's session socket; else $READYD_SOCKET, else the system's
 *
 * --once ends when every descriptor has had its events, with exit 1 when one had none in time. Otherwise
 * it goes on until SIGINT. It uses nothing but libready's public headers; one thread.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <ready/ready.h>

#include "tour-sources.h"

#define LIMIT_NS INT64_C(15000000000) /* of the whole tour with --once */
#define ANSWER_NS INT64_C(5000000000)

struct tour {
	const char *socket;
	bool once, shown;
	struct tour_source sources[TOUR_SOURCES];
	struct rdy_client *client;
	unsigned int n_events, n_descriptors;
};

static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *fmt, ...)
{
	va_list ap;

	fputs("tour: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

static void words(uint32_t ready, char *buf, size_t buf_bytes)
{
	snprintf(buf, buf_bytes, "%s%s%s%s", ready & RDY_READABLE ? "in " : "",
		ready & RDY_WRITABLE ? "out " : "", ready & RDY_ERROR ? "err " : "",
		ready & (RDY_READ_CLOSED | RDY_WRITE_CLOSED) ? "hup " : "");
	if (buf[0])
		buf[strlen(buf) - 1] = '\0';
}

static void print_delay(int64_t delay_ns, char *buf, size_t buf_bytes)
{
	if (delay_ns < 0)
		snprintf(buf, buf_bytes, "-");
	else if (delay_ns < 10 * 1000 * 1000)
		snprintf(buf, buf_bytes, "%d us", (int)(delay_ns / 1000));
	else
		snprintf(buf, buf_bytes, "%d ms", (int)(delay_ns / 1000000));
}

/* Start a source and hand its descriptor over. */
static int hand_over(struct tour *t, struct tour_source *s)
{
	int r = s->start(s);

	if (r)
		return fail("cannot make the %s: %s", s->name, strerror(-r));
	r = rdy_client_register(t->client, s->fd, (uint64_t)(s - t->sources), RDY_READABLE,
		RDY_ONESHOT, 0, &s->handle);
	if (r)
		return fail("cannot register the %s: %s", s->name, strerror(-r));
	return 0;
}

/* The descriptor is spent: take it back; in a live tour the next one follows. */
static int next_descriptor(struct tour *t, struct tour_source *s)
{
	rdy_client_deregister(
		t->client, s->handle); /* first, then close: never the other way round */
	close(s->fd);
	s->fd = -1;
	return t->once ? 0 : hand_over(t, s);
}

static int on_ready(struct tour *t, const struct rdy_client_event *e)
{
	struct tour_source *s = &t->sources[e->token];
	int64_t now_ns = tour_realtime_ns(), cause_ns;
	char what[128] = "", ready[32], delay[32];

	cause_ns = s->take(s, what, sizeof(what));
	if (cause_ns != 0) {
		words(e->ready, ready, sizeof(ready));
		print_delay(cause_ns < 0 ? -1 : now_ns - cause_ns, delay, sizeof(delay));
		printf("%-8s %-7s %8s  %s\n", s->name, ready, delay, what);
		t->n_events++;
		if (s->got++ == 0 || s->once)
			t->n_descriptors++;
		if (s->once)
			return next_descriptor(t, s);
	}
	if (e->flags & RDY_CLIENT_ENDED)
		return fail("the %s has ended before its time", s->name);
	/* Nothing there after all is normal: an event is a hint. */
	return rdy_client_rearm(t->client, s->handle) ? fail("cannot re-arm the %s", s->name) : 0;
}

static int on_event(struct tour *t, const struct rdy_client_event *e)
{
	switch (e->type) {
	case RDY_CLIENT_READY:
		return on_ready(t, e);
	case RDY_CLIENT_FAILED:
		return fail("readyd refuses the %s: %s (%s)", t->sources[e->token].name,
			rdy_client_error_text(e->error), rdy_client_error_name(e->error));
	case RDY_CLIENT_LOST:
		puts("-- the connection is lost, connecting again");
		return 0;
	case RDY_CLIENT_RESTORED:
		puts("-- connected again, every descriptor handed over anew");
		return 0;
	case RDY_CLIENT_REFUSED:
		return fail("readyd refuses us: %s (%s)", rdy_client_error_text(e->error),
			rdy_client_error_name(e->error));
	default:
		return 0;
	}
}

static bool complete(const struct tour *t)
{
	for (size_t i = 0; i < TOUR_SOURCES; i++)
		if (t->sources[i].got < t->sources[i].wanted)
			return false;
	return true;
}

static void show_commands(struct tour *t)
{
	if (t->shown)
		return;
	t->shown = true;
	printf("\nThis goes on until Ctrl-C. Meanwhile, in another terminal:\n"
	       "  . build/env && readyctl status && readyctl ls\n"
	       "  . build/env && (sleep 1; echo hi) | readyctl wait --timeout 5s bell=0\n"
	       "  . build/env && man readyctl\n\n");
}

static void summary(const struct tour *t)
{
	printf("%u events from %u descriptors\n", t->n_events, t->n_descriptors);
}

/* One round: wait for the client or a signal. 1 = go on, 0 = end, -1 = failed. */
static int step(struct tour *t, int signal_fd, int64_t deadline_ns)
{
	struct pollfd fds[] = {
		{.fd = rdy_client_fd(t->client), .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};
	int64_t left_ns = deadline_ns - rdy_now_ns();
	int r;

	if (fds[0].fd < 0)
		return fail("no descriptor to wait with: %s", strerror(-fds[0].fd));
	if (t->once && left_ns <= 0)
		return 0;
	if (poll(fds, 2, t->once ? (int)(left_ns / 1000000) + 1 : -1) < 0)
		return errno == EINTR ? 1 : fail("poll: %s", strerror(errno));
	if (fds[1].revents)
		return 0;
	r = rdy_client_dispatch(t->client);
	if (r < 0)
		return fail("the session failed: %s", strerror(-r));
	for (struct rdy_client_event e; rdy_client_next(t->client, &e) > 0;)
		if (on_event(t, &e))
			return -1;
	if (!complete(t))
		return 1;
	if (t->once)
		return 0;
	show_commands(t);
	return 1;
}

static int walk(struct tour *t, int signal_fd)
{
	int64_t deadline_ns = rdy_now_ns() + LIMIT_NS;
	int r = 1;

	for (size_t i = 0; i < TOUR_SOURCES; i++)
		if (hand_over(t, &t->sources[i]))
			return -1;
	/* Send what is queued; from here on the descriptor says when there is something to do. */
	if (rdy_client_dispatch(t->client) < 0)
		return fail("cannot send the descriptors");
	printf("%-8s %-7s %8s  %s\n", "NAME", "READY", "DELAY", "CAUSE");
	while (r == 1)
		r = step(t, signal_fd, deadline_ns);
	if (r == 0 && t->once && !complete(t))
		for (size_t i = 0; i < TOUR_SOURCES; i++)
			if (t->sources[i].got < t->sources[i].wanted)
				r = fail("the %s had %u of %u events", t->sources[i].name,
					t->sources[i].got, t->sources[i].wanted);
	summary(t);
	return r;
}

static int connect_to_readyd(struct tour *t)
{
	struct rdy_client_options options = {
		.size = sizeof(options), .path = t->socket, .name = "tour"};
	uint32_t error = 0;
	int r = rdy_client_new(&options, ANSWER_NS, &error, &t->client);

	if (r == 0)
		return 0;
	fail("cannot reach readyd at %s: %s", t->socket ? t->socket : RDY_CLIENT_SYSTEM_PATH,
		error ? rdy_client_error_text(error) : strerror(-r));
	fputs("  why: is it running? this program starts none\n"
	      "  try: ./run, which starts a private one\n",
		stderr);
	return -1;
}

/* SIGINT and its like become readable, so that every way out is the same. */
static int signals_as_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGINT, SIG_DFL); /* a script's background job starts with it ignored */
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char *argv[])
{
	struct tour t = {.socket = getenv("READYD_SOCKET")};
	int signal_fd, r = -1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0) {
			t.once = true;
		} else if (argv[i][0] == '-') {
			fail("unknown option '%s'; usage: tour [--once] [SOCKET]", argv[i]);
			return 2;
		} else {
			t.socket = argv[i];
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal_fd = signals_as_descriptor();
	if (connect_to_readyd(&t))
		return 1;
	r = tour_sources_init(t.sources, !t.once);
	if (r)
		fail("cannot prepare: %s", strerror(-r));
	else
		r = walk(&t, signal_fd);
	rdy_client_free(t.client);
	tour_sources_deinit(t.sources);
	close(signal_fd);
	return r ? 1 : 0;
}
