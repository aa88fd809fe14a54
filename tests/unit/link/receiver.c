/* SPDX-License-Identifier: MIT */
/* The receiving side, in a process of its own; the test is the sender, byte by byte. */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

#include "process.h"

static void say(int sock, struct link_message m, const int *fds, size_t n_fds)
{
	ck_assert_int_eq(rdy__send_fds(sock, &m, sizeof(m), fds, n_fds), 0);
}

static void expect_done(int sock, uint32_t n_fds)
{
	struct link_message m;

	ck_assert_int_eq(ready(sock, POLLIN, PATIENCE_MS) & POLLIN, POLLIN);
	ck_assert_int_eq(recv(sock, &m, sizeof(m), 0), sizeof(m));
	ck_assert_uint_eq(m.type, LINK_DONE);
	ck_assert_uint_eq(m.n_fds, n_fds);
}

static void stop(struct receiver *r)
{
	r->sock = rdy__fd_close(r->sock);
	ck_assert_int_eq(receiver_wait(r), 0);
}

static void new_pipe(int p[2])
{
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
}

static void new_pair(int sv[2])
{
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
}

/* Invariant: LINK-2 */
START_TEST(nothing_is_closed_before_go)
{
	struct receiver r = receiver_start(0);
	int p[2];

	new_pipe(p);
	say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 1}, &p[1], 1);
	p[1] = rdy__fd_close(p[1]);
	/* It has the descriptor, the only copy there is, and keeps it. */
	wait_for_fds(r.pid, r.n_fds + 1);
	ck_assert_int_eq(ready(p[0], 0, 200), 0);
	ck_assert_int_eq(ready(r.sock, POLLIN, 0), 0);
	ck_assert_int_eq(fds_of(r.pid), r.n_fds + 1);

	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	wait_for_hup(p[0]);
	expect_done(r.sock, 1);
	ck_assert_int_eq(fds_of(r.pid), r.n_fds);
	rdy__fd_close(p[0]);
	stop(&r);
}
END_TEST

START_TEST(a_full_batch_leaves_nothing)
{
	struct receiver r = receiver_start(0);
	int fds[LINK_BATCH_MAX];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < LINK_BATCH_MAX; i++)
			ck_assert_int_ge(fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 0);
		say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = LINK_BATCH_MAX},
			fds, LINK_BATCH_MAX);
		for (size_t i = 0; i < LINK_BATCH_MAX; i++)
			rdy__fd_close(fds[i]);
		say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
		expect_done(r.sock, LINK_BATCH_MAX);
		ck_assert_int_eq(fds_of(r.pid), r.n_fds);
	}
	stop(&r);
}
END_TEST

/* The peer had sent something that nobody read: it must see the answer all the same, then the end. */
START_TEST(an_answer_arrives_before_the_end)
{
	struct receiver r = receiver_start(0);
	struct link_message m = {.type = LINK_DISPOSE, .n_fds = 1, .answer_bytes = 5};
	int sv[2], e = eventfd(0, EFD_CLOEXEC);
	char buf[16];

	new_pair(sv);
	memcpy(m.answer, "sorry", 5);
	ck_assert_int_eq(rdy__send_fds(sv[0], "hello", 5, &e, 1), 0);
	ck_assert_int_eq(rdy__send_fds(sv[0], "again", 5, NULL, 0), 0);
	say(r.sock, m, &sv[1], 1);
	rdy__fd_close(sv[1]);
	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	expect_done(r.sock, 1);
	ck_assert_int_eq(recv(sv[0], buf, sizeof(buf), 0), 5);
	ck_assert_mem_eq(buf, "sorry", 5);
	ck_assert_int_eq(recv(sv[0], buf, sizeof(buf), 0), 0);
	rdy__fd_close(sv[0]);
	rdy__fd_close(e);
	stop(&r);
}
END_TEST

