/* SPDX-License-Identifier: MIT */
/* See harness.h: what /proc says about the processes of an instance. */
#include "harness.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "in_unit.h"

#define HELPER "readyd-"

int count_fds(pid_t pid)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static bool read_small(pid_t pid, const char *name, char *buf, size_t n_bytes)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, n_bytes - 1);
	rdy__fd_close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n >= 0;
}

static pid_t parent_of(pid_t pid)
{
	char stat[512], *at;
	int parent;

	if (!read_small(pid, "stat", stat, sizeof(stat)))
		return 0;
	at = strrchr(stat, ')');
	return at && sscanf(at + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* A helper's first argument is its name; that of one that is ending, however long it takes, is empty. */
static bool has_name(pid_t pid, const char *name)
{
	char first[64];

	return read_small(pid, "cmdline", first, sizeof(first)) &&
	       strncmp(first, HELPER, strlen(HELPER)) == 0 &&
	       strcmp(first + strlen(HELPER), name) == 0;
}

static size_t helpers_in_unit(const struct instance *in, const char *name, pid_t *pids, size_t n)
{
	pid_t all[64];
	size_t n_all = in_unit_helpers(in, all, 64), found = 0;

	for (size_t i = 0; i < n_all && found < n; i++)
		if (!name || has_name(all[i], name))
			pids[found++] = all[i];
	return found;
}

size_t instance_helpers(const struct instance *in, const char *name, pid_t *pids, size_t n)
{
	bool alive = in->pidfd >= 0;
	size_t found = 0;
	DIR *d;

	if (in_unit())
		return helpers_in_unit(in, name, pids, n);
	d = opendir("/proc");
	need(d, "%s", strerror(errno));
	for (struct dirent *e; found < n && (e = readdir(d));) {
		pid_t pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)atoi(e->d_name) : 0;

		pid_t parent = pid ? parent_of(pid) : 0;

		/* What a killed one left is ours, also while the next one has it. */
		if (parent == getpid() && (!alive || in->killed) && !proc_is_ours(pid)) {
			if (alive && waitpid(pid, NULL, WNOHANG) == pid)
				continue;
		} else if (!parent || !alive || parent != in->pid) {
			continue;
		}
		if (!name || has_name(pid, name))
			pids[found++] = pid;
	}
	closedir(d);
	return found;
}

/*
 * Its memory is gone, but nobody can reap it yet: it is no zombie, or one whose other threads are still there
 * (the thread that ends last closes the files, and the first one is a zombie by then). The state it sleeps in
 * tells nothing more.
 */
static bool is_ending(pid_t pid)
{
	char text[512], *at;
	long n_threads;

	if (read_small(pid, "cmdline", text, sizeof(text)) && text[0])
		return false;
	if (!read_small(pid, "stat", text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	/* proc_pid_stat(5): (3) the state, (20) the number of threads. */
	if (!at ||
		sscanf(at,
			") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
			&n_threads) != 1)
		return false;
	return at[2] != 'Z' || n_threads > 1;
}

size_t instance_ending(const struct instance *in)
{
	pid_t pids[32];
	size_t n = instance_helpers(in, NULL, pids, 32), stuck = 0;

	for (size_t i = 0; i < n; i++)
		stuck += is_ending(pids[i]);
	return stuck;
}

void wait_gone(pid_t pid)
{
	int64_t start = now_ns();

	while (kill(pid, 0) == 0 || errno != ESRCH)
		need(look_again(start), "process %d is still there", (int)pid);
}

static int by_pid(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static bool is_epoll(pid_t pid, const char *fd)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", (int)pid, fd);
	n = readlink(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	return strcmp(text, "anon_inode:[eventpoll]") == 0;
}

static int count_entries(pid_t pid, const char *folder, bool (*minus)(pid_t pid, const char *name))
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, folder);
	d = opendir(path);
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' && !(minus && minus(pid, e->d_name));
	closedir(d);
	return n;
}

/*
 * What belongs to no reactor: one that has started stays, with its thread, its epoll and its waker, and is
 * no leak. Clients cannot hand in an epoll.
 */
static int count_lasting(pid_t pid)
{
	return count_entries(pid, "fd", is_epoll) - count_entries(pid, "task", NULL);
}

void census_take(const struct instance *in, struct census *ret)
{
	pid_t pids[32];
	size_t n = instance_helpers(in, NULL, pids + 1, 31) + 1;

	pids[0] = in->pid;
	qsort(pids, n, sizeof(*pids), by_pid);
	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		ret->of[i].pid = pids[i];
		ret->of[i].n_fds = count_lasting(pids[i]);
	}
}

static bool same(const struct census *a, const struct census *b)
{
	bool equal = a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++)
		equal = a->of[i].pid == b->of[i].pid && a->of[i].n_fds == b->of[i].n_fds;
	return equal;
}

static void say(const struct census *c, char *text, size_t n_bytes)
{
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < c->n && n < n_bytes; i++)
		n += (size_t)snprintf(
			text + n, n_bytes - n, " %d:%d", (int)c->of[i].pid, c->of[i].n_fds);
}

void census_wait(const struct instance *in, const struct census *before)
{
	char was[256], is[256];
	int64_t start = now_ns();
	struct census c;

	for (census_take(in, &c); !same(&c, before); census_take(in, &c)) {
		if (look_again(start))
			continue;
		say(before, was, sizeof(was));
		say(&c, is, sizeof(is));
		need(false, "descriptors by process:%s before,%s after", was, is);
	}
}

void census_settle(const struct instance *in, struct census *ret)
{
	int64_t start = now_ns();
	struct census before;
	int alike = 0;

	census_take(in, &before);
	while (alike < 5) {
		need(look_again(start), "it does not come to rest");
		census_take(in, ret);
		alike = same(&before, ret) ? alike + 1 : 0;
		before = *ret;
	}
}
