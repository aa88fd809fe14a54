/* SPDX-License-Identifier: MIT */
/* Connections: bytes in and out, one call at a time; see control.h. */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "channel_io.h"
#include "log.h"
#include "monitor.h"
#include "supervisor.h"

#define STEPS 16u	 /* of one connection in a round */
#define CREDIT_MIN 4096u /* is given back in portions, but when nothing else is to be said */

void controls_deinit(struct supervisor *sv)
{
	frozen_deinit(&sv->frozen);
}

static void job_deinit(struct control_job *job)
{
	json_decref(job->rows);
	json_decref(job->silent);
	json_decref(job->reactors);
	*job = (struct control_job){0};
}

void control_free(struct supervisor *sv, struct control *c)
{
	if (c->query)
		c->query->control = NULL;
	rdy__list_unlink(&c->link);
	rdy__list_unlink(&c->run);
	sv->controls.n--;
	control_inbox_deinit(&c->in);
	control_call_deinit(&c->call);
	job_deinit(&c->job);
	policy_unref(c->policy);
	free(c->out);
	free(c);
}

void control_make_runnable(struct supervisor *sv, struct control *c)
{
	if (!rdy__list_linked(&c->run))
		rdy__list_append(&sv->controls.runnable, &c->run);
}

/* The call in work is answered. */
static void finish_call(struct control *c)
{
	control_call_deinit(&c->call);
	job_deinit(&c->job);
	c->busy = false;
}

/* What was made becomes what is sent. r: of the maker. */
static void put_out(struct control *c, int r, char *take_text, size_t n)
{
	if (r < 0) {
		/* A client that waits for an answer which does not come would wait for ever. */
		log_line(LOG_P_ERROR, "control=ended uid=%u error=\"%s\"", (unsigned int)c->uid,
			strerror(-r));
		c->ending = true;
		return;
	}
	c->out = take_text;
	c->n_out = n;
	c->out_at = 0;
}

void control_reply(struct control *c, json_t *take_parameters, bool continues)
{
	char *text = NULL;
	size_t n = 0;
	int r;

	if (c->call.oneway) {
		json_decref(take_parameters);
	} else {
		r = control_make_reply(take_parameters, continues, &text, &n);
		put_out(c, r, text, n);
	}
	if (!continues || c->ending)
		finish_call(c);
}

void control_error(struct control *c, enum control_error error, json_t *take_parameters)
{
	char *text = NULL;
	size_t n = 0;
	int r;

	if (c->call.oneway) {
		json_decref(take_parameters);
	} else {
		r = control_make_error(error, take_parameters, &text, &n);
		put_out(c, r, text, n);
	}
	finish_call(c);
}

/* Returns false when the channel is full: control_flush() comes back to it. */
static bool send_data(struct supervisor *sv, struct control *c, size_t n, bool last)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_DATA,
		.u.control = {.session = c->number, .flags = last ? CHANNEL_CONTROL_LAST : 0},
		.data = n ? c->out + c->out_at : NULL,
		.n_data = n,
	};

	if (channel_io_send(sv, c->agent, &m) < 0)
		return false;
	c->out_at += n;
	c->n_in_flight += (uint32_t)n;
	c->ended = last;
	return true;
}

static void give_back(struct supervisor *sv, struct control *c)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_CREDIT,
		.u.control = {.session = c->number, .n_bytes = c->n_owed},
	};

	if (c->n_owed == 0 || c->ended || (c->n_owed < CREDIT_MIN && c->in.n_bytes > c->in.n_given))
		return;
	if (channel_io_send(sv, c->agent, &m) == 0)
		c->n_owed = 0;
}

/* Returns true when all of it is with the agent. */
static bool flush_out(struct supervisor *sv, struct control *c)
{
	while (c->out_at < c->n_out) {
		size_t n = c->n_out - c->out_at, room = CHANNEL_CONTROL_WINDOW - c->n_in_flight;

		n = n < room ? n : room;
		n = n < CHANNEL_DATA_MAX ? n : CHANNEL_DATA_MAX;
		if (n == 0 || !send_data(sv, c, n, false))
			return false;
	}
	free(c->out);
	c->out = NULL;
	c->n_out = c->out_at = 0;
	return true;
}

