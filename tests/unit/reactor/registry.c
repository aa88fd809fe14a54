/* SPDX-License-Identifier: MIT */
/* Registries: handles that outlive the poll, many at a time, exclusive ones. */
#include <pthread.h>
#include <sys/epoll.h>

#include "reactor.h"
#include "ready/registry.h"

START_TEST(a_handle_does_what_the_poll_does)
{
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_registry_ref(rdy_poll_registry(b.poll));
		int fd = an_eventfd(1);

		ck_assert_ptr_eq(r, rdy_poll_registry(b.poll));
		ck_assert_int_eq(rdy_registry_register(r, fd, 5, RDY_READABLE, RDY_ONESHOT), 0);
		ck_assert_int_eq(
			rdy_registry_register(r, fd, 5, RDY_READABLE, RDY_ONESHOT), -EEXIST);
		expect(&b, 5, RDY_READABLE);
		expect_none(&b);
		ck_assert_int_eq(rdy_registry_rearm(r, fd), 0);
		expect(&b, 5, RDY_READABLE);
		ck_assert_int_eq(rdy_registry_modify(r, fd, 6, RDY_WRITABLE, RDY_ONESHOT), 0);
		expect(&b, 6, RDY_WRITABLE);
		ck_assert_int_eq(rdy_registry_deregister(r, fd), 0);
		ck_assert_int_eq(rdy_registry_deregister(r, fd), -ENOENT);
		shut(&fd);
		ck_assert_ptr_null(rdy_registry_unref(r));
	}
}
END_TEST

START_TEST(knows_what_the_poll_can)
{
	ck_assert_uint_eq(rdy_registry_caps(NULL), 0);
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_registry_ref(rdy_poll_registry(b.poll));
		uint32_t caps = rdy_poll_caps(b.poll);

		ck_assert_uint_eq(rdy_registry_caps(r), caps);
		b.poll = rdy_poll_free(b.poll);
		ck_assert_uint_eq(rdy_registry_caps(r), caps);
		rdy_registry_unref(r);
	}
}
END_TEST

START_TEST(outlives_the_poll)
{
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_registry_ref(rdy_poll_registry(b.poll));
		int fd = an_eventfd(1);

		ck_assert_int_eq(rdy_registry_register(r, fd, 5, RDY_READABLE, RDY_EDGE), 0);
		b.poll = rdy_poll_free(b.poll);
		ck_assert_int_eq(rdy_registry_register(r, fd, 5, RDY_READABLE, RDY_EDGE), -EPIPE);
		ck_assert_int_eq(rdy_registry_modify(r, fd, 5, RDY_READABLE, RDY_EDGE), -EPIPE);
		ck_assert_int_eq(rdy_registry_rearm(r, fd), -EPIPE);
		ck_assert_int_eq(rdy_registry_deregister(r, fd), -EPIPE);
		rdy_registry_unref(r);
		shut(&fd);
	}
}
END_TEST

static void *register_until_gone(void *arg)
{
	struct rdy_registry *r = arg;
	int fd = eventfd(1, EFD_CLOEXEC), e, n = 0;

	do {
		e = rdy_registry_register(r, fd, 1, RDY_READABLE, RDY_EDGE);
		if (e == 0)
			e = rdy_registry_deregister(r, fd);
		n++;
	} while (e == 0);
	close(fd);
	rdy_registry_unref(r);
	return (void *)(intptr_t)(e == -EPIPE ? n : -1);
}

/* Invariant: REGISTRY-1 */
START_TEST(freed_while_others_register)
{
	for_each_variant(b)
	{
		pthread_t t[2];

		if (b.v->flags & RDY_POLL_SINGLE_THREAD)
			continue;
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(pthread_create(&t[i], NULL, register_until_gone,
						 rdy_registry_ref(rdy_poll_registry(b.poll))),
				0);
		/* They are at it. */
		for (int i = 0; i < 20; i++)
			take(&b, MS);
		b.poll = rdy_poll_free(b.poll);
		for (int i = 0; i < 2; i++) {
			void *n;

			ck_assert_int_eq(pthread_join(t[i], &n), 0);
			ck_assert_int_gt((int)(intptr_t)n, 0);
		}
	}
}
END_TEST

