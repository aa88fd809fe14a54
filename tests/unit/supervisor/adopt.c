/* SPDX-License-Identifier: MIT */
/* Agents that are left when a supervisor starts: what it takes over of them. */
#include "adopt_rig.h"

static void honest(int sock, uint64_t epoch)
{
	struct channel_message m;

	/* Said to the one before, and of no meaning now. */
	tell(sock, &(struct channel_message){.type = CHANNEL_HELLO});
	tell(sock, &(struct channel_message){.type = CHANNEL_TAKEN, .u.session.session = 3});
	tell(sock, &(struct channel_message){.type = CHANNEL_SESSION_END, .u.session.session = 3});
	tell(sock, &(struct channel_message){.type = CHANNEL_IDLE});
	tell(sock, &(struct channel_message){.type = CHANNEL_CLOSER_GONE});
	tell_session(sock, 4, UID);
	tell_snapshot(sock, epoch + 1, UID, 7);
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 5, UID);
	tell_session(sock, 9, UID);
	sure(hear(sock, &m) && m.type == CHANNEL_CONFIG);
	sure(m.u.config.uid == UID && m.u.config.supervisor == getppid());
	sure(m.u.config.program == PROGRAM && m.u.config.grace_ns > 0);
	tell(sock, &(struct channel_message){.type = CHANNEL_SESSION_END, .u.session.session = 5});
	stay(sock);
}

START_TEST(a_snapshot)
{
	struct agent *agent;

	fake("1000-0", honest);
	start();
	agent = adopted(UID);
	ck_assert_int_eq(agent->process->pid, fakes[0]);
	ck_assert(agent->process->adopted);
	ck_assert_ptr_null(agent->closer);
	ck_assert_uint_eq(agent->program, PROGRAM);
	ck_assert_uint_ge(agent->n_sessions, 1);
	ck_assert_uint_eq(sv.agents.last_session, 9);
	while (agent->n_sessions > 1)
		ck_assert(turn(PATIENCE_MS));
	ck_assert_uint_eq(sv.agents.n_sessions, 1);
	ck_assert(is_there("1000-0"));
	/* Killed by us, as those of its own are. */
	agents_lose(&sv, agent);
	ck_assert_int_eq(end_of(fakes[0]), 1000 + SIGKILL);
	ck_assert_uint_eq(sv.agents.n_sessions, 0);
	ck_assert(!is_there("1000-0"));
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
}
END_TEST

/* By a name of its own a process is none of ours: it is not taken, and not killed. */
START_TEST(another_program)
{
	fake_named("1000-0", "innocent", honest);
	start();
	ck_assert_ptr_null(agents_find(&sv.agents, UID));
	/* Our end of the socket is all that it loses. */
	ck_assert_int_lt(end_of(fakes[0]), 1000);
}
END_TEST

static pid_t named(const char *name)
{
	int pair[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		sure(write(pair[1], "", 1) == 1);
		wait_for_death();
	}
	ck_assert_int_eq(read(pair[0], &byte, 1), 1);
	rdy__fd_close(pair[0]);
	rdy__fd_close(pair[1]);
	return pid;
}

static void with_closer(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 0);
	stay(sock);
}

/* An agent can say any number: only a closer of ours is believed to be one, and of one agent. */
START_TEST(closers)
{
	pid_t closer = named("readyd-closer"), other = named("innocent");
	struct agent *agent;

	closer_said = (uint32_t)closer;
	fake("1000-0", with_closer);
	fake("1000-1", with_closer);
	closer_said = (uint32_t)other;
	fake("1000-2", with_closer);
	closer_said = 1;
	fake("1000-3", with_closer);
	start();
	int n = 0;

	rdy__list_for_each (l, &sv.agents.all) {
		agent = rdy__list_entry(l, struct agent, link);
		ck_assert_int_eq(agent->state, AGENT_SERVING);
		if (!agent->closer)
			continue;
		ck_assert_int_eq(agent->closer->pid, closer);
		n++;
	}
	ck_assert_int_eq(n, 1);
	ck_assert_uint_eq(sv.agents.n, 4);
	agents_kill(&sv);
	ck_assert_int_eq(end_of(closer), 1000 + SIGKILL);
	ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
	kill(other, SIGKILL);
	end_of(other);
	for (int i = 0; i < n_fakes; i++)
		end_of(fakes[i]);
}
END_TEST

static void frozen(int sock, uint64_t epoch)
{
	struct channel_message m;

	tell_snapshot(sock, epoch, UID, 0);
	sure(hear(sock, &m) && m.type == CHANNEL_CONFIG && m.u.config.flags == CHANNEL_FROZEN);
	stay(sock);
}

