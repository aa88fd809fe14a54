/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum {
	OPT_USER = 256,
	OPT_RUNTIME_DIR,
	OPT_READY_FD,
	OPT_HELP_CONFIG,
	OPT_CHECK_CONFIG,
	OPT_VERSION
};

static const struct option longs[] = {
	{"user", no_argument, NULL, OPT_USER},
	{"runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR},
	{"ready-fd", required_argument, NULL, OPT_READY_FD},
	{"option", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"help-config", no_argument, NULL, OPT_HELP_CONFIG},
	{"check-config", no_argument, NULL, OPT_CHECK_CONFIG},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static void help(void)
{
	puts("readyd watches file descriptors for other programs.\n"
	     "usage: readyd [--user] [OPTION...]\n"
	     "\n"
	     "  --user             a private instance of yours, without root\n"
	     "  --runtime-dir DIR  sockets and lock; default /run/readyd,\n"
	     "                     with --user $XDG_RUNTIME_DIR/readyd, else /tmp/readyd-UID\n"
	     "  -o KEY=VALUE       set a configuration key; may be repeated\n"
	     "  --help-config      list the keys with their defaults, and exit\n"
	     "  --check-config     say whether the configuration is good, and exit\n"
	     "  --ready-fd N       write a newline to descriptor N when clients can connect\n"
	     "  --version          print the version, and exit\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "example:   readyd --user -o quota.default.sessions=64\n"
	     "exit:      0 stopped, 1 failed, 2 usage, 78 bad configuration\n"
	     "manual:    readyd(8), readyctl(1)");
}

static void help_config(void)
{
	struct conf_row row;

	for (size_t i = 0; conf_row(i, &row); i++)
		printf("%s = %s\n    %s\n    form: %s%s%s\n", row.key, row.fallback, row.text,
			row.form, row.range[0] ? "; range: " : "", row.range);
}

static int set(struct options *o, const char *pair)
{
	struct conf_error e;

	if (conf_set_pair(&o->conf, pair, &e) == 0)
		return -1;
	log_three(e.what, e.why, e.fix);
	return EXIT_CONFIG;
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
	case 'o':
		return set(o, argument);
	case 'h':
		help();
		return EXIT_SUCCESS;
	case OPT_HELP_CONFIG:
		help_config();
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
	int c;

	memset(o, 0, sizeof(*o));
	conf_init(&o->conf);
	o->ready_fd = -1;
	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
		int status = take(o, c, optarg);

		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return usage(
			"readyd takes no arguments", "an argument without an option was given");
	return o->runtime_dir[0] ? -1 : default_runtime_dir(o);
}
