/* SPDX-License-Identifier: MIT */
/* readyctl wait: until at least one is ready, then a line for each that is. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "print.h"
#include "ready/timer.h"
#include "ready/types.h"
#include "source.h"
#include "verbs.h"

/* How long the daemon may take to answer: what --timeout leaves, but never nothing and never for ever. */
static int64_t answer_ns(int64_t timeout_ns)
{
	if (timeout_ns < 0 || timeout_ns > CTL_ANSWER_NS)
		return CTL_ANSWER_NS;
	return timeout_ns > RDY__NS_PER_S ? timeout_ns : RDY__NS_PER_S;
}

static void free_source(struct ctl_source **s)
{
	ctl_source_free(*s);
}

int ctl_wait(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	int64_t deadline_ns = rdy__deadline_ns(rdy_now_ns(), o->timeout_ns);
	rdy__cleanup(rdy__freep) struct ctl_event *events = calloc(o->n_names, sizeof(*events));
	rdy__cleanup(free_source) struct ctl_source *source = NULL;
	size_t n = 0;
	int r;

	if (!events)
		return ctl_problem_errno(p, "start", -ENOMEM);
	r = ctl_source_new(o, path, answer_ns(o->timeout_ns), &source, p);
	if (r == 0)
		r = source->ops->add(source, RDY_ONESHOT, answer_ns(o->timeout_ns), p);
	if (r == 0)
		r = source->ops->wait(
			source, rdy__left_ns(rdy_now_ns(), deadline_ns), events, &n, p);
	if (r == 0 && n == 0)
		r = source->ops->look(source, p);
	if (r == 0 && n == 0)
		r = source->ops->wait(source, 0, events, &n, p);
	if (r)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = ctl_print_event(stdout, o->json, &o->names[events[i].index], &events[i],
			ctl_realtime_ns(), p);
	if (r)
		return r;
	return n ? CTL_OK : CTL_TIMED_OUT;
}
