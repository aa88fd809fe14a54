/* SPDX-License-Identifier: MIT */
/*
 * Receiving side of the disposal link, the whole life of a closer or a bouncer.
 * Threads: the process's only one. Every call on a received descriptor may block for ever, by design:
 * the sender has a deadline and the supervisor a SIGKILL.
 */
#include "link/link.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"

static int wait_for(int sock, short events)
{
	struct pollfd p = {.fd = sock, .events = events};
	int r;

	do
		r = poll(&p, 1, -1);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

struct arrival {
	struct link_message m;
	struct rdy__received got;
	int fds[RDY__FDS_MAX];
};

/* Returns 0, or -errno with nothing received. The socket may be non-blocking: it is born so. */
static int receive(int sock, struct arrival *ret)
{
	int r;

	for (;;) {
		r = rdy__recv_fds(sock, &ret->m, sizeof(ret->m), ret->fds, 0, &ret->got);
		/* The sender ended with a DONE of ours unread; said once, what it had sent still comes. */
		if (r == -ECONNRESET)
			continue;
		if (r != -EAGAIN)
			return r;
		r = wait_for(sock, POLLIN);
		if (r < 0)
			return r;
	}
}

static bool is_end(const struct arrival *a)
{
	return a->got.n_bytes == 0 && a->got.n_fds == 0;
}

static bool is_message(const struct arrival *a)
{
	return a->got.n_bytes == sizeof(a->m) && !(a->got.flags & RDY__RECV_CUT);
}

static bool is_batch(const struct arrival *a)
{
	if (!is_message(a) || (a->m.type != LINK_DISPOSE && a->m.type != LINK_KEEP) ||
		a->m.n_fds < 1 || a->m.n_fds > LINK_BATCH_MAX ||
		a->m.answer_bytes > LINK_ANSWER_MAX)
		return false;
	/* What did not fit into our table is closed by the kernel already; the others are our work. */
	return a->got.flags & RDY__RECV_FDS_LOST ? a->got.n_fds < a->m.n_fds
						 : a->got.n_fds == a->m.n_fds;
}

static bool is_go(const struct arrival *a)
{
	return is_message(a) && a->m.type == LINK_GO && a->got.n_fds == 0;
}

static void close_all(struct arrival *a)
{
	for (size_t i = 0; i < a->got.n_fds; i++)
		a->fds[i] = rdy__fd_close(a->fds[i]);
	a->got.n_fds = 0;
}

/*
 * Send, best effort, then take away what the peer had sent: a unix socket that is closed with unread
 * messages gives its peer ECONNRESET before the answer. After SHUT_RD nothing more can come, so the loop
 * ends. Descriptors in those messages are closed by the kernel (no control buffer).
 */
static void answer(int fd, const uint8_t *bytes, size_t n_bytes)
{
	char byte;

	(void)send(fd, bytes, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (shutdown(fd, SHUT_RD) < 0)
		return;
	while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) > 0)
		;
}

static void dispose(struct arrival *batch)
{
	for (size_t i = 0; i < batch->got.n_fds; i++) {
		if (batch->m.answer_bytes)
			answer(batch->fds[i], batch->m.answer, batch->m.answer_bytes);
		if (batch->m.shutdown)
			(void)shutdown(batch->fds[i], SHUT_RDWR);
	}
	close_all(batch);
}

static int send_done(int sock, size_t n_fds)
{
	struct link_message m = {.type = LINK_DONE, .n_fds = (uint32_t)n_fds};
	int r;

	for (;;) {
		r = rdy__send_fds(sock, &m, sizeof(m), NULL, 0);
		if (r != -EAGAIN)
			return r;
		r = wait_for(sock, POLLOUT);
		if (r < 0)
			return r;
	}
}

int link_receiver_run(int sock)
{
	struct arrival batch, next;
	size_t n;
	int r;

	for (;;) {
		r = receive(sock, &batch);
		if (r < 0)
			return r;
		if (is_end(&batch))
			return 0;
		if (!is_batch(&batch)) {
			close_all(&batch);
			return -EPROTO;
		}
		if (batch.m.type == LINK_KEEP)
			continue;

		/*
		 * Invariant: LINK-2: nothing of a batch is closed before GO or the end of the link.
		 * Why: the sender may still have its copy, and must not do the last close().
		 * Test: tests/unit/link/receiver.c/nothing_is_closed_before_go
		 */
		r = receive(sock, &next);
		n = batch.got.n_fds;
		dispose(&batch);
		if (r < 0)
			return r;
		if (is_end(&next))
			return 0;
		if (!is_go(&next)) {
			close_all(&next);
			return -EPROTO;
		}
		r = send_done(sock, n);
		if (r < 0)
			return r == -EPIPE ? 0 : r;
	}
}
