/* SPDX-License-Identifier: MIT */
/*
 * The same job for every loop: a client of readyd watches one end of a pair of sockets, into whose other end a byte goes
 * for each event, JOB_EVENTS times. The loop calls job_dispatch() when job_fd() is readable, and nothing else.
 */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <ready/client.h>

#define JOB_EVENTS 10000u
#define JOB_IDLE_MS 200 /* afterwards nothing may wake the loop for so long */

struct job {
	struct rdy_client *client;
	int pair[2];
	uint64_t handle;
	unsigned int n_events, n_calls, n_calls_done;
};

/* Connect to the daemon at path, or to the system's where that is NULL, and begin. Returns 0 or -errno. */
int job_start(struct job *job, const char *path);
int job_fd(struct job *job);

/* Returns 1 when all events have come, 0 to go on, or -errno. */
int job_dispatch(struct job *job);

/* Nothing happened for JOB_IDLE_MS: say what was, and end it. Returns the program's exit status. */
int job_end(struct job *job, const char *loop);

#endif
