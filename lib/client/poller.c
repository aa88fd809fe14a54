/* SPDX-License-Identifier: MIT */
/*
 * The one descriptor that others poll: an epoll descriptor over the socket, a counter
 * (attention: set while something waits in the library), and a timer. Costs nothing until it is asked for.
 * Owner: the client's thread.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "internal.h"

static uint32_t wanted_sock_events(const struct rdy_client *c)
{
	return EPOLLIN | (c->send_blocked ? EPOLLOUT : 0);
}

int rdy__client_poller_add_sock(struct rdy_client *c)
{
	struct epoll_event e = {.events = wanted_sock_events(c)};

	if (c->ep < 0)
		return 0;
	if (epoll_ctl(c->ep, EPOLL_CTL_ADD, c->sock, &e) < 0)
		return -errno;
	c->sock_events = e.events;
	return 0;
}

void rdy__client_poller_del_sock(struct rdy_client *c)
{
	/* Never left to close(): a forked child may hold the same socket, and it would stay in the set. */
	if (c->ep >= 0 && c->sock_events)
		(void)epoll_ctl(c->ep, EPOLL_CTL_DEL, c->sock, NULL);
	c->sock_events = 0;
}

static void update_attention(struct rdy_client *c, bool again)
{
	bool set = rdy__client_n_events(c) || c->read_more || rdy__client_can_send(c);
	uint64_t count = 1;

	if (set == c->attention_set && !(set && again))
		return;
	/* A write is an edge whatever the counter was. Changing the interest instead would be none while the
	 * entry is still in the epoll set's list of what was ready. It cannot fail: the count stays small. */
	if (set)
		(void)!write(c->attention, &count, sizeof(count));
	else
		(void)!read(c->attention, &count, sizeof(count));
	c->attention_set = set;
}

/* As long as the socket is full, the descriptor is readable when there is room again. */
static void update_sock(struct rdy_client *c)
{
	struct epoll_event e = {.events = wanted_sock_events(c)};
	struct pollfd p = {.fd = c->sock, .events = POLLOUT};

	if (!c->sock_events || c->sock_events == e.events)
		return;
	(void)epoll_ctl(c->ep, EPOLL_CTL_MOD, c->sock, &e);
	c->sock_events = e.events;
	/* Room that came before the change may have made no edge. */
	if (c->send_blocked && poll(&p, 1, 0) == 1 && p.revents & POLLOUT)
		c->send_blocked = false;
}

static void update_timer(struct rdy_client *c)
{
	int64_t at = rdy__client_next_tick(c);
	struct itimerspec spec = {0};

	if (at == c->timer_at_ns)
		return;
	c->timer_at_ns = at;
	if (at != RDY__NEVER) {
		at = at > 0 ? at : 1; /* 0 would disarm it */
		spec.it_value.tv_sec = at / RDY__NS_PER_S;
		spec.it_value.tv_nsec = at % RDY__NS_PER_S;
	}
	(void)timerfd_settime(c->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

void rdy__client_poller_update(struct rdy_client *c, bool again)
{
	if (rdy__likely(c->ep < 0))
		return;
	update_sock(c);
	update_timer(c);
	update_attention(c, again);
}

void rdy__client_poller_close(struct rdy_client *c)
{
	c->ep = rdy__fd_close(c->ep);
	c->attention = rdy__fd_close(c->attention);
	c->timer = rdy__fd_close(c->timer);
}

static int open_all(struct rdy_client *c)
{
	struct epoll_event in = {.events = EPOLLIN};

	c->ep = epoll_create1(EPOLL_CLOEXEC);
	if (c->ep < 0)
		return -errno;
	c->attention = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->attention < 0)
		return -errno;
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->timer < 0)
		return -errno;
	if (epoll_ctl(c->ep, EPOLL_CTL_ADD, c->attention, &in) < 0 ||
		epoll_ctl(c->ep, EPOLL_CTL_ADD, c->timer, &in) < 0)
		return -errno;
	c->attention_set = false;
	c->timer_at_ns = RDY__NEVER;
	return c->sock >= 0 ? rdy__client_poller_add_sock(c) : 0;
}

int rdy_client_fd(struct rdy_client *c)
{
	int r;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	if (c->ep >= 0)
		return c->ep;
	r = open_all(c);
	if (r < 0) {
		c->sock_events = 0;
		rdy__client_poller_close(c);
		/* The documented list has no word for the limit of watches. */
		return r == -EMFILE || r == -ENFILE ? r : -ENOMEM;
	}
	rdy__client_poller_update(c, false);
	return c->ep;
}
