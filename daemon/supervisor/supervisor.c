/* SPDX-License-Identifier: MIT */
#include "supervisor.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "log.h"

#define EVENTS 64
#define FD_KEPT 32
#define REACTORS_AUTO_MAX 8u
/* Together below 2 s, whatever an agent is stuck in: the next readyd waits for the lock. */
#define STOP_NS (1200 * RDY__NS_PER_MS)	      /* agents end their sessions */
#define STOP_KILLED_NS (300 * RDY__NS_PER_MS) /* what was killed is reaped, if it can be */

uint32_t supervisor_reactors(const struct conf *c)
{
	cpu_set_t set;
	uint32_t n = 1;

	if (c->reactors)
		return (uint32_t)c->reactors;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (uint32_t)CPU_COUNT(&set);
	return n > REACTORS_AUTO_MAX ? REACTORS_AUTO_MAX : n ? n : 1;
}

uint32_t supervisor_fd_reserve(const struct conf *c)
{
	/* Per reactor a full message of descriptors, and what the agent itself may open. */
	return c->fd_reserve ? (uint32_t)c->fd_reserve : supervisor_reactors(c) * 253 + 64;
}

/* From a descriptor, not from handlers: no signal is ever between two of our instructions. */
static int open_signals(struct supervisor *sv)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	/* Who starts us may ignore it, and then the kernel reaps our children before we can. */
	signal(SIGCHLD, SIG_DFL);
	sv->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sv->signals < 0)
		return -errno;
	return rdy_poll_register(
		sv->poll, sv->signals, TOKEN(TOKEN_SIGNALS, 0, 0), RDY_READABLE, RDY_LEVEL);
}

/* Kept free for what is not a session: starting an agent takes a dozen for a moment. */
static int fd_low(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur > INT_MAX)
		return INT_MAX;
	return l.rlim_cur > 2 * FD_KEPT ? (int)l.rlim_cur - FD_KEPT : (int)l.rlim_cur;
}

void supervisor_deinit(struct supervisor *sv)
{
	if (sv->poll) {
		agents_deinit(sv);
		controls_deinit(sv);
		adopt_deinit(sv);
		bouncer_deinit(sv);
		holders_deinit(&sv->holders);
	}
	if (sv->runtime)
		counters_close(&sv->kept, sv->runtime->dir, sv->leaving || !sv->stopping);
	monitor_forget(&sv->history);
	sv->policy = policy_unref(sv->policy);
	children_deinit(&sv->children);
	sv->timer = rdy_timer_free(sv->timer);
	sv->events = rdy_events_free(sv->events);
	sv->poll = rdy_poll_free(sv->poll);
	sv->signals = rdy__fd_close(sv->signals);
}

/*
 * Where the kernel lets strangers queue descriptors before accept(), closing it may block. The service manager's own
 * stays open there, with who waits in it for the next one of us: it must not be shut down.
 */
static void close_listener(struct supervisor *sv, int *sock, bool passed)
{
	if (passed)
		*sock = rdy__fd_close(*sock);
	else
		bouncer_close(sv, BOUNCER_NOBODY, rdy__steal_fd(sock));
}

static void stop(struct supervisor *sv, uint32_t signal)
{
	if (sv->stopping)
		return;
	/* With a store its keeper decides: a restart hands the channels back, a stop closes them. */
	sv->leaving = signal == SIGTERM && sv->adoption.store;
	log_line(LOG_P_NOTICE, "stopping signal=%u sessions=%u agents=%s", signal,
		sv->agents.n_sessions, sv->leaving ? "stay" : "end");
	sv->stopping = true;
	notify_stopping(sv);
	sv->stop_deadline_ns = rdy__deadline_ns(rdy__now_ns(), STOP_NS);
	accept_update(sv, rdy__now_ns());
	close_listener(sv, &sv->runtime->listener, sv->runtime->passed_listener);
	close_listener(sv, &sv->runtime->control, sv->runtime->passed_control);
	if (sv->leaving)
		agents_leave(sv);
	else
		agents_stop(sv);
}

