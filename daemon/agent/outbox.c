/* SPDX-License-Identifier: MIT */
/* See outbox.h. Nothing is lost: what does not fit waits, in order; bounded by twice the sessions. */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "base/fd.h"

#define OUTBOX_FIRST 16u

void outbox_deinit(struct agent_outbox *o)
{
	free(o->messages);
	*o = (struct agent_outbox){0};
}

static int keep(struct agent_outbox *o, uint32_t type, uint64_t session)
{
	if (o->n == o->cap) {
		uint32_t cap = o->cap ? o->cap * 2 : OUTBOX_FIRST;
		__typeof__(o->messages) m = calloc(cap, sizeof(*m));

		if (!m)
			return -ENOMEM;
		for (uint32_t i = 0; i < o->n; i++)
			m[i] = o->messages[(o->head + i) & (o->cap - 1)];
		free(o->messages);
		o->messages = m;
		o->cap = cap;
		o->head = 0;
	}
	o->messages[(o->head + o->n) & (o->cap - 1)].type = type;
	o->messages[(o->head + o->n) & (o->cap - 1)].session = session;
	o->n++;
	return 0;
}

static void watch(struct agent *a, bool blocked)
{
	if (a->channel_blocked == blocked)
		return;
	a->channel_blocked = blocked;
	if (rdy_poll_modify(a->reactor.poll, a->channel, TOKEN(TOKEN_CHANNEL, 0, 0),
		    RDY_READABLE | (blocked ? RDY_WRITABLE : 0), RDY_LEVEL) < 0)
		agent_fail(a, "the channel cannot be watched");
}

void outbox_void(struct agent *a)
{
	a->outbox.n = 0;
}

void outbox_flush(struct agent *a)
{
	struct agent_outbox *o = &a->outbox;

	if (!adopt_heard(a))
		return;
	if (adopt_send(a) < 0) {
		watch(a, true);
		return;
	}
	while (o->n) {
		uint8_t buf[CHANNEL_BYTES_MAX];
		const struct channel_message m = {
			.type = o->messages[o->head].type,
			.u.session = {.session = o->messages[o->head].session},
		};
		int e = rdy__send_fds(a->channel, buf, channel_encode(buf, &m), NULL, 0);

		if (e == -EAGAIN || e == -EINTR) {
			watch(a, true);
			return;
		}
		/* Gone: reading finds that and ends the process. */
		o->head = (o->head + 1) & (o->cap - 1);
		o->n--;
	}
	watch(a, false);
}

void outbox_say(struct agent *a, uint32_t type, uint64_t session)
{
	if (!adopt_heard(a))
		return;
	if (keep(&a->outbox, type, session) < 0) {
		agent_fail(a, "out of memory");
		return;
	}
	if (!a->channel_blocked)
		outbox_flush(a);
}
