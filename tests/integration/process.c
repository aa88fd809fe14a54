/* SPDX-License-Identifier: MIT */
/* See harness.h: failures, time, client processes. */
#include "harness.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define MESSAGE_MAX 4096
#define PAUSE_MS 5

/* In a client process: where a failure goes. */
static int report_sock = -1;

static const char kind_failed = 'F', kind_said = 'S';

#define OURS_MAX 64

static pid_t ours[OURS_MAX];

static void replace(pid_t was, pid_t is)
{
	size_t i = 0;

	while (i < OURS_MAX && ours[i] != was)
		i++;
	need_int(i, <, OURS_MAX);
	ours[i] = is;
}

void proc_started(pid_t pid)
{
	replace(0, pid);
}

void proc_ended(pid_t pid)
{
	replace(pid, 0);
}

bool proc_is_ours(pid_t pid)
{
	for (size_t i = 0; i < OURS_MAX; i++)
		if (ours[i] == pid)
			return true;
	return false;
}

void harness_fail(const char *file, int line, const char *what, const char *format, ...)
{
	char text[1024], why[768];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%c%s:%d: %s: %s", kind_failed, file, line, what, why);
	if (report_sock >= 0) {
		(void)!send(report_sock, text, strlen(text) + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		_exit(EXIT_FAILURE);
	}
	instance_abandon();
	ck_abort_msg("%s", text + 1);
}

int64_t now_ns(void)
{
	return rdy__now_ns();
}

bool look_again(int64_t start_ns)
{
	if (now_ns() - start_ns > (int64_t)PATIENCE_MS * RDY__NS_PER_MS)
		return false;
	poll(NULL, 0, PAUSE_MS);
	return true;
}

void note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("# ", stdout);
	vprintf(format, ap);
	putchar('\n');
	va_end(ap);
	fflush(stdout);
}

bool harness_is_root(void)
{
	return geteuid() == 0;
}

bool other_users(const char *what_is_skipped)
{
	if (harness_is_root())
		return true;
	note("skipped: %s: clients of other users take root", what_is_skipped);
	return false;
}

static void become(uid_t uid)
{
	if (uid == geteuid())
		return;
	need(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
			setresuid(uid, uid, uid) == 0,
		"uid %u: %s", uid, strerror(errno));
}

void proc_start(struct proc *p, uid_t uid, void (*run)(struct proc *self, void *arg), void *arg)
{
	int sv[2];

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0, "%s", strerror(errno));
	fflush(stdout);
	p->pid = fork();
	need(p->pid >= 0, "%s", strerror(errno));
	if (p->pid == 0) {
		struct proc self = {.pid = getppid(), .sock = sv[1]};

		rdy__fd_close(sv[0]);
		report_sock = sv[1];
		become(uid);
		/* After the change of user, which forgets it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self.pid)
			_exit(EXIT_FAILURE);
		run(&self, arg);
		_exit(EXIT_SUCCESS);
	}
	rdy__fd_close(sv[1]);
	p->sock = sv[0];
	proc_started(p->pid);
}

void proc_say(struct proc *p, const void *buf, size_t n_bytes)
{
	char message[MESSAGE_MAX + 1] = {kind_said};

	need_int(n_bytes, <=, MESSAGE_MAX);
	if (n_bytes)
		memcpy(message + 1, buf, n_bytes);
	need(send(p->sock, message, n_bytes + 1, MSG_NOSIGNAL) == (ssize_t)n_bytes + 1, "%s",
		strerror(errno));
}

bool proc_waits(const struct proc *p, int timeout_ms)
{
	struct pollfd pfd = {.fd = p->sock, .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) == 1;
}

/* Fails if that is what the other side said. */
static ssize_t hear(struct proc *p, char *message)
{
	ssize_t n;

	need(proc_waits(p, 3 * PATIENCE_MS), "nothing from process %d", (int)p->pid);
	n = recv(p->sock, message, MESSAGE_MAX + 1, 0);
	if (n > 1 && message[0] == kind_failed) {
		message[n - 1] = 0;
		if (report_sock >= 0)
			_exit(EXIT_FAILURE);
		instance_abandon();
		ck_abort_msg("in a client: %s", message + 1);
	}
	return n;
}

void proc_hear(struct proc *p, void *buf, size_t n_bytes)
{
	char message[MESSAGE_MAX + 1];
	ssize_t n = hear(p, message);

	need_int(n, ==, (ssize_t)n_bytes + 1);
	if (n_bytes)
		memcpy(buf, message + 1, n_bytes);
}

void proc_check(struct proc *p)
{
	char message[MESSAGE_MAX + 1];

	while (proc_waits(p, 0) && hear(p, message) > 0)
		;
}

void proc_end(struct proc *p)
{
	char message[MESSAGE_MAX + 1];
	int status = 0;
	ssize_t n;

	while ((n = hear(p, message)) > 0)
		;
	p->sock = rdy__fd_close(p->sock);
	need_int(waitpid(p->pid, &status, 0), ==, p->pid);
	need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned int)status);
	proc_ended(p->pid);
	p->pid = 0;
}

void proc_kill(struct proc *p)
{
	int status;

	kill(p->pid, SIGKILL);
	need_int(waitpid(p->pid, &status, 0), ==, p->pid);
	p->sock = rdy__fd_close(p->sock);
	proc_ended(p->pid);
	p->pid = 0;
}
