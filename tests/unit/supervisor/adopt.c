/* SPDX-License-Identifier: MIT */
/*
 * A supervisor in this process that starts where another one was; the agents that are left are processes of the
 * test that say what a case wants them to, the truth or not.
 */
#include "adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "channel/channel.h"
#include "log.h"
#include "supervisor.h"
#include "unit.h"

#define UID 1000u
#define PROGRAM 0x77u
#define FAKES_MAX 8
#define PATH_BYTES 192
#define PATIENCE_MS 30000

static struct options options;
static struct runtime runtime;
static struct supervisor sv;
static pid_t fakes[FAKES_MAX];
static int n_fakes;

/* ---- the left agents' side: processes of their own, which report by their exit status ---- */

/* What one says; it ends when this returns. */
typedef void script(int sock, uint64_t epoch);

#define sure(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 200 + 50); \
	} while (0)

static void tell(int sock, const struct channel_message *m)
{
	uint8_t buf[CHANNEL_BYTES_MAX];

	sure(rdy__send_fds(sock, buf, channel_encode(buf, m), NULL, 0) == 0);
}

static bool hear(int sock, struct channel_message *ret)
{
	static uint8_t buf[CHANNEL_BYTES_MAX];
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct rdy__received got;
	int fds[RDY__FDS_MAX];

	sure(poll(&p, 1, PATIENCE_MS) == 1);
	if (rdy__recv_fds(sock, buf, sizeof(buf), fds, 0, &got) < 0 || got.n_bytes == 0)
		return false;
	for (size_t i = 0; i < got.n_fds; i++)
		rdy__fd_close(fds[i]);
	sure(channel_decode(buf, got.n_bytes, got.n_fds, ret) == 0);
	return true;
}

static uint32_t closer_said, flags_said;

static void tell_snapshot(int sock, uint64_t epoch, uint32_t uid, uint32_t n)
{
	tell(sock, &(struct channel_message){.type = CHANNEL_SNAPSHOT,
			   .u.snapshot = {.epoch = epoch,
				   .program = PROGRAM,
				   .uid = uid,
				   .n_sessions = n,
				   .closer = (int32_t)closer_said,
				   .flags = flags_said}});
}

static void tell_session(int sock, uint64_t number, uint32_t uid)
{
	tell(sock,
		&(struct channel_message){.type = CHANNEL_SNAPSHOT_SESSION,
			.u.snapshot_session = {.session = number, .uid = uid, .gid = 5, .pid = 6}});
}

/* Until the other side closes. */
static void stay(int sock)
{
	struct channel_message m;

	while (hear(sock, &m))
		;
}

/* What is not let go of dies by SIGKILL, which the test sees. */
static void wait_for_death(void)
{
	for (;;)
		pause();
}

static void play(int listener, int ready, const char *name, script *run)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct channel_message m;
	int sock;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	sure(listen(listener, 8) == 0);
	sure(write(ready, "", 1) == 1);
	sure(poll(&p, 1, PATIENCE_MS) == 1);
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sure(sock >= 0);
	sure(hear(sock, &m) && m.type == CHANNEL_ADOPT);
	run(sock, m.u.adopt.epoch);
	_exit(0);
}

/* ---- the test's side ---- */

static void path_of(const char *file, char *ret, size_t n)
{
	int len = snprintf(ret, n, "%s/agents%s%s", runtime.dir_path, *file ? "/" : "", file);

	ck_assert_int_lt(len, (int)n);
}

