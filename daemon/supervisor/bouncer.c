/* SPDX-License-Identifier: MIT */
#include "bouncer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "holders.h"
#include "loaded.h"
#include "log.h"
#include "supervisor.h"

#define SILENT_NS (2 * RDY__NS_PER_S)
#define RETRY_NS (20 * RDY__NS_PER_MS)
#define RESTART_NS (1 * RDY__NS_PER_S)
/* Sockets that may wait for a bouncer; beyond that accepting pauses. */
#define WAITING_MAX 256u

static int start(struct supervisor *sv, int *ret_sock)
{
	int sv_pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv_pair) < 0)
		return -errno;
	r = child_start(sv, CHILD_BOUNCER, 0, &sv_pair[1], 1, &sv->bouncer.child);
	rdy__fd_close(sv_pair[1]);
	if (r == 0)
		r = rdy_poll_register(
			sv->poll, sv_pair[0], TOKEN(TOKEN_BOUNCER, 0, 0), RDY_READABLE, RDY_LEVEL);
	if (r < 0) {
		child_kill(sv, rdy__steal(sv->bouncer.child));
		rdy__fd_close(sv_pair[0]);
		return r;
	}
	sv->bouncer.watched = true;
	*ret_sock = sv_pair[0];
	return 0;
}

int bouncer_init(struct supervisor *sv)
{
	int sock = -1, r = start(sv, &sock);

	if (r < 0)
		return r;
	/* One at a time: a batch waits for its slowest close, and strangers share it. */
	link_sender_init(&sv->bouncer.link, sock, 1);
	return 0;
}

void bouncer_deinit(struct supervisor *sv)
{
	link_sender_deinit(&sv->bouncer.link, true);
}

static void replace(struct supervisor *sv)
{
	struct bouncer *b = &sv->bouncer;
	int sock = -1, r;

	if (b->watched)
		rdy_poll_deregister(sv->poll, b->link.sock);
	b->watched = false;
	b->restart_at_ns = 0;
	r = children_stuck(&sv->children, CHILD_BOUNCER, (uid_t)-1) < BOUNCER_STUCK_MAX
		    ? start(sv, &sock)
		    : -EBUSY;
	if (r < 0) {
		log_line(LOG_P_ERROR, "bouncer=none error=\"%s\" waiting=%zu", strerror(-r),
			link_sender_pending(&b->link));
		b->restart_at_ns = rdy__deadline_ns(rdy__now_ns(), RESTART_NS);
	}
	link_sender_replace(&b->link, sock);
}

void bouncer_leave(struct supervisor *sv)
{
	struct bouncer *b = &sv->bouncer;
	int sock = -1;

	if (b->link.n_queued == 0)
		return;
	log_line(LOG_P_WARNING, "bouncer=left sockets=%zu", b->link.n_queued);
	if (b->watched)
		rdy_poll_deregister(sv->poll, b->link.sock);
	b->watched = false;
	if (start(sv, &sock) < 0)
		return;
	link_sender_replace(&b->link, sock);
	link_sender_leave(&b->link);
}

void bouncer_died(struct supervisor *sv)
{
	sv->bouncer.child = NULL;
	if (!sv->stopping)
		replace(sv);
}

/* A process that serves everybody is not given what that uid sends. */
static bool is_suspect(const struct supervisor *sv, uid_t uid)
{
	return uid != BOUNCER_NOBODY && children_stuck(&sv->children, CHILD_BOUNCER, uid) > 0;
}

