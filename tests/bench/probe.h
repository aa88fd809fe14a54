/* SPDX-License-Identifier: MIT */
/* One session with one eventfd whose events are timed: what another session feels meanwhile. */
#ifndef PROBE_H
#define PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

struct rdy_client;

struct probe {
	struct rdy_client *client;
	int fd;
};

void probe_open(struct probe *p, const char *socket);
void probe_close(struct probe *p);

/* From before the write that makes it ready to the return of the call that says so, in ns. */
double probe_once(struct probe *p);

/* n times; returns the p99 in ns. v: room for n. */
double probe_p99(struct probe *p, double *v, size_t n);

/* A session with n eventfds registered, edge; fds (room for n) are the caller's to close. */
struct rdy_client *probe_crowd(const char *socket, int *fds, size_t n);

#endif
