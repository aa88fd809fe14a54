/* SPDX-License-Identifier: MIT */
/* Every documented kind of misuse has the same answer on every selector, and changes nothing. */
#include <stdlib.h>
#include <sys/resource.h>

#include <sys/epoll.h>

#include "reactor.h"

START_TEST(creation)
{
	struct rdy_poll *poll = NULL;
	struct rdy_events *events = NULL;
	struct rdy_poll_options o = {.size = sizeof(o)};

	ck_assert_int_eq(rdy_poll_new(&o, NULL), -EINVAL);
	o.size--;
	ck_assert_int_eq(rdy_poll_new(&o, &poll), -EINVAL);
	o.size++;
	o.flags = 0x8;
	ck_assert_int_eq(rdy_poll_new(&o, &poll), -EINVAL);
	o.flags = 0;
	o.pad0 = 1;
	ck_assert_int_eq(rdy_poll_new(&o, &poll), -EINVAL);
	o.pad0 = 0;
	o.selector = "abacus";
	ck_assert_int_eq(rdy_poll_new(&o, &poll), -ENOTSUP);
	ck_assert_ptr_null(poll);
	o.selector = NULL;
	ck_assert_int_eq(rdy_poll_new(&o, &poll), 0);
	ck_assert_str_eq(rdy_poll_selector(poll), "epoll");
	ck_assert_uint_eq(rdy_poll_caps(poll), RDY_CAP_EDGE | RDY_CAP_NESTABLE | RDY_CAP_EXCLUSIVE);
	ck_assert_ptr_null(rdy_poll_free(poll));
	ck_assert_int_eq(rdy_poll_new(NULL, &poll), 0);
	ck_assert_ptr_null(rdy_poll_free(poll));
	ck_assert_ptr_null(rdy_poll_free(NULL));

	ck_assert_int_eq(rdy_events_new(0, &events), -EINVAL);
	ck_assert_int_eq(rdy_events_new(1000001, &events), -EINVAL);
	ck_assert_int_eq(rdy_events_new(1, NULL), -EINVAL);
	ck_assert_ptr_null(events);
	ck_assert_ptr_null(rdy_events_free(NULL));
	ck_assert_ptr_null(rdy_timer_free(NULL));
	ck_assert_ptr_null(rdy_waker_free(NULL));
}
END_TEST

/* What can be watched and what cannot: on every selector as epoll says. */
START_TEST(kinds_of_files)
{
	static const char *const paths[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom",
		"/dev/ptmx", "/proc/self/mountinfo", "/proc/self/stat", "/proc/self/exe", "/proc",
		"/"};
	int ep = epoll_create1(EPOLL_CLOEXEC), n_refused = 0, n_watched = 0;

	for_each_variant(b)
	{
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOCTTY), want;
			struct epoll_event e = {.events = EPOLLIN};

			if (fd < 0)
				continue;
			want = epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
			fprintf(stderr, "# %s\n", paths[i]);
			ck_assert(want == 0 || want == -EPERM);
			ck_assert_int_eq(
				rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_LEVEL), want);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), want ? -ENOENT : 0);
			*(want ? &n_refused : &n_watched) += 1;
			shut(&fd);
		}
	}
	ck_assert_int_gt(n_refused, 0);
	ck_assert_int_gt(n_watched, 0);
	shut(&ep);
}
END_TEST

