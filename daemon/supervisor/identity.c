/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, include/uapi/asm-generic/socket.h */
#endif

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
		pidfd = -1;
	else
		fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	*ret = (struct identity){cred.uid, cred.gid, cred.pid, pidfd};
	return 0;
}
