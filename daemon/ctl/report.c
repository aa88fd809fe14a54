/* SPDX-License-Identifier: MIT */
/*
 * readyctl report: what a developer asks for first, without what is nobody's business: names of users, programs and files,
 * and what clients chose. Each part fails by itself, with its reason in its place; without a readyd there is less in it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "call.h"
#include "control.h"

#define LEFT_OUT "(left out)"
#define RELEASE "/etc/os-release" /* os-release(5) */

static const struct part {
	const char *title;
	enum control_method method;
} parts[] = {
	{"status", CONTROL_STATUS},
	{"whoami", CONTROL_WHO_AM_I},
	{"configuration", CONTROL_GET_CONFIGURATION},
	{"agents", CONTROL_LIST_AGENTS},
	{"sessions", CONTROL_LIST_SESSIONS},
	{"registrations", CONTROL_LIST_REGISTRATIONS},
	{"metrics", CONTROL_METRICS},
};

/* Members whose text somebody chose. */
static bool is_private(const char *key)
{
	static const char *const keys[] = {
		"cookie", "error", "file", "files", "id", "name", "where"};

	for (size_t i = 0; i < RDY__ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* A key of the configuration whose value names somebody or something. */
static bool names_something(const char *key)
{
	const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;

	return strcmp(last, "group") == 0 || strcmp(last, "path") == 0 ||
	       strcmp(key, "user") == 0 || strcmp(key, "policy") == 0 ||
	       strcmp(key, "quota.uid_ranges") == 0;
}

/* A row of the configuration: those at their defaults are known. Returns false for these. */
static bool redact_row(json_t *row)
{
	const char *key = json_string_value(json_object_get(row, "key")),
		   *origin = json_string_value(json_object_get(row, "origin"));

	if (!key || !origin || strcmp(origin, "default") == 0)
		return false;
	if (names_something(key)) {
		json_object_set_new(row, "value", json_string(LEFT_OUT));
		json_object_set_new(row, "pending", json_null());
	}
	if (strncmp(key, "quota.users.", 12) == 0) {
		const char *dot = strrchr(key, '.');
		char without[64];

		snprintf(without, sizeof(without), "quota.users.*%s", dot);
		json_object_set_new(row, "key", json_string(without));
	}
	return true;
}

static void redact_keys(json_t *keys)
{
	for (size_t i = json_array_size(keys); i-- > 0;)
		if (!redact_row(json_array_get(keys, i)))
			json_array_remove(keys, i);
}

/* In place. A whole quota's name is a word of ours, and stays. */
static void redact(json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;
	void *next;

	if (json_is_array(value))
		json_array_foreach(value, i, member) redact(member);
	redact_keys(json_object_get(value, "keys"));
	json_object_foreach_safe(value, next, key, member)
	{
		if (is_private(key) && !json_is_null(member) && !json_is_integer(member) &&
			!json_object_get(value, "limit"))
			json_object_set_new(value, key, json_string(LEFT_OUT));
		else
			redact(member);
	}
}

static json_t *failure(const struct ctl_problem *p)
{
	/* The words may have a path in them; the name of the error says as much. */
	return json_pack("{s:s, s:i}", "failed", p->error, "exit", p->exit);
}

/* All pages of one call, redacted, or how it failed. */
static json_t *ask(const struct ctl_options *o, const char *path, enum control_method method)
{
	struct ctl_problem p = {.exit = 0};
	struct ctl_call c = CTL_CALL_NULL;
	json_t *pages = json_array();
	const json_t *reply;
	bool more = true;
	int r = ctl_call_open(&c, path, o->answer_ns, method, json_object(), &p);

	while (r == 0 && more) {
		r = ctl_call_next(&c, &reply, &more, &p);
		if (r == 0)
			json_array_append_new(pages, json_deep_copy(reply));
	}
	ctl_call_close(&c);
	redact(pages);
	if (r != 0) {
		json_decref(pages);
		return failure(&p);
	}
	if (json_array_size(pages) == 1) {
		json_t *page = json_incref(json_array_get(pages, 0));

		json_decref(pages);
		return page;
	}
	return pages;
}

static json_t *distribution(void)
{
	char line[256], name[128];
	FILE *f = fopen(RELEASE, "re");
	json_t *found = NULL;

	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "PRETTY_NAME=\"%127[^\"]\"", name) == 1)
			found = json_string(name);
	if (f)
		fclose(f);
	return found ? found : json_null();
}

static json_t *machine(void)
{
	struct utsname u = {0};

	uname(&u); /* not its nodename */
	return json_pack("{s:s, s:s, s:s, s:o, s:[s, s, s]}", "readyctl", READYD_VERSION, "kernel",
		u.release, "machine", u.machine, "distribution", distribution(), "left_out",
		"names of users, programs and files", "ids and cookies of clients",
		"texts of errors");
}

/* For people: the metrics are a text of their own. */
static int put_text(const struct ctl_options *o, json_t *report, struct ctl_problem *p)
{
	struct ctl_options pretty = *o;
	json_t *metrics = json_incref(json_object_get(report, "metrics"));
	const char *text = json_string_value(json_object_get(metrics, "text"));
	int r;

	if (text)
		json_object_del(report, "metrics");
	pretty.pretty = true;
	puts("A report for developers of readyd. Please look through it before you send it.");
	r = ctl_put_json(&pretty, report, p);
	if (text)
		fputs(text, stdout);
	json_decref(metrics);
	return r;
}

int ctl_report(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	json_t *report = json_pack("{s:o}", "machine", machine());
	int r;

	for (size_t i = 0; i < RDY__ARRAY_SIZE(parts); i++)
		json_object_set_new(report, parts[i].title, ask(o, path, parts[i].method));
	r = o->json ? ctl_put_json(o, report, p) : put_text(o, report, p);
	json_decref(report);
	return r ? r : ctl_flush(p);
}
