/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static void pair(int sv[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fds[i] = rdy__fd_close(fds[i]);
}

/* Invariant: FD-1 */
START_TEST(every_block_is_taken)
{
	int sv[2], send[RDY__FDS_MAX], got[RDY__FDS_MAX];
	struct rdy__received r;
	char buf[8];

	pair(sv);
	for (size_t i = 0; i < RDY__FDS_MAX; i++)
		ck_assert_int_ge(send[i] = eventfd(0, 0), 0);
	ck_assert_int_eq(rdy__send_fds(sv[0], "x", 1, send, RDY__FDS_MAX), 0);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.n_fds, RDY__FDS_MAX);
	ck_assert_uint_eq(r.n_bytes, 1);
	ck_assert_uint_eq(r.flags, 0);
	for (size_t i = 0; i < r.n_fds; i++)
		ck_assert_int_eq(fcntl(got[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close_all(got, r.n_fds);
	close_all(send, RDY__FDS_MAX);
	close_all(sv, 2);
}
END_TEST

/* Credentials nobody asked for do not push descriptors out. */
START_TEST(credentials_leave_room)
{
	int sv[2], send[RDY__FDS_MAX], got[RDY__FDS_MAX], one = 1;
	struct rdy__received r;
	char buf[8];

	pair(sv);
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	for (size_t i = 0; i < RDY__FDS_MAX; i++)
		ck_assert_int_ge(send[i] = eventfd(0, 0), 0);
	ck_assert_int_eq(rdy__send_fds(sv[0], "x", 1, send, RDY__FDS_MAX), 0);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.n_fds, RDY__FDS_MAX);
	ck_assert_uint_eq(r.flags, RDY__RECV_CREDENTIALS);
	ck_assert_int_eq(r.pid, getpid());
	ck_assert_uint_eq(r.uid, geteuid());
	close_all(got, r.n_fds);
	close_all(send, RDY__FDS_MAX);
	close_all(sv, 2);
}
END_TEST

/* With SO_PASSCRED an empty message is not the end of file. */
START_TEST(empty_is_not_the_end)
{
	int sv[2], got[RDY__FDS_MAX], one = 1;
	struct rdy__received r;
	char buf[8];

	pair(sv);
	ck_assert_int_eq(rdy__send_fds(sv[0], "", 0, NULL, 0), 0);
	ck_assert_int_eq(rdy__send_fds(sv[0], "x", 1, NULL, 0), 0);
	ck_assert_int_eq(shutdown(sv[1], SHUT_RDWR), 0);
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.n_bytes, 0);
	ck_assert_uint_eq(r.flags, RDY__RECV_CREDENTIALS);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.n_bytes, 1);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.n_bytes + r.flags, 0);
	close_all(sv, 2);
}
END_TEST

START_TEST(a_full_table_is_said)
{
	int sv[2], send[4], got[RDY__FDS_MAX];
	struct rlimit old, low;
	struct rdy__received r;
	char buf[8];

	pair(sv);
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(send[i] = eventfd(0, 0), 0);
	ck_assert_int_eq(rdy__send_fds(sv[0], "x", 1, send, 4), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	low = (struct rlimit){.rlim_cur = (rlim_t)send[3] + 3, .rlim_max = old.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_uint_eq(r.n_fds, 2);
	ck_assert_uint_eq(r.flags, RDY__RECV_FDS_LOST);
	close_all(got, r.n_fds);
	close_all(send, 4);
	close_all(sv, 2);
}
END_TEST

START_TEST(ends_and_errors)
{
	int sv[2], got[RDY__FDS_MAX];
	struct rdy__received r;
	char buf[4];

	pair(sv);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), -EAGAIN);
	ck_assert_int_eq(rdy__send_fds(sv[0], "toolong", 7, NULL, 0), 0);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.flags, RDY__RECV_CUT);
	rdy__fd_close(sv[0]);
	ck_assert_int_eq(rdy__recv_fds(sv[1], buf, sizeof(buf), got, 0, &r), 0);
	ck_assert_uint_eq(r.n_bytes + r.n_fds, 0);
	ck_assert_int_eq(rdy__send_fds(sv[1], "x", 1, NULL, 0), -EPIPE);
	ck_assert_int_eq(rdy__send_fds(-1, "x", 1, NULL, 0), -EBADF);
	rdy__fd_close(sv[1]);
	errno = 5;
	ck_assert_int_eq(rdy__fd_close(-1), -1);
	ck_assert_int_eq(errno, 5);
}
END_TEST

UNIT_MAIN("base/fd", every_block_is_taken, credentials_leave_room, empty_is_not_the_end,
	a_full_table_is_said, ends_and_errors)
