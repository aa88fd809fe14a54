/* SPDX-License-Identifier: MIT */
/*
 * What the service manager hears of us (sd_notify(3)): that we can serve, reload, stop and are alive, and one line
 * for `systemctl status`. Nothing without one. The supervisor's thread. A manager that is busy holds up who speaks to
 * it, as every service.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#define NOTIFY_STATUS_BYTES 200u

struct supervisor;

struct notify {
	bool there;	      /* somebody listens */
	int64_t watchdog_ns;  /* say that we live so often; 0: nobody waits for it */
	int64_t alive_at_ns;  /* next time */
	int64_t status_at_ns; /* no new status line before this: sessions come and go in crowds */
	char status[NOTIFY_STATUS_BYTES]; /* said last */
	char reload[80];		  /* how the last reload went; empty: there was none */
};

void notify_init(struct notify *n);
void notify_ready(struct supervisor *sv);
void notify_stopping(struct supervisor *sv);
/* A reload began; ended, with these words about it. */
void notify_reloading(struct supervisor *sv);
void notify_reloaded(struct supervisor *sv, const char *words);
/* When notify_tick() has something to say, or RDY__NEVER. */
int64_t notify_deadline(const struct notify *n);
/* From the loop itself: a loop that stands still says nothing. */
void notify_tick(struct supervisor *sv, int64_t now_ns);

#endif
