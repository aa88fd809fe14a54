/* SPDX-License-Identifier: MIT */
/* See adopt.h. */
#include "adopt.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "base/clock.h"
#include "base/fd.h"
#include "closer.h"
#include "hand_over.h"
#include "log.h"
#include "outbox.h"
#include "reactors.h"
#include "take_over.h"

#define BACKLOG 8

int adopt_find(int take_fd)
{
	int listening = 0, domain = 0;
	socklen_t n = sizeof(int);

	if (getsockopt(take_fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening) {
		n = sizeof(int);
		if (getsockopt(take_fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
			domain == AF_UNIX)
			return take_fd;
	}
	return rdy__fd_close(take_fd);
}

int adopt_init(struct agent *a, int take_listener)
{
	struct adoption *o = &a->adoption;
	int e;

	o->uid = geteuid();
	o->program = a->config.program;
	if (take_listener < 0)
		return 0;
	o->listener = take_listener;
	/*
	 * It listens already; this makes it ours: SO_PEERCRED of whoever connects names who called listen() last,
	 * so the next supervisor knows whom to kill even if we never answer. Source: net/unix/af_unix.c.
	 */
	if (listen(o->listener, BACKLOG) < 0)
		return -errno;
	e = rdy_timer_new(a->reactor.poll, TOKEN(TOKEN_GRACE_TIMER, 0, 0), &o->timer);
	if (e == 0)
		e = rdy_poll_register(a->reactor.poll, o->listener, TOKEN(TOKEN_ADOPT, 0, 0),
			RDY_READABLE, RDY_LEVEL);
	return e;
}

void adopt_deinit(struct agent *a)
{
	struct adoption *o = &a->adoption;

	o->timer = rdy_timer_free(o->timer);
	o->listener = rdy__fd_close(o->listener);
	free(rdy__steal(o->sessions));
}

static void set_timer(struct adoption *o)
{
	int64_t d = o->grace_until_ns < o->proof_until_ns ? o->grace_until_ns : o->proof_until_ns;

	if (!o->timer)
		return;
	if (d == RDY__NEVER)
		rdy_timer_clear(o->timer);
	else
		rdy_timer_set(o->timer, d);
}

/* What was not sent, and what was half sent. */
static void void_all(struct agent *a)
{
	struct adoption *o = &a->adoption;

	outbox_void(a);
	query_void(a);
	pump_void(a);
	free(rdy__steal(o->sessions));
	o->sending = false;
}

static void drop_channel(struct agent *a)
{
	rdy_poll_deregister(a->reactor.poll, a->channel);
	a->channel = rdy__fd_close(a->channel);
	a->channel_blocked = false;
	quota_release(&a->descriptors, 1);
}

bool adopt_channel_gone(struct agent *a)
{
	struct adoption *o = &a->adoption;

	if (o->listener < 0 || a->config.grace_ns <= 0 || a->ending)
		return false;
	void_all(a);
	drop_channel(a);
	o->proof_until_ns = RDY__NEVER;
	if (!o->orphan) {
		o->orphan = true;
		o->grace_until_ns = rdy__deadline_ns(rdy__now_ns(), a->config.grace_ns);
		rdy_timer_clear(a->idle_timer); /* nobody to be asked for the end */
		log_line(LOG_NOTICE, "supervisor=gone sessions=%u grace_ms=%lld", a->n_sessions,
			(long long)(a->config.grace_ns / RDY__NS_PER_MS));
	}
	set_timer(o);
	return true;
}

bool adopt_heard(const struct agent *a)
{
	return !a->adoption.orphan;
}

static int send_message(struct agent *a, const struct channel_message *m)
{
	uint8_t buf[256]; /* no data */
	int e;

	do
		e = rdy__send_fds(a->channel, buf, channel_encode(buf, m), NULL, 0);
	while (e == -EINTR);
	return e == -ENOBUFS || e == -ENOMEM ? -EAGAIN : e;
}

int adopt_send(struct agent *a)
{
	struct adoption *o = &a->adoption;

	while (o->sending) {
		struct channel_message m = {.type = CHANNEL_SNAPSHOT, .u.snapshot = o->head};

		if (o->n_sent) {
			m.type = CHANNEL_SNAPSHOT_SESSION;
			m.u.snapshot_session = o->sessions[o->n_sent - 1];
		}
		if (send_message(a, &m) == -EAGAIN)
			return -EAGAIN;
		/* Gone: reading finds that. */
		if (o->n_sent++ == o->n_sessions) {
			o->sending = false;
			free(rdy__steal(o->sessions));
		}
	}
	return 0;
}

static bool snapshot(struct agent *a, uint64_t epoch)
{
	struct adoption *o = &a->adoption;
	size_t n = a->roster.n;

	if (n) {
		o->sessions = malloc(n * sizeof(*o->sessions));
		if (!o->sessions)
			return false;
		memcpy(o->sessions, a->roster.sessions, n * sizeof(*o->sessions));
	}
	o->head = (struct channel_snapshot){
		.epoch = epoch,
		.program = o->program,
		.uid = a->config.uid,
		.n_sessions = (uint32_t)n,
		.closer = a->config.closer,
		.flags = a->config.flags & CHANNEL_FROZEN,
	};
	o->n_sessions = (uint32_t)n;
	o->n_sent = 0;
	o->sending = true;
	return true;
}

/*
 * Invariant: ADOPT-2: what was said or is to be said to the supervisor before is void, the snapshot has all of
 * it. Why: the new one has never heard of a session before, and TAKEN of one is not what we were started for.
 * Test: tests/unit/agent/adopt.c/earlier_messages_are_void
 */
void adopt_take(struct agent *a, const struct channel_adopt *m)
{
	struct adoption *o = &a->adoption;

	/* Half handed over, half taken over: what the snapshot says must stay true. */
	hand_over_cancel(a);
	if (take_over_give_up(a, "there is another supervisor") || a->handed_over) {
		reactors_end(a);
		return;
	}
	void_all(a);
	reactors_void(a);
	o->orphan = false;
	o->grace_until_ns = o->proof_until_ns = RDY__NEVER;
	set_timer(o);
	a->idle_said = false;
	if (!snapshot(a, m->epoch)) {
		agent_fail(a, "out of memory");
		return;
	}
	log_line(LOG_INFO, "supervisor=new sessions=%u", o->n_sessions);
	if (a->closer_stuck)
		outbox_say(a, a->closer_said, 0);
	outbox_flush(a);
	closer_idle_check(a);
}

static bool may_adopt(const struct adoption *o, int sock)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	       (peer.uid == o->uid || peer.uid == 0);
}

/*
 * A dying supervisor lets go of its lock before its sockets, and the next one may be quick: what the old one
 * has still said is taken first, sessions above all.
 */
static void end_of_old(struct agent *a)
{
	struct pollfd p = {.fd = a->channel};

	while (a->channel >= 0 && a->channel == p.fd && !a->ending && poll(&p, 1, 0) == 1 &&
		p.revents & POLLHUP)
		agent_read_channel(a);
}

void adopt_connection(struct agent *a)
{
	struct adoption *o = &a->adoption;
	int sock = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return;
	end_of_old(a);
	if (a->channel >= 0 || a->ending || !may_adopt(o, sock) ||
		rdy_poll_register(a->reactor.poll, sock, TOKEN(TOKEN_CHANNEL, 0, 0), RDY_READABLE,
			RDY_LEVEL) < 0) {
		rdy__fd_close(sock);
		return;
	}
	quota_add(&a->descriptors, 1);
	a->channel = sock;
	o->proof_until_ns = rdy__deadline_ns(rdy__now_ns(), ADOPT_PROOF_NS);
	set_timer(o);
}

void adopt_timer(struct agent *a)
{
	struct adoption *o = &a->adoption;
	int64_t now = rdy__now_ns();

	if (!o->orphan)
		return;
	/* What is there already counts: we may have been late ourselves. */
	if (a->channel < 0)
		adopt_connection(a);
	if (a->channel >= 0)
		agent_read_channel(a);
	if (o->orphan && a->channel >= 0 && now >= o->proof_until_ns)
		(void)adopt_channel_gone(a);
	if (o->orphan && now >= o->grace_until_ns && !a->ending) {
		log_line(LOG_NOTICE, "supervisor=none ends=yes sessions=%u", a->n_sessions);
		o->grace_until_ns = o->proof_until_ns = RDY__NEVER;
		reactors_end(a);
	}
	set_timer(o);
}
