/* SPDX-License-Identifier: MIT */
/* readyd itself: limits, and processes of its own that die or hang. */
#include "daemon.h"

static struct daemon d;

static void setup(void)
{
	daemon_dir(&d);
	unit_setup();
}

static void teardown(void)
{
	if (d.pid > 0)
		daemon_stop(&d);
	daemon_dir_removed(&d);
	unit_teardown();
}

#define START(...) daemon_start(&d, (const char *const[]){__VA_ARGS__, NULL})

/* Refused so, with that detail. */
static void refused(const char *name, uint32_t want_detail)
{
	uint32_t detail = 0;
	int fd = -1;
	enum wire_error e = client_try(&d, &fd, &detail);

	ck_assert_str_eq(wire_error_name(e), name);
	ck_assert_uint_eq(detail, want_detail);
}

/* A session ends in its own time: the next one is welcome then. */
static int open_in_the_end(void)
{
	uint32_t detail;
	int fd = -1;

	WAIT_FOR(client_try(&d, &fd, &detail) == WIRE_OK);
	return fd;
}

START_TEST(sessions_of_a_user)
{
	int a, b;

	START("quota.default.sessions=2", "quota.default.connects_per_s=100000");
	a = client_open(&d);
	b = client_open(&d);
	for (int i = 0; i < 20; i++)
		refused("QUOTA_SESSIONS", 2);
	client_ping(a);
	client_ping(b);
	rdy__fd_close(a);
	a = open_in_the_end();
	refused("QUOTA_SESSIONS", 2);
	client_ping(b);
	rdy__fd_close(a);
	rdy__fd_close(b);
}
END_TEST

START_TEST(sessions_of_all)
{
	int a;

	START("limits.sessions=1");
	a = client_open(&d);
	refused("LIMIT_SESSIONS", 1);
	client_ping(a);
	rdy__fd_close(a);
	a = open_in_the_end();
	rdy__fd_close(a);
}
END_TEST

