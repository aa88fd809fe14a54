/* SPDX-License-Identifier: MIT */
/* readyctl as a shell sees it, on libready's own reactor: output, exit status, ends. READYCTL is its path. */
#include "program.h"

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
		"{\"name\":\"door\",\"fd\":%d,\"ready\":[\"hup\"],\"ended\":true,\"idle\":false,"
		"\"time\":\"20",
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

START_TEST(silence)
{
	struct program c;

	open_pair();
	START(&c, "watch", "--local", "--idle", "20ms", name_of("bell", bell[0], ""));
	/* Once, until it was ready again. */
	expect_line(&c, "bell idle\n");
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	expect_line(&c, "bell idle\n");
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	close_pair();
}
END_TEST

/* With --ack its name is a sign of life as well; a line about silence needs no answer. */
START_TEST(silence_until_named)
{
	struct program c;
	char byte;

	open_pair();
	START(&c, "watch", "--local", "--ack", "--idle=20ms", name_of("bell", bell[0], ""));
	expect_line(&c, "bell idle\n");
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	expect_line(&c, "bell idle\n");
	ck_assert_int_eq(read(bell[0], &byte, 1), 1);
	ck_assert_int_eq(write(c.in, "bell\n", 5), 5);
	expect_line(&c, "bell idle\n");
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	close_pair();
}
END_TEST

START_TEST(as_long_as_it_is_ready)
{
	struct program c;
	char byte;

	open_pair();
	START(&c, "watch", "--local", "--level", name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	for (int i = 0; i < 100; i++)
		expect_line(&c, "bell in\n");
	ck_assert_int_eq(read(bell[0], &byte, 1), 1);
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	expect_many_then(&c, 0, "bell in\n", "door in\n");
	ck_assert_int_eq(read(door[0], &byte, 1), 1);
	shutdown(bell[1], SHUT_RDWR);
	expect_many_then(&c, 0, "door in\n", "bell in hup\n");
	close(c.out);
	c.out = dup(c.err);
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
	refusals, no_daemon, watch_until_all_have_ended, silent_until_named, silence,
	silence_until_named, as_long_as_it_is_ready, nobody_reads, interrupted)