static int bound(const char *file)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	char path[PATH_BYTES];

	path_of(file, path, sizeof(path));
	ck_assert_uint_lt(strlen(path), sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	ck_assert_msg(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "%s", strerror(errno));
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static void fake_named(const char *file, const char *name, script *run)
{
	int listener = bound(file), ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		play(listener, ready[1], name, run);
	rdy__fd_close(listener);
	/* As if it had been there for long: it has its name, and listens itself. */
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	rdy__fd_close(ready[0]);
	rdy__fd_close(ready[1]);
	ck_assert_int_lt(n_fakes, FAKES_MAX);
	fakes[n_fakes++] = pid;
}

static void fake(const char *file, script *run)
{
	fake_named(file, "readyd-agent", run);
}

static int open_program(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void prepare(void)
{
	char path[PATH_BYTES];

	unit_setup();
	memset(&sv, 0, sizeof(sv));
	sv.signals = -1;
	sv.bouncer.link.sock = -1;
	rdy__list_init(&sv.children.all);
	sv.children.programs[CHILD_AGENT] = open_program(READYD_AGENT);
	sv.children.programs[CHILD_CLOSER] = open_program(READYD_CLOSER);
	sv.children.programs[CHILD_BOUNCER] = open_program(READYD_BOUNCER);
	sv.children.ids[CHILD_AGENT] = PROGRAM; /* theirs is as good as ours: no upgrade */
	memset(&options, 0, sizeof(options));
	conf_init(&options.conf);
	options.user = true;
	runtime = RUNTIME_NULL;
	strcpy(runtime.dir_path, "/tmp/readyd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(runtime.dir_path));
	runtime.dir = open(runtime.dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	runtime.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	runtime.control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	path_of("", path, sizeof(path));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	log_set_level(getenv("VERBOSE") ? LOG_P_DEBUG : -1);
	unsetenv("NOTIFY_SOCKET");
	n_fakes = 0;
	closer_said = flags_said = 0;
}

static void start(void)
{
	ck_assert_int_eq(supervisor_init(&sv, &options, &runtime), 0);
	ck_assert(!adopt_pending(&sv));
}

/* Returns how the process ended: its exit status, or 1000 + signal. */
static int end_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void finish(void)
{
	pid_t bouncer = sv.poll && sv.bouncer.child ? sv.bouncer.child->pid : -1;

	supervisor_deinit(&sv);
	if (bouncer > 0)
		end_of(bouncer);
	rdy__fd_close(runtime.listener);
	rdy__fd_close(runtime.control);
	rdy__fd_close(runtime.dir);
	ck_assert_msg(rmdir(runtime.dir_path) == 0, "something is left in %s", runtime.dir_path);
	unit_teardown();
}

static struct agent *adopted(uid_t uid)
{
	struct agent *agent = agents_find(&sv.agents, uid);

	ck_assert_ptr_nonnull(agent);
	ck_assert_int_eq(agent->state, AGENT_SERVING);
	return agent;
}

static bool is_there(const char *file)
{
	char path[PATH_BYTES];

	path_of(file, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* Of what has happened; returns false if nothing has for a while. */
static bool turn(int timeout_ms)
{
	struct rdy_event e;
	int n = rdy_poll_wait(sv.poll, sv.events, timeout_ms * RDY__NS_PER_MS);

	while (rdy_events_next(sv.events, &e) == 1) {
		uint32_t index = (uint32_t)(e.token >> 32) & 0xffffffu;

		if (e.token >> 56 == TOKEN_CHANNEL)
			agents_event(&sv, index, (uint32_t)e.token, e.ready);
		else if (e.token >> 56 == TOKEN_CHILD)
			child_event(&sv, index, (uint32_t)e.token);
	}
	return n > 0;
}

/* ---- cases ---- */

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

static void lie_uid(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID + 1, 0);
	wait_for_death();
}

static void lie_session_uid(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 1);
	tell_session(sock, 1, UID + 1);
	wait_for_death();
}

static void lie_twice(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 7, UID);
	tell_session(sock, 7, UID);
	wait_for_death();
}

static void lie_too_many(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 65537);
	wait_for_death();
}

static void lie_fewer(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 7, UID);
	tell(sock, &(struct channel_message){.type = CHANNEL_SESSION_END, .u.session.session = 7});
	wait_for_death();
}

/* Another process speaks for it, which the kernel tells. */
static void lie_sender(int sock, uint64_t epoch)
{
	pid_t pid = fork();

	if (pid == 0) {
		tell_snapshot(sock, epoch, UID, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	wait_for_death();
}

static void nonsense(int sock, uint64_t epoch)
{
	(void)epoch;
	sure(send(sock, "nonsense", 8, 0) == 8);
	wait_for_death();
}

/* Invariant: ADOPT-1 */
START_TEST(lies)
{
	script *const all[] = {
		lie_uid, lie_session_uid, lie_twice, lie_too_many, lie_fewer, lie_sender, nonsense};

	/* Each beside an honest one of another user. */
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char file[16];

		snprintf(file, sizeof(file), "1000-%zu", i);
		fake(file, all[i]);
	}
	start();
	ck_assert_ptr_null(agents_find(&sv.agents, UID));
	ck_assert_uint_eq(sv.agents.n_sessions, 0);
	for (int i = 0; i < n_fakes; i++)
		ck_assert_int_eq(end_of(fakes[i]), 1000 + SIGKILL);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char file[16];

		snprintf(file, sizeof(file), "1000-%zu", i);
		ck_assert(!is_there(file));
	}
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
}
END_TEST

static void more(int sock, uint64_t epoch)
{
	struct channel_message m;

	tell_snapshot(sock, epoch, UID, 1);
	tell_session(sock, 1, UID);
	sure(hear(sock, &m) && m.type == CHANNEL_CONFIG);
	tell_session(sock, 2, UID);
	wait_for_death();
}

static void again(int sock, uint64_t epoch)
{
	struct channel_message m;

	tell_snapshot(sock, epoch, UID, 0);
	sure(hear(sock, &m) && m.type == CHANNEL_CONFIG);
	tell_snapshot(sock, epoch, UID, 0);
	wait_for_death();
}

/* Found out when it serves already. */
START_TEST(later_lies)
{
	fake("1000-0", more);
	fake("1000-1", again);
	start();
	while (agents_find(&sv.agents, UID))
		ck_assert(turn(PATIENCE_MS));
	for (int i = 0; i < n_fakes; i++)
		ck_assert_int_eq(end_of(fakes[i]), 1000 + SIGKILL);
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
}
END_TEST

static void other_epoch(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch ^ 1, UID, 0);
	wait_for_death();
}

static void silent(int sock, uint64_t epoch)
{
	(void)sock;
	(void)epoch;
	wait_for_death();
}

static void half(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 1, UID);
	wait_for_death();
}

static void honest_other(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, 2000, 0);
	stay(sock);
}

/* Killed and counted, together and not one after the other; who answers is served all the same. */
START_TEST(silence)
{
	int64_t before = rdy__now_ns(), took;

	fake("1000-0", silent);
	fake("1000-1", other_epoch);
	fake("1000-2", half);
	fake("2000-0", honest_other);
	start();
	took = rdy__now_ns() - before;
	ck_assert_int_ge(took, 2 * RDY__NS_PER_S);
	ck_assert_int_lt(took, 4 * RDY__NS_PER_S);
	ck_assert_ptr_null(agents_find(&sv.agents, UID));
	adopted(2000);
	ck_assert(!is_there("1000-0"));
	ck_assert(is_there("2000-0"));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(end_of(fakes[i]), 1000 + SIGKILL);
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
	agents_kill(&sv);
	ck_assert_int_eq(end_of(fakes[3]), 1000 + SIGKILL);
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

UNIT_MAIN_WITH("supervisor/adopt", prepare, finish, a_snapshot, lies, later_lies, silence,
	another_program, closers, stays_frozen, what_is_claimed, refused_first, leftovers,
	a_directory_that_is_not_ours, off)
