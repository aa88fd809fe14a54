/* SPDX-License-Identifier: MIT */
/*
 * Which system calls the reactor makes, what it holds while it makes them, and what others may do in their midst:
 * the interleavings of two threads that matter, without threads and without chance.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "inject.h"
#include "reactor.h"
#include "reactor/core.h"

#define SOON_NS (2000 * MS) /* it was not too late; takes that long only when it fails */
#define CALLS (INJECT_KERNEL | INJECT_IO)
#define MOST_FDS 256

static bool is_epoll(const struct bench *b)
{
	return rdy_poll_caps(b->poll) & RDY_CAP_EDGE;
}

/* All that a poll opens is closed on exec, and what its wakers use does not block. */
START_TEST(descriptors_are_closed_on_exec)
{
	bool own[MOST_FDS];

	for (int fd = 0; fd < MOST_FDS; fd++)
		own[fd] = fcntl(fd, F_GETFD) >= 0;
	for_each_variant(b)
	{
		const struct rdy__wake *wake = &b.poll->hub->wake;
		int n = 0;

		for (int fd = 0; fd < MOST_FDS; fd++) {
			int flags = own[fd] ? -1 : fcntl(fd, F_GETFD);

			if (flags < 0)
				continue;
			ck_assert_int_eq(flags, FD_CLOEXEC);
			n++;
		}
		ck_assert_int_eq(n, is_epoll(&b) + (wake->fd == wake->write_fd ? 1 : 2));
		ck_assert(fcntl(wake->fd, F_GETFL) & O_NONBLOCK);
		ck_assert(fcntl(wake->write_fd, F_GETFL) & O_NONBLOCK);
	}
}
END_TEST

static size_t calls_of_a_wait(struct bench *b, int64_t timeout_ns, int want)
{
	size_t n;

	inject_watch(CALLS);
	ck_assert_int_eq(take(b, timeout_ns), want);
	n = inject_stop();
	return n;
}

/* The usual wait is one call, also when it is in vain; after the wakes were taken, too: nothing spins. */
START_TEST(a_wait_is_one_call)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(1);
		struct rdy_waker *w;

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		ck_assert_uint_eq(calls_of_a_wait(&b, 0, 0), 1);
		/* A clock that is read a little later may make it two. */
		ck_assert_uint_le(calls_of_a_wait(&b, 1500000, 0), 2);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(rdy_waker_wake(w), 0);
		ck_assert_int_eq(take(&b, SOON_NS), 1);
		ck_assert_uint_le(calls_of_a_wait(&b, 1500000, 0), 2);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 2, RDY_READABLE, RDY_LEVEL), 0);
		ck_assert_uint_eq(calls_of_a_wait(&b, SOON_NS, 1), 1);
		ck_assert_uint_eq(calls_of_a_wait(&b, -1, 1), 1);
		rdy_waker_free(w);
		shut(&fd);
	}
}
END_TEST

/* More than a pipe holds. */
START_TEST(wakes_without_end)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		for (int i = 0; i < 70000; i++) {
			if (rdy_waker_wake(w) != 0 || take(&b, 0) != 1)
				ck_abort_msg("wake %d was lost", i);
		}
		rdy_waker_free(w);
	}
}
END_TEST

/* A pipe that is full is readable: the wake that does not fit is none too few. */
START_TEST(a_full_pipe_wakes)
{
	for_each_variant(b)
	{
		const struct rdy__wake *wake = &b.poll->hub->wake;
		char page[4096] = {0};
		struct rdy_waker *w;

		if (!(b.v->flags & RDY_POLL_PIPE_WAKER))
			continue;
		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		while (write(wake->write_fd, page, sizeof(page)) > 0)
			;
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		expect(&b, 1, RDY_WAKE | RDY_READABLE);
		ck_assert_int_eq(read(wake->fd, page, 1), -1);
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		expect(&b, 1, RDY_WAKE | RDY_READABLE);
		rdy_waker_free(w);
	}
}
END_TEST

static void expect_the_wake(void *bench)
{
	expect(bench, 1, RDY_WAKE | RDY_READABLE);
	errno = 77;
}

/*
 * The waiting thread runs as soon as the descriptor is readable, before wake has returned: the event is there. A
 * handler's errno is the program's.
 */
START_TEST(flags_before_the_descriptor)
{
	for_each_variant(b)
	{
		struct rdy_waker *w;

		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &w), 0);
		for (int i = 0; i < 2; i++) {
			inject_after("write", expect_the_wake, &b);
			errno = 5;
			ck_assert_int_eq(rdy_waker_wake(w), 0);
			ck_assert_int_eq(errno, 5);
			expect_none(&b);
		}
		rdy_waker_free(w);
	}
}
END_TEST

struct locked {
	pthread_mutex_t *lock;
	int n;
};

static void is_locked(void *arg)
{
	struct locked *l = arg;
	int r = pthread_mutex_trylock(l->lock);

	ck_assert_int_eq(r, EBUSY);
	l->n++;
}

