/* SPDX-License-Identifier: MIT */
/*
 * Lists, and Status, Metrics and WhoAmI, which are sums over what ListAgents lists: agent by agent in the order of their uids, so
 * that agents may come and go meanwhile, and page by page. One step sends a page, or asks one question.
 */
#include <string.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "control.h"
#include "control_rows.h"
#include "control_words.h"
#include "supervisor.h"

#define AGENT_UNITS 1u

static uint32_t kind_of(const struct control *c)
{
	if (c->call.method == CONTROL_LIST_SESSIONS)
		return CHANNEL_ROWS_SESSIONS;
	return c->call.method == CONTROL_LIST_REGISTRATIONS ? CHANNEL_ROWS_REGISTRATIONS
							    : CHANNEL_ROWS_REACTORS;
}

static const char *rows_name(const struct control *c)
{
	if (c->call.method == CONTROL_LIST_SESSIONS)
		return "sessions";
	return c->call.method == CONTROL_LIST_REGISTRATIONS ? "registrations" : "agents";
}

/* The uid's agent of now; only where there is none the one that is on its way out. */
static struct agent *agent_at_least(const struct agents *a, uint64_t uid)
{
	struct agent *best = NULL;

	rdy__list_for_each (l, &a->all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		if (agent->uid >= uid &&
			(!best || agent->uid < best->uid ||
				(agent->uid == best->uid && best->state == AGENT_ENDING)))
			best = agent;
	}
	return best;
}

static struct agent *next_agent(struct supervisor *sv, const struct control_job *job)
{
	struct agent *agent = agent_at_least(&sv->agents, job->uid_next);

	if (agent && job->uid_only != UINT64_MAX && agent->uid != job->uid_only)
		return NULL;
	return agent;
}

/* The next one to be asked; nothing that an earlier one has said is this one's. */
static void go_to(struct control_job *job, uint64_t uid)
{
	job->uid_next = uid;
	job->cursor = 0;
	job->n_empty = 0;
	job->answered = false;
	json_decref(job->reactors);
	job->reactors = NULL;
}

static void done_with(struct control_job *job, uid_t uid)
{
	go_to(job, (uint64_t)uid + 1);
}

/* Rows that cannot be kept for want of memory are gone: the call ends with an error then. */
static void append(struct control_job *job, json_t *take_row, uint32_t units)
{
	if (json_array_append_new(job->rows, take_row) < 0) {
		json_decref(job->rows);
		job->rows = NULL;
	}
	job->units += units;
}

/* What is known of an agent; reactors: its answer, or NULL (null). */
static void append_agent(struct supervisor *sv, struct control *c, struct agent *agent)
{
	struct control_job *job = &c->job;
	json_t *reactors = job->reactors;

	job->reactors = NULL;
	append(job, control_words_agent(sv, agent, reactors, &job->sums),
		AGENT_UNITS + (uint32_t)json_array_size(reactors));
	json_decref(reactors);
	job->sums = (struct control_sums){0};
}

static void page(struct control *c, bool continues)
{
	struct control_job *job = &c->job;
	json_t *rows = job->rows, *silent = job->silent;

	job->rows = json_array();
	job->silent = json_array();
	job->units = 0;
	control_reply(c, json_pack("{s:o, s:o}", rows_name(c), rows, "silent", silent), continues);
}

static bool is_metrics(const struct control *c)
{
	return c->call.method == CONTROL_METRICS;
}

static bool is_whoami(const struct control *c)
{
	return c->call.method == CONTROL_WHO_AM_I;
}

/* One answer, made of what all agents have said. */
static bool is_sum(const struct control *c)
{
	return c->call.method == CONTROL_STATUS || is_metrics(c) || is_whoami(c);
}

/* The agent at hand has told all that it was asked, or will not. */
static void finish_agent(struct supervisor *sv, struct control *c, struct agent *agent)
{
	if (is_metrics(c)) {
		control_metrics_add(c, agent, &c->job.sums);
		c->job.sums = (struct control_sums){0};
	} else if (is_sum(c))
		c->job.sums.agents++;
	else if (c->call.method == CONTROL_LIST_AGENTS)
		append_agent(sv, c, agent);
	done_with(&c->job, agent->uid);
}

