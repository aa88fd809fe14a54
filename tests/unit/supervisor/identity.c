/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

static const struct identity none = {12345, 12345, 12345, -2};

/* A listener at an address that the kernel chooses. */
static int listen_somewhere(struct sockaddr_un *a, socklen_t *n)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	*n = sizeof(*a);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)a, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)a, n), 0);
	return fd;
}

static pid_t start_client(const struct sockaddr_un *a, socklen_t n, uid_t uid)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		if (uid != geteuid() && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
			_exit(1);
		if (connect(fd, (const struct sockaddr *)a, n))
			_exit(2);
		pause();
		_exit(3);
	}
	return pid;
}

/* Who it is, and that its pidfd tells its end. */
static void check_client(uid_t uid)
{
	struct sockaddr_un a;
	struct identity who = none;
	socklen_t n;
	int listener = listen_somewhere(&a, &n), sock;
	pid_t pid = start_client(&a, n, uid);

	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(sock, 0);
	ck_assert_int_eq(identity_of(sock, &who), 0);
	ck_assert_uint_eq(who.uid, uid);
	ck_assert_uint_eq(who.gid, uid ? uid : getegid());
	ck_assert_int_eq(who.pid, pid);
	if (who.pidfd >= 0) {
		struct pollfd p = {.fd = who.pidfd, .events = POLLIN};

		ck_assert_int_eq(fcntl(who.pidfd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		ck_assert_int_eq(poll(&p, 1, 0), 0);
		kill(pid, SIGKILL);
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
	} else {
		printf("# not in /proc\n");
		kill(pid, SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	rdy__fd_close(who.pidfd);
	rdy__fd_close(sock);
	rdy__fd_close(listener);
}

START_TEST(of_this_user)
{
	check_client(geteuid());
}
END_TEST

START_TEST(of_another_user)
{
	if (geteuid() != 0) {
		printf("# skipped: becoming another user takes root\n");
		return;
	}
	check_client(1);
}
END_TEST

START_TEST(of_a_client_that_is_gone)
{
	struct sockaddr_un a;
	struct identity who = none;
	socklen_t n;
	int listener = listen_somewhere(&a, &n), sock;
	pid_t pid = start_client(&a, n, geteuid());
	struct pollfd p = {.fd = listener, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(sock, 0);
	ck_assert_int_eq(identity_of(sock, &who), 0);
	ck_assert_uint_eq(who.uid, geteuid());
	ck_assert_int_eq(who.pid, pid);
	rdy__fd_close(who.pidfd);
	rdy__fd_close(sock);
	rdy__fd_close(listener);
}
END_TEST

static void expect_ended(pid_t pid, uid_t uid)
{
	struct pollfd p = {.fd = identity_open(pid, uid), .events = POLLIN};

	ck_assert_int_ge(p.fd, 0);
	ck_assert_int_eq(fcntl(p.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	rdy__fd_close(p.fd);
}

/* What an older kernel leaves us: a number. */
START_TEST(of_a_number)
{
	struct pollfd p = {.events = POLLIN};
	uid_t uid = geteuid();
	pid_t pid = fork();
	siginfo_t info;

	if (pid == 0) {
		pause();
		_exit(3);
	}
	p.fd = identity_open(pid, uid);
	ck_assert_int_ge(p.fd, 0);
	ck_assert_int_eq(fcntl(p.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	/* Somebody else has that number now. */
	ck_assert_int_eq(identity_open(pid, uid + 1), -1);
	kill(pid, SIGKILL);
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	/* It is still there, and has ended. */
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	expect_ended(pid, uid);
	expect_ended(pid, uid + 1);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	expect_ended(pid, uid);
	/* Of another namespace. */
	ck_assert_int_eq(identity_open(0, uid), -1);
	rdy__fd_close(p.fd);
}
END_TEST

/* Its files in /proc are root's, but it is not. */
START_TEST(of_the_number_of_one_that_nobody_may_trace)
{
	uid_t uid = geteuid() == 0 ? 65534 : geteuid();
	int ready[2], fd;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if ((uid != geteuid() && setresuid(uid, uid, uid) != 0) ||
			prctl(PR_SET_DUMPABLE, 0) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(3);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	fd = identity_open(pid, uid);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(uid ? identity_open(pid, 0) : -1, -1);
	rdy__fd_close(fd);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	rdy__fd_close(ready[0]);
	rdy__fd_close(ready[1]);
}
END_TEST

START_TEST(of_what_has_none)
{
	struct identity who = none;
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), p[2];

	ck_assert_int_eq(identity_of(sock, &who), -ENOTCONN);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(identity_of(p[0], &who), -ENOTSOCK);
	ck_assert_int_eq(identity_of(-1, &who), -EBADF);
	ck_assert_int_eq(who.pidfd, none.pidfd);
	ck_assert_uint_eq(who.uid, none.uid);
	rdy__fd_close(p[0]);
	rdy__fd_close(p[1]);
	rdy__fd_close(sock);
}
END_TEST

UNIT_MAIN("supervisor/identity", of_this_user, of_another_user, of_a_client_that_is_gone,
	of_a_number, of_the_number_of_one_that_nobody_may_trace, of_what_has_none)
