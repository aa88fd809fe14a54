/* SPDX-License-Identifier: MIT */
/* See kernel.h. Source: proc(5), files status, wchan and stack; a thread that is stuck counts as the process. */
#include "kernel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cut(char *line)
{
	line[strcspn(line, "\n")] = 0;
}

static void read_state(const char *dir, char *ret, size_t n)
{
	char path[384], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/status", dir);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "State:\t", 7) == 0) {
			cut(line);
			snprintf(ret, n, "%.60s", line + 7);
		}
	}
	fclose(f);
}

static void read_wchan(const char *dir, struct ctl_kernel *k)
{
	char path[384], name[sizeof(k->waits)] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/wchan", dir);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(name, sizeof(name), f) && strcmp(name, "0") != 0)
		memcpy(k->waits, name, sizeof(name));
	fclose(f);
}

static void read_stack(const char *dir, struct ctl_kernel *k)
{
	char path[384], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/stack", dir);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		/* "[<0>] function+0x1/0x2" */
		const char *name = strstr(line, "] ");

		cut(line);
		k->fuse |= strstr(line, "fuse_") != NULL;
		if (k->n_stack < CTL_STACK_LINES)
			snprintf(k->stack[k->n_stack++], sizeof(k->stack[0]), "%.90s",
				name ? name + 2 : line);
	}
	fclose(f);
}

void ctl_kernel_look(pid_t pid, struct ctl_kernel *ret)
{
	char path[64], thread[320], state[64];
	DIR *d;

	*ret = (struct ctl_kernel){.n_stack = 0};
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	read_state(path, ret->state, sizeof(ret->state));
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return;
	/* The thread that cannot be ended says most; else the main one, which comes first. */
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		state[0] = 0;
		snprintf(thread, sizeof(thread), "%s/%.16s", path, e->d_name);
		read_state(thread, state, sizeof(state));
		if (ret->waits[0] && state[0] != 'D')
			continue;
		ret->n_stack = 0;
		read_wchan(thread, ret);
		read_stack(thread, ret);
		if (state[0] == 'D') {
			memcpy(ret->state, state, sizeof(state));
			break;
		}
	}
	closedir(d);
}
