/* SPDX-License-Identifier: MIT */
/* What mio's suite leaves out: one test for each. */
#include <limits.h>
#include <signal.h>
#include <sys/time.h>

#include "conformance.h"
#include "inject.h"

#define WAKE (RDY_WAKE | RDY_READABLE)
#define TOKEN 7

static volatile sig_atomic_t n_alarms;

static void count(int sig)
{
	n_alarms++;
}

static void alarms(suseconds_t every_us)
{
	struct itimerval it = {{0, every_us}, {0, every_us}};
	struct sigaction sa = {.sa_handler = count};

	sigaction(SIGALRM, &sa, NULL);
	n_alarms = 0;
	ok(setitimer(ITIMER_REAL, &it, NULL));
}

/* Retried with the time that is left, or returned where that was asked for; nothing is lost by either. */
START_TEST(eintr_from_poll)
{
	for_each_variant(b)
	{
		struct bench told = {.v = b.v};
		int64_t start = rdy_now_ns();
		int fd = an_eventfd(0);

		bench_open(&told, RDY_POLL_RETURN_EINTR);
		ok(rdy_poll_register(b.poll, fd, TOKEN, RDY_READABLE, RDY_EDGE));
		ok(rdy_poll_register(told.poll, fd, TOKEN, RDY_READABLE, RDY_EDGE));
		alarms(1000);
		ok(take(&b, 20 * MS));
		ck_assert_int_ge(rdy_now_ns() - start, 20 * MS);
		ck_assert_int_ge(n_alarms, 1);
		fails(take(&told, -1), EINTR);
		alarms(0);
		ok(eventfd_write(fd, 1));
		expect(&b, TOKEN, RDY_READABLE);
		expect(&told, TOKEN, RDY_READABLE);
		bench_close(&told);
		shut(&fd);
	}
}
END_TEST

/* Rounded up, never down; and what is more than INT_MAX milliseconds neither overflows nor ends at once. */
START_TEST(timeouts)
{
	static const int64_t short_ones[] = {1, 999, 1000, 999999, MS, MS + 1, 2 * MS + 1},
			     long_ones[] = {(INT_MAX - INT64_C(1)) * MS, INT_MAX * MS,
				     (INT_MAX + INT64_C(1)) * MS, (INT64_C(1) << 32) * MS,
				     INT64_MAX, -1, INT64_MIN};

	for_each_variant(b)
	{
		for (size_t i = 0; i < sizeof(short_ones) / sizeof(short_ones[0]); i++) {
			int64_t start = rdy_now_ns();

			ok(take(&b, short_ones[i]));
			ck_assert_int_ge(rdy_now_ns() - start, short_ones[i]);
		}
		for (size_t i = 0; i < sizeof(long_ones) / sizeof(long_ones[0]); i++) {
			struct rdy_timer *t;

			ok(rdy_timer_new(b.poll, TOKEN, &t));
			ok(rdy_timer_set(t, rdy_now_ns() + MS));
			gives(take(&b, long_ones[i]), 1);
			ck_assert_uint_eq(b.got[0].ready, RDY_TIMER);
			rdy_timer_free(t);
		}
	}
}
END_TEST

#define N_READY 20

/* More is ready than fits: the rest comes next, nothing twice; and what stays ready keeps nothing else out. */
START_TEST(more_ready_than_fits)
{
	static const uint32_t modes[] = {RDY_EDGE, RDY_ONESHOT, RDY_LEVEL};

	for_each_variant(b)
	{
		for (int m = 0; m < 3; m++) {
			struct rdy_events *small;
			struct rdy_event e;
			int fds[N_READY], seen[N_READY] = {0};

			ok(rdy_events_new(3, &small));
			for (int i = 0; i < N_READY; i++) {
				fds[i] = an_eventfd(1);
				ok(rdy_poll_register(
					b.poll, fds[i], (uint64_t)i, RDY_READABLE, modes[m]));
			}
			for (int n = 0, r; n < N_READY; n += r) {
				r = rdy_poll_wait(b.poll, small, 0);
				ck_assert_int_gt(r, 0);
				ck_assert_int_le(r, 3);
				while (rdy_events_next(small, &e))
					seen[e.token]++;
			}
			for (int i = 0; i < N_READY; i++) {
				gives(seen[i] > 0, 1);
				if (modes[m] != RDY_LEVEL)
					gives(seen[i], 1);
				ok(rdy_poll_deregister(b.poll, fds[i]));
				shut(&fds[i]);
			}
			rdy_events_free(small);
		}
	}
}
END_TEST

