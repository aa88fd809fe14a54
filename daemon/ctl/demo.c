/* SPDX-License-Identifier: MIT */
/*
 * readyctl demo: hand seven kinds of descriptor over, print each event as it comes back with the time that passed
 * since its cause, read, re-arm. Its own processes and one folder feed it, and end with it. One thread.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "control.h"
#include "demo_sources.h"
#include "print.h"
#include "ready/client.h"
#include "ready/timer.h"
#include "ready/types.h"
#include "verbs.h"

#define LIMIT_NS (15 * RDY__NS_PER_S) /* of the whole with --once */
#define HOPE_NS (10 * RDY__NS_PER_S)  /* how long a lost connection may stay away */

struct demo {
	const struct ctl_options *options;
	const char *path; /* of the session socket */
	struct ctl_demo_sources sources;
	struct rdy_client *client;
	int signal_fd;
	int64_t until_ns;      /* --once */
	int64_t hope_until_ns; /* RDY__NEVER while there is a connection */
	unsigned int n_events, n_descriptors;
	bool shown;
};

static void demo_deinit(struct demo *d)
{
	rdy_client_free(d->client);
	ctl_demo_sources_deinit(&d->sources);
	rdy__fd_close(d->signal_fd);
}

static int hand_over(struct demo *d, struct ctl_demo_source *s, struct ctl_problem *p)
{
	char what[64];
	int r = s->start(s);

	if (r) {
		snprintf(what, sizeof(what), "make the %s", s->name);
		return ctl_problem_errno(p, what, r);
	}
	r = rdy_client_register(d->client, s->fd, (uint64_t)(s - d->sources.list), RDY_READABLE,
		RDY_ONESHOT, 0, &s->handle);
	return r ? ctl_problem_errno(p, "register a descriptor", r) : 0;
}

/* The descriptor is spent: take it back; when it goes on, the next one follows. */
static int next_descriptor(struct demo *d, struct ctl_demo_source *s, struct ctl_problem *p)
{
	/* First, then close: never the other way round. */
	rdy_client_deregister(d->client, s->handle);
	s->fd = rdy__fd_close(s->fd);
	return d->options->once ? 0 : hand_over(d, s, p);
}

static int put_json(struct demo *d, const struct ctl_demo_source *s, uint32_t ready,
	int64_t delay_ns, const char *cause, struct ctl_problem *p)
{
	char words[CTL_WORDS_BYTES];
	json_t *list = json_array(), *value;
	int r;

	ctl_ready_words(words, ready, ' ');
	for (char *rest = words, *word; (word = strsep(&rest, " ")) && *word;)
		json_array_append_new(list, json_string(word));
	value = json_pack("{s:s, s:o, s:o, s:s}", "name", s->name, "ready", list, "delay",
		delay_ns < 0 ? json_null() : json_real((double)delay_ns / 1e9), "cause", cause);
	if (!value)
		return ctl_problem_errno(p, "write JSON", -ENOMEM);
	r = ctl_put_json(d->options, value, p);
	json_decref(value);
	return r ? r : ctl_flush(p);
}

static int put_text(const struct ctl_demo_source *s, uint32_t ready, int64_t delay_ns,
	const char *cause, struct ctl_problem *p)
{
	char words[CTL_WORDS_BYTES], delay[32] = "-";

	ctl_ready_words(words, ready, ' ');
	if (delay_ns >= 10 * RDY__NS_PER_MS)
		snprintf(delay, sizeof(delay), "%d ms", (int)(delay_ns / RDY__NS_PER_MS));
	else if (delay_ns >= 0)
		snprintf(delay, sizeof(delay), "%d us", (int)(delay_ns / 1000));
	printf("%-8s %-7s %8s  %s\n", s->name, words, delay, cause);
	return ctl_flush(p);
}

