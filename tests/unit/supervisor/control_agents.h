/* SPDX-License-Identifier: MIT */
/* Two control connections and three agents that the test plays, for the tests of calls that agents have a part in. */
#ifndef CONTROL_AGENTS_H
#define CONTROL_AGENTS_H

#include "control_rig.h"

static struct rig r;
static uint64_t root, user; /* connections: of an administrator, of uid 1000 */
static char text[256];

/* Agents 0 (our own uid, which pumps), 1 (uid 1000), 2 (uid 1001). */
static inline void start(const char *const *conf)
{
	rig_init(&r, conf);
	rig_agent(&r, geteuid());
	rig_agent(&r, 100000);
	rig_agent(&r, 100001);
	root = rig_connect(&r, 0, 0, true);
	user = rig_connect(&r, 0, 100000, false);
}

static inline void setup(void)
{
	unit_setup();
}

static inline void teardown(void)
{
	rig_deinit(&r);
	unit_teardown();
}

static inline void call(uint64_t c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	rig_call(&r, 0, c, text);
}

static inline void explain(uint64_t c, const char *what)
{
	call(c, "{\"method\":\"io.readyd.Explain\",\"parameters\":{\"what\":\"%s\"}}", what);
}

/* One of an array's sentences has that in it. */
static inline bool says(const json_t *parameters, const char *array, const char *part)
{
	json_t *s;
	size_t i;

	json_array_foreach(json_object_get(parameters, array), i,
		s) if (strstr(json_string_value(s), part)) return true;
	return false;
}

static inline size_t size_of(const struct control_reply *reply, const char *array)
{
	const json_t *a = json_object_get(reply->parameters, array);

	ck_assert(json_is_array(a));
	return json_array_size(a);
}

static inline struct channel_row_session session_row(uint64_t number)
{
	return (struct channel_row_session){.session = number,
		.since_ns = rdy__now_ns() - RDY__NS_PER_S,
		.pid = 4321,
		.name = "a client"};
}

#endif
