/* SPDX-License-Identifier: MIT */
/* readyctl metrics: the daemon's OpenMetrics text as it is. */
#include <stdio.h>

#include "call.h"
#include "control.h"

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
		fputs(text ? text : "", stdout);
	}
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
