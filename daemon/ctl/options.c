/* SPDX-License-Identifier: MIT */
/* readyctl's command line: options anywhere, a verb, names. Reads nothing but its arguments. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "parse.h"

#define WAIT (1u << CTL_VERB_WAIT)
#define WATCH (1u << CTL_VERB_WATCH)
#define DEMO (1u << CTL_VERB_DEMO)
#define VERSION (1u << CTL_VERB_VERSION)
#define LS (1u << CTL_VERB_LS)
#define ACTS \
	(1u << CTL_VERB_KICK | 1u << CTL_VERB_FREEZE | 1u << CTL_VERB_THAW | \
		1u << CTL_VERB_LOG_LEVEL)
#define RELOAD (1u << CTL_VERB_RELOAD)
#define TOP (1u << CTL_VERB_TOP)
#define MONITOR (1u << CTL_VERB_MONITOR)
#define CONTROL \
	(1u << CTL_VERB_STATUS | LS | 1u << CTL_VERB_EXPLAIN | ACTS | 1u << CTL_VERB_CONFIG | \
		RELOAD | 1u << CTL_VERB_METRICS | TOP | MONITOR | 1u << CTL_VERB_WHOAMI | \
		1u << CTL_VERB_REPORT)

static const struct {
	const char *name;
	enum ctl_verb verb;
	const char *target; /* a word it needs, as an example; NULL: none */
} verbs[] = {
	{"wait", CTL_VERB_WAIT, NULL},
	{"watch", CTL_VERB_WATCH, NULL},
	{"demo", CTL_VERB_DEMO, NULL},
	{"status", CTL_VERB_STATUS, NULL},
	{"ls", CTL_VERB_LS, NULL},
	{"explain", CTL_VERB_EXPLAIN, "session:12"},
	{"kick", CTL_VERB_KICK, "session:12"},
	{"freeze", CTL_VERB_FREEZE, "uid:1000"},
	{"thaw", CTL_VERB_THAW, "uid:1000"},
	{"log-level", CTL_VERB_LOG_LEVEL, NULL}, /* may have one */
	{"config", CTL_VERB_CONFIG, "show"},
	{"reload", CTL_VERB_RELOAD, NULL},
	{"metrics", CTL_VERB_METRICS, NULL},
	{"top", CTL_VERB_TOP, NULL},
	{"monitor", CTL_VERB_MONITOR, NULL},
	{"whoami", CTL_VERB_WHOAMI, NULL},
	{"report", CTL_VERB_REPORT, NULL},
	{"version", CTL_VERB_VERSION, NULL},
	{"help", CTL_VERB_HELP, NULL},
};
#define N_VERBS RDY__ARRAY_SIZE(verbs)

enum option {
	OPTION_ACK,
	OPTION_AGENTS,
	OPTION_CAN,
	OPTION_COLOR,
	OPTION_COLUMNS,
	OPTION_FORMAT,
	OPTION_HELP,
	OPTION_IDLE,
	OPTION_JSON,
	OPTION_LEVEL,
	OPTION_LOCAL,
	OPTION_NO_HEADER,
	OPTION_ONCE,
	OPTION_QUIET,
	OPTION_REGISTRATIONS,
	OPTION_SESSION,
	OPTION_SESSIONS,
	OPTION_SINCE,
	OPTION_SOCKET,
	OPTION_TIMEOUT,
	OPTION_UID,
	OPTION_USER,
	OPTION_VERSION,
};

/* In the order of enum option. verbs: which honour it, 0 = needs none. */
static const char *const option_names[] = {"--ack", "--agents", "--can", "--color", "--columns",
	"--format", "--help", "--idle", "--json", "--level", "--local", "--no-header", "--once",
	"--quiet", "--registrations", "--session", "--sessions", "--since", "--socket", "--timeout",
	"--uid", "--user", "--version"};
