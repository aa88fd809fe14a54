/* SPDX-License-Identifier: MIT */
/*
 * Sending side of the disposal link: a queue of descriptors, one batch of them under way.
 * Threads: the owner's only. May not block, and may not close a descriptor that is not in flight.
 */
#include "link/link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define CAP_MIN 64u

struct link_item {
	uint8_t *answer; /* NULL in nearly all */
	int fd;
	uint8_t answer_bytes;
	bool shut;
	uint32_t mark;
};

static struct link_item *item_at(const struct link_sender *l, size_t i)
{
	/* cap is a power of two */
	return &l->queue[(l->head + i) & (l->cap - 1)];
}

void link_sender_init(struct link_sender *l, int take_sock, uint32_t batch_max)
{
	assert(batch_max >= 1 && batch_max <= LINK_BATCH_MAX);
	*l = LINK_SENDER_NULL;
	l->sock = take_sock;
	l->batch_max = l->batch_now = batch_max;
}

void link_sender_deinit(struct link_sender *l, bool abandon)
{
	assert(abandon || l->n_queued == 0);
	for (size_t i = 0; i < l->n_queued; i++)
		free(item_at(l, i)->answer);
	free(l->queue);
	/* A GO that is still owed is not missed: the receiver closes at the end of the link, too. */
	rdy__fd_close(l->sock);
	*l = LINK_SENDER_NULL;
}

static int grow(struct link_sender *l)
{
	size_t cap = l->cap ? l->cap * 2 : CAP_MIN;
	struct link_item *queue = calloc(cap, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_queued; i++)
		queue[i] = *item_at(l, i);
	free(l->queue);
	l->queue = queue;
	l->head = 0;
	l->cap = cap;
	return 0;
}

int link_sender_take(
	struct link_sender *l, int take_fd, const void *answer, size_t answer_bytes, bool shut)
{
	uint8_t *copy = NULL;

	assert(take_fd >= 0);
	assert(answer_bytes <= LINK_ANSWER_MAX);
	if (l->n_queued == l->cap && grow(l) < 0)
		return -ENOMEM;
	if (answer && answer_bytes) {
		copy = malloc(answer_bytes);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, answer, answer_bytes);
	}
	*item_at(l, l->n_queued++) = (struct link_item){
		.answer = copy,
		.fd = take_fd,
		.answer_bytes = copy ? (uint8_t)answer_bytes : 0,
		.shut = shut,
	};
	return 0;
}

void link_sender_mark(struct link_sender *l, uint32_t mark)
{
	assert(l->n_queued > 0);
	item_at(l, l->n_queued - 1)->mark = mark;
}

int link_sender_give_back(struct link_sender *l, uint32_t mark)
{
	size_t i = 0;
	int fd;

	while (i < l->n_queued && item_at(l, i)->mark != mark)
		i++;
	if (i == l->n_queued)
		return -1;
	fd = item_at(l, i)->fd;
	free(item_at(l, i)->answer);
	for (; i + 1 < l->n_queued; i++)
		*item_at(l, i) = *item_at(l, i + 1);
	l->n_queued--;
	return fd;
}

static bool equal(const struct link_item *a, const struct link_item *b)
{
	return a->shut == b->shut && a->mark == b->mark && a->answer_bytes == b->answer_bytes &&
	       (a->answer_bytes == 0 || memcmp(a->answer, b->answer, a->answer_bytes) == 0);
}

static bool receiver_gone(int r)
{
	return r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN || r == -ECONNREFUSED;
}

/* The kernel did not take the batch; the receiver is there. */
static void send_less(struct link_sender *l, size_t n_tried)
{
	/*
	 * A smaller message may pass where a big one does not. And one object that can't travel at all (old
	 * kernels count how deep sockets lie in sockets and say ETOOMANYREFS) must not hold up the rest: it
	 * goes to the end of the queue.
	 */
	if (n_tried > 1) {
		l->batch_now = (uint32_t)n_tried / 2;
		return;
	}
	struct link_item first = *item_at(l, 0);

	l->head = (l->head + 1) & (l->cap - 1);
	*item_at(l, l->n_queued - 1) = first;
}

