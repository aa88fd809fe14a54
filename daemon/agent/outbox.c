/* SPDX-License-Identifier: MIT */
/* See outbox.h. Nothing is lost: what does not fit waits, in order. */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "base/fd.h"

#define OUTBOX_FIRST 16u
#define SMALL_BYTES 160u /* room for any message without data */

static struct outbox_message *at(const struct agent_outbox *o, uint32_t i)
{
	return &o->messages[(o->head + i) & (o->cap - 1)];
}

static void drop_first(struct agent_outbox *o)
{
	free(rdy__steal(at(o, 0)->bytes));
	o->head = (o->head + 1) & (o->cap - 1);
	o->n--;
}

void outbox_deinit(struct agent_outbox *o)
{
	while (o->n)
		drop_first(o);
	free(o->messages);
	*o = (struct agent_outbox){0};
}

/* Room for one more: the place after the last, all zero; NULL without memory. */
static struct outbox_message *append(struct agent_outbox *o)
{
	if (o->n == o->cap) {
		uint32_t cap = o->cap ? o->cap * 2 : OUTBOX_FIRST;
		struct outbox_message *m = calloc(cap, sizeof(*m));

		if (!m)
			return NULL;
		for (uint32_t i = 0; i < o->n; i++)
			m[i] = *at(o, i);
		free(o->messages);
		o->messages = m;
		o->cap = cap;
		o->head = 0;
	}
	o->n++;
	*at(o, o->n - 1) = (struct outbox_message){0};
	return at(o, o->n - 1);
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

bool outbox_is_free(const struct agent *a)
{
	return !a->channel_blocked && a->outbox.n == 0;
}

void outbox_void(struct agent *a)
{
	while (a->outbox.n)
		drop_first(&a->outbox);
}

/* Returns false when it has to wait. Without anybody there it counts as sent: reading finds that. */
static bool put(struct agent *a, const uint8_t *bytes, size_t n_bytes)
{
	int e = rdy__send_fds(a->channel, bytes, n_bytes, NULL, 0);

	/* A page may need more memory in one piece than the kernel has at the moment. */
	return e != -EAGAIN && e != -EINTR && e != -ENOBUFS && e != -ENOMEM;
}

static bool put_item(struct agent *a, const struct outbox_message *item)
{
	const struct channel_message m = {
		.type = item->type, .u.session = {.session = item->session}};
	uint8_t buf[SMALL_BYTES];

	if (item->bytes)
		return put(a, item->bytes, item->n_bytes);
	return put(a, buf, channel_encode(buf, &m));
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
		if (!put_item(a, at(o, 0))) {
			watch(a, true);
			return;
		}
		drop_first(o);
	}
	watch(a, false);
}

void outbox_say(struct agent *a, uint32_t type, uint64_t session)
{
	struct outbox_message *item;

	if (!adopt_heard(a))
		return;
	item = append(&a->outbox);
	if (!item) {
		agent_fail(a, "out of memory");
		return;
	}
	item->type = type;
	item->session = session;
	if (!a->channel_blocked)
		outbox_flush(a);
}

void outbox_send(struct agent *a, const struct channel_message *m)
{
	static uint8_t buf[CHANNEL_BYTES_MAX]; /* the main thread's */
	struct outbox_message *item;
	size_t n_bytes;

	if (!adopt_heard(a))
		return;
	n_bytes = channel_encode(buf, m);
	if (outbox_is_free(a) && !a->adoption.sending && put(a, buf, n_bytes))
		return;
	item = append(&a->outbox);
	if (item)
		item->bytes = malloc(n_bytes);
	if (!item || !item->bytes) {
		agent_fail(a, "out of memory");
		return;
	}
	memcpy(item->bytes, buf, n_bytes);
	item->n_bytes = (uint32_t)n_bytes;
	if (!a->channel_blocked)
		outbox_flush(a);
}
