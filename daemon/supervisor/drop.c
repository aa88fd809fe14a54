/* SPDX-License-Identifier: MIT */
#include "drop.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

int drop_find_user(const char *name, struct drop_user *ret)
{
	struct passwd *p;

	errno = 0;
	p = getpwnam(name);
	if (!p)
		/* getpwnam(3) lists several values for "not found". */
		return errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM
			       ? -errno
			       : -ENOENT;
	if (p->pw_uid == 0)
		return -EPERM;
	*ret = (struct drop_user){p->pw_uid, p->pw_gid};
	return 0;
}

int drop_find_group(const char *name, gid_t *ret)
{
	struct group *g;

	errno = 0;
	g = getgrnam(name);
	if (!g)
		return errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM
			       ? -errno
			       : -ENOENT;
	*ret = g->gr_gid;
	return 0;
}

int drop_become(const struct drop_user *u)
{
	if (setgroups(0, NULL) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
		setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	if (setuid(0) == 0 || setgid(0) == 0)
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
