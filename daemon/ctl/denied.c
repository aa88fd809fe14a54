/* SPDX-License-Identifier: MIT */
/*
 * The first thing that goes wrong on most machines: the socket is there, and who types is not in its group. Looks at
 * the socket's file, the user's groups and the databases of users and groups; changes nothing. One thread.
 */
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"

/* Does the kernel count us to this group? */
static bool in_group(gid_t gid)
{
	gid_t all[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, all);

	for (int i = 0; i < n; i++)
		if (all[i] == gid)
			return true;
	return getegid() == gid;
}

static bool is_member(const struct group *g, const char *user)
{
	for (char **m = g->gr_mem; *m; m++)
		if (strcmp(*m, user) == 0)
			return true;
	return false;
}

/* It is the group: say which, and whether the user has only to log in again. */
static void blame_group(struct ctl_problem *p, const struct group *g, const struct passwd *user)
{
	if (!user) {
		ctl_problem_why(p,
			"the socket belongs to group '%s', and you (uid %u) are not in it",
			g->gr_name, (unsigned int)geteuid());
		ctl_problem_hint(p,
			"who administers readyd can let you in; or a private instance: readyctl "
			"--user");
	} else if (is_member(g, user->pw_name)) {
		ctl_problem_why(p,
			"you (%s) were added to group '%s' after this login began, so it does not "
			"count yet",
			user->pw_name, g->gr_name);
		ctl_problem_hint(p, "newgrp %s, or log in again", g->gr_name);
	} else {
		ctl_problem_why(p,
			"the socket belongs to group '%s', and you (%s) are not in it, or have not "
			"logged in again since",
			g->gr_name, user->pw_name);
		ctl_problem_hint(p,
			"sudo adduser %s %s && newgrp %s        or a private instance: readyctl "
			"--user",
			user->pw_name, g->gr_name, g->gr_name);
	}
}

void ctl_problem_denied(struct ctl_problem *p, const char *path)
{
	const struct passwd *user = getpwuid(geteuid());
	const struct group *g;
	struct stat st;

	ctl_problem_set(p, CTL_REFUSED, "PERMISSION_DENIED",
		"cannot reach readyd at %s: permission denied", path);
	if (stat(path, &st) < 0) {
		ctl_problem_why(p, "a folder on the way does not admit you");
		ctl_problem_hint(p, "namei -l %s; or a private instance: readyctl --user", path);
		return;
	}
	/* Nobody joins group 0 for this. */
	g = st.st_gid && st.st_mode & S_IWGRP && !in_group(st.st_gid) ? getgrgid(st.st_gid) : NULL;
	if (g) {
		blame_group(p, g, user);
		return;
	}
	ctl_problem_why(p, "the socket's owner and mode do not admit you");
	ctl_problem_hint(p, "ls -l %s; or a private instance: readyctl --user", path);
}
