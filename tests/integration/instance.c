/* SPDX-License-Identifier: MIT */
/* See harness.h: a private readyd, from its start to the last of its processes. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "in_unit.h"

static const char *temporary(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp && *tmp ? tmp : "/tmp";
}

void harness_path(char *buf, size_t n_bytes, const char *name)
{
	snprintf(buf, n_bytes, "%s/readyd-%d-%s", temporary(), (int)getpid(), name);
}

static void make_names(struct instance *in)
{
	snprintf(in->dir, sizeof(in->dir), "%s/readyd-test-XXXXXX", temporary());
	need(mkdtemp(in->dir), "%s: %s", in->dir, strerror(errno));
	need(chmod(in->dir, 0755) == 0, "%s", strerror(errno));
	snprintf(in->runtime, sizeof(in->runtime), "%s/run", in->dir);
	snprintf(in->sock, sizeof(in->sock), "%s/session.sock", in->runtime);
	snprintf(in->log, sizeof(in->log), "%s/log", in->dir);
}

char *instance_log(const struct instance *in)
{
	static char text[1 << 20];
	int fd = open(in->log, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	rdy__fd_close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

bool instance_said(const struct instance *in, const char *text)
{
	return strstr(instance_log(in), text);
}

#ifndef OLDKERNEL
#define OLDKERNEL NULL /* built without libseccomp */
#endif

bool harness_old_kernel(void)
{
	return getenv("READYD_TEST_OLD_KERNEL") != NULL;
}

static uint32_t limit_nofile;
static const char *program; /* NULL: the one that was built, or installed */
static const char *config;  /* a file; NULL: none */

void instance_program(const char *path)
{
	program = path;
}

void instance_limit(uint32_t nofile)
{
	limit_nofile = nofile;
}

