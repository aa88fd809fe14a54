/* SPDX-License-Identifier: MIT */
/*
 * A TCP echo server on libready: edges, one buffer a connection, back pressure, an orderly end.
 *
 *   echo [ADDRESS]     127.0.0.1:0 unless given; prints the address it listens at, ends with SIGINT or SIGTERM
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ready/ready.h>

#define BUF_BYTES 4096

enum { LISTENER, SIGNALS, FIRST_CONNECTION };

/* Its address is its token. */
struct connection {
	struct rdy_io *io;
	size_t n, sent;
	bool ended; /* the client has said all */
	char buf[BUF_BYTES];
};

static int fail(const char *what, int e)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(-e));
	return EXIT_FAILURE;
}

static void close_connection(struct connection *c)
{
	rdy_io_free(c->io); /* deregisters, too: no event of it comes any more */
	free(c);
}

static void accept_all(struct rdy_io *listener, struct rdy_registry *registry)
{
	struct rdy_io *io;
	int r;

	/* Mode EDGE: until -EAGAIN. */
	while ((r = rdy_tcp_accept(listener, NULL, &io)) == 0 || r == -ECONNABORTED) {
		struct connection *c;

		if (r < 0)
			continue;
		c = calloc(1, sizeof(*c));
		if (c)
			c->io = io;
		if (!c || rdy_source_register(rdy_io_source(io), registry, (uint64_t)(uintptr_t)c,
				  RDY_READABLE | RDY_WRITABLE, RDY_EDGE) < 0) {
			free(c);
			rdy_io_free(io);
		}
	}
}

/* As far as it goes. Returns false when the connection is over. */
static bool echo(struct connection *c)
{
	ptrdiff_t r;

	for (;;) {
		while (c->sent < c->n) {
			r = rdy_io_write(c->io, c->buf + c->sent, c->n - c->sent);
			if (r == -EAGAIN)
				return true; /* an event says when there is room */
			if (r < 0)
				return false;
			c->sent += (size_t)r;
		}
		if (c->ended)
			return false;
		r = rdy_io_read(c->io, c->buf, sizeof(c->buf));
		if (r == -EAGAIN)
			return true;
		if (r < 0)
			return false;
		c->ended = r == 0;
		c->n = (size_t)r;
		c->sent = 0;
	}
}

static int serve(struct rdy_poll *poll, struct rdy_events *events, struct rdy_io *listener)
{
	struct rdy_event e;
	int r;

	while ((r = rdy_poll_wait(poll, events, -1)) >= 0) {
		while (rdy_events_next(events, &e)) {
			struct connection *c = (struct connection *)(uintptr_t)e.token;

			if (e.token == SIGNALS)
				return 0;
			if (e.token == LISTENER)
				accept_all(listener, rdy_poll_registry(poll));
			else if (!echo(c))
				close_connection(c);
		}
	}
	return r;
}

int main(int argc, char **argv)
{
	static const int ends[] = {SIGINT, SIGTERM};
	char text[RDY_ADDR_TEXT_BYTES];
	struct rdy_io *listener, *signals;
	struct rdy_events *events;
	struct rdy_poll *poll;
	struct rdy_addr at;
	sigset_t set;
	int r;

	r = rdy_addr_parse(argc > 1 ? argv[1] : "127.0.0.1:0", &at);
	if (r < 0)
		return fail(argv[1], r);
	/* libready changes no signal mask: that is for the program to decide. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if ((r = rdy_poll_new(NULL, &poll)) < 0 || (r = rdy_events_new(64, &events)) < 0)
		return fail("start", r);
	if ((r = rdy_tcp_listen(&at, 0, &listener)) < 0)
		return fail("listen", r);
	if ((r = rdy_signals_new(ends, 2, &signals)) < 0 ||
		(r = rdy_source_register(rdy_io_source(listener), rdy_poll_registry(poll), LISTENER,
			 RDY_READABLE, RDY_EDGE)) < 0 ||
		(r = rdy_source_register(rdy_io_source(signals), rdy_poll_registry(poll), SIGNALS,
			 RDY_READABLE, RDY_LEVEL)) < 0)
		return fail("register", r);
	rdy_socket_local_addr(listener, &at);
	rdy_addr_format(&at, text, sizeof(text));
	printf("%s\n", text);
	fflush(stdout);
	r = serve(poll, events, listener);
	rdy_io_free(listener);
	rdy_io_free(signals);
	rdy_events_free(events);
	rdy_poll_free(poll);
	return r < 0 ? fail("wait", r) : EXIT_SUCCESS;
}
