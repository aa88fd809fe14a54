/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <string.h>

#include "capture.h"

static struct options o;
static struct capture out, err;

static bool own_files; /* what this machine, or the environment, has */

/* Parse what stands after the program's name. */
static int parse(const char *a, const char *b, const char *c)
{
	/* Not what this machine has. */
	const char *argv[] = {
		"readyd", own_files ? "-olog.level=info" : "--config=none", a, b, c, NULL};
	int argc = 1, status;

	while (argv[argc])
		argc++;
	options_deinit(&o);
	capture_start(&out, STDOUT_FILENO);
	capture_start(&err, STDERR_FILENO);
	status = options_parse(&o, argc, (char **)argv);
	capture_end(&err);
	capture_end(&out);
	return status;
}

static void says_three(const char *what)
{
	ck_assert_msg(
		strstr(err.text, what) && strstr(err.text, "  try: "), "it says: %s", err.text);
	ck_assert_str_eq(out.text, "");
}

START_TEST(good)
{
	ck_assert_int_eq(parse(NULL, NULL, NULL), -1);
	ck_assert(!o.user && !o.check_config);
	ck_assert_int_eq(o.ready_fd, -1);
	ck_assert_str_eq(o.runtime_dir, "/run/readyd");
	ck_assert_int_eq(parse("-o", "limits.uids=3", "--check-config"), -1);
	ck_assert_uint_eq(o.conf.limit_uids, 3);
	ck_assert(o.check_config);
	ck_assert_int_eq(parse("-olimits.uids=3", "-olimits.uids=4", NULL), -1);
	ck_assert_uint_eq(o.conf.limit_uids, 4);
	ck_assert_int_eq(parse("--runtime-dir=/x", "--user", NULL), -1);
	ck_assert_str_eq(o.runtime_dir, "/x");
	ck_assert(o.user);
	ck_assert_str_eq(err.text, "");
	ck_assert_str_eq(out.text, "");
}
END_TEST

START_TEST(where_a_private_instance_is)
{
	char own[64];

	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	ck_assert_int_eq(parse("--user", NULL, NULL), -1);
	ck_assert_str_eq(o.runtime_dir, "/run/user/7/readyd");
	/* The system instance does not look there. */
	ck_assert_int_eq(parse(NULL, NULL, NULL), -1);
	ck_assert_str_eq(o.runtime_dir, "/run/readyd");
	snprintf(own, sizeof(own), "/tmp/readyd-%u", (unsigned int)geteuid());
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	ck_assert_int_eq(parse("--user", NULL, NULL), -1);
	ck_assert_str_eq(o.runtime_dir, own);
	unsetenv("XDG_RUNTIME_DIR");
	ck_assert_int_eq(parse("--user", NULL, NULL), -1);
	ck_assert_str_eq(o.runtime_dir, own);
}
END_TEST

START_TEST(bad_configuration)
{
	ck_assert_int_eq(parse("-o", "limits.uid=3", NULL), EXIT_CONFIG);
	says_three("did you mean 'limits.uids'?");
	ck_assert_int_eq(parse("-o", "agent.idle_exit=5", NULL), EXIT_CONFIG);
	says_three("agent.idle_exit=5s");
	ck_assert_int_eq(parse("-o", "x", NULL), EXIT_CONFIG);
	says_three("'x' sets nothing");
	ck_assert_int_eq(EXIT_CONFIG, 78);
}
END_TEST

START_TEST(usage)
{
	char longest[CONF_PATH_BYTES + 1];

	ck_assert_int_eq(parse("--nonsense", NULL, NULL), EXIT_USAGE);
	says_three("nonsense");
	ck_assert_int_eq(parse("-o", NULL, NULL), EXIT_USAGE);
	says_three("argument");
	ck_assert_int_eq(parse("word", NULL, NULL), EXIT_USAGE);
	says_three("readyd takes no arguments");
	ck_assert_int_eq(parse("--runtime-dir", "relative", NULL), EXIT_USAGE);
	says_three("absolute path");
	memset(longest, '/', sizeof(longest));
	longest[CONF_PATH_BYTES] = 0;
	ck_assert_int_eq(parse("--runtime-dir", longest, NULL), EXIT_USAGE);
	ck_assert_int_eq(parse("--ready-fd", "", NULL), EXIT_USAGE);
	ck_assert_int_eq(parse("--ready-fd", "1x", NULL), EXIT_USAGE);
	ck_assert_int_eq(parse("--ready-fd", "-1", NULL), EXIT_USAGE);
	ck_assert_int_eq(parse("--ready-fd", "99999999999999999999", NULL), EXIT_USAGE);
	ck_assert_int_eq(parse("--ready-fd", "999", NULL), EXIT_USAGE);
	says_three("--ready-fd takes an open descriptor's number");
	ck_assert_int_eq(EXIT_USAGE, 2);
}
END_TEST

START_TEST(help)
{
	struct conf_row row;

	ck_assert_int_eq(parse("--help", NULL, NULL), 0);
	ck_assert_ptr_nonnull(strstr(out.text, "usage: readyd"));
	ck_assert_int_eq(parse("--version", NULL, NULL), 0);
	ck_assert_int_eq(strncmp(out.text, "readyd ", 7), 0);
	ck_assert_int_eq(parse("--help-config", NULL, NULL), 0);
	for (size_t i = 0; conf_row(i, &row); i++)
		ck_assert_msg(strstr(out.text, row.key) && strstr(out.text, row.text),
			"%s is not in the help", row.key);
	ck_assert_ptr_nonnull(strstr(out.text, "range: 10ms..1d"));
	ck_assert_str_eq(err.text, "");
}
END_TEST

