/* SPDX-License-Identifier: MIT */
/*
 * Dispatching and waiting. The common case, nothing queued and nothing owed, is one blocking receive per
 * batch of events.
 * Owner: the client's thread.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "base/clock.h"
#include "internal.h"

/* Frames read and turns made by one dispatch, so that a flood does not keep the caller for ever. */
#define READS_MAX 64u
#define TURNS_MAX 16u

enum reading {
	READ_NOTHING,
	READ_EVENTS, /* until there are events, or nothing */
	READ_ALL,
};

/* Returns the number of frames read; *ret_empty: the socket is empty. */
static uint32_t read_frames(struct rdy_client *c, enum reading reading, bool *ret_empty)
{
	uint32_t n = 0;

	c->read_more = false;
	while (reading != READ_NOTHING) {
		if (reading == READ_EVENTS && rdy__client_n_events(c))
			break;
		if (n == READS_MAX) {
			c->read_more = true;
			break;
		}
		if (!rdy__client_receive(c, false)) {
			*ret_empty = true;
			break;
		}
		n++;
	}
	return n;
}

/* Send, read, look at the clock; again while that made room for more. */
static int step(struct rdy_client *c, enum reading reading)
{
	/* One try: without a call to poll nobody knows better. */
	c->send_blocked = false;
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		bool empty = false;
		int r = rdy__client_flush(c);

		if (r < 0)
			return r;
		if (read_frames(c, reading, &empty))
			c->send_blocked = false;
		rdy__client_tick(c, empty);
		if (!rdy__client_can_send(c))
			break;
	}
	rdy__client_check_restored(c);
	return 0;
}

static bool is_dead(const struct rdy_client *c)
{
	return c->conn == RDY__CONN_DEAD;
}

/* Nothing to do but to wait for events. */
static bool is_quiet(const struct rdy_client *c)
{
	return c->conn == RDY__CONN_UP && !c->n_queued && !c->n_owed && !c->want_ping &&
	       !c->read_more && !c->restoring;
}

/* Until the socket, the clock or deadline_ns wants something. Returns false: deadline_ns has passed. */
static bool block(struct rdy_client *c, int64_t deadline_ns)
{
	struct pollfd p = {.fd = c->sock, .events = POLLIN | (c->send_blocked ? POLLOUT : 0)};
	int64_t tick = rdy__client_next_tick(c), until = tick < deadline_ns ? tick : deadline_ns;
	struct timespec ts, *timeout = NULL;

	if (rdy__client_can_send(c) || c->read_more)
		until = 0;
	if (until != RDY__NEVER) {
		int64_t now = rdy__now_ns(), left = rdy__left_ns(now, until);

		if (now >= deadline_ns)
			return false;
		ts = (struct timespec){left / RDY__NS_PER_S, left % RDY__NS_PER_S};
		timeout = &ts;
	}
	(void)ppoll(&p, 1, timeout, NULL);
	return true;
}

int rdy_client_dispatch(struct rdy_client *c)
{
	size_t n;
	int r;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	r = step(c, READ_ALL);
	rdy__client_poller_update(c, true);
	if (r < 0)
		return r;
	n = rdy__client_n_events(c);
	if (!n && is_dead(c))
		return -ENOTCONN;
	return n > INT_MAX ? INT_MAX : (int)n;
}

static void take_notice(struct rdy_client *c, struct rdy_client_event *ret)
{
	*ret = (struct rdy_client_event){
		.type = c->notices[0].type,
		.error = c->notices[0].error,
	};
	c->n_notices--;
	for (uint32_t i = 0; i < c->n_notices; i++)
		c->notices[i] = c->notices[i + 1];
}

static void take_timeouts(struct rdy_client *c, struct rdy__reg *reg, struct rdy_client_event *ret)
{
	*ret = (struct rdy_client_event){
		.token = reg->token,
		.handle = rdy__reg_handle(reg),
		.type = RDY_CLIENT_TIMEOUT,
		.flags = (reg->timeouts & WIRE_TIMEOUT_AT ? RDY_CLIENT_AT : 0) |
			 (reg->timeouts & WIRE_TIMEOUT_IDLE ? RDY_CLIENT_IDLE : 0),
	};
	rdy__client_withdraw_timeouts(c, reg, reg->timeouts);
}

