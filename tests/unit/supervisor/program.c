/* SPDX-License-Identifier: MIT */
/* readyd itself: how it starts, refuses to start, and stops. */
#include "daemon.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

static struct daemon d;

static void setup(void)
{
	daemon_dir(&d);
	unit_setup();
}

static void teardown(void)
{
	daemon_dir_removed(&d);
	unit_teardown();
}

START_TEST(serves)
{
	char group[32], uid[64];
	pid_t pids[3];
	int a, b;

	daemon_start(&d, NULL);
	a = client_open(&d);
	b = client_open(&d);
	client_ping(a);
	client_ping(b);
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "readyd: ready socket="));
	ck_assert_ptr_nonnull(strstr(d.said, d.socket));
	/* Each helper has a process group of its own: a terminal's Ctrl-C is for readyd. */
	pids[0] = helper(&d, "readyd-agent");
	pids[1] = helper(&d, "readyd-closer");
	pids[2] = helper(&d, "readyd-bouncer");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(getpgid(pids[i]), pids[i]);
		ck_assert(status_of(pids[i], "Uid", uid, sizeof(uid)));
		ck_assert_uint_eq((uid_t)atol(uid), geteuid());
	}
	ck_assert(status_of(d.pid, "Groups", group, sizeof(group)));
	daemon_stop(&d);
	client_sees_the_end(a);
	client_sees_the_end(b);
	rdy__fd_close(a);
	rdy__fd_close(b);
}
END_TEST

START_TEST(stops_by_ctrl_c)
{
	struct wire_error_record e = {0};
	int a;

	daemon_start(&d, NULL);
	a = client_open(&d);
	kill(d.pid, SIGHUP);
	WAIT_FOR(strstr(daemon_said(&d), "reload=done generation=2"));
	client_ping(a);
	kill(d.pid, SIGINT);
	ck_assert_int_eq(daemon_wait(&d), 0);
	/* The client hears why. */
	ck_assert_uint_eq(client_read(a, &e), WIRE_ERROR);
	ck_assert_str_eq(wire_error_name(e.error), "SHUTTING_DOWN");
	ck_assert_uint_eq(client_read(a, &e), 0);
	ck_assert_int_eq(access(d.socket, F_OK), -1);
	rdy__fd_close(a);
}
END_TEST

/* What does not answer does not keep it from stopping. */
START_TEST(stops_over_the_stuck)
{
	int64_t before;
	pid_t agent;
	int a;

	daemon_start(&d, NULL);
	a = client_open(&d);
	agent = helper(&d, "readyd-agent");
	kill(agent, SIGSTOP);
	kill(helper(&d, "readyd-bouncer"), SIGSTOP);
	before = rdy__now_ns();
	daemon_stop(&d);
	ck_assert_int_ge(rdy__now_ns() - before, 1190 * RDY__NS_PER_MS);
	client_sees_the_end(a);
	rdy__fd_close(a);
}
END_TEST

START_TEST(killed_then_started_again)
{
	pid_t pids[3];
	int a;

	daemon_start(&d, NULL);
	a = client_open(&d);
	pids[0] = helper(&d, "readyd-agent");
	pids[1] = helper(&d, "readyd-closer");
	pids[2] = helper(&d, "readyd-bouncer");
	kill(d.pid, SIGKILL);
	ck_assert_int_eq(daemon_wait(&d), 1000 + SIGKILL);
	/* Its helpers end by themselves; they are nobody's children that we could wait for. */
	for (int i = 0; i < 3; i++)
		WAIT_FOR(is_gone(pids[i]));
	client_sees_the_end(a);
	rdy__fd_close(a);
	daemon_start(&d, NULL);
	a = client_open(&d);
	client_ping(a);
	rdy__fd_close(a);
	daemon_stop(&d);
}
END_TEST

START_TEST(second_of_two)
{
	struct daemon other = d;
	char holder[64];
	int a;

	daemon_start(&d, NULL);
	a = client_open(&d);
	daemon_run(&other, (const char *const[]){"--user", NULL}, -1, NULL);
	ck_assert_int_eq(daemon_wait(&other), 1);
	snprintf(holder, sizeof(holder), "process %d has the lock", (int)d.pid);
	ck_assert_ptr_nonnull(strstr(other.said, "another readyd is running here"));
	ck_assert_ptr_nonnull(strstr(other.said, holder));
	client_ping(a);
	rdy__fd_close(a);
	a = client_open(&d);
	rdy__fd_close(a);
	daemon_stop(&d);
}
END_TEST

/* It ends with this status and says these words. */
static void refuses(
	const char *const *options, void (*prepare)(void), int status, const char *words)
{
	int got;

	d.n_said = 0;
	daemon_run(&d, options, -1, prepare);
	got = daemon_wait(&d);
	ck_assert_msg(got == status, "status %d, it says: %s", got, d.said);
	ck_assert_msg(strstr(d.said, words), "it says: %s", d.said);
}

static void few_descriptors(void)
{
	const struct rlimit l = {1024, 1024};

	if (setrlimit(RLIMIT_NOFILE, &l))
		_exit(126);
}

START_TEST(bad_configuration)
{
	const char *const bad[] = {"--user", "limits.session=3", NULL};
	const char *const good[] = {
		"--user", "--check-config", "limits.sessions=100", "reactors=1", NULL};
	const char *const fewer[] = {"--user", "--check-config", "quota.default.registrations=100",
		"limits.sessions=100", NULL};

	refuses(bad, NULL, 78, "did you mean 'limits.sessions'?");
	refuses(good, few_descriptors, 78,
		"quota.default.registrations is 1024 but an agent may open only 1024 descriptors");
	ck_assert_ptr_nonnull(strstr(d.said, "LimitNOFILE=1405"));
	refuses(fewer, few_descriptors, 0, "the configuration is good");
	refuses(good, NULL, 0, "the configuration is good");
}
END_TEST

