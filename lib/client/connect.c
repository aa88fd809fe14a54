/* SPDX-License-Identifier: MIT */
/*
 * Connecting, losing the connection, and trying again. A lost connection is no error of the user's: the
 * library still has the descriptors and hands them over anew, and what is ready is reported anew.
 * Owner: the client's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "internal.h"

#define BACKOFF_MIN_NS (10 * RDY__NS_PER_MS)
#define BACKOFF_MAX_NS RDY__NS_PER_S
/* A session that lived so long was a good one: the next attempt need not wait long. */
#define GOOD_NS RDY__NS_PER_S

/* Half to one and a half times ns, so that the clients of a dead agent do not come back all at once. */
static int64_t jitter(struct rdy_client *c, int64_t ns)
{
	/* xorshift32 (Marsaglia 2003); nothing depends on its quality. */
	c->random ^= c->random << 13;
	c->random ^= c->random >> 17;
	c->random ^= c->random << 5;
	return ns / 2 + (int64_t)(c->random % (uint64_t)ns);
}

static int close_sock(struct rdy_client *c)
{
	if (c->sock >= 0)
		rdy__client_poller_del_sock(c);
	c->sock = rdy__fd_close(c->sock);
	return -1;
}

void rdy__client_notify(struct rdy_client *c, uint32_t type, uint32_t error)
{
	struct rdy__notice *last = c->n_notices ? &c->notices[c->n_notices - 1] : NULL;

	/* What waits is LOST, REFUSED, RESTORED at most, in this order: a loss makes a restoration that
	 * nobody has seen void, and one refusal stands for all. */
	if (type == RDY_CLIENT_LOST && last) {
		while (c->n_notices && c->notices[c->n_notices - 1].type != RDY_CLIENT_LOST)
			c->n_notices--;
		if (c->n_notices)
			return;
	}
	if (type == RDY_CLIENT_REFUSED && last && last->type == type) {
		last->error = error;
		return;
	}
	c->notices[c->n_notices++] = (struct rdy__notice){.type = type, .error = error};
}

void rdy__client_check_restored(struct rdy_client *c)
{
	if (rdy__likely(!c->restoring) || c->conn != RDY__CONN_UP || c->n_owed_registers ||
		!rdy__list_empty(&c->queue[RDY__WANT_REGISTER]))
		return;
	c->restoring = false;
	rdy__client_notify(c, RDY_CLIENT_RESTORED, 0);
}