static const struct {
	unsigned int verbs;
	const char *value; /* NULL = takes none */
} option_table[] = {
	[OPTION_ACK] = {WATCH, NULL},
	[OPTION_AGENTS] = {LS, NULL},
	[OPTION_CAN] = {1u << CTL_VERB_EXPLAIN, NULL},
	[OPTION_COLOR] = {0, NULL},
	[OPTION_COLUMNS] = {LS, "session,user"},
	[OPTION_FORMAT] = {1u << CTL_VERB_METRICS, "prometheus"},
	[OPTION_HELP] = {0, NULL},
	[OPTION_IDLE] = {WATCH, "30s"},
	[OPTION_JSON] = {WAIT | WATCH | DEMO | VERSION | CONTROL, NULL},
	[OPTION_LEVEL] = {WATCH, NULL},
	[OPTION_LOCAL] = {WAIT | WATCH, NULL},
	[OPTION_NO_HEADER] = {LS, NULL},
	[OPTION_ONCE] = {TOP | DEMO, NULL},
	[OPTION_QUIET] = {WAIT | WATCH | DEMO | LS | ACTS | RELOAD | MONITOR, NULL},
	[OPTION_REGISTRATIONS] = {LS, NULL},
	[OPTION_SESSION] = {LS, "12"},
	[OPTION_SESSIONS] = {LS, NULL},
	[OPTION_SINCE] = {MONITOR, "1m"},
	[OPTION_SOCKET] = {WAIT | WATCH | DEMO | CONTROL, "PATH"},
	[OPTION_TIMEOUT] = {WAIT | CONTROL, "5s"},
	[OPTION_UID] = {LS, "1000"},
	[OPTION_USER] = {WAIT | WATCH | DEMO | CONTROL, NULL},
	[OPTION_VERSION] = {0, NULL},
};

/* What has been seen, judged when all is known: options may stand before the verb. */
struct seen {
	unsigned int options; /* 1 << enum option */
	const char *verb;
	char *const *rest; /* names, or the verb that help is for: collected in order */
	size_t n_rest;
};

static int usage(struct ctl_problem *p, const char *why, const char *hint)
{
	ctl_problem_why(p, "%s", why);
	ctl_problem_hint(p, "%s", hint);
	return p->exit;
}

static int unknown(struct ctl_problem *p, const char *what, const char *word,
	const char *const words[], size_t n)
{
	const char *near = ctl_suggest(word, words, n);

	ctl_problem_set(p, CTL_USAGE, "USAGE", "there is no %s '%.60s'", what, word);
	if (near)
		ctl_problem_why(p, "did you mean '%s'?", near);
	else
		ctl_problem_why(p, "it is none of those this version knows");
	ctl_problem_hint(p, "readyctl help");
	return p->exit;
}

static int find_option(const char *arg, size_t n)
{
	if (n == 2 && arg[0] == '-' && arg[1] == 'h')
		return OPTION_HELP;
	if (n == 2 && arg[0] == '-' && arg[1] == 'q')
		return OPTION_QUIET;
	if (n == 2 && arg[0] == '-' && arg[1] == 'o')
		return OPTION_COLUMNS;
	for (size_t i = 0; i < RDY__ARRAY_SIZE(option_names); i++)
		if (strlen(option_names[i]) == n && strncmp(option_names[i], arg, n) == 0)
			return (int)i;
	return -1;
}

static int take_session(struct ctl_options *o, const char *value, struct ctl_problem *p)
{
	char *end;

	errno = 0;
	o->session = strtoull(value, &end, 10);
	if (value[0] >= '1' && value[0] <= '9' && !*end && errno == 0 && o->session <= INT64_MAX)
		return 0;
	ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is not a session's number", value);
	return usage(p, "sessions are numbered from 1 on", "readyctl ls");
}

static int take_color(struct ctl_options *o, const char *value, struct ctl_problem *p)
{
	static const char *const words[] = {"auto", "always", "never"};

	for (unsigned int i = 0; i < RDY__ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], value) == 0) {
			o->color = (enum ctl_color)i;
			return 0;
		}
	}
	ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is not when to use colors", value);
	return usage(p, "there are three: auto, always, never", "--color=never");
}

