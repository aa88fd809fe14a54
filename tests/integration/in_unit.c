/* SPDX-License-Identifier: MIT */
/* See in_unit.h. */
#include "in_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"

#define USER "readyd"
#define CGROUP "/sys/fs/cgroup/system.slice" /* of the template */

bool in_unit(void)
{
	return getenv("READYD_TEST_UNIT") != NULL;
}

/* NAME@FOLDER.NTH.service: each start is a unit of its own, because what an earlier one left may go on. */
static const char *unit_name(const struct instance *in, unsigned int nth, char buf[128])
{
	const char *slash = strrchr(in->dir, '/');

	snprintf(buf, 128, "%s@%s.%u.service", getenv("READYD_TEST_UNIT"), slash + 1, nth);
	return buf;
}

/* The template starts a shell with it, which knows no more than the unit's name. */
static void script_of(const struct instance *in, unsigned int nth, char buf[128])
{
	snprintf(buf, 128, "%s.%u.sh", in->dir, nth);
}

static void fifo_of(const struct instance *in, char buf[128])
{
	snprintf(buf, 128, "%s/ready", in->dir);
}

/* What the command says on standard output, without the last line's end. */
static void ask(const char *command, char *ret, size_t n_bytes)
{
	FILE *f = popen(command, "re");
	size_t n;

	need(f, "%s", strerror(errno));
	n = fread(ret, 1, n_bytes - 1, f);
	while (n && ret[n - 1] == '\n')
		n--;
	ret[n] = 0;
	pclose(f);
}

/* systemctl show; -P of several, a line for each. */
static void property(const struct instance *in, const char *name, char *ret, size_t n_bytes)
{
	char command[256], unit[128];

	snprintf(command, sizeof(command), "systemctl show -P %s %s", name,
		unit_name(in, in->nth, unit));
	ask(command, ret, n_bytes);
}

/* The program and its arguments, for a shell: none has a quote in it. */
static void write_script(const struct instance *in, char *const *args, uint32_t nofile)
{
	char path[128];
	FILE *f;

	script_of(in, in->nth, path);
	f = fopen(path, "we");
	need(f, "%s: %s", path, strerror(errno));
	if (nofile)
		fprintf(f, "ulimit -n %u\n", nofile);
	fputs("exec", f);
	for (size_t i = 0; args[i]; i++) {
		need(!strchr(args[i], '\''), "%s", args[i]);
		fprintf(f, " '%s'", args[i]);
	}
	fprintf(f, " 3>'%s/ready' 2>>'%s'\n", in->dir, in->log);
	need(fclose(f) == 0, "%s", strerror(errno));
}

/* Its runtime directory is its own, as the package would make it. */
static void make_runtime(const struct instance *in)
{
	struct passwd *user = getpwnam(USER);

	need(user, "no user %s", USER);
	if (mkdir(in->runtime, 0755) < 0) {
		need_int(errno, ==, EEXIST);
		return;
	}
	need(chown(in->runtime, user->pw_uid, user->pw_gid) == 0, "%s", strerror(errno));
}

int in_unit_start(struct instance *in, char *const *args, uint32_t nofile)
{
	char command[256], unit[128], ready[128], text[64];
	int fd;

	in->nth++;
	make_runtime(in);
	write_script(in, args, nofile);
	fifo_of(in, ready);
	unlink(ready);
	rdy__fd_close(open(in->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	chmod(in->log, 0666);
	need(mkfifo(ready, 0600) == 0 && chmod(ready, 0666) == 0, "%s: %s", ready, strerror(errno));
	fd = open(ready, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	need(fd >= 0, "%s: %s", ready, strerror(errno));
	snprintf(command, sizeof(command), "systemctl start %s 2>&1", unit_name(in, in->nth, unit));
	ask(command, text, sizeof(text));
	property(in, "MainPID", text, sizeof(text));
	in->pid = (pid_t)atoi(text);
	need(in->pid > 0, "%s does not start", unit);
	return fd;
}

int in_unit_status(const struct instance *in)
{
	char code[16], status[16];
	int64_t start = now_ns();

	/* The manager has heard of the end, too. */
	do {
		property(in, "MainPID", code, sizeof(code));
	} while (atoi(code) != 0 && look_again(start));
	property(in, "ExecMainCode", code, sizeof(code));
	property(in, "ExecMainStatus", status, sizeof(status));
	/* CLD_EXITED is 1; a unit that ended well may be forgotten, and then both are 0. */
	return atoi(code) <= 1 ? W_EXITCODE(atoi(status), 0) : W_EXITCODE(0, atoi(status));
}

size_t in_unit_helpers(const struct instance *in, pid_t *pids, size_t n)
{
	size_t found = 0;
	int pid;

	for (unsigned int nth = 1; nth <= in->nth; nth++) {
		char path[256], unit[128];
		FILE *f;

		snprintf(path, sizeof(path), CGROUP "/%s/cgroup.procs", unit_name(in, nth, unit));
		f = fopen(path, "re");
		while (f && found < n && fscanf(f, "%d", &pid) == 1)
			if (pid != in->pid)
				pids[found++] = pid;
		if (f)
			fclose(f);
	}
	return found;
}

void in_unit_remove(const struct instance *in)
{
	char path[128];

	if (!in_unit())
		return;
	fifo_of(in, path);
	unlink(path);
	for (unsigned int nth = 1; nth <= in->nth; nth++) {
		script_of(in, nth, path);
		unlink(path);
	}
}
