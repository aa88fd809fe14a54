/* SPDX-License-Identifier: MIT */
/* Events of registrations that have ended, and descriptors that were closed without saying so. */
#include <sys/mman.h>

#include "reactor.h"

static const struct {
	uint32_t mode;
} modes[] = {{RDY_EDGE}, {RDY_LEVEL}, {RDY_ONESHOT}};

/* Invariant: TOKEN-1 */
START_TEST(fetched_is_withdrawn)
{
	for_each_variant(b)
	{
		for (size_t m = 0; m < 3; m++) {
			int fds[3];
			uint64_t seen = 0;
			struct rdy_event e;

			for (unsigned int i = 0; i < 3; i++) {
				fds[i] = an_eventfd(1);
				ck_assert_int_eq(rdy_poll_register(b.poll, fds[i], 1u << i,
							 RDY_READABLE, modes[m].mode),
					0);
			}
			ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 3);
			/* The second, whichever comes when; its number comes back with another file. */
			ck_assert_int_eq(rdy_poll_deregister(b.poll, fds[1]), 0);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, fds[1], 8, RDY_READABLE, RDY_LEVEL), 0);
			while (rdy_events_next(b.events, &e))
				seen += e.token;
			ck_assert_uint_eq(seen, 1 + 4);
			for (unsigned int i = 0; i < 3; i++) {
				ck_assert_int_eq(rdy_poll_deregister(b.poll, fds[i]), 0);
				shut(&fds[i]);
			}
			expect_none(&b);
		}
	}
}
END_TEST

START_TEST(modify_withdraws_the_old_token)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(1);
		struct rdy_event e;

		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), 0);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 1);
		ck_assert_int_eq(rdy_poll_modify(b.poll, fd, 2, RDY_READABLE, RDY_EDGE), 0);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
		expect(&b, 2, RDY_READABLE);
		/* A modify that is refused withdraws nothing. */
		eventfd_write(fd, 1);
		ck_assert_int_eq(rdy_poll_modify(b.poll, fd, 2, RDY_READABLE, RDY_EDGE), 0);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 1);
		ck_assert_int_eq(rdy_poll_modify(b.poll, fd, 3, 0, RDY_EDGE), -EINVAL);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
		ck_assert_uint_eq(e.token, 2);
		shut(&fd);
	}
}
END_TEST

START_TEST(closed_and_number_reused)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(0), again;

		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), 0);
		again = fd;
		shut(&fd);
		/* While it is closed: forgotten. */
		ck_assert_int_eq(
			rdy_poll_register(b.poll, again, 2, RDY_READABLE, RDY_EDGE), -EBADF);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, again), -ENOENT);
		fd = an_eventfd(1);
		ck_assert_int_eq(fd, again);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 3, RDY_READABLE, RDY_EDGE), 0);
		expect(&b, 3, RDY_READABLE);
		/* Each call notices by itself. */
		shut(&fd);
		ck_assert_int_eq(
			rdy_poll_modify(b.poll, again, 3, RDY_READABLE, RDY_EDGE), -ENOENT);
		fd = an_eventfd(0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 4, RDY_READABLE, RDY_ONESHOT), 0);
		shut(&fd);
		ck_assert_int_eq(rdy_poll_rearm(b.poll, again), -ENOENT);
		fd = an_eventfd(0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 4, RDY_READABLE, RDY_EDGE), 0);
		shut(&fd);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, again), -ENOENT);
		/* A wait in between notices, too, and says nothing. */
		fd = an_eventfd(0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 5, RDY_READABLE, RDY_EDGE), 0);
		shut(&fd);
		expect_none(&b);
		fd = an_eventfd(1);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 6, RDY_READABLE, RDY_EDGE), 0);
		expect(&b, 6, RDY_READABLE);
		shut(&fd);
	}
}
END_TEST