START_TEST(stays_frozen)
{
	flags_said = CHANNEL_FROZEN;
	fake("1000-0", frozen);
	start();
	ck_assert(adopted(UID)->frozen);
	ck_assert(frozen_has(&sv.frozen, UID));
	rdy_poll_deregister(sv.poll, adopted(UID)->channel);
	shutdown(adopted(UID)->channel, SHUT_RDWR);
	ck_assert_int_eq(end_of(fakes[0]), 0);
}
END_TEST

static void three_sessions(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 3);
	tell_session(sock, 1, UID);
	tell_session(sock, 2, UID);
	tell_session(sock, UINT64_MAX, UID);
	stay(sock);
}

/* More than the quota does not take from others; a number that cannot be followed is none to stop at. */
START_TEST(what_is_claimed)
{
	struct identity who = {.uid = UID, .gid = UID, .pidfd = -1};
	struct agent *agent;
	int pair[2];

	options.conf.quota_sessions = 2;
	fake("1000-0", three_sessions);
	start();
	agent = adopted(UID);
	ck_assert_uint_eq(agent->n_sessions, 3);
	ck_assert_uint_eq(sv.agents.n_sessions, 2);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(agents_hand_over(&sv, agent, pair[0], &who, WIRE_OK, 0), 0);
	ck_assert_uint_eq(sv.agents.last_session, 3);
	rdy__fd_close(pair[1]);
	agents_lose(&sv, agent);
	ck_assert_uint_eq(sv.agents.n_sessions, 0);
	end_of(fakes[0]);
	/* Its socket is on its way to the bouncer. */
	for (int64_t end = rdy__now_ns() + PATIENCE_MS * RDY__NS_PER_MS;
		link_sender_pending(&sv.bouncer.link);) {
		ck_assert_int_lt(rdy__now_ns(), end);
		bouncer_flush(&sv, rdy__now_ns());
		poll(NULL, 0, 1);
		bouncer_readable(&sv);
	}
}
END_TEST

/* It believes in the one before us for a moment longer: refused, then asked again. */
static void play_late(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	prctl(PR_SET_NAME, "readyd-agent");
	for (int i = 0; i < 3; i++) {
		sure(poll(&p, 1, PATIENCE_MS) == 1);
		rdy__fd_close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	}
	play(listener, open("/dev/null", O_WRONLY | O_CLOEXEC), "readyd-agent", with_closer);
}

START_TEST(refused_first)
{
	int listener = bound("1000-0");
	pid_t pid = fork();

	if (pid == 0)
		play_late(listener);
	rdy__fd_close(listener);
	start();
	ck_assert_int_eq(adopted(UID)->process->pid, pid);
	agents_kill(&sv);
	end_of(pid);
}
END_TEST

/* Files without anybody behind them, and what is no agent's at all. */
START_TEST(leftovers)
{
	const char *const names[] = {"1000-0", "1000-", "x", "1000-0x", "-1", "4294967295-0",
		"00000000000000000000000000000000000000-1"};
	char path[PATH_BYTES];

	rdy__fd_close(bound("1000-7"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path, sizeof(path));
		rdy__fd_close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		ck_assert(is_there(names[i]));
	}
	start();
	ck_assert_uint_eq(sv.agents.n, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(!is_there(names[i]), "%s", names[i]);
	ck_assert(!is_there("1000-7"));
}
END_TEST

START_TEST(a_directory_that_is_not_ours)
{
	char path[PATH_BYTES];

	path_of("", path, sizeof(path));
	chmod(path, 0755);
	ck_assert_int_eq(supervisor_init(&sv, &options, &runtime), -EPERM);
	ck_assert_int_eq(rmdir(path), 0);
	sv.stopping = true;
	supervisor_deinit(&sv);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	sv.adoption.dir = -1;
	ck_assert_int_lt(adopt_init(&sv), 0);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* Without grace nothing is made, but what is there is looked at. */
START_TEST(off)
{
	char path[PATH_BYTES];
	int fd = 5;

	options.conf.grace_ns = 0;
	fake("1000-0", with_closer);
	start();
	ck_assert_int_eq(adopt_grace_ns(&sv), 0);
	ck_assert_int_eq(adopt_listener(&sv, adopted(UID), &fd), 0);
	ck_assert_int_eq(fd, -1);
	agents_kill(&sv);
	end_of(fakes[0]);
	adopt_deinit(&sv);
	path_of("", path, sizeof(path));
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(adopt_init(&sv), 0);
	ck_assert_int_eq(sv.adoption.dir, -1);
	adopt_start(&sv);
}
END_TEST

UNIT_MAIN_WITH("supervisor/adopt", prepare, finish, a_snapshot, another_program, closers,
	stays_frozen, what_is_claimed, refused_first, leftovers, a_directory_that_is_not_ours, off)
