/* SPDX-License-Identifier: MIT */
/*
 * The poll(2) selector: a dense array, the kernel's linear scan and one of ours over the results.
 * EDGE and ONESHOT are emulated: what was delivered is not asked for again until rearm or mod.
 *
 * Threads: as reactor/selector.h says. While the waiting thread is inside ppoll(2) the kernel owns the part
 * of the array it was given: others then only append behind it or leave their wish in meta, and kick the
 * waiting thread, which carries the wishes out. So no change can fail after its call has returned.
 */
#include "reactor/selector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "can_poll.h"
#include "ready/poll.h"

_Static_assert(RDY__RAW_IN == POLLIN && RDY__RAW_PRI == POLLPRI && RDY__RAW_OUT == POLLOUT &&
		       RDY__RAW_ERR == POLLERR && RDY__RAW_HUP == POLLHUP &&
		       RDY__RAW_RDHUP == POLLRDHUP,
	"the kernel's masks are reported as they are");

/* An entry whose fd is below 0 is passed over by the kernel, hangups included; ~ also turns 0 round. */
#define OFF(fd) (~(fd))

/* meta.flags */
#define DEAD 0x1u    /* deregistered; the array still has it */
#define CHANGED 0x2u /* the array does not show meta yet: its results are of an older state */
#define GONE 0x4u    /* the kernel said that the descriptor is closed */

struct meta {
	uint64_t tag;
	uint16_t events; /* to ask for when armed */
	uint8_t mode;
	uint8_t flags;
	int fd;
};

struct rdy__selector {
	const struct rdy__wake *wake;
	bool single;   /* no lock needed */
	bool no_ppoll; /* waiting thread */

	pthread_mutex_t lock; /* all below */
	struct pollfd *fds;   /* [0] is the wake descriptor */
	struct meta *meta;    /* same order */
	size_t n, n_room;
	uint32_t *index; /* descriptor -> position, 0 = none */
	size_t n_index;
	struct pollfd *lent; /* what the kernel has at the moment, or NULL; n_lent entries */
	size_t n_lent;
	bool dirty;   /* some meta is DEAD or CHANGED */
	bool kicked;  /* the wake descriptor was signalled for that */
	size_t start; /* of the next scan */
};

static void lock(struct rdy__selector *s)
{
	if (!s->single)
		pthread_mutex_lock(&s->lock);
}

static void unlock(struct rdy__selector *s)
{
	if (!s->single)
		pthread_mutex_unlock(&s->lock);
}

static uint16_t events_of(uint32_t interest, uint32_t mode)
{
	/* As where EXCLUSIVE is more than a word: without RDHUP. */
	if (mode & RDY_EXCLUSIVE)
		return (interest & RDY_READABLE ? POLLIN : 0) |
		       (interest & RDY_WRITABLE ? POLLOUT : 0);
	return (interest & RDY_READABLE ? POLLIN | POLLRDHUP : 0) |
	       (interest & RDY_WRITABLE ? POLLOUT : 0) | (interest & RDY_PRIORITY ? POLLPRI : 0) |
	       (interest & RDY_HANGUP_ONLY ? POLLRDHUP : 0);
}

static void poll_deinit(struct rdy__selector *s)
{
	if (!s)
		return;
	/* In a forked child the lock may be held for ever by a thread that exists in the parent only. */
	if (s->lent != s->fds)
		free(s->lent);
	free(s->fds);
	free(s->meta);
	free(s->index);
	free(s);
}

static int reserve_entry(struct rdy__selector *s)
{
	size_t room = s->n_room ? s->n_room * 2 : 16;
	struct pollfd *fds;
	struct meta *meta;

	if (s->n < s->n_room)
		return 0;
	meta = reallocarray(s->meta, room, sizeof(*meta));
	if (!meta)
		return -ENOMEM;
	s->meta = meta;
	fds = calloc(room, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	/* The kernel may be writing revents this moment. */
	for (size_t i = 0; i < s->n; i++) {
		fds[i].fd = s->fds[i].fd;
		fds[i].events = s->fds[i].events;
	}
	if (s->lent != s->fds)
		free(s->fds);
	s->fds = fds;
	s->n_room = room;
	return 0;
}

static int reserve_index(struct rdy__selector *s, int fd)
{
	size_t n = s->n_index ? s->n_index : 64;
	uint32_t *index;

	if ((size_t)fd < s->n_index)
		return 0;
	while (n <= (size_t)fd)
		n *= 2;
	index = reallocarray(s->index, n, sizeof(*index));
	if (!index)
		return -ENOMEM;
	memset(index + s->n_index, 0, (n - s->n_index) * sizeof(*index));
	s->index = index;
	s->n_index = n;
	return 0;
}

static int poll_init(struct rdy__selector **ret, uint32_t flags, const struct rdy__wake *wake)
{
	struct rdy__selector *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->wake = wake;
	s->single = flags & RDY_POLL_SINGLE_THREAD;
	s->start = 1;
	if (reserve_entry(s) < 0) {
		poll_deinit(s);
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->fds[0] = (struct pollfd){.fd = wake->fd, .events = POLLIN};
	s->meta[0] = (struct meta){.tag = rdy__wake_tag(wake), .fd = wake->fd};
	s->n = 1;
	*ret = s;
	return 0;
}

static int poll_probe(void)
{
	return 0;
}

/*
 * What epoll would say: closed, or a kind of file that is always ready. Never fstat(2): on a FUSE file it
 * waits for the server; with an empty mask and DONT_SYNC nobody is asked.
 */
static int check(int fd)
{
	struct statx st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_PATH)
		return -EBADF;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) < 0)
		return errno == EBADF ? -EBADF : 0;
	return rdy__can_poll(fd, st.stx_mode);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static size_t find(const struct rdy__selector *s, int fd)
{
	return (size_t)fd < s->n_index ? s->index[fd] : 0;
}

