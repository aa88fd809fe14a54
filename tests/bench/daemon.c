/* SPDX-License-Identifier: MIT */
/* Start and stop a private readyd for a benchmark; look its processes up in /proc. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_LIMIT_MS 10000
#define MAX_ARGS 64

const char *bench_readyd_path;

static void exec_readyd(const struct bench_daemon *d, const char *const options[], int ready_fd)
{
	const char *argv[MAX_ARGS];
	char number[16];
	size_t n = 0;

	snprintf(number, sizeof(number), "%d", ready_fd);
	argv[n++] = bench_readyd_path;
	/* As root: the system instance, so that clients of several uids can be had. */
	if (geteuid() != 0)
		argv[n++] = "--user";
	argv[n++] = "--config=none"; /* not what this machine has */
	argv[n++] = "--runtime-dir";
	argv[n++] = d->dir;
	argv[n++] = "--ready-fd";
	argv[n++] = number;
	if (geteuid() == 0) {
		argv[n++] = "-o";
		argv[n++] = "user=daemon";
		argv[n++] = "-o";
		argv[n++] = "sockets.session.mode=0666";
	}
	for (size_t i = 0; options && options[i]; i++) {
		if (n + 3 > MAX_ARGS)
			bench_die("too many options");
		argv[n++] = "-o";
		argv[n++] = options[i];
	}
	argv[n] = NULL;
	execv(bench_readyd_path, (char *const *)argv);
	fprintf(stderr, "bench: cannot run %s: %s\n", bench_readyd_path, strerror(errno));
	_exit(127);
}

/* A benchmark that gives up must not leave a daemon behind. */
static pid_t running, owner;

static void stop_at_exit(void)
{
	if (running > 0 && getpid() == owner)
		kill(running, SIGTERM);
}

/* Start it, and wait until it is ready. */
static void start_and_wait(struct bench_daemon *d)
{
	struct pollfd p;
	int ready[2];
	char byte;

	if (pipe(ready))
		bench_die("pipe: %s", strerror(errno));
	fcntl(ready[0], F_SETFD, FD_CLOEXEC);
	d->supervisor = fork();
	if (d->supervisor < 0)
		bench_die("fork: %s", strerror(errno));
	if (d->supervisor == 0)
		exec_readyd(d, d->options, ready[1]);
	close(ready[1]);
	p = (struct pollfd){.fd = ready[0], .events = POLLIN};
	if (poll(&p, 1, START_LIMIT_MS) != 1 || read(ready[0], &byte, 1) != 1)
		bench_die("%s did not start", bench_readyd_path);
	close(ready[0]);
}

void bench_daemon_start(struct bench_daemon *d, const char *const options[])
{
	snprintf(d->dir, sizeof(d->dir), "/tmp/readyd-bench-XXXXXX");
	if (!mkdtemp(d->dir) || chmod(d->dir, 0755))
		bench_die("cannot make a directory: %s", strerror(errno));
	snprintf(d->socket, sizeof(d->socket), "%s/session.sock", d->dir);
	d->options = options;
	d->adopted = false;
	start_and_wait(d);
	if (!owner)
		atexit(stop_at_exit);
	owner = getpid();
	running = d->supervisor;
}

pid_t bench_daemon_again(struct bench_daemon *d)
{
	pid_t pid;

	running = 0;
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	/* readyd becomes nobody's child when this one ends; its lock says who it is. */
	start_and_wait(d);
	_exit(0);
}

void bench_daemon_is_back(struct bench_daemon *d)
{
	char path[96];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/lock", d->dir);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &pid) != 1 || pid <= 0)
		bench_die("the next readyd has no lock");
	fclose(f);
	d->supervisor = running = pid;
	d->adopted = true;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

void bench_daemon_stop(struct bench_daemon *d)
{
	int status;

	kill(d->supervisor, SIGTERM);
	if (d->adopted)
		while (kill(d->supervisor, 0) == 0)
			usleep(1000);
	else
		waitpid(d->supervisor, &status, 0);
	running = 0;
	nftw(d->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

size_t bench_daemon_pids(const struct bench_daemon *d, const char *comm, pid_t *pids, size_t n)
{
	DIR *proc = opendir("/proc");
	size_t found = 0;

	if (!proc)
		bench_die("cannot open /proc: %s", strerror(errno));
	for (struct dirent *e; (e = readdir(proc)) && found < n;) {
		char path[300], stat[512], name[32];
		int ppid, pid = atoi(e->d_name);
		FILE *f;

		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(stat, sizeof(stat), f) &&
			sscanf(stat, "%*d (%31[^)]) %*c %d", name, &ppid) == 2 &&
			ppid == d->supervisor && strncmp(name, comm, 15) == 0)
			pids[found++] = pid;
		fclose(f);
	}
	closedir(proc);
	return found;
}
