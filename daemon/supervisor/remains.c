/* SPDX-License-Identifier: MIT */
/* See remains.h. */
#include "remains.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "bouncer.h"
#include "child.h"
#include "log.h"
#include "supervisor.h"

void remains_init(struct remains *r)
{
	r->child = NULL;
	r->link = -1;
	r->n_fds = 0;
}

static int start(struct supervisor *sv, struct remains *r, uid_t uid)
{
	int pair[2], e;

	if (r->child)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	e = child_start(sv, CHILD_CLOSER, uid, &pair[1], 1, &r->child);
	rdy__fd_close(pair[1]);
	if (e < 0)
		rdy__fd_close(pair[0]);
	else
		r->link = pair[0];
	return e;
}

static void send_all(struct supervisor *sv, struct remains *r, uid_t uid)
{
	const struct link_message m = {.type = LINK_DISPOSE, .n_fds = (uint32_t)r->n_fds};
	int e = start(sv, r, uid);

	if (e == 0)
		e = rdy__send_fds(r->link, &m, sizeof(m), r->fds, r->n_fds);
	if (e < 0)
		log_line(LOG_P_WARNING,
			"remains=%zu uid=%u error=\"%s\" effect=\"the bouncer has them\"", r->n_fds,
			(unsigned int)uid, strerror(-e));
	for (size_t i = 0; i < r->n_fds; i++) {
		/*
		 * Invariant: LINK-3: the copy in flight is there when ours is closed. Why: a last close() may
		 * block for ever. Test: tests/hostile/stop.c/sockets_that_nobody_can_close
		 */
		if (e == 0)
			rdy__fd_close(r->fds[i]);
		else
			bouncer_close(sv, uid, r->fds[i]);
	}
	r->n_fds = 0;
}

void remains_take(struct supervisor *sv, struct remains *r, uid_t uid, int take_sock)
{
	shutdown(take_sock, SHUT_RDWR);
	r->fds[r->n_fds++] = take_sock;
	if (r->n_fds == LINK_BATCH_MAX)
		send_all(sv, r, uid);
}

void remains_leave(struct supervisor *sv, struct remains *r, uid_t uid)
{
	if (r->n_fds)
		send_all(sv, r, uid);
	/* One that lingers is not waited for by a process that ends: so it has to. */
	child_kill(sv, rdy__steal(r->child));
	r->link = rdy__fd_close(r->link);
}
