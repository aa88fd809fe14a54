/* SPDX-License-Identifier: MIT */
/*
 * A real readyd in a directory of its own, and raw clients of it. Whether its helpers are sandboxed is
 * READYD_TEST_SANDBOX in the environment (on, off): the same tests run with both.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "unit.h"
#include "wire/wire.h"

#define PATIENCE_MS 30000 /* how long anything may take before the test fails */
#define ARGS_MAX 32

struct daemon {
	pid_t pid;
	int log; /* its standard error */
	char base[32], dir[48], socket[64];
	char said[65536]; /* of the log, so far */
	size_t n_said;
};

/* Wait for a condition; look again every millisecond. */
#define WAIT_FOR(condition) \
	do { \
		int64_t end_ = rdy__now_ns() + PATIENCE_MS * RDY__NS_PER_MS; \
		while (!(condition)) { \
			ck_assert_msg(rdy__now_ns() < end_, "waited in vain: %s", #condition); \
			poll(NULL, 0, 1); \
		} \
	} while (0)

static inline void daemon_dir(struct daemon *d)
{
	strcpy(d->base, "/tmp/readyd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->base));
	snprintf(d->dir, sizeof(d->dir), "%s/rt", d->base);
	snprintf(d->socket, sizeof(d->socket), "%s/session.sock", d->dir);
	d->pid = -1;
	d->log = -1;
	d->n_said = 0;
}

/* Nothing but the lock is left when it has stopped. */
static inline void daemon_dir_removed(struct daemon *d)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/lock", d->dir);
	unlink(path);
	rmdir(d->dir);
	ck_assert_msg(rmdir(d->base) == 0, "something was left in %s", d->base);
}

/* What it has said until now. */
static inline const char *daemon_said(struct daemon *d)
{
	ssize_t n = read(d->log, d->said + d->n_said, sizeof(d->said) - 1 - d->n_said);

	d->n_said += n > 0 ? (size_t)n : 0;
	d->said[d->n_said] = 0;
	return d->said;
}

static inline size_t daemon_args(struct daemon *d, const char **argv, const char *const *options)
{
	size_t n = 0;

	argv[n++] = READYD;
	argv[n++] = "--config"; /* not what this machine has */
	argv[n++] = "none";
	argv[n++] = "--runtime-dir";
	argv[n++] = d->dir;
	for (; options && *options; options++) {
		ck_assert_uint_lt(n, ARGS_MAX - 5);
		/* KEY=VALUE is a configuration value. */
		if (**options != '-')
			argv[n++] = "-o";
		argv[n++] = *options;
	}
	return n;
}

/*
 * Run it; `prepare`, if any, is called in the child before the exec. ready: a descriptor for --ready-fd, or -1.
 */
static inline void daemon_run(
	struct daemon *d, const char *const *options, int ready, void (*prepare)(void))
{
	const char *argv[ARGS_MAX];
	size_t n = daemon_args(d, argv, options);
	char number[32], sandbox[32];
	int log[2];

	snprintf(sandbox, sizeof(sandbox), "-osandbox=%s", getenv("READYD_TEST_SANDBOX") ?: "on");
	argv[n++] = sandbox;
	if (ready >= 0) {
		snprintf(number, sizeof(number), "--ready-fd=%d", ready);
		argv[n++] = number;
	}
	argv[n] = NULL;
	ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
	fcntl(log[0], F_SETFL, O_NONBLOCK);
	d->log = log[0];
	d->pid = fork();
	ck_assert_int_ge(d->pid, 0);
	if (d->pid == 0) {
		dup2(log[1], STDERR_FILENO);
		dup2(log[1], STDOUT_FILENO);
		if (prepare)
			prepare();
		execv(READYD, (char *const *)argv);
		_exit(127);
	}
	rdy__fd_close(log[1]);
}

/* Run it and wait until clients can connect. */
static inline void daemon_start_with(
	struct daemon *d, const char *const *options, void (*prepare)(void))
{
	struct pollfd p;
	int ready[2];
	char byte;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	/* The number that readyd gets stays open over the exec, and only there. */
	int passed = fcntl(ready[1], F_DUPFD, 20);

	daemon_run(d, options, passed, prepare);
	rdy__fd_close(passed);
	rdy__fd_close(ready[1]);
	p = (struct pollfd){.fd = ready[0], .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert_msg(read(ready[0], &byte, 1) == 1 && byte == '\n', "it did not start: %s",
		daemon_said(d));
	ck_assert_int_eq(read(ready[0], &byte, 1), 0);
	rdy__fd_close(ready[0]);
}

/* A private instance; options as in daemon_args(). */
static inline void daemon_start(struct daemon *d, const char *const *options)
{
	const char *with_user[ARGS_MAX] = {"--user"};

	for (size_t i = 0; options && options[i]; i++)
		with_user[i + 1] = options[i];
	daemon_start_with(d, with_user, NULL);
}

/* Wait for its end; its exit status, or 1000 + signal. */
static inline int daemon_wait(struct daemon *d)
{
	struct rusage usage;
	int status;
	pid_t got = 0;

	WAIT_FOR((got = wait4(d->pid, &status, WNOHANG, &usage)) != 0);
	ck_assert_int_eq(got, d->pid);
	daemon_said(d);
	d->log = rdy__fd_close(d->log);
	d->pid = -1;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A field of /proc/PID/status, or false when there is no such process. */
static inline bool status_of(pid_t pid, const char *field, char *ret, size_t n)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		size_t k = strlen(field);

		if (strncmp(line, field, k) != 0 || line[k] != ':')
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(ret, n, "%s", line + k + 1 + strspn(line + k + 1, " \t"));
		found = true;
	}
	fclose(f);
	return found;
}

/* Ended; whoever has become its parent may not have reaped it (process 1 of a container). */
static inline bool is_gone(pid_t pid)
{
	char state[32];

	return !status_of(pid, "State", state, sizeof(state)) || *state == 'Z';
}

/* Its living children of a name ("readyd-agent"); returns how many, the first n in pids. */
static inline size_t helpers(const struct daemon *d, const char *name, pid_t *pids, size_t n)
{
	DIR *proc = opendir("/proc");
	size_t found = 0;

	ck_assert_ptr_nonnull(proc);
	for (struct dirent *e; (e = readdir(proc));) {
		char text[64];
		pid_t pid = atoi(e->d_name);

		if (pid <= 0 || !status_of(pid, "PPid", text, sizeof(text)) ||
			atoi(text) != d->pid || !status_of(pid, "Name", text, sizeof(text)) ||
			strcmp(text, name) != 0 || !status_of(pid, "State", text, sizeof(text)) ||
			*text == 'Z')
			continue;
		if (found < n)
			pids[found] = pid;
		found++;
	}
	closedir(proc);
	return found;
}

/* The only one of a name. */
static inline pid_t helper(const struct daemon *d, const char *name)
{
	pid_t pid = 0;

	WAIT_FOR(helpers(d, name, &pid, 1) == 1);
	return pid;
}

/* The same, and it is another one than before. */
static inline pid_t other_helper(const struct daemon *d, const char *name, pid_t before)
{
	pid_t pid = 0;

	WAIT_FOR(helpers(d, name, &pid, 1) == 1 && pid != before);
	return pid;
}

/* A connected client; has not said anything. */
static inline int client_connect(const struct daemon *d)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, d->socket);
	ck_assert_msg(
		connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect: %s", strerror(errno));
	return fd;
}

