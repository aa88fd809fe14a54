/* SPDX-License-Identifier: MIT */
/* Modes, interests and what events say, the same on every selector. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "reactor.h"

START_TEST(edge_is_once_per_readiness)
{
	for_each_variant(b)
	{
		int sv[2];

		stream_pair(sv);
		ck_assert_int_eq(rdy_poll_register(b.poll, sv[0], 7, RDY_READABLE, RDY_EDGE), 0);
		expect_none(&b);
		put(sv[1]);
		expect(&b, 7, RDY_READABLE);
		expect_none(&b);
		/* Native edges see new data; emulated ones are silent until rearm. */
		put(sv[1]);
		if (rdy_poll_caps(b.poll) & RDY_CAP_EDGE) {
			expect(&b, 7, RDY_READABLE);
			ck_assert_int_eq(rdy_poll_rearm(b.poll, sv[0]), 0);
		} else {
			expect_none(&b);
			ck_assert_int_eq(rdy_poll_rearm(b.poll, sv[0]), 0);
			expect(&b, 7, RDY_READABLE);
		}
		expect_none(&b);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, sv[0]), 0);
		shut(&sv[0]);
		shut(&sv[1]);
	}
}
END_TEST

/* One direction that was delivered does not silence the other. */
START_TEST(edge_directions_are_apart)
{
	for_each_variant(b)
	{
		int sv[2];

		stream_pair(sv);
		ck_assert_int_eq(
			rdy_poll_register(b.poll, sv[0], 7, RDY_READABLE | RDY_WRITABLE, RDY_EDGE),
			0);
		expect(&b, 7, RDY_WRITABLE);
		put(sv[1]);
		ck_assert_int_eq(take(&b, 0), 1);
		ck_assert_uint_eq(b.got[0].ready & RDY_READABLE, RDY_READABLE);
		shut(&sv[1]);
		/* The hangup is news in any case, and comes once. */
		ck_assert_int_eq(take(&b, 0), 1);
		ck_assert_uint_eq(b.got[0].ready & (RDY_READ_CLOSED | RDY_WRITE_CLOSED),
			RDY_READ_CLOSED | RDY_WRITE_CLOSED);
		expect_none(&b);
		shut(&sv[0]);
	}
}
END_TEST

START_TEST(level_repeats)
{
	for_each_variant(b)
	{
		int sv[2];
		char c;

		stream_pair(sv);
		ck_assert_int_eq(rdy_poll_register(b.poll, sv[0], 7, RDY_READABLE, RDY_LEVEL), 0);
		put(sv[1]);
		expect(&b, 7, RDY_READABLE);
		expect(&b, 7, RDY_READABLE);
		ck_assert_int_eq(rdy_poll_rearm(b.poll, sv[0]), 0);
		expect(&b, 7, RDY_READABLE);
		ck_assert_int_eq(read(sv[0], &c, 1), 1);
		expect_none(&b);
		shut(&sv[1]);
		expect(&b, 7, RDY_READABLE | RDY_READ_CLOSED | RDY_WRITE_CLOSED);
		expect(&b, 7, RDY_READABLE | RDY_READ_CLOSED | RDY_WRITE_CLOSED);
		shut(&sv[0]);
	}
}
END_TEST

START_TEST(oneshot_is_silent_until_rearm)
{
	for_each_variant(b)
	{
		int sv[2];

		stream_pair(sv);
		ck_assert_int_eq(rdy_poll_register(b.poll, sv[0], 7, RDY_READABLE, RDY_ONESHOT), 0);
		put(sv[1]);
		expect(&b, 7, RDY_READABLE);
		put(sv[1]);
		expect_none(&b);
		/* What is still there is reported by the rearm, once. */
		ck_assert_int_eq(rdy_poll_rearm(b.poll, sv[0]), 0);
		expect(&b, 7, RDY_READABLE);
		/* A hangup of a disarmed registration neither shows nor spins. */
		shut(&sv[1]);
		expect_none(&b);
		ck_assert_int_eq(take(&b, MS), 0);
		ck_assert_int_eq(rdy_poll_rearm(b.poll, sv[0]), 0);
		expect(&b, 7, RDY_READABLE | RDY_READ_CLOSED | RDY_WRITE_CLOSED);
		expect_none(&b);
		shut(&sv[0]);
	}
}
END_TEST

START_TEST(modify_replaces_all)
{
	for_each_variant(b)
	{
		int sv[2];

		stream_pair(sv);
		put(sv[1]);
		ck_assert_int_eq(rdy_poll_register(b.poll, sv[0], 1, RDY_READABLE, RDY_ONESHOT), 0);
		expect(&b, 1, RDY_READABLE);
		ck_assert_int_eq(rdy_poll_modify(b.poll, sv[0], 2, RDY_READABLE, RDY_EDGE), 0);
		expect(&b, 2, RDY_READABLE);
		expect_none(&b);
		ck_assert_int_eq(rdy_poll_modify(b.poll, sv[0], 3, RDY_WRITABLE, RDY_LEVEL), 0);
		expect(&b, 3, RDY_WRITABLE);
		expect(&b, 3, RDY_WRITABLE);
		ck_assert_int_eq(rdy_poll_modify(b.poll, sv[0], 4, RDY_PRIORITY, RDY_LEVEL), 0);
		expect_none(&b);
		shut(&sv[0]);
		shut(&sv[1]);
	}
}
END_TEST

