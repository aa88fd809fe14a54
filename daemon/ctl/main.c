/* SPDX-License-Identifier: MIT */
/*
 * readyctl: wait for descriptors in a shell, by readyd or by this process itself; look at readyd and steer it.
 * One thread. Reads the environment and the standard descriptors here, and nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "color.h"
#include "control.h"
#include "help.h"
#include "options.h"
#include "verbs.h"

/* Before anything of ours is opened: a number that is free now would soon be a descriptor of our own. */
static int check_open(const struct ctl_options *o, struct ctl_problem *p)
{
	for (size_t i = 0; i < o->n_names; i++) {
		if (fcntl(o->names[i].fd, F_GETFD) >= 0)
			continue;
		ctl_problem_set(p, CTL_USAGE, "FD_NOT_OPEN", "%s: fd %d is not open",
			o->names[i].name, o->names[i].fd);
		ctl_problem_why(
			p, "readyctl has no such descriptor: it was closed, or is not inherited");
		ctl_problem_hint(
			p, "exec %d<>FILE in the same shell, before readyctl", o->names[i].fd);
		return p->exit;
	}
	return 0;
}

/* A standard descriptor that is closed would be taken by a socket of ours, and printed into. */
static int fill_standard(struct ctl_problem *p)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_NOCTTY) != fd)
			return ctl_problem_errno(p, "open /dev/null", -errno);
	return 0;
}

static int watching_verb(const struct ctl_options *o, struct ctl_problem *p)
{
	char path[CTL_PATH_MAX] = "";
	int r = check_open(o, p);

	/* A stream that nobody can read is over before it begins; waiting is good for its status alone. */
	if (r == 0 && o->verb == CTL_VERB_WATCH && fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return CTL_CLOSED;
	if (r == 0)
		r = fill_standard(p);
	if (r == 0 && !o->local)
		r = ctl_options_path(
			o, getenv("READYD_SOCKET"), getenv("XDG_RUNTIME_DIR"), path, p);
	if (r)
		return r;
	if (o->verb == CTL_VERB_DEMO)
		return ctl_demo(o, path, getenv("TMPDIR"), p);
	return o->verb == CTL_VERB_WAIT ? ctl_wait(o, path, p) : ctl_watch(o, path, p);
}

static int control_verb(const struct ctl_options *o, struct ctl_problem *p)
{
	char path[CTL_PATH_MAX] = "";
	int r = fill_standard(p);

	if (r == 0)
		r = ctl_options_path(
			o, getenv("READYD_SOCKET"), getenv("XDG_RUNTIME_DIR"), path, p);
	if (r)
		return r;
	switch (o->verb) {
	case CTL_VERB_STATUS:
		return ctl_status(o, path, p);
	case CTL_VERB_LS:
		return ctl_ls(o, path, p);
	case CTL_VERB_EXPLAIN:
		return o->can ? ctl_can(o, path, p) : ctl_explain(o, path, p);
	case CTL_VERB_WHOAMI:
		return ctl_whoami(o, path, p);
	case CTL_VERB_REPORT:
		return ctl_report(o, path, p);
	case CTL_VERB_METRICS:
		return ctl_metrics(o, path, p);
	case CTL_VERB_TOP:
		return ctl_top(o, path, p);
	case CTL_VERB_MONITOR:
		return ctl_monitor(o, path, p);
	case CTL_VERB_CONFIG:
	case CTL_VERB_RELOAD:
		return ctl_config(o, path, p);
	default:
		return ctl_act(o, path, p);
	}
}

static int run(const struct ctl_options *o, struct ctl_problem *p)
{
	int r = 0;

	if (ctl_options_control(o))
		return control_verb(o, p);
	switch (o->verb) {
	case CTL_VERB_WAIT:
	case CTL_VERB_WATCH:
	case CTL_VERB_DEMO:
		return watching_verb(o, p);
	case CTL_VERB_VERSION:
		printf(o->json ? "{\"version\":\"%s\"}\n" : "readyctl %s\n", READYD_VERSION);
		break;
	default: /* CTL_VERB_HELP */
		r = ctl_help(stdout, o->help_for, p);
		break;
	}
	if (r == 0 && fflush(stdout) != 0)
		r = errno == EPIPE ? CTL_CLOSED
				   : ctl_problem_errno(p, "write to standard output", -errno);
	return r;
}

int main(int argc, char *argv[])
{
	struct ctl_options o = CTL_OPTIONS_NULL;
	struct ctl_problem p = {.exit = 0};
	bool json, color;
	int r;

	/* A reader that has left is seen by the write, and ends us quietly. SIGINT just ends us. */
	signal(SIGPIPE, SIG_IGN);
	r = ctl_options_parse(&o, argc, argv, &p);
	o.color_out = ctl_color(o.color, isatty(STDOUT_FILENO), getenv("NO_COLOR"), getenv("TERM"));
	color = ctl_color(o.color, isatty(STDERR_FILENO), getenv("NO_COLOR"), getenv("TERM"));
	if (r == 0)
		r = run(&o, &p);
	json = o.json;
	ctl_options_deinit(&o);
	if (r == CTL_CLOSED)
		return CTL_OK;
	if (r != CTL_OK && r != CTL_TIMED_OUT)
		ctl_problem_print(&p, json, color);
	return r;
}
