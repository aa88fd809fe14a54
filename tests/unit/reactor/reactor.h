/* SPDX-License-Identifier: MIT */
/*
 * Common to the reactor's tests: every behaviour is run on each selector with each waker, shared and
 * single-threaded.
 */
#ifndef UNIT_REACTOR_H
#define UNIT_REACTOR_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ready/ready.h"
#include "unit.h"

#define MS INT64_C(1000000)
#define LONG_NS (20000 * MS) /* more than any test needs */
#define MANY 32

struct variant {
	const char *selector;
	uint32_t flags;
};

/* Tests that use threads throughout leave the single-threaded ones out. */
static const struct variant variants[] = {
	{"epoll", 0},
	{"epoll", RDY_POLL_PIPE_WAKER},
	{"poll", 0},
	{"poll", RDY_POLL_PIPE_WAKER},
#ifndef WITHOUT_SINGLE_THREAD
	{"epoll", RDY_POLL_SINGLE_THREAD},
	{"poll", RDY_POLL_SINGLE_THREAD},
#endif
};

/* One variant at work: the poll, a batch, and what the last take() brought. */
struct bench {
	const struct variant *v;
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct rdy_event got[MANY];
	int n;
};

#define for_each_variant(b) \
	for (struct bench b = {.v = variants}; \
		(b).v < variants + sizeof(variants) / sizeof(variants[0]) && bench_open(&(b), 0); \
		bench_close(&(b)), (b).v++)

static inline int bench_open(struct bench *b, uint32_t more_flags)
{
	struct rdy_poll_options o = {
		.size = sizeof(o), .selector = b->v->selector, .flags = b->v->flags | more_flags};

	/* The last line before a failure says where. */
	fprintf(stderr, "# %s, flags %#x\n", o.selector, o.flags);
	ck_assert_int_eq(rdy_poll_new(&o, &b->poll), 0);
	ck_assert_int_eq(rdy_events_new(MANY, &b->events), 0);
	return 1;
}

static inline void bench_close(struct bench *b)
{
	b->poll = rdy_poll_free(b->poll);
	b->events = rdy_events_free(b->events);
}

/* Wait and take all. Returns what the wait returned. */
static inline int take(struct bench *b, int64_t timeout_ns)
{
	int r = rdy_poll_wait(b->poll, b->events, timeout_ns);

	for (b->n = 0; b->n < MANY && rdy_events_next(b->events, &b->got[b->n]); b->n++)
		ck_assert_uint_eq(b->got[b->n].pad0, 0);
	ck_assert_int_le(b->n, r > 0 ? r : 0);
	return r;
}

/* Exactly one event, now. */
static inline void expect(struct bench *b, uint64_t token, uint32_t ready)
{
	ck_assert_int_eq(take(b, 0), 1);
	ck_assert_int_eq(b->n, 1);
	ck_assert_uint_eq(b->got[0].token, token);
	ck_assert_msg(b->got[0].ready == ready, "ready %#x, not %#x", b->got[0].ready, ready);
}

static inline void expect_none(struct bench *b)
{
	ck_assert_int_eq(take(b, 0), 0);
	ck_assert_int_eq(b->n, 0);
}

static inline void stream_pair(int sv[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
}

static inline void put(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static inline int an_eventfd(unsigned int value)
{
	int fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline void shut(int *fd)
{
	ck_assert_int_eq(close(*fd), 0);
	*fd = -1;
}

#endif