START_TEST(hangups_and_errors)
{
	for_each_variant(b)
	{
		int sv[2], p[2];

		/* A half-closed stream. */
		stream_pair(sv);
		ck_assert_int_eq(shutdown(sv[1], SHUT_WR), 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, sv[0], 1, RDY_READABLE, RDY_LEVEL), 0);
		expect(&b, 1, RDY_READABLE | RDY_READ_CLOSED);
		/* Only hangups asked for: data is no news, a half-close is. */
		ck_assert_int_eq(rdy_poll_modify(b.poll, sv[0], 2, RDY_HANGUP_ONLY, RDY_LEVEL), 0);
		expect(&b, 2, RDY_READ_CLOSED);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, sv[0]), 0);
		put(sv[0]);
		ck_assert_int_eq(
			rdy_poll_register(b.poll, sv[1], 3, RDY_HANGUP_ONLY, RDY_LEVEL), 0);
		expect_none(&b);
		shut(&sv[0]);
		expect(&b, 3, RDY_READ_CLOSED | RDY_WRITE_CLOSED);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, sv[1]), 0);
		shut(&sv[1]);
		/* A pipe without reader. */
		ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
		shut(&p[0]);
		ck_assert_int_eq(rdy_poll_register(b.poll, p[1], 4, RDY_WRITABLE, RDY_LEVEL), 0);
		expect(&b, 4, RDY_WRITABLE | RDY_ERROR | RDY_WRITE_CLOSED);
		ck_assert_int_eq(rdy_poll_modify(b.poll, p[1], 5, RDY_READABLE, RDY_LEVEL), 0);
		expect(&b, 5, RDY_ERROR | RDY_WRITE_CLOSED);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, p[1]), 0);
		shut(&p[1]);
		/* A pipe without writer: a hangup, nothing to read. */
		ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, p[0], 6, RDY_READABLE, RDY_LEVEL), 0);
		expect_none(&b);
		shut(&p[1]);
		expect(&b, 6, RDY_READ_CLOSED | RDY_WRITE_CLOSED);
		shut(&p[0]);
	}
}
END_TEST

START_TEST(urgent_data_is_priority)
{
	for_each_variant(b)
	{
		struct sockaddr_in a = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(a);
		int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c, s;

		ck_assert_int_eq(bind(l, (struct sockaddr *)&a, len), 0);
		ck_assert_int_eq(listen(l, 1), 0);
		ck_assert_int_eq(getsockname(l, (struct sockaddr *)&a, &len), 0);
		c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(connect(c, (struct sockaddr *)&a, len), 0);
		s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		ck_assert_int_ge(s, 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, s, 1, RDY_PRIORITY, RDY_EDGE), 0);
		expect_none(&b);
		ck_assert_int_eq(send(c, "!", 1, MSG_OOB), 1);
		ck_assert_int_eq(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].ready, RDY_READABLE | RDY_PRIORITY);
		shut(&s);
		shut(&c);
		shut(&l);
	}
}
END_TEST

/* What does not fit comes with the next wait, and nobody is starved by those in front. */
START_TEST(more_ready_than_the_batch_holds)
{
	for_each_variant(b)
	{
		int fds[7];
		unsigned int seen[7] = {0};

		rdy_events_free(b.events);
		ck_assert_int_eq(rdy_events_new(2, &b.events), 0);
		for (unsigned int i = 0; i < 7; i++) {
			fds[i] = an_eventfd(1);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, fds[i], i, RDY_READABLE, RDY_EDGE), 0);
		}
		for (int left = 7; left > 0; left -= b.n) {
			ck_assert_int_eq(take(&b, 0), left > 2 ? 2 : left);
			for (int i = 0; i < b.n; i++)
				ck_assert_uint_eq(seen[b.got[i].token]++, 0);
		}
		expect_none(&b);
		memset(seen, 0, sizeof(seen));
		for (unsigned int i = 0; i < 7; i++)
			ck_assert_int_eq(
				rdy_poll_modify(b.poll, fds[i], i, RDY_READABLE, RDY_LEVEL), 0);
		for (int round = 0; round < 4; round++) {
			ck_assert_int_eq(take(&b, 0), 2);
			seen[b.got[0].token]++;
			seen[b.got[1].token]++;
		}
		for (unsigned int i = 0; i < 7; i++) {
			ck_assert_uint_ge(seen[i], 1);
			shut(&fds[i]);
		}
	}
}
END_TEST

START_TEST(a_poll_in_a_poll)
{
	for_each_variant(b)
	{
		int inner = rdy_poll_fd(b.poll), fd = an_eventfd(0);
		struct bench outer = {.v = variants};
		struct rdy_waker *w;

		if (!(rdy_poll_caps(b.poll) & RDY_CAP_NESTABLE)) {
			ck_assert_int_eq(inner, -ENOTSUP);
			shut(&fd);
			continue;
		}
		bench_open(&outer, 0);
		ck_assert_int_eq(rdy_waker_new(b.poll, 3, &w), 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), 0);
		ck_assert_int_eq(
			rdy_poll_register(outer.poll, inner, 2, RDY_READABLE, RDY_LEVEL), 0);
		expect_none(&outer);
		eventfd_write(fd, 1);
		expect(&outer, 2, RDY_READABLE);
		expect(&b, 1, RDY_READABLE);
		expect_none(&outer);
		rdy_waker_wake(w);
		expect(&outer, 2, RDY_READABLE);
		expect(&b, 3, RDY_WAKE | RDY_READABLE);
		expect_none(&outer);
		rdy_waker_free(w);
		bench_close(&outer);
		shut(&fd);
	}
}
END_TEST

UNIT_MAIN("reactor/modes", edge_is_once_per_readiness, edge_directions_are_apart, level_repeats,
	oneshot_is_silent_until_rearm, modify_replaces_all, hangups_and_errors,
	urgent_data_is_priority, more_ready_than_the_batch_holds, a_poll_in_a_poll)
