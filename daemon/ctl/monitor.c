/* SPDX-License-Identifier: MIT */
/* readyctl monitor: what happens, a line for each, until nobody reads it or readyd ends. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "call.h"
#include "control.h"
#include "errors.h"
#include "words.h"

static void put_line(const json_t *e)
{
	const json_t *uid = json_object_get(e, "uid"), *pid = json_object_get(e, "pid"),
		     *session = json_object_get(e, "session"),
		     *detail = json_object_get(e, "detail");
	const char *time = json_string_value(json_object_get(e, "time"));
	char word[32], text[256];

	ctl_words_text(json_object_get(e, "event"), word, sizeof(word));
	/* Of a day nobody reads the date; --json has it. */
	printf("%.12s %-14s", time && strlen(time) > 11 ? time + 11 : "-", word);
	if (json_is_integer(uid)) {
		ctl_words_user(json_integer_value(uid), text, sizeof(text));
		printf(" user=%s", text);
	}
	if (json_is_integer(session))
		printf(" session=%lld", (long long)json_integer_value(session));
	if (json_is_integer(pid))
		printf(" pid=%lld", (long long)json_integer_value(pid));
	if (json_is_string(detail)) {
		ctl_words_text(detail, text, sizeof(text));
		printf(" %s", text);
	}
	putchar('\n');
}

static int put_page(const struct ctl_options *o, const json_t *page, struct ctl_problem *p)
{
	const json_t *events = json_object_get(page, "events");
	json_int_t lost = json_integer_value(json_object_get(page, "lost"));

	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		int r = 0;

		if (o->json)
			r = ctl_put_json(o, event, p);
		else
			put_line(event);
		if (r)
			return r;
	}
	if (lost)
		ctl_note(o->quiet, "%lld events were missed: what reads this is too slow",
			(long long)lost);
	return ctl_flush(p);
}

/* Whole seconds, none less than asked for. An older readyd knows no parameter. */
static json_t *parameters(const struct ctl_options *o)
{
	int64_t since_s = o->since_ns ? (o->since_ns - 1) / RDY__NS_PER_S + 1 : 0;

	if (!since_s)
		return json_object();
	return json_pack("{s:I}", "since", (json_int_t)(since_s < INT32_MAX ? since_s : INT32_MAX));
}

int ctl_monitor(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c = CTL_CALL_NULL;
	const json_t *page;
	bool more = true;
	int r = ctl_call_open(&c, path, o->answer_ns, CONTROL_MONITOR, parameters(o), p);

	while (r == 0 && more) {
		r = ctl_call_next(&c, &page, &more, p);
		/* The first page comes at once, the next one when something happens. */
		c.answer_ns = INT64_MAX / 2;
		if (r == 0)
			r = put_page(o, page, p);
	}
	ctl_call_close(&c);
	return r;
}
