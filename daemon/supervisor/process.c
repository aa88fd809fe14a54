/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"

/* Returns 1 yes, 0 no, -ENOENT nothing to see. The file is there for a process that nobody may trace, too. */
static int check_status(pid_t pid, const char *name)
{
	char path[32], line[48], text[1024];
	const char *uid;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	n = read(fd, text, sizeof(text) - 1);
	rdy__fd_close(fd);
	if (n <= 0)
		return -ENOENT;
	text[n] = 0;
	snprintf(line, sizeof(line), "Name:\t%s\n", name);
	uid = strstr(text, "\nUid:");
	return strncmp(text, line, strlen(line)) == 0 && uid &&
	       strtoul(uid + strlen("\nUid:"), NULL, 10) == geteuid();
}

int process_open(pid_t pid, const char *name, bool kernel_says)
{
	struct pollfd p = {.events = POLLIN};
	int status;

	if (pid <= 0)
		return -ESRCH;
	p.fd = pidfd_open(pid, 0); /* close-on-exec by itself */
	if (p.fd < 0)
		return -errno;
	status = check_status(pid, name);
	/* It lives still: so this was said of it, and not of another one that has got its number. */
	if ((status == 1 || (status < 0 && kernel_says)) && poll(&p, 1, 0) == 0)
		return p.fd;
	rdy__fd_close(p.fd);
	return -ESRCH;
}
