/* SPDX-License-Identifier: MIT */
/* What readyctl demo hands over: seven kinds of descriptor, each fed by a real producer. */
#ifndef CTL_DEMO_SOURCES_H
#define CTL_DEMO_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_DEMO_SOURCES 7u

struct ctl_demo_sources;

struct ctl_demo_source {
	const char *name;
	struct ctl_demo_sources *all;
	int fd;		/* what readyd watches; -1 = none at present */
	pid_t producer; /* leader of a process group, 0 = none */
	uint64_t handle;
	unsigned int wanted, got; /* events */
	bool once;		  /* the descriptor is spent after one event */
	/*
	 * Read all that is there. Returns when it was caused, by CLOCK_REALTIME in ns, -1 when that cannot be
	 * known, 0 when there was nothing. what: a few words about it.
	 */
	int64_t (*take)(struct ctl_demo_source *s, char *what, size_t what_bytes);
	/* Make fd and start the producer. 0 or -errno. */
	int (*start)(struct ctl_demo_source *s);
};

struct ctl_demo_sources {
	struct ctl_demo_source list[CTL_DEMO_SOURCES];
	char folder[64];	/* for the FIFO and the watched folder */
	int64_t pace_ns;	/* between two events of a source */
	unsigned int n_rounds;	/* events per producer; 0 = without end */
	int64_t timer_start_ns; /* first expiry */
	uint64_t timer_seen;	/* expiries read */
	/* Shared with the children that send no data: when they did what they did. */
	struct ctl_demo_stamps *stamps;
};

/* Prepare; live: slower, and without an end. tmp: where a folder may be made, NULL = /tmp. Returns 0 or -errno. */
int ctl_demo_sources_init(struct ctl_demo_sources *all, bool live, const char *tmp);
/* End every process, close and remove everything. Also after a failure, and of what is all zero. */
void ctl_demo_sources_deinit(struct ctl_demo_sources *all);

#endif
