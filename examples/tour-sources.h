/* SPDX-License-Identifier: MIT */
/* The tour's descriptors: seven kinds, each fed by a real producer. */
#ifndef TOUR_SOURCES_H
#define TOUR_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TOUR_SOURCES 7u

struct tour_source {
	const char *name;
	int fd;		/* what readyd watches; -1 = none at present */
	pid_t producer; /* leader of a process group, 0 = none */
	uint64_t handle;
	unsigned int wanted, got; /* events */
	bool once;		  /* the descriptor is spent after one event */
	/*
	 * Read all that is there. Returns when it was caused, by CLOCK_REALTIME in ns, -1 when that cannot be
	 * known, 0 when there was nothing. what: a few words about it.
	 */
	int64_t (*take)(struct tour_source *s, char *what, size_t what_bytes);
	/* Make fd and start the producer. 0 or -errno. */
	int (*start)(struct tour_source *s);
};

/* Prepare the table; live: slower, and without an end. Returns 0 or -errno. */
int tour_sources_init(struct tour_source sources[TOUR_SOURCES], bool live);
/* End every process, close and remove everything. */
void tour_sources_deinit(struct tour_source sources[TOUR_SOURCES]);

int64_t tour_realtime_ns(void);

#endif