static int take_value(struct ctl_options *o, int option, const char *value, struct ctl_problem *p)
{
	switch (option) {
	case OPTION_IDLE:
		if (ctl_parse_duration(value, &o->idle_ns) && o->idle_ns > 0)
			return 0;
		ctl_problem_set(
			p, CTL_USAGE, "USAGE", "'%.60s' is not how long silence lasts", value);
		return usage(p, "it is a number above 0 with a unit: ns us ms s m h d",
			"--idle 30s        or 5m");
	case OPTION_COLOR:
		return take_color(o, value, p);
	case OPTION_COLUMNS:
		o->columns = value;
		return 0; /* what there is depends on the list: ctl_columns_choose() */
	case OPTION_FORMAT:
		o->prometheus = strcmp(value, "prometheus") == 0;
		if (o->prometheus || strcmp(value, "openmetrics") == 0)
			return 0;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is no format of metrics", value);
		return usage(p, "there are two: openmetrics, prometheus", "--format prometheus");
	case OPTION_SINCE:
		if (ctl_parse_duration(value, &o->since_ns) && o->since_ns > 0)
			return 0;
		ctl_problem_set(
			p, CTL_USAGE, "USAGE", "'%.60s' is not how far to look back", value);
		return usage(p, "it is a number above 0 with a unit: ns us ms s m h d",
			"--since 1m        or 2h");
	case OPTION_SOCKET:
		o->socket = value;
		if (value[0])
			return 0;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "--socket is empty");
		return usage(p,
			"it takes the path of readyd's session socket, or of its control socket",
			"--socket /run/readyd/session.sock");
	case OPTION_SESSION:
		return take_session(o, value, p);
	case OPTION_UID:
		o->uid = value;
		if (value[0])
			return 0;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "--uid is empty");
		return usage(p, "it takes a user's name or number", "--uid 1000");
	case OPTION_TIMEOUT:
		if (ctl_parse_duration(value, &o->timeout_ns))
			return 0;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is not a duration", value);
		return usage(p, "a duration is a number with a unit: ns us ms s m h d",
			"--timeout 5s        or 250ms");
	default: /* OPTION_JSON */
		o->pretty = strcmp(value, "pretty") == 0;
		if (o->pretty || strcmp(value, "short") == 0)
			return 0;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "there is no JSON form '%.60s'", value);
		return usage(p, "short is one object a line, pretty is indented", "--json");
	}
}

/* One option at argv[*i]; its value may be the next argument. */
static int take_option(struct ctl_options *o, struct seen *seen, int argc, char *const argv[],
	int *i, struct ctl_problem *p)
{
	const char *arg = argv[*i], *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
	int option = find_option(arg, equals ? (size_t)(equals - arg) : strlen(arg));

	if (option < 0)
		return unknown(p, "option", arg, option_names, RDY__ARRAY_SIZE(option_names));
	if (option_table[option].value && !value) {
		if (++*i >= argc) {
			ctl_problem_set(p, CTL_USAGE, "USAGE", "%s needs a value", arg);
			ctl_problem_why(p, "nothing comes after it");
			ctl_problem_hint(p, "%s %s", arg, option_table[option].value);
			return p->exit;
		}
		value = argv[*i];
	} else if (value && !option_table[option].value && option != OPTION_JSON &&
		   option != OPTION_COLOR) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s takes no value", option_names[option]);
		ctl_problem_why(p, "'%.60s' was given", value);
		ctl_problem_hint(p, "%s alone", option_names[option]);
		return p->exit;
	}
	seen->options |= 1u << option;
	if (option == OPTION_COLOR && !value)
		value = "always"; /* as of ls(1) and grep(1) */
	return value ? take_value(o, option, value, p) : 0;
}

static int check_options(struct ctl_options *o, const struct seen *seen, struct ctl_problem *p)
{
	static const char who[] = "each says who does the watching";
	static const struct {
		enum option a, b;
		const char *why;
	} exclusive[] = {
		{OPTION_ACK, OPTION_LEVEL, "each says when a name's next line comes"},
		{OPTION_AGENTS, OPTION_REGISTRATIONS, "each says what is listed"},
		{OPTION_AGENTS, OPTION_SESSIONS, "each says what is listed"},
		{OPTION_REGISTRATIONS, OPTION_SESSIONS, "each says what is listed"},
		{OPTION_AGENTS, OPTION_SESSION, "an agent has many sessions"},
		{OPTION_AGENTS, OPTION_UID, "a user has one agent"},
		{OPTION_COLUMNS, OPTION_JSON, "JSON has all of them, under their own names"},
		{OPTION_JSON, OPTION_NO_HEADER, "JSON has none"},
		{OPTION_LOCAL, OPTION_SOCKET, who},
		{OPTION_LOCAL, OPTION_USER, who},
		{OPTION_SOCKET, OPTION_USER, who},
	};

	for (unsigned int i = 0; i < RDY__ARRAY_SIZE(option_names); i++) {
		if (!(seen->options & 1u << i) || option_table[i].verbs == 0 ||
			option_table[i].verbs & 1u << o->verb)
			continue;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s has no effect on %s", option_names[i],
			seen->verb ? seen->verb : "help");
		ctl_problem_why(p, "an option that would be ignored is an error");
		ctl_problem_hint(p, "readyctl help %s", seen->verb ? seen->verb : "");
		return p->exit;
	}
	for (size_t i = 0; i < RDY__ARRAY_SIZE(exclusive); i++) {
		if (!(seen->options & 1u << exclusive[i].a) ||
			!(seen->options & 1u << exclusive[i].b))
			continue;
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s and %s exclude each other",
			option_names[exclusive[i].a], option_names[exclusive[i].b]);
		return usage(p, exclusive[i].why, "one of them");
	}
	o->ack = seen->options & 1u << OPTION_ACK;
	o->once = seen->options & 1u << OPTION_ONCE;
	o->can = seen->options & 1u << OPTION_CAN;
	o->json = seen->options & 1u << OPTION_JSON;
	o->level = seen->options & 1u << OPTION_LEVEL;
	o->local = seen->options & 1u << OPTION_LOCAL;
	o->no_header = seen->options & 1u << OPTION_NO_HEADER;
	o->quiet = seen->options & 1u << OPTION_QUIET;
	o->user = seen->options & 1u << OPTION_USER;
	if (seen->options & 1u << OPTION_TIMEOUT)
		o->answer_ns = o->timeout_ns;
	if (seen->options & 1u << OPTION_AGENTS)
		o->list = CTL_LIST_AGENTS;
	else if (seen->options & (1u << OPTION_REGISTRATIONS | 1u << OPTION_SESSION))
		o->list = CTL_LIST_REGISTRATIONS;
	if (o->pretty && !ctl_options_control(o)) {
		ctl_problem_set(
			p, CTL_USAGE, "USAGE", "--json=pretty has no effect on %s", seen->verb);
		return usage(p, "events are one object a line", "--json");
	}
	return 0;
}

