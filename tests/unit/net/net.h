/* SPDX-License-Identifier: MIT */
/* Common to the tests of sockets and pipes: loopback addresses, connected pairs, waiting for an event. */
#ifndef UNIT_NET_H
#define UNIT_NET_H

#include <sys/resource.h>

#include "reactor.h"

static inline struct rdy_addr addr_of(const char *text)
{
	struct rdy_addr a = {0};

	ck_assert_int_eq(rdy_addr_parse(text, &a), 0);
	return a;
}

static inline void expect_flags(struct rdy_io *io)
{
	int fd = rdy_io_fd(io);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

static inline void watch(
	struct bench *b, struct rdy_io *io, uint64_t token, uint32_t interest, uint32_t mode)
{
	ck_assert_int_eq(rdy_source_register(rdy_io_source(io), rdy_poll_registry(b->poll), token,
				 interest, mode),
		0);
}

/* Events until one of this token has all of these bits; others are passed over. */
static inline void wait_for(struct bench *b, uint64_t token, uint32_t ready)
{
	for (int64_t end = rdy_now_ns() + LONG_NS; rdy_now_ns() < end;) {
		take(b, end - rdy_now_ns());
		for (int i = 0; i < b->n; i++)
			if (b->got[i].token == token && (b->got[i].ready & ready) == ready)
				return;
	}
	ck_abort_msg("no event %#x of %d", ready, (int)token);
}

/* A listener and the two ends of a connection to it. */
static inline void tcp_pair(const char *text, struct rdy_io *ret[3])
{
	struct bench b = {.v = variants};
	struct rdy_addr at;
	int error;

	bench_open(&b, 0);
	at = addr_of(text);
	ck_assert_int_eq(rdy_tcp_listen(&at, 0, &ret[0]), 0);
	ck_assert_int_eq(rdy_socket_local_addr(ret[0], &at), 0);
	ck_assert_int_eq(rdy_tcp_connect(&at, &ret[1]), 0);
	watch(&b, ret[0], 0, RDY_READABLE, RDY_LEVEL);
	watch(&b, ret[1], 1, RDY_WRITABLE, RDY_LEVEL);
	wait_for(&b, 1, RDY_WRITABLE);
	ck_assert_int_eq(rdy_socket_take_error(ret[1], &error), 0);
	ck_assert_int_eq(error, 0);
	wait_for(&b, 0, RDY_READABLE);
	ck_assert_int_eq(rdy_tcp_accept(ret[0], NULL, &ret[2]), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rdy_source_deregister(rdy_io_source(ret[i])), 0);
	bench_close(&b);
}

/* Nobody in particular, who may not do everything; returns who it was, for seteuid(). */
static inline uid_t be_nobody(void)
{
	uid_t before = geteuid();

	if (before == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	return before;
}

/* No descriptor may be opened any more; returns what to give back. */
static inline struct rlimit no_more_descriptors(void)
{
	struct rlimit before, none;
	int next = dup(0);

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return before;
}

static inline void descriptors_again(struct rlimit before)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}

#endif
