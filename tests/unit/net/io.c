/* SPDX-License-Identifier: MIT */
/* What every io has: taking over, giving back, reading and writing without SIGPIPE. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>

#include "net.h"
#include "net/io.h"

START_TEST(takes_over_and_gives_back)
{
	int sv[2], file = open("/dev/null", O_RDWR);
	struct rdy_io *io = NULL;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ck_assert_int_eq(rdy_io_new(-1, &io), -EBADF);
	ck_assert_int_eq(rdy_io_new(9999, &io), -EBADF);
	ck_assert_int_eq(rdy_io_new(sv[0], NULL), -EINVAL);
	ck_assert_ptr_null(io);
	ck_assert_int_eq(rdy_io_new(sv[0], &io), 0);
	ck_assert_int_eq(rdy_io_fd(io), sv[0]);
	expect_flags(io);
	ck_assert_int_eq(rdy_io_set_blocking(io, 1), 0);
	ck_assert_int_eq(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(rdy_io_set_blocking(io, 0), 0);
	expect_flags(io);
	ck_assert_int_eq(rdy_io_set_blocking(io, 2), -EINVAL);
	ck_assert_int_eq(rdy_io_set_blocking(NULL, 0), -EINVAL);
	ck_assert_int_eq(rdy_io_release(io), sv[0]);
	ck_assert_int_eq(fcntl(sv[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(rdy_io_new(file, &io), 0);
	ck_assert_ptr_null(rdy_io_free(io));
	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
	ck_assert_ptr_null(rdy_io_free(NULL));
	ck_assert_int_eq(rdy_io_release(NULL), -EINVAL);
	ck_assert_int_eq(rdy_io_fd(NULL), -EINVAL);
	ck_assert_ptr_null(rdy_io_source(NULL));
	shut(&sv[0]);
	shut(&sv[1]);
}
END_TEST

/* Invariant: IO-1 */
START_TEST(freed_while_registered)
{
	for_each_variant(b)
	{
		struct rdy_io *a, *z;
		int keep;

		ck_assert_int_eq(rdy_unix_pair(&a, &z), 0);
		/* Somebody else holds the same file: closing alone would not end the registration. */
		keep = dup(rdy_io_fd(a));
		watch(&b, a, 1, RDY_READABLE, RDY_LEVEL);
		ck_assert_int_eq(rdy_io_write(z, "x", 1), 1);
		expect(&b, 1, RDY_READABLE);
		rdy_io_free(a);
		expect_none(&b);
		/* Given away: the same. */
		ck_assert_int_eq(rdy_io_new(keep, &a), 0);
		watch(&b, a, 2, RDY_READABLE, RDY_LEVEL);
		expect(&b, 2, RDY_READABLE);
		ck_assert_int_eq(rdy_io_release(a), keep);
		expect_none(&b);
		shut(&keep);
		rdy_io_free(z);
	}
}
END_TEST

