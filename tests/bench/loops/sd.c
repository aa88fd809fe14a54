/* SPDX-License-Identifier: MIT */
/*
 * sd-event. It dispatches one event a turn, and looks at epoll before each. It has no waker: an eventfd is what its
 * users take. Timers are exact (accuracy 1 us), not gathered within its usual 250 ms.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define NEVER UINT64_MAX

struct watcher {
	sd_event_source *source;
	struct loop *loop;
	uint64_t token;
};

struct loop {
	struct loop_state state;
	sd_event *event;
	int wake_fd;
	struct watcher waker, *watchers, *timers;
};

const bool loop_one_a_turn = true;
const bool loop_defers = false;

static void check(const char *what, int r)
{
	if (r < 0)
		loop_die(what, r);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct watcher *w = data;

	loop_handle(&w->loop->state, w->token);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct watcher *w = data;

	loop_handle(&w->loop->state, w->token);
	return 0;
}

static int on_wake(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct loop *l = data;
	uint64_t value;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		return -errno;
	loop_handle(&l->state, 1);
	return 0;
}

static void new_timers(struct loop *l, size_t n)
{
	l->timers = loop_alloc(n, sizeof(*l->timers));
	for (size_t i = 0; i < n; i++) {
		struct watcher *w = &l->timers[i];

		w->loop = l;
		w->token = i;
		check("sd_event_add_time", sd_event_add_time(l->event, &w->source, CLOCK_MONOTONIC,
						   NEVER, 1, on_timer, w));
	}
}

struct loop *loop_new(const struct loop_options *o)
{
	struct loop *l = loop_alloc(1, sizeof(*l));

	check("sd_event_new", sd_event_new(&l->event));
	l->watchers = loop_alloc(o->n, sizeof(*l->watchers));
	new_timers(l, o->n_timers);
	if (o->waker) {
		l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (l->wake_fd < 0)
			loop_die("eventfd", errno);
		check("sd_event_add_io", sd_event_add_io(l->event, &l->waker.source, l->wake_fd,
						 EPOLLIN, on_wake, l));
	}
	return l;
}

void loop_add(struct loop *l, size_t i, int fd, uint64_t token)
{
	struct watcher *w = &l->watchers[i];

	w->loop = l;
	w->token = token;
	check("sd_event_add_io", sd_event_add_io(l->event, &w->source, fd, EPOLLIN, on_io, w));
}

void loop_modify(struct loop *l, size_t i)
{
	check("sd_event_source_set_io_events",
		sd_event_source_set_io_events(l->watchers[i].source, EPOLLIN | EPOLLOUT));
}

void loop_remove(struct loop *l, size_t i)
{
	l->watchers[i].source = sd_event_source_disable_unref(l->watchers[i].source);
}

/* As sd_event_loop(), which cannot be left and entered again. */
void loop_run(struct loop *l)
{
	while (l->state.left > 0)
		check("sd_event_run", sd_event_run(l->event, NEVER));
}

void loop_turn(struct loop *l)
{
	check("sd_event_run", sd_event_run(l->event, 0));
}

void loop_timer_set(struct loop *l, size_t i, unsigned int ms)
{
	sd_event_source *s = l->timers[i].source;

	check("sd_event_source_set_time_relative",
		sd_event_source_set_time_relative(s, ms * UINT64_C(1000)));
	check("sd_event_source_set_enabled", sd_event_source_set_enabled(s, SD_EVENT_ONESHOT));
}

void loop_expire(struct loop *l)
{
	loop_run(l);
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) != sizeof(one))
		loop_die("write", errno);
}
