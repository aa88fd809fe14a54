/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "log.h"

enum {
	OPT_USER = 256,
	OPT_RUNTIME_DIR,
	OPT_CONFIG,
	OPT_READY_FD,
	OPT_HELP_CONFIG,
	OPT_DEFAULT_CONFIG,
	OPT_CHECK_CONFIG,
	OPT_VERSION
};

static const struct option longs[] = {
	{"user", no_argument, NULL, OPT_USER},
	{"runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR},
	{"ready-fd", required_argument, NULL, OPT_READY_FD},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"option", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"help-config", no_argument, NULL, OPT_HELP_CONFIG},
	{"default-config", no_argument, NULL, OPT_DEFAULT_CONFIG},
	{"check-config", no_argument, NULL, OPT_CHECK_CONFIG},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static void help(void)
{
	puts("readyd watches file descriptors for other programs.\n"
	     "usage: readyd [--user] [OPTION...]\n"
	     "       readyd [--user] [-o KEY=VALUE] --check-config [FILE]\n"
	     "\n"
	     "  --user             a private instance of yours, without root\n"
	     "  --runtime-dir DIR  sockets and lock; default /run/readyd,\n"
	     "                     with --user $XDG_RUNTIME_DIR/readyd, else /tmp/readyd-UID\n"
	     "  --config FILE      read this file instead of the usual ones; none: read no file\n"
	     "  -o KEY=VALUE       set a configuration key, whatever a file says; may be repeated\n"
	     "  --help-config      list the keys with their defaults, and exit\n"
	     "  --default-config   print a file of all keys with their defaults, and exit\n"
	     "  --check-config     say whether the configuration is good, and exit\n"
	     "  --ready-fd N       write a newline to descriptor N when clients can connect\n"
	     "  --version          print the version, and exit\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "example:   readyd --user -o quota.default.sessions=64\n"
	     "exit:      0 stopped, 1 failed, 2 usage, 78 bad configuration\n"
	     "files:     " READYD_SYSCONFDIR "/readyd.yaml, conf.d/*.yaml beside it;\n"
	     "           with --user in ~/.config/readyd\n"
	     "manual:    readyd(8), readyd.yaml(5), readyctl(1)");
}

static void help_config(void)
{
	struct conf_row row;

	for (size_t i = 0; conf_row(i, &row); i++)
		printf("%s = %s\n    %s\n    form: %s%s%s%s\n", row.key, row.fallback, row.text,
			row.form, row.range[0] ? "; range: " : "", row.range,
			row.live ? "" : "; needs a restart");
}

/* Words that two keys begin with, counted in bytes with their dots. */
static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '.')
			n = i + 1;
	return n;
}

/* A word of a key on a line of its own, as deep as it stands, up to the dot or end that is returned. */
static const char *print_word(const char *key, const char *word)
{
	size_t n = strcspn(word, ".");
	int depth = 0;

	for (const char *p = key; p < word; p++)
		depth += *p == '.';
	printf("#%*s%.*s:", 2 * depth, "", (int)n, word);
	return word + n;
}

/* All of it commented out: a default that a newer version has holds for who has not said otherwise. */
static void default_config(void)
{
	const char *before = "";
	struct conf_row row;

	puts("## The configuration of readyd, readyd.yaml(5): all keys, with their defaults.\n"
	     "## To set one, take the # away in front of it and of the section it stands in.\n"
	     "## readyd --check-config says whether it is good.");
	for (size_t i = 0; conf_row(i, &row); i++) {
		const char *p = row.key + common(before, row.key);

		if (p == row.key)
			puts("");
		while (strchr(p, '.')) {
			p = print_word(row.key, p) + 1;
			puts("");
		}
		printf("## %s; %s%s\n", row.text, row.range[0] ? row.range : row.form,
			row.live ? "" : "; needs a restart");
		print_word(row.key, p);
		printf(" %s%s%s\n", row.quoted ? "\"" : "", row.fallback, row.quoted ? "\"" : "");
		before = row.key;
	}
}

static int bad(const struct conf_error *e)
{
	char what[sizeof(e->where) + sizeof(e->what) + 2];

	snprintf(what, sizeof(what), "%s%s%s", e->where, e->where[0] ? ": " : "", e->what);
	log_three(what, e->why, e->fix);
	return EXIT_CONFIG;
}

