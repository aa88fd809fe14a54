/* SPDX-License-Identifier: MIT */
/*
 * Where descriptors go that a reactor may not close. The graveyard holds what this round gave up, until it
 * goes to the agent's disposal link at the end of the round; the quarantine holds what even that may not
 * take, because its close() may block wherever it happens: files with a path. It empties when the process
 * ends. The reactor's thread.
 */
#ifndef AGENT_DISPOSE_H
#define AGENT_DISPOSE_H

#include <stddef.h>
#include <stdint.h>

struct reactor;
struct session;

struct graveyard {
	int *fds;
	size_t n, cap;
};

#define GRAVEYARD_NULL \
	(struct graveyard) \
	{ \
		0 \
	}

/* Frees the memory; what is left in it is left to the kernel (the process ends). Idempotent. */
void graveyard_deinit(struct graveyard *g);

/*
 * Make room for n more, so that giving up cannot fail half way.
 * Returns 0, or -ENOMEM; the caller does not start what it could not finish.
 */
int graveyard_reserve(struct graveyard *g, size_t n);

/* Give up a descriptor that a close() of ours does not block (any kind but WIRE_KIND_PATH); consumed. */
void dispose_plain(struct reactor *r, int take_fd);

/* Give up what a client handed in, whatever it is: vetted first, if path-backed into quarantine. */
void dispose_unvetted(struct reactor *r, struct session *s, const int *take_fds, size_t n);

/* Keep a path-backed descriptor open till the agent ends; counted for the session. */
void dispose_quarantine(struct reactor *r, struct session *s, int take_fd);

#endif
