/* SPDX-License-Identifier: MIT */
/*
 * The public calls that make a client and that queue requests.
 * Owner: the client's thread. Nothing is sent here but by rdy_client_new().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "internal.h"

#define REPLY_WITHIN_NS (5 * RDY__NS_PER_S)
/* Between two looks at a listener whose backlog is full: nothing says when there is room. */
#define BACKLOG_NS (5 * RDY__NS_PER_MS)

static int set_name(struct rdy_client *c, const char *name)
{
	size_t n = name ? strnlen(name, WIRE_NAME_BYTES) : 0;

	if (n == WIRE_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return -EINVAL;
	if (n)
		memcpy(c->name, name, n);
	return 0;
}

static int set_path(struct rdy_client *c, const char *path)
{
	size_t n = strnlen(path, sizeof(c->addr.sun_path));

	if (n == sizeof(c->addr.sun_path))
		return -ENAMETOOLONG;
	/* An empty one would be a name of the abstract namespace, where everybody can listen. */
	if (n == 0)
		return -ENOENT;
	c->addr.sun_family = AF_UNIX;
	memcpy(c->addr.sun_path, path, n);
	return 0;
}

static int set_options(struct rdy_client *c, const struct rdy_client_options *o)
{
	const struct rdy_client_options none = {.size = sizeof(none)};
	int r;

	if (!o)
		o = &none;
	if (o->size != sizeof(*o) || o->flags & ~RDY_CLIENT_NO_RECONNECT || o->pad0 ||
		o->reply_within_ns < 0)
		return -EINVAL;
	c->flags = o->flags;
	c->reply_within_ns = o->reply_within_ns ? o->reply_within_ns : REPLY_WITHIN_NS;
	r = set_name(c, o->name);
	return r < 0 ? r : set_path(c, o->path ? o->path : RDY_CLIENT_SYSTEM_PATH);
}

/* Wait for the socket (or, without one, for the time alone). False: the deadline has passed. */
static bool wait_until(int sock, int64_t until_ns, int64_t deadline_ns)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int64_t now = rdy__now_ns(), at = until_ns < deadline_ns ? until_ns : deadline_ns;
	int64_t left = rdy__left_ns(now, at);
	struct timespec ts = {left / RDY__NS_PER_S, left % RDY__NS_PER_S};

	if (now >= deadline_ns)
		return false;
	(void)ppoll(&p, 1, left < 0 ? NULL : &ts, NULL);
	return true;
}

/* What connect(2) says, as the documented list says it. */
static int connect_error(int r)
{
	switch (r) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ECONNREFUSED:
	case -EACCES:
	case -ENAMETOOLONG:
		return r;
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
		return -ENOENT;
	case -EPERM: /* a security module */
		return -EACCES;
	case -EPROTOTYPE: /* a socket of another type */
		return -EPROTO;
	case -ENOBUFS:
		return -ENOMEM;
	default:
		return -ECONNREFUSED;
	}
}

static int connect_first(struct rdy_client *c, int64_t deadline_ns)
{
	int r;

	while ((r = rdy__client_attempt(c, rdy__now_ns())) == -EAGAIN)
		if (!wait_until(-1, rdy__now_ns() + BACKLOG_NS, deadline_ns))
			return -ETIMEDOUT;
	if (r < 0)
		return connect_error(r);
	while ((r = rdy__client_welcome(c)) == -EAGAIN)
		if (!wait_until(c->sock, RDY__NEVER, deadline_ns))
			return -ETIMEDOUT;
	return r;
}