/* Make the array show meta. Not while the kernel has the entry. */
static void show(struct rdy__selector *s, size_t i)
{
	s->fds[i].fd = s->meta[i].flags & GONE ? OFF(s->meta[i].fd) : s->meta[i].fd;
	s->fds[i].events = (short)s->meta[i].events;
	s->meta[i].flags &= (uint8_t)~CHANGED;
}

/* Close the gap with the last entry. Not while the kernel has either. */
static void drop(struct rdy__selector *s, size_t i)
{
	size_t last = --s->n;

	if (i == last)
		return;
	s->fds[i] = s->fds[last];
	s->meta[i] = s->meta[last];
	if (!(s->meta[i].flags & DEAD))
		s->index[s->meta[i].fd] = (uint32_t)i;
}

/* The entry's meta was changed, or is DEAD: now, or as soon as the kernel has given the array back. */
static void apply(struct rdy__selector *s, size_t i)
{
	if (!s->lent) {
		if (s->meta[i].flags & DEAD)
			drop(s, i);
		else
			show(s, i);
		return;
	}
	/* What was appended since is not the kernel's yet. */
	if (i < s->n_lent)
		s->meta[i].flags |= CHANGED;
	else
		show(s, i);
	s->dirty = true;
	if (!s->kicked)
		s->wake->ops->signal(s->wake);
	s->kicked = true;
}

static void apply_all(struct rdy__selector *s)
{
	/* Backwards: the entry that closes a gap was looked at already. */
	for (size_t i = s->n; --i > 0;) {
		if (s->meta[i].flags & DEAD)
			drop(s, i);
		else if (s->meta[i].flags & CHANGED)
			show(s, i);
	}
	s->dirty = false;
}

static void set(struct rdy__selector *s, size_t i, uint64_t tag, uint32_t interest, uint32_t mode)
{
	s->meta[i].tag = tag;
	s->meta[i].events = events_of(interest, mode);
	s->meta[i].mode = (uint8_t)(mode & ~RDY_EXCLUSIVE);
	apply(s, i);
}

static void end(struct rdy__selector *s, size_t i)
{
	s->index[s->meta[i].fd] = 0;
	s->meta[i].flags |= DEAD;
	apply(s, i);
}

static int add_locked(
	struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	size_t i = find(s, fd);
	int r = check(fd);

	/* What was registered under the number is closed, or could not have been. */
	if (i && r < 0)
		end(s, i);
	if (r < 0)
		return r;
	if (i && !(s->meta[i].flags & GONE))
		return -EEXIST;
	if (!i) {
		r = reserve_index(s, fd);
		if (r == 0)
			r = reserve_entry(s);
		if (r < 0)
			return r;
		i = s->n++;
		s->index[fd] = (uint32_t)i;
		s->meta[i] = (struct meta){.fd = fd};
	}
	s->meta[i].flags &= (uint8_t)~GONE;
	set(s, i, tag, interest, mode);
	return 0;
}

static int mod_locked(
	struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	size_t i = find(s, fd);

	if (!i)
		return -ENOENT;
	if (s->meta[i].flags & GONE || !is_open(fd)) {
		end(s, i);
		return -EBADF;
	}
	set(s, i, tag, interest, mode);
	return 0;
}

static int poll_add(struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	int r;

	lock(s);
	r = add_locked(s, fd, tag, interest, mode);
	unlock(s);
	return r;
}