static int fds_of(pid_t pid)
{
	char path[64];
	int n = -2; /* . and .. */
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* When the last agent has ended, readyd has the descriptors that it started with. */
START_TEST(descriptors_come_back)
{
	int before, fds[60], n_welcome = 0;

	START("quota.default.sessions=4", "quota.default.connects_per_s=100000",
		"agent.idle_exit=10ms");
	before = fds_of(d.pid);
	if (before < 0) {
		printf("# skipped: counting readyd's descriptors takes root\n");
		return;
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = client_connect(&d);
		client_say_hello(fds[i]);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct wire_error_record e;

		n_welcome += client_read(fds[i], &e) == WIRE_WELCOME;
		if (i == 20)
			kill(helper(&d, "readyd-agent"), SIGKILL);
	}
	ck_assert_int_ge(n_welcome, 1);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		rdy__fd_close(fds[i]);
	WAIT_FOR(helpers(&d, "readyd-agent", NULL, 0) == 0);
	WAIT_FOR(helpers(&d, "readyd-closer", NULL, 0) == 0);
	WAIT_FOR(fds_of(d.pid) == before);
}
END_TEST

START_TEST(connects_of_a_user)
{
	uint32_t detail = 0;
	enum wire_error e = WIRE_OK;
	int n = 0;

	/* A burst of two, then one a second. */
	START("quota.default.connects_per_s=1");
	while (e == WIRE_OK && n < 20) {
		int fd = -1;

		e = client_try(&d, &fd, &detail);
		n += e == WIRE_OK;
		rdy__fd_close(fd);
	}
	ck_assert_str_eq(wire_error_name(e), "QUOTA_CONNECTS");
	ck_assert_uint_eq(detail, 1);
	ck_assert_int_ge(n, 2);
	/* And again, when a token has come. */
	rdy__fd_close(open_in_the_end());
}
END_TEST

START_TEST(an_idle_agent_ends)
{
	pid_t first;
	int a;

	START("agent.idle_exit=10ms");
	a = client_open(&d);
	first = helper(&d, "readyd-agent");
	client_ping(a);
	rdy__fd_close(a);
	WAIT_FOR(helpers(&d, "readyd-agent", NULL, 0) == 0);
	WAIT_FOR(helpers(&d, "readyd-closer", NULL, 0) == 0);
	WAIT_FOR(kill(first, 0) < 0); /* reaped */
	a = client_open(&d);
	client_ping(a);
	rdy__fd_close(a);
}
END_TEST

/* The client sees the end at once; the next one has a fresh agent. */
START_TEST(a_killed_agent)
{
	pid_t agent, closer;
	int a, b;

	START("limits.sessions=2");
	a = client_open(&d);
	b = client_open(&d);
	agent = helper(&d, "readyd-agent");
	closer = helper(&d, "readyd-closer");
	kill(agent, SIGKILL);
	client_sees_the_end(a);
	client_sees_the_end(b);
	rdy__fd_close(a);
	/* b is not closed: its session has ended all the same, and counts no more. */
	a = client_open(&d);
	client_ping(a);
	other_helper(&d, "readyd-agent", agent);
	WAIT_FOR(kill(agent, 0) < 0 && kill(closer, 0) < 0);
	WAIT_FOR(strstr(daemon_said(&d), "agent=died") || strstr(d.said, "child=agent"));
	rdy__fd_close(a);
	rdy__fd_close(b);
}
END_TEST

/* It owes an answer and does not give it: killed, and its sessions end, also those it had taken. */
START_TEST(a_wedged_agent)
{
	struct wire_error_record e;
	pid_t agent;
	int a, b;

	START("limits.uids=1");
	a = client_open(&d);
	agent = helper(&d, "readyd-agent");
	kill(agent, SIGSTOP);
	b = client_connect(&d);
	client_say_hello(b);
	ck_assert_uint_eq(client_read(b, &e), 0);
	client_sees_the_end(a);
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "agent=wedged"));
	rdy__fd_close(a);
	rdy__fd_close(b);
	a = client_open(&d);
	client_ping(a);
	other_helper(&d, "readyd-agent", agent);
	rdy__fd_close(a);
}
END_TEST

/* It dies as it starts: who waits for it gets another one. */
START_TEST(an_agent_that_dies_early)
{
	struct wire_error_record e = {0};
	pid_t agent = 0;
	int a;

	START("log.level=debug");
	a = client_connect(&d);
	client_say_hello(a);
	WAIT_FOR(helpers(&d, "readyd-agent", &agent, 1) >= 1);
	kill(agent, SIGKILL);
	/* WELCOME by the next one, or the end if the first had taken it already; never silence. */
	client_read(a, &e);
	rdy__fd_close(a);
	WAIT_FOR(kill(agent, 0) < 0);
	rdy__fd_close(client_open(&d));
}
END_TEST

/* Agents that are killed as they start: the uid is refused for a while, by the bouncer. */
static void until_agent_failed(void)
{
	uint32_t detail = 0;
	enum wire_error e = WIRE_OK;

	/* An agent that lived for a second does not count, which a slow machine may have some of. */
	for (int i = 0; i < 40 && e == WIRE_OK; i++) {
		int fd = -1;
		pid_t agent;

		e = client_try(&d, &fd, &detail);
		if (e != WIRE_OK)
			break;
		agent = helper(&d, "readyd-agent");
		kill(agent, SIGKILL);
		client_sees_the_end(fd);
		rdy__fd_close(fd);
	}
	ck_assert_str_eq(wire_error_name(e), "AGENT_FAILED");
}

START_TEST(agents_that_keep_dying)
{
	START("quota.default.connects_per_s=100");
	until_agent_failed();
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "agent=failing"));
	/* And after the pause it is tried again. */
	rdy__fd_close(open_in_the_end());
}
END_TEST