/* What a change asks of the kernel, it asks under the registry's lock. */
START_TEST(changes_are_made_under_the_lock)
{
	for_each_variant(b)
	{
		static const char *const names[] = {
			"epoll_ctl(ADD)", "epoll_ctl(MOD)", "epoll_ctl(MOD)", "epoll_ctl(DEL)"};
		struct locked l = {&rdy_poll_registry(b.poll)->lock, 0};
		int fd = an_eventfd(0);

		if (b.v->flags & RDY_POLL_SINGLE_THREAD) {
			shut(&fd);
			continue;
		}
		for (int i = 0; i < 4; i++) {
			int r = -1;

			inject_before(is_epoll(&b) ? names[i] : "fcntl", is_locked, &l);
			if (i == 0)
				r = rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_ONESHOT);
			else if (i == 1)
				r = rdy_poll_modify(b.poll, fd, 1, RDY_READABLE, RDY_ONESHOT);
			else if (i == 2)
				r = rdy_poll_rearm(b.poll, fd);
			else
				r = rdy_poll_deregister(b.poll, fd);
			ck_assert_int_eq(r, 0);
			ck_assert_int_eq(l.n, i + 1);
		}
		shut(&fd);
	}
}
END_TEST

/* What another thread does while one waits. */
struct change {
	struct bench *b;
	int fd, others[20];
	bool done;
};

static void registers(void *arg)
{
	struct change *c = arg;

	ck_assert_int_eq(rdy_poll_register(c->b->poll, c->fd, 2, RDY_READABLE, RDY_ONESHOT), 0);
	c->done = true;
}

static void modifies(void *arg)
{
	struct change *c = arg;

	ck_assert_int_eq(rdy_poll_modify(c->b->poll, c->fd, 2, RDY_READABLE, RDY_ONESHOT), 0);
	c->done = true;
}

static void modifies_to_nothing(void *arg)
{
	struct change *c = arg;

	ck_assert_int_eq(rdy_poll_modify(c->b->poll, c->fd, 2, RDY_HANGUP_ONLY, RDY_LEVEL), 0);
	c->done = true;
}

static void rearms(void *arg)
{
	struct change *c = arg;

	ck_assert_int_eq(rdy_poll_rearm(c->b->poll, c->fd), 0);
	c->done = true;
}

static void deregisters(void *arg)
{
	struct change *c = arg;

	ck_assert_int_eq(rdy_poll_deregister(c->b->poll, c->fd), 0);
	c->done = true;
}

static void replaces(void *arg)
{
	deregisters(arg);
	registers(arg);
}

/* More than there was room for, in front of which one goes. */
static void registers_many(void *arg)
{
	struct change *c = arg;

	for (int i = 0; i < 20; i++) {
		c->others[i] = an_eventfd(1);
		ck_assert_int_eq(rdy_poll_register(c->b->poll, c->others[i], 10 + (uint64_t)i,
					 RDY_READABLE, RDY_ONESHOT),
			0);
	}
	deregisters(arg);
	ck_assert_int_eq(rdy_poll_deregister(c->b->poll, c->others[7]), 0);
	registers(arg);
}

#define for_each_shared_variant(b) for_each_variant(b) if (!((b).v->flags & RDY_POLL_SINGLE_THREAD))

typedef void do_fn(void *arg);

/* A wait in whose midst something is done: just before the kernel waits, or when it has its results. */
static void in_the_midst(struct change *c, do_fn *fn, bool after)
{
	const char *call = is_epoll(c->b) ? "epoll_pwait2" : "ppoll";

	c->done = false;
	(after ? inject_after : inject_before)(call, fn, c);
}

static void is_told(struct change *c)
{
	ck_assert_int_eq(take(c->b, SOON_NS), 1);
	ck_assert(c->done);
	ck_assert_int_eq(c->b->n, 1);
	ck_assert_uint_eq(c->b->got[0].token, 2);
	ck_assert_uint_eq(c->b->got[0].ready, RDY_READABLE);
	expect_none(c->b);
}

static void is_not_told(struct change *c)
{
	ck_assert_int_eq(take(c->b, MS), 0);
	ck_assert(c->done);
}

START_TEST(changes_before_the_kernel_waits)
{
	for_each_shared_variant(b)
	{
		struct change c = {.b = &b, .fd = an_eventfd(1)};

		in_the_midst(&c, registers, false);
		is_told(&c);
		in_the_midst(&c, rearms, false);
		is_told(&c);
		ck_assert_int_eq(rdy_poll_modify(b.poll, c.fd, 1, RDY_PRIORITY, RDY_LEVEL), 0);
		in_the_midst(&c, modifies, false);
		is_told(&c);
		ck_assert_int_eq(rdy_poll_modify(b.poll, c.fd, 1, RDY_READABLE, RDY_LEVEL), 0);
		in_the_midst(&c, modifies_to_nothing, false);
		is_not_told(&c);
		ck_assert_int_eq(rdy_poll_modify(b.poll, c.fd, 1, RDY_READABLE, RDY_LEVEL), 0);
		in_the_midst(&c, replaces, false);
		is_told(&c);
		ck_assert_int_eq(rdy_poll_modify(b.poll, c.fd, 1, RDY_READABLE, RDY_LEVEL), 0);
		in_the_midst(&c, deregisters, false);
		is_not_told(&c);
		shut(&c.fd);
	}
}
END_TEST

