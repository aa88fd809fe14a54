/* SPDX-License-Identifier: MIT */
/*
 * A supervisor in this process that starts where another one was; the agents that are left are processes of the
 * test that say what a case wants them to, the truth or not.
 */
#ifndef ADOPT_RIG_H
#define ADOPT_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "adopt.h"
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

static inline void tell(int sock, const struct channel_message *m)
{
	uint8_t buf[CHANNEL_BYTES_MAX];

	sure(rdy__send_fds(sock, buf, channel_encode(buf, m), NULL, 0) == 0);
}

static inline bool hear(int sock, struct channel_message *ret)
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

static inline void tell_snapshot(int sock, uint64_t epoch, uint32_t uid, uint32_t n)
{
	tell(sock, &(struct channel_message){.type = CHANNEL_SNAPSHOT,
			   .u.snapshot = {.epoch = epoch,
				   .program = PROGRAM,
				   .uid = uid,
				   .n_sessions = n,
				   .closer = (int32_t)closer_said,
				   .flags = flags_said}});
}

static inline void tell_session(int sock, uint64_t number, uint32_t uid)
{
	tell(sock,
		&(struct channel_message){.type = CHANNEL_SNAPSHOT_SESSION,
			.u.snapshot_session = {.session = number, .uid = uid, .gid = 5, .pid = 6}});
}

/* Until the other side closes. */
static inline void stay(int sock)
{
	struct channel_message m;

	while (hear(sock, &m))
		;
}

/* What is not let go of dies by SIGKILL, which the test sees. */
static inline void wait_for_death(void)
{
	for (;;)
		pause();
}

static inline void play(int listener, int ready, const char *name, script *run)
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

static inline void path_of(const char *file, char *ret, size_t n)
{
	int len = snprintf(ret, n, "%s/agents%s%s", runtime.dir_path, *file ? "/" : "", file);

	ck_assert_int_lt(len, (int)n);
}

static inline int bound(const char *file)
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

static inline void fake_named(const char *file, const char *name, script *run)
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

static inline void fake(const char *file, script *run)
{
	fake_named(file, "readyd-agent", run);
}

static inline int open_program(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline void prepare(void)
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
	log_set_level(getenv("VERBOSE") ? LOG_P_DEBUG : 0); /* agents hear of it, too */
	unsetenv("NOTIFY_SOCKET");
	n_fakes = 0;
	closer_said = flags_said = 0;
}

static inline void start(void)
{
	ck_assert_int_eq(supervisor_init(&sv, &options, &runtime), 0);
	ck_assert(!adopt_pending(&sv));
}

/* Returns how the process ended: its exit status, or 1000 + signal. */
static inline int end_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline void finish(void)
{
	pid_t bouncer = sv.poll && sv.bouncer.child ? sv.bouncer.child->pid : -1;

	sv.stopping = true; /* in peace: it leaves nothing */
	supervisor_deinit(&sv);
	if (bouncer > 0)
		end_of(bouncer);
	rdy__fd_close(runtime.listener);
	rdy__fd_close(runtime.control);
	rdy__fd_close(runtime.dir);
	ck_assert_msg(rmdir(runtime.dir_path) == 0, "something is left in %s", runtime.dir_path);
	unit_teardown();
}

static inline struct agent *adopted(uid_t uid)
{
	struct agent *agent = agents_find(&sv.agents, uid);

	ck_assert_ptr_nonnull(agent);
	ck_assert_int_eq(agent->state, AGENT_SERVING);
	return agent;
}

static inline bool is_there(const char *file)
{
	char path[PATH_BYTES];

	path_of(file, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* Of what has happened; returns false if nothing has for a while. */
static inline bool turn(int timeout_ms)
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

#endif
