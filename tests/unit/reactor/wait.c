/* SPDX-License-Identifier: MIT */
/* Timeouts, signals, and kernels without epoll_pwait2. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "reactor.h"

static void timeouts_hold(struct bench *b)
{
	static const int64_t timeouts[] = {1, 1000, 400000, MS, MS + 1, 3 * MS};

	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		int64_t start = rdy_now_ns();

		ck_assert_int_eq(take(b, timeouts[i]), 0);
		ck_assert_int_ge(rdy_now_ns() - start, timeouts[i]);
	}
}

START_TEST(never_early)
{
	for_each_variant(b) timeouts_hold(&b);
}
END_TEST

/* The longest timeout neither overflows nor ends at once. */
START_TEST(longest_timeout)
{
	for_each_variant(b)
	{
		int64_t long_ones[] = {INT64_MAX, INT64_C(3000000) * 1000 * MS, -1, INT64_MIN};

		for (int i = 0; i < 4; i++) {
			struct rdy_timer *t;

			ck_assert_int_eq(rdy_timer_new(b.poll, 1, &t), 0);
			rdy_timer_set(t, rdy_now_ns() + 2 * MS);
			ck_assert_int_eq(take(&b, long_ones[i]), 1);
			ck_assert_uint_eq(b.got[0].ready, RDY_TIMER);
			ck_assert_int_eq(rdy_timer_set(t, INT64_MAX), 0);
			ck_assert_int_eq(take(&b, MS), 0);
			rdy_timer_free(t);
		}
	}
}
END_TEST

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
	ck_assert_int_eq(setitimer(ITIMER_REAL, &it, NULL), 0);
}

/* However often a signal comes, the wait lasts as long as was asked, and not much longer. */
START_TEST(signals_do_not_end_or_prolong)
{
	for_each_variant(b)
	{
		int64_t start = rdy_now_ns(), took;

		alarms(1000);
		ck_assert_int_eq(take(&b, 30 * MS), 0);
		took = rdy_now_ns() - start;
		ck_assert_int_ge(n_alarms, 2);
		alarms(0);
		ck_assert_int_ge(took, 30 * MS);
		ck_assert_int_lt(took, LONG_NS);
	}
}
END_TEST

START_TEST(signals_are_told_if_asked)
{
	for (size_t v = 0; v < sizeof(variants) / sizeof(variants[0]); v++) {
		struct bench b = {.v = &variants[v]};
		int fd = an_eventfd(1);

		bench_open(&b, RDY_POLL_RETURN_EINTR);
		alarms(1000);
		ck_assert_int_eq(take(&b, LONG_NS), -EINTR);
		ck_assert_int_eq(take(&b, -1), -EINTR);
		alarms(0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_LEVEL), 0);
		expect(&b, 1, RDY_READABLE);
		bench_close(&b);
		shut(&fd);
	}
}
END_TEST

/* poll(2) takes no more descriptors than may be open, however many are. */
START_TEST(a_lowered_limit)
{
	for_each_variant(b)
	{
		struct rlimit was, low;
		int fds[20];

		for (int i = 0; i < 20; i++) {
			fds[i] = an_eventfd(1);
			ck_assert_int_eq(rdy_poll_register(b.poll, fds[i], (uint64_t)i,
						 RDY_READABLE, RDY_LEVEL),
				0);
		}
		ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
		low = (struct rlimit){20, was.rlim_max};
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		for (int i = 0; i < 3; i++) {
			int r = rdy_poll_wait(b.poll, b.events, (int64_t[]){0, LONG_NS, -1}[i]);

			ck_assert_int_eq(
				r, rdy_poll_caps(b.poll) & RDY_CAP_NESTABLE ? 20 : -EMFILE);
		}
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
		ck_assert_int_eq(take(&b, -1), 20);
		for (int i = 0; i < 20; i++)
			shut(&fds[i]);
	}
}
END_TEST