static int say_hello(struct rdy_client *c)
{
	struct wire_hello hello = {
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.features = WIRE_FEATURE_EDGE | WIRE_FEATURE_ONESHOT | WIRE_FEATURE_LEVEL |
			    WIRE_FEATURE_DEADLINE,
	};
	uint8_t frame[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	int r;

	memcpy(hello.name, c->name, sizeof(hello.name));
	wire_put_hello(frame, &hello);
	r = rdy__send_fds(
		c->sock, frame, wire_put_header(frame, WIRE_HELLO, ++c->serial, 1), NULL, 0);
	/* Hung up already: why may stand in the socket. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int rdy__client_attempt(struct rdy_client *c, int64_t now_ns)
{
	int r;

	c->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->sock < 0)
		return -errno;
	do
		r = connect(c->sock, (const struct sockaddr *)&c->addr, sizeof(c->addr));
	while (r < 0 && errno == EINTR);
	/* From here on it blocks where MSG_DONTWAIT is not said: one receive is a whole wait. */
	if (r < 0 || fcntl(c->sock, F_SETFL, 0) < 0) {
		r = -errno;
		goto fail;
	}
	c->serial = 0;
	c->reset_seen = c->send_blocked = c->read_more = c->want_ping = c->rearmed = false;
	c->one_by_one = false;
	c->send_at_ns = 0;
	c->refusal = 0;
	r = say_hello(c);
	if (r < 0)
		goto fail;
	r = rdy__client_poller_add_sock(c);
	if (r < 0)
		goto fail;
	c->reply_by_ns = rdy__deadline_ns(now_ns, c->reply_within_ns);
	c->conn = RDY__CONN_HELLO;
	return 0;
fail:
	close_sock(c);
	return r;
}

static int welcomed(struct rdy_client *c, const struct wire_frame *f)
{
	struct wire_welcome w;

	wire_get_welcome(f, &w);
	if (w.version < WIRE_VERSION_MIN || w.version > WIRE_VERSION_MAX || w.batch_max == 0 ||
		w.unanswered_max == 0 || w.frame_max < WIRE_HEADER_BYTES + WIRE_REGISTER_BYTES)
		return -EPROTO;
	c->batch_max = (w.frame_max - WIRE_HEADER_BYTES) / WIRE_REGISTER_BYTES;
	if (c->batch_max > w.batch_max)
		c->batch_max = w.batch_max;
	if (c->batch_max > WIRE_BATCH_MAX)
		c->batch_max = WIRE_BATCH_MAX;
	c->owed_max = w.unanswered_max < RDY__OWED_MAX ? w.unanswered_max : RDY__OWED_MAX;
	c->features = w.features;
	c->deadlines_max = (w.frame_max - WIRE_HEADER_BYTES) / WIRE_SET_DEADLINE_BYTES;
	if (c->deadlines_max > WIRE_BATCH_MAX)
		c->deadlines_max = WIRE_BATCH_MAX;
	if (c->deadlines_max == 0)
		c->features &= ~(uint64_t)WIRE_FEATURE_DEADLINE;
	c->up_since_ns = rdy__now_ns();
	c->conn = RDY__CONN_UP;
	return 0;
}

static int refused(struct rdy_client *c, const struct wire_frame *f)
{
	struct wire_error_record e;

	wire_get_error(f, &e);
	switch (e.error) {
	case WIRE_E_QUOTA_SESSIONS:
	case WIRE_E_QUOTA_CONNECTS:
	case WIRE_E_LIMIT_SESSIONS:
	case WIRE_E_LIMIT_UIDS:
		c->refusal = e.error;
		return -EDQUOT;
	case WIRE_OK:
	case WIRE_E_BAD_MAGIC:
	case WIRE_E_VERSION_UNSUPPORTED:
	case WIRE_E_FRAME_TRUNCATED:
	case WIRE_E_FRAME_OVERSIZED:
	case WIRE_E_FRAME_MALFORMED:
	case WIRE_E_TYPE_UNKNOWN:
		return -EPROTO;
	default:
		c->refusal = e.error;
		return -EPERM;
	}
}

int rdy__client_welcome(struct rdy_client *c)
{
	struct wire_frame f;
	uint32_t detail;
	ssize_t n;

	do
		n = recv(c->sock, c->buf, sizeof(c->buf), MSG_TRUNC | MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || rdy__client_first_reset(c)));
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : -ECONNRESET;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n > sizeof(c->buf) ||
		wire_decode_reply(c->buf, (size_t)n, 0, &f, &detail) != WIRE_OK)
		return -EPROTO;
	if (f.header.type == WIRE_WELCOME)
		return welcomed(c, &f);
	return f.header.type == WIRE_ERROR ? refused(c, &f) : -EPROTO;
}

static void requeue(struct rdy_client *c)
{
	for (uint32_t i = 0; i < c->regs.n_slots; i++) {
		struct rdy__reg *reg = rdy__regs_at(&c->regs, i);

		if (reg->state == RDY__REG_FREE || reg->state == RDY__REG_QUEUED)
			continue;
		rdy__client_want_nothing(c, reg);
		rdy__deadline_lost(c, reg);
		reg->id = 0;
		reg->seq = 0;
		if (reg->state == RDY__REG_LEAVING) {
			rdy__regs_release(&c->regs, reg);
		} else if (reg->state != RDY__REG_ENDED) {
			/* What is queued for it is in the record by now: interest, mode, disarmed. */
			/* A level comes back armed: what was not acknowledged is told again. */
			reg->disarmed &= reg->mode == RDY_ONESHOT;
			reg->state = RDY__REG_QUEUED;
			rdy__client_want(c, reg, RDY__WANT_REGISTER);
		}
	}
}

