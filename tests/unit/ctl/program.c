/* SPDX-License-Identifier: MIT */
/* readyctl as a shell sees it, on libready's own reactor: output, exit status, ends. READYCTL is its path. */
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
	char buf[4096], ignored[4096];
	int status;

	read_text(c->out, buf, sizeof(buf), false);
	read_text(c->err, err ? err : ignored, err ? err_bytes : sizeof(ignored), false);
	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	ck_assert_str_eq(buf, out);
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

static const char *name_of(const char *name, int fd, const char *words)
{
	static char texts[4][64];
	static unsigned int next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "%s=%d%s", name, fd, words);
	return text;
}
#define START(c, ...) start(c, (const char *const[]){"readyctl", __VA_ARGS__, NULL})

START_TEST(one_ready_of_two)
{
	struct program c;

	open_pair();
	START(&c, "wait", "--local", name_of("door", door[0], ""), name_of("bell", bell[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_exit(&c, "bell in\n", 0);
	close_pair();
}
END_TEST

START_TEST(a_line_for_each_that_is_ready)
{
	struct program c;

	open_pair();
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	START(&c, "wait", "--local", name_of("bell", bell[0], ":in,out"),
		name_of("door", door[0], ""));
	expect_exit(&c, "bell in out\ndoor in\n", 0);
	/* One-shot, level re-reported: what was not read is there for the next wait. */
	START(&c, "wait", "--local", "--timeout", "0s", name_of("door", door[0], ""));
	expect_exit(&c, "door in\n", 0);
	close_pair();
}
END_TEST

START_TEST(timeouts)
{
	struct program c;

	open_pair();
	START(&c, "wait", "--local", "--timeout=20ms", name_of("door", door[0], ""));
	expect_exit(&c, "", 124);
	START(&c, "wait", "--local", "--timeout=0s", name_of("door", door[0], ""));
	expect_exit(&c, "", 124);
	close_pair();
}
END_TEST

START_TEST(json_lines)
{
	char buf[512], head[128];
	struct program c;

	open_pair();
	close(door[1]);
	START(&c, "wait", "--local", "--json", name_of("door", door[0], ""));
	read_text(c.out, buf, sizeof(buf), true);
	snprintf(head, sizeof(head),
		"{\"name\":\"door\",\"fd\":%d,\"ready\":[\"hup\"],\"ended\":true,\"time\":\"20",
		door[0]);
	ck_assert_msg(strncmp(buf, head, strlen(head)) == 0, "%s", buf);
	expect_exit(&c, "", 0);
	door[1] = dup(0);
	close_pair();
}
END_TEST

START_TEST(refusals)
{
	struct program c;
	char err[1024];
	int status;

	open_pair();
	close(door[0]);
	door[0] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	START(&c, "wait", "--local", name_of("door", door[0], ""));
	status = finish(&c, "", err, sizeof(err));
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 6);
	ck_assert_ptr_nonnull(strstr(err, "FD_NOT_POLLABLE\n  why: a regular file"));
	ck_assert_ptr_nonnull(strstr(err, "\n  try: "));
	START(&c, "watch", "--local", "--json", name_of("door", door[0], ""));
	status = finish(&c, "", err, sizeof(err));
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 6);
	ck_assert(strncmp(err, "{\"error\":\"FD_NOT_POLLABLE\",\"what\":\"", 35) == 0);
	START(&c, "wait", "--local", "nine=987");
	status = finish(&c, "", err, sizeof(err));
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	ck_assert_ptr_nonnull(strstr(err, "fd 987 is not open"));
	close_pair();
}
END_TEST

START_TEST(no_daemon)
{
	struct program c;

	open_pair();
	START(&c, "wait", "--socket", "/nonexistent/session.sock", name_of("door", door[0], ""));
	expect_exit(&c, "", 3);
	close_pair();
}
END_TEST

START_TEST(watch_until_all_have_ended)
{
	struct program c;

	open_pair();
	START(&c, "watch", "--local", name_of("bell", bell[0], ""), name_of("door", door[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n"); /* flushed, though it is a pipe */
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	/* A half close is no end. */
	shutdown(bell[1], SHUT_WR);
	expect_line(&c, "bell in rdhup\n");
	close(door[1]);
	expect_line(&c, "door hup\n");
	/* readyctl and we have copies of bell[1]: the hangup is made on the file, not by closing. */
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	door[1] = dup(0);
	close_pair();
}
END_TEST

START_TEST(silent_until_named)
{
	struct program c;
	char byte;

	open_pair();
	START(&c, "watch", "--local", "--ack", name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	/* A new edge while silent makes no line: the next line is door's. */
	ck_assert_int_eq(write(bell[1], "y", 1), 1);
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	expect_line(&c, "door in\n");
	ck_assert_int_eq(read(door[0], &byte, 1), 1);
	/* What is still up is told by the re-arming; lines that name nothing are harmless. */
	ck_assert_int_eq(write(c.in, "nobody\n\nbell \n", 14), 14);
	expect_line(&c, "bell in\n");
	/* No name can come any more, and one is still armed: the watch goes on for it, then ends. */
	ck_assert_int_eq(write(c.in, "door\n", 5), 5);
	close(c.in);
	c.in = -1;
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	expect_line(&c, "door in\n");
	expect_exit(&c, "", 0);
	close_pair();
}
END_TEST

START_TEST(nobody_reads)
{
	struct program c;
	int status;

	open_pair();
	START(&c, "watch", "--local", name_of("bell", bell[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	close(c.out);
	/* Idle, and still it notices. */
	c.out = dup(c.err);
	status = finish(&c, "", NULL, 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close_pair();
}
END_TEST

START_TEST(interrupted)
{
	struct program c;
	char err[256];
	int status;

	open_pair();
	START(&c, "watch", "--local", name_of("bell", bell[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	kill(c.pid, SIGINT);
	status = finish(&c, "", err, sizeof(err));
	/* By the signal itself, which a shell shows as 130 and which ends its loops, too. */
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(err, "");
	close_pair();
}
END_TEST

UNIT_MAIN("ctl/program", one_ready_of_two, a_line_for_each_that_is_ready, timeouts, json_lines,
	refusals, no_daemon, watch_until_all_have_ended, silent_until_named, nobody_reads,
	interrupted)
