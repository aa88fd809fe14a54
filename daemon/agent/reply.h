/* SPDX-License-Identifier: MIT */
/*
 * Replies that wait because the client does not read: whole frames, first in, first out, at most
 * WIRE_UNANSWERED_MAX of them (the session's socket is not read beyond). The reactor's thread.
 */
#ifndef AGENT_REPLY_H
#define AGENT_REPLY_H

#include <stddef.h>
#include <stdint.h>

struct reply {
	struct reply *next;
	size_t n_bytes;
	uint8_t bytes[];
};

struct replies {
	struct reply *head, *tail;
	uint32_t n;
};

#define REPLIES_NULL \
	(struct replies) \
	{ \
		0 \
	}

/* Idempotent. */
void replies_deinit(struct replies *q);

/* Keep a copy of a frame. Returns 0 or -ENOMEM. */
int replies_append(struct replies *q, const uint8_t *frame, size_t n_bytes);

/* Drop the first one: it was sent. */
void replies_drop(struct replies *q);

#endif
