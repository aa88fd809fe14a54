/* SPDX-License-Identifier: MIT */
/* The way of a query through the reactors, see query.h. The main thread. */
#include "query.h"

#include <stdlib.h>

#include "agent.h"
#include "outbox.h"
#include "reactors.h"

/* 1:1 | reactor:31 | slot:32. What is not one of ours leads past the last reactor, or to its end. */
#define CURSOR_SET ((uint64_t)1 << 63)

void queries_init(struct queries *q)
{
	*q = (struct queries){0};
	rdy__list_init(&q->all);
}

static void forget(struct queries *q, struct query_job *take_job)
{
	rdy__list_unlink(&take_job->link);
	q->n--;
	free(take_job);
}

void queries_deinit(struct queries *q)
{
	while (q->n)
		forget(q, rdy__list_entry(q->all.next, struct query_job, link));
}

static void answer(struct agent *a, struct query_job *take_job)
{
	const struct query_job *job = take_job;
	const struct channel_message m = {
		.type = CHANNEL_ROWS,
		.u.rows =
			{
				.next_cursor = job->reactor >= a->n_reactors
						       ? 0
						       : CURSOR_SET | (uint64_t)job->reactor << 32 |
								 job->slot,
				.query = job->query.query,
				.kind = job->query.kind,
				.n_rows = job->n_rows,
			},
		.data = job->rows,
		.n_data = job->n_rows * channel_row_bytes(job->query.kind),
	};

	if (!job->is_void)
		outbox_send(a, &m);
	forget(&a->queries, take_job);
}

/* A reactor has looked. Returns false when the page is complete. */
static bool next(struct query_job *job)
{
	if (!job->done_here)
		return false;
	job->reactor++;
	job->slot = 0;
	return job->n_rows < job->query.rows_max;
}

/* Go on until the job is posted, deferred, or answered (and gone). */
static void go(struct agent *a, struct query_job *job)
{
	/* Whoever asks and does not read gets no page before he has read. */
	job->deferred = !outbox_is_free(a);
	if (job->deferred)
		return;
	while (job->reactor < a->n_reactors && !job->is_void) {
		struct reactor *r = reactors_at(a, job->reactor);
		struct reactor_message m = {.type = REACTOR_QUERY, .u.query = job};

		/* A parked reactor reads no mailbox, and belongs to this thread (PARK-1). */
		if (job->reactor == 0 || park_is_full(a)) {
			query_gather(r, job);
			if (!next(job))
				break;
			continue;
		}
		job->deferred = park_is_asked(a);
		if (job->deferred)
			return;
		if (reactor_post(r, &m) < 0) {
			agent_fail(a, "out of memory");
			break;
		}
		return;
	}
	answer(a, job);
}

void query_take(struct agent *a, const struct channel_query *q)
{
	size_t n = q->rows_max * channel_row_bytes(q->kind);
	struct query_job *job;

	if (a->queries.n >= QUERIES_MAX) {
		agent_fail(a, "the channel asks too much");
		return;
	}
	job = malloc(sizeof(*job) + n);
	if (!job) {
		agent_fail(a, "out of memory");
		return;
	}
	*job = (struct query_job){.query = *q};
	if (q->cursor) {
		job->reactor = (uint32_t)(q->cursor >> 32) & INT32_MAX;
		job->slot = (uint32_t)q->cursor;
	}
	rdy__list_init(&job->link);
	rdy__list_append(&a->queries.all, &job->link);
	a->queries.n++;
	go(a, job);
}

void query_gathered(struct agent *a, struct query_job *job)
{
	if (next(job))
		go(a, job);
	else
		answer(a, job);
}

void query_work(struct agent *a)
{
	rdy__list_for_each_safe (l, following, &a->queries.all) {
		struct query_job *job = rdy__list_entry(l, struct query_job, link);

		if (job->deferred)
			go(a, job);
	}
}

void query_void(struct agent *a)
{
	rdy__list_for_each (l, &a->queries.all)
		rdy__list_entry(l, struct query_job, link)->is_void = true;
}
