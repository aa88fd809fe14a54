/* SPDX-License-Identifier: MIT */
/* For tests of upgrades: readyd's programs in a folder of their own, to be replaced under a running readyd. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"

/* Where they are installed: readyd looks for its helpers beside its own folder. */
struct programs {
	char dir[64];
	char readyd[96];
};

static const char *const folders[] = {"supervisor", "agent", "closer", "bouncer"};
static const char *const names[] = {"readyd", "readyd-agent", "readyd-closer", "readyd-bouncer"};

static inline void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char fresh[160];
	ssize_t n;

	/* As a package manager does: the file under a running program stays what it is. */
	snprintf(fresh, sizeof(fresh), "%s.new", to);
	out = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	need(in >= 0 && out >= 0, "%s to %s: %s", from, fresh, strerror(errno));
	while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
		;
	need(n == 0, "%s", strerror(errno));
	need(fchmod(out, 0755) == 0 && rename(fresh, to) == 0, "%s", strerror(errno));
	rdy__fd_close(in);
	rdy__fd_close(out);
}

static inline void install(struct programs *p, const char *readyd, const char *agent)
{
	const char *const from[] = {readyd, agent, READYD_CLOSER, READYD_BOUNCER};
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, folders[i]);
		need(mkdir(path, 0755) == 0 || errno == EEXIST, "%s", strerror(errno));
		snprintf(path, sizeof(path), "%s/%s/%s", p->dir, folders[i], names[i]);
		copy(from[i], path);
	}
}

static inline void programs_new(struct programs *p)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(p->dir, sizeof(p->dir), "%.40s/readyd-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	need(mkdtemp(p->dir) && chmod(p->dir, 0755) == 0, "%s", strerror(errno));
	snprintf(p->readyd, sizeof(p->readyd), "%s/supervisor/readyd", p->dir);
	install(p, READYD, READYD_AGENT);
	instance_program(p->readyd);
}

static inline void programs_free(struct programs *p)
{
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", p->dir, folders[i], names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", p->dir, folders[i]);
		rmdir(path);
	}
	need(rmdir(p->dir) == 0, "%s: %s", p->dir, strerror(errno));
	instance_program(NULL);
}

static inline uid_t some_uid(void)
{
	return harness_is_root() ? UID_INNOCENT : geteuid();
}

static inline size_t count_said(const struct instance *in, const char *text)
{
	size_t n = 0;

	for (const char *at = instance_log(in); (at = strstr(at, text)); at++)
		n++;
	return n;
}

static inline void wait_said(const struct instance *in, const char *text, size_t n)
{
	int64_t start = now_ns();

	while (count_said(in, text) < n)
		need(look_again(start), "%s: %zu of %zu: %s", text, count_said(in, text), n,
			instance_log(in));
}

/* It was left to us by the readyd that was killed. */
static inline void wait_end(pid_t pid)
{
	int64_t start = now_ns();

	while (waitpid(pid, NULL, WNOHANG) != pid && kill(pid, 0) == 0)
		need(look_again(start), "process %d is still there", (int)pid);
}

static inline void wait_helpers(const struct instance *in, const char *name, size_t n)
{
	int64_t start = now_ns();
	pid_t pids[32];
	size_t is;

	while ((is = instance_helpers(in, name, pids, 32)) != n)
		need(look_again(start), "%zu of readyd-%s, not %zu: %s", is, name, n,
			instance_log(in));
}

#endif