static void take_signals(struct supervisor *sv)
{
	struct signalfd_siginfo info;

	while (read(sv->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct conf before;
		struct conf_error e;

		if (info.ssi_signo == SIGHUP)
			(void)reload_run(sv, &before, &e); /* it has said how it went */
		else
			stop(sv, info.ssi_signo);
	}
}

static void dispatch(struct supervisor *sv, const struct rdy_event *e)
{
	uint32_t index = (uint32_t)(e->token >> 32) & 0xffffffu, generation = (uint32_t)e->token;

	switch (e->token >> 56) {
	case TOKEN_LISTENER:
		accept_clients(sv);
		break;
	case TOKEN_CONTROL_LISTENER:
		accept_controls(sv);
		break;
	case TOKEN_SIGNALS:
		take_signals(sv);
		break;
	case TOKEN_TIMER:
		sv->timer_set_ns = RDY__NEVER;
		break;
	case TOKEN_BOUNCER:
		bouncer_readable(sv);
		break;
	case TOKEN_CHILD:
		child_event(sv, index, generation);
		break;
	case TOKEN_CHANNEL:
		agents_event(sv, index, generation, e->ready);
		break;
	default:
		break;
	}
}

/* One timer for all deadlines, set only while something is owed: an idle supervisor never wakes. */
static void set_timer(struct supervisor *sv)
{
	int64_t d = agents_deadline(sv), other = bouncer_deadline(sv);

	if (other < d)
		d = other;
	other = holders_deadline(sv);
	if (other < d)
		d = other;
	other = children_deadline(&sv->children);
	if (other < d)
		d = other;
	other = notify_deadline(&sv->notify);
	if (other < d)
		d = other;
	if (sv->listen_again_ns < d)
		d = sv->listen_again_ns;
	if (sv->stopping && sv->stop_deadline_ns < d)
		d = sv->stop_deadline_ns;
	if (d == sv->timer_set_ns)
		return;
	sv->timer_set_ns = d;
	if (d == RDY__NEVER)
		rdy_timer_clear(sv->timer);
	else
		rdy_timer_set(sv->timer, d);
}

/* Returns true when there is nothing left to wait for. */
static bool stop_step(struct supervisor *sv, int64_t now_ns)
{
	holders_leave(sv);
	if (sv->leaving)
		return link_sender_pending(&sv->bouncer.link) == 0 ||
		       now_ns >= sv->stop_deadline_ns;
	if (rdy__list_empty(&sv->agents.all) && link_sender_pending(&sv->bouncer.link) == 0 &&
		sv->bouncer.watched) {
		/* The end of its link ends the bouncer. */
		rdy_poll_deregister(sv->poll, sv->bouncer.link.sock);
		sv->bouncer.watched = false;
		link_sender_replace(&sv->bouncer.link, -1);
	}
	if (rdy__list_empty(&sv->children.all))
		return true;
	if (now_ns < sv->stop_deadline_ns)
		return false;
	if (sv->kill_sent) {
		bouncer_leave(sv);
		holders_leave(sv);
		log_line(LOG_P_WARNING, "stopped=yes stuck=%zu",
			children_stuck(&sv->children, CHILD_AGENT, (uid_t)-1));
		return true;
	}
	agents_kill(sv);
	rdy__list_for_each (l, &sv->children.all)
		child_kill(sv, rdy__list_entry(l, struct child, link));
	sv->kill_sent = true;
	sv->stop_deadline_ns = rdy__deadline_ns(now_ns, STOP_KILLED_NS);
	return false;
}

static int round_trip(struct supervisor *sv)
{
	struct rdy_event e;
	int64_t now;
	int r;

	set_timer(sv);
	r = rdy_poll_wait(sv->poll, sv->events, sv->controls_busy ? 0 : -1);
	if (r < 0)
		return r;
	while (rdy_events_next(sv->events, &e) == 1)
		dispatch(sv, &e);
	now = rdy__now_ns();
	agents_tick(sv, now);
	notify_tick(sv, now);
	sv->controls_busy = controls_run(sv);
	children_tick(&sv->children, now);
	bouncer_tick(sv, now);
	bouncer_flush(sv, now);
	holders_tick(sv, now);
	if (!sv->adopting)
		accept_update(sv, now);
	counters_save(&sv->kept, &sv->counters);
	return 0;
}

/* Before anybody is let in: whose quota would be asked, whose agent be started, while one is there? */
static int adopt_all(struct supervisor *sv)
{
	int r = 0;

	sv->adopting = true;
	adopt_start(sv);
	while (r == 0 && adopt_pending(sv))
		r = round_trip(sv);
	sv->adopting = false;
	return r;
}

int supervisor_init(struct supervisor *sv, struct options *options, struct runtime *runtime)
{
	const struct rdy_poll_options po = {.size = sizeof(po), .flags = RDY_POLL_SINGLE_THREAD};
	int r;

	sv->adoption.dir = -1;
	sv->options = options;
	sv->runtime = runtime;
	sv->listen_again_ns = RDY__NEVER;
	sv->timer_set_ns = RDY__NEVER;
	sv->fd_low = fd_low();
	counters_load(&sv->kept, runtime->dir, &sv->counters);
	rate_init(&sv->rate);
	quotas_init(&sv->quotas, &options->conf);
	agents_init(&sv->agents);
	holders_init(&sv->holders);
	controls_init(sv);
	reload_init(&sv->reload);
	notify_init(&sv->notify);
	r = policy_new(&options->conf, options->user, &sv->policy);
	if (r < 0)
		return r;
	sv->log_level = log_get_level();
	sv->started_at_ns = rdy__now_ns();
	r = rdy_poll_new(&po, &sv->poll);
	if (r == 0)
		r = rdy_events_new(EVENTS, &sv->events);
	if (r == 0)
		r = rdy_timer_new(sv->poll, TOKEN(TOKEN_TIMER, 0, 0), &sv->timer);
	if (r == 0)
		r = open_signals(sv);
	if (r == 0)
		r = bouncer_init(sv);
	if (r == 0)
		r = adopt_init(sv);
	if (r == 0)
		r = adopt_all(sv);
	if (r == 0)
		accept_update(sv, rdy__now_ns());
	return r;
}

int supervisor_run(struct supervisor *sv)
{
	for (;;) {
		int r = round_trip(sv);

		if (r < 0)
			return r;
		if (sv->stopping && stop_step(sv, rdy__now_ns()))
			return 0;
	}
}