static int check_names(struct ctl_options *o, struct ctl_problem *p)
{
	for (size_t i = 0; i < o->n_names; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(o->names[i].name, o->names[k].name) == 0) {
				ctl_problem_set(p, CTL_USAGE, "USAGE", "the name %s is given twice",
					o->names[i].name);
				return usage(p, "its lines could not be told apart",
					"another name for one of them");
			}
			if (o->names[i].fd == o->names[k].fd) {
				ctl_problem_set(p, CTL_USAGE, "USAGE",
					"fd %d is given twice, as %s and %s", o->names[i].fd,
					o->names[k].name, o->names[i].name);
				return usage(p, "one descriptor is one registration",
					"one name with all its words, as in bell=4:in,out");
			}
		}
		if (o->ack && o->names[i].fd == 0) {
			ctl_problem_set(p, CTL_USAGE, "USAGE", "%s is fd 0, which --ack reads",
				o->names[i].name);
			return usage(p, "names to be re-armed come in on standard input",
				"another number for it, as in exec 3<&0");
		}
	}
	return 0;
}

static int take_names(
	struct ctl_options *o, const struct seen *seen, char *const words[], struct ctl_problem *p)
{
	if (seen->n_rest == 0) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s needs a descriptor", seen->verb);
		ctl_problem_why(p, "it is given as NAME=FD");
		ctl_problem_hint(
			p, "readyctl %s bell=4        or readyctl help %s", seen->verb, seen->verb);
		return p->exit;
	}
	o->names = calloc(seen->n_rest, sizeof(*o->names));
	if (!o->names)
		return ctl_problem_errno(p, "keep the names", -ENOMEM);
	for (; o->n_names < seen->n_rest; o->n_names++) {
		int r = ctl_parse_name(words[o->n_names], &o->names[o->n_names], p);

		if (r)
			return r;
	}
	return check_names(o, p);
}

static int take_verb(struct ctl_options *o, const struct seen *seen, struct ctl_problem *p)
{
	const char *names[N_VERBS];

	if (seen->options & 1u << OPTION_VERSION) {
		o->verb = CTL_VERB_VERSION;
		return 0;
	}
	if (!seen->verb)
		return 0;
	for (size_t i = 0; i < N_VERBS; i++) {
		names[i] = verbs[i].name;
		if (strcmp(seen->verb, verbs[i].name) == 0) {
			o->verb = verbs[i].verb;
			return 0;
		}
	}
	return unknown(p, "verb", seen->verb, names, N_VERBS);
}

bool ctl_options_control(const struct ctl_options *o)
{
	return CONTROL & 1u << o->verb;
}

