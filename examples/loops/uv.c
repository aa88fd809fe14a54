/* SPDX-License-Identifier: MIT */
/* A client of readyd in libuv's loop: the one descriptor is a uv_poll_t.  uv [SOCKET] */
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "job.h"

static uv_timer_t idle;
static int failed;

static void on_idle(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
	struct job *job = poll->data;
	int r = status < 0 ? status : job_dispatch(job);

	if (r < 0) {
		failed = r;
		uv_stop(poll->loop);
	} else if (r == 1 && !job->n_calls_done) {
		job->n_calls_done = job->n_calls;
		uv_timer_start(&idle, on_idle, JOB_IDLE_MS, 0);
	}
}

int main(int argc, char **argv)
{
	uv_poll_t poll;
	uv_loop_t loop;
	struct job job;

	failed = job_start(&job, argc > 1 ? argv[1] : NULL);
	if (failed == 0) {
		uv_loop_init(&loop);
		uv_timer_init(&loop, &idle);
		uv_poll_init(&loop, &poll, job_fd(&job));
		poll.data = &job;
		uv_poll_start(&poll, UV_READABLE, on_client);
		uv_run(&loop, UV_RUN_DEFAULT);
		uv_close((uv_handle_t *)&poll, NULL);
		uv_close((uv_handle_t *)&idle, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
		uv_loop_close(&loop);
	}
	if (failed < 0) {
		fprintf(stderr, "uv: %s\n", strerror(-failed));
		return 1;
	}
	return job_end(&job, "uv");
}
