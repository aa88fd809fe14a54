/* SPDX-License-Identifier: MIT */
/* Signals: as readiness, with who sent them. */
#include <pthread.h>
#include <signal.h>

#include "os.h"

static void block(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	ck_assert_int_eq(pthread_sigmask(how, &set, NULL), 0);
}

START_TEST(are_told)
{
	const int wanted[] = {SIGUSR1, SIGRTMIN};

	block(SIG_BLOCK);
	for_each_variant(b)
	{
		for_each_mode(mode)
		{
			struct rdy_io *io;
			struct rdy_signal s;

			ck_assert_int_eq(rdy_signals_new(wanted, 2, &io), 0);
			watch(&b, io, *mode);
			ck_assert_int_eq(rdy_signals_next(io, &s), -EAGAIN);
			for (int round = 0; round < 2; round++) {
				ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
				ck_assert_int_eq(sigqueue(getpid(), SIGRTMIN,
							 (union sigval){.sival_int = 42 + round}),
					0);
				wait_readable(&b);
				ck_assert_int_eq(rdy_signals_next(io, &s), 0);
				ck_assert(s.signal == SIGUSR1 && s.code == SI_USER &&
					  s.pid == (int)getpid() && s.uid == getuid());
				ck_assert_int_eq(rdy_signals_next(io, &s), 0);
				ck_assert(s.signal == SIGRTMIN && s.code == SI_QUEUE &&
					  s.value == 42 + round);
				ck_assert_int_eq(rdy_signals_next(io, &s), -EAGAIN);
				if (*mode == RDY_ONESHOT)
					rdy_source_rearm(rdy_io_source(io));
			}
			rdy_io_free(io);
		}
	}
	block(SIG_UNBLOCK);
}
END_TEST

START_TEST(of_a_child)
{
	const int wanted[] = {SIGCHLD};
	struct bench b = {.v = variants};
	struct rdy_signal s;
	struct rdy_io *io;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	bench_open(&b, 0);
	ck_assert_int_eq(rdy_signals_new(wanted, 1, &io), 0);
	watch(&b, io, RDY_EDGE);
	for (int killed = 0; killed < 2; killed++) {
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			if (killed)
				kill(getpid(), SIGKILL);
			_exit(7);
		}
		wait_readable(&b);
		ck_assert_int_eq(rdy_signals_next(io, &s), 0);
		ck_assert_int_eq(s.signal, SIGCHLD);
		ck_assert_int_eq(s.code, killed ? CLD_KILLED : CLD_EXITED);
		ck_assert_int_eq(s.status, killed ? SIGKILL : 7);
		ck_assert(s.pid == (int)pid && s.uid == getuid() && s.value == 0);
		ck_assert_int_eq(rdy_signals_next(io, &s), -EAGAIN);
		/* Told, not reaped. */
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	rdy_io_free(io);
	bench_close(&b);
	ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}
END_TEST

START_TEST(wrong_arguments)
{
	const int usr[] = {SIGUSR1}, bad[] = {SIGUSR1, 0}, far[] = {10000}, kills[] = {SIGKILL},
		  stops[] = {SIGSTOP};
	struct rdy_io *io = NULL, *other = another();
	struct rdy_signal s;

	ck_assert_int_eq(rdy_signals_new(NULL, 1, &io), -EINVAL);
	ck_assert_int_eq(rdy_signals_new(usr, 0, &io), -EINVAL);
	ck_assert_int_eq(rdy_signals_new(usr, 1, NULL), -EINVAL);
	ck_assert_int_eq(rdy_signals_new(bad, 2, &io), -EINVAL);
	ck_assert_int_eq(rdy_signals_new(far, 1, &io), -EINVAL);
	ck_assert_int_eq(rdy_signals_new(kills, 1, &io), -EINVAL);
	ck_assert_int_eq(rdy_signals_new(stops, 1, &io), -EINVAL);
	ck_assert_ptr_null(io);
	ck_assert_int_eq(rdy_signals_new(usr, 1, &io), 0);
	ck_assert_int_eq(rdy_signals_next(io, NULL), -EINVAL);
	ck_assert_int_eq(rdy_signals_next(NULL, &s), -EINVAL);
	ck_assert_int_eq(rdy_signals_next(other, &s), -EINVAL);
	rdy_io_free(io);
	rdy_io_free(other);
}
END_TEST

UNIT_MAIN("os/signals", are_told, of_a_child, wrong_arguments)