/* The one word that some control verbs have. */
/* USER VERB [OWNER:*] */
static int take_can(
	struct ctl_options *o, const struct seen *seen, char *const words[], struct ctl_problem *p)
{
	if (seen->n_rest < 2 || seen->n_rest > 3) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "explain --can needs a user and a verb");
		ctl_problem_why(
			p, "and takes whose things it is about, which are the user's own else");
		ctl_problem_hint(p, "readyctl explain --can ann inspect bob:*");
		return p->exit;
	}
	o->target = words[0];
	o->can_verb = words[1];
	o->can_names = seen->n_rest > 2 ? words[2] : "self:*";
	return 0;
}

static int check_word(const char *what, const char *word, const char *const words[], size_t n,
	const char *hint, struct ctl_problem *p)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return 0;
	unknown(p, what, word, words, n);
	ctl_problem_hint(p, "%s", hint);
	return p->exit;
}

/* What can be judged without the daemon. */
static int check_target(const struct ctl_options *o, struct ctl_problem *p)
{
	static const char *const views[] = {"check", "diff", "show"};
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};

	if (o->verb == CTL_VERB_CONFIG)
		return check_word("such view of the configuration as", o->target, views,
			RDY__ARRAY_SIZE(views), "readyctl config show, check or diff", p);
	if (o->verb == CTL_VERB_LOG_LEVEL && o->target)
		return check_word("log level", o->target, levels, RDY__ARRAY_SIZE(levels),
			"readyctl log-level error, warning, notice, info or debug", p);
	return 0;
}

static int take_target(
	struct ctl_options *o, const struct seen *seen, char *const words[], struct ctl_problem *p)
{
	const char *example = NULL;

	for (size_t i = 0; i < N_VERBS; i++)
		if (verbs[i].verb == o->verb)
			example = verbs[i].target;
	if (example && seen->n_rest == 0) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s what?", seen->verb);
		ctl_problem_why(p, "it needs a word that says so");
		ctl_problem_hint(p, "readyctl %s %s", seen->verb, example);
		return p->exit;
	}
	if (o->can)
		return take_can(o, seen, words, p);
	if (seen->n_rest > (example || o->verb == CTL_VERB_LOG_LEVEL)) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s takes no '%.60s'", seen->verb,
			words[seen->n_rest - 1]);
		ctl_problem_why(p, "too many words");
		ctl_problem_hint(p, "readyctl help %s", seen->verb);
		return p->exit;
	}
	o->target = seen->n_rest ? words[0] : NULL;
	return check_target(o, p);
}

/* Sort argv into options, the verb, and words, whose array the caller has made. */
static int scan(struct ctl_options *o, struct seen *seen, char **words, int argc,
	char *const argv[], struct ctl_problem *p)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
			int r = take_option(o, seen, argc, argv, &i, p);

			if (r)
				return r;
		} else if (!seen->verb) {
			seen->verb = argv[i];
		} else {
			words[seen->n_rest++] = argv[i];
		}
	}
	return 0;
}

int ctl_options_parse(struct ctl_options *o, int argc, char *const argv[], struct ctl_problem *p)
{
	rdy__cleanup(rdy__freep) char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct seen seen = {.options = 0};
	int r;

	if (!words)
		return ctl_problem_errno(p, "keep the arguments", -ENOMEM);
	r = scan(o, &seen, words, argc, argv, p);
	/* JSON was asked for: the failure is printed so, wherever the mistake stands. */
	o->json = seen.options & 1u << OPTION_JSON;
	if (r == 0)
		r = take_verb(o, &seen, p);
	if (r)
		return r;
	if (seen.options & 1u << OPTION_HELP) {
		if (o->verb != CTL_VERB_HELP)
			o->help_for = seen.verb;
		else if (seen.n_rest > 0)
			o->help_for = words[0];
		o->verb = CTL_VERB_HELP;
		return 0;
	}
	r = check_options(o, &seen, p);
	if (r)
		return r;
	if (o->verb == CTL_VERB_WAIT || o->verb == CTL_VERB_WATCH)
		return take_names(o, &seen, words, p);
	if (ctl_options_control(o))
		return take_target(o, &seen, words, p);
	if (o->verb == CTL_VERB_HELP && seen.n_rest > 0) {
		o->help_for = words[0];
		if (seen.n_rest == 1)
			return 0;
	}
	if (seen.n_rest > (o->verb == CTL_VERB_HELP)) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "%s takes no '%.60s'", seen.verb,
			words[seen.n_rest - 1]);
		return usage(p, "too many words", "readyctl help");
	}
	return 0;
}

void ctl_options_deinit(struct ctl_options *o)
{
	free(o->names);
	*o = CTL_OPTIONS_NULL;
}