static int on_ready(struct demo *d, const struct rdy_client_event *e, struct ctl_problem *p)
{
	struct ctl_demo_source *s = &d->sources.list[e->token];
	int64_t now_ns = ctl_realtime_ns(), cause_ns, delay_ns;
	char cause[128] = "";
	int r;

	cause_ns = s->take(s, cause, sizeof(cause));
	if (cause_ns != 0) {
		/* A clock that was set back makes no delay of it. */
		delay_ns = cause_ns < 0 || cause_ns > now_ns ? -1 : now_ns - cause_ns;
		r = d->options->json ? put_json(d, s, e->ready, delay_ns, cause, p)
				     : put_text(s, e->ready, delay_ns, cause, p);
		if (r)
			return r;
		d->n_events++;
		if (s->got++ == 0 || s->once)
			d->n_descriptors++;
		if (s->once)
			return next_descriptor(d, s, p);
	}
	if (e->flags & RDY_CLIENT_ENDED) {
		ctl_problem_set(
			p, CTL_FAILED, "FAILED", "the %s has ended before its time", s->name);
		ctl_problem_why(p, "whoever feeds it is gone");
		ctl_problem_hint(p, "once more");
		return p->exit;
	}
	/* Nothing there after all is normal: an event is a hint. */
	r = rdy_client_rearm(d->client, s->handle);
	return r && r != -ENOENT ? ctl_problem_errno(p, "re-arm a descriptor", r) : 0;
}

static int on_event(struct demo *d, const struct rdy_client_event *e, struct ctl_problem *p)
{
	switch (e->type) {
	case RDY_CLIENT_READY:
		return on_ready(d, e, p);
	case RDY_CLIENT_FAILED:
		return ctl_problem_registration(p, d->sources.list[e->token].name,
			d->sources.list[e->token].fd, rdy_client_error_name(e->error),
			rdy_client_error_text(e->error));
	case RDY_CLIENT_LOST:
		ctl_note(d->options->quiet, "the connection to readyd is lost, connecting again");
		d->hope_until_ns = rdy__deadline_ns(rdy_now_ns(), HOPE_NS);
		return 0;
	case RDY_CLIENT_RESTORED:
		ctl_note(d->options->quiet, "connected again, every descriptor handed over anew");
		d->hope_until_ns = RDY__NEVER;
		return 0;
	case RDY_CLIENT_REFUSED:
		return ctl_problem_session(p, d->path, e->error);
	default: /* of a newer library */
		return 0;
	}
}

/* The first that has not had its events; NULL: the demonstration is complete. */
static const struct ctl_demo_source *missing(const struct demo *d)
{
	for (size_t i = 0; i < CTL_DEMO_SOURCES; i++)
		if (d->sources.list[i].got < d->sources.list[i].wanted)
			return &d->sources.list[i];
	return NULL;
}

static int show_commands(struct demo *d, struct ctl_problem *p)
{
	if (d->shown || d->options->json)
		return 0;
	d->shown = true;
	puts("\nThis goes on until Ctrl-C. Meanwhile, in another terminal:\n"
	     "  readyctl status; readyctl ls\n"
	     "  (sleep 1; echo hi) | readyctl wait --timeout 5s bell=0\n"
	     "  man readyctl\n");
	return ctl_flush(p);
}

static int take_events(struct demo *d, struct ctl_problem *p)
{
	struct rdy_client_event e;
	int r = rdy_client_dispatch(d->client);

	if (r < 0)
		return r == -ETIMEDOUT ? ctl_problem_connect(p, d->path, r, 0)
				       : ctl_problem_errno(p, "talk to readyd", r);
	r = 0;
	while (r == 0 && rdy_client_next(d->client, &e) > 0)
		r = on_event(d, &e, p);
	return r;
}

static int too_late(const struct demo *d, int64_t now_ns, struct ctl_problem *p)
{
	const struct ctl_demo_source *s = missing(d);

	if (now_ns >= d->hope_until_ns) {
		ctl_problem_connect(p, d->path, -ECONNREFUSED, 0);
		ctl_problem_why(p, "the connection was lost and did not come back within 10 s");
		return p->exit;
	}
	if (!s || now_ns < d->until_ns)
		return 0;
	ctl_problem_set(p, CTL_FAILED, "FAILED", "the %s had %u of %u events in 15 s", s->name,
		s->got, s->wanted);
	ctl_problem_why(p, "readyd, or this machine, is very busy, or an event was lost");
	ctl_problem_hint(p, "readyctl status; then readyctl report");
	return p->exit;
}

