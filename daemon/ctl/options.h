/* SPDX-License-Identifier: MIT */
/* readyctl's command line. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

/* How long the daemon may take to answer what it must answer. */
#define CTL_ANSWER_NS INT64_C(5000000000)

#define CTL_NAME_MAX 128u /* bytes of a registration's name */
#define CTL_PATH_MAX 108u /* of a socket address, with its NUL */

enum ctl_verb {
	CTL_VERB_HELP, /* also no verb at all */
	CTL_VERB_WAIT,
	CTL_VERB_WATCH,
	CTL_VERB_DEMO,
	CTL_VERB_VERSION,
	/* over the control socket */
	CTL_VERB_STATUS,
	CTL_VERB_LS,
	CTL_VERB_EXPLAIN,
	CTL_VERB_KICK,
	CTL_VERB_FREEZE,
	CTL_VERB_THAW,
	CTL_VERB_LOG_LEVEL,
	CTL_VERB_CONFIG,
	CTL_VERB_RELOAD,
	CTL_VERB_METRICS,
	CTL_VERB_TOP,
	CTL_VERB_MONITOR,
	CTL_VERB_WHOAMI,
	CTL_VERB_REPORT,
};

enum ctl_list { CTL_LIST_SESSIONS, CTL_LIST_REGISTRATIONS, CTL_LIST_AGENTS };

enum ctl_color { CTL_COLOR_AUTO, CTL_COLOR_ALWAYS, CTL_COLOR_NEVER };

/* NAME=FD[:in,out,pri,hup] */
struct ctl_name {
	char name[CTL_NAME_MAX + 1];
	int fd;
	uint32_t interest; /* RDY_* */
};

struct ctl_options {
	enum ctl_verb verb;
	const char *help_for;	/* a verb's name, or NULL: the overview */
	const char *socket;	/* --socket, or NULL */
	int64_t timeout_ns;	/* < 0: for ever */
	int64_t idle_ns;	/* 0: silence is not told */
	struct ctl_name *names; /* owned */
	size_t n_names;
	bool json, quiet, user, local, ack, level;
	enum ctl_color color;
	bool color_out; /* what follows of it for standard output: main() by ctl_color() */
	/* of the control verbs */
	bool pretty;	    /* --json=pretty */
	enum ctl_list list; /* ls */
	const char *target; /* explain, kick, freeze, thaw, config; log-level: may be NULL */
	const char *uid;    /* ls --uid: a name or number, or NULL */
	int64_t since_ns;   /* monitor --since; 0: from now on */
	bool prometheus;    /* metrics --format */
	bool once;	    /* top: one look; demo: a few seconds */
	bool can;	    /* explain --can: target is a user */
	const char *can_verb, *can_names; /* "inspect", "self:*" */
	uint64_t session;		  /* ls --session, 0 = all */
	const char *columns;		  /* ls -o: names and commas; NULL: all */
	bool no_header;			  /* ls */
	int64_t answer_ns;		  /* how long an answer may take */
};

#define CTL_OPTIONS_NULL \
	(struct ctl_options) \
	{ \
		.timeout_ns = -1, .answer_ns = CTL_ANSWER_NS \
	}

/* Parse; *o must be CTL_OPTIONS_NULL, and needs deinit also after a failure. Touches nothing outside. */
int ctl_options_parse(struct ctl_options *o, int argc, char *const argv[], struct ctl_problem *p);
void ctl_options_deinit(struct ctl_options *o);

/* Is it a verb of the control socket? */
bool ctl_options_control(const struct ctl_options *o);

/*
 * Where the daemon's socket for this verb is: --socket, the user's instance, $READYD_SOCKET, the system's. The
 * variable names the session socket; the control socket is looked for beside it.
 * env_*: the values of READYD_SOCKET and XDG_RUNTIME_DIR or NULL. path has room for CTL_PATH_MAX.
 */
int ctl_options_path(const struct ctl_options *o, const char *env_socket, const char *env_runtime,
	char *path, struct ctl_problem *p);

#endif