static void run(const struct instance *in, char **args, int ready_fd)
{
	int log = open(in->log, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(120);
	rdy__fd_close(log);
	fcntl(ready_fd, F_SETFD, 0);
	const struct rlimit l = {limit_nofile, limit_nofile};

	if (limit_nofile && setrlimit(RLIMIT_NOFILE, &l) < 0)
		_exit(122);
	execv(args[0], args);
	_exit(121);
}

static void remove_files(const struct instance *in)
{
	char path[128];

	in_unit_remove(in);
	unlink(in->log);
	unlink(in->sock);
	snprintf(path, sizeof(path), "%s/lock", in->runtime);
	unlink(path);
	snprintf(path, sizeof(path), "%s/counters", in->runtime);
	unlink(path); /* of one that was killed */
	snprintf(path, sizeof(path), "%s/control.sock", in->runtime);
	unlink(path);
	rmdir(in->runtime);
	rmdir(in->dir);
}

#define RUNNING_MAX 4

static struct instance *running[RUNNING_MAX];

static void set_running(struct instance *was, struct instance *is)
{
	size_t i = 0;

	while (i < RUNNING_MAX && running[i] != was)
		i++;
	need_int(i, <, RUNNING_MAX);
	running[i] = is;
}

static void remove_all(const char *path)
{
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_type != DT_DIR)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

/* Those that would wait for the next readyd. */
static void kill_helpers(const struct instance *in)
{
	pid_t pids[32];
	size_t n = instance_helpers(in, NULL, pids, 32);
	char path[128];

	for (size_t i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	snprintf(path, sizeof(path), "%s/agents", in->runtime);
	remove_all(path);
	rmdir(path);
}

void instance_abandon(void)
{
	for (size_t i = 0; i < RUNNING_MAX; i++) {
		struct instance *in = running[i];

		if (!in || in->pid <= 0)
			continue;
		running[i] = NULL;
		puts("# the log of readyd:");
		for (char *line = strtok(instance_log(in), "\n"); line; line = strtok(NULL, "\n"))
			note("  %s", line);
		if (in->pidfd >= 0) {
			kill(in->pid, SIGKILL);
			if (!in_unit())
				waitpid(in->pid, NULL, 0);
			in->pidfd = rdy__fd_close(in->pidfd);
		}
		if (in->killed)
			kill_helpers(in);
		remove_all(in->dir); /* what the test has made beside it */
		remove_files(in);
	}
}

void instance_start(struct instance *in, ...)
{
	const char *options[INSTANCE_OPTIONS];
	size_t n = 0;
	va_list ap;

	va_start(ap, in);
	for (const char *option; (option = va_arg(ap, const char *));) {
		need_int(n, <, INSTANCE_OPTIONS);
		options[n++] = option;
	}
	va_end(ap);
	instance_start_with(in, options, n);
}

void instance_config(const char *path)
{
	config = path;
}

void instance_begin(struct instance *in)
{
	char number[16], *args[2 * INSTANCE_OPTIONS + 14];
	int ready[2];
	size_t n = 0;

	need(pipe2(ready, O_CLOEXEC) == 0, "%s", strerror(errno));
	snprintf(number, sizeof(number), "%d", in_unit() ? 3 : ready[1]);
	if (harness_old_kernel())
		args[n++] = (char *)OLDKERNEL;
	args[n++] = (char *)(program	 ? program
			     : in_unit() ? getenv("READYD_TEST_PROGRAM")
					 : READYD);
	args[n++] = (char *)"--config"; /* not what this machine has */
	args[n++] = (char *)(config ? config : "none");
	args[n++] = (char *)"--runtime-dir";
	args[n++] = in->runtime;
	args[n++] = (char *)"--ready-fd";
	args[n++] = number;
	if (in_unit()) {
		args[n++] = (char *)"-osockets.session.mode=0666";
	} else if (harness_is_root()) {
		args[n++] = (char *)"-ouser=daemon";
		args[n++] = (char *)"-osockets.session.group=daemon";
		args[n++] = (char *)"-osockets.session.mode=0666";
	} else {
		args[n++] = (char *)"--user";
	}
	for (size_t i = 0; i < in->n_options; i++) {
		args[n++] = (char *)"-o";
		args[n++] = (char *)in->options[i];
	}
	args[n] = NULL;
	fflush(stdout);
	if (in_unit()) {
		rdy__fd_close(ready[0]);
		ready[0] = in_unit_start(in, args, limit_nofile);
	} else {
		in->pid = fork();
		need(in->pid >= 0, "%s", strerror(errno));
		if (in->pid == 0)
			run(in, args, ready[1]);
		proc_started(in->pid);
	}
	rdy__fd_close(ready[1]);
	in->pidfd = pidfd_open(in->pid, 0);
	in->ready_fd = ready[0];
}

/* What waitpid(2) says of one that has ended. */
static int status_of(struct instance *in)
{
	int status = 0;

	if (in_unit())
		return in_unit_status(in);
	need_int(waitpid(in->pid, &status, 0), ==, in->pid);
	proc_ended(in->pid);
	return status;
}

bool instance_begun(const struct instance *in)
{
	struct pollfd p = {.fd = in->ready_fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

void instance_await(struct instance *in)
{
	struct pollfd p = {.fd = in->ready_fd, .events = POLLIN};
	char c = 0;

	need(poll(&p, 1, PATIENCE_MS) == 1 && read(p.fd, &c, 1) == 1 && c == '\n',
		"readyd does not start: %s", instance_log(in));
	in->ready_fd = rdy__fd_close(in->ready_fd);
}

static void launch(struct instance *in)
{
	instance_begin(in);
	instance_await(in);
}

static void set_options(struct instance *in, const char *const *options, size_t n)
{
	need_int(n, <=, INSTANCE_OPTIONS);
	for (size_t i = 0; i < n; i++)
		in->options[i] = options[i];
	in->n_options = n;
}

void instance_start_with(struct instance *in, const char *const *options, size_t n_options)
{
	*in = (struct instance){.pidfd = -1, .ready_fd = -1};
	make_names(in);
	set_running(NULL, in);
	/* A sanitizer's runtime does not go with the filter: such a build has none. */
	instance_expect(in, "sandbox=on filter=no");
	/* Nor with a process that nobody may trace: its search for leaks sometimes says this, and goes on. */
	instance_expect(in, "Unable to get registers from thread");
	/* What it leaves behind becomes ours, and is found. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	set_options(in, options, n_options);
	launch(in);
}

void instance_again(struct instance *in)
{
	launch(in);
}

void instance_again_with(struct instance *in, const char *const *options, size_t n)
{
	set_options(in, options, n);
	launch(in);
}

void instance_expect(struct instance *in, const char *text)
{
	need_int(in->n_expects, <, INSTANCE_EXPECTS);
	in->expects[in->n_expects++] = text;
}

/* Anything that is not "<5>" to "<7>", but for what was expected. */
static const char *surprise(const struct instance *in)
{
	char *save = NULL;

	for (char *line = strtok_r(instance_log(in), "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		bool good = line[0] == '<' && line[1] >= '5' && line[1] <= '7' && line[2] == '>';

		for (size_t i = 0; i < in->n_expects && !good; i++)
			good = strstr(line, in->expects[i]);
		if (!good)
			return line;
	}
	return NULL;
}

static void wait_end(struct instance *in)
{
	struct pollfd p = {.fd = in->pidfd, .events = POLLIN};

	need(poll(&p, 1, PATIENCE_MS) == 1, "readyd does not end: %s", instance_log(in));
}

void instance_terminate(struct instance *in)
{
	need(pidfd_send_signal(in->pidfd, SIGTERM, NULL, 0) == 0, "%s: %s", strerror(errno),
		instance_log(in));
	wait_end(in);
}

void instance_kill(struct instance *in)
{
	need(pidfd_send_signal(in->pidfd, SIGKILL, NULL, 0) == 0, "%s", strerror(errno));
	wait_end(in);
	status_of(in);
	in->pidfd = rdy__fd_close(in->pidfd);
	in->ready_fd = rdy__fd_close(in->ready_fd);
	in->killed = true;
}

void instance_gone(struct instance *in)
{
	pid_t left[32];
	int status;
	const char *line;
	int64_t start;
	size_t n;

	wait_end(in);
	status = status_of(in);
	in->pidfd = rdy__fd_close(in->pidfd);
	start = now_ns();
	/* Its helpers are ours now. */
	while ((n = instance_helpers(in, NULL, left, 32)) > 0) {
		for (size_t i = 0; i < n; i++)
			waitpid(left[i], NULL, WNOHANG);
		need(look_again(start), "%zu processes are left, one is %d: %s", n, (int)left[0],
			instance_log(in));
	}
	line = surprise(in);
	need(!line, "readyd says: %s", line);
	need(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "status %#x: %s",
		(unsigned int)status, instance_log(in));
	remove_files(in);
	need(access(in->dir, F_OK) < 0, "something is left in %s", in->dir);
	in->pid = 0;
	set_running(in, NULL);
}

void instance_stop(struct instance *in)
{
	instance_terminate(in);
	instance_gone(in);
}

pid_t instance_agent(const struct instance *in, uid_t uid)
{
	char marks[2][64];
	pid_t pids[64], agent = 0;
	size_t n = instance_helpers(in, "agent", pids, 64);

	snprintf(marks[0], sizeof(marks[0]), "agent=adopted uid=%u pid=", (unsigned int)uid);
	snprintf(marks[1], sizeof(marks[1]), "agent=started uid=%u pid=", (unsigned int)uid);
	for (size_t k = 0; k < 2; k++) {
		char *at = instance_log(in);

		while ((at = strstr(at, marks[k]))) {
			pid_t pid = (pid_t)atoi(at += strlen(marks[k]));

			for (size_t i = 0; i < n; i++)
				if (pids[i] == pid)
					agent = pid;
		}
	}
	return agent;
}

pid_t instance_wait_agent(const struct instance *in, uid_t uid)
{
	int64_t start = now_ns();
	pid_t pid;

	while (!(pid = instance_agent(in, uid)))
		need(look_again(start), "no agent for uid %u: %s", (unsigned int)uid,
			instance_log(in));
	return pid;
}