/* *ret_over: a signal has come, or with --once everything has. */
static int step(struct demo *d, bool *ret_over, struct ctl_problem *p)
{
	int64_t until_ns = d->until_ns < d->hope_until_ns ? d->until_ns : d->hope_until_ns;
	struct pollfd fds[] = {
		{.fd = rdy_client_fd(d->client), .events = POLLIN},
		{.fd = d->signal_fd, .events = POLLIN},
		{.fd = STDOUT_FILENO},
	};
	int r;

	*ret_over = false;
	if (fds[0].fd < 0)
		return ctl_problem_errno(p, "watch the connection to readyd", fds[0].fd);
	if (poll(fds, RDY__ARRAY_SIZE(fds),
		    rdy__ns_to_poll_ms(rdy__left_ns(rdy_now_ns(), until_ns))) < 0)
		return errno == EINTR ? 0 : ctl_problem_errno(p, "wait", -errno);
	if (fds[2].revents & (POLLERR | POLLHUP))
		return CTL_CLOSED;
	*ret_over = fds[1].revents;
	r = *ret_over ? 0 : take_events(d, p);
	if (r == 0 && !*ret_over)
		r = too_late(d, rdy_now_ns(), p);
	if (r || *ret_over || missing(d))
		return r;
	*ret_over = d->options->once;
	return *ret_over ? 0 : show_commands(d, p);
}

static int put_sum(const struct demo *d, struct ctl_problem *p)
{
	if (d->options->json)
		printf("{\"events\":%u,\"descriptors\":%u}\n", d->n_events, d->n_descriptors);
	else
		printf("%u events from %u descriptors\n", d->n_events, d->n_descriptors);
	return ctl_flush(p);
}

static int run(struct demo *d, struct ctl_problem *p)
{
	bool over = false;
	int r = 0;

	for (size_t i = 0; i < CTL_DEMO_SOURCES && r == 0; i++)
		r = hand_over(d, &d->sources.list[i], p);
	/* Send what is queued; from here on the client's descriptor says when there is something to do. */
	if (r == 0)
		r = take_events(d, p);
	if (r == 0 && !d->options->json)
		printf("%-8s %-7s %8s  %s\n", "NAME", "READY", "DELAY", "CAUSE");
	while (r == 0 && !over)
		r = step(d, &over, p);
	return r ? r : put_sum(d, p);
}

/* SIGINT and its like become readable, so that every way out is the same and leaves nothing behind. */
static int signals_as_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGINT, SIG_DFL); /* a script's background job starts with it ignored */
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int ctl_demo(const struct ctl_options *o, const char *path, const char *tmp, struct ctl_problem *p)
{
	struct rdy_client_options options = {
		.size = sizeof(options), .path = path, .name = "readyctl"};
	rdy__cleanup(demo_deinit) struct demo d = {
		.options = o,
		.path = path,
		.signal_fd = -1,
		.until_ns = o->once ? rdy__deadline_ns(rdy_now_ns(), LIMIT_NS) : RDY__NEVER,
		.hope_until_ns = RDY__NEVER,
	};
	uint32_t error = 0;
	int r = rdy_client_new(&options, CTL_ANSWER_NS, &error, &d.client);

	if (r)
		return ctl_problem_connect(p, path, r, error);
	d.signal_fd = signals_as_descriptor();
	if (d.signal_fd < 0)
		return ctl_problem_errno(p, "take signals", -errno);
	r = ctl_demo_sources_init(&d.sources, !o->once, tmp);
	if (r)
		return ctl_problem_errno(p, "prepare the demonstration", r);
	return run(&d, p);
}
