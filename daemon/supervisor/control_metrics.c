/* SPDX-License-Identifier: MIT */
/*
 * Metrics: OpenMetrics text, from what the supervisor counts and what each agent has said of itself. A series for each
 * of the busiest users only, so that a thousand users do not make ten thousand series; the rest is "other".
 * Source: the OpenMetrics specification, 1.0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "agents.h"
#include "base/clock.h"
#include "control.h"
#include "control_words.h"
#include "supervisor.h"

enum user_metric {
	USER_SESSIONS,
	USER_REGISTRATIONS,
	USER_DESCRIPTORS,
	USER_REACTORS,
	USER_EVENTS,
	USER_REQUESTS,
	USER_PAUSED,
	USER_SURPRISES,
	USER_METRICS
};

static const struct {
	const char *key; /* in a row of the job */
	const char *name, *help;
	bool counter;
} of_users[USER_METRICS] = {
	[USER_SESSIONS] = {"sessions", "readyd_sessions", "Sessions that are open.", false},
	[USER_REGISTRATIONS] = {"registrations", "readyd_registrations",
		"Descriptors that are watched.", false},
	[USER_DESCRIPTORS] = {"descriptors", "readyd_descriptors",
		"Descriptors that the agent has open.", false},
	[USER_REACTORS] = {"reactors", "readyd_reactors", "Threads of the agent.", false},
	[USER_EVENTS] = {"events", "readyd_events",
		"Events that were delivered, since the agent started.", true},
	[USER_REQUESTS] = {"requests", "readyd_requests",
		"Requests that were answered, since the agent started.", true},
	[USER_PAUSED] = {"paused", "readyd_floods_paused",
		"Times that a registration was paused because it floods.", true},
	[USER_SURPRISES] = {"surprises", "readyd_kernel_surprises",
		"Answers of the kernel that should not be.", true},
};

void control_metrics_add(struct control *c, const struct agent *agent, const struct control_sums *s)
{
	const uint64_t values[USER_METRICS] = {
		[USER_SESSIONS] = s->sessions,
		[USER_REGISTRATIONS] = s->registrations,
		[USER_DESCRIPTORS] = s->descriptors,
		[USER_REACTORS] = s->reactors,
		[USER_EVENTS] = s->events,
		[USER_REQUESTS] = s->requests,
		[USER_PAUSED] = s->paused,
		[USER_SURPRISES] = s->surprises,
	};
	json_t *row = json_pack("{s:I}", "uid", (json_int_t)agent->uid);

	for (int i = 0; i < USER_METRICS; i++)
		json_object_set_new(row, of_users[i].key, json_integer((json_int_t)values[i]));
	json_array_append_new(c->job.rows, row);
}

struct series {
	int64_t uid; /* -1: other */
	int64_t values[USER_METRICS];
};

static int by_events(const void *a, const void *b)
{
	const struct series *x = a, *y = b;

	if (x->values[USER_EVENTS] != y->values[USER_EVENTS])
		return x->values[USER_EVENTS] < y->values[USER_EVENTS] ? 1 : -1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* The rows as series, at most max and one for the rest. Returns how many; *ret is freed by the caller. */
static size_t make_series(const json_t *rows, size_t max, struct series **ret)
{
	size_t n = json_array_size(rows);
	struct series *all = calloc(n + 1, sizeof(*all));

	*ret = all;
	if (!all)
		return 0;
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(rows, i);

		all[i].uid = json_integer_value(json_object_get(row, "uid"));
		for (int k = 0; k < USER_METRICS; k++)
			all[i].values[k] =
				json_integer_value(json_object_get(row, of_users[k].key));
	}
	qsort(all, n, sizeof(*all), by_events);
	if (n <= max)
		return n;
	for (size_t i = max + 1; i < n; i++)
		for (int k = 0; k < USER_METRICS; k++)
			all[max].values[k] += all[i].values[k];
	all[max].uid = -1;
	return max + 1;
}

