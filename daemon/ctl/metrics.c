/* SPDX-License-Identifier: MIT */
/* readyctl metrics: the OpenMetrics text of the daemon, as it is or as Prometheus had it before. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "control.h"

/*
 * A line of OpenMetrics as Prometheus' older text format has it, which node_exporter and promtool read: no units, no end, no
 * type "info", and a counter's type and help are those of its samples' name. *ret_suffix is of the family, from its TYPE.
 */
static void put_prometheus(const char *line, size_t n, const char **ret_suffix)
{
	char word[8], name[128], type[16] = "";
	int at = 0;

	if (sscanf(line, "# %7s %127s%n", word, name, &at) < 2 || (size_t)at > n) {
		if (line[0] != '#')
			printf("%.*s\n", (int)n, line);
		return;
	}
	if (strcmp(word, "TYPE") == 0) {
		sscanf(line + at, " %15s", type);
		*ret_suffix = strcmp(type, "counter") == 0 ? "_total"
			      : strcmp(type, "info") == 0  ? "_info"
							   : "";
		printf("# TYPE %s%s %s\n", name, *ret_suffix,
			strcmp(type, "info") == 0 ? "gauge" : type);
	} else if (strcmp(word, "HELP") == 0) {
		printf("# HELP %s%s%.*s\n", name, *ret_suffix, (int)n - at, line + at);
	}
}

static void put_text(const struct ctl_options *o, const char *text)
{
	const char *suffix = "";

	if (!o->prometheus) {
		fputs(text, stdout);
		return;
	}
	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		put_prometheus(text, n, &suffix);
	}
}

int ctl_metrics(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c = CTL_CALL_NULL;
	const json_t *reply;
	const char *text;
	bool more;
	int r = ctl_call_open(&c, path, o->answer_ns, CONTROL_METRICS, json_object(), p);

	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0 && o->json) {
		r = ctl_put_json(o, reply, p);
	} else if (r == 0) {
		text = json_string_value(json_object_get(reply, "text"));
		put_text(o, text ? text : "");
	}
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
