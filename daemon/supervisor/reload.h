/* SPDX-License-Identifier: MIT */
/*
 * Reading the configuration again: all of it counts, or nothing. What needs a restart keeps its value until then,
 * and is named. The supervisor's thread; reads files, waits for none.
 */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/load.h"

struct supervisor;

struct reload {
	uint64_t generation; /* 1: since the start */
	int64_t loaded_at_ns;
	int64_t refused_at_ns; /* the last one that was refused since then; 0: none was */
	struct conf_error refused;
};

void reload_init(struct reload *l);

/* Would it be good? Fills *ret, which needs conf_loaded_deinit() in any case. Returns 0, -EINVAL or -errno. */
int reload_check(
	const struct supervisor *sv, struct conf_loaded *ret, struct conf_error *ret_error);

/*
 * Do it. ret_before: what was in force, to tell what has changed. Returns 0, or what reload_check() returns, and
 * nothing has changed then.
 */
int reload_run(struct supervisor *sv, struct conf *ret_before, struct conf_error *ret_error);

/* The syslog priority of log.level. */
int reload_log_level(const struct conf *c);

#endif