/* The number comes back with a file that cannot be watched: each call notices, and says what it says of others. */
START_TEST(closed_and_a_regular_file)
{
	for_each_variant(b)
	{
		for (int how = 0; how < 3; how++) {
			int fd = an_eventfd(1), number = fd, file;

			ck_assert_int_eq(
				rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_LEVEL), 0);
			shut(&fd);
			/* poll(2) notices here at the latest. */
			expect_none(&b);
			file = memfd_create("regular", MFD_CLOEXEC);
			ck_assert_int_eq(file, number);
			if (how == 0)
				ck_assert_int_eq(
					rdy_poll_register(b.poll, file, 2, RDY_READABLE, RDY_LEVEL),
					-EPERM);
			else if (how == 1)
				ck_assert_int_eq(
					rdy_poll_modify(b.poll, file, 2, RDY_READABLE, RDY_LEVEL),
					-ENOENT);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, file), -ENOENT);
			expect_none(&b);
			ck_assert_int_eq(rdy_poll_rearm(b.poll, file), -ENOENT);
			shut(&file);
		}
	}
}
END_TEST

/* Another descriptor keeps the file open: the kernel goes on watching, the reactor must not tell. */
START_TEST(a_duplicate_outlives_the_number)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(0), number = fd, dup = fcntl(fd, F_DUPFD_CLOEXEC, 100);

		ck_assert_int_ge(dup, 100);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), 0);
		shut(&fd);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, number), -ENOENT);
		eventfd_write(dup, 1);
		expect_none(&b);
		/* A register that finds it closed has forgotten it, too. */
		ck_assert_int_eq(dup3(dup, number, O_CLOEXEC), number);
		ck_assert_int_eq(rdy_poll_register(b.poll, number, 1, RDY_READABLE, RDY_LEVEL), 0);
		ck_assert_int_eq(close(number), 0);
		ck_assert_int_eq(
			rdy_poll_register(b.poll, number, 2, RDY_READABLE, RDY_LEVEL), -EBADF);
		expect_none(&b);
		/* A new file under the number, while the old one goes on. */
		fd = an_eventfd(0);
		ck_assert_int_eq(fd, number);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 2, RDY_READABLE, RDY_EDGE), 0);
		eventfd_write(dup, 1);
		expect_none(&b);
		eventfd_write(fd, 1);
		expect(&b, 2, RDY_READABLE);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
		/* The old file back under its number: it can be registered. */
		ck_assert_int_eq(dup3(dup, fd, O_CLOEXEC), fd);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 3, RDY_READABLE, RDY_EDGE), 0);
		expect(&b, 3, RDY_READABLE);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
		expect_none(&b);
		shut(&fd);
		shut(&dup);
	}
}
END_TEST

/* Batches outlive the poll, and a batch may be filled by one poll after the other. */
START_TEST(batches_and_polls_end_in_any_order)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(1);
		struct bench other = {.v = b.v};
		struct rdy_event e;
		struct rdy_waker *w;
		struct rdy_timer *t;

		bench_open(&other, 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_LEVEL), 0);
		ck_assert_int_eq(rdy_poll_register(other.poll, fd, 2, RDY_READABLE, RDY_LEVEL), 0);
		ck_assert_int_eq(rdy_waker_new(b.poll, 3, &w), 0);
		ck_assert_int_eq(rdy_timer_new(b.poll, 4, &t), 0);
		ck_assert_int_eq(rdy_timer_set(t, 0), 0);
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 3);
		ck_assert_int_eq(rdy_poll_wait(other.poll, b.events, 0), 1);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 1);
		ck_assert_uint_eq(e.token, 2);
		ck_assert_int_eq(rdy_waker_wake(w), 0);
		ck_assert_int_eq(rdy_timer_set(t, 0), 0);
		ck_assert_int_eq(rdy_poll_wait(b.poll, b.events, 0), 3);
		b.poll = rdy_poll_free(b.poll);
		ck_assert_int_eq(rdy_events_next(b.events, &e), 0);
		ck_assert_int_eq(rdy_poll_wait(other.poll, b.events, 0), 1);
		rdy_timer_free(t);
		rdy_waker_free(w);
		bench_close(&other);
		shut(&fd);
	}
}
END_TEST

UNIT_MAIN("reactor/stale", fetched_is_withdrawn, modify_withdraws_the_old_token,
	closed_and_number_reused, closed_and_a_regular_file, a_duplicate_outlives_the_number,
	batches_and_polls_end_in_any_order)
