/* SPDX-License-Identifier: MIT */
/* readyd as the source: a client session, with the library's reconnecting made visible. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "ready/client.h"
#include "ready/timer.h"
#include "source.h"

/* How long a lost connection may stay away: a restart of the daemon takes less than a second. */
#define HOPE_NS (10 * RDY__NS_PER_S)
#define BATCH 64

struct broker {
	struct ctl_source source;
	struct rdy_client *client;
	struct ctl_gathered *gathered; /* one per name */
	uint64_t *handles;	       /* one per name */
	char path[CTL_PATH_MAX];
	uint32_t refused; /* the last refusal while connecting again */
	bool witnessed;
};

static struct broker *broker_of(struct ctl_source *s)
{
	return rdy__container_of(s, struct broker, source);
}

/* The token of the witness, see broker_look(). */
#define NOBODY UINT64_MAX

static void broker_free(struct ctl_source *s)
{
	struct broker *b = broker_of(s);

	rdy_client_free(b->client);
	free(b->gathered);
	free(b->handles);
	free(b);
}

static int take_event(struct broker *b, const struct rdy_client_event *e, struct ctl_problem *p)
{
	const struct ctl_options *o = b->source.options;

	if (e->token == NOBODY) {
		b->witnessed = true;
		return 0;
	}
	switch (e->type) {
	case RDY_CLIENT_READY:
		b->gathered[e->token].is = true;
		b->gathered[e->token].ready |= e->ready;
		b->gathered[e->token].ended |= e->flags & RDY_CLIENT_ENDED;
		return 0;
	case RDY_CLIENT_TIMEOUT:
		b->gathered[e->token].is = true;
		b->gathered[e->token].idle = true;
		return 0;
	case RDY_CLIENT_FAILED:
		return ctl_problem_registration(p, o->names[e->token].name, o->names[e->token].fd,
			rdy_client_error_name(e->error), rdy_client_error_text(e->error));
	case RDY_CLIENT_LOST:
		ctl_note(o->quiet, "the connection to readyd is lost%s%s, connecting again",
			e->error ? ": " : "", e->error ? rdy_client_error_text(e->error) : "");
		b->source.hope_until_ns = rdy__deadline_ns(rdy_now_ns(), HOPE_NS);
		b->refused = 0;
		return 0;
	case RDY_CLIENT_RESTORED:
		ctl_note(o->quiet, "connected again");
		b->source.hope_until_ns = RDY__NEVER;
		return 0;
	case RDY_CLIENT_REFUSED:
		b->refused = e->error;
		return 0;
	default: /* of a newer library */
		return 0;
	}
}

/* What dispatching said when it failed, or that the connection stayed away for too long. */
static int check_connection(struct broker *b, int r, struct ctl_problem *p)
{
	if (r < 0)
		return r == -ETIMEDOUT ? ctl_problem_connect(p, b->path, r, 0)
				       : ctl_problem_errno(p, "talk to readyd", r);
	if (rdy_now_ns() < b->source.hope_until_ns)
		return 0;
	if (b->refused)
		return ctl_problem_session(p, b->path, b->refused);
	ctl_problem_connect(p, b->path, -ECONNREFUSED, 0);
	ctl_problem_why(p, "the connection was lost and did not come back within 10 s");
	return p->exit;
}

/*
 * Take what rdy_client_wait() finds within the time; not for ever: what was taken of a level comes again.
 */
static int take_events(struct broker *b, int64_t timeout_ns, struct ctl_problem *p)
{
	struct rdy_client_event batch[BATCH];
	int r = rdy_client_wait(b->client, batch, BATCH, timeout_ns);
	size_t n = 0;

	while (r > 0) {
		for (int i = 0; i < r; i++) {
			int code = take_event(b, &batch[i], p);

			if (code)
				return code;
		}
		n += (size_t)r;
		if (n > b->source.options->n_names)
			break;
		r = rdy_client_wait(b->client, batch, BATCH, 0);
	}
	return check_connection(b, r < 0 ? r : 0, p);
}

static int broker_wait(struct ctl_source *s, int64_t timeout_ns, struct ctl_event *events,
	size_t *ret_n, struct ctl_problem *p)
{
	struct broker *b = broker_of(s);
	int64_t deadline_ns = rdy__deadline_ns(rdy_now_ns(), timeout_ns);
	size_t n_names = s->options->n_names;
	/* What came while registering is told at once. */
	size_t n = ctl_gathered_take(b->gathered, n_names, events);

	while (n == 0) {
		int64_t until_ns = deadline_ns < s->hope_until_ns ? deadline_ns : s->hope_until_ns;
		int r = take_events(b, rdy__left_ns(rdy_now_ns(), until_ns), p);

		if (r)
			return r;
		n = ctl_gathered_take(b->gathered, n_names, events);
		if (n == 0 && rdy_now_ns() >= deadline_ns)
			break;
	}
	*ret_n = n;
	return 0;
}

