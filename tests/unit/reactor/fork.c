/* SPDX-License-Identifier: MIT */
/* What a forked child may do with its parent's poll: free it. */
#include "reactor.h"

/* In the child; the exit code is the line of the first wrong answer, modulo 255, plus 1. */
#define want(expr, value) \
	do { \
		if ((expr) != (value)) \
			unit_exit(1 + __LINE__ % 255); \
	} while (0)

static void child(struct bench *b, int fd, int other, struct rdy_waker *w, struct rdy_timer *t)
{
	struct bench own = {.v = b->v};
	struct rdy_waker *w2;
	struct rdy_timer *t2;

	want(rdy_poll_register(b->poll, other, 2, RDY_READABLE, RDY_EDGE), -ECHILD);
	want(rdy_poll_modify(b->poll, fd, 2, RDY_READABLE, RDY_EDGE), -ECHILD);
	want(rdy_poll_rearm(b->poll, fd), -ECHILD);
	want(rdy_poll_deregister(b->poll, fd), -ECHILD);
	want(rdy_poll_wait(b->poll, b->events, 0), -ECHILD);
	want(rdy_poll_fd(b->poll), -ECHILD);
	want(rdy_waker_wake(w), -ECHILD);
	want(rdy_timer_set(t, 0), -ECHILD);
	want(rdy_waker_new(b->poll, 1, &w2), -ECHILD);
	want(rdy_timer_new(b->poll, 1, &t2), -ECHILD);
	/* A poll of the child's own works, and does not revive the parent's. */
	bench_open(&own, 0);
	want(rdy_poll_register(own.poll, other, 2, RDY_READABLE, RDY_EDGE), 0);
	want(rdy_poll_wait(own.poll, own.events, 0), 1);
	want(rdy_poll_deregister(b->poll, fd), -ECHILD);
	bench_close(&own);
	rdy_waker_free(w);
	rdy_timer_free(t);
	bench_close(b);
	unit_exit(0);
}

/* Invariant: FORK-1 */
START_TEST(child_is_refused)
{
	for_each_variant(b)
	{
		int fd = an_eventfd(0), other = an_eventfd(1), status;
		struct rdy_waker *w;
		struct rdy_timer *t;
		pid_t pid;

		ck_assert_int_eq(rdy_waker_new(b.poll, 3, &w), 0);
		ck_assert_int_eq(rdy_timer_new(b.poll, 4, &t), 0);
		ck_assert_int_eq(rdy_poll_register(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			child(&b, fd, other, w, t);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: %#x", status);
		/* The parent's registrations, wakers and timers have felt nothing. */
		eventfd_write(fd, 1);
		rdy_waker_wake(w);
		rdy_timer_set(t, 0);
		ck_assert_int_eq(take(&b, 0), 3);
		rdy_waker_free(w);
		rdy_timer_free(t);
		shut(&fd);
		shut(&other);
	}
}
END_TEST

UNIT_MAIN("reactor/fork", child_is_refused)
