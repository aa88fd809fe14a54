/* SPDX-License-Identifier: MIT */
/*
 * QUERY -> ROWS: one page of what the reactors have. A page is gathered by each reactor in its own thread,
 * one after the other: its job goes there by mailbox and comes back by mailbox, and belongs to whoever has it.
 *
 * A cursor says how far the page before has come: reactor and slot. Slots only grow in number, and a page
 * never goes back, so a list ends, whatever comes and goes meanwhile; what was there all the time is in it
 * exactly once.
 */
#ifndef AGENT_QUERY_H
#define AGENT_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "channel/channel.h"

struct agent;
struct reactor;

#define QUERIES_MAX 16u /* at a time; the supervisor asks one after the other */
#define QUERY_SLOTS_MAX \
	4096u /* looked at per reactor and page, so that an empty table costs no round */

/* The main thread's, or that reactor's to which it was posted (is_void: always the main thread's). */
struct query_job {
	struct rdy__list link; /* in queries.all */
	struct channel_query query;
	uint32_t reactor, slot; /* where it goes on */
	uint32_t n_rows;
	bool done_here; /* the reactor has no more */
	bool deferred;	/* waits for the channel, or for the reactors to be parked or to go on */
	bool is_void;	/* nobody wants the answer any more */
	uint8_t rows[];
};

struct queries {
	struct rdy__list all;
	uint32_t n;
};

void queries_init(struct queries *q);
/* The other reactors have stopped. Idempotent. */
void queries_deinit(struct queries *q);

/* The main thread: QUERY has come; a job came back; the end of a round. */
void query_take(struct agent *a, const struct channel_query *q);
void query_gathered(struct agent *a, struct query_job *job);
void query_work(struct agent *a);

/* Answers are of no use any more: there is a new supervisor, or none. */
void query_void(struct agent *a);

/* The reactor's thread: append its rows from job->slot on, as many as fit the page. */
void query_gather(const struct reactor *r, struct query_job *job);

#endif
