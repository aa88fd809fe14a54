/* SPDX-License-Identifier: MIT */
/* See store.h; by libsystemd. Sending waits for a manager that is busy, as every service's does. */
#include "store.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define PROBE_NS (2 * RDY__NS_PER_S)

static int put(const char *name, int fd)
{
	char text[64 + STORE_NAME_BYTES];
	int r;

	/* FDPOLL=0: the manager does not look at it, and so does not drop it when an agent ends. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	r = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int store_put(const char *name, int fd)
{
	return put(name, fd);
}

void store_remove(const char *name)
{
	char text[64 + STORE_NAME_BYTES];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	(void)sd_notify(0, text);
}

bool store_probe(void)
{
	struct pollfd p = {.events = POLLIN};
	int pair[2];
	bool kept;

	if (!getenv("NOTIFY_SOCKET"))
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return false;
	kept = put(STORE_PROBE, pair[1]) == 0 && sd_notify_barrier(0, PROBE_NS / 1000) > 0;
	rdy__fd_close(pair[1]);
	p.fd = pair[0];
	/* The other end is closed wherever it was: it is not kept. */
	kept = kept && poll(&p, 1, 0) == 0;
	rdy__fd_close(pair[0]);
	store_remove(STORE_PROBE);
	return kept;
}