/* The files, then what was set on the command line, in its order. */
int options_load(const struct options *o, struct conf_loaded *ret, struct conf_error *ret_error)
{
	int r;

	conf_loaded_init(ret);
	r = config_load(ret, o->file, o->user, ret_error);
	for (size_t i = 0; r == 0 && i < o->n_sets; i++)
		r = conf_loaded_set_pair(ret, o->sets[i], ret_error);
	return r;
}

void options_deinit(struct options *o)
{
	conf_loaded_deinit(&o->loaded);
	free(o->sets);
	o->sets = NULL;
	o->n_sets = 0;
}

static int usage(const char *what, const char *why)
{
	log_three(what, why, "readyd --help");
	return EXIT_USAGE;
}

static int set_ready_fd(struct options *o, const char *text)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || end == text || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0)
		return usage("--ready-fd takes an open descriptor's number",
			"what was given is not one, or is not open");
	/* Nobody we start may hold it open. */
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	o->ready_fd = (int)fd;
	return -1;
}

static int set_runtime_dir(struct options *o, const char *dir)
{
	size_t n = strlen(dir);

	if (dir[0] != '/' || n >= sizeof(o->runtime_dir))
		return usage("--runtime-dir takes an absolute path of at most 107 bytes",
			"the sockets' addresses must fit a socket address");
	memcpy(o->runtime_dir, dir, n + 1);
	return -1;
}

static int default_runtime_dir(struct options *o)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (!o->user) {
		strcpy(o->runtime_dir, "/run/readyd");
		return -1;
	}
	if (xdg && xdg[0] == '/' && strlen(xdg) + sizeof("/readyd") <= sizeof(o->runtime_dir)) {
		snprintf(o->runtime_dir, sizeof(o->runtime_dir), "%s/readyd", xdg);
		return -1;
	}
	/* A fixed name in a place for all: who made it before us is found out when it is opened. */
	snprintf(o->runtime_dir, sizeof(o->runtime_dir), "/tmp/readyd-%u", (unsigned int)geteuid());
	return -1;
}

static int take(struct options *o, int option, const char *argument)
{
	switch (option) {
	case OPT_USER:
		o->user = true;
		return -1;
	case OPT_RUNTIME_DIR:
		return set_runtime_dir(o, argument);
	case OPT_READY_FD:
		return set_ready_fd(o, argument);
	case OPT_CONFIG:
		o->file = argument;
		return -1;
	case 'o':
		o->sets[o->n_sets++] = argument;
		return -1;
	case 'h':
		help();
		return EXIT_SUCCESS;
	case OPT_HELP_CONFIG:
		help_config();
		return EXIT_SUCCESS;
	case OPT_DEFAULT_CONFIG:
		default_config();
		return EXIT_SUCCESS;
	case OPT_CHECK_CONFIG:
		o->check_config = true;
		return -1;
	case OPT_VERSION:
		puts("readyd " READYD_VERSION);
		return EXIT_SUCCESS;
	default: /* getopt has said what is wrong */
		fputs("  try: readyd --help\n", stderr);
		return EXIT_USAGE;
	}
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct conf_error e;
	int c;

	memset(o, 0, sizeof(*o));
	o->ready_fd = -1;
	conf_loaded_init(&o->loaded);
	o->sets = calloc((size_t)argc + 1, sizeof(*o->sets)); /* more than there can be */
	if (!o->sets) {
		log_three("readyd cannot start", "there is no memory", "again later");
		return EXIT_FAILURE;
	}
	optind = 0; /* from the start, getopt(3) "NOTES" */
	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
		int status = take(o, c, optarg);

		if (status >= 0)
			return status;
	}
	if (o->check_config && optind < argc && !o->file)
		o->file = argv[optind++];
	if (optind < argc)
		return usage(
			"readyd takes no arguments", "an argument without an option was given");
	if (options_load(o, &o->loaded, &e) < 0)
		return bad(&e);
	o->conf = o->loaded.conf;
	return o->runtime_dir[0] ? -1 : default_runtime_dir(o);
}
