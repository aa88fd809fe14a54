/* SPDX-License-Identifier: MIT */
/* Descriptors in what nobody has read: found wherever they are, and left where they are. */
#include "loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

struct pair {
	int peer, sock, event;
};

static struct pair pair_of(int type)
{
	struct pair p;
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	p = (struct pair){sv[0], sv[1], eventfd(0, EFD_CLOEXEC)};
	ck_assert_int_ge(p.event, 0);
	return p;
}

static void say(const struct pair *p, size_t n_bytes, bool with)
{
	static const char text[100000];

	ck_assert_int_eq(rdy__send_fds(p->peer, text, n_bytes, &p->event, with), 0);
}

static void end(struct pair *p)
{
	rdy__fd_close(p->peer);
	rdy__fd_close(p->sock);
	rdy__fd_close(p->event);
}

static void nothing_of(int type)
{
	struct pair p = pair_of(type);
	char c;

	ck_assert(!loaded(p.sock));
	/* And so it stays; an answer can still be given. */
	ck_assert_int_eq(rdy__send_fds(p.peer, "x", 1, &p.event, 1), -EPIPE);
	ck_assert(!loaded(p.sock));
	ck_assert_int_eq(send(p.sock, "a", 1, 0), 1);
	ck_assert_int_eq(recv(p.peer, &c, 1, 0), 1);
	end(&p);
}

START_TEST(nothing)
{
	nothing_of(SOCK_SEQPACKET);
	nothing_of(SOCK_STREAM);
}
END_TEST

static void only_bytes_of(int type)
{
	struct pair p = pair_of(type);
	char c[10];

	say(&p, 3, false);
	say(&p, 1, false);
	say(&p, 90000, false);
	say(&p, 2, false);
	ck_assert(!loaded(p.sock));
	/* All of it is there still. */
	ck_assert_int_eq(recv(p.sock, c, 3, MSG_DONTWAIT), 3);
	end(&p);
}

START_TEST(only_bytes)
{
	only_bytes_of(SOCK_SEQPACKET);
	only_bytes_of(SOCK_STREAM);
}
END_TEST

static void behind_others_of(int type)
{
	static const size_t before[][3] = {{1, 1, 1}, {90000, 5, 1}, {1, 90000, 16384}};

	for (size_t i = 0; i < 3; i++) {
		struct pair p = pair_of(type);

		for (size_t k = 0; k < 3; k++)
			say(&p, before[i][k], false);
		say(&p, 1, true);
		say(&p, 1, false);
		ck_assert(loaded(p.sock));
		ck_assert(loaded(p.sock));
		end(&p);
	}
}

START_TEST(behind_others)
{
	behind_others_of(SOCK_SEQPACKET);
	behind_others_of(SOCK_STREAM);
}
END_TEST

/* The first one, and one whose sender is gone. */
static void of_one_that_is_gone_of(int type)
{
	struct pair p = pair_of(type);
	int fds[RDY__FDS_MAX];
	struct rdy__received got;
	char c[10];

	/* With something unread in it that its end has lost. */
	ck_assert_int_eq(send(p.sock, "unread", 6, 0), 6);
	say(&p, 4, true);
	p.peer = rdy__fd_close(p.peer);
	ck_assert(loaded(p.sock));
	ck_assert_int_eq(rdy__recv_fds(p.sock, c, sizeof(c), fds, 0, &got), 0);
	ck_assert_uint_eq(got.n_fds, 1);
	rdy__fd_close(fds[0]);
	ck_assert(!loaded(p.sock));
	end(&p);
}

START_TEST(of_one_that_is_gone)
{
	of_one_that_is_gone_of(SOCK_SEQPACKET);
	of_one_that_is_gone_of(SOCK_STREAM);
}
END_TEST

/* Empty messages look like the end. */
START_TEST(behind_empty_ones)
{
	for (int with = 0; with < 2; with++) {
		struct pair p = pair_of(SOCK_SEQPACKET);

		say(&p, 0, false);
		say(&p, 7, false);
		say(&p, 0, false);
		say(&p, 0, false);
		say(&p, 0, with);
		ck_assert_int_eq(loaded(p.sock), with);
		end(&p);
	}
}
END_TEST

START_TEST(too_many_to_look_through)
{
	struct pair p = pair_of(SOCK_SEQPACKET);

	for (int i = 0; i < 100; i++)
		say(&p, 1, false);
	ck_assert(loaded(p.sock));
	end(&p);
}
END_TEST

START_TEST(something_else)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	ck_assert(loaded(fd));
	rdy__fd_close(fd);
}
END_TEST

UNIT_MAIN("supervisor/loaded", nothing, only_bytes, behind_others, of_one_that_is_gone,
	behind_empty_ones, too_many_to_look_through, something_else)