static void take_ready(struct rdy_client *c, struct rdy_client_event *ret)
{
	struct rdy__reg *reg = rdy__list_entry(c->ready.next, struct rdy__reg, ready);

	/* Readiness first: who gives up what is idle has seen then what there was. */
	if (rdy__unlikely(!reg->type)) {
		take_timeouts(c, reg, ret);
		return;
	}
	*ret = (struct rdy_client_event){
		.token = reg->token,
		.handle = rdy__reg_handle(reg),
		.type = reg->type,
		.flags = reg->event_flags,
		.ready = reg->bits,
		.error = reg->error,
	};
	rdy__client_withdraw(c, reg);
	if (rdy__unlikely(reg->state == RDY__REG_ENDED)) {
		rdy__client_bury(c, reg);
	} else if (reg->mode == RDY_LEVEL && reg->disarmed) {
		/* Sent with the next dispatch: until then the user has the time to deal with it. */
		reg->disarmed = false;
		rdy__client_want(c, reg, RDY__WANT_REARM);
	}
}

static int take(struct rdy_client *c, struct rdy_client_event *ret)
{
	if (rdy__unlikely(c->n_notices))
		take_notice(c, ret);
	else if (c->n_ready)
		take_ready(c, ret);
	else
		return 0;
	return 1;
}

int rdy_client_next(struct rdy_client *c, struct rdy_client_event *ret)
{
	int r;

	if (rdy__unlikely(!rdy__guard_ok(&c->guard)))
		return -ECHILD;
	r = take(c, ret);
	/* The last event is taken and acknowledgements are owed: an edge for these, too. */
	rdy__client_poller_update(c, r == 1 && !rdy__client_n_events(c));
	return r;
}

/* Returns 0, with or without events, or an error. */
static int wait_for_events(struct rdy_client *c, int64_t timeout_ns)
{
	/* A user who polls the descriptor for edges gets one only for what comes later: read all. */
	enum reading reading = c->ep < 0 ? READ_EVENTS : READ_ALL;
	bool first = timeout_ns != 0, in_time = true;
	int64_t deadline = RDY__NEVER;

	if (timeout_ns > 0)
		deadline = rdy__deadline_ns(rdy__now_ns(), timeout_ns);
	if (rdy__client_n_events(c) && is_quiet(c))
		return 0;
	while (in_time) {
		int r;

		if (timeout_ns < 0 && is_quiet(c)) {
			rdy__client_receive(c, true);
			if (reading == READ_EVENTS && is_quiet(c)) {
				if (rdy__client_n_events(c))
					return 0;
				continue;
			}
			first = false;
		}
		/* Reading at once would find nothing, most of the time. */
		r = step(c, first ? READ_NOTHING : reading);
		first = false;
		if (r < 0)
			return r;
		if (rdy__client_n_events(c) || timeout_ns == 0)
			return 0;
		if (is_dead(c))
			return -ENOTCONN;
		if (timeout_ns >= 0 || !is_quiet(c))
			in_time = block(c, deadline);
	}
	return 0;
}

int rdy_client_wait(
	struct rdy_client *c, struct rdy_client_event *events, size_t n_events, int64_t timeout_ns)
{
	size_t n = 0;
	int r;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	if (!n_events)
		return -EINVAL;
	if (n_events > INT_MAX)
		n_events = INT_MAX;
	r = wait_for_events(c, timeout_ns);
	while (r == 0 && n < n_events && take(c, &events[n]))
		n++;
	rdy__client_poller_update(c, true);
	if (r == 0 && n == 0 && is_dead(c))
		return -ENOTCONN;
	return r < 0 ? r : (int)n;
}

static int sync_until(struct rdy_client *c, int64_t deadline_ns)
{
	for (;;) {
		int r = step(c, READ_ALL);

		if (r < 0)
			return r;
		if (is_dead(c))
			return -ENOTCONN;
		if (c->conn == RDY__CONN_UP && !c->n_queued && !c->n_owed && !c->want_ping) {
			if (!c->rearmed)
				return 0;
			/* REARM has no answer of its own; the one to a PING behind it comes later. */
			c->want_ping = true;
			continue;
		}
		if (!block(c, deadline_ns))
			return -ETIMEDOUT;
	}
}

int rdy_client_sync(struct rdy_client *c, int64_t timeout_ns)
{
	int r;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	r = sync_until(c, rdy__deadline_ns(rdy__now_ns(), timeout_ns));
	rdy__client_poller_update(c, true);
	return r;
}
