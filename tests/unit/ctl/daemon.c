/* SPDX-License-Identifier: MIT */
/* readyctl with a real readyd: READYD and READYCTL are their paths. */
#include <ftw.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "program.h"

static char dir[64], socket_path[96];
static pid_t readyd;

/* A private instance with one more setting, up when this returns. */
static void start_readyd(const char *setting)
{
	int up[2];
	char byte;

	snprintf(dir, sizeof(dir), "/tmp/readyd-test-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/session.sock", dir);
	ck_assert_int_eq(pipe(up), 0);
	readyd = fork();
	ck_assert_int_ge(readyd, 0);
	if (readyd == 0) {
		const char *path = getenv("READYD");
		int null = open("/dev/null", O_WRONLY);

		/* Its log would stand between our lines. */
		dup2(null, 2);
		dup2(up[1], 9);
		if (path)
			execl(path, "readyd", "--user", "--config=none", "--runtime-dir", dir,
				"--ready-fd", "9", "-o", setting, (char *)NULL);
		_exit(126);
	}
	close(up[1]);
	ck_assert_int_eq(read(up[0], &byte, 1), 1);
	close(up[0]);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static void stop_readyd(void)
{
	int status;

	kill(readyd, SIGTERM);
	ck_assert_int_eq(waitpid(readyd, &status, 0), readyd);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	nftw(dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

#define NO_SETTING "limits.sessions=64"

START_TEST(waits_and_times_out)
{
	struct program c;

	open_pair();
	start_readyd(NO_SETTING);
	START(&c, "wait", "--socket", socket_path, "--timeout", "0s", name_of("door", door[0], ""));
	expect_exit(&c, "", 124);
	START(&c, "wait", "--socket", socket_path, name_of("door", door[0], ""),
		name_of("bell", bell[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_exit(&c, "bell in\n", 0);
	/* What was not read is told again, even by a question about now. */
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	START(&c, "wait", "--socket", socket_path, "--timeout", "0s", name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	expect_exit(&c, "bell in\ndoor in\n", 0);
	stop_readyd();
	close_pair();
}
END_TEST

/* However fast the two are: the answer is never older than the question. */
START_TEST(every_time)
{
	open_pair();
	start_readyd("quota.default.connects_per_s=100000");
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	for (int i = 0; i < 200; i++) {
		struct program c;

		START(&c, "wait", "--socket", socket_path, "--timeout", "0s",
			name_of("bell", bell[0], ""));
		expect_exit(&c, "bell in\n", 0);
	}
	stop_readyd();
	close_pair();
}
END_TEST

START_TEST(watches_edges)
{
	struct program c;

	open_pair();
	start_readyd(NO_SETTING);
	START(&c, "watch", "--socket", socket_path, name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	close(door[1]);
	expect_line(&c, "door hup\n");
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	door[1] = dup(0);
	stop_readyd();
	close_pair();
}
END_TEST

START_TEST(rearms_by_name)
{
	struct program c;
	char byte;

	open_pair();
	start_readyd(NO_SETTING);
	START(&c, "watch", "--ack", "--socket", socket_path, name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	/* A new edge while silent makes no line: the next line is door's. */
	ck_assert_int_eq(write(bell[1], "y", 1), 1);
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	expect_line(&c, "door in\n");
	ck_assert_int_eq(read(door[0], &byte, 1), 1);
	ck_assert_int_eq(write(c.in, "bell\n", 5), 5);
	expect_line(&c, "bell in\n");
	/* Nothing is armed, and no name can come any more. */
	close(c.in);
	c.in = -1;
	expect_exit(&c, "", 0);
	stop_readyd();
	close_pair();
}
END_TEST

START_TEST(as_long_as_it_is_ready)
{
	struct program c;
	char byte;

	open_pair();
	start_readyd(NO_SETTING);
	START(&c, "watch", "--level", "--socket", socket_path, name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	for (int i = 0; i < 20; i++)
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
	stop_readyd();
	close_pair();
}
END_TEST

START_TEST(silence)
{
	struct program c;

	open_pair();
	start_readyd(NO_SETTING);
	START(&c, "watch", "--idle", "20ms", "--socket", socket_path, name_of("bell", bell[0], ""));
	expect_line(&c, "bell idle\n");
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	expect_line(&c, "bell idle\n");
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	stop_readyd();
	close_pair();
}
END_TEST

static void expect_problem(struct program *c, int code, const char *part, const char *part2)
{
	char err[2048];
	int status = finish(c, "", err, sizeof(err));

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		"status %#x, not exit %d; %s", status, code, err);
	ck_assert_msg(strstr(err, part) && strstr(err, part2), "%s", err);
	ck_assert_ptr_nonnull(strstr(err, "\n  why: "));
	ck_assert_ptr_nonnull(strstr(err, "\n  try: "));
}

START_TEST(a_refused_descriptor)
{
	struct program c;

	open_pair();
	start_readyd(NO_SETTING);
	close(door[0]);
	door[0] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	/* Told although another one is ready: it is a mistake in the arguments. */
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	START(&c, "wait", "--socket", socket_path, name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	expect_problem(&c, 6, "FD_KIND_REFUSED", "a regular file");
	stop_readyd();
	close_pair();
}
END_TEST

START_TEST(a_quota)
{
	struct program c;

	open_pair();
	start_readyd("quota.default.registrations=2"); /* a session may have half of it */
	START(&c, "wait", "--socket", socket_path, name_of("bell", bell[0], ""),
		name_of("door", door[0], ""));
	expect_problem(&c, 7, "QUOTA_REGISTRATIONS", "readyctl: cannot register");
	stop_readyd();
	start_readyd("quota.default.sessions=1");
	START(&c, "watch", "--socket", socket_path, name_of("bell", bell[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	{
		struct program second;

		START(&second, "wait", "--socket", socket_path, name_of("bell", bell[0], ""));
		expect_problem(&second, 7, "QUOTA_SESSIONS", "refuses us");
	}
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	stop_readyd();
	close_pair();
}
END_TEST

/* A socket on which nobody accepts, one behind which nobody is, and one that speaks something else. */
START_TEST(no_readyd_there)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/readyd-test-ctl-XXXXXX";
	struct program c;
	int fd;

	open_pair();
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", folder);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	START(&c, "wait", "--socket", addr.sun_path, name_of("bell", bell[0], ""));
	expect_problem(&c, 3, "not running", "nobody listens");
	ck_assert_int_eq(listen(fd, 4), 0);
	START(&c, "wait", "--socket", addr.sun_path, "--timeout", "1s",
		name_of("bell", bell[0], ""));
	expect_problem(&c, 4, "does not answer", addr.sun_path);
	close(fd);
	unlink(addr.sun_path);
	START(&c, "wait", "--socket", addr.sun_path, name_of("bell", bell[0], ""));
	expect_problem(&c, 3, "not running", "no such socket");
	rmdir(folder);
	close_pair();
}
END_TEST

/* The daemon ends and another one starts at the same place: the watch goes on. */
START_TEST(a_restart_is_survived)
{
	struct program c;
	char err[512], first[64];

	open_pair();
	start_readyd(NO_SETTING);
	START(&c, "watch", "--socket", socket_path, name_of("bell", bell[0], ""));
	ck_assert_int_eq(write(bell[1], "x", 1), 1);
	expect_line(&c, "bell in\n");
	strcpy(first, dir);
	kill(readyd, SIGTERM);
	ck_assert_int_eq(waitpid(readyd, NULL, 0), readyd);
	read_text(c.err, err, sizeof(err), true);
	ck_assert_ptr_nonnull(strstr(err, "connecting again"));
	start_readyd(NO_SETTING);
	/* At the old place: the socket's name is what clients know. */
	{
		char old[96];

		snprintf(old, sizeof(old), "%s/session.sock", first);
		unlink(old);
		ck_assert_int_eq(symlink(socket_path, old), 0);
	}
	read_text(c.err, err, sizeof(err), true);
	ck_assert_ptr_nonnull(strstr(err, "connected again"));
	/* The level is still up, and told again. */
	expect_line(&c, "bell in\n");
	shutdown(bell[1], SHUT_RDWR);
	expect_line(&c, "bell in hup\n");
	expect_exit(&c, "", 0);
	nftw(first, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
	stop_readyd();
	close_pair();
}
END_TEST

UNIT_MAIN("ctl/daemon", waits_and_times_out, every_time, watches_edges, rearms_by_name,
	as_long_as_it_is_ready, silence, a_refused_descriptor, a_quota, no_readyd_there,
	a_restart_is_survived)
