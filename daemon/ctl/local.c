/* SPDX-License-Identifier: MIT */
/* --local: libready's reactor in this process. Speaks to no daemon. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ready/poll.h"
#include "ready/timer.h"
#include "source.h"

struct local {
	struct ctl_source source;
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct ctl_gathered *gathered; /* one per name */
	int64_t *idle_at_ns;	       /* likewise: when its silence is told, RDY__NEVER */
};

static struct local *local_of(struct ctl_source *s)
{
	return rdy__container_of(s, struct local, source);
}

static void local_free(struct ctl_source *s)
{
	struct local *l = local_of(s);

	rdy_events_free(l->events);
	rdy_poll_free(l->poll);
	free(l->gathered);
	free(l->idle_at_ns);
	free(l);
}

static void touch(struct local *l, size_t index)
{
	const struct ctl_options *o = l->source.options;

	l->idle_at_ns[index] = o->idle_ns ? rdy__deadline_ns(rdy_now_ns(), o->idle_ns) : RDY__NEVER;
}

/* Who is ready starts anew, who has been silent for so long is told once. */
static void look_for_silence(struct local *l)
{
	int64_t now_ns = rdy_now_ns();

	l->source.tell_at_ns = RDY__NEVER;
	for (size_t i = 0; i < l->source.options->n_names; i++) {
		struct ctl_gathered *g = &l->gathered[i];

		if (g->is)
			touch(l, i);
		if (g->ended) {
			l->idle_at_ns[i] = RDY__NEVER;
		} else if (now_ns >= l->idle_at_ns[i]) {
			g->is = g->idle = true;
			l->idle_at_ns[i] = RDY__NEVER;
		}
		if (l->idle_at_ns[i] < l->source.tell_at_ns)
			l->source.tell_at_ns = l->idle_at_ns[i];
	}
}

static int local_add(struct ctl_source *s, uint32_t mode, int64_t timeout_ns, struct ctl_problem *p)
{
	struct local *l = local_of(s);

	for (size_t i = 0; i < s->options->n_names; i++) {
		const struct ctl_name *n = &s->options->names[i];
		int r = rdy_poll_register(l->poll, n->fd, i, n->interest, mode);

		if (r == -EPERM)
			return ctl_problem_registration(p, n->name, n->fd, "FD_NOT_POLLABLE",
				"the kernel cannot poll this kind of file");
		if (r)
			return ctl_problem_errno(p, "watch a descriptor", r);
		touch(l, i);
	}
	return 0;
}

static int local_wait(struct ctl_source *s, int64_t timeout_ns, struct ctl_event *events,
	size_t *ret_n, struct ctl_problem *p)
{
	struct local *l = local_of(s);
	int r = rdy_poll_wait(l->poll, l->events, timeout_ns);

	if (r < 0)
		return ctl_problem_errno(p, "wait", r);
	for (struct rdy_event e; rdy_events_next(l->events, &e);) {
		struct ctl_gathered *g = &l->gathered[e.token];
		const uint32_t both = RDY_READ_CLOSED | RDY_WRITE_CLOSED;

		g->is = true;
		g->ready |= e.ready;
		/* As readyd does: a hangup or an error ends a registration, a half close does not. */
		if ((e.ready & both) == both || e.ready & RDY_ERROR) {
			g->ended = true;
			rdy_poll_deregister(l->poll, s->options->names[e.token].fd);
		}
	}
	if (s->options->idle_ns)
		look_for_silence(l);
	*ret_n = ctl_gathered_take(l->gathered, s->options->n_names, events);
	return 0;
}

static int local_look(struct ctl_source *s, struct ctl_problem *p)
{
	return 0; /* waiting has looked */
}

static int local_rearm(struct ctl_source *s, size_t index, struct ctl_problem *p)
{
	struct local *l = local_of(s);
	int r = rdy_poll_rearm(l->poll, s->options->names[index].fd);

	touch(l, index);
	if (l->idle_at_ns[index] < s->tell_at_ns)
		s->tell_at_ns = l->idle_at_ns[index];
	return r ? ctl_problem_errno(p, "re-arm a descriptor", r) : 0;
}

static int local_fd(struct ctl_source *s, int *ret_fd, struct ctl_problem *p)
{
	int fd = rdy_poll_fd(local_of(s)->poll);

	if (fd < 0)
		return ctl_problem_errno(p, "watch on this system", fd);
	*ret_fd = fd;
	return 0;
}

static const struct ctl_source_ops local_ops = {
	.add = local_add,
	.wait = local_wait,
	.look = local_look,
	.rearm = local_rearm,
	.fd = local_fd,
	.free = local_free,
};

int ctl_local_new(const struct ctl_options *o, struct ctl_source **ret, struct ctl_problem *p)
{
	struct rdy_poll_options options = {
		.size = sizeof(options), .flags = RDY_POLL_SINGLE_THREAD};
	struct local *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return ctl_problem_errno(p, "start", -ENOMEM);
	l->source = (struct ctl_source){&local_ops, o, RDY__NEVER, RDY__NEVER};
	l->gathered = calloc(o->n_names, sizeof(*l->gathered));
	l->idle_at_ns = calloc(o->n_names, sizeof(*l->idle_at_ns));
	r = l->gathered && l->idle_at_ns ? rdy_poll_new(&options, &l->poll) : -ENOMEM;
	if (r == 0)
		r = rdy_events_new(o->n_names, &l->events);
	if (r) {
		local_free(&l->source);
		return ctl_problem_errno(p, "start a reactor", r);
	}
	*ret = &l->source;
	return 0;
}