/* mio's poll fails with EINVAL; here there is no such batch. */
START_TEST(capacity_0)
{
	for_each_variant(b)
	{
		struct rdy_events *none = NULL;

		fails(rdy_events_new(0, &none), EINVAL);
		ck_assert_ptr_null(none);
		fails(rdy_poll_wait(b.poll, NULL, 0), EINVAL);
	}
}
END_TEST

/* A duplicate is a registration of its own, and keeps no closed one alive. */
START_TEST(duplicated_descriptor)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(0), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		ok(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE));
		ok(rdy_poll_register(b.poll, copy, 2, RDY_READABLE, RDY_EDGE));
		ok(eventfd_write(fd, 1));
		gives(take(&b, 0), 2);
		ck_assert_uint_ne(b.got[0].token, b.got[1].token);
		ok(rdy_poll_deregister(b.poll, copy));
		ok(eventfd_write(fd, 1));
		ok(rdy_poll_rearm(b.poll, fd));
		expect(&b, 1, RDY_READABLE);
		/* Deregistered and closed; the file lives on in the duplicate, without a word. */
		ok(rdy_poll_deregister(b.poll, fd));
		shut(&fd);
		ok(eventfd_write(copy, 1));
		expect_none(&b);
		shut(&copy);
	}
}
END_TEST

/*
 * A number is another file's, and nothing comes under the old token: not what was fetched, nor from a duplicate that
 * keeps the old file open; deregistered as it should be, or closed without a word and noticed by a wait.
 */
START_TEST(number_used_again)
{
	for_each_variant(b)
	{
		for (int deregistered = 0; deregistered < 2; deregistered++) {
			int fd = an_eventfd(1), old = fd, copy = fcntl(fd, F_DUPFD_CLOEXEC, 100);
			struct rdy_event e;

			ok(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_LEVEL));
			gives(rdy_poll_wait(b.poll, b.events, 0), 1);
			if (deregistered)
				ok(rdy_poll_deregister(b.poll, fd));
			else
				shut(&copy);
			shut(&fd);
			if (!deregistered)
				expect_none(&b);
			fd = an_eventfd(0);
			gives(fd, old);
			ok(rdy_poll_register(b.poll, fd, 2, RDY_READABLE, RDY_LEVEL));
			/* What was fetched is stale by now. */
			gives(rdy_events_next(b.events, &e), 0);
			expect_none(&b);
			ok(eventfd_write(fd, 1));
			for (int i = 0; i < 3; i++)
				expect(&b, 2, RDY_READABLE);
			ok(rdy_poll_deregister(b.poll, fd));
			expect_none(&b);
			shut(&fd);
			if (copy >= 0)
				shut(&copy);
		}
	}
}
END_TEST

/* mio leaves it in the batch (issue 219). */
START_TEST(deregistered_after_the_fetch)
{
	for_each_variant(b)
	{
		int fds[3];
		struct rdy_event e;

		for (int i = 0; i < 3; i++) {
			fds[i] = an_eventfd(1);
			ok(rdy_poll_register(b.poll, fds[i], (uint64_t)i, RDY_READABLE, RDY_EDGE));
		}
		gives(rdy_poll_wait(b.poll, b.events, 0), 3);
		gives(rdy_events_next(b.events, &e), 1);
		for (int i = 0; i < 3; i++)
			if (i != (int)e.token) {
				ok(rdy_poll_deregister(b.poll, fds[i]));
				/* The same number, again and for another purpose. */
				ok(rdy_poll_register(
					b.poll, fds[i], 10 + (uint64_t)i, RDY_WRITABLE, RDY_EDGE));
			}
		gives(rdy_events_next(b.events, &e), 0);
		gives(take(&b, 0), 2);
		for (int i = 0; i < 2; i++) {
			ck_assert_uint_ge(b.got[i].token, 10);
			ck_assert_uint_eq(b.got[i].ready, RDY_WRITABLE);
		}
		for (int i = 0; i < 3; i++)
			shut(&fds[i]);
	}
}
END_TEST

struct churn {
	struct rdy_poll *poll;
	struct rdy_waker *steady;
	atomic_bool stop;
};

