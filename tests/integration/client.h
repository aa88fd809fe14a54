/* SPDX-License-Identifier: MIT */
/* libready's client in these tests: what is expected of it, in one line each. */
#ifndef CLIENT_H
#define CLIENT_H

#include <ready/client.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness.h"

#define PATIENCE_NS ((int64_t)PATIENCE_MS * RDY__NS_PER_MS)

static inline struct rdy_client *client_open(const struct instance *in)
{
	const struct rdy_client_options o = {.size = sizeof(o),
		.path = in->sock,
		.name = "test",
		.reply_within_ns = PATIENCE_NS};
	struct rdy_client *c = NULL;
	uint32_t error = 0;
	int r = rdy_client_new(&o, PATIENCE_NS, &error, &c);

	need(r == 0, "%d %s", r, rdy_client_error_name(error));
	return c;
}

/* The same where the daemon may be gone for a while, or may refuse for a while. */
static inline struct rdy_client *client_open_patiently(const struct instance *in)
{
	const struct rdy_client_options o = {.size = sizeof(o),
		.path = in->sock,
		.name = "patient",
		.reply_within_ns = PATIENCE_NS};
	struct rdy_client *c = NULL;
	int64_t start = now_ns();
	uint32_t error = 0;
	int r;

	while ((r = rdy_client_new(&o, PATIENCE_NS, &error, &c)) < 0)
		need(look_again(start), "%d %s", r, rdy_client_error_name(error));
	return c;
}

static inline void client_event(struct rdy_client *c, struct rdy_client_event *ret)
{
	need_int(rdy_client_wait(c, ret, 1, PATIENCE_NS), ==, 1);
}

static inline void client_sync(struct rdy_client *c)
{
	need_int(rdy_client_sync(c, PATIENCE_NS), ==, 0);
}

/*
 * Whatever was asked for has been done, and there is no event of it: one would have come before the answers to
 * two more requests.
 */
static inline void client_no_event(struct rdy_client *c)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct rdy_client_event e;
	uint64_t handle;

	client_sync(c);
	need_int(rdy_client_register(c, fd, 0, RDY_READABLE, RDY_ONESHOT, 0, &handle), ==, 0);
	client_sync(c);
	need_int(rdy_client_deregister(c, handle), ==, 0);
	client_sync(c);
	rdy__fd_close(fd);
	need(rdy_client_next(c, &e) == 0, "an event: type %u ready %#x error %s", e.type, e.ready,
		rdy_client_error_name(e.error));
}

#endif
