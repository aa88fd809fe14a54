/* SPDX-License-Identifier: MIT */
/*
 * From queued requests to frames. Never waits: what does not fit into the socket stays queued, and the
 * caller reads before it tries again, so that neither side can wait for the other.
 * Owner: the client's thread.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "internal.h"

/* Too many descriptors in flight, or no memory in the kernel: as long as that lasts. */
#define SEND_LATER_NS (10 * RDY__NS_PER_MS)

static const struct {
	enum wire_type type;
	uint8_t record_bytes;
	bool answered;
} requests[RDY__N_WANTS] = {
	[RDY__WANT_DEREGISTER] = {WIRE_DEREGISTER, WIRE_DEREGISTER_BYTES, true},
	[RDY__WANT_REGISTER] = {WIRE_REGISTER, WIRE_REGISTER_BYTES, true},
	[RDY__WANT_MODIFY] = {WIRE_MODIFY, WIRE_MODIFY_BYTES, true},
	[RDY__WANT_REARM] = {WIRE_REARM, WIRE_REARM_BYTES, false},
};

#define RECORD_MAX_BYTES WIRE_REGISTER_BYTES
_Static_assert(WIRE_MODIFY_BYTES <= RECORD_MAX_BYTES && WIRE_REARM_BYTES <= RECORD_MAX_BYTES &&
		       WIRE_DEREGISTER_BYTES <= RECORD_MAX_BYTES,
	"the longest record");
_Static_assert(RDY_EDGE == WIRE_EDGE && RDY_LEVEL == WIRE_LEVEL && RDY_ONESHOT == WIRE_ONESHOT,
	"modes go as they are");
_Static_assert(RDY_INTERESTS == WIRE_INTERESTS && RDY_READABLE == WIRE_READABLE &&
		       RDY_WRITABLE == WIRE_WRITABLE && RDY_PRIORITY == WIRE_PRIORITY &&
		       RDY_HANGUP_ONLY == WIRE_HANGUP_ONLY && RDY_ERROR == WIRE_READY_ERROR &&
		       RDY_READ_CLOSED == WIRE_READ_CLOSED && RDY_WRITE_CLOSED == WIRE_WRITE_CLOSED,
	"bits go as they are");
_Static_assert(RDY_CLIENT_KEEP == WIRE_REG_KEEP, "flags go as they are");

static void enqueue(struct rdy_client *c, struct rdy__reg *reg)
{
	rdy__list_append(&c->queue[reg->want], &reg->out);
	c->n_queued++;
}

void rdy__client_want_nothing(struct rdy_client *c, struct rdy__reg *reg)
{
	if (rdy__list_linked(&reg->out)) {
		rdy__list_unlink(&reg->out);
		c->n_queued--;
	}
	reg->want = RDY__WANT_NOTHING;
}

/*
 * A registration has one request at most that was not sent: DEREGISTER makes all others void, and MODIFY
 * arms as REARM does and carries the newest values. So the order of a registration's requests is kept.
 */
void rdy__client_want(struct rdy_client *c, struct rdy__reg *reg, enum rdy__want want)
{
	if (want >= reg->want)
		return;
	rdy__client_want_nothing(c, reg);
	reg->want = want;
	/* Without an id nothing but REGISTER can be sent; the answer puts it into its queue. */
	if (want == RDY__WANT_REGISTER || reg->id)
		enqueue(c, reg);
}

bool rdy__client_can_send(const struct rdy_client *c)
{
	if (c->conn != RDY__CONN_UP || c->send_blocked || c->send_at_ns)
		return false;
	if (c->n_owed < c->owed_max)
		return c->n_queued || c->want_ping;
	return !rdy__list_empty(&c->queue[RDY__WANT_REARM]);
}

void rdy__client_settle(struct rdy_client *c, struct rdy__owed *o)
{
	if (o->type == WIRE_REGISTER)
		c->n_owed_registers--;
	free(o->handles);
	/* In the order they were sent: the next answer is most likely the first one's. */
	for (struct rdy__owed *end = &c->owed[--c->n_owed]; o < end; o++)
		*o = o[1];
	c->owed[c->n_owed] = (struct rdy__owed){0};
}

void rdy__client_drop_owed(struct rdy_client *c)
{
	for (uint32_t i = 0; i < c->n_owed; i++)
		free(c->owed[i].handles);
	c->n_owed = c->n_owed_registers = 0;
}