START_TEST(nothing_of_nothing)
{
	ck_assert_ptr_null(rdy_poll_registry(NULL));
	ck_assert_ptr_null(rdy_registry_ref(NULL));
	ck_assert_ptr_null(rdy_registry_unref(NULL));
	ck_assert_int_eq(rdy_registry_register(NULL, 0, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_registry_modify(NULL, 0, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_registry_rearm(NULL, 0), -EINVAL);
	ck_assert_int_eq(rdy_registry_deregister(NULL, 0), -EINVAL);
}
END_TEST

START_TEST(many_at_a_time)
{
	for_each_variant(b)
	{
		int a = an_eventfd(1), z = an_eventfd(1), file = open("/etc/passwd", O_RDONLY);
		struct rdy_registration many[] = {
			{a, RDY_READABLE, 1, RDY_EDGE, 99},
			{a, RDY_READABLE, 2, RDY_EDGE, 99},
			{-1, RDY_READABLE, 3, RDY_EDGE, 99},
			{file, RDY_READABLE, 4, RDY_EDGE, 99},
			{z, 0, 5, RDY_EDGE, 99},
			{z, RDY_READABLE, 6, 77, 99},
			{z, RDY_READABLE, 7, RDY_LEVEL, 99},
		};
		const int want[] = {0, -EEXIST, -EBADF, -EPERM, -EINVAL, -EINVAL, 0};

		ck_assert_int_eq(rdy_poll_register_many(b.poll, many, 7), 2);
		for (int i = 0; i < 7; i++)
			ck_assert_int_eq(many[i].result, want[i]);
		ck_assert_int_eq(take(&b, 0), 2);
		ck_assert_uint_eq(b.got[0].token + b.got[1].token, 1 + 7);
		ck_assert_int_eq(rdy_poll_register_many(b.poll, many, 0), 0);
		ck_assert_int_eq(rdy_poll_register_many(b.poll, NULL, 1), -EINVAL);
		ck_assert_int_eq(rdy_poll_register_many(NULL, many, 1), -EINVAL);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, a), 0);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, z), 0);
		shut(&a);
		shut(&z);
		shut(&file);
	}
}
END_TEST

START_TEST(exclusive_rules)
{
	static const struct {
		uint32_t interest, mode;
		int want;
	} rows[] = {
		{RDY_READABLE, RDY_EDGE | RDY_EXCLUSIVE, 0},
		{RDY_READABLE | RDY_WRITABLE, RDY_LEVEL | RDY_EXCLUSIVE, 0},
		{RDY_READABLE, RDY_ONESHOT | RDY_EXCLUSIVE, -EINVAL},
		{RDY_READABLE, RDY_EXCLUSIVE, -EINVAL},
		{RDY_PRIORITY, RDY_EDGE | RDY_EXCLUSIVE, -EINVAL},
		{RDY_HANGUP_ONLY, RDY_EDGE | RDY_EXCLUSIVE, -EINVAL},
	};

	for_each_variant(b)
	{
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			int sv[2];

			stream_pair(sv);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, sv[0], 3, rows[i].interest, rows[i].mode),
				rows[i].want);
			if (rows[i].want == 0) {
				put(sv[1]);
				ck_assert_int_eq(take(&b, 0), 1);
				ck_assert_uint_eq(b.got[0].ready,
					rows[i].interest & (RDY_READABLE | RDY_WRITABLE));
				ck_assert_int_eq(
					rdy_poll_modify(b.poll, sv[0], 3, RDY_READABLE, RDY_EDGE),
					-EINVAL);
				ck_assert_int_eq(rdy_poll_rearm(b.poll, sv[0]), 0);
				ck_assert_int_eq(rdy_poll_deregister(b.poll, sv[0]), 0);
			}
			ck_assert_int_eq(
				rdy_poll_register(b.poll, sv[0], 3, RDY_READABLE, RDY_EDGE), 0);
			ck_assert_int_eq(rdy_poll_modify(b.poll, sv[0], 3, RDY_READABLE,
						 RDY_EDGE | RDY_EXCLUSIVE),
				-EINVAL);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, sv[0]), 0);
			shut(&sv[0]);
			shut(&sv[1]);
		}
	}
}
END_TEST

/* Closed under its registration, and the same file again under its number: in the kernel it never left. */
START_TEST(exclusive_comes_back)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(0), keep = dup(fd), other = an_eventfd(1);

		ck_assert_int_eq(
			rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_LEVEL | RDY_EXCLUSIVE),
			0);
		ck_assert_int_eq(dup2(other, fd), fd);
		/* Another file: forgotten here. */
		rdy_poll_deregister(b.poll, fd);
		ck_assert_int_eq(dup2(keep, fd), fd);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 2, RDY_READABLE, RDY_LEVEL), 0);
		expect_none(&b);
		eventfd_write(keep, 1);
		expect(&b, 2, RDY_READABLE);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
		expect_none(&b);
		shut(&fd);
		shut(&keep);
		shut(&other);
	}
}
END_TEST

/* What the kernel was asked for, from proc_pid_fdinfo(5). */
START_TEST(exclusive_is_asked_for)
{
	struct bench b = {.v = &variants[0]};
	int fd = an_eventfd(0), target;
	char path[64], line[256];
	unsigned int events, n = 0;
	FILE *f;

	bench_open(&b, 0);
	ck_assert_uint_ne(rdy_poll_caps(b.poll) & RDY_CAP_EXCLUSIVE, 0);
	ck_assert_int_eq(
		rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE | RDY_EXCLUSIVE), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", rdy_poll_fd(b.poll));
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "tfd: %d events: %x", &target, &events) == 2 && target == fd) {
			ck_assert_uint_ne(events & EPOLLEXCLUSIVE, 0);
			ck_assert_uint_ne(events & EPOLLET, 0);
			n++;
		}
	fclose(f);
	ck_assert_uint_eq(n, 1);
	bench_close(&b);
	shut(&fd);
}
END_TEST

UNIT_MAIN("reactor/registry", a_handle_does_what_the_poll_does, knows_what_the_poll_can,
	outlives_the_poll, freed_while_others_register, nothing_of_nothing, many_at_a_time,
	exclusive_rules, exclusive_comes_back, exclusive_is_asked_for)
