/* SPDX-License-Identifier: MIT */
/*
 * Explain: one thing, its state, why, and what next. A uid takes its agent's counters; a session its row; a
 * registration its session's row, then pages of registrations until it is found.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "base/clock.h"
#include "control.h"
#include "control_rows.h"
#include "control_sentences.h"
#include "control_words.h"
#include "supervisor.h"

enum stage { ASK_AGENT, ASK_SESSION, ASK_REGISTRATIONS, TELL };

/* A whole decimal number, or hexadecimal with 0x. */
static bool parse_number(const char *text, const char *end, uint64_t *ret)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &stop, text[0] == '0' && text[1] == 'x' ? 16 : 10);
	return errno == 0 && stop == end;
}

static bool parse_registration(const char *text, struct control_job *job)
{
	const char *slash = strchr(text, '/'), *wanted;

	if (!slash || !parse_number(text, slash, &job->session) || !job->session)
		return false;
	wanted = slash + 1;
	job->wanted_id = strncmp(wanted, "id:", 3) == 0;
	wanted += job->wanted_id ? 3 : 0;
	return parse_number(wanted, wanted + strlen(wanted), &job->wanted);
}

static bool parse_what(const char *what, struct control_job *job)
{
	const char *colon = strchr(what, ':'), *text;

	if (!colon)
		return false;
	text = colon + 1;
	job->uid_only = UINT64_MAX;
	if (strncmp(what, "uid:", 4) == 0) {
		job->stage = ASK_AGENT;
		return parse_number(text, text + strlen(text), &job->uid_only) &&
		       job->uid_only < UINT32_MAX;
	}
	job->stage = ASK_SESSION;
	if (strncmp(what, "session:", 8) == 0)
		return parse_number(text, text + strlen(text), &job->session) && job->session;
	job->for_registration = true;
	return strncmp(what, "registration:", 13) == 0 && parse_registration(text, job);
}

static const char *what_of(const struct control *c)
{
	return json_string_value(json_object_get(c->call.parameters, "what"));
}

void control_explain_begin(struct supervisor *sv, struct control *c)
{
	struct control_job *job = &c->job;
	struct agent *agent;
	const char *what;

	if (control_get_string(c->call.parameters, "what", true, &what) < 0 ||
		!parse_what(what, job)) {
		control_invalid(c, "what");
		return;
	}
	if (job->session) {
		if (!control_find_session(sv, c, job->session, &agent)) {
			control_not_found(c, "%s", what);
			return;
		}
		job->uid_only = agent->uid;
	} else if (!control_may_see(c, (uid_t)job->uid_only)) {
		control_denied(c, "it is not your own uid");
	}
}

static void tell(struct supervisor *sv, struct control *c)
{
	const char *what = what_of(c), *state;
	struct explained e = {.sv = sv,
		.uid = (uid_t)c->job.uid_only,
		.agent = agents_find(&sv->agents, (uid_t)c->job.uid_only),
		.answered = c->job.answered,
		.silent = c->job.asked_silent,
		.sums = &c->job.sums,
		.now_ns = rdy__now_ns(),
		.why = json_array(),
		.next = json_array(),
		.processes = json_array()};
	json_t *agent = NULL, *session = NULL, *registration = NULL;

	if (c->job.for_registration) {
		state = explain_registration(&e, &c->job.s, &c->job.r);
		registration = control_row_registration(&c->job.r, e.uid, e.now_ns);
	} else if (c->job.session) {
		state = explain_session(&e, &c->job.s);
	} else {
		state = explain_uid(&e);
	}
	if (c->job.session)
		session = control_row_session(&c->job.s, e.uid, e.now_ns);
	if (e.agent)
		agent = control_words_agent(sv, e.agent, c->job.reactors, &c->job.sums);
	explain_processes(&e, c->job.session ? c->job.s.pid : 0);
	control_reply(c,
		json_pack("{s:s, s:s, s:o, s:o, s:o, s:o?, s:o?, s:o?}", "what", what, "state",
			state, "why", e.why, "next", e.next, "processes", e.processes, "agent",
			agent, "session", session, "registration", registration),
		false);
}

