/* SPDX-License-Identifier: MIT */
/* A client of readyd in GLib's main loop: g_unix_fd_add() of the one descriptor.  glib [SOCKET] */
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

#include "job.h"

static GMainLoop *loop;
static int failed;

static gboolean on_idle(gpointer data)
{
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

static gboolean on_client(gint fd, GIOCondition condition, gpointer data)
{
	struct job *job = data;
	int r = job_dispatch(job);

	if (r < 0) {
		failed = r;
		g_main_loop_quit(loop);
	} else if (r == 1 && !job->n_calls_done) {
		job->n_calls_done = job->n_calls;
		g_timeout_add(JOB_IDLE_MS, on_idle, NULL);
	}
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	struct job job;
	guint source;

	failed = job_start(&job, argc > 1 ? argv[1] : NULL);
	if (failed == 0) {
		loop = g_main_loop_new(NULL, FALSE);
		source = g_unix_fd_add(job_fd(&job), G_IO_IN, on_client, &job);
		g_main_loop_run(loop);
		g_source_remove(source);
		g_main_loop_unref(loop);
	}
	if (failed < 0) {
		fprintf(stderr, "glib: %s\n", strerror(-failed));
		return 1;
	}
	return job_end(&job, "glib");
}
