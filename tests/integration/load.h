/* SPDX-License-Identifier: MIT */
/*
 * Load that notices a lost readiness.
 *
 * A process writes increasing numbers into many channels, the next one into a channel only when the last one
 * was read, so a readiness that got lost would leave that channel silent for good. Another process reads
 * them, when and only when libready's client says so. Pipes, sockets and eventfds in every mode.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdatomic.h>

#include "harness.h"

#define LOAD_CHANNELS 32u

/* Shared by the three processes. */
struct load {
	_Atomic uint32_t written[LOAD_CHANNELS], read[LOAD_CHANNELS];
	_Atomic uint32_t total, losses, restorations;
	_Atomic bool stop, stopped, pause, paused;
	_Atomic int64_t gap_ns; /* longest time between two events */
	struct proc writer, reader;
	uid_t uid;
	int ends[LOAD_CHANNELS][2]; /* read, write */
	const struct instance *in;
};

/* Start it as that user. */
struct load *load_start(const struct instance *in, uid_t uid);
/* kill -9 of the reader, and another one in its place, which is not waited for. */
void load_replace_reader(struct load *l);
/* At least n more numbers are read, and it is later than until_ns. */
void load_progress(struct load *l, uint32_t n, int64_t until_ns);
/* Everything that was written is read. The counters stay until load_free(). */
void load_end(struct load *l);
void load_free(struct load *l);

#endif
