/* SPDX-License-Identifier: MIT */
/*
 * Who does the watching: readyd, or this process (--local). Both behind one struct of functions.
 * All calls return 0 or an exit code with *p set; one thread.
 */
#ifndef CTL_SOURCE_H
#define CTL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "options.h"

struct ctl_event {
	size_t index;	/* of the name */
	uint32_t ready; /* RDY_* */
	bool ended;	/* hangup or error: nothing more comes */
	bool idle;	/* silent for as long as --idle says; ready is 0 */
};

struct ctl_source {
	const struct ctl_source_ops *ops;
	const struct ctl_options *options; /* borrowed */
	/* When to stop hoping for a lost connection to come back; RDY__NEVER while there is one. */
	int64_t hope_until_ns;
	/* When wait() has something to say although fd() is not readable, RDY__NEVER. */
	int64_t tell_at_ns;
};

struct ctl_source_ops {
	/* Hand all names over in one mode (RDY_*), with --idle; a refusal of any is a failure. */
	int (*add)(struct ctl_source *s, uint32_t mode, int64_t timeout_ns, struct ctl_problem *p);
	/*
	 * Up to timeout_ns (< 0 = for ever), or until hope is lost. Fills at most one event per name, in the
	 * names' order; events has room for all.
	 */
	int (*wait)(struct ctl_source *s, int64_t timeout_ns, struct ctl_event *events,
		size_t *ret_n, struct ctl_problem *p);
	/* Before "nothing is ready" is said: make sure that it has been looked. Then wait() again. */
	int (*look)(struct ctl_source *s, struct ctl_problem *p);
	int (*rearm)(struct ctl_source *s, size_t index, struct ctl_problem *p);
	/* Readable when wait() has something to say. */
	int (*fd)(struct ctl_source *s, int *ret_fd, struct ctl_problem *p);
	void (*free)(struct ctl_source *s);
};

/* Make the source that the options ask for. path: the daemon's socket, unused with --local. */
int ctl_source_new(const struct ctl_options *o, const char *path, int64_t timeout_ns,
	struct ctl_source **ret, struct ctl_problem *p);
struct ctl_source *ctl_source_free(struct ctl_source *s);

int ctl_broker_new(const struct ctl_options *o, const char *path, int64_t timeout_ns,
	struct ctl_source **ret, struct ctl_problem *p);
int ctl_local_new(const struct ctl_options *o, struct ctl_source **ret, struct ctl_problem *p);

/* Readiness per name while a batch is read: several events of one name are one line. */
struct ctl_gathered {
	uint32_t ready;
	bool is, ended, idle;
};
/* Move what was gathered to events, in the names' order, and clear it. Returns the number. */
size_t ctl_gathered_take(struct ctl_gathered *g, size_t n, struct ctl_event *events);

#endif
