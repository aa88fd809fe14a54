/* SPDX-License-Identifier: MIT */
/* Running readyctl as a shell does: descriptors by number, pipes for the standard ones, exit status. */
#ifndef CTL_TEST_PROGRAM_H
#define CTL_TEST_PROGRAM_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define LIMIT_MS 20000

/* A running readyctl; its standard descriptors are pipes. */
struct program {
	pid_t pid;
	int in, out, err;
};

/* Descriptors of the test that readyctl shall have, by the same number. */
static int door[2], bell[2];

static void start(struct program *c, const char *const argv[])
{
	int in[2], out[2], err[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	/* Small: what a test has to pass over is little. */
	fcntl(out[0], F_SETPIPE_SZ, 4096);
	c->pid = fork();
	ck_assert_int_ge(c->pid, 0);
	if (c->pid == 0) {
		const char *path = getenv("READYCTL");

		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		fcntl(door[0], F_SETFD, 0);
		fcntl(bell[0], F_SETFD, 0);
		fcntl(bell[1], F_SETFD, 0);
		if (path)
			execv(path, (char *const *)argv);
		_exit(126);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*c = (struct program){c->pid, in[1], out[0], err[0]};
}

static void open_pair(void)
{
	ck_assert_int_eq(pipe2(door, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, bell), 0);
}

static void close_pair(void)
{
	for (int i = 0; i < 2; i++) {
		close(door[i]);
		close(bell[i]);
	}
}

/* Until end of file or, with a line wanted, a newline; fails after the limit. */
static void read_text(int fd, char *buf, size_t buf_bytes, bool a_line)
{
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t r;

		buf[n] = '\0';
		if (a_line && n && buf[n - 1] == '\n')
			return;
		ck_assert_int_eq(poll(&p, 1, LIMIT_MS), 1);
		r = read(fd, buf + n, a_line ? 1 : buf_bytes - 1 - n);
		ck_assert_int_ge(r, 0);
		if (r == 0)
			return;
		n += (size_t)r;
		ck_assert_uint_lt(n, buf_bytes - 1);
	}
}

static void expect_line(struct program *c, const char *line)
{
	char buf[512];

	read_text(c->out, buf, sizeof(buf), true);
	ck_assert_str_eq(buf, line);
}

/* End of output and of the process; returns the wait status. err, if given, gets standard error. */
static int finish(struct program *c, const char *out, char *err, size_t err_bytes)
{
	char buf[4096], here[4096];
	int status;

	if (!err)
		err = here, err_bytes = sizeof(here);
	read_text(c->out, buf, sizeof(buf), false);
	read_text(c->err, err, err_bytes, false);
	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	ck_assert_msg(strcmp(buf, out) == 0, "said \"%s\", not \"%s\"; status %#x; %s", buf, out,
		status, err);
	if (c->in >= 0)
		close(c->in);
	close(c->out);
	close(c->err);
	return status;
}

static void expect_exit(struct program *c, const char *out, int code)
{
	char err[4096];
	int status = finish(c, out, err, sizeof(err));

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		"status %#x, not exit %d; %s", status, code, err);
}

/* Pass over lines of this kind, at least n of them; what comes then is the other one. */
static inline void expect_many_then(
	struct program *c, unsigned int n, const char *line, const char *then)
{
	char buf[512];
	unsigned int i = 0;

	for (;; i++) {
		read_text(c->out, buf, sizeof(buf), true);
		if (strcmp(buf, line) != 0)
			break;
	}
	ck_assert_str_eq(buf, then);
	ck_assert_uint_ge(i, n);
}

static const char *name_of(const char *name, int fd, const char *words)
{
	static char texts[4][64];
	static unsigned int next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "%s=%d%s", name, fd, words);
	return text;
}
#define START(c, ...) start(c, (const char *const[]){"readyctl", __VA_ARGS__, NULL})

#endif