START_TEST(ready_fd)
{
	char number[16];
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	snprintf(number, sizeof(number), "%d", p[1]);
	ck_assert_int_eq(parse("--ready-fd", number, NULL), -1);
	ck_assert_int_eq(o.ready_fd, p[1]);
	/* No child of ours holds it open. */
	ck_assert_int_eq(fcntl(p[1], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	rdy__fd_close(p[0]);
	rdy__fd_close(p[1]);
}
END_TEST

/* readyd.yaml(5) has each key with its default, and no other one. */
START_TEST(manual)
{
	static char page[65536];
	struct conf_row row;
	size_t n = 0, n_said = 0;
	FILE *f = fopen(READYD_MAN, "re");

	ck_assert_ptr_nonnull(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = 0;
	fclose(f);
	for (; conf_row(n, &row); n++) {
		const char *said, *next, *restart;
		char item[256];

		snprintf(item, sizeof(item), "\n.It Cm %s No = %s\n", row.key, row.fallback);
		said = strstr(page, item);
		ck_assert_msg(said, "not in readyd.yaml(5): %s", item + 1);
		next = strstr(said + 1, "\n.It ");
		next = next ? next : strstr(said, "\n.El");
		restart = strstr(said, "\nNeeds a restart.");
		ck_assert_msg((restart && restart < next) == !row.live, "%s", row.key);
	}
	for (const char *s = page; (s = strstr(s, "\n.It Cm ")); s++)
		n_said++;
	ck_assert_uint_eq(n_said, n);
}
END_TEST

static char dir[] = "/tmp/readyd-options-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return path;
}

START_TEST(files)
{
	char command[512], option[160];
	const char *path;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = write_file("readyd.yaml", "limits: {sessions: 7, uids: 3}\n");
	snprintf(option, sizeof(option), "--config=%s", path);
	ck_assert_int_eq(parse(option, NULL, NULL), -1);
	ck_assert_uint_eq(o.conf.limit_sessions, 7);
	/* The command line goes before the file, wherever it stands. */
	ck_assert_int_eq(parse("-olimits.uids=9", option, "-ouser=x"), -1);
	ck_assert_uint_eq(o.conf.limit_sessions, 7);
	ck_assert_uint_eq(o.conf.limit_uids, 9);
	ck_assert_str_eq(o.conf.user, "x");
	/* A private instance's own. */
	ck_assert_int_eq(setenv("XDG_CONFIG_HOME", dir, 1), 0);
	snprintf(command, sizeof(command), "mkdir %s/readyd && mv %s %s/readyd", dir, path, dir);
	ck_assert_int_eq(system(command), 0);
	own_files = true;
	ck_assert_int_eq(parse("--user", NULL, NULL), -1);
	ck_assert_uint_eq(o.conf.limit_sessions, 7);
	ck_assert_int_eq(unsetenv("XDG_CONFIG_HOME"), 0);
	ck_assert_int_eq(setenv("HOME", dir, 1), 0);
	snprintf(command, sizeof(command), "mkdir %s/.config && mv %s/readyd %s/.config", dir, dir,
		dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(parse("--user", NULL, NULL), -1);
	ck_assert_uint_eq(o.conf.limit_sessions, 7);
	ck_assert_int_eq(setenv("HOME", "relative", 1), 0);
	ck_assert_int_eq(parse("--user", NULL, NULL), -1);
	ck_assert_uint_eq(o.conf.limit_sessions, 1024);
	own_files = false;
	/* Mistakes, with their place. */
	path = write_file("bad.yaml", "limits:\n  sesions: 5\n");
	snprintf(option, sizeof(option), "--config=%s", path);
	ck_assert_int_eq(parse(option, NULL, NULL), EXIT_CONFIG);
	says_three("bad.yaml:2:3: unknown key 'limits.sesions'");
	ck_assert_int_eq(parse("--check-config", path, NULL), EXIT_USAGE);
	says_three("readyd takes no arguments");
	own_files = true;
	ck_assert_int_eq(parse("--check-config", path, NULL), EXIT_CONFIG);
	says_three("bad.yaml:2:3");
	own_files = false;
	ck_assert_int_eq(parse("--config=/nowhere", NULL, NULL), EXIT_CONFIG);
	says_three("/nowhere: this file cannot be read");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* What --default-config prints is good, and so it is with every # taken away: then it has every key. */
START_TEST(default_file)
{
	char all[sizeof(out.text)], *to = all, option[160];
	struct conf defaults;
	struct conf_row row;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(parse("--default-config", NULL, NULL), 0);
	snprintf(option, sizeof(option), "--config=%s", write_file("default.yaml", out.text));
	for (const char *s = out.text, *end; (end = strchr(s, '\n')); s = end + 1) {
		if (s[0] != '#' || s[1] == '#')
			continue;
		memcpy(to, s + 1, (size_t)(end - s));
		to += end - s;
	}
	*to = 0;
	ck_assert_int_eq(parse(option, NULL, NULL), -1);
	conf_init(&defaults);
	ck_assert_mem_eq(&o.conf, &defaults, sizeof(defaults));
	snprintf(option, sizeof(option), "--config=%s", write_file("all.yaml", all));
	ck_assert_int_eq(parse(option, NULL, NULL), -1);
	ck_assert_mem_eq(&o.conf, &defaults, sizeof(defaults));
	for (size_t i = 0; conf_row(i, &row); i++)
		ck_assert_msg(o.loaded.origins[i].line > 0, "%s is not in it", row.key);
	snprintf(option, sizeof(option), "rm -r %s", dir);
	ck_assert_int_eq(system(option), 0);
}
END_TEST

UNIT_MAIN("supervisor/options", good, files, default_file, where_a_private_instance_is,
	bad_configuration, usage, help, ready_fd, manual)
