/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int give(struct job *job)
{
	return write(job->pair[1], "x", 1) == 1 ? 0 : -errno;
}

int job_start(struct job *job, const char *path)
{
	const struct rdy_client_options options = {.size = sizeof(options), .path = path};
	uint32_t error;
	int r;

	memset(job, 0, sizeof(*job));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, job->pair) < 0)
		return -errno;
	r = rdy_client_new(&options, 5000000000, &error, &job->client);
	if (r == 0)
		r = rdy_client_register(
			job->client, job->pair[0], 1, RDY_READABLE, RDY_ONESHOT, 0, &job->handle);
	return r ? r : give(job);
}

int job_fd(struct job *job)
{
	return rdy_client_fd(job->client);
}

int job_dispatch(struct job *job)
{
	struct rdy_client_event e;
	char byte;
	int r = rdy_client_dispatch(job->client);

	job->n_calls++;
	if (r < 0)
		return r;
	while (rdy_client_next(job->client, &e) == 1) {
		if (e.type != RDY_CLIENT_READY || read(job->pair[0], &byte, 1) != 1)
			return -EIO;
		/* Queued: the descriptor stays readable until the next call has sent it. */
		r = rdy_client_rearm(job->client, job->handle);
		if (r == 0 && ++job->n_events < JOB_EVENTS)
			r = give(job);
		if (r < 0)
			return r;
	}
	return job->n_events == JOB_EVENTS;
}

int job_end(struct job *job, const char *loop)
{
	unsigned int n_idle = job->n_calls - job->n_calls_done;
	/* The last rearm has still to be sent, by one call. */
	bool good = job->n_events == JOB_EVENTS && n_idle <= 1;

	printf("%s: %u events of %u by %u calls, %u while nothing happened\n", loop, job->n_events,
		JOB_EVENTS, job->n_calls, n_idle);
	rdy_client_free(job->client);
	close(job->pair[0]);
	close(job->pair[1]);
	return !good;
}