/* The results are of a state that has ended: they are not told, under no token. */
START_TEST(changes_when_the_kernel_has_answered)
{
	for_each_shared_variant(b)
	{
		struct change c = {.b = &b, .fd = an_eventfd(1)};
		static do_fn *const told[] = {modifies, replaces}, *const not_told[] = {
									   modifies_to_nothing,
									   deregisters};

		for (int i = 0; i < 2; i++) {
			ck_assert_int_eq(
				rdy_poll_register(b.poll, c.fd, 1, RDY_READABLE, RDY_LEVEL), 0);
			in_the_midst(&c, told[i], true);
			is_told(&c);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, c.fd), 0);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, c.fd, 1, RDY_READABLE, RDY_LEVEL), 0);
			in_the_midst(&c, not_told[i], true);
			is_not_told(&c);
			(void)rdy_poll_deregister(b.poll, c.fd);
		}
		shut(&c.fd);
	}
}
END_TEST

/* Another thread waits, while this one registers. */
struct waiting {
	struct bench *b;
	int64_t timeout_ns;
	pthread_t thread;
	atomic_int tid; /* 0: not begun */
	atomic_bool done;
};

static void *waits(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->tid, (int)syscall(SYS_gettid));
	ck_assert_int_eq(take(w->b, w->timeout_ns), 1);
	atomic_store(&w->done, true);
	return NULL;
}

/* It has come to a lock that is held. */
static bool waits_for_a_lock(const struct waiting *w)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", atomic_load(&w->tid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	return strtol(text, NULL, 10) == SYS_futex;
}

/* The selector has the descriptor, and the event is fetched, before the registration is finished. */
static void is_fetched_meanwhile(void *arg)
{
	struct waiting *w = arg;

	ck_assert_int_eq(pthread_create(&w->thread, NULL, waits, w), 0);
	while (!atomic_load(&w->done) && !(atomic_load(&w->tid) && waits_for_a_lock(w)))
		sched_yield();
}

/* Invariant: TOKEN-2 */
START_TEST(fetched_while_registering)
{
	for_each_shared_variant(b)
	{
		/* The poll selector takes it in under a lock of its own, without a call. */
		for (int i = 0; i < 2 && is_epoll(&b); i++) {
			struct waiting w = {.b = &b, .timeout_ns = i ? LONG_NS : -1};
			int fd = an_eventfd(1);

			inject_after("epoll_ctl(ADD)", is_fetched_meanwhile, &w);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, fd, 42, RDY_READABLE, RDY_ONESHOT), 0);
			ck_assert_int_eq(pthread_join(w.thread, NULL), 0);
			ck_assert_int_eq(b.n, 1);
			ck_assert_uint_eq(b.got[0].token, 42);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
			shut(&fd);
		}
	}
}
END_TEST

START_TEST(the_array_grows_meanwhile)
{
	for_each_shared_variant(b)
	{
		for (int after = 0; after < 2; after++) {
			struct change c = {.b = &b, .fd = an_eventfd(1)};
			uint32_t seen = 0;

			ck_assert_int_eq(
				rdy_poll_register(b.poll, c.fd, 1, RDY_READABLE, RDY_LEVEL), 0);
			in_the_midst(&c, registers_many, after);
			for (int waits = 0; waits < 5; waits++) {
				ck_assert_int_ge(take(&b, waits ? 0 : SOON_NS), 0);
				for (int i = 0; i < b.n; i++) {
					/* Each once. */
					ck_assert_uint_eq(seen >> b.got[i].token & 1, 0);
					seen |= 1u << b.got[i].token;
				}
			}
			ck_assert_uint_eq(seen, 1u << 2 | (0xfffffu << 10 & ~(1u << 17)));
			for (int i = 0; i < 20; i++) {
				ck_assert_int_eq(rdy_poll_deregister(b.poll, c.others[i]),
					i == 7 ? -ENOENT : 0);
				shut(&c.others[i]);
			}
			ck_assert_int_eq(rdy_poll_deregister(b.poll, c.fd), 0);
			shut(&c.fd);
		}
	}
}
END_TEST

UNIT_MAIN("faults/calls", descriptors_are_closed_on_exec, a_wait_is_one_call, wakes_without_end,
	a_full_pipe_wakes, flags_before_the_descriptor, changes_are_made_under_the_lock,
	changes_before_the_kernel_waits, changes_when_the_kernel_has_answered,
	fetched_while_registering, the_array_grows_meanwhile)