static void family(FILE *f, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(f, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(f, "# UNIT %s %s\n", name, unit);
	fprintf(f, "# HELP %s %s\n", name, help);
}

static void put_users(FILE *f, const json_t *rows, size_t max)
{
	struct series *all;
	size_t n = make_series(rows, max, &all);

	for (int k = 0; k < USER_METRICS; k++) {
		family(f, of_users[k].name, of_users[k].counter ? "counter" : "gauge", NULL,
			of_users[k].help);
		for (size_t i = 0; i < n; i++) {
			fprintf(f, "%s%s{uid=\"", of_users[k].name,
				of_users[k].counter ? "_total" : "");
			if (all[i].uid < 0)
				fputs("other", f);
			else
				fprintf(f, "%lld", (long long)all[i].uid);
			fprintf(f, "\"} %lld\n", (long long)all[i].values[k]);
		}
	}
	free(all);
}

static void gauge(FILE *f, const char *name, const char *help, uint64_t value)
{
	family(f, name, "gauge", NULL, help);
	fprintf(f, "%s %llu\n", name, (unsigned long long)value);
}

static void counter(FILE *f, const char *name, const char *help, uint64_t value)
{
	family(f, name, "counter", NULL, help);
	fprintf(f, "%s_total %llu\n", name, (unsigned long long)value);
}

static void put_refusals(FILE *f, const struct counters *n)
{
	family(f, "readyd_sessions_refused", "counter", NULL,
		"Connections that got no session, by the error they were told.");
	for (unsigned int e = 1; e < COUNTERS_ERRORS; e++)
		if (n->refused[e])
			fprintf(f, "readyd_sessions_refused_total{error=\"%s\"} %llu\n",
				wire_error_name(e), (unsigned long long)n->refused[e]);
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* The supervisor's own; those of agents are in the control group of the service. */
static void put_time(FILE *f, const struct supervisor *sv)
{
	struct rusage u = {0};

	getrusage(RUSAGE_SELF, &u);
	family(f, "readyd_uptime_seconds", "gauge", "seconds", "Time since readyd started.");
	fprintf(f, "readyd_uptime_seconds %.3f\n",
		(double)(rdy__now_ns() - sv->started_at_ns) / (double)RDY__NS_PER_S);
	family(f, "readyd_cpu_seconds", "counter", "seconds",
		"Time of CPUs that readyd itself has used, agents not counted.");
	fprintf(f, "readyd_cpu_seconds_total %.6f\n", seconds(&u.ru_utime) + seconds(&u.ru_stime));
}

static void put_daemon(FILE *f, struct supervisor *sv)
{
	const struct conf *c = &sv->options->conf;
	const struct counters *n = &sv->counters;
	size_t n_agents = 0;

	rdy__list_for_each (l, &sv->agents.all)
		n_agents++;
	family(f, "readyd_build", "info", NULL, "Which readyd this is.");
	fputs("readyd_build_info{version=\"" READYD_VERSION "\"} 1\n", f);
	put_time(f, sv);
	gauge(f, "readyd_agents", "Agents, one for each user that is served.", n_agents);
	gauge(f, "readyd_agents_limit", "The key limits.uids.", c->limit_uids);
	gauge(f, "readyd_sessions_limit", "The key limits.sessions.", c->limit_sessions);
	gauge(f, "readyd_control_connections", "Connections to the control socket.",
		sv->controls.n);
	gauge(f, "readyd_users_frozen", "Users whose sessions are frozen.", sv->frozen.n);
	gauge(f, "readyd_processes_stuck", "Killed processes that the kernel does not let go.",
		control_words_wedged(sv, (uid_t)-1));
	gauge(f, "readyd_config_generation",
		"Goes up with each reload; 1 is what was read at the start.",
		sv->reload.generation);
	gauge(f, "readyd_config_refused", "1: the last reload was refused.",
		sv->reload.refused_at_ns != 0);
	counter(f, "readyd_reloads", "Reloads that counted.", n->reloads);
	counter(f, "readyd_reloads_refused", "Reloads with a mistake in a file.",
		n->reloads_refused);
	counter(f, "readyd_sessions_opened", "Connections that got a session.", n->sessions);
	put_refusals(f, n);
	counter(f, "readyd_control_opened", "Connections to the control socket that were served.",
		n->controls);
	counter(f, "readyd_control_refused", "Connections to the control socket that were not.",
		n->controls_refused);
	counter(f, "readyd_agents_started", "Agents that were started.", n->agents_started);
	counter(f, "readyd_agents_wedged", "Agents that did not answer in time and were killed.",
		n->agents_wedged);
	counter(f, "readyd_agents_lost", "Agents that ended without being told to.",
		n->agents_lost);
}

void control_metrics_reply(struct supervisor *sv, struct control *c)
{
	char *text = NULL;
	size_t n_text = 0;
	FILE *f = open_memstream(&text, &n_text);
	bool bad;

	if (!f) {
		control_busy(c, "memory");
		return;
	}
	if (c->sees_all)
		put_daemon(f, sv);
	put_users(f, c->job.rows, sv->options->conf.metrics_per_uid);
	fputs("# EOF\n", f);
	bad = ferror(f);
	if (fclose(f) != 0 || bad)
		control_busy(c, "memory");
	else
		control_reply(c, json_pack("{s:s}", "text", text), false);
	free(text);
}