START_TEST(reads_and_writes)
{
	struct rdy_io *a, *z;
	char x[3] = "", y[5] = "";
	struct iovec out[2] = {{(char[]){"ab"}, 2}, {(char[]){"cdef"}, 4}},
		     in[2] = {{x, 2}, {y, 4}};

	ck_assert_int_eq(rdy_unix_pair(&a, &z), 0);
	ck_assert_int_eq((int)rdy_io_read(a, x, 2), -EAGAIN);
	ck_assert_int_eq((int)rdy_io_writev(z, out, 2), 6);
	ck_assert_int_eq((int)rdy_io_readv(a, in, 2), 6);
	ck_assert_str_eq(x, "ab");
	ck_assert_str_eq(y, "cdef");
	ck_assert_int_eq((int)rdy_io_write(z, "q", 1), 1);
	ck_assert_int_eq((int)rdy_io_read(a, x, 2), 1);
	ck_assert_int_eq((int)rdy_io_write(z, NULL, 0), 0);
	ck_assert_int_eq((int)rdy_io_read(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_write(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_readv(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_writev(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_readv(a, in, IOV_MAX + 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_writev(a, in, IOV_MAX + 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_read(NULL, x, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_write(NULL, x, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_readv(NULL, in, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_writev(NULL, in, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_try(NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq((int)rdy_io_try(a, NULL, NULL), -EINVAL);
	rdy_io_free(z);
	ck_assert_int_eq((int)rdy_io_read(a, x, 2), 0);
	rdy_io_free(a);
}
END_TEST

static void child_succeeds(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* SIGPIPE kills whoever gets it here: its disposition is the default. */
START_TEST(no_sigpipe)
{
	for (int forced = 0; forced < 3; forced++) {
		struct rdy_io *a, *z;
		sigset_t before, after, pipe_only;

		signal(SIGPIPE, SIG_DFL);
		ck_assert_int_eq(rdy_unix_pair(&a, &z), 0);
		rdy_io_free(z);
		ck_assert_int_eq((int)rdy_io_write(a, "x", 1), -EPIPE);
		ck_assert_int_eq((int)rdy_socket_send(a, "x", 1), -EPIPE);
		rdy_io_free(a);

		ck_assert_int_eq(rdy_pipe_new(&a, &z), 0);
		a->no_nosignal = forced > 0;
		ck_assert_int_eq((int)rdy_io_write(a, "x", 1), 1);
		rdy_io_free(z);
		sigemptyset(&pipe_only);
		sigaddset(&pipe_only, SIGPIPE);
		if (forced == 2) {
			/* One that waits already is not ours to take. */
			pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
			raise(SIGPIPE);
		}
		pthread_sigmask(SIG_SETMASK, NULL, &before);
		ck_assert_int_eq((int)rdy_io_write(a, "x", 1), -EPIPE);
		ck_assert_int_eq(
			(int)rdy_io_writev(a, &(struct iovec){(char[]){"x"}, 1}, 1), -EPIPE);
		pthread_sigmask(SIG_SETMASK, NULL, &after);
		ck_assert_int_eq(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
		if (forced == 2) {
			const struct timespec now = {0};

			ck_assert_int_eq(sigtimedwait(&pipe_only, NULL, &now), SIGPIPE);
			pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
		}
		rdy_io_free(a);
	}
}
END_TEST

/* A pipe that blocks, and whose reader leaves in the middle: a part was written, and that is no SIGPIPE either. */
START_TEST(no_sigpipe_half_way)
{
	static char much[1 << 20];

	for (int forced = 0; forced < 2; forced++) {
		struct rdy_io *s, *r;
		ptrdiff_t n;
		pid_t pid;

		signal(SIGPIPE, SIG_DFL);
		ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
		ck_assert_int_eq(rdy_io_set_blocking(s, 1), 0);
		ck_assert_int_eq(rdy_io_set_blocking(r, 1), 0);
		s->no_nosignal = forced;
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			char c[4096];

			rdy_io_free(s);
			unit_exit(rdy_io_read(r, c, sizeof(c)) > 0 ? 0 : 1);
		}
		rdy_io_free(r);
		n = rdy_io_write(s, much, sizeof(much));
		ck_assert_int_gt((int)n, 0);
		ck_assert_int_lt((int)n, (int)sizeof(much));
		ck_assert_int_eq((int)rdy_io_write(s, much, sizeof(much)), -EPIPE);
		rdy_io_free(s);
		child_succeeds(pid);
	}
}
END_TEST

START_TEST(pipes)
{
	struct rdy_io *s = NULL, *r = NULL;
	struct rlimit before;
	char c;

	for_each_variant(b)
	{
		ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
		expect_flags(s);
		expect_flags(r);
		watch(&b, s, 1, RDY_WRITABLE, RDY_EDGE);
		watch(&b, r, 2, RDY_READABLE, RDY_EDGE);
		wait_for(&b, 1, RDY_WRITABLE);
		ck_assert_int_eq((int)rdy_io_write(s, "x", 1), 1);
		wait_for(&b, 2, RDY_READABLE);
		ck_assert_int_eq((int)rdy_io_read(r, &c, 1), 1);
		ck_assert_int_eq((int)rdy_io_read(r, &c, 1), -EAGAIN);
		s = rdy_io_free(s);
		wait_for(&b, 2, RDY_READ_CLOSED);
		ck_assert_int_eq((int)rdy_io_read(r, &c, 1), 0);
		r = rdy_io_free(r);
		ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
		watch(&b, s, 1, RDY_WRITABLE, RDY_EDGE);
		r = rdy_io_free(r);
		wait_for(&b, 1, RDY_WRITE_CLOSED);
		s = rdy_io_free(s);
	}
	ck_assert_int_eq(rdy_pipe_new(NULL, &r), -EINVAL);
	ck_assert_int_eq(rdy_pipe_new(&s, NULL), -EINVAL);
	before = no_more_descriptors();
	ck_assert_int_eq(rdy_pipe_new(&s, &r), -EMFILE);
	descriptors_again(before);
	ck_assert(!s && !r);
}
END_TEST

UNIT_MAIN("net/io", takes_over_and_gives_back, freed_while_registered, reads_and_writes, no_sigpipe,
	no_sigpipe_half_way, pipes)
