/* SPDX-License-Identifier: MIT */
/* See holders.h. */
#include "holders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "child.h"
#include "link/link.h"
#include "log.h"
#include "remains.h"
#include "supervisor.h"

#define HOLD_NS (1 * RDY__NS_PER_S)
#define RETRY_NS (20 * RDY__NS_PER_MS)
#define RESTART_NS (1 * RDY__NS_PER_S)
#define HOLDERS_MAX 64u /* alive */
#define STUCK_MAX 256u	/* of all users */
#define HELD_MAX 4096	/* sockets in one, as far as descriptors go */

struct holder {
	struct rdy__list link;
	uid_t uid;
	struct child *child; /* NULL: none, or not one any more */
	int sock;
	int64_t started_at_ns;
	int64_t retry_at_ns; /* the kernel would not take it, or there is no process; 0 = none */
	int n_held;
	int *fds; /* that wait */
	size_t n, cap;
};

void holders_init(struct holders *hs)
{
	*hs = (struct holders){.n = 0};
	rdy__list_init(&hs->all);
}

static void forget(struct holders *hs, struct holder *h)
{
	rdy__list_unlink(&h->link);
	rdy__fd_close(h->sock);
	hs->n--;
	hs->n_waiting -= h->n;
	free(h->fds);
	free(h);
}

void holders_deinit(struct holders *hs)
{
	while (hs->all.next && !rdy__list_empty(&hs->all))
		forget(hs, rdy__list_entry(hs->all.next, struct holder, link));
}

static struct holder *find(struct holders *hs, uid_t uid)
{
	struct holder *h;

	rdy__list_for_each (l, &hs->all) {
		h = rdy__list_entry(l, struct holder, link);
		if (h->uid == uid)
			return h;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->uid = uid;
	h->sock = -1;
	rdy__list_init(&h->link);
	rdy__list_append(&hs->all, &h->link);
	hs->n++;
	return h;
}

static bool grow(struct holder *h)
{
	size_t cap = h->cap ? h->cap * 2 : 16;
	int *fds = realloc(h->fds, cap * sizeof(*fds));

	if (!fds)
		return false;
	h->fds = fds;
	h->cap = cap;
	return true;
}

void holders_take(struct supervisor *sv, uid_t uid, int take_sock)
{
	struct holder *h = find(&sv->holders, uid);

	if (!h || (h->n == h->cap && !grow(h))) {
		/* It stays open: silent, as closing it could block for ever. */
		log_line(LOG_P_ERROR, "holder=\"out of memory\" lost=1");
		return;
	}
	h->fds[h->n++] = take_sock;
	sv->holders.n_waiting++;
}

static int start(struct supervisor *sv, struct holder *h, int64_t now_ns)
{
	uint32_t n_alive = 0;
	int pair[2], r;

	rdy__list_for_each (l, &sv->holders.all)
		n_alive += rdy__list_entry(l, struct holder, link)->child != NULL;
	if (n_alive >= HOLDERS_MAX)
		return -EBUSY;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r = child_start(sv, CHILD_CLOSER, h->uid, &pair[1], 1, &h->child);
	rdy__fd_close(pair[1]);
	if (r < 0) {
		rdy__fd_close(pair[0]);
		return r;
	}
	h->sock = pair[0];
	h->started_at_ns = now_ns;
	h->n_held = 0;
	return 0;
}

static bool is_full(const struct supervisor *sv, const struct holder *h)
{
	return h->n_held >= (sv->fd_low / 2 < HELD_MAX ? sv->fd_low / 2 : HELD_MAX);
}

/* What it costs is the user's own, and has an end. */
static bool may_kill(const struct supervisor *sv, const struct holder *h)
{
	return children_stuck(&sv->children, CHILD_CLOSER, h->uid) < REMAINS_STUCK_MAX - 1 &&
	       children_stuck(&sv->children, CHILD_CLOSER, (uid_t)-1) < STUCK_MAX;
}

static void end(struct supervisor *sv, struct holder *h)
{
	child_kill(sv, rdy__steal(h->child));
	h->sock = rdy__fd_close(h->sock);
}

static int send_batch(struct supervisor *sv, struct holder *h)
{
	size_t n = h->n < LINK_BATCH_MAX ? h->n : LINK_BATCH_MAX;
	const struct link_message m = {.type = LINK_KEEP, .n_fds = (uint32_t)n};
	int r = rdy__send_fds(h->sock, &m, sizeof(m), h->fds, n);

	if (r < 0)
		return r;
	/* The copy in flight is there, so this is not the last close. Invariant LINK-3 holds here, too. */
	for (size_t i = 0; i < n; i++)
		rdy__fd_close(h->fds[i]);
	memmove(h->fds, h->fds + n, (h->n - n) * sizeof(*h->fds));
	h->n -= n;
	h->n_held += (int)n;
	sv->holders.n_waiting -= n;
	return 0;
}

static void flush(struct supervisor *sv, struct holder *h, int64_t now_ns)
{
	h->retry_at_ns = 0;
	while (h->n) {
		int64_t again_ns = RESTART_NS;
		int r = 0;

		if (h->child && is_full(sv, h)) {
			if (may_kill(sv, h))
				end(sv, h);
			else
				r = -EBUSY;
		}
		if (r == 0 && !h->child)
			r = start(sv, h, now_ns);
		if (r == 0) {
			r = send_batch(sv, h);
			again_ns = RETRY_NS;
		}
		if (r == 0)
			continue;
		h->retry_at_ns = rdy__deadline_ns(now_ns, again_ns);
		return;
	}
}

void holders_child_died(struct supervisor *sv, const struct child *child)
{
	rdy__list_for_each (l, &sv->holders.all) {
		struct holder *h = rdy__list_entry(l, struct holder, link);

		if (h->child != child)
			continue;
		h->child = NULL;
		h->sock = rdy__fd_close(h->sock);
		return;
	}
}

static int64_t deadline_of(const struct holder *h)
{
	int64_t d = h->child ? rdy__deadline_ns(h->started_at_ns, HOLD_NS) : RDY__NEVER;

	return h->retry_at_ns && h->retry_at_ns < d ? h->retry_at_ns : d;
}

int64_t holders_deadline(const struct supervisor *sv)
{
	int64_t d = RDY__NEVER;

	rdy__list_for_each (l, &sv->holders.all) {
		int64_t own = deadline_of(rdy__list_entry(l, struct holder, link));

		if (own < d)
			d = own;
	}
	return d;
}

void holders_tick(struct supervisor *sv, int64_t now_ns)
{
	rdy__list_for_each_safe (l, tmp, &sv->holders.all) {
		struct holder *h = rdy__list_entry(l, struct holder, link);

		if (h->n && now_ns >= h->retry_at_ns)
			flush(sv, h, now_ns);
		if (h->child && now_ns >= rdy__deadline_ns(h->started_at_ns, HOLD_NS)) {
			if (may_kill(sv, h))
				end(sv, h);
			else
				h->started_at_ns = now_ns;
		}
		if (!h->child && h->n == 0)
			forget(&sv->holders, h);
	}
}

void holders_leave(struct supervisor *sv)
{
	rdy__list_for_each_safe (l, tmp, &sv->holders.all) {
		struct holder *h = rdy__list_entry(l, struct holder, link);

		flush(sv, h, rdy__now_ns());
		if (h->n == 0) {
			end(sv, h);
			forget(&sv->holders, h);
		}
	}
}
