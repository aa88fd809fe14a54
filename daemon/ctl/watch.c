/* SPDX-License-Identifier: MIT */
/*
 * readyctl watch: a line per new readiness until all have ended. With --ack a name is silent after its line
 * until it comes back on standard input; with --level it has lines as long as it is ready. One thread; only a
 * reader that is slow holds it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "parse.h"
#include "print.h"
#include "ready/timer.h"
#include "ready/types.h"
#include "source.h"
#include "verbs.h"

/* A line of input: a name, blanks, a newline. */
#define LINE_MAX_BYTES 256u

struct watch {
	const struct ctl_options *options;
	struct ctl_source *source;
	struct ctl_event *events; /* room for all names */
	struct name_state {
		bool ended, silent;
	} * names;
	size_t n_live, n_silent; /* silent: live, and waiting for their name */
	bool input_over;
	char line[LINE_MAX_BYTES];
	size_t n_line; /* LINE_MAX_BYTES: the line is too long and thrown away */
};

static void watch_deinit(struct watch *w)
{
	ctl_source_free(w->source);
	free(w->events);
	free(w->names);
}

static int print_events(struct watch *w, struct ctl_problem *p)
{
	const struct ctl_options *o = w->options;
	size_t n;
	int r = w->source->ops->wait(w->source, 0, w->events, &n, p);

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct ctl_event *e = &w->events[i];
		struct name_state *s = &w->names[e->index];

		r = ctl_print_event(stdout, o->json, &o->names[e->index], e, ctl_realtime_ns(), p);
		if (e->ended) {
			w->n_silent -= s->silent;
			*s = (struct name_state){.ended = true};
			w->n_live--;
		} else if (o->ack && !e->idle && !s->silent) {
			s->silent = true;
			w->n_silent++;
		}
	}
	return r;
}

static int take_name(struct watch *w, struct ctl_problem *p)
{
	const struct ctl_options *o = w->options;
	size_t n = w->n_line;

	while (n > 0 && strchr(" \t\r", w->line[n - 1]))
		n--;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < o->n_names; i++) {
		struct name_state *s = &w->names[i];

		if (strlen(o->names[i].name) != n || memcmp(o->names[i].name, w->line, n) != 0)
			continue;
		if (s->ended) {
			ctl_note(o->quiet, "%s has ended", o->names[i].name);
			return 0;
		}
		if (s->silent) {
			s->silent = false;
			w->n_silent--;
		}
		return w->source->ops->rearm(w->source, i, p);
	}
	ctl_note(o->quiet, "'%.*s' is none of the names watched", n > 60 ? 60 : (int)n, w->line);
	return 0;
}

static int read_names(struct watch *w, struct ctl_problem *p)
{
	char buf[4096];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	int r = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		w->input_over = true;
	for (ssize_t i = 0; i < n && r == 0; i++) {
		if (buf[i] != '\n') {
			if (w->n_line < LINE_MAX_BYTES)
				w->line[w->n_line++] = buf[i];
			continue;
		}
		if (w->n_line < LINE_MAX_BYTES)
			r = take_name(w, p);
		else
			ctl_note(w->options->quiet, "a line that is no name");
		w->n_line = 0;
	}
	return r;
}

/* Wait for the source, a name, or the end of whoever reads our output. */
static int wait_for_work(struct watch *w, int source_fd, struct ctl_problem *p)
{
	struct pollfd fds[] = {
		{.fd = source_fd, .events = POLLIN},
		{.fd = STDOUT_FILENO},
		{.fd = w->options->ack && !w->input_over ? STDIN_FILENO : -1, .events = POLLIN},
	};
	const struct ctl_source *s = w->source;
	int64_t until_ns = s->tell_at_ns < s->hope_until_ns ? s->tell_at_ns : s->hope_until_ns;
	int64_t left_ns = rdy__left_ns(rdy_now_ns(), until_ns);

	if (poll(fds, RDY__ARRAY_SIZE(fds), rdy__ns_to_poll_ms(left_ns)) < 0)
		return errno == EINTR ? 0 : ctl_problem_errno(p, "wait", -errno);
	if (fds[1].revents & (POLLERR | POLLHUP))
		return CTL_CLOSED;
	return fds[2].revents ? read_names(w, p) : 0;
}

static uint32_t mode_of(const struct ctl_options *o)
{
	return o->ack ? RDY_ONESHOT : o->level ? RDY_LEVEL : RDY_EDGE;
}

int ctl_watch(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	rdy__cleanup(watch_deinit) struct watch w = {.options = o, .n_live = o->n_names};
	int r, fd;

	w.events = calloc(o->n_names, sizeof(*w.events));
	w.names = calloc(o->n_names, sizeof(*w.names));
	if (!w.events || !w.names)
		return ctl_problem_errno(p, "start", -ENOMEM);
	r = ctl_source_new(o, path, CTL_ANSWER_NS, &w.source, p);
	if (r == 0)
		r = w.source->ops->add(w.source, mode_of(o), CTL_ANSWER_NS, p);
	if (r == 0)
		r = w.source->ops->fd(w.source, &fd, p);
	while (r == 0) {
		r = print_events(&w, p);
		/* Nothing can come any more: all have ended, or the rest waits for names that cannot come. */
		if (r || w.n_live == 0 || (w.input_over && w.n_silent == w.n_live))
			break;
		r = wait_for_work(&w, fd, p);
	}
	return r;
}
