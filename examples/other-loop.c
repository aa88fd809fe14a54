/* SPDX-License-Identifier: MIT */
/*
 * A poll inside another event loop: here poll(2), but any loop that can watch a descriptor does. rdy_poll_fd() is
 * readable when a wait would find a descriptor or a waker ready; for timers, which need no descriptor, the other loop's
 * timeout is made of the nearest one.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ready/ready.h>

#define STEP_NS INT64_C(20000000)

enum { PIPE = 1, TIMER };

/* What the other loop does when our descriptor is readable, or time is up: take all, never wait. */
static int dispatch(struct rdy_poll *ready, struct rdy_events *events, struct rdy_io *receiver)
{
	struct rdy_event e;
	char byte;
	int seen = 0;

	while (rdy_poll_wait(ready, events, 0) > 0)
		while (rdy_events_next(events, &e)) {
			if (e.token == PIPE)
				while (rdy_io_read(receiver, &byte, 1) == 1)
					printf("a byte: %c\n", byte);
			else
				printf("time is up\n");
			seen |= 1 << e.token;
		}
	return seen;
}

int main(void)
{
	struct rdy_io *sender, *receiver;
	struct rdy_events *events;
	struct rdy_timer *timer;
	struct rdy_poll *ready;
	int64_t deadline_ns;
	int seen = 0, fd;

	if (rdy_poll_new(NULL, &ready) < 0 || rdy_events_new(8, &events) < 0 ||
		rdy_pipe_new(&sender, &receiver) < 0 || rdy_timer_new(ready, TIMER, &timer) < 0)
		return EXIT_FAILURE;
	fd = rdy_poll_fd(ready);
	if (fd < 0)
		return EXIT_FAILURE; /* this selector has none: see RDY_CAP_NESTABLE */
	if (rdy_source_register(rdy_io_source(receiver), rdy_poll_registry(ready), PIPE,
		    RDY_READABLE, RDY_LEVEL) < 0)
		return EXIT_FAILURE;
	deadline_ns = rdy_now_ns() + STEP_NS;
	rdy_timer_set(timer, deadline_ns);
	if (rdy_io_write(sender, "x", 1) != 1)
		return EXIT_FAILURE;

	/* The other loop. */
	for (int rounds = 0; seen != (1 << PIPE | 1 << TIMER) && rounds < 1000; rounds++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left_ns = seen & 1 << TIMER ? -1 : deadline_ns - rdy_now_ns();
		int left_ms = left_ns < 0 ? 0 : (int)((left_ns + 999999) / 1000000);

		if (poll(&p, 1, left_ms) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		seen |= dispatch(ready, events, receiver);
	}

	rdy_timer_free(timer);
	rdy_io_free(sender);
	rdy_io_free(receiver);
	rdy_events_free(events);
	rdy_poll_free(ready);
	return seen == (1 << PIPE | 1 << TIMER) ? EXIT_SUCCESS : EXIT_FAILURE;
}