static void owe(struct rdy_client *c, enum wire_type type, uint32_t count, uint64_t *take_handles)
{
	assert(c->n_owed < RDY__OWED_MAX);
	c->owed[c->n_owed++] = (struct rdy__owed){
		.handles = take_handles, .serial = c->serial, .count = count, .type = type};
	if (type == WIRE_REGISTER)
		c->n_owed_registers++;
	c->reply_by_ns = rdy__deadline_ns(rdy__now_ns(), c->reply_within_ns);
}

static void put(uint8_t *frame, uint32_t i, const struct rdy__reg *reg, enum rdy__want want)
{
	switch (want) {
	case RDY__WANT_DEREGISTER:
		wire_put_deregister(frame, i, reg->id);
		break;
	case RDY__WANT_REGISTER:
		wire_put_register(frame, i,
			&(struct wire_register){
				.cookie = rdy__reg_handle(reg),
				.interest = reg->interest,
				.mode = reg->mode,
				.flags = reg->flags | (reg->disarmed && reg->mode == RDY_ONESHOT
								      ? WIRE_REG_DISARMED
								      : 0),
			});
		break;
	case RDY__WANT_MODIFY:
		wire_put_modify(frame, i,
			&(struct wire_modify){
				.id = reg->id,
				.interest = reg->interest,
				.mode = reg->mode,
				.flags = reg->flags,
			});
		break;
	default:
		wire_put_rearm(frame, i, &(struct wire_rearm){.id = reg->id, .seq = reg->seq});
	}
}

/* What changes in the first n records of the queue when their frame is out. */
static void sent(struct rdy_client *c, enum rdy__want want, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct rdy__reg *reg = rdy__list_entry(c->queue[want].next, struct rdy__reg, out);

		rdy__client_want_nothing(c, reg);
		if (want == RDY__WANT_REGISTER)
			reg->state = RDY__REG_SENT;
		else if (want == RDY__WANT_DEREGISTER && reg->state == RDY__REG_LEAVING)
			rdy__regs_release(&c->regs, reg);
	}
	if (want == RDY__WANT_REGISTER && rdy__list_empty(&c->queue[want]))
		c->one_by_one = false;
	if (want == RDY__WANT_REARM)
		c->rearmed = true;
}

/* Of the n registrations at the queue's head, fail those whose descriptor was closed. */
static bool fail_closed(struct rdy_client *c, uint32_t n)
{
	bool found = false;

	rdy__list_for_each_safe (l, next, &c->queue[RDY__WANT_REGISTER]) {
		struct rdy__reg *reg = rdy__list_entry(l, struct rdy__reg, out);

		if (n-- == 0)
			break;
		if (fcntl(reg->fd, F_GETFD) < 0) {
			rdy__client_fail(c, reg, WIRE_E_FD_NOT_POLLABLE);
			found = true;
		}
	}
	return found;
}

/* The kernel refuses to pass one of n descriptors, say one of an io_uring, which nobody can be given. */
static void fail_refused(struct rdy_client *c, uint32_t n)
{
	struct rdy__list *first = c->queue[RDY__WANT_REGISTER].next;

	c->one_by_one = n > 1;
	if (n == 1)
		rdy__client_fail(
			c, rdy__list_entry(first, struct rdy__reg, out), WIRE_E_FD_KIND_REFUSED);
}

/* Returns 0: go on, -EAGAIN: not now, -EPIPE: the connection is lost. */
static int not_sent(struct rdy_client *c, enum rdy__want want, uint32_t n, int error)
{
	switch (error) {
	case -EAGAIN:
		c->send_blocked = true;
		return -EAGAIN;
	case -ETOOMANYREFS:
	case -ENOBUFS:
	case -ENOMEM:
		c->send_at_ns = rdy__now_ns() + SEND_LATER_NS;
		return -EAGAIN;
	case -EPIPE:
	case -ECONNRESET:
	case -ENOTCONN:
		return -EPIPE;
	case -EBADF:
		return want == RDY__WANT_REGISTER && fail_closed(c, n) ? 0 : -EPIPE;
	default:
		if (want != RDY__WANT_REGISTER)
			return -EPIPE;
		fail_refused(c, n);
		return 0;
	}
}