static void *make_wake_free(void *p)
{
	struct churn *c = p;

	while (!atomic_load(&c->stop)) {
		struct rdy_waker *w;

		ok(rdy_waker_new(c->poll, 1, &w));
		ok(rdy_waker_wake(w));
		rdy_waker_free(w);
		ok(rdy_waker_wake(c->steady));
	}
	return NULL;
}

/*
 * Wakers come, wake and go in two threads while a third one takes the events: none of a waker that stays is
 * lost, none of one that went is invented.
 */
START_TEST(wakers_freed_while_others_wake)
{
	for_each_variant(b)
	{
		struct churn c = {.poll = b.poll};
		pthread_t t[2];
		uint64_t before;

		ok(rdy_waker_new(b.poll, 2, &c.steady));
		for (int i = 0; i < 2; i++)
			t[i] = started(make_wake_free, &c);
		for (int n = 0; n < 1000;) {
			ck_assert_int_ge(take(&b, LONG_NS), 1);
			for (int i = 0; i < b.n; i++) {
				ck_assert(b.got[i].token == 1 || b.got[i].token == 2);
				ck_assert_uint_eq(b.got[i].ready, WAKE);
				n += b.got[i].token == 2;
			}
		}
		atomic_store(&c.stop, true);
		for (int i = 0; i < 2; i++)
			ok(pthread_join(t[i], NULL));
		while (take(&b, 0) > 0)
			;
		before = rdy_waker_count(c.steady);
		ok(rdy_waker_wake(c.steady));
		expect(&b, 2, WAKE);
		ck_assert_uint_eq(rdy_waker_count(c.steady), before + 1);
		rdy_waker_free(c.steady);
	}
}
END_TEST