/* Its client sees the end at once, and nothing that it has sent is touched. */
static void set_apart(struct supervisor *sv, uid_t uid, int take_sock, const void *answer, size_t n)
{
	if (n)
		(void)send(take_sock, answer, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(take_sock, SHUT_RDWR);
	holders_take(sv, uid, take_sock);
}

static void take(
	struct supervisor *sv, uid_t uid, int take_sock, const void *answer, size_t n, bool shut)
{
	/*
	 * Without memory for the queue the socket stays open, which its client sees as silence. Closing it
	 * here could block for ever.
	 */
	if (link_sender_take(&sv->bouncer.link, take_sock, answer, n, shut) < 0)
		log_line(LOG_P_ERROR, "bouncer=\"out of memory\" lost=1");
	else
		link_sender_mark(&sv->bouncer.link, uid);
}

void bouncer_refuse(
	struct supervisor *sv, uid_t uid, int take_sock, enum wire_error error, uint32_t detail)
{
	uint8_t frame[LINK_ANSWER_MAX];

	bouncer_answer(sv, uid, take_sock, frame, wire_make_error(frame, 0, error, detail, true));
}

void bouncer_answer(
	struct supervisor *sv, uid_t uid, int take_sock, const void *bytes, size_t n_bytes)
{
	assert(n_bytes <= LINK_ANSWER_MAX);
	if (is_suspect(sv, uid) || (uid != BOUNCER_NOBODY && loaded(take_sock)))
		set_apart(sv, uid, take_sock, bytes, n_bytes);
	else
		take(sv, uid, take_sock, bytes, n_bytes, true);
}

void bouncer_close(struct supervisor *sv, uid_t uid, int take_sock)
{
	if (is_suspect(sv, uid))
		set_apart(sv, uid, take_sock, NULL, 0);
	else
		take(sv, uid, take_sock, NULL, 0, true);
}

void bouncer_let_go(struct supervisor *sv, uid_t uid, int take_sock)
{
	/* Not shut: what the others answer still arrives. Who of them is stuck has it, and may lose it any time. */
	if (is_suspect(sv, uid) || children_stuck(&sv->children, CHILD_CLOSER, uid) > 0)
		holders_take(sv, uid, take_sock);
	else
		take(sv, uid, take_sock, NULL, 0, false);
}

void bouncer_readable(struct supervisor *sv)
{
	if (link_sender_readable(&sv->bouncer.link) < 0) {
		child_kill(sv, rdy__steal(sv->bouncer.child));
		replace(sv);
	}
}

void bouncer_flush(struct supervisor *sv, int64_t now_ns)
{
	struct bouncer *b = &sv->bouncer;

	if (b->link.sock >= 0 && link_sender_flush(&b->link, now_ns) < 0) {
		child_kill(sv, rdy__steal(b->child));
		replace(sv);
	}
}

int64_t bouncer_deadline(const struct supervisor *sv)
{
	const struct bouncer *b = &sv->bouncer;

	if (b->restart_at_ns)
		return b->restart_at_ns;
	if (link_sender_stalled(&b->link))
		return rdy__deadline_ns(rdy__now_ns(), RETRY_NS);
	return b->link.n_under_way ? rdy__deadline_ns(b->link.sent_at_ns, SILENT_NS) : RDY__NEVER;
}

/* From here on nobody else's refusals wait for this uid's. */
static void stuck(struct supervisor *sv)
{
	struct bouncer *b = &sv->bouncer;
	uid_t uid = b->link.mark_under_way;
	int fd;

	log_line(LOG_P_WARNING, "bouncer=stuck uid=%d", (int)uid);
	if (b->child && uid != BOUNCER_NOBODY)
		b->child->uid = uid;
	child_kill(sv, rdy__steal(b->child));
	while (uid != BOUNCER_NOBODY && (fd = link_sender_give_back(&b->link, uid)) >= 0)
		set_apart(sv, uid, fd, NULL, 0);
	replace(sv);
}

void bouncer_tick(struct supervisor *sv, int64_t now_ns)
{
	struct bouncer *b = &sv->bouncer;

	if (b->restart_at_ns && now_ns >= b->restart_at_ns) {
		replace(sv);
	} else if (b->link.n_under_way && !b->link.go_owed &&
		   now_ns >= rdy__deadline_ns(b->link.sent_at_ns, SILENT_NS)) {
		stuck(sv);
	}
}

bool bouncer_overwhelmed(const struct supervisor *sv)
{
	return sv->bouncer.link.sock < 0 || sv->bouncer.link.n_queued > WAITING_MAX ||
	       sv->holders.n_waiting > WAITING_MAX;
}