START_TEST(registering)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(1), closed = fcntl(fd, F_DUPFD_CLOEXEC, 700);
		int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int path = open("/", O_PATH | O_CLOEXEC);
		char name[] = "/tmp/rdy-unit-XXXXXX";
		int file = mkstemp(name);

		shut(&(int){closed});
		ck_assert_int_eq(unlink(name), 0);
		ck_assert_int_eq(rdy_poll_register(NULL, fd, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, 0, RDY_EDGE), -EINVAL);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_ERROR, RDY_EDGE), -EINVAL);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, 0), -EINVAL);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, 4), -EINVAL);
		ck_assert_int_eq(rdy_poll_register(b.poll, -1, 1, RDY_READABLE, RDY_EDGE), -EBADF);
		ck_assert_int_eq(
			rdy_poll_register(b.poll, closed, 1, RDY_READABLE, RDY_EDGE), -EBADF);
		ck_assert_int_eq(
			rdy_poll_register(b.poll, path, 1, RDY_READABLE, RDY_EDGE), -EBADF);
		ck_assert_int_eq(rdy_poll_register(b.poll, dir, 1, RDY_READABLE, RDY_EDGE), -EPERM);
		ck_assert_int_eq(
			rdy_poll_register(b.poll, file, 1, RDY_READABLE, RDY_EDGE), -EPERM);
		/* A refusal leaves nothing behind: the same again, and unknown to the others. */
		ck_assert_int_eq(
			rdy_poll_register(b.poll, file, 1, RDY_READABLE, RDY_EDGE), -EPERM);
		for (int i = 0; i < 5; i++) {
			int unknown = (int[]){file, closed, -1, fd, 100000}[i];

			ck_assert_int_eq(
				rdy_poll_modify(b.poll, unknown, 1, RDY_READABLE, RDY_EDGE),
				-ENOENT);
			ck_assert_int_eq(rdy_poll_rearm(b.poll, unknown), -ENOENT);
			ck_assert_int_eq(rdy_poll_deregister(b.poll, unknown), -ENOENT);
		}
		expect_none(&b);

		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_ONESHOT), 0);
		expect(&b, 1, RDY_READABLE);
		/* A second time: refused, and it does not rearm the first. */
		ck_assert_int_eq(
			rdy_poll_register(b.poll, fd, 2, RDY_READABLE, RDY_LEVEL), -EEXIST);
		expect_none(&b);
		ck_assert_int_eq(rdy_poll_modify(b.poll, fd, 2, RDY_WRITABLE << 8, 1), -EINVAL);
		ck_assert_int_eq(rdy_poll_modify(b.poll, fd, 2, RDY_READABLE, 9), -EINVAL);
		ck_assert_int_eq(rdy_poll_modify(NULL, fd, 2, RDY_READABLE, RDY_EDGE), -EINVAL);
		ck_assert_int_eq(rdy_poll_rearm(NULL, fd), -EINVAL);
		ck_assert_int_eq(rdy_poll_deregister(NULL, fd), -EINVAL);
		expect_none(&b);
		ck_assert_int_eq(rdy_poll_rearm(b.poll, fd), 0);
		expect(&b, 1, RDY_READABLE);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
		ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), -ENOENT);
		ck_assert_int_eq(rdy_poll_rearm(b.poll, fd), -ENOENT);
		shut(&fd);
		shut(&dir);
		shut(&path);
		shut(&file);
	}
}
END_TEST

START_TEST(the_polls_own_descriptors)
{
	for_each_variant(b)
	{
		int own = rdy_poll_fd(b.poll);
		int n = 0;

		if (own >= 0)
			ck_assert_int_eq(
				rdy_poll_register(b.poll, own, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
		/* The wake descriptor, wherever it is: exactly one number is refused that way. */
		for (int fd = 3; fd < 30; fd++) {
			int r = rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE);

			n += fd != own && r == -EINVAL;
			if (r == 0)
				ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
			else
				ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), -ENOENT);
		}
		ck_assert_int_eq(n, 1);
	}
}
END_TEST

START_TEST(waiting)
{
	for_each_variant(b)
	{
		struct rdy_timer *t = NULL;
		struct rdy_waker *w = NULL;

		ck_assert_int_eq(rdy_poll_wait(NULL, b.events, 0), -EINVAL);
		ck_assert_int_eq(rdy_poll_wait(b.poll, NULL, 0), -EINVAL);
		ck_assert_int_eq(rdy_timer_new(NULL, 0, &t), -EINVAL);
		ck_assert_int_eq(rdy_timer_new(b.poll, 0, NULL), -EINVAL);
		ck_assert_int_eq(rdy_waker_new(NULL, 0, &w), -EINVAL);
		ck_assert_int_eq(rdy_waker_new(b.poll, 0, NULL), -EINVAL);
		ck_assert_ptr_null(t);
		ck_assert_ptr_null(w);
		ck_assert_int_eq(rdy_timer_new(b.poll, 0, &t), 0);
		ck_assert_int_eq(rdy_timer_set(t, -1), -EINVAL);
		expect_none(&b);
		rdy_timer_free(t);
	}
}
END_TEST

/* Out of descriptors at any step of creation: the error, and nothing left open. */
START_TEST(no_descriptor_left)
{
	struct rlimit old, low;
	int base = unit_count_fds();

	getrlimit(RLIMIT_NOFILE, &old);
	for (size_t v = 0; v < sizeof(variants) / sizeof(variants[0]); v++) {
		struct rdy_poll_options o = {.size = sizeof(o),
			.selector = variants[v].selector,
			.flags = variants[v].flags};
		int n_failed = 0;

		for (int room = 0;; room++) {
			struct rdy_poll *poll = NULL;
			int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0), r;

			ck_assert_int_ge(lowest, 0);
			close(lowest);
			low = old;
			low.rlim_cur = (rlim_t)(lowest + room);
			ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
			r = rdy_poll_new(&o, &poll);
			ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
			if (r == 0) {
				rdy_poll_free(poll);
				break;
			}
			n_failed++;
			ck_assert_int_eq(r, -EMFILE);
			ck_assert_ptr_null(poll);
			ck_assert_int_eq(unit_count_fds(), base);
		}
		ck_assert_int_ge(n_failed, 1);
		ck_assert_int_eq(unit_count_fds(), base);
	}
}
END_TEST

UNIT_MAIN("reactor/misuse", kinds_of_files, creation, registering, the_polls_own_descriptors,
	waiting, no_descriptor_left)
