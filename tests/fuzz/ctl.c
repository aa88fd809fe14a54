/* SPDX-License-Identifier: MIT */
/*
 * readyctl's command line. Input: one argument a line. A failure has its exit code, name and three
 * sentences; a success has options that go together.
 */
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define ARGUMENTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void must_be_problem(const struct ctl_problem *p, int r)
{
	must(r == CTL_USAGE && p->exit == r && p->error[0] && p->what[0] && p->why[0] &&
		p->hint[0]);
	must(strnlen(p->what, sizeof(p->what)) < sizeof(p->what));
	must(strnlen(p->why, sizeof(p->why)) < sizeof(p->why));
	must(strnlen(p->hint, sizeof(p->hint)) < sizeof(p->hint));
}

static void must_be_options(const struct ctl_options *o)
{
	bool watches = o->verb == CTL_VERB_WAIT || o->verb == CTL_VERB_WATCH;

	must(watches == (o->n_names > 0));
	must(o->local + o->user + (o->socket != NULL) <= 1 || o->verb == CTL_VERB_HELP);
	for (size_t i = 0; i < o->n_names; i++) {
		const struct ctl_name *n = &o->names[i];

		must(ctl_name_is_valid(n->name, strlen(n->name)) && n->fd >= 0 && n->interest);
	}
}

static void run(int argc, char **argv)
{
	struct ctl_options o = CTL_OPTIONS_NULL;
	struct ctl_problem p;
	char path[CTL_PATH_MAX];
	int r;

	memset(&p, 0, sizeof(p));
	r = ctl_options_parse(&o, argc, argv, &p);
	if (r)
		must_be_problem(&p, r);
	else
		must_be_options(&o);
	if (r == 0) {
		const char *env = argc > 1 ? argv[argc - 1] : NULL;

		r = ctl_options_path(&o, NULL, env, path, &p);
		if (r)
			must_be_problem(&p, r);
		else
			must(strnlen(path, sizeof(path)) < sizeof(path));
	}
	ctl_options_deinit(&o);
	ctl_options_deinit(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[ARGUMENTS_MAX + 1] = {0};
	int argc = 0;

	argv[argc++] = strdup("readyctl");
	while (size && argc < ARGUMENTS_MAX) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		argv[argc++] = strndup((const char *)data, n);
		size -= end ? n + 1 : n;
		data += end ? n + 1 : n;
	}
	run(argc, argv);
	while (argc)
		free(argv[--argc]);
	return 0;
}
