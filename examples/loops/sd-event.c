/* SPDX-License-Identifier: MIT */
/* A client of readyd in systemd's loop, sd-event(3): the one descriptor is an I/O source.  sd-event [SOCKET] */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "job.h"

static int on_idle(sd_event_source *source, uint64_t usec, void *data)
{
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	sd_event *loop = sd_event_source_get_event(source);
	struct job *job = data;
	int r = job_dispatch(job);

	if (r < 0)
		return sd_event_exit(loop, r);
	if (r == 1 && !job->n_calls_done) {
		job->n_calls_done = job->n_calls;
		return sd_event_add_time_relative(
			loop, NULL, CLOCK_MONOTONIC, JOB_IDLE_MS * 1000, 0, on_idle, job);
	}
	return 0;
}

int main(int argc, char **argv)
{
	sd_event *loop = NULL;
	struct job job;
	int r = job_start(&job, argc > 1 ? argv[1] : NULL);

	if (r == 0)
		r = sd_event_new(&loop);
	if (r >= 0)
		r = sd_event_add_io(loop, NULL, job_fd(&job), EPOLLIN, on_client, &job);
	if (r >= 0)
		r = sd_event_loop(loop);
	sd_event_unref(loop);
	if (r < 0) {
		fprintf(stderr, "sd-event: %s\n", strerror(-r));
		return 1;
	}
	return job_end(&job, "sd-event");
}