static int poll_mod(struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	int r;

	lock(s);
	r = mod_locked(s, fd, tag, interest, mode);
	unlock(s);
	return r;
}

static int poll_rearm(
	struct rdy__selector *s, int fd, uint64_t tag, uint32_t interest, uint32_t mode)
{
	/* An error or a hangup silences EDGE wholly, so it is armed as a whole, too. */
	return (mode & ~RDY_EXCLUSIVE) == RDY_LEVEL ? 0 : poll_mod(s, fd, tag, interest, mode);
}

static int poll_del(struct rdy__selector *s, int fd)
{
	size_t i;
	int r = -ENOENT;

	lock(s);
	i = find(s, fd);
	if (i) {
		r = s->meta[i].flags & GONE || !is_open(fd) ? -EBADF : 0;
		end(s, i);
	}
	unlock(s);
	return r;
}

/* One result into an event; returns false if it is none. Emulates EDGE and ONESHOT. */
static bool take(struct rdy__selector *s, size_t i, uint32_t raw, struct rdy__selected *ret)
{
	struct meta *m = &s->meta[i];
	struct pollfd *p = &s->fds[i];

	/* Somebody changed it while the kernel waited: its readiness is reported under the new state. */
	if (m->flags & (DEAD | CHANGED))
		return false;
	if (raw & POLLNVAL) {
		m->flags |= GONE;
		p->fd = OFF(m->fd);
		return false;
	}
	if (m->mode == RDY_ONESHOT || (m->mode == RDY_EDGE && raw & (POLLERR | POLLHUP))) {
		p->fd = OFF(m->fd);
	} else if (m->mode == RDY_EDGE) {
		p->events &= (short)~raw;
		if (raw & POLLRDHUP)
			p->events &= (short)~POLLIN;
	}
	*ret = (struct rdy__selected){.raw = raw, .tag = m->tag};
	return true;
}

/* The n_ready results of the kernel, from where the last scan ended. */
static size_t scan(
	struct rdy__selector *s, size_t n_ready, struct rdy__selected *events, size_t room)
{
	const struct pollfd *fds = s->lent;
	size_t n = s->n_lent, i = s->start < n ? s->start : 1, n_out = 0;

	if (fds[0].revents) {
		s->wake->ops->drain(s->wake);
		n_ready--;
	}
	for (size_t left = n - 1; left > 0 && n_ready > 0 && n_out < room; left--) {
		if (fds[i].revents) {
			n_ready--;
			n_out += take(s, i, (uint16_t)fds[i].revents, &events[n_out]);
		}
		i = i + 1 < n ? i + 1 : 1;
	}
	if (n_ready > 0)
		s->start = i;
	return n_out;
}

/* EINVAL is the kernel's word for more descriptors than RLIMIT_NOFILE, poll(2). */
static int failed(void)
{
	return errno == EINVAL ? -EMFILE : -errno;
}

static int call_poll(struct rdy__selector *s, int64_t timeout_ns)
{
	struct timespec ts = {
		(time_t)(timeout_ns / RDY__NS_PER_S), (long)(timeout_ns % RDY__NS_PER_S)};
	int r;

	if (timeout_ns > 0 && !s->no_ppoll) {
		r = ppoll(s->lent, (nfds_t)s->n_lent, &ts, NULL);
		if (r >= 0 || (errno != ENOSYS && errno != EPERM))
			return r < 0 ? failed() : r;
		s->no_ppoll = true;
	}
	r = poll(s->lent, (nfds_t)s->n_lent, rdy__ns_to_poll_ms(timeout_ns));
	return r < 0 ? failed() : r;
}

static int poll_wait(
	struct rdy__selector *s, struct rdy__selected *events, size_t n, int64_t timeout_ns)
{
	int r;

	lock(s);
	s->lent = s->fds;
	s->n_lent = s->n;
	unlock(s);
	r = call_poll(s, timeout_ns);
	lock(s);
	if (r > 0)
		r = (int)scan(s, (size_t)r, events, n);
	if (s->lent != s->fds)
		free(s->lent);
	s->lent = NULL;
	s->kicked = false;
	if (s->dirty)
		apply_all(s);
	unlock(s);
	return r;
}

static int poll_fd(struct rdy__selector *s)
{
	return -ENOTSUP;
}

const struct rdy__selector_ops rdy__selector_poll = {
	.name = "poll",
	.caps = 0,
	.waker = &rdy__wake_eventfd,
	.ready_map = rdy__poll_ready_map,
	.probe = poll_probe,
	.init = poll_init,
	.deinit = poll_deinit,
	.add = poll_add,
	.mod = poll_mod,
	.rearm = poll_rearm,
	.del = poll_del,
	.wait = poll_wait,
	.fd = poll_fd,
};