static int problem_old_daemon(const struct broker *b, struct ctl_problem *p)
{
	ctl_problem_set(p, CTL_REFUSED, "DEADLINE_INVALID",
		"readyd at %s cannot tell when a descriptor is silent", b->path);
	ctl_problem_why(p, "it is older than this readyctl and knows no deadlines");
	ctl_problem_hint(p, "without --idle; or --local; or restart it after its update");
	return p->exit;
}

static int broker_add(
	struct ctl_source *s, uint32_t mode, int64_t timeout_ns, struct ctl_problem *p)
{
	struct broker *b = broker_of(s);
	int r = 0;

	for (size_t i = 0; i < s->options->n_names && r == 0; i++) {
		const struct ctl_name *n = &s->options->names[i];

		r = rdy_client_register(b->client, n->fd, i, n->interest, mode, 0, &b->handles[i]);
		if (r == 0 && s->options->idle_ns)
			r = rdy_client_set_deadline(
				b->client, b->handles[i], 0, s->options->idle_ns);
	}
	if (r == -ENOTSUP)
		return problem_old_daemon(b, p);
	if (r)
		return ctl_problem_errno(p, "register a descriptor", r);
	/* A refusal is told before any readiness of the others: it is a mistake in the arguments. */
	r = rdy_client_sync(b->client, timeout_ns);
	if (r)
		return check_connection(b, r, p);
	for (struct rdy_client_event e; rdy_client_next(b->client, &e) > 0;) {
		r = take_event(b, &e, p);
		if (r)
			return r;
	}
	return 0;
}

/*
 * A witness: a descriptor that is ready, registered behind ours. The daemon's selector queues what is ready, so its
 * event comes behind theirs. Answers to requests prove nothing: a fast client has several in one round of the
 * daemon, without a poll in between. A quota that refuses it is an answer, too.
 */
static int broker_look(struct ctl_source *s, struct ctl_problem *p)
{
	struct broker *b = broker_of(s);
	int64_t deadline_ns = rdy__deadline_ns(rdy_now_ns(), RDY__NS_PER_S);
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), r = fd < 0 ? -errno : 0;
	uint64_t handle = 0;
	int code = 0;

	b->witnessed = false;
	if (r == 0)
		r = rdy_client_register(
			b->client, fd, NOBODY, RDY_READABLE, RDY_ONESHOT, 0, &handle);
	while (r == 0 && code == 0 && !b->witnessed) {
		int64_t left_ns = rdy__left_ns(rdy_now_ns(), deadline_ns);

		if (left_ns == 0)
			r = -ETIMEDOUT;
		else
			code = take_events(b, left_ns, p);
	}
	if (handle)
		rdy_client_deregister(b->client, handle);
	rdy__fd_close(fd);
	return r ? check_connection(b, r, p) : code;
}

static int broker_rearm(struct ctl_source *s, size_t index, struct ctl_problem *p)
{
	struct broker *b = broker_of(s);
	int r = rdy_client_rearm(b->client, b->handles[index]);

	if (r == 0 || r == -ENOENT) /* ended meanwhile: its event is on the way */
		return 0;
	return ctl_problem_errno(p, "re-arm a descriptor", r);
}

static int broker_fd(struct ctl_source *s, int *ret_fd, struct ctl_problem *p)
{
	int fd = rdy_client_fd(broker_of(s)->client);

	if (fd < 0)
		return ctl_problem_errno(p, "watch the connection to readyd", fd);
	*ret_fd = fd;
	return 0;
}

static const struct ctl_source_ops broker_ops = {
	.add = broker_add,
	.wait = broker_wait,
	.look = broker_look,
	.rearm = broker_rearm,
	.fd = broker_fd,
	.free = broker_free,
};

int ctl_broker_new(const struct ctl_options *o, const char *path, int64_t timeout_ns,
	struct ctl_source **ret, struct ctl_problem *p)
{
	struct rdy_client_options options = {
		.size = sizeof(options), .path = path, .name = "readyctl"};
	struct broker *b = calloc(1, sizeof(*b));
	uint32_t error = 0;
	int r = -ENOMEM;

	if (!b)
		return ctl_problem_errno(p, "start", r);
	b->source = (struct ctl_source){&broker_ops, o, RDY__NEVER, RDY__NEVER};
	snprintf(b->path, sizeof(b->path), "%s", path);
	b->gathered = calloc(o->n_names, sizeof(*b->gathered));
	b->handles = calloc(o->n_names, sizeof(*b->handles));
	if (b->gathered && b->handles)
		r = rdy_client_new(&options, timeout_ns, &error, &b->client);
	if (r) {
		ctl_problem_connect(p, path, r, error);
		broker_free(&b->source);
		return p->exit;
	}
	*ret = &b->source;
	return 0;
}