/* No descriptors: each constructor says so, nothing is left half made, and it works as soon as there are some. */
START_TEST(out_of_descriptors)
{
	for_each_variant(b)
	{
		struct rdy_addr at = addr_of(LOOPBACK);
		struct rdy_io *l = a_listener(LOOPBACK), *c = a_client(l), *got[2] = {NULL, NULL};
		struct rdy_poll *none = NULL;
		struct rdy_poll_options o = {
			.size = sizeof(o), .selector = b.v->selector, .flags = b.v->flags};
		struct rlimit before;

		data_arrived(l);
		before = no_more_descriptors();
		fails(rdy_poll_new(&o, &none), EMFILE);
		fails(rdy_tcp_listen(&at, 0, &got[0]), EMFILE);
		fails(rdy_tcp_connect(&at, &got[0]), EMFILE);
		fails(rdy_tcp_accept(l, NULL, &got[0]), EMFILE);
		fails(rdy_udp_bind(&at, &got[0]), EMFILE);
		fails(rdy_unix_pair(&got[0], &got[1]), EMFILE);
		fails(rdy_pipe_new(&got[0], &got[1]), EMFILE);
		descriptors_again(before);
		ck_assert(!none && !got[0] && !got[1]);
		ok(rdy_tcp_accept(l, NULL, &got[0]));
		rdy_io_free(got[0]);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

/* Each allocation and each system call of a registration fails in turn: not registered, and the retry succeeds. */
static void registration_fails(struct bench *b, unsigned int kind, int error)
{
	struct rdy_registry *registry = rdy_poll_registry(b->poll);
	struct rdy_io *io[2];
	int fd, failed = 0;

	ok(rdy_unix_pair(&io[0], &io[1]));
	/* Far away, so that tables have to grow. */
	fd = fcntl(rdy_io_fd(io[0]), F_DUPFD_CLOEXEC, 700);
	ck_assert_int_ge(fd, 700);
	rdy_io_free(io[0]);
	ok(rdy_io_new(fd, &io[0]));
	for (size_t n = 0;; n++) {
		struct rdy_source *s = rdy_io_source(io[0]);
		int r;

		inject_fail(kind, n, error, false);
		r = rdy_source_register(s, registry, TOKEN, RDY_WRITABLE, RDY_EDGE);
		/* As many calls as were let through: none was left to fail. */
		if (inject_stop() <= n) {
			ok(r);
			break;
		}
		if (r == 0) {
			/* It got along without. */
			dereg(io[0]);
			continue;
		}
		ck_assert_msg(r == -error, "%s: %d, not %d", inject_name(n), r, -error);
		gives(rdy_source_is_registered(s), 0);
		expect_none(b);
		failed++;
	}
	expect(b, TOKEN, RDY_WRITABLE);
	fprintf(stderr, "# error %d: refused %d times\n", error, failed);
	free_all(io, 2);
}

START_TEST(out_of_memory)
{
	for_each_variant(b)
	{
		struct rdy_events *events = NULL;
		struct rdy_waker *w = NULL;
		int r[2];

		/* Of the test's own, too: nothing is said until it is over. */
		inject_fail(INJECT_MEMORY, 0, ENOMEM, true);
		r[0] = rdy_events_new(8, &events);
		r[1] = rdy_waker_new(b.poll, 1, &w);
		inject_stop();
		fails(r[0], ENOMEM);
		fails(r[1], ENOMEM);
		ck_assert(!events && !w);
		registration_fails(&b, INJECT_MEMORY, ENOMEM);
		expect_none(&b);
	}
}
END_TEST

/* fs.epoll.max_user_watches; poll(2) has no such limit. */
START_TEST(too_many_watches)
{
	for_each_variant(b)
	{
		if (strcmp(b.v->selector, "epoll") == 0)
			registration_fails(&b, INJECT_KERNEL, ENOSPC);
	}
}
END_TEST

#define MORE_THAN_A_PIPE_HOLDS 70000

/* More wakers are woken than a pipe holds bytes; each has its event, and wakes after that are not lost. */
START_TEST(more_wakes_than_fit)
{
	for_each_variant(b)
	{
		static struct rdy_waker *w[MORE_THAN_A_PIPE_HOLDS];
		static bool seen[MORE_THAN_A_PIPE_HOLDS];
		struct rdy_events *events;
		struct rdy_event e;
		/* An eventfd holds any number. */
		int n_wakers = b.v->flags & RDY_POLL_PIPE_WAKER ? MORE_THAN_A_PIPE_HOLDS : 5000;

		memset(seen, 0, sizeof(seen));
		ok(rdy_events_new(4096, &events));
		for (int i = 0; i < n_wakers; i++) {
			ok(rdy_waker_new(b.poll, (uint64_t)i, &w[i]));
			ok(rdy_waker_wake(w[i]));
			ok(rdy_waker_wake(w[i]));
		}
		for (int n = 0; n < n_wakers;) {
			ck_assert_int_gt(rdy_poll_wait(b.poll, events, 0), 0);
			while (rdy_events_next(events, &e)) {
				ck_assert(!seen[e.token]);
				seen[e.token] = true;
				n++;
			}
		}
		expect_none(&b);
		ok(rdy_waker_wake(w[5]));
		expect(&b, 5, WAKE);
		for (int i = 0; i < n_wakers; i++)
			rdy_waker_free(w[i]);
		rdy_events_free(events);
	}
}
END_TEST

/* A child may free what it inherited, and nothing else; its parent notices nothing. */
START_TEST(after_fork)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		struct rdy_waker *w;
		int status;
		pid_t pid;

		ok(rdy_unix_pair(&io[0], &io[1]));
		reg(&b, io[0], TOKEN, RDY_READABLE);
		ok(rdy_waker_new(b.poll, 1, &w));
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			struct rdy_source *s = rdy_io_source(io[0]);

			if (rdy_poll_wait(b.poll, b.events, 0) != -ECHILD ||
				rdy_waker_wake(w) != -ECHILD ||
				rdy_source_modify(s, 8, RDY_READABLE, RDY_EDGE) != -ECHILD ||
				rdy_poll_register(b.poll, 0, 8, RDY_READABLE, RDY_EDGE) != -ECHILD)
				unit_exit(1);
			free_all(io, 2);
			rdy_waker_free(w);
			bench_close(&b);
			unit_exit(0);
		}
		gives(waitpid(pid, &status, 0), pid);
		gives(status, 0);
		send_text(io[1], HELLO);
		expect(&b, TOKEN, RDY_READABLE);
		ok(rdy_waker_wake(w));
		expect(&b, 1, WAKE);
		rdy_waker_free(w);
		free_all(io, 2);
	}
}
END_TEST

#define N_MANY 2000

