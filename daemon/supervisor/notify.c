/* SPDX-License-Identifier: MIT */
/* See notify.h; by libsystemd. */
#include "notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "supervisor.h"

#define STATUS_NS (5 * RDY__NS_PER_S)

void notify_init(struct notify *n)
{
	uint64_t us = 0;

	*n = (struct notify){.there = getenv("NOTIFY_SOCKET") != NULL, .alive_at_ns = RDY__NEVER};
	/* Twice in the time it allows, as sd_watchdog_enabled(3) recommends. */
	if (n->there && sd_watchdog_enabled(0, &us) > 0 && us > 0) {
		n->watchdog_ns = (int64_t)(us / 2 * 1000);
		n->alive_at_ns = rdy__now_ns();
	}
}

static void make_status(const struct supervisor *sv, char *buf)
{
	const struct reload *r = &sv->reload;
	size_t n_agents = 0;

	rdy__list_for_each (l, &sv->agents.all)
		n_agents++;
	snprintf(buf, NOTIFY_STATUS_BYTES,
		"Serving %u session%s of %zu user%s; configuration %llu%s%s", sv->agents.n_sessions,
		sv->agents.n_sessions == 1 ? "" : "s", n_agents, n_agents == 1 ? "" : "s",
		(unsigned long long)r->generation, sv->notify.reload[0] ? ", " : "",
		sv->notify.reload);
}

void notify_ready(struct supervisor *sv)
{
	if (!sv->notify.there)
		return;
	make_status(sv, sv->notify.status);
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", sv->notify.status);
}

void notify_stopping(struct supervisor *sv)
{
	if (sv->notify.there)
		(void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void notify_reloading(struct supervisor *sv)
{
	/* Both in one message: what comes without the time is ignored by Type=notify-reload. */
	if (sv->notify.there)
		(void)sd_notifyf(0,
			"RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading the configuration",
			(long long)(rdy__now_ns() / 1000));
}

void notify_reloaded(struct supervisor *sv, const char *words)
{
	snprintf(sv->notify.reload, sizeof(sv->notify.reload), "%s", words);
	notify_ready(sv);
}

int64_t notify_deadline(const struct notify *n)
{
	return n->alive_at_ns;
}

void notify_tick(struct supervisor *sv, int64_t now_ns)
{
	struct notify *n = &sv->notify;
	char status[NOTIFY_STATUS_BYTES];

	if (!n->there || sv->stopping)
		return;
	if (n->watchdog_ns && now_ns >= n->alive_at_ns) {
		(void)sd_notify(0, "WATCHDOG=1");
		n->alive_at_ns = rdy__deadline_ns(now_ns, n->watchdog_ns);
	}
	if (now_ns < n->status_at_ns || sv->adopting)
		return;
	n->status_at_ns = rdy__deadline_ns(now_ns, STATUS_NS);
	make_status(sv, status);
	if (strcmp(status, n->status) == 0)
		return;
	strcpy(n->status, status);
	(void)sd_notifyf(0, "STATUS=%s", status);
}
