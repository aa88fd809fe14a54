/* SPDX-License-Identifier: MIT */
/* readyctl status: the daemon on one screen, what needs a look marked by '!'. */
#include <stdio.h>

#include "call.h"
#include "color.h"
#include "control.h"
#include "words.h"

static long long get(const json_t *s, const char *key)
{
	return (long long)json_integer_value(json_object_get(s, key));
}

static const char *text(const json_t *s, const char *key)
{
	const char *t = json_string_value(json_object_get(s, key));

	return t ? t : "-";
}

/* "  NAME  1,234" with the number's width free. */
static void put_count(const char *name, const json_t *s, const char *key, const char *max_key)
{
	char n[32];

	ctl_words_count(json_object_get(s, key), n, sizeof(n));
	printf("%s %s", name, n);
	if (max_key) {
		ctl_words_count(json_object_get(s, max_key), n, sizeof(n));
		printf("/%s", n);
	}
}

static void put_users(const char *mark, const char *what, const json_t *uids, const char *hint)
{
	char name[64];

	for (size_t i = 0; i < json_array_size(uids); i++) {
		ctl_words_user(json_integer_value(json_array_get(uids, i)), name, sizeof(name));
		printf("  %s the agent of %s %s: %s%s\n", mark, name, what, hint, name);
	}
}

static void put_configuration(const json_t *c, const char *mark)
{
	const json_t *refused = json_object_get(c, "refused");
	char age[32];

	ctl_words_age(json_object_get(c, "age"), age, sizeof(age));
	printf("  config generation %lld, loaded %s ago from %lld file%s\n", get(c, "generation"),
		age, get(c, "files"), get(c, "files") == 1 ? "" : "s");
	if (json_is_number(refused)) {
		ctl_words_age(refused, age, sizeof(age));
		printf("  %s a reload was refused %s ago: readyctl config check\n", mark, age);
	}
	if (get(c, "pending"))
		printf("  %s %lld key%s of it wait%s for a restart: readyctl config show\n", mark,
			get(c, "pending"), get(c, "pending") == 1 ? "" : "s",
			get(c, "pending") == 1 ? "s" : "");
}

static void put_status(const json_t *s, bool color)
{
	const char *mark = color ? CTL_COLOR_LOOK "!" CTL_COLOR_END : "!";
	char up[32];

	ctl_words_age(json_object_get(s, "uptime"), up, sizeof(up));
	printf("readyd %s, running %s, %s instance, pid %lld, log level %s\n", text(s, "version"),
		up, text(s, "instance"), get(s, "pid"), text(s, "log_level"));
	put_count("  agents", s, "agents", "agents_max");
	printf(" (%lld thread%s)", get(s, "reactors"), get(s, "reactors") == 1 ? "" : "s");
	put_count("   sessions", s, "sessions", "sessions_max");
	put_count("   control", s, "control", "control_max");
	putchar('\n');
	put_count("  registrations", s, "registrations", NULL);
	put_count("   descriptors", s, "descriptors", NULL);
	putchar('\n');
	put_count("  events", s, "events", NULL);
	put_count("   requests", s, "requests", NULL);
	put_count("   floods paused", s, "paused", NULL);
	putchar('\n');
	put_configuration(json_object_get(s, "configuration"), mark);
	put_users(mark, "is frozen", json_object_get(s, "frozen"), "readyctl thaw uid:");
	put_users(mark, "does not answer", json_object_get(s, "silent"), "readyctl explain uid:");
	if (get(s, "wedged"))
		printf("  %s %lld killed process%s the kernel does not let go: readyctl explain "
		       "uid:USER\n",
			mark, get(s, "wedged"), get(s, "wedged") == 1 ? "" : "es");
	if (get(s, "surprises"))
		printf("  %s %lld unexpected answers of the kernel: see the log\n", mark,
			get(s, "surprises"));
	if (text(s, "scope")[0] == 'o')
		puts("  (of you alone: only administrators see all users)");
}

int ctl_status(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c;
	const json_t *reply;
	bool more;
	int r = ctl_call_open(&c, path, o->answer_ns, CONTROL_STATUS, json_object(), p);

	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0 && o->json)
		r = ctl_put_json(o, reply, p);
	else if (r == 0)
		put_status(reply, o->color_out);
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
