/* SPDX-License-Identifier: MIT */
/* readyd-closer and readyd-bouncer as they are built: started as the supervisor starts them. */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>

#include "process.h"

static const char *const programs[] = {READYD_CLOSER, READYD_BOUNCER};

#define N_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

extern char **environ;

/* link_fd < 0: started by hand, without one. err: where its stderr goes. */
static pid_t start(const char *path, int link_fd, int err)
{
	char *argv[] = {(char *)path, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (err >= 0)
		posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (link_fd >= 0) {
		posix_spawn_file_actions_adddup2(&actions, link_fd, LINK_FD_SELF);
		/* Something that leaks in. */
		posix_spawn_file_actions_adddup2(&actions, link_fd, 77);
	} else {
		posix_spawn_file_actions_addopen(&actions, LINK_FD_SELF, "/dev/null", O_RDONLY, 0);
	}
	ck_assert_int_eq(posix_spawn(&pid, path, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Numbers that no file action overwrites while it is still needed. */
static void high_pair(int sv[2])
{
	int low[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, low), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(sv[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 20), 0);
		rdy__fd_close(low[i]);
	}
}

static int exit_code(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(they_answer_and_close)
{
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		struct link_sender l;
		int sv[2], peer[2], p[2];
		char buf[16];
		pid_t pid;

		high_pair(sv);
		pid = start(programs[i], sv[1], -1);
		rdy__fd_close(sv[1]);
		link_sender_init(&l, sv[0], LINK_BATCH_MAX);
		for (int round = 0; round < 3; round++) {
			high_pair(peer);
			ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
			ck_assert_int_eq(send(peer[0], "hello", 5, 0), 5);
			ck_assert_int_eq(link_sender_take(&l, peer[1], "no", 2, true), 0);
			ck_assert_int_eq(link_sender_take(&l, p[1], NULL, 0, false), 0);
			while (link_sender_pending(&l)) {
				ck_assert_int_eq(link_sender_flush(&l, 0), 0);
				wait_for_done(&l);
			}
			ck_assert_int_eq(recv(peer[0], buf, sizeof(buf), 0), 2);
			ck_assert_mem_eq(buf, "no", 2);
			ck_assert_int_eq(recv(peer[0], buf, sizeof(buf), 0), 0);
			ck_assert_int_eq(ready(p[0], 0, 0) & POLLHUP, POLLHUP);
			rdy__fd_close(peer[0]);
			rdy__fd_close(p[0]);
		}
		/* 0, 1, 2 and the link; what leaked in is gone. */
		ck_assert_int_le(fds_of(pid), LINK_FD_SELF + 1);
		/* Ctrl-C in a terminal is for readyd. */
		kill(pid, SIGINT);
		kill(pid, SIGHUP);
		link_sender_deinit(&l, false);
		ck_assert_int_eq(exit_code(pid), 0);
	}
}
END_TEST

static void expect_text(int fd, const char *text)
{
	char buf[1024];
	ssize_t n;

	ck_assert_int_eq(ready(fd, POLLIN, PATIENCE_MS) & POLLIN, POLLIN);
	n = read(fd, buf, sizeof(buf) - 1);
	ck_assert_int_gt(n, 0);
	buf[n] = 0;
	ck_assert_msg(strstr(buf, text) != NULL, "said: %s", buf);
}

START_TEST(an_impossible_message_ends_them)
{
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		int sv[2], err[2];
		pid_t pid;

		high_pair(sv);
		high_pair(err);
		pid = start(programs[i], sv[1], err[1]);
		rdy__fd_close(sv[1]);
		ck_assert_int_eq(send(sv[0], "garbage", 7, 0), 7);
		ck_assert_int_eq(exit_code(pid), 1);
		expect_text(err[0], "the link broke");
		rdy__fd_close(sv[0]);
		rdy__fd_close(err[0]);
		rdy__fd_close(err[1]);
	}
}
END_TEST

START_TEST(by_hand_they_say_what_to_do)
{
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		int err[2];

		high_pair(err);
		ck_assert_int_eq(exit_code(start(programs[i], -1, err[1])), 2);
		expect_text(err[0], "cannot run alone");
		rdy__fd_close(err[0]);
		rdy__fd_close(err[1]);
	}
}
END_TEST

UNIT_MAIN("link/programs", they_answer_and_close, an_impossible_message_ends_them,
	by_hand_they_say_what_to_do)
