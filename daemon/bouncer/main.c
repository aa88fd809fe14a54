/* SPDX-License-Identifier: MIT */
/*
 * readyd-bouncer: answers and closes session sockets that no agent serves; one for the whole system.
 * One thread, no memory of its own, no configuration: everything comes over the link on descriptor 3.
 * Exit status: 0 the link has ended, 1 it said something impossible, 2 started by hand.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "link/link.h"
#include "sandbox/sandbox.h"

#define NAME "readyd-bouncer"

static bool is_link(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

int main(int argc, char **argv)
{
	int sandbox = sandbox_start(argc, argv, NAME), r;

	if (sandbox < 0 || !is_link(LINK_FD_SELF)) {
		fprintf(stderr,
			NAME ": cannot run alone\n" NAME
			     ": it works for readyd, over a socket that readyd gives it as "
			     "descriptor %d\n" NAME ": start readyd instead, see readyd(8)\n",
			LINK_FD_SELF);
		return 2;
	}
	r = sandbox_close_from(LINK_FD_SELF + 1);
	if (r == 0)
		r = sandbox_reset();
	/* 1 is no filter in this build or kernel; readyd says so once, for all. */
	if (r == 0 && sandbox)
		r = sandbox_enter(SANDBOX_BOUNCER);
	if (r < 0) {
		fprintf(stderr, NAME ": cannot enter the sandbox: %s\n", strerror(-r));
		return 1;
	}
	r = link_receiver_run(LINK_FD_SELF);
	if (r < 0)
		fprintf(stderr, NAME ": the link broke: %s\n", strerror(-r));
	return r < 0;
}