/* A full peer, a peer that is gone, something that is no socket: the answer is lost, the batch is not. */
START_TEST(an_answer_that_cannot_be_given)
{
	struct receiver r = receiver_start(0);
	struct link_message m = {.type = LINK_DISPOSE, .n_fds = 3, .answer_bytes = LINK_ANSWER_MAX};
	int full[2], gone[2], p[2], fds[3];

	new_pair(full);
	new_pair(gone);
	new_pipe(p);
	while (rdy__send_fds(full[1], "x", 1, NULL, 0) == 0)
		;
	gone[0] = rdy__fd_close(gone[0]);
	fds[0] = full[1];
	fds[1] = gone[1];
	fds[2] = p[1];
	say(r.sock, m, fds, 3);
	for (size_t i = 0; i < 3; i++)
		rdy__fd_close(fds[i]);
	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	expect_done(r.sock, 3);
	wait_for_hup(full[0]);
	wait_for_hup(p[0]);
	rdy__fd_close(full[0]);
	rdy__fd_close(p[0]);
	stop(&r);
}
END_TEST

/* Somebody else holds a copy, so closing is not enough for the peer to notice. */
START_TEST(shutdown_reaches_the_peer)
{
	struct receiver r = receiver_start(0);
	int sv[2];

	new_pair(sv);
	say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 1}, &sv[1], 1);
	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	expect_done(r.sock, 1);
	ck_assert_int_eq(ready(sv[0], 0, 0), 0);
	say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 1, .shutdown = 1}, &sv[1],
		1);
	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	expect_done(r.sock, 1);
	ck_assert_int_eq(ready(sv[0], 0, 0) & POLLHUP, POLLHUP);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	stop(&r);
}
END_TEST

START_TEST(the_end_of_the_link_closes_what_is_held)
{
	struct receiver r = receiver_start(0);
	int p[2];

	new_pipe(p);
	say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 1, .shutdown = 1}, &p[1],
		1);
	rdy__fd_close(p[1]);
	stop(&r);
	wait_for_hup(p[0]);
	rdy__fd_close(p[0]);
}
END_TEST

/* A table without room: the kernel closes the rest, and the batch is done all the same. */
/* No GO, no DONE, one message after the other, and others in between as ever. */
START_TEST(what_is_kept_is_closed_by_its_end)
{
	struct receiver r = receiver_start(0);
	int p[2], q[2];

	new_pipe(p);
	new_pipe(q);
	for (uint32_t i = 0; i < 3; i++)
		say(r.sock, (struct link_message){.type = LINK_KEEP, .n_fds = 1}, &p[1], 1);
	p[1] = rdy__fd_close(p[1]);
	wait_for_fds(r.pid, r.n_fds + 3);
	say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 1}, &q[1], 1);
	q[1] = rdy__fd_close(q[1]);
	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	expect_done(r.sock, 1);
	wait_for_hup(q[0]);
	ck_assert_int_eq(ready(p[0], 0, 0), 0);
	ck_assert_int_eq(fds_of(r.pid), r.n_fds + 3);
	stop(&r);
	wait_for_hup(p[0]);
	rdy__fd_close(p[0]);
	rdy__fd_close(q[0]);
}
END_TEST

START_TEST(a_full_table)
{
	struct receiver r = receiver_start(LINK_FD_SELF + 3); /* the link, and two */
	int p[4][2], w[4];

	for (size_t i = 0; i < 4; i++) {
		new_pipe(p[i]);
		w[i] = p[i][1];
	}
	say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 4}, w, 4);
	for (size_t i = 0; i < 4; i++)
		rdy__fd_close(w[i]);
	say(r.sock, (struct link_message){.type = LINK_GO}, NULL, 0);
	expect_done(r.sock, 2);
	for (size_t i = 0; i < 4; i++) {
		wait_for_hup(p[i][0]);
		rdy__fd_close(p[i][0]);
	}
	stop(&r);
}
END_TEST