static void refuse_message(struct control *c, enum control_error error, json_t *take_parameters)
{
	control_error(c, error, take_parameters);
	c->ending = true;
}

/* Returns true if a call was begun, or an error is to be sent. */
static bool next_call(struct supervisor *sv, struct control *c)
{
	const char *text;
	size_t n;
	int r = control_inbox_next(&c->in, &text, &n);

	if (r == 0) {
		c->ending = c->peer_shut;
		return c->ending;
	}
	if (r < 0) {
		refuse_message(c, CONTROL_E_TOO_LARGE,
			json_pack("{s:I}", "limit", (json_int_t)CONTROL_MESSAGE_MAX));
		return true;
	}
	c->n_owed += (uint32_t)n + 1;
	r = control_call_parse(text, n, &c->call);
	if (r == -EBADMSG)
		refuse_message(c, CONTROL_E_INVALID_PARAMETER,
			json_pack("{s:s}", "parameter", "the message"));
	else if (r < 0)
		refuse_message(c, CONTROL_E_BUSY, json_pack("{s:s}", "why", "memory"));
	if (r < 0)
		return true;
	c->busy = true;
	control_begin(sv, c);
	return true;
}

/* Returns true when it has more to do at once. */
static bool step(struct supervisor *sv, struct control *c)
{
	for (uint32_t i = 0; i < STEPS; i++) {
		if (c->ended || !flush_out(sv, c))
			return false;
		if (c->ending) {
			send_data(sv, c, 0, true);
			return false;
		}
		if (c->query)
			return false;
		if (c->busy && c->call.method == CONTROL_MONITOR) {
			/* It stays until its client goes. */
			c->ending = c->peer_shut;
			if (!c->ending && !monitor_step(c))
				return false;
		} else if (c->busy)
			control_go_on(sv, c);
		else if (!next_call(sv, c))
			return false;
	}
	return true;
}

bool controls_run(struct supervisor *sv)
{
	struct rdy__list now, *l;
	bool more = false;

	rdy__list_init(&now);
	while ((l = rdy__list_pop(&sv->controls.runnable)))
		rdy__list_append(&now, l);
	while ((l = rdy__list_pop(&now))) {
		struct control *c = rdy__list_entry(l, struct control, run);

		if (step(sv, c)) {
			control_make_runnable(sv, c);
			more = true;
		}
		give_back(sv, c);
	}
	return more;
}

static struct control *find(const struct controls *cs, const struct agent *agent, uint64_t number)
{
	rdy__list_for_each (l, &cs->all) {
		struct control *c = rdy__list_entry(l, struct control, link);

		if (c->number == number && c->agent == agent)
			return c;
	}
	return NULL;
}

bool control_data(struct supervisor *sv, struct agent *agent, const struct channel_message *m)
{
	struct control *c = find(&sv->controls, agent, m->u.control.session);
	int r;

	if (!c || c->peer_shut)
		return false;
	if (m->u.control.flags & CHANNEL_CONTROL_LAST)
		c->peer_shut = true;
	/* After our last word nothing is read any more; the agent drops what crosses it. */
	if (!c->ending) {
		r = control_inbox_put(&c->in, m->data, m->n_data);
		if (r == -EMSGSIZE)
			return false; /* more than its window */
		c->ending = r < 0;
	}
	control_make_runnable(sv, c);
	return true;
}

bool control_credit(struct supervisor *sv, struct agent *agent, const struct channel_message *m)
{
	struct control *c = find(&sv->controls, agent, m->u.control.session);

	if (!c || m->u.control.n_bytes > c->n_in_flight)
		return false;
	c->n_in_flight -= m->u.control.n_bytes;
	control_make_runnable(sv, c);
	return true;
}
