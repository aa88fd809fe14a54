/* SPDX-License-Identifier: MIT */
/*
 * The wake seam: a descriptor that any thread, or a signal handler, can make readable.
 * One file per mechanism under reactor/sys. Who was woken is kept above, in flags (reactor/core.h).
 */
#ifndef REACTOR_WAKE_H
#define REACTOR_WAKE_H

#include <stdbool.h>

struct rdy__wake;

struct rdy__wake_ops {
	const char *name;

	/* Every signal gives a new edge, even while earlier ones were not drained. */
	bool edge_refires;

	/* Create: fills the descriptors. On error nothing is left open. Errors: -EMFILE, -ENFILE, -ENOMEM. */
	int (*init)(struct rdy__wake *w);

	/* Make fd readable. Never blocks; async-signal-safe; may change errno. */
	void (*signal)(const struct rdy__wake *w);

	/* Make fd unreadable, until the next signal. */
	void (*drain)(const struct rdy__wake *w);
};

struct rdy__wake {
	const struct rdy__wake_ops *ops;
	int fd;	      /* becomes readable */
	int write_fd; /* the other end, or the same descriptor */
};

#define RDY__WAKE_NULL ((struct rdy__wake){NULL, -1, -1})

/* Close. Legal on RDY__WAKE_NULL. */
void rdy__wake_deinit(struct rdy__wake *w);

extern const struct rdy__wake_ops rdy__wake_eventfd;
extern const struct rdy__wake_ops rdy__wake_pipe;

#endif
