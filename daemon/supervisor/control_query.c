/* SPDX-License-Identifier: MIT */
/*
 * Questions to agents: one at a time under way per agent, the others wait in its list. An agent that owes an
 * answer for too long is wedged (agents_tick()).
 */
#include <errno.h>
#include <stdlib.h>

#include "agents.h"
#include "base/clock.h"
#include "channel_io.h"
#include "control.h"
#include "log.h"
#include "supervisor.h"

static struct query *first(const struct agent *agent)
{
	if (rdy__list_empty(&agent->queries))
		return NULL;
	return rdy__list_entry(agent->queries.next, struct query, link);
}

static void forget(struct query *q)
{
	rdy__list_unlink(&q->link);
	if (q->control)
		q->control->query = NULL;
	free(q);
}

static void send_first(struct supervisor *sv, struct agent *agent)
{
	struct query *q;
	struct channel_message m = {.type = CHANNEL_QUERY};

	/* Those of connections that ended in the meantime need not be asked. */
	while ((q = first(agent)) && !q->sent && !q->control)
		forget(q);
	if (!q || q->sent)
		return;
	m.u.query = (struct channel_query){
		.cursor = q->cursor,
		.session = q->session,
		.query = q->number,
		.kind = q->kind,
		.rows_max = q->rows_max,
	};
	if (channel_io_send(sv, agent, &m) < 0)
		return;
	q->sent = true;
	q->sent_at_ns = rdy__now_ns();
}

int control_ask(struct supervisor *sv, struct control *c, struct agent *agent, uint32_t kind,
	uint64_t session, uint64_t cursor, uint32_t rows_max)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	rdy__list_init(&q->link);
	q->number = ++sv->controls.last_query;
	q->kind = kind;
	q->rows_max = rows_max;
	q->session = session;
	q->cursor = cursor;
	q->control = c;
	c->query = q;
	rdy__list_append(&agent->queries, &q->link);
	send_first(sv, agent);
	return 0;
}

bool control_rows(struct supervisor *sv, struct agent *agent, const struct channel_message *m)
{
	struct query *q = first(agent);
	struct control *c;

	if (!q || !q->sent || q->number != m->u.rows.query || q->kind != m->u.rows.kind ||
		m->u.rows.n_rows > q->rows_max)
		return false;
	c = q->control;
	forget(q);
	if (c) {
		if (c->call.method == CONTROL_EXPLAIN)
			control_explain_rows(c, agent, &m->u.rows, m->data);
		else
			control_list_rows(c, agent, &m->u.rows, m->data);
		control_make_runnable(sv, c);
	}
	send_first(sv, agent);
	return true;
}

static void send_kicks(struct supervisor *sv, struct agent *agent, struct rdy__list *sessions)
{
	struct channel_message m = {.type = CHANNEL_KICK};

	rdy__list_for_each (l, sessions) {
		struct session *s = rdy__list_entry(l, struct session, link);

		if (!s->kick)
			continue;
		m.u.session.session = s->number;
		if (channel_io_send(sv, agent, &m) < 0)
			return;
		s->kick = false;
		agent->n_kicks--;
	}
}

void control_flush(struct supervisor *sv, struct agent *agent)
{
	if (agent->n_kicks)
		send_kicks(sv, agent, &agent->handed);
	if (agent->n_kicks)
		send_kicks(sv, agent, &agent->serving);
	send_first(sv, agent);
	rdy__list_for_each (l, &sv->controls.all) {
		struct control *c = rdy__list_entry(l, struct control, link);

		if (c->agent == agent)
			control_make_runnable(sv, c);
	}
}

void control_agent_lost(struct supervisor *sv, struct agent *agent)
{
	struct query *q;

	while ((q = first(agent))) {
		struct control *c = q->control;

		forget(q);
		if (!c)
			continue;
		c->job.asked_silent = true;
		control_make_runnable(sv, c);
	}
}

int64_t control_deadline(const struct agent *agent, int64_t owes_ns)
{
	const struct query *q = first(agent);

	return q && q->sent ? rdy__deadline_ns(q->sent_at_ns, owes_ns) : RDY__NEVER;
}