/* Each: the message, its length, how many descriptors; sent first, or while a batch is held. */
static const struct odd {
	struct link_message m;
	size_t n_bytes, n_fds;
} odd[] = {
	{{.type = LINK_DISPOSE, .n_fds = 1}, sizeof(struct link_message), 2},
	{{.type = LINK_DISPOSE, .n_fds = 2}, sizeof(struct link_message), 1},
	{{.type = LINK_DISPOSE, .n_fds = 0}, sizeof(struct link_message), 1},
	{{.type = LINK_DISPOSE, .n_fds = 0}, sizeof(struct link_message), 0},
	{{.type = LINK_DISPOSE, .n_fds = 65}, sizeof(struct link_message), 65},
	{{.type = LINK_DISPOSE, .n_fds = 1, .answer_bytes = 65}, sizeof(struct link_message), 1},
	{{.type = LINK_DISPOSE, .n_fds = 1}, sizeof(struct link_message) - 1, 1},
	{{.type = LINK_DISPOSE, .n_fds = 1}, sizeof(struct link_message) + 1, 1},
	{{.type = LINK_DISPOSE, .n_fds = 1}, 0, 1},
	{{.type = LINK_GO}, sizeof(struct link_message), 1},
	{{.type = LINK_GO}, 4, 0},
	{{.type = LINK_DONE}, sizeof(struct link_message), 0},
	{{.type = 0}, sizeof(struct link_message), 1},
	{{.type = 4}, sizeof(struct link_message), 1},
};

static void send_odd(int sock, const struct odd *o, int fd)
{
	char buf[sizeof(struct link_message) + 1] = {0};
	int fds[RDY__FDS_MAX];

	for (size_t i = 0; i < o->n_fds; i++)
		fds[i] = fd;
	memcpy(buf, &o->m, sizeof(o->m));
	ck_assert_int_eq(rdy__send_fds(sock, buf, o->n_bytes, fds, o->n_fds), 0);
}

START_TEST(an_odd_message_ends_it)
{
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct receiver r = receiver_start(0);
		int p[2];

		new_pipe(p);
		send_odd(r.sock, &odd[i], p[1]);
		rdy__fd_close(p[1]);
		ck_assert_int_eq(receiver_wait(&r), EPROTO);
		rdy__fd_close(r.sock);
		wait_for_hup(p[0]);
		rdy__fd_close(p[0]);
	}
}
END_TEST

/* In this process, whose descriptors are counted: the return itself leaves none behind. */
START_TEST(an_odd_message_leaves_no_descriptor)
{
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (int held = 0; held < 2; held++) {
			int sv[2], e = eventfd(0, EFD_CLOEXEC), before;

			new_pair(sv);
			before = unit_count_fds();
			if (held)
				say(sv[0], (struct link_message){.type = LINK_DISPOSE, .n_fds = 1},
					&e, 1);
			send_odd(sv[0], &odd[i], e);
			ck_assert_int_eq(link_receiver_run(sv[1]), -EPROTO);
			ck_assert_int_eq(unit_count_fds(), before);
			rdy__fd_close(sv[0]);
			rdy__fd_close(sv[1]);
			rdy__fd_close(e);
		}
	}
}
END_TEST

START_TEST(an_odd_message_instead_of_go)
{
	const struct odd second = {
		{.type = LINK_DISPOSE, .n_fds = 1}, sizeof(struct link_message), 1};

	for (size_t i = 0; i <= sizeof(odd) / sizeof(odd[0]); i++) {
		struct receiver r = receiver_start(0);
		int held[2], p[2];

		new_pipe(held);
		new_pipe(p);
		say(r.sock, (struct link_message){.type = LINK_DISPOSE, .n_fds = 1}, &held[1], 1);
		send_odd(r.sock, i < sizeof(odd) / sizeof(odd[0]) ? &odd[i] : &second, p[1]);
		rdy__fd_close(held[1]);
		rdy__fd_close(p[1]);
		ck_assert_int_eq(receiver_wait(&r), EPROTO);
		rdy__fd_close(r.sock);
		wait_for_hup(held[0]);
		wait_for_hup(p[0]);
		rdy__fd_close(held[0]);
		rdy__fd_close(p[0]);
	}
}
END_TEST

START_TEST(it_ends_with_the_link)
{
	struct receiver r = receiver_start(0);

	stop(&r);
	ck_assert_int_eq(link_receiver_run(-1), -EBADF);
}
END_TEST

UNIT_MAIN("link/receiver", nothing_is_closed_before_go, what_is_kept_is_closed_by_its_end,
	a_full_batch_leaves_nothing, an_answer_arrives_before_the_end,
	an_answer_that_cannot_be_given, shutdown_reaches_the_peer,
	the_end_of_the_link_closes_what_is_held, a_full_table, an_odd_message_ends_it,
	an_odd_message_leaves_no_descriptor, an_odd_message_instead_of_go, it_ends_with_the_link)