/* Beyond what select(2) can name; all of them ready, then a few. */
START_TEST(more_than_1024_descriptors)
{
	struct rlimit before, more;

	ok(getrlimit(RLIMIT_NOFILE, &before));
	if (before.rlim_max < N_MANY + 200)
		unit_skip("no %d descriptors here", N_MANY + 200);
	more = before;
	more.rlim_cur = before.rlim_cur > N_MANY + 200 ? before.rlim_cur : N_MANY + 200;
	ok(setrlimit(RLIMIT_NOFILE, &more));
	for_each_variant(b)
	{
		static int fds[N_MANY];
		static bool seen[N_MANY];

		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < N_MANY; i++) {
			fds[i] = an_eventfd(1);
			ok(rdy_poll_register(b.poll, fds[i], (uint64_t)i, RDY_READABLE, RDY_EDGE));
		}
		ck_assert_int_gt(fds[N_MANY - 1], 1024);
		for (int n = 0; n < N_MANY; n += b.n) {
			ck_assert_int_gt(take(&b, 0), 0);
			for (int i = 0; i < b.n; i++) {
				ck_assert(!seen[b.got[i].token]);
				seen[b.got[i].token] = true;
			}
		}
		expect_none(&b);
		for (int i = 0; i < 3; i++) {
			ok(rdy_poll_modify(b.poll, fds[N_MANY - 1], 12345, RDY_READABLE, RDY_EDGE));
			expect(&b, 12345, RDY_READABLE);
		}
		for (int i = 0; i < N_MANY; i++)
			shut(&fds[i]);
	}
	ok(setrlimit(RLIMIT_NOFILE, &before));
}
END_TEST

/* What happens in the inner poll is an event of the outer one; a ring is refused, by both ends unharmed. */
START_TEST(poll_in_a_poll)
{
	for_each_variant(b)
	{
		struct bench inner = {.v = &variants[0]};
		struct rdy_waker *w;
		int fd = an_eventfd(0), inner_fd;

		bench_open(&inner, b.v->flags);
		inner_fd = rdy_poll_fd(inner.poll);
		ck_assert_int_ge(inner_fd, 0);
		ok(rdy_waker_new(inner.poll, 1, &w));
		ok(rdy_poll_register(inner.poll, fd, 2, RDY_READABLE, RDY_EDGE));
		ok(rdy_poll_register(b.poll, inner_fd, 3, RDY_READABLE, RDY_LEVEL));
		expect_none(&b);
		ok(eventfd_write(fd, 1));
		expect(&b, 3, RDY_READABLE);
		expect(&inner, 2, RDY_READABLE);
		expect_none(&b);
		ok(rdy_waker_wake(w));
		expect(&b, 3, RDY_READABLE);
		expect(&inner, 1, WAKE);
		expect_none(&b);
		fails(rdy_poll_register(inner.poll, inner_fd, 4, RDY_READABLE, RDY_EDGE), EINVAL);
		if (rdy_poll_caps(b.poll) & RDY_CAP_NESTABLE)
			fails(rdy_poll_register(
				      inner.poll, rdy_poll_fd(b.poll), 4, RDY_READABLE, RDY_EDGE),
				ELOOP);
		else
			fails(rdy_poll_fd(b.poll), ENOTSUP);
		ok(eventfd_write(fd, 1));
		expect(&b, 3, RDY_READABLE);
		expect(&inner, 2, RDY_READABLE);
		rdy_waker_free(w);
		ok(rdy_poll_deregister(b.poll, inner_fd));
		bench_close(&inner);
		shut(&fd);
	}
}
END_TEST

/* Refused each time with the same word: mio's retry says that it is registered already. */
START_TEST(regular_files)
{
	for_each_variant(b)
	{
		char path[] = "/tmp/readyd-conformance-XXXXXX";
		int fds[2] = {
			mkostemp(path, O_CLOEXEC), open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

		for (int i = 0; i < 2; i++) {
			struct rdy_io *io;
			struct rdy_source *s;

			ok(rdy_io_new(fds[i], &io));
			s = rdy_io_source(io);
			for (int k = 0; k < 3; k++) {
				fails(rdy_source_register(s, rdy_poll_registry(b.poll), TOKEN,
					      RDY_READABLE, RDY_EDGE),
					EPERM);
				gives(rdy_source_is_registered(s), 0);
			}
			fails(rdy_poll_deregister(b.poll, fds[i]), ENOENT);
			rdy_io_free(io);
		}
		expect_none(&b);
		ok(unlink(path));
	}
}
END_TEST

UNIT_MAIN("conformance/untested", eintr_from_poll, timeouts, more_ready_than_fits, capacity_0,
	duplicated_descriptor, number_used_again, deregistered_after_the_fetch,
	wakers_freed_while_others_wake, out_of_descriptors, out_of_memory, too_many_watches,
	more_wakes_than_fit, after_fork, more_than_1024_descriptors, poll_in_a_poll, regular_files)
