/* SPDX-License-Identifier: MIT */
/* Children: their end as readiness, and how it was. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "os.h"

/* Waits for a byte, then exits with it; 0xff: kills itself. */
static pid_t start(int *ret_pipe)
{
	int p[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		unsigned char c = 1;

		close(p[1]);
		if (read(p[0], &c, 1) == 1 && c == 0xff)
			kill(getpid(), SIGKILL);
		_exit(c);
	}
	close(p[0]);
	*ret_pipe = p[1];
	return pid;
}

START_TEST(ends)
{
	for_each_variant(b)
	{
		for_each_mode(mode)
		{
			for (int killed = 0; killed < 2; killed++) {
				unsigned char c = killed ? 0xff : 17;
				struct rdy_child_status s;
				struct rdy_io *io;
				int p;
				pid_t pid = start(&p);

				ck_assert_int_eq(rdy_child_new((int)pid, &io), 0);
				watch(&b, io, *mode);
				ck_assert_int_eq(rdy_child_status(io, &s), -EAGAIN);
				ck_assert_int_eq(write(p, &c, 1), 1);
				wait_readable(&b);
				ck_assert_int_eq(rdy_child_status(io, &s), 0);
				ck_assert_int_eq(s.exited, !killed);
				ck_assert_int_eq(s.status, killed ? SIGKILL : 17);
				ck_assert_int_eq(s.dumped_core, 0);
				/* It was reaped. */
				ck_assert_int_eq(rdy_child_status(io, &s), -ECHILD);
				ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), -1);
				rdy_io_free(io);
				shut(&p);
			}
		}
	}
}
END_TEST

/* Its end is told, its status only to its parent. */
START_TEST(of_somebody_else)
{
	struct bench b = {.v = variants};
	struct rdy_child_status s;
	struct rdy_io *io;
	int up[2], hold[2];
	pid_t middle, grandchild = 0;

	ck_assert_int_eq(pipe2(up, O_CLOEXEC) | pipe2(hold, O_CLOEXEC), 0);
	middle = fork();
	if (middle == 0) {
		pid_t pid = fork();
		char c;

		if (pid == 0) {
			close(hold[1]);
			_exit((int)read(hold[0], &c, 1));
		}
		if (write(up[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	ck_assert_int_eq(read(up[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	bench_open(&b, 0);
	ck_assert_int_eq(rdy_child_new((int)grandchild, &io), 0);
	watch(&b, io, RDY_EDGE);
	ck_assert_int_eq(rdy_child_status(io, &s), -ECHILD);
	/* The one in between has this end, too. */
	ck_assert_int_eq(kill(grandchild, SIGKILL), 0);
	wait_readable(&b);
	ck_assert_int_eq(rdy_child_status(io, &s), -ECHILD);
	rdy_io_free(io);
	bench_close(&b);
	ck_assert_int_eq(waitpid(middle, NULL, 0), middle);
	for (int i = 0; i < 2; i++) {
		shut(&up[i]);
		shut(&hold[i]);
	}
}
END_TEST

/* Of clone(2), its end raises no signal: a child all the same. */
START_TEST(without_sigchld)
{
	for_each_variant(b)
	{
		struct rdy_child_status s;
		struct rdy_io *io;
		long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);

		if (pid == 0)
			_exit(5);
		ck_assert_int_gt(pid, 0);
		ck_assert_int_eq(rdy_child_new((int)pid, &io), 0);
		watch(&b, io, RDY_EDGE);
		wait_readable(&b);
		ck_assert_int_eq(rdy_child_status(io, &s), 0);
		ck_assert(s.exited == 1 && s.status == 5);
		ck_assert_int_eq(rdy_child_status(io, &s), -ECHILD);
		rdy_io_free(io);
	}
}
END_TEST

static void *try_itself(void *ret)
{
	struct rdy_io *io;

	*(int *)ret = rdy_child_new((int)syscall(SYS_gettid), &io);
	return NULL;
}

/* Numbers that are in use, but not by a process. */
START_TEST(no_process)
{
	struct rdy_io *io = NULL;
	int r = 0, ready[2], hold[2];
	pthread_t thread;
	pid_t leader;
	char c;

	ck_assert_int_eq(pthread_create(&thread, NULL, try_itself, &r), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(r, -ESRCH);

	/* A group outlives its leader, until this end of hold is closed. */
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC) | pipe2(hold, O_CLOEXEC), 0);
	leader = fork();
	ck_assert_int_ge(leader, 0);
	if (leader == 0) {
		if (setpgid(0, 0) < 0 || fork() != 0)
			_exit(0);
		close(hold[1]);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit((int)read(hold[0], &c, 1));
	}
	shut(&ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_int_eq(waitpid(leader, NULL, 0), leader);
	ck_assert_int_eq(kill(-leader, 0), 0);
	ck_assert_int_eq(rdy_child_new((int)leader, &io), -ESRCH);
	ck_assert_ptr_null(io);
	shut(&ready[0]);
	shut(&hold[0]);
	shut(&hold[1]);
}
END_TEST

START_TEST(wrong_arguments)
{
	struct rdy_io *io = NULL, *other = another();
	struct rdy_child_status s;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(rdy_child_new((int)pid, &io), -ESRCH);
	ck_assert_int_eq(rdy_child_new(0, &io), -EINVAL);
	ck_assert_int_eq(rdy_child_new(-1, &io), -EINVAL);
	ck_assert_int_eq(rdy_child_new((int)getpid(), NULL), -EINVAL);
	ck_assert_ptr_null(io);
	ck_assert_int_eq(rdy_child_status(NULL, &s), -EINVAL);
	ck_assert_int_eq(rdy_child_status(other, &s), -EINVAL);
	ck_assert_int_eq(rdy_child_new((int)getpid(), &io), 0);
	ck_assert_int_eq(rdy_child_status(io, NULL), -EINVAL);
	rdy_io_free(io);
	rdy_io_free(other);
}
END_TEST

UNIT_MAIN("os/child", ends, of_somebody_else, without_sigchld, no_process, wrong_arguments)
