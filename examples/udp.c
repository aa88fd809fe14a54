/* SPDX-License-Identifier: MIT */
/*
 * A UDP server on libready: answers each datagram with the number of bytes in it, and ends after 'n' of them, or
 * when none came for five seconds.
 *
 *   udp ADDRESS N      prints the address it is bound to
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ready/ready.h>

#define IDLE_NS INT64_C(5000000000)

/* Until -EAGAIN. Returns how many were answered. */
static long answer_all(struct rdy_io *io)
{
	char buf[65536], text[32];
	struct rdy_addr from;
	ptrdiff_t n;
	long answered = 0;

	while ((n = rdy_socket_recv_from(io, buf, sizeof(buf), &from)) != -EAGAIN) {
		if (n < 0)
			continue; /* what an earlier answer of ours met: nobody was there */
		snprintf(text, sizeof(text), "%td\n", n);
		/* A full socket loses it, as UDP may. */
		(void)rdy_socket_send_to(io, text, strlen(text), &from);
		answered++;
	}
	return answered;
}

int main(int argc, char **argv)
{
	long left = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	char text[RDY_ADDR_TEXT_BYTES];
	struct rdy_events *events;
	struct rdy_poll *poll;
	struct rdy_event e;
	struct rdy_addr at;
	struct rdy_io *io;
	int r;

	if (left < 1) {
		fputs("usage: udp ADDRESS N\n", stderr);
		return 2;
	}
	if ((r = rdy_addr_parse(argv[1], &at)) < 0 || (r = rdy_udp_bind(&at, &io)) < 0 ||
		(r = rdy_poll_new(NULL, &poll)) < 0 || (r = rdy_events_new(8, &events)) < 0 ||
		(r = rdy_source_register(rdy_io_source(io), rdy_poll_registry(poll), 1,
			 RDY_READABLE, RDY_EDGE)) < 0) {
		fprintf(stderr, "udp: %s: %s\n", argv[1], strerror(-r));
		return EXIT_FAILURE;
	}
	rdy_socket_local_addr(io, &at);
	rdy_addr_format(&at, text, sizeof(text));
	printf("%s\n", text);
	fflush(stdout);
	while (left > 0 && rdy_poll_wait(poll, events, IDLE_NS) > 0)
		while (rdy_events_next(events, &e))
			left -= answer_all(io);
	rdy_io_free(io);
	rdy_events_free(events);
	rdy_poll_free(poll);
	return left > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
