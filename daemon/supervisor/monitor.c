/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "control.h"
#include "supervisor.h"

#define TIME_BYTES 40
#define SINCE_MAX_S INT32_MAX

/* ISO 8601 in UTC, with milliseconds. */
static void now_text(char buf[TIME_BYTES])
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, TIME_BYTES - n, ".%03ldZ", ts.tv_nsec / 1000000);
}

static json_t *number_or_null(bool is, int64_t n)
{
	return is ? json_integer((json_int_t)n) : json_null();
}

static json_t *make_event(const struct monitor_event *e)
{
	char time[TIME_BYTES];

	now_text(time);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s?}", "time", time, "event", e->word, "uid",
		number_or_null(e->uid != POLICY_EVERYBODY, e->uid), "pid",
		number_or_null(e->pid > 0, e->pid), "session",
		number_or_null(e->session != 0, (int64_t)e->session), "detail", e->detail);
}

static bool may_know(const struct control *c, uid_t uid)
{
	return uid == POLICY_EVERYBODY ? c->sees_all : control_may_see(c, uid);
}

void monitor_forget(struct monitor_history *h)
{
	for (size_t i = 0; i < MONITOR_PENDING_MAX; i++) {
		json_decref(h->of[i].event);
		h->of[i].event = NULL;
	}
}

static void remember(struct monitor_history *h, json_t *event, uid_t uid)
{
	size_t i = h->next;

	json_decref(h->of[i].event);
	h->of[i].event = json_incref(event);
	h->of[i].uid = uid;
	h->of[i].at_ns = rdy__now_ns();
	h->next = (i + 1) % MONITOR_PENDING_MAX;
}

/* What he may know of since then, the oldest first. */
static void recall(const struct monitor_history *h, struct control *c, int64_t since_ns)
{
	for (size_t k = 0; k < MONITOR_PENDING_MAX; k++) {
		size_t i = (h->next + k) % MONITOR_PENDING_MAX;

		if (h->of[i].event && h->of[i].at_ns >= since_ns && may_know(c, h->of[i].uid))
			json_array_append(c->job.rows, h->of[i].event);
	}
}

void monitor_say(struct supervisor *sv, const struct monitor_event *e)
{
	json_t *event = make_event(e);

	if (event)
		remember(&sv->history, event, e->uid);

	rdy__list_for_each (l, &sv->controls.all) {
		struct control *c = rdy__list_entry(l, struct control, link);

		if (!c->busy || c->call.method != CONTROL_MONITOR || !c->job.rows ||
			!may_know(c, e->uid))
			continue;
		if (!event || json_array_size(c->job.rows) >= MONITOR_PENDING_MAX ||
			json_array_append(c->job.rows, event) < 0)
			c->job.n_lost++;
		control_make_runnable(sv, c);
	}
	json_decref(event);
}

/* What waits, and be it nothing: the first page says that from here on nothing is missed. */
static void page(struct control *c)
{
	json_t *events = c->job.rows;
	uint64_t n_lost = c->job.n_lost;

	c->job.rows = json_array();
	c->job.n_lost = 0;
	control_reply(
		c, json_pack("{s:o, s:I}", "events", events, "lost", (json_int_t)n_lost), true);
}

void monitor_begin(struct supervisor *sv, struct control *c)
{
	int64_t since_s = 0;

	if (control_get_int(c->call.parameters, "since", false, 0, SINCE_MAX_S, &since_s) < 0) {
		control_invalid(c, "since");
		return;
	}
	if (!c->sees_own && !c->sees_all) {
		control_denied(c, "the policy does not let you look");
		return;
	}
	/* Nobody would read it. */
	if (c->call.oneway) {
		control_reply(c, json_object(), false);
		return;
	}
	c->job.rows = json_array();
	if (c->job.rows && since_s)
		recall(&sv->history, c, rdy__now_ns() - since_s * RDY__NS_PER_S);
	if (c->job.rows)
		page(c);
	else
		control_busy(c, "memory");
}

bool monitor_step(struct control *c)
{
	if (!c->job.rows) {
		control_busy(c, "memory");
		return true;
	}
	if (json_array_size(c->job.rows) == 0 && c->job.n_lost == 0)
		return false;
	page(c);
	return true;
}