static void forbid(long nr, uint32_t error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

/* An old kernel, and a sandbox that knows no newer calls: milliseconds, still never early. */
START_TEST(without_nanoseconds)
{
	forbid(SYS_epoll_pwait2, ENOSYS);
	forbid(SYS_ppoll, ENOSYS);
	for_each_variant(b) timeouts_hold(&b);
	forbid(SYS_epoll_pwait2, EPERM);
	forbid(SYS_ppoll, EPERM);
	for_each_variant(b) timeouts_hold(&b);
}
END_TEST

struct second {
	struct rdy_poll *poll;
	struct rdy_waker *waker;
	atomic_int result;
};

static void *wait_long(void *p)
{
	struct second *s = p;
	struct rdy_events *events;

	if (rdy_events_new(1, &events) == 0) {
		atomic_store(&s->result, rdy_poll_wait(s->poll, events, LONG_NS));
		rdy_events_free(events);
	}
	return NULL;
}

/* Two threads cannot wait at the same time: exactly one of them is told. */
START_TEST(one_waits_at_a_time)
{
	for_each_variant(b)
	{
		struct second s = {b.poll, NULL, 1000};
		pthread_t t;
		int r;

		if (b.v->flags & RDY_POLL_SINGLE_THREAD)
			continue;
		ck_assert_int_eq(rdy_waker_new(b.poll, 1, &s.waker), 0);
		ck_assert_int_eq(pthread_create(&t, NULL, wait_long, &s), 0);
		/* Until one of the two has met the other. */
		do
			r = take(&b, 0);
		while (r == 0 && atomic_load(&s.result) == 1000);
		if (r == -EBUSY) {
			rdy_waker_wake(s.waker);
			pthread_join(t, NULL);
			ck_assert_int_eq(atomic_load(&s.result), 1);
		} else {
			pthread_join(t, NULL);
			ck_assert_int_eq(r, 0);
			ck_assert_int_eq(atomic_load(&s.result), -EBUSY);
		}
		rdy_waker_free(s.waker);
	}
}
END_TEST

struct changer {
	struct bench *b;
	int fd;
	pthread_barrier_t go;
};

static void *change(void *p)
{
	struct changer *c = p;

	pthread_barrier_wait(&c->go);
	rdy_poll_register(c->b->poll, c->fd, 1, RDY_READABLE, RDY_ONESHOT);
	pthread_barrier_wait(&c->go);
	rdy_poll_rearm(c->b->poll, c->fd);
	pthread_barrier_wait(&c->go);
	rdy_poll_modify(c->b->poll, c->fd, 2, RDY_READABLE, RDY_LEVEL);
	return NULL;
}

/* What another thread registers, rearms or modifies ends a wait that began before. */
START_TEST(changes_reach_a_wait_in_progress)
{
	for_each_variant(b)
	{
		struct changer c = {.b = &b, .fd = an_eventfd(1)};
		pthread_t t;

		if (b.v->flags & RDY_POLL_SINGLE_THREAD) {
			shut(&c.fd);
			continue;
		}
		pthread_barrier_init(&c.go, NULL, 2);
		ck_assert_int_eq(pthread_create(&t, NULL, change, &c), 0);
		for (unsigned int i = 0; i < 3; i++) {
			pthread_barrier_wait(&c.go);
			ck_assert_int_eq(take(&b, LONG_NS), 1);
			ck_assert_uint_eq(b.got[0].token, i == 2 ? 2 : 1);
		}
		pthread_join(t, NULL);
		pthread_barrier_destroy(&c.go);
		shut(&c.fd);
	}
}
END_TEST

UNIT_MAIN("reactor/wait", a_lowered_limit, never_early, longest_timeout,
	signals_do_not_end_or_prolong, signals_are_told_if_asked, without_nanoseconds,
	one_waits_at_a_time, changes_reach_a_wait_in_progress)