START_TEST(a_killed_closer)
{
	pid_t first;
	int a;

	START("log.level=debug");
	a = client_open(&d);
	first = helper(&d, "readyd-closer");
	kill(first, SIGKILL);
	other_helper(&d, "readyd-closer", first);
	client_ping(a);
	rdy__fd_close(a);
	/* The new one does its work: a session ends only when the closer has its socket. */
	a = client_open(&d);
	client_ping(a);
	rdy__fd_close(a);
}
END_TEST

/* Stuck: replaced once; after that closing waits, and everything else goes on. */
START_TEST(a_stuck_closer)
{
	pid_t first, second;
	int a, b;

	START("log.level=debug");
	a = client_open(&d);
	b = client_open(&d);
	first = helper(&d, "readyd-closer");
	kill(first, SIGSTOP);
	rdy__fd_close(b); /* its socket has to be closed */
	second = other_helper(&d, "readyd-closer", first);
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "closer=stuck"));
	client_ping(a);
	kill(second, SIGSTOP);
	rdy__fd_close(client_open(&d));
	WAIT_FOR(strstr(daemon_said(&d), "closer=none"));
	WAIT_FOR(kill(second, 0) < 0);
	client_ping(a);
	b = client_open(&d);
	client_ping(b);
	rdy__fd_close(a);
	rdy__fd_close(b);
}
END_TEST

START_TEST(a_killed_bouncer)
{
	pid_t first;

	START("quota.default.connects_per_s=100");
	first = helper(&d, "readyd-bouncer");
	kill(first, SIGKILL);
	WAIT_FOR(kill(first, 0) < 0);
	until_agent_failed();
	other_helper(&d, "readyd-bouncer", first);
}
END_TEST

/* Stuck: it is killed, what it had ends, and another one takes over. */
START_TEST(a_stuck_bouncer)
{
	struct wire_error_record e;
	pid_t first;
	int a;

	START("quota.default.connects_per_s=100");
	first = helper(&d, "readyd-bouncer");
	until_agent_failed();
	kill(first, SIGSTOP);
	a = client_connect(&d);
	client_sees_the_end(a);
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "bouncer=stuck"));
	rdy__fd_close(a);
	other_helper(&d, "readyd-bouncer", first);
	/* It answers: refused for another while, or served. */
	a = client_connect(&d);
	client_say_hello(a);
	ck_assert_uint_ne(client_read(a, &e), 0);
	rdy__fd_close(a);
}
END_TEST

static void ignore_children(void)
{
	signal(SIGCHLD, SIG_IGN);
}

/* Who starts us may ignore SIGCHLD, and then the kernel would reap behind our back. */
START_TEST(started_without_sigchld)
{
	char ignored[32];
	pid_t agent;
	int a;

	daemon_start_with(&d, (const char *const[]){"--user", NULL}, ignore_children);
	ck_assert(status_of(d.pid, "SigIgn", ignored, sizeof(ignored)));
	ck_assert_uint_eq(strtoull(ignored, NULL, 16) & 1u << (SIGCHLD - 1), 0);
	a = client_open(&d);
	agent = helper(&d, "readyd-agent");
	kill(agent, SIGKILL);
	client_sees_the_end(a);
	rdy__fd_close(a);
	WAIT_FOR(kill(agent, 0) < 0);
	a = client_open(&d);
	client_ping(a);
	rdy__fd_close(a);
}
END_TEST

/*
 * A process that sits in splice(2) from a silent socket into a pipe, and so holds the pipe's lock: whoever
 * has the pipe's last read end cannot even exit. Returns it; *ret_read_end is ours.
 */
static pid_t start_splicer(int *ret_read_end)
{
	int p[2], silent[2], ready[2];
	char byte, state[32];
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, silent), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(p[0]);
		(void)!write(ready[1], "x", 1);
		(void)!splice(silent[0], NULL, p[1], NULL, 4096, 0);
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	rdy__fd_close(ready[0]);
	rdy__fd_close(ready[1]);
	rdy__fd_close(silent[0]);
	rdy__fd_close(silent[1]);
	rdy__fd_close(p[1]);
	WAIT_FOR(status_of(pid, "State", state, sizeof(state)) && *state == 'S');
	*ret_read_end = p[0];
	return pid;
}

