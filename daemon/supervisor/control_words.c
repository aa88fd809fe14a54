/* SPDX-License-Identifier: MIT */
#include "control_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "control.h"
#include "control_rows.h"
#include "log.h"
#include "supervisor.h"

#define SENTENCE_BYTES 256

static const char *const levels[] = {
	[LOG_P_ERROR] = "error",
	[LOG_P_WARNING] = "warning",
	[LOG_P_NOTICE] = "notice",
	[LOG_P_INFO] = "info",
	[LOG_P_DEBUG] = "debug",
};

const char *control_words_level(int priority)
{
	return levels[priority];
}

int control_words_priority(const char *word)
{
	for (int i = LOG_P_ERROR; i <= LOG_P_DEBUG; i++)
		if (strcmp(levels[i], word) == 0)
			return i;
	return -1;
}

void control_words_say(json_t *sentences, const char *format, ...)
{
	char text[SENTENCE_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_array_append_new(sentences, json_string(text));
}

void control_words_process(json_t *processes, int32_t pid, const char *role, bool stuck)
{
	if (pid > 0)
		json_array_append_new(processes, json_pack("{s:i, s:s, s:b}", "pid", (int)pid,
							 "role", role, "stuck", (int)stuck));
}

size_t control_words_wedged(const struct supervisor *sv, uid_t uid)
{
	return children_stuck(&sv->children, CHILD_AGENT, uid);
}

static uint32_t count_waiting(const struct agent *agent)
{
	uint32_t n = agent->n_handed;

	rdy__list_for_each (l, &agent->waiting)
		n++;
	return n;
}

static uint32_t count_controls(const struct supervisor *sv, const struct agent *agent)
{
	uint32_t n = 0;

	rdy__list_for_each (l, &sv->controls.all)
		n += rdy__list_entry(l, struct control, link)->agent == agent;
	return n;
}

static json_t *count_or_null(bool known, uint64_t n)
{
	return known ? control_count(n) : json_null();
}

json_t *control_words_agent(struct supervisor *sv, const struct agent *agent, json_t *reactors,
	const struct control_sums *sums)
{
	static const char *const states[] = {
		[AGENT_ADOPTING] = "starting",
		[AGENT_STARTING] = "starting",
		[AGENT_SERVING] = "serving",
		[AGENT_HANDING] = "upgrading",
		[AGENT_TAKING] = "upgrading",
		[AGENT_ENDING] = "ending",
	};
	uint32_t sessions = quotas_of(&sv->quotas, agent->uid, CONF_Q_SESSIONS),
		 registrations = quotas_of(&sv->quotas, agent->uid, CONF_Q_REGISTRATIONS);
	bool known = reactors != NULL;

	return json_pack("{s:I, s:o, s:o, s:s, s:b, s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:I, s:O?}",
		"uid", (json_int_t)agent->uid, "pid",
		control_pid(agent->process ? agent->process->pid : 0), "closer",
		control_pid(agent->closer ? agent->closer->pid : 0), "state", states[agent->state],
		"frozen", (int)frozen_has(&sv->frozen, agent->uid), "age",
		control_seconds(agent->started_at_ns, rdy__now_ns()), "sessions",
		(json_int_t)agent->n_sessions, "sessions_max", (json_int_t)sessions, "waiting",
		(json_int_t)count_waiting(agent), "control", (json_int_t)count_controls(sv, agent),
		"registrations", count_or_null(known, sums->registrations), "registrations_max",
		control_count(registrations), "descriptors",
		count_or_null(known, sums->descriptors), "events",
		count_or_null(known, sums->events), "requests",
		count_or_null(known, sums->requests), "wedged",
		control_count(control_words_wedged(sv, agent->uid)), "closers_replaced",
		(json_int_t)agent->closers_stuck + agent->closers_gone, "reactors", reactors);
}

static json_t *frozen_uids(const struct supervisor *sv, const struct control *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < sv->frozen.n; i++)
		if (c->sees_all || sv->frozen.uids[i].uid == c->uid)
			json_array_append_new(a, json_integer((json_int_t)sv->frozen.uids[i].uid));
	return a;
}

/* Counted here, as the agents may have been asked a moment ago. */
static uint64_t count_sessions(const struct supervisor *sv, const struct control *c)
{
	const struct agent *own;

	if (c->sees_all)
		return sv->agents.n_sessions;
	own = agents_find(&sv->agents, c->uid);
	return own ? own->n_sessions : 0;
}

static uint64_t count_connections(const struct supervisor *sv, const struct control *c)
{
	uint64_t n = 0;

	rdy__list_for_each (l, &sv->controls.all)
		n += c->sees_all || rdy__list_entry(l, struct control, link)->uid == c->uid;
	return n;
}

json_t *control_words_status(struct supervisor *sv, struct control *c)
{
	const struct conf *conf = &sv->options->conf;
	const struct control_sums *s = &c->job.sums;

	return json_pack("{s:s, s:i, s:I, s:s, s:f, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:o}",
		"version", READYD_VERSION, "pid", (int)getpid(), "uid", (json_int_t)geteuid(),
		"instance", sv->options->user ? "user" : "system", "uptime",
		control_seconds(sv->started_at_ns, rdy__now_ns()), "log_level",
		control_words_level(sv->log_level), "scope", c->sees_all ? "all" : "own", "agents",
		control_count(s->agents), "agents_max", control_count(conf->limit_uids), "reactors",
		control_count(s->reactors), "sessions", control_count(count_sessions(sv, c)),
		"sessions_max",
		control_count(c->sees_all ? conf->limit_sessions
					  : quotas_of(&sv->quotas, c->uid, CONF_Q_SESSIONS)),
		"registrations", control_count(s->registrations), "descriptors",
		control_count(s->descriptors), "control", control_count(count_connections(sv, c)),
		"control_max",
		control_count(c->sees_all ? conf->limit_controls
					  : quotas_of(&sv->quotas, c->uid, CONF_Q_CONTROLS)),
		"events", control_count(s->events), "requests", control_count(s->requests),
		"surprises", control_count(s->surprises), "paused", control_count(s->paused),
		"wedged", control_count(control_words_wedged(sv, c->sees_all ? (uid_t)-1 : c->uid)),
		"frozen", frozen_uids(sv, c), "silent", c->job.silent, "configuration",
		control_words_configuration(sv, c->admin));
}
