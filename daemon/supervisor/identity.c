/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, include/uapi/asm-generic/socket.h */
#endif

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif

#define GROUPS_FEW 64

bool identity_in_group(int sock, const struct identity *who, gid_t group)
{
	gid_t few[GROUPS_FEW], *all = few;
	socklen_t n = sizeof(few);
	bool found = false;
	int r;

	if (group == (gid_t)-1)
		return false;
	if (who->gid == group)
		return true;
	r = getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, all, &n);
	if (r < 0 && errno == ERANGE) {
		/* n says how many bytes it takes; they were fixed at connect. */
		all = malloc(n);
		r = all ? getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, all, &n) : -1;
	}
	for (size_t i = 0; r == 0 && i < n / sizeof(gid_t); i++)
		found |= all[i] == group;
	if (all != few)
		free(all);
	return found;
}

int identity_open(pid_t pid, uid_t uid)
{
	struct pollfd p = {.events = POLLIN};
	struct stat st;
	bool is_his;
	char path[32];

	if (pid <= 0)
		return -1;
	p.fd = pidfd_open(pid, 0); /* close-on-exec by itself */
	if (p.fd < 0)
		return errno == ESRCH ? eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	/*
	 * The directory's owner is the effective uid, dumpable or not. Not `status` in it: reading that keeps the
	 * process's memory for a moment, and whoever lets go of it last has to wait for what is mapped there.
	 */
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	is_his = stat(path, &st) == 0 && st.st_uid == uid;
	/*
	 * While it lives, this was said of it, and not of the next one with its number. If it does not, then who
	 * had the number before it does not either.
	 */
	if (is_his || poll(&p, 1, 0) > 0)
		return p.fd;
	rdy__fd_close(p.fd);
	return -1;
}

int identity_of(int sock, struct identity *ret)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	int pidfd = -1;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return -errno;
	if (cred.uid == (uid_t)-1)
		return -ENOTCONN;
	n = sizeof(pidfd);
	/* ENOPROTOOPT: an older kernel. ESRCH, EINVAL: the process is gone already; its socket will tell. */
	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) < 0)
		pidfd = errno == ENOPROTOOPT ? identity_open(cred.pid, cred.uid) : -1;
	else
		fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	*ret = (struct identity){cred.uid, cred.gid, cred.pid, pidfd};
	return 0;
}