void control_list_begin(struct supervisor *sv, struct control *c)
{
	struct control_job *job = &c->job;
	const json_t *p = c->call.parameters;
	int64_t uid = -1, session = 0;
	struct agent *agent;

	job->uid_only = UINT64_MAX;
	if (kind_of(c) != CHANNEL_ROWS_REACTORS &&
		control_get_int(p, "uid", false, 0, UINT32_MAX - 1, &uid) < 0) {
		control_invalid(c, "uid");
		return;
	}
	if (kind_of(c) == CHANNEL_ROWS_REGISTRATIONS &&
		control_get_int(p, "session", false, 1, INT64_MAX, &session) < 0) {
		control_invalid(c, "session");
		return;
	}
	if (!is_whoami(c) && !control_may_see(c, uid >= 0 ? (uid_t)uid : c->uid)) {
		control_denied(c, uid >= 0 && (uid_t)uid != c->uid
					  ? "it is not your own uid"
					  : "the policy does not let you look");
		return;
	}
	if (uid >= 0 || !c->sees_all || is_whoami(c))
		job->uid_only = uid >= 0 ? (uint64_t)uid : c->uid;
	if (session) {
		if (!control_find_session(sv, c, (uint64_t)session, &agent) ||
			(job->uid_only != UINT64_MAX && agent->uid != job->uid_only)) {
			control_not_found(c, "session:%lld", (long long)session);
			return;
		}
		job->session = (uint64_t)session;
		job->uid_only = agent->uid;
	}
	if (job->uid_only != UINT64_MAX)
		job->uid_next = job->uid_only;
	job->rows = json_array();
	job->silent = json_array();
}

/* How many rows may be asked for. */
static uint32_t room(const struct control *c)
{
	return kind_of(c) == CHANNEL_ROWS_REACTORS ? CHANNEL_REACTORS_MAX
						   : CONTROL_PAGE_ROWS - c->job.units;
}

/* The page has to go first. */
static bool is_full(const struct control *c)
{
	if (is_sum(c))
		return false;
	if (c->call.method == CONTROL_LIST_AGENTS)
		return c->job.units + AGENT_UNITS + CHANNEL_REACTORS_MAX > CONTROL_PAGE_UNITS;
	return c->job.units >= CONTROL_PAGE_ROWS;
}

void control_list_step(struct supervisor *sv, struct control *c)
{
	struct control_job *job = &c->job;
	struct agent *agent = next_agent(sv, job);

	if (!job->rows || !job->silent) {
		control_busy(c, "memory");
		return;
	}
	if (job->asked_silent) {
		/* It is gone, with all that it had; another one may have its uid already. */
		job->asked_silent = false;
		json_array_append_new(job->silent, json_integer((json_int_t)job->uid_next));
		job->units++; /* these take room, too */
		done_with(job, (uid_t)job->uid_next);
		agent = next_agent(sv, job);
	}
	if (!agent) {
		if (is_metrics(c))
			control_metrics_reply(sv, c);
		else if (is_whoami(c))
			control_whoami_reply(sv, c);
		else if (is_sum(c))
			control_reply(c, control_words_status(sv, c), false);
		else
			page(c, false);
		return;
	}
	if (agent->uid != job->uid_next)
		go_to(job, agent->uid);
	if (job->answered)
		finish_agent(sv, c, agent);
	else if (is_full(c))
		page(c, true);
	else if (agent->state != AGENT_SERVING)
		finish_agent(sv, c, agent); /* it cannot say anything now */
	else if (control_ask(sv, c, agent, kind_of(c), job->session, job->cursor, room(c)) < 0)
		control_busy(c, "memory");
}

static void add_reactor(struct control_job *job, const struct channel_row_reactor *r, bool list)
{
	struct control_sums *s = &job->sums;

	s->reactors++;
	s->sessions += r->n_sessions;
	s->registrations += r->n_registrations;
	s->events += r->events;
	s->requests += r->requests;
	s->surprises += r->surprises;
	s->paused += r->paused;
	if (list) {
		if (!job->reactors)
			job->reactors = json_array();
		json_array_append_new(job->reactors, control_row_reactor(r));
	}
}

static void take_reactors(struct control *c, const struct channel_rows *rows, const uint8_t *data)
{
	struct channel_row_reactor r;
	uint32_t n_descriptors = 0;

	for (uint32_t i = 0; i < rows->n_rows; i++) {
		memcpy(&r, data + i * sizeof(r), sizeof(r));
		add_reactor(&c->job, &r, !is_sum(c));
		/* Each row says the same of the whole agent. */
		n_descriptors = r.n_descriptors;
	}
	c->job.sums.descriptors += n_descriptors;
	c->job.answered = true;
}

void control_list_rows(
	struct control *c, struct agent *agent, const struct channel_rows *rows, const void *data)
{
	struct control_job *job = &c->job;
	const uint8_t *bytes = data;
	int64_t now = rdy__now_ns();

	if (rows->kind == CHANNEL_ROWS_REACTORS) {
		take_reactors(c, rows, bytes);
		return;
	}
	for (uint32_t i = 0; i < rows->n_rows; i++) {
		struct channel_row_registration r;
		struct channel_row_session s;

		if (rows->kind == CHANNEL_ROWS_SESSIONS) {
			memcpy(&s, bytes + i * sizeof(s), sizeof(s));
			append(job, control_row_session(&s, agent->uid, now), 1);
		} else {
			memcpy(&r, bytes + i * sizeof(r), sizeof(r));
			append(job, control_row_registration(&r, agent->uid, now), 1);
		}
	}
	job->n_empty = rows->n_rows ? 0 : job->n_empty + 1;
	job->cursor = rows->next_cursor;
	if (!job->cursor || job->n_empty > CONTROL_EMPTY_PAGES)
		done_with(job, agent->uid);
}