void control_explain_step(struct supervisor *sv, struct control *c)
{
	static const uint32_t kinds[] = {
		[ASK_AGENT] = CHANNEL_ROWS_REACTORS,
		[ASK_SESSION] = CHANNEL_ROWS_SESSIONS,
		[ASK_REGISTRATIONS] = CHANNEL_ROWS_REGISTRATIONS,
	};
	static const uint32_t rows_max[] = {
		[ASK_AGENT] = CHANNEL_REACTORS_MAX,
		[ASK_SESSION] = 1,
		[ASK_REGISTRATIONS] = CHANNEL_ROWS_MAX,
	};
	struct control_job *job = &c->job;
	struct agent *agent = agents_find(&sv->agents, (uid_t)job->uid_only);

	if (job->asked_silent && job->session) {
		/* Its sessions are gone with it. */
		control_error(c, CONTROL_E_AGENT_SILENT,
			json_pack("{s:I}", "uid", (json_int_t)job->uid_only));
		return;
	}
	if (job->session && (!agent || (job->stage == TELL && !job->found))) {
		control_not_found(c, "%s", what_of(c));
		return;
	}
	/* That a uid's agent is silent, or not there, is what is to be explained. */
	if (job->stage == TELL || !agent || job->asked_silent || agent->state != AGENT_SERVING)
		tell(sv, c);
	else if (control_ask(sv, c, agent, kinds[job->stage], job->session, job->cursor,
			 rows_max[job->stage]) < 0)
		control_busy(c, "memory");
}

static void take_reactors(
	struct control_job *job, const struct channel_rows *rows, const uint8_t *data)
{
	struct channel_row_reactor r;

	job->reactors = json_array();
	for (uint32_t i = 0; i < rows->n_rows; i++) {
		memcpy(&r, data + i * sizeof(r), sizeof(r));
		job->sums.registrations += r.n_registrations;
		job->sums.events += r.events;
		job->sums.requests += r.requests;
		job->sums.descriptors = r.n_descriptors;
		json_array_append_new(job->reactors, control_row_reactor(&r));
	}
	job->answered = true;
	job->stage = TELL;
}

static void take_session(
	struct control_job *job, const struct channel_rows *rows, const uint8_t *data)
{
	job->stage = TELL;
	if (rows->n_rows == 0)
		return; /* it has ended: found stays false */
	memcpy(&job->s, data, sizeof(job->s));
	if (job->for_registration)
		job->stage = ASK_REGISTRATIONS;
	else
		job->found = true;
}

static void take_registrations(
	struct control_job *job, const struct channel_rows *rows, const uint8_t *data)
{
	struct channel_row_registration r;

	for (uint32_t i = 0; i < rows->n_rows && !job->found; i++) {
		memcpy(&r, data + i * sizeof(r), sizeof(r));
		if (r.session != job->session || (job->wanted_id ? r.id : r.cookie) != job->wanted)
			continue;
		job->r = r;
		job->found = true;
	}
	job->n_empty = rows->n_rows ? 0 : job->n_empty + 1;
	job->cursor = rows->next_cursor;
	if (job->found || !job->cursor || job->n_empty > CONTROL_EMPTY_PAGES)
		job->stage = TELL;
}

void control_explain_rows(
	struct control *c, struct agent *agent, const struct channel_rows *rows, const void *data)
{
	if (rows->kind == CHANNEL_ROWS_REACTORS)
		take_reactors(&c->job, rows, data);
	else if (rows->kind == CHANNEL_ROWS_SESSIONS)
		take_session(&c->job, rows, data);
	else
		take_registrations(&c->job, rows, data);
}