int rdy_client_new(const struct rdy_client_options *options, int64_t timeout_ns,
	uint32_t *ret_error, struct rdy_client **ret)
{
	struct rdy_client *c;
	int64_t now = rdy__now_ns();
	int r;

	if (ret_error)
		*ret_error = 0;
	if (!ret)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->sock = c->ep = c->attention = c->timer = -1;
	c->timer_at_ns = RDY__NEVER;
	c->random = (uint32_t)now ^ (uint32_t)getpid() << 16;
	c->random |= !c->random; /* 0 would stay 0 */
	rdy__list_init(&c->ready);
	rdy__list_init(&c->deadlines);
	for (int i = 0; i < RDY__N_WANTS; i++)
		rdy__list_init(&c->queue[i]);
	rdy__regs_init(&c->regs);
	r = rdy__guard_init(&c->guard);
	if (r == 0)
		r = set_options(c, options);
	if (r == 0)
		r = connect_first(c, rdy__deadline_ns(now, timeout_ns));
	if (r < 0) {
		if (ret_error && (r == -EDQUOT || r == -EPERM))
			*ret_error = c->refusal;
		rdy_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct rdy_client *rdy_client_free(struct rdy_client *c)
{
	if (!c)
		return NULL;
	/* In a forked child these are copies: closing them changes nothing for the parent, whereas removing
	 * them from the epoll set would, so the set is just closed. */
	c->sock = rdy__fd_close(c->sock);
	rdy__client_poller_close(c);
	rdy__client_drop_owed(c);
	rdy__regs_deinit(&c->regs);
	rdy__guard_deinit(&c->guard);
	free(c);
	return NULL;
}

static bool settings_ok(uint32_t interest, uint32_t mode)
{
	return interest && !(interest & ~RDY_INTERESTS) &&
	       (mode == RDY_EDGE || mode == RDY_LEVEL || mode == RDY_ONESHOT);
}

int rdy_client_register(struct rdy_client *c, int fd, uint64_t token, uint32_t interest,
	uint32_t mode, uint32_t flags, uint64_t *ret_handle)
{
	struct rdy__reg *reg;
	int r;

	/* Invariant: FORK-1: after fork every call but free answers -ECHILD.
	 * Why: two processes that write to one session break it for both.
	 * Test: tests/unit/client/events.c/after_fork */
	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	if (!settings_ok(interest, mode) || flags & ~RDY_CLIENT_KEEP || !ret_handle)
		return -EINVAL;
	/* Said here, where the mistake is, rather than by an event later. */
	if (fd < 0 || fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	if (c->conn == RDY__CONN_DEAD)
		return -ENOTCONN;
	if (rdy__regs_by_fd(&c->regs, fd))
		return -EEXIST;
	r = rdy__regs_add(&c->regs, fd, &reg);
	if (r < 0)
		return r;
	reg->token = token;
	reg->interest = (uint16_t)interest;
	reg->mode = (uint8_t)mode;
	reg->flags = (uint8_t)flags;
	reg->state = RDY__REG_QUEUED;
	rdy__client_want(c, reg, RDY__WANT_REGISTER);
	rdy__client_poller_update(c, false);
	*ret_handle = rdy__reg_handle(reg);
	return 0;
}

/* The registration of a handle that is not dead for the user. */
static struct rdy__reg *find(struct rdy_client *c, uint64_t handle)
{
	struct rdy__reg *reg = rdy__regs_find(&c->regs, handle);

	return reg && reg->state != RDY__REG_LEAVING ? reg : NULL;
}

int rdy_client_modify(struct rdy_client *c, uint64_t handle, uint32_t interest, uint32_t mode)
{
	struct rdy__reg *reg;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	if (!settings_ok(interest, mode))
		return -EINVAL;
	reg = find(c, handle);
	if (!reg)
		return -ENOENT;
	if (c->conn == RDY__CONN_DEAD)
		return -ENOTCONN;
	/* Ended: its last event waits to be taken and says so. */
	if (reg->state == RDY__REG_ENDED)
		return 0;
	reg->interest = (uint16_t)interest;
	reg->mode = (uint8_t)mode;
	reg->disarmed = false;
	/* What was found with the old interest is void; what still holds is reported again. */
	rdy__client_withdraw(c, reg);
	rdy__deadline_touch(c, reg);
	rdy__client_want(c, reg, RDY__WANT_MODIFY);
	rdy__client_poller_update(c, false);
	return 0;
}

int rdy_client_rearm(struct rdy_client *c, uint64_t handle)
{
	struct rdy__reg *reg;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	reg = find(c, handle);
	if (!reg)
		return -ENOENT;
	if (c->conn == RDY__CONN_DEAD)
		return -ENOTCONN;
	/* Armed, or its event was not taken yet, which for the user is the same. */
	if (!reg->disarmed || reg->type || reg->state == RDY__REG_ENDED)
		return 0;
	reg->disarmed = false;
	rdy__deadline_touch(c, reg);
	rdy__client_want(c, reg, RDY__WANT_REARM);
	rdy__client_poller_update(c, false);
	return 0;
}

int rdy_client_set_deadline(struct rdy_client *c, uint64_t handle, int64_t at_ns, int64_t idle_ns)
{
	struct rdy__reg *reg;
	int r;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	if (at_ns < 0 || idle_ns < 0)
		return -EINVAL;
	reg = find(c, handle);
	if (!reg)
		return -ENOENT;
	if (c->conn == RDY__CONN_DEAD)
		return -ENOTCONN;
	if (!(c->features & WIRE_FEATURE_DEADLINE))
		return -ENOTSUP;
	/* Ended: its last event waits to be taken and says so. */
	if (reg->state == RDY__REG_ENDED)
		return 0;
	r = rdy__deadline_set(c, reg, at_ns, idle_ns);
	rdy__client_poller_update(c, false);
	return r;
}

void rdy__client_bury(struct rdy_client *c, struct rdy__reg *reg)
{
	rdy__deadline_drop(c, reg);
	rdy__regs_forget_fd(&c->regs, reg);
	if (reg->want == RDY__WANT_DEREGISTER)
		reg->state = RDY__REG_LEAVING;
	else
		rdy__regs_release(&c->regs, reg);
}

int rdy_client_deregister(struct rdy_client *c, uint64_t handle)
{
	struct rdy__reg *reg;

	if (!rdy__guard_ok(&c->guard))
		return -ECHILD;
	reg = find(c, handle);
	if (!reg)
		return -ENOENT;
	rdy__client_withdraw(c, reg);
	rdy__client_withdraw_timeouts(c, reg, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE);
	if (reg->state == RDY__REG_QUEUED)
		rdy__client_want_nothing(c, reg);
	else if (reg->state != RDY__REG_ENDED)
		rdy__client_want(c, reg, RDY__WANT_DEREGISTER);
	rdy__client_bury(c, reg);
	rdy__client_poller_update(c, false);
	return 0;
}

const char *rdy_client_error_name(uint32_t error)
{
	return wire_error_name(error);
}

const char *rdy_client_error_text(uint32_t error)
{
	return wire_error_text(error);
}