/* Up to one frame of the queue's head. Returns as not_sent(), or -ENOMEM. */
static int send_batch(struct rdy_client *c, enum rdy__want want)
{
	uint8_t frame[WIRE_HEADER_BYTES + WIRE_BATCH_MAX * RECORD_MAX_BYTES];
	int fds[WIRE_BATCH_MAX];
	bool is_register = want == RDY__WANT_REGISTER;
	bool named = is_register || want == RDY__WANT_MODIFY;
	uint32_t n = 0, max = is_register && c->one_by_one ? 1 : c->batch_max;
	uint64_t *handles = NULL;
	size_t n_bytes;
	int r;

	if (named) {
		uint32_t n_handles = c->n_queued < max ? c->n_queued : max;

		handles = malloc(n_handles * sizeof(*handles));
		if (!handles)
			return -ENOMEM;
	}
	rdy__list_for_each (l, &c->queue[want]) {
		struct rdy__reg *reg = rdy__list_entry(l, struct rdy__reg, out);

		if (n == max)
			break;
		put(frame, n, reg, want);
		if (named)
			handles[n] = rdy__reg_handle(reg);
		fds[n++] = reg->fd;
	}
	n_bytes = wire_put_header(frame, requests[want].type, c->serial + 1, n);
	r = rdy__send_fds(c->sock, frame, n_bytes, fds, is_register ? n : 0);
	if (r < 0) {
		free(handles);
		return not_sent(c, want, n, r);
	}
	c->serial++;
	if (requests[want].answered)
		owe(c, requests[want].type, n, handles);
	sent(c, want, n);
	return 0;
}

/* Up to one frame of deadlines. Returns as not_sent(), or -ENOMEM. */
static int send_deadlines(struct rdy_client *c)
{
	uint8_t frame[WIRE_HEADER_BYTES + WIRE_BATCH_MAX * WIRE_SET_DEADLINE_BYTES];
	uint32_t n = 0, max = c->n_queued < c->deadlines_max ? c->n_queued : c->deadlines_max;
	uint64_t *handles = malloc(max * sizeof(*handles));
	int64_t now_ns = rdy__now_ns();
	size_t n_bytes;
	int r;

	if (!handles)
		return -ENOMEM;
	rdy__list_for_each (l, &c->deadlines) {
		const struct rdy__deadline *d = rdy__list_entry(l, struct rdy__deadline, due);
		const struct wire_set_deadline q = rdy__deadline_record(d, now_ns);

		if (n == max)
			break;
		wire_put_set_deadline(frame, n, &q);
		handles[n++] = rdy__reg_handle(d->reg);
	}
	n_bytes = wire_put_header(frame, WIRE_SET_DEADLINE, c->serial + 1, n);
	r = rdy__send_fds(c->sock, frame, n_bytes, NULL, 0);
	if (r < 0) {
		free(handles);
		return not_sent(c, RDY__WANT_NOTHING, 0, r);
	}
	c->serial++;
	owe(c, WIRE_SET_DEADLINE, n, handles);
	while (n--) {
		struct rdy__deadline *d =
			rdy__list_entry(c->deadlines.next, struct rdy__deadline, due);

		d->n_asked++;
		rdy__deadline_drop(c, d->reg);
	}
	return 0;
}

static int send_ping(struct rdy_client *c)
{
	uint8_t frame[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	int r;

	wire_put_ping(frame, c->serial + 1);
	r = rdy__send_fds(
		c->sock, frame, wire_put_header(frame, WIRE_PING, c->serial + 1, 1), NULL, 0);
	if (r < 0)
		return not_sent(c, RDY__WANT_NOTHING, 0, r);
	c->serial++;
	c->want_ping = c->rearmed = false;
	owe(c, WIRE_PING, 1, NULL);
	return 0;
}

static int send_next(struct rdy_client *c)
{
	bool may_owe = c->n_owed < c->owed_max;

	for (int want = 0; want < RDY__N_WANTS; want++)
		if (!rdy__list_empty(&c->queue[want]) && (may_owe || !requests[want].answered))
			return send_batch(c, want);
	if (!rdy__list_empty(&c->deadlines) && may_owe)
		return send_deadlines(c);
	return send_ping(c);
}

int rdy__client_flush(struct rdy_client *c)
{
	while (rdy__client_can_send(c)) {
		int r = send_next(c);

		if (r == -ENOMEM)
			return r;
		if (r == -EPIPE) {
			/* Its last words, events among them, may still be there. */
			while (rdy__client_receive(c, false))
				;
			if (c->conn == RDY__CONN_UP)
				rdy__client_lost(c, 0);
		}
	}
	return 0;
}
