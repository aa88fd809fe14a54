/* SPDX-License-Identifier: MIT */
/* See closer.h. The timers run only while something is owed, so an idle agent never wakes. */
#include "closer.h"

#include <errno.h>

#include "agent.h"
#include "base/clock.h"
#include "base/fd.h"
#include "log.h"
#include "outbox.h"
#include "reactors.h"

int closer_watch(struct agent *a)
{
	int e;

	if (a->link.sock < 0)
		return 0;
	e = rdy_poll_register(
		a->reactor.poll, a->link.sock, TOKEN(TOKEN_LINK, 0, 0), RDY_READABLE, RDY_LEVEL);
	a->link_watched = e == 0;
	return e;
}

static void unwatch(struct agent *a)
{
	if (a->link_watched)
		rdy_poll_deregister(a->reactor.poll, a->link.sock);
	a->link_watched = false;
}

void closer_take(struct agent *a, int take_fd, const void *answer, size_t answer_bytes)
{
	if (link_sender_take(&a->link, take_fd, answer, answer_bytes, answer != NULL) < 0)
		agent_fail(a, "out of memory");
}

/*
 * It is silent or gone. From here on nothing is sent before a fresh one comes: the supervisor kills this
 * one, and a batch on its way to a dying closer could make our own close() the last.
 */
static void lost(struct agent *a, uint32_t type, const char *how)
{
	if (a->closer_stuck)
		return;
	a->closer_stuck = true;
	a->closer_said = type;
	rdy_timer_clear(a->link_timer);
	log_line(LOG_WARNING, "closer=%s pending=%zu", how, link_sender_pending(&a->link));
	outbox_say(a, type, 0);
}

void closer_flush(struct agent *a)
{
	size_t before = a->link.n_queued;
	int e;

	if (a->closer_stuck || (!before && !a->link.go_owed))
		return;
	e = link_sender_flush(&a->link, rdy__now_ns());
	/* What went out was closed here. */
	if (before != a->link.n_queued) {
		quota_release(&a->descriptors, (uint32_t)(before - a->link.n_queued));
		reactors_feed(a);
	}
	if (e < 0) {
		unwatch(a);
		lost(a, CHANNEL_CLOSER_GONE, "gone");
	} else if (link_sender_stalled(&a->link)) {
		rdy_timer_set(a->link_timer, rdy__deadline_ns(rdy__now_ns(), AGENT_LINK_RETRY_NS));
	} else if (a->link.n_under_way) {
		rdy_timer_set(a->link_timer,
			rdy__deadline_ns(a->link.sent_at_ns, AGENT_CLOSER_SILENT_NS));
	}
}

void closer_readable(struct agent *a)
{
	int e = link_sender_readable(&a->link);

	if (e < 0) {
		unwatch(a);
		lost(a, CHANNEL_CLOSER_GONE, e == -EPIPE ? "gone" : "confused");
	} else if (e == 1 && !a->closer_stuck) {
		rdy_timer_clear(a->link_timer); /* closer_flush() sets it for the next batch */
	}
}

void closer_timer(struct agent *a)
{
	if (!a->link.n_under_way || a->link.go_owed)
		return; /* a retry: closer_flush() does it at the end of the round */
	if (rdy__now_ns() - a->link.sent_at_ns >= AGENT_CLOSER_SILENT_NS)
		lost(a, CHANNEL_CLOSER_STUCK, "stuck");
}

void closer_replace(struct agent *a, int take_sock)
{
	if (a->link.sock >= 0)
		quota_release(&a->descriptors, 1);
	unwatch(a);
	link_sender_replace(&a->link, take_sock);
	a->closer_stuck = false;
	rdy_timer_clear(a->link_timer);
	if (closer_watch(a) < 0)
		agent_fail(a, "the closer cannot be watched");
}

static void ask_to_end(struct agent *a)
{
	if (a->idle_said)
		return;
	a->idle_said = true;
	outbox_say(a, CHANNEL_IDLE, 0);
}

void closer_idle_check(struct agent *a)
{
	if (a->n_sessions || a->pumps.n || a->done || a->taking)
		return;
	/* What is in quarantine goes away with the process only: the sooner, the better. */
	if (a->n_quarantined)
		ask_to_end(a);
	else if (a->config.idle_exit_ns >= 0)
		rdy_timer_set(
			a->idle_timer, rdy__deadline_ns(rdy__now_ns(), a->config.idle_exit_ns));
	else
		rdy_timer_clear(a->idle_timer);
}

void closer_idle_timer(struct agent *a)
{
	if (!a->n_sessions && !a->pumps.n)
		ask_to_end(a);
}
