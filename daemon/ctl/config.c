/* SPDX-License-Identifier: MIT */
/* readyctl reload, config show, check, diff: what is in force, where it is from, and what the files would change. */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "call.h"
#include "control.h"
#include "table.h"
#include "words.h"

static const char *get(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void key(const json_t *row, char *buf)
{
	ctl_words_text(json_object_get(row, "key"), buf, CTL_CELL_BYTES);
}

static void value(const json_t *row, char *buf)
{
	const char *pending = get(row, "pending");

	if (pending[0])
		snprintf(buf, CTL_CELL_BYTES, "%.40s (then %.40s)", get(row, "value"), pending);
	else
		ctl_words_text(json_object_get(row, "value"), buf, CTL_CELL_BYTES);
}

static void origin(const json_t *row, char *buf)
{
	const char *file = get(row, "file");

	if (file[0])
		snprintf(buf, CTL_CELL_BYTES, "%.110s:%lld", file,
			(long long)json_integer_value(json_object_get(row, "line")));
	else
		snprintf(buf, CTL_CELL_BYTES, "%.40s",
			strcmp(get(row, "origin"), "command") == 0 ? "command line"
								   : get(row, "origin"));
}

static const struct ctl_column columns[] = {
	{"KEY", false, key},
	{"VALUE", false, value},
	{"FROM", false, origin},
};

static int show(const json_t *reply, bool color, struct ctl_problem *p)
{
	struct libscols_table *t = ctl_table_new(columns, RDY__ARRAY_SIZE(columns), color);
	const json_t *keys = json_object_get(reply, "keys");

	if (!t)
		return ctl_problem_errno(p, "make the table", -ENOMEM);
	for (size_t i = 0; i < json_array_size(keys); i++) {
		if (ctl_table_add(t, columns, RDY__ARRAY_SIZE(columns), json_array_get(keys, i)) <
			0) {
			scols_unref_table(t);
			return ctl_problem_errno(p, "make the table", -ENOMEM);
		}
	}
	ctl_table_print(t, stdout);
	return 0;
}

static void put_changes(const json_t *all, const char *what)
{
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *change = json_array_get(all, i);
		char from[CTL_CELL_BYTES], name[CTL_CELL_BYTES];

		key(change, name);
		origin(change, from);
		printf("  %s: %s, was %s   (%s%s)\n", name, get(change, "value"),
			get(change, "was"), from, what);
	}
}

/* changed and restart of a reply; now: they have happened. */
static void put_difference(const json_t *reply)
{
	put_changes(json_object_get(reply, "changed"), "");
	put_changes(json_object_get(reply, "restart"), ", at a restart");
}

static void put_counts(const char *begin, const json_t *reply, const char *changed)
{
	size_t n = json_array_size(json_object_get(reply, "changed")),
	       n_restart = json_array_size(json_object_get(reply, "restart")),
	       n_files = json_array_size(json_object_get(reply, "files"));

	printf("%s: %zu file%s, %zu key%s %s", begin, n_files, n_files == 1 ? "" : "s", n,
		n == 1 ? "" : "s", changed);
	if (n_restart)
		printf(", %zu wait%s for a restart", n_restart, n_restart == 1 ? "s" : "");
	putchar('\n');
}

/* What is wrong with the files, in the daemon's words. The reply is the error. */
static int refused(const json_t *e, bool reload, struct ctl_problem *p)
{
	const char *where = get(e, "where");
	char age[32];

	ctl_words_age(json_object_get(e, "age"), age, sizeof(age));
	ctl_problem_set(p, CTL_FAILED, "BAD_CONFIGURATION", "%s%s%s", where, where[0] ? ": " : "",
		get(e, "what"));
	if (reload)
		ctl_problem_why(p, "%s; nothing has changed: still generation %lld of %s ago",
			get(e, "why"),
			(long long)json_integer_value(json_object_get(e, "generation")), age);
	else
		ctl_problem_why(p, "%s", get(e, "why"));
	ctl_problem_hint(p, "%s", get(e, "fix"));
	return p->exit;
}

static int put(const struct ctl_options *o, const json_t *reply, struct ctl_problem *p)
{
	if (o->json)
		return ctl_put_json(o, reply, p);
	if (o->verb == CTL_VERB_RELOAD) {
		char begin[64];

		snprintf(begin, sizeof(begin), "reloaded, generation %lld",
			(long long)json_integer_value(json_object_get(reply, "generation")));
		if (!o->quiet)
			put_counts(begin, reply, "changed");
		if (!o->quiet)
			put_difference(reply);
	} else if (strcmp(o->target, "show") == 0) {
		return show(reply, o->color_out, p);
	} else if (strcmp(o->target, "check") == 0) {
		put_counts("the configuration is good", reply, "would change");
	} else {
		put_difference(reply);
	}
	return 0;
}

int ctl_config(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	enum control_method method = o->verb == CTL_VERB_RELOAD	      ? CONTROL_RELOAD
				     : strcmp(o->target, "show") == 0 ? CONTROL_GET_CONFIGURATION
								      : CONTROL_CHECK_CONFIGURATION;
	struct ctl_call c = CTL_CALL_NULL;
	const json_t *reply;
	bool more;
	int r = ctl_call_open(&c, path, o->answer_ns, method, json_object(), p);

	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r && c.reply.error == CONTROL_E_BAD_CONFIGURATION)
		r = refused(c.reply.parameters, o->verb == CTL_VERB_RELOAD, p);
	else if (r == 0)
		r = put(o, reply, p);
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