static void as_nobody(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
				      setresuid(65534, 65534, 65534)))
		_exit(126);
	if (access(READYD, X_OK))
		_exit(125);
}

START_TEST(not_root)
{
	daemon_run(&d, NULL, -1, as_nobody);
	switch (daemon_wait(&d)) {
	case 125:
		printf("# skipped: nobody may run a program in this directory\n");
		break;
	case 1:
		ck_assert_ptr_nonnull(strstr(d.said, "has to be started as root"));
		ck_assert_ptr_nonnull(strstr(d.said, "\n  try: readyd --user\n"));
		break;
	default:
		ck_abort_msg("it says: %s", d.said);
	}
}
END_TEST

START_TEST(no_such_user)
{
	if (geteuid()) {
		printf("# skipped: the system instance takes root\n");
		return;
	}
	refuses((const char *const[]){"user=no-such-user-here", NULL}, NULL, 1,
		"cannot become the user 'no-such-user-here'");
	ck_assert_ptr_nonnull(strstr(d.said, "systemd-sysusers"));
	ck_assert_ptr_nonnull(strstr(d.said, "-o user=NAME"));
	refuses((const char *const[]){"user=root", NULL}, NULL, 78, "it is root");
	ck_assert_int_eq(access(d.dir, F_OK), -1);
}
END_TEST

/* A client of another uid; leaves *ret_error where it was if it is welcome. */
static void as_uid(uid_t uid, uint32_t *ret_error, uint32_t *ret_detail)
{
	int p[2], status;
	uint32_t answer[2] = {0, 0};
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int fd = -1;

		if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(1);
		answer[0] = client_try(&d, &fd, &answer[1]);
		if (answer[0] == WIRE_OK)
			client_ping(fd);
		(void)!write(p[1], answer, sizeof(answer));
		/* Stays until the test has seen its agent. */
		if (answer[0] == WIRE_OK)
			client_sees_the_end(fd);
		_exit(0);
	}
	rdy__fd_close(p[1]);
	ck_assert_int_eq(read(p[0], answer, sizeof(answer)), sizeof(answer));
	rdy__fd_close(p[0]);
	if (answer[0] != WIRE_OK)
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	*ret_error = answer[0];
	*ret_detail = answer[1];
}

/* All four ids, and nothing to get root back with. */
static void check_dropped(pid_t pid, const struct passwd *user)
{
	char text[128], want[128];

	snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", user->pw_uid, user->pw_uid, user->pw_uid,
		user->pw_uid);
	ck_assert(status_of(pid, "Uid", text, sizeof(text)));
	ck_assert_str_eq(text, want);
	snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", user->pw_gid, user->pw_gid, user->pw_gid,
		user->pw_gid);
	ck_assert(status_of(pid, "Gid", text, sizeof(text)));
	ck_assert_str_eq(text, want);
	ck_assert(status_of(pid, "Groups", text, sizeof(text)));
	ck_assert_uint_eq(strspn(text, " "), strlen(text));
	for (int i = 0; i < 3; i++) {
		ck_assert(status_of(pid, (const char *[]){"CapPrm", "CapEff", "CapAmb"}[i], text,
			sizeof(text)));
		ck_assert_uint_eq(strtoull(text, NULL, 16), 0);
	}
	ck_assert(status_of(pid, "NoNewPrivs", text, sizeof(text)));
	ck_assert_str_eq(text, "1");
}

/* Groups that root may have and the user must not. */
static void with_groups(void)
{
	const gid_t groups[] = {0, 7, 8};

	if (setgroups(3, groups))
		_exit(126);
}

START_TEST(system_instance)
{
	const struct passwd *user = getpwnam("daemon");
	uint32_t error, detail;
	struct stat st;
	pid_t agents[3];

	if (geteuid() || !user) {
		printf("# skipped: the system instance takes root and the user daemon\n");
		return;
	}
	ck_assert_int_eq(chmod(d.base, 0711), 0);
	daemon_start_with(&d,
		(const char *const[]){"user=daemon", "sockets.session.mode=0666",
			"sockets.session.group=daemon", "limits.uids=2", NULL},
		with_groups);
	check_dropped(d.pid, user);
	ck_assert_int_eq(stat(d.dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_uint_eq(st.st_uid, user->pw_uid);
	ck_assert_int_eq(stat(d.socket, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0666);
	ck_assert_uint_eq(st.st_gid, user->pw_gid);
	as_uid(1001, &error, &detail);
	ck_assert_str_eq(wire_error_name(error), "OK");
	as_uid(1002, &error, &detail);
	ck_assert_str_eq(wire_error_name(error), "OK");
	/* The third uid has no agent that could tell it: the bouncer does. */
	as_uid(1003, &error, &detail);
	ck_assert_str_eq(wire_error_name(error), "LIMIT_UIDS");
	ck_assert_uint_eq(detail, 2);
	WAIT_FOR(helpers(&d, "readyd-agent", agents, 3) == 2);
	check_dropped(agents[0], user);
	check_dropped(agents[1], user);
	check_dropped(helper(&d, "readyd-bouncer"), user);
	daemon_stop(&d);
	while (waitpid(-1, NULL, 0) > 0)
		;
}
END_TEST

UNIT_MAIN_WITH("supervisor/program", setup, teardown, serves, stops_by_ctrl_c, stops_over_the_stuck,
	killed_then_started_again, second_of_two, bad_configuration, not_root, no_such_user,
	system_instance)
