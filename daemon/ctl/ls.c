/* SPDX-License-Identifier: MIT */
/* readyctl ls: sessions, registrations or agents, as a table, or an object a line as they come. */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "call.h"
#include "columns.h"
#include "control.h"
#include "table.h"
#include "words.h"

#define CELL(name, key, words) \
	static void name(const json_t *row, char *buf) \
	{ \
		words(json_object_get(row, key), buf, CTL_CELL_BYTES); \
	}

static void user(const json_t *row, char *buf)
{
	ctl_words_user(json_integer_value(json_object_get(row, "uid")), buf, CTL_CELL_BYTES);
}

static void number(const json_t *value, char *buf, size_t n)
{
	if (json_is_integer(value))
		snprintf(buf, n, "%lld", (long long)json_integer_value(value));
	else
		snprintf(buf, n, "-");
}

CELL(session, "session", number)
CELL(pid, "pid", number)
CELL(name, "name", ctl_words_text)
CELL(state, "state", ctl_words_text)
CELL(age, "age", ctl_words_age)
CELL(registrations, "registrations", ctl_words_count)
CELL(ready, "ready", ctl_words_count)
CELL(events, "events", ctl_words_count)
CELL(cookie, "cookie", ctl_words_text)
CELL(kind, "kind", ctl_words_text)
CELL(mode, "mode", ctl_words_text)
CELL(interest, "interest", ctl_words_list)
CELL(pending, "pending", ctl_words_list)
CELL(seq, "seq", number)
CELL(at, "at", ctl_words_age)
CELL(idle, "idle", ctl_words_age)
CELL(sessions, "sessions", ctl_words_count)
CELL(descriptors, "descriptors", ctl_words_count)

static void agent_state(const json_t *row, char *buf)
{
	if (json_is_true(json_object_get(row, "frozen")))
		snprintf(buf, CTL_CELL_BYTES, "frozen");
	else
		state(row, buf);
}

static void reactors(const json_t *row, char *buf)
{
	const json_t *all = json_object_get(row, "reactors");

	if (json_is_array(all))
		snprintf(buf, CTL_CELL_BYTES, "%zu", json_array_size(all));
	else
		snprintf(buf, CTL_CELL_BYTES, "-");
}

static const struct ctl_column session_columns[] = {
	{"SESSION", true, session},
	{"USER", false, user},
	{"PID", true, pid},
	{"NAME", false, name},
	{"STATE", false, state},
	{"AGE", true, age},
	{"REGS", true, registrations},
	{"READY", true, ready},
	{"EVENTS", true, events},
};
static const struct ctl_column registration_columns[] = {
	{"SESSION", true, session},
	{"COOKIE", true, cookie},
	{"KIND", false, kind},
	{"MODE", false, mode},
	{"STATE", false, state},
	{"WANTS", false, interest},
	{"PENDING", false, pending},
	{"SEQ", true, seq},
	{"AT", true, at},
	{"IDLE", true, idle},
};
static const struct ctl_column agent_columns[] = {
	{"USER", false, user},
	{"PID", true, pid},
	{"STATE", false, agent_state},
	{"AGE", true, age},
	{"THREADS", true, reactors},
	{"SESS", true, sessions},
	{"REGS", true, registrations},
	{"FDS", true, descriptors},
	{"EVENTS", true, events},
};

static const struct list {
	enum control_method method;
	const char *key;
	const struct ctl_column *columns;
	size_t n_columns;
} lists[] = {
	[CTL_LIST_SESSIONS] = {CONTROL_LIST_SESSIONS, "sessions", session_columns,
		RDY__ARRAY_SIZE(session_columns)},
	[CTL_LIST_REGISTRATIONS] = {CONTROL_LIST_REGISTRATIONS, "registrations",
		registration_columns, RDY__ARRAY_SIZE(registration_columns)},
	[CTL_LIST_AGENTS] = {CONTROL_LIST_AGENTS, "agents", agent_columns,
		RDY__ARRAY_SIZE(agent_columns)},
};

static int make_parameters(const struct ctl_options *o, json_t **ret, struct ctl_problem *p)
{
	json_t *parameters = json_object();
	int64_t uid;

	if (o->uid) {
		int r = ctl_find_uid(o->uid, &uid, p);

		if (r) {
			json_decref(parameters);
			return r;
		}
		json_object_set_new(parameters, "uid", json_integer(uid));
	}
	if (o->session)
		json_object_set_new(parameters, "session", json_integer((json_int_t)o->session));
	*ret = parameters;
	return 0;
}

/* One page. Returns 0 or an exit code. */
static int put_page(const struct ctl_options *o, const struct list *l, const json_t *page,
	struct libscols_table *t, struct ctl_problem *p)
{
	const json_t *rows = json_object_get(page, l->key),
		     *silent = json_object_get(page, "silent");
	char name[64];

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		int r = 0;

		if (o->json)
			r = ctl_put_json(o, row, p);
		else if (ctl_table_add(t, l->columns, l->n_columns, row) < 0)
			r = ctl_problem_errno(p, "make the table", -ENOMEM);
		if (r)
			return r;
	}
	for (size_t i = 0; i < json_array_size(silent); i++) {
		ctl_words_user(json_integer_value(json_array_get(silent, i)), name, sizeof(name));
		ctl_note(o->quiet,
			"the agent of %s does not answer and is replaced: its rows are missing",
			name);
	}
	return 0;
}

int ctl_ls(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_column columns[CTL_COLUMNS_MAX];
	struct list list = lists[o->list];
	const struct list *l = &list;
	struct libscols_table *t = NULL;
	struct ctl_call c = CTL_CALL_NULL;
	json_t *parameters;
	bool more = true;
	int r = ctl_columns_choose(
		l->columns, l->n_columns, o->columns, columns, &list.n_columns, p);

	list.columns = columns;
	if (r == 0)
		r = make_parameters(o, &parameters, p);
	if (r == 0)
		r = ctl_call_open(&c, path, o->answer_ns, l->method, parameters, p);
	if (r == 0 && !o->json) {
		t = ctl_table_new(l->columns, l->n_columns, o->color_out);
		if (t)
			scols_table_enable_noheadings(t, o->no_header);
		else
			r = ctl_problem_errno(p, "make the table", -ENOMEM);
	}
	while (r == 0 && more) {
		const json_t *page;

		r = ctl_call_next(&c, &page, &more, p);
		if (r == 0)
			r = put_page(o, l, page, t, p);
		/* A reader that has left ends it at once. */
		if (r == 0 && o->json)
			r = ctl_flush(p);
	}
	ctl_call_close(&c);
	if (t && r == 0 && scols_table_is_empty(t))
		ctl_note(o->quiet, "there are none%s", geteuid() == 0 ? "" : " of yours");
	/* What has come is shown, also when the rest did not. */
	if (t)
		ctl_table_print(t, stdout);
	return r ? r : ctl_flush(p);
}