static void retry_after(struct rdy_client *c, int64_t now_ns, int64_t ns)
{
	c->conn = RDY__CONN_DOWN;
	c->retry_at_ns = now_ns + jitter(c, ns);
}

static void retry(struct rdy_client *c, int64_t now_ns)
{
	retry_after(c, now_ns, c->backoff_ns);
	c->backoff_ns = c->backoff_ns * 2 < BACKOFF_MAX_NS ? c->backoff_ns * 2 : BACKOFF_MAX_NS;
}

/* A session that was ended for this is not wanted back at once: as long to wait as after a refusal. */
static bool is_unwanted(uint32_t error)
{
	switch (error) {
	case WIRE_E_QUOTA_SESSIONS:
	case WIRE_E_QUOTA_CONNECTS:
	case WIRE_E_LIMIT_SESSIONS:
	case WIRE_E_LIMIT_UIDS:
	case WIRE_E_UID_WEDGED:
	case WIRE_E_KICKED:
	case WIRE_E_UID_FROZEN:
	case WIRE_E_POLICY_DENIED:
		return true;
	default:
		return false;
	}
}

void rdy__client_lost(struct rdy_client *c, uint32_t error)
{
	int64_t now = rdy__now_ns();

	close_sock(c);
	rdy__client_drop_owed(c);
	requeue(c);
	c->send_blocked = c->read_more = false;
	c->send_at_ns = 0;
	if (!c->restoring)
		rdy__client_notify(c, RDY_CLIENT_LOST, error);
	else if (error)
		rdy__client_notify(c, RDY_CLIENT_REFUSED, error);
	c->restoring = true;
	if (c->flags & RDY_CLIENT_NO_RECONNECT) {
		c->conn = RDY__CONN_DEAD;
		return;
	}
	if (c->backoff_ns < BACKOFF_MIN_NS || now - c->up_since_ns >= GOOD_NS)
		c->backoff_ns = BACKOFF_MIN_NS;
	if (is_unwanted(error))
		retry_after(c, now, BACKOFF_MAX_NS);
	else
		retry(c, now);
}

/* An attempt to come back has failed. */
static void attempt_failed(struct rdy_client *c, int64_t now_ns)
{
	close_sock(c);
	/* Stopping is what a restart begins with. */
	if (c->refusal && c->refusal != WIRE_E_SHUTTING_DOWN &&
		c->refusal != WIRE_E_HELLO_TIMEOUT) {
		rdy__client_notify(c, RDY_CLIENT_REFUSED, c->refusal);
		retry_after(c, now_ns, BACKOFF_MAX_NS);
	} else {
		retry(c, now_ns);
	}
	c->refusal = 0;
}

void rdy__client_tick(struct rdy_client *c, bool have_read)
{
	int64_t now;
	int r;

	if (rdy__likely(c->conn == RDY__CONN_UP && !c->n_owed && !c->send_at_ns))
		return;
	now = rdy__now_ns();
	if (c->conn == RDY__CONN_DOWN && now >= c->retry_at_ns && rdy__client_attempt(c, now) < 0)
		attempt_failed(c, now);
	if (c->conn == RDY__CONN_HELLO) {
		r = rdy__client_welcome(c);
		if (r < 0 && (r != -EAGAIN || now >= c->reply_by_ns))
			attempt_failed(c, now);
	}
	if (c->conn == RDY__CONN_UP && c->n_owed && have_read && now >= c->reply_by_ns)
		rdy__client_lost(c, 0);
	if (c->send_at_ns && now >= c->send_at_ns)
		c->send_at_ns = 0;
}

int64_t rdy__client_next_tick(const struct rdy_client *c)
{
	int64_t at = RDY__NEVER;

	if (c->conn == RDY__CONN_DOWN)
		return c->retry_at_ns;
	if (c->conn == RDY__CONN_HELLO || (c->conn == RDY__CONN_UP && c->n_owed))
		at = c->reply_by_ns;
	if (c->conn == RDY__CONN_UP && c->send_at_ns && c->n_queued && c->send_at_ns < at)
		at = c->send_at_ns;
	return at;
}
