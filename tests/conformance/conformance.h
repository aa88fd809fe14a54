/* SPDX-License-Identifier: MIT */
/*
 * Common to the tests that mio's suite became: each is run on epoll and on poll(2), with an eventfd and with a pipe as
 * waker. As there, a source is registered in mode EDGE, and events are waited for whatever else comes; other than
 * there nothing waits for silence: what could break it has been seen to arrive before.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#define WITHOUT_SINGLE_THREAD
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "net.h"

#define RW (RDY_READABLE | RDY_WRITABLE)
#define LOOPBACK "127.0.0.1:0"
#define LOOPBACK_V6 "[::1]:0"
#define HELLO "Hello world!"
#define HELLO_BYTES ((ptrdiff_t)sizeof(HELLO) - 1)

#define ok(call) ck_assert_int_eq((call), 0)
#define fails(call, error) ck_assert_int_eq((call), -(error))
#define gives(call, n) ck_assert_int_eq((call), (n))

/* Mode EDGE, as all of mio's registrations. */
static inline void reg(struct bench *b, struct rdy_io *io, uint64_t token, uint32_t interest)
{
	watch(b, io, token, interest, RDY_EDGE);
}

static inline void rereg(struct rdy_io *io, uint64_t token, uint32_t interest)
{
	ok(rdy_source_modify(rdy_io_source(io), token, interest, RDY_EDGE));
}

static inline void dereg(struct rdy_io *io)
{
	ok(rdy_source_deregister(rdy_io_source(io)));
}

/* One of several events to wait for. */
struct wanted {
	uint64_t token;
	uint32_t ready;
};

/* Events until each of these tokens has had all of its bits, in one event or several. */
static inline void wait_for_all(struct bench *b, struct wanted *w, int n)
{
	uint32_t left = 1;

	for (int64_t end = rdy_now_ns() + LONG_NS; left && rdy_now_ns() < end;) {
		take(b, end - rdy_now_ns());
		left = 0;
		for (int k = 0; k < n; k++) {
			for (int i = 0; i < b->n; i++)
				if (b->got[i].token == w[k].token)
					w[k].ready &= ~b->got[i].ready;
			left |= w[k].ready;
		}
	}
	ck_assert_uint_eq(left, 0);
}

#define wait_for_each(b, ...) \
	wait_for_all((b), (struct wanted[]){__VA_ARGS__}, \
		(int)(sizeof((struct wanted[]){__VA_ARGS__}) / sizeof(struct wanted)))

/* Until poll(2) itself finds one of these on the descriptor: what was sent has arrived. */
static inline short arrived(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	gives(poll(&p, 1, 20000), 1);
	return p.revents;
}

static inline void data_arrived(struct rdy_io *io)
{
	arrived(rdy_io_fd(io), POLLIN);
}

/* Nothing for this token; other events may come. */
static inline void expect_none_of(struct bench *b, uint64_t token)
{
	take(b, 0);
	for (int i = 0; i < b->n; i++)
		ck_assert_msg(b->got[i].token != token, "event %#x", b->got[i].ready);
}

static inline void would_block(struct rdy_io *io)
{
	char c;

	fails(rdy_io_read(io, &c, 1), EAGAIN);
}

static inline void no_error(struct rdy_io *io)
{
	int error = -1;

	ok(rdy_socket_take_error(io, &error));
	gives(error, 0);
}

static inline void send_text(struct rdy_io *io, const char *text)
{
	gives(rdy_io_write(io, text, strlen(text)), (ptrdiff_t)strlen(text));
}

/* This text is all there is to read. */
static inline void receive_text(struct rdy_io *io, const char *text)
{
	char buf[64];
	ptrdiff_t n = rdy_io_read(io, buf, sizeof(buf));

	gives(n, (ptrdiff_t)strlen(text));
	ck_assert_mem_eq(buf, text, (size_t)n);
}

static inline void free_all(struct rdy_io **io, int n)
{
	for (int i = 0; i < n; i++)
		io[i] = rdy_io_free(io[i]);
}

static inline struct rdy_addr local_of(struct rdy_io *io)
{
	struct rdy_addr a;

	ok(rdy_socket_local_addr(io, &a));
	return a;
}

static inline struct rdy_io *a_listener(const char *text)
{
	struct rdy_addr at = addr_of(text);
	struct rdy_io *io = NULL;

	ok(rdy_tcp_listen(&at, 0, &io));
	return io;
}

/* Begin to connect to a listener. */
static inline struct rdy_io *a_client(struct rdy_io *listener)
{
	struct rdy_addr at = local_of(listener);
	struct rdy_io *io = NULL;

	ok(rdy_tcp_connect(&at, &io));
	return io;
}

/* Accept what is known to come. */
static inline struct rdy_io *an_accepted(struct rdy_io *listener)
{
	struct rdy_io *io = NULL;

	data_arrived(listener);
	ok(rdy_tcp_accept(listener, NULL, &io));
	return io;
}

static inline struct rdy_io *bound_udp(const char *text)
{
	struct rdy_addr at = addr_of(text);
	struct rdy_io *io = NULL;

	ok(rdy_udp_bind(&at, &io));
	return io;
}

/* A socket that the library did not make, as mio's from_std() gets them. */
static inline struct rdy_io *taken_over(int family, int type)
{
	int fd = socket(family, type, 0);
	struct rdy_io *io = NULL;

	ck_assert_int_ge(fd, 0);
	ok(rdy_io_new(fd, &io));
	return io;
}

/* A unix address of this process: of a path, or a name. */
static inline struct rdy_addr unix_addr(bool abstract, const char *what)
{
	char text[128];

	snprintf(text, sizeof(text), "unix:%sreadyd-conformance-%d-%s", abstract ? "@" : "/tmp/",
		(int)getpid(), what);
	return addr_of(text);
}

static inline void remove_path(const struct rdy_addr *addr)
{
	if (rdy_addr_kind(addr) == RDY_ADDR_UNIX_PATH)
		ok(unlink(rdy_addr_name(addr, NULL)));
}

static inline pthread_t started(void *(*fn)(void *arg), void *arg)
{
	pthread_t t;

	ok(pthread_create(&t, NULL, fn, arg));
	return t;
}

/* Have another thread do it. */
static inline void elsewhere(void *(*fn)(void *arg), void *arg)
{
	ok(pthread_join(started(fn, arg), NULL));
}

/* Until a thread sleeps: it said its number just before it began to wait. */
static inline void until_asleep(const atomic_int *tid)
{
	char path[64], state = 0;

	while (atomic_load(tid) == 0)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(tid));
	while (state != 'S') {
		FILE *f = fopen(path, "re");

		ck_assert_ptr_nonnull(f);
		ck_assert_int_eq(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
		fclose(f);
	}
}

static inline void say_tid(atomic_int *tid)
{
	atomic_store(tid, (int)syscall(SYS_gettid));
}

#endif
