/* SPDX-License-Identifier: MIT */
/*
 * What the reactor's fuzz target registers: files of several kinds under fixed numbers, with what makes them ready
 * and what ends them. No call blocks; what a kind does not have is passed over.
 */
#ifndef FUZZ_REACTOR_THINGS_H
#define FUZZ_REACTOR_THINGS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_THINGS 5
#define NUMBER(i) (100 + (int)(i))

enum kind { STREAM, PACKETS, EVENTS, PIPE_OUT, PIPE_IN, FILE_, N_KINDS };

static struct thing {
	enum kind kind;
	bool open; /* NUMBER(i) is */
	int peer;  /* the other end, or -1 */
	int dup;   /* keeps the file under the number, or one before it, open; or -1 */
	enum kind dup_kind;
	bool dup_is_last; /* of the last file that was under the number: its peer is the peer */
} things[N_THINGS];

__attribute__((noreturn)) static void wrong(const char *what, int line);

#define must(cond) \
	do { \
		if (!(cond)) \
			wrong(#cond, __LINE__); \
	} while (0)

static void close_it(int *fd)
{
	if (*fd >= 0)
		must(close(*fd) == 0);
	*fd = -1;
}

/* Returns one end; the other one, if there is one, is the peer. */
static int make(enum kind kind, int *peer)
{
	int fds[2] = {-1, -1};

	switch (kind) {
	case STREAM:
	case PACKETS:
		must(socketpair(AF_UNIX,
			     (kind == STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK |
				     SOCK_CLOEXEC,
			     0, fds) == 0);
		break;
	case EVENTS:
		fds[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		break;
	case PIPE_OUT:
	case PIPE_IN:
		must(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
		/* A page: filling it is quick. */
		(void)fcntl(fds[0], F_SETPIPE_SZ, 4096);
		break;
	default:
		fds[0] = memfd_create("fuzz", MFD_CLOEXEC);
		break;
	}
	must(fds[0] >= 0);
	*peer = fds[kind != PIPE_IN];
	return fds[kind == PIPE_IN];
}

/* A new file under the number, whatever was there. */
static void thing_open(struct thing *t, enum kind kind)
{
	int fd, number = NUMBER(t - things);

	close_it(&t->peer);
	fd = make(kind, &t->peer);
	must(dup3(fd, number, O_CLOEXEC) == number);
	must(close(fd) == 0);
	t->kind = kind;
	t->open = true;
	t->dup_is_last = false;
}

static void thing_close(struct thing *t, bool keep_a_duplicate)
{
	if (!t->open)
		return;
	if (keep_a_duplicate) {
		close_it(&t->dup);
		t->dup = fcntl(NUMBER(t - things), F_DUPFD_CLOEXEC, 200);
		t->dup_kind = t->kind;
		t->dup_is_last = true;
	}
	must(close(NUMBER(t - things)) == 0);
	t->open = false;
}

/* What the duplicate keeps comes back under its number. */
static void thing_restore(struct thing *t)
{
	must(dup3(t->dup, NUMBER(t - things), O_CLOEXEC) >= 0);
	if (!t->dup_is_last)
		close_it(&t->peer);
	t->kind = t->dup_kind;
	t->open = t->dup_is_last = true;
}

static void thing_end(struct thing *t)
{
	thing_close(t, false);
	close_it(&t->peer);
	close_it(&t->dup);
}

static void write_to(int fd, enum kind kind, bool all)
{
	static const char page[4096];
	uint64_t value = all ? UINT64_MAX - 1 : 1;

	if (fd < 0 || kind == FILE_)
		return;
	if (kind == EVENTS) {
		if (write(fd, &value, sizeof(value)) < 0)
			return;
	} else if (kind == PIPE_OUT || kind == PIPE_IN) {
		while (write(fd, page, all ? sizeof(page) : 1) > 0 && all)
			;
	} else {
		while (send(fd, page, all ? sizeof(page) : 1, MSG_NOSIGNAL) > 0 && all)
			;
	}
}

static void read_from(int fd, enum kind kind, bool all)
{
	char buf[8192];

	if (fd < 0 || kind == FILE_)
		return;
	while (read(fd, buf, all || kind == EVENTS ? sizeof(buf) : 1) > 0 && all && kind != EVENTS)
		;
}

/* The number itself, or what it is connected to. */
static int own_end(const struct thing *t)
{
	return t->open ? NUMBER(t - things) : t->dup_is_last ? t->dup : -1;
}

static int other_end(const struct thing *t)
{
	return t->kind == EVENTS ? own_end(t) : t->peer;
}

static void hang_up(struct thing *t, uint8_t how)
{
	static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};

	if (how % 3 == 0)
		close_it(&t->peer);
	else if (t->kind == STREAM || t->kind == PACKETS)
		(void)shutdown(how % 3 == 1 ? t->peer : own_end(t), hows[how / 3 % 3]);
}

/* What poll(2) says of it now, asked for all. */
static uint32_t mask_of(const struct thing *t)
{
	struct pollfd p = {
		.fd = NUMBER(t - things), .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP};

	must(poll(&p, 1, 0) >= 0);
	return t->open ? (uint16_t)p.revents : 0;
}

#endif