static inline void client_say_hello(int fd)
{
	const struct wire_hello h = {.version_min = 1,
		.version_max = 1,
		.features = WIRE_FEATURE_ONESHOT,
		.name = "a test"};
	uint8_t buf[128];

	wire_put_hello(buf, &h);
	/* A refusal may have come and gone before: EPIPE is as good. */
	(void)rdy__send_fds(fd, buf, wire_put_header(buf, WIRE_HELLO, 1, 1), NULL, 0);
}

/* The next frame's type; 0 at the session's end. An ERROR's record goes to *ret_error. */
static inline uint16_t client_read(int fd, struct wire_error_record *ret_error)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct wire_frame f;
	uint8_t buf[WIRE_FRAME_MAX];
	uint32_t detail;
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE)))
		return 0;
	ck_assert_msg(n > 0, "recv: %s", strerror(errno));
	ck_assert_int_eq(wire_decode_reply(buf, (size_t)n, 0, &f, &detail), WIRE_OK);
	if (f.header.type == WIRE_ERROR)
		wire_get_error(&f, ret_error);
	return f.header.type;
}

/* Connect and say HELLO: WIRE_OK and the session, or why there is none. */
static inline enum wire_error client_try(const struct daemon *d, int *ret, uint32_t *ret_detail)
{
	struct wire_error_record e = {0};
	int fd = client_connect(d);
	uint16_t type;

	client_say_hello(fd);
	type = client_read(fd, &e);
	if (type == WIRE_WELCOME) {
		*ret = fd;
		return WIRE_OK;
	}
	ck_assert_msg(type == WIRE_ERROR, "neither WELCOME nor ERROR but %#x", type);
	ck_assert(e.fatal);
	/* And then it ends. */
	ck_assert_uint_eq(client_read(fd, &e), 0);
	rdy__fd_close(fd);
	*ret_detail = e.detail;
	return e.error;
}

static inline int client_open(const struct daemon *d)
{
	uint32_t detail = 0;
	enum wire_error e;
	int fd = -1;

	e = client_try(d, &fd, &detail);
	ck_assert_msg(e == WIRE_OK, "refused: %s, %u", wire_error_name(e), detail);
	return fd;
}

static inline void client_ping(int fd)
{
	struct wire_error_record e = {0};
	uint8_t buf[64];

	wire_put_ping(buf, 7);
	ck_assert_int_eq(rdy__send_fds(fd, buf, wire_put_header(buf, WIRE_PING, 9, 1), NULL, 0), 0);
	ck_assert_uint_eq(client_read(fd, &e), WIRE_PONG);
}

/* Reads until the session's end. */
static inline void client_sees_the_end(int fd)
{
	struct wire_error_record e = {0};

	while (client_read(fd, &e))
		;
}

/* SIGTERM, exit status 0, nobody left, no socket. */
static inline void daemon_stop(struct daemon *d)
{
	pid_t pids[16];
	size_t n = helpers(d, "readyd-agent", pids, 4);

	n += helpers(d, "readyd-closer", pids + n, 4);
	n += helpers(d, "readyd-bouncer", pids + n, 4);
	kill(d->pid, SIGTERM);
	ck_assert_int_eq(daemon_wait(d), 0);
	ck_assert_int_eq(access(d->socket, F_OK), -1);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(
			kill(pids[i], 0) < 0 && errno == ESRCH, "process %d is left", (int)pids[i]);
}

#endif
