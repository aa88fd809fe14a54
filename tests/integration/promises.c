/* SPDX-License-Identifier: MIT */
/* What the daemon promises of its processes, as /proc shows it. The table in tests/README.md says which. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "programs.h"
#include "unit.h"

/* "Name:\t VALUE" of /proc/PID/status, as a number; -1: not there. */
static long status_number(const char *dir, const char *name)
{
	char path[384], line[256];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/status", dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtol(line + strlen(name) + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

static long number_of(pid_t pid, const char *name)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	return status_number(dir, name);
}

/* Does a process have this open file, as its link says ("pipe:[123]")? */
static bool has_file(pid_t pid, const char *link)
{
	char path[320], text[128];
	bool has = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	need(d, "%s: %s", path, strerror(errno));
	for (struct dirent *e; (e = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = 0;
		has |= strcmp(text, link) == 0;
	}
	closedir(d);
	return has;
}

static void link_of(int fd, char *buf, size_t n_bytes)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, n_bytes - 1);
	need(n > 0, "%s", strerror(errno));
	buf[n] = 0;
}

/* What clients hand in is in their agent's table, and in no other process of the daemon. */
START_TEST(descriptors_are_with_the_agent_only)
{
	int p[2], sv[2], *const mine[] = {&p[0], &sv[0]};
	struct instance in;
	struct rdy_client *c;
	pid_t pids[32], agent;
	size_t n;

	instance_start(&in, NULL);
	c = client_open(&in);
	need(pipe2(p, O_CLOEXEC) == 0 &&
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0,
		"%s", strerror(errno));
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t handle;

		need_int(rdy_client_register(c, *mine[i], i, RDY_READABLE, RDY_EDGE, 0, &handle),
			==, 0);
	}
	client_sync(c);
	agent = instance_wait_agent(&in, geteuid());
	n = instance_helpers(&in, NULL, pids, 31);
	pids[n++] = in.pid;
	for (size_t k = 0; k < 2; k++) {
		char link[128];

		link_of(*mine[k], link, sizeof(link));
		for (size_t i = 0; i < n; i++)
			need(has_file(pids[i], link) == (pids[i] == agent), "process %d, %s",
				(int)pids[i], link);
	}
	rdy_client_free(c);
	for (int i = 0; i < 2; i++) {
		rdy__fd_close(p[i]);
		rdy__fd_close(sv[i]);
	}
	instance_stop(&in);
}
END_TEST

/* One thread that starts all the others itself: agents never fork. */
START_TEST(one_thread_starts_them_all)
{
	struct instance in;
	struct rdy_client *c[2];
	pid_t pids[32];
	size_t n;

	instance_start(&in, NULL);
	for (int i = 0; i < 2; i++)
		c[i] = client_open(&in);
	n = instance_helpers(&in, NULL, pids, 32);
	need_int(n, ==, 3);
	need_int(number_of(in.pid, "Threads"), ==, 1);
	for (size_t i = 0; i < n; i++)
		need_int(number_of(pids[i], "PPid"), ==, in.pid);
	for (int i = 0; i < 2; i++)
		rdy_client_free(c[i]);
	instance_stop(&in);
}
END_TEST

/* How often a process's threads went to sleep, so were woken. */
static long wakeups(pid_t pid)
{
	char dir[64], task[384];
	long sum = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
	d = opendir(dir);
	need(d, "%s", strerror(errno));
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(task, sizeof(task), "%s/%s", dir, e->d_name);
		sum += status_number(task, "voluntary_ctxt_switches");
	}
	closedir(d);
	return sum;
}

/*
 * Nothing is periodic: with sessions and registrations, and nothing going on, no process wakes for three times
 * as long as anything that is owed may take.
 */
START_TEST(idle_is_idle)
{
	const struct timespec a_while = {.tv_sec = 6};
	struct rdy_client *c[3];
	struct instance in;
	pid_t pids[32];
	long before[32];
	size_t n;
	int fd;

	instance_start(&in, NULL);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < 3; i++) {
		uint64_t handle;

		c[i] = client_open(&in);
		need_int(rdy_client_register(c[i], fd, 1, RDY_READABLE, RDY_LEVEL, 0, &handle), ==,
			0);
		need_int(rdy_client_set_deadline(c[i], handle, 0, 3600 * RDY__NS_PER_S), ==, 0);
		client_sync(c[i]);
	}
	n = instance_helpers(&in, NULL, pids, 31);
	pids[n++] = in.pid;
	/* What the last requests still caused is over when two looks are alike. */
	for (int64_t start = now_ns(), last = -1, sum = 0; sum != last;) {
		last = sum;
		for (size_t i = sum = 0; i < n; i++)
			sum += wakeups(pids[i]);
		need(look_again(start), "it does not come to rest");
	}
	for (size_t i = 0; i < n; i++)
		before[i] = wakeups(pids[i]);
	nanosleep(&a_while, NULL); /* nothing can be waited for: that is the claim */
	for (size_t i = 0; i < n; i++)
		need_int(wakeups(pids[i]) - before[i], ==, 0);
	for (int i = 0; i < 3; i++)
		rdy_client_free(c[i]);
	rdy__fd_close(fd);
	instance_stop(&in);
}
END_TEST

/* readyd --user of somebody: the same processes, one agent, and nobody else gets in. */
START_TEST(a_private_instance)
{
	char dir[] = "/tmp/readyd-test-XXXXXX", run[64], byte;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct programs programs;
	int ready[2], sock, r;
	pid_t pid;

	if (!other_users("a private instance of another user"))
		return;
	/* He may not be allowed to look into our build tree. */
	programs_new(&programs);
	need(mkdtemp(dir) && chmod(dir, 0755) == 0 && chown(dir, UID_INNOCENT, UID_INNOCENT) == 0,
		"%s", strerror(errno));
	snprintf(run, sizeof(run), "%s/run", dir);
	need(pipe(ready) == 0, "%s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		char number[16];

		snprintf(number, sizeof(number), "%d", ready[1]);
		if (setgid(UID_INNOCENT) < 0 || setuid(UID_INNOCENT) < 0 ||
			!freopen("/dev/null", "w", stderr))
			_exit(120);
		execl(programs.readyd, "readyd", "--user", "--config=none", "--runtime-dir", run,
			"--ready-fd", number, (char *)NULL);
		_exit(121);
	}
	close(ready[1]);
	need_int(read(ready[0], &byte, 1), ==, 1);
	close(ready[0]);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/session.sock", run);
	for (int i = 0; i < 2; i++) {
		sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		need(seteuid(i ? UID_INNOCENT : UID_ATTACKER) == 0, "%s", strerror(errno));
		r = connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
		need(seteuid(0) == 0, "%s", strerror(errno));
		need_int(r, ==, i ? 0 : EACCES);
		close(sock);
	}
	kill(pid, SIGTERM);
	need_int(waitpid(pid, &r, 0), ==, pid);
	need_int(r, ==, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/lock", run);
	unlink(a.sun_path); /* stays, so that two never hold different ones */
	need(rmdir(run) == 0, "%s is not empty", run);
	need(rmdir(dir) == 0, "%s is not empty", dir);
	programs_free(&programs);
}
END_TEST

UNIT_MAIN("integration/promises", descriptors_are_with_the_agent_only, one_thread_starts_them_all,
	idle_is_idle, a_private_instance)