static void drop_sent(struct link_sender *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct link_item *item = item_at(l, i);

		item->fd = rdy__fd_close(item->fd);
		free(item->answer);
		item->answer = NULL;
	}
	l->head = (l->head + n) & (l->cap - 1);
	l->n_queued -= n;
	if (l->n_queued == 0 && l->cap > CAP_MIN) {
		/* A burst is over; its memory goes back. */
		free(rdy__steal(l->queue));
		l->cap = l->head = 0;
	}
}

/* Returns 0 sent, or -errno of sendmsg() with nothing sent. */
static int send_batch(struct link_sender *l, int64_t now_ns)
{
	const struct link_item *first = item_at(l, 0);
	struct link_message m = {
		.type = LINK_DISPOSE,
		.answer_bytes = first->answer_bytes,
		.shutdown = first->shut,
	};
	uint32_t mark = first->mark;
	int fds[LINK_BATCH_MAX];
	size_t n = 0;
	int r;

	while (n < l->n_queued && n < l->batch_now && equal(first, item_at(l, n))) {
		fds[n] = item_at(l, n)->fd;
		n++;
	}
	if (first->answer_bytes)
		memcpy(m.answer, first->answer, first->answer_bytes);
	m.n_fds = (uint32_t)n;
	r = rdy__send_fds(l->sock, &m, sizeof(m), fds, n);
	assert(r != -EBADF); /* somebody closed what he had given us */
	if (r < 0) {
		if (!receiver_gone(r))
			send_less(l, n);
		return r;
	}
	/*
	 * Invariant: LINK-1: our copies are closed after DISPOSE and before GO.
	 * Why: the receiver closes at GO; a copy of ours that is left then makes our close() the last one,
	 * and a last close() may block for ever.
	 * Test: tests/unit/link/sender.c/copies_are_closed_before_go
	 */
	drop_sent(l, n);
	l->n_under_way = (uint32_t)n;
	l->mark_under_way = mark;
	l->go_owed = true;
	l->sent_at_ns = now_ns;
	return 0;
}

static int send_go(struct link_sender *l)
{
	struct link_message m = {.type = LINK_GO};
	int r = rdy__send_fds(l->sock, &m, sizeof(m), NULL, 0);

	if (r == 0)
		l->go_owed = false;
	return r;
}

int link_sender_flush(struct link_sender *l, int64_t now_ns)
{
	int r = 0;

	if (l->sock < 0)
		return 0;
	if (l->n_under_way == 0 && l->n_queued > 0)
		r = send_batch(l, now_ns);
	if (r == 0 && l->go_owed)
		r = send_go(l);
	return receiver_gone(r) ? -EPIPE : 0;
}

bool link_sender_stalled(const struct link_sender *l)
{
	return l->sock >= 0 && (l->go_owed || (l->n_under_way == 0 && l->n_queued > 0));
}

int link_sender_readable(struct link_sender *l)
{
	struct link_message m;
	ssize_t n;

	if (l->sock < 0)
		return 0;
	/* No control buffer: no descriptor can enter our table from there. */
	do
		n = recv(l->sock, &m, sizeof(m), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	if (n == 0)
		return -EPIPE;
	if ((size_t)n != sizeof(m) || m.type != LINK_DONE || l->n_under_way == 0 || l->go_owed ||
		m.n_fds > l->n_under_way)
		return -EPROTO;
	l->n_under_way = 0;
	l->batch_now = l->batch_max;
	return 1;
}

void link_sender_replace(struct link_sender *l, int take_sock)
{
	rdy__fd_close(l->sock);
	l->sock = take_sock;
	l->n_under_way = 0;
	l->go_owed = false;
	l->batch_now = l->batch_max;
}

void link_sender_leave(struct link_sender *l)
{
	size_t before, tries = 0;

	l->batch_now = LINK_BATCH_MAX;
	do {
		before = l->n_queued;
		l->n_under_way = 0;
		/* An end of the link is as good as the GO that may be owed. */
		if (link_sender_flush(l, 0) < 0 || l->go_owed)
			return;
		tries = before == l->n_queued ? tries + 1 : 0;
	} while (l->n_queued && tries < LINK_BATCH_MAX);
}

size_t link_sender_pending(const struct link_sender *l)
{
	return l->n_queued + l->n_under_way;
}