static void register_pipe(int session, int fd)
{
	const struct wire_register q = {
		.cookie = 1, .interest = WIRE_READABLE, .mode = WIRE_ONESHOT};
	struct wire_error_record e;
	uint8_t buf[64];

	wire_put_register(buf, 0, &q);
	ck_assert_int_eq(
		rdy__send_fds(session, buf, wire_put_header(buf, WIRE_REGISTER, 2, 1), &fd, 1), 0);
	ck_assert_uint_eq(client_read(session, &e), WIRE_REGISTERED);
}

/* Three agents that the kernel does not let go: the uid is refused until one has gone. */
START_TEST(agents_stuck_in_the_kernel)
{
	pid_t splicers[3], agents[3];
	int a, b;

	START("quota.default.connects_per_s=100");
	for (int i = 0; i < 3; i++) {
		int read_end;

		splicers[i] = start_splicer(&read_end);
		a = client_open(&d);
		register_pipe(a, read_end);
		/* The agent has the last one. */
		rdy__fd_close(read_end);
		/* Those before are still there: the kernel does not let them go. */
		ck_assert_uint_eq(helpers(&d, "readyd-agent", agents, 3), (size_t)i + 1);
		for (int k = 0; k <= i; k++)
			kill(agents[k], SIGKILL);
		/*
		 * Its channel may stay open as long as it does, and it owes nothing: that it is wedged is
		 * found when it does not take the next session.
		 */
		b = client_connect(&d);
		client_sees_the_end(b);
		client_sees_the_end(a);
		rdy__fd_close(b);
		rdy__fd_close(a);
	}
	refused("UID_WEDGED", 0);
	for (int i = 0; i < 3; i++) {
		kill(splicers[i], SIGKILL);
		ck_assert_int_eq(waitpid(splicers[i], NULL, 0), splicers[i]);
	}
	rdy__fd_close(open_in_the_end());
}
END_TEST

/* An agent that cannot even exit does not keep readyd from it. */
START_TEST(stops_over_an_agent_stuck_in_the_kernel)
{
	pid_t splicer, agent;
	int a, read_end;

	START("log.level=debug");
	splicer = start_splicer(&read_end);
	a = client_open(&d);
	register_pipe(a, read_end);
	rdy__fd_close(read_end);
	agent = helper(&d, "readyd-agent");
	kill(agent, SIGKILL);
	kill(d.pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(&d), 0);
	ck_assert_ptr_nonnull(strstr(d.said, "stopped=yes stuck=1"));
	client_sees_the_end(a);
	rdy__fd_close(a);
	ck_assert(!is_gone(agent));
	kill(splicer, SIGKILL);
	ck_assert_int_eq(waitpid(splicer, NULL, 0), splicer);
	WAIT_FOR(is_gone(agent));
}
END_TEST

/* One who connects, says nothing and leaves, in every state of the agent. */
START_TEST(clients_that_leave)
{
	int a;

	START("quota.default.connects_per_s=100000", "quota.default.sessions=1000",
		"agent.idle_exit=10ms");
	for (int i = 0; i < 300; i++) {
		a = client_connect(&d);
		if (i % 3)
			client_say_hello(a);
		rdy__fd_close(a);
	}
	a = client_open(&d);
	client_ping(a);
	rdy__fd_close(a);
}
END_TEST

UNIT_MAIN_WITH("supervisor/sessions", setup, teardown, sessions_of_a_user, sessions_of_all,
	descriptors_come_back, connects_of_a_user, an_idle_agent_ends, a_killed_agent,
	a_wedged_agent, an_agent_that_dies_early, agents_that_keep_dying, a_killed_closer,
	a_stuck_closer, a_killed_bouncer, a_stuck_bouncer, started_without_sigchld,
	agents_stuck_in_the_kernel, stops_over_an_agent_stuck_in_the_kernel, clients_that_leave)
