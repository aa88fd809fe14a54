/* SPDX-License-Identifier: MIT */
/*
 * Refused sockets that cannot be closed by just anybody: they have descriptors unread in them, or come from a uid
 * that a bouncer is stuck with. A process of that uid's own takes them in, closes none, and is killed after a
 * second: its end closes them, however long that takes. The supervisor's thread.
 * What is stuck is counted by uid: with too many of them the last one stays alive and goes on taking in.
 */
#ifndef SUPERVISOR_HOLDERS_H
#define SUPERVISOR_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

struct supervisor;
struct child;

struct holders {
	struct rdy__list all;
	uint32_t n;
	size_t n_waiting; /* sockets that no process has yet */
};

void holders_init(struct holders *hs);
/* Memory only; holders_leave() comes first. Idempotent. */
void holders_deinit(struct holders *hs);

/* Consumed. Whoever shall see the end of it at once has it shut before. */
void holders_take(struct supervisor *sv, uid_t uid, int take_sock);

/* It has died by itself, and was perhaps one of them. */
void holders_child_died(struct supervisor *sv, const struct child *child);

int64_t holders_deadline(const struct supervisor *sv);
/* End of each round: hand over what waits, and kill who has had his time. */
void holders_tick(struct supervisor *sv, int64_t now_ns);
/* We end: hand over all, and kill all. */
void holders_leave(struct supervisor *sv);

#endif
