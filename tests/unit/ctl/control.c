/* SPDX-License-Identifier: MIT */
/* readyctl's control verbs with a real readyd: what they print, their exit codes, and what they do. */
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "program.h"

static char dir[64], session_path[96], control_path[96], config_path[96];
static pid_t readyd;
static char out[65536], err[4096];

static void write_config(const char *text)
{
	FILE *f = fopen(config_path, "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void start_readyd(void)
{
	int up[2];
	char byte;

	snprintf(dir, sizeof(dir), "/tmp/readyd-test-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(session_path, sizeof(session_path), "%s/session.sock", dir);
	snprintf(control_path, sizeof(control_path), "%s/control.sock", dir);
	snprintf(config_path, sizeof(config_path), "%s/c.yaml", dir);
	write_config("");
	ck_assert_int_eq(pipe(up), 0);
	readyd = fork();
	ck_assert_int_ge(readyd, 0);
	if (readyd == 0) {
		const char *path = getenv("READYD");

		/* Its log would stand between our lines. */
		dup2(open("/dev/null", O_WRONLY), 2);
		dup2(up[1], 9);
		if (path)
			execl(path, "readyd", "--user", "--config", config_path, "--runtime-dir",
				dir, "--ready-fd", "9", "-o", "quota.default.connects_per_s=1000",
				"-o", "adoption.grace=off", (char *)NULL);
		_exit(126);
	}
	close(up[1]);
	ck_assert_int_eq(read(up[0], &byte, 1), 1);
	close(up[0]);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static void stop_readyd(void)
{
	int status;

	kill(readyd, SIGTERM);
	ck_assert_int_eq(waitpid(readyd, &status, 0), readyd);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	nftw(dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

static void setup(void)
{
	unit_setup();
	open_pair();
	start_readyd();
}

static void teardown(void)
{
	stop_readyd();
	close_pair();
	unit_teardown();
}

/* Run to the end with --socket; output and errors lie in out and err. Returns the exit code. */
static int run(const char *const words[])
{
	const char *argv[16] = {"readyctl", "--socket", control_path};
	struct program c;
	size_t n = 3;
	int status;

	for (size_t i = 0; words[i]; i++)
		argv[n++] = words[i];
	start(&c, argv);
	read_text(c.out, out, sizeof(out), false);
	read_text(c.err, err, sizeof(err), false);
	ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
	close(c.in);
	close(c.out);
	close(c.err);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void good(int code)
{
	ck_assert_msg(code == 0, "exit %d: %s", code, err);
	ck_assert_str_eq(err, "");
	/* What is piped has nothing for a terminal in it, and fits 80 columns. */
	for (const char *line = out; *line;) {
		size_t n = strcspn(line, "\n");

		ck_assert_msg(n <= 80 || line[0] == '{', "%zu columns: %.*s", n, (int)n, line);
		line += n + (line[n] == '\n');
	}
	ck_assert_ptr_null(strchr(out, '\033'));
}

/* A failure in three lines on standard error, and nothing on standard output. */
static void bad(int code, int want)
{
	int lines = 0;

	ck_assert_msg(code == want, "exit %d: %s", code, err);
	ck_assert_str_eq(out, "");
	for (const char *c = err; *c; c++)
		lines += *c == '\n';
	ck_assert_msg(
		lines == 3 && strstr(err, "\n  why: ") && strstr(err, "\n  try: "), "%s", err);
}

/* A client with the pipe `door`, in the list when this returns; the number of its session. */
static long long start_client(struct program *c)
{
	START(c, "watch", "--socket", session_path, name_of("door", door[0], ""));
	for (;;) {
		json_t *row;
		long long n = 0;

		good(RUN("ls", "--json"));
		row = json_loads(out, JSON_DISABLE_EOF_CHECK, NULL);
		if (row && json_integer_value(json_object_get(row, "registrations")) == 1)
			n = (long long)json_integer_value(json_object_get(row, "session"));
		json_decref(row);
		if (n)
			return n;
	}
}

static void end_client(struct program *c)
{
	kill(c->pid, SIGTERM);
	ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
	close(c->in);
	close(c->out);
	close(c->err);
}

static json_t *one_object(void)
{
	json_error_t e;
	json_t *o = json_loads(out, 0, &e);

	ck_assert_msg(json_is_object(o), "%s: %s", e.text, out);
	return o;
}

START_TEST(status)
{
	json_t *o;

	good(RUN("status"));
	ck_assert_ptr_nonnull(strstr(out, "readyd "));
	ck_assert_ptr_nonnull(strstr(out, "user instance"));
	good(RUN("status", "--json"));
	o = one_object();
	ck_assert_int_eq(json_integer_value(json_object_get(o, "pid")), readyd);
	ck_assert_str_eq(json_string_value(json_object_get(o, "instance")), "user");
	ck_assert_str_eq(json_string_value(json_object_get(o, "scope")), "all");
	json_decref(o);
	good(RUN("status", "--json=pretty"));
	ck_assert_ptr_nonnull(strstr(out, "\n  \"version\""));
}
END_TEST

START_TEST(lists)
{
	struct program c;
	long long n = start_client(&c);
	char number[32];
	json_t *o;

	snprintf(number, sizeof(number), "%lld", n);
	good(RUN("ls"));
	ck_assert_ptr_nonnull(strstr(out, "SESSION USER"));
	ck_assert_ptr_nonnull(strstr(out, " readyctl "));
	good(RUN("ls", "--registrations"));
	ck_assert_ptr_nonnull(strstr(out, "COOKIE"));
	ck_assert_ptr_nonnull(strstr(out, " pipe "));
	ck_assert_ptr_nonnull(strstr(out, " edge "));
	ck_assert_ptr_nonnull(strstr(out, " armed "));
	good(RUN("ls", "--session", number, "--json"));
	o = one_object();
	ck_assert_str_eq(json_string_value(json_object_get(o, "kind")), "pipe");
	ck_assert_int_eq(json_integer_value(json_object_get(o, "session")), n);
	json_decref(o);
	good(RUN("ls", "--agents", "--json"));
	o = one_object();
	ck_assert_int_eq(json_integer_value(json_object_get(o, "sessions")), 1);
	json_decref(o);
	good(RUN("ls", "--agents"));
	ck_assert_ptr_nonnull(strstr(out, " serving "));
	end_client(&c);
	/* None: said on standard error. */
	do
		ck_assert_int_eq(RUN("ls"), 0);
	while (out[0]);
	ck_assert_ptr_nonnull(strstr(err, "none"));
	good(RUN("ls", "-q"));
	bad(RUN("ls", "--uid", "nobody-has-this-name"), 5);
}
END_TEST

START_TEST(explains)
{
	struct program c;
	long long n = start_client(&c);
	char what[64];
	json_t *o;

	snprintf(what, sizeof(what), "session:%lld", n);
	good(RUN("explain", what));
	ck_assert_ptr_nonnull(strstr(out, ": serving\n"));
	ck_assert_ptr_nonnull(strstr(out, "\n  why "));
	ck_assert_ptr_nonnull(strstr(out, "\n  kernel client "));
	ck_assert_ptr_nonnull(strstr(out, "  kernel agent "));
	good(RUN("explain", what, "--json"));
	o = one_object();
	ck_assert_str_eq(json_string_value(json_object_get(o, "what")), what);
	json_decref(o);
	snprintf(what, sizeof(what), "uid:%d", (int)getuid());
	good(RUN("explain", what));
	bad(RUN("explain", "session:987654"), 5);
	bad(RUN("explain", "uid:nobody-has-this-name"), 5);
	bad(RUN("explain", "something"), 2);
	end_client(&c);
}
END_TEST

/* The client comes back under another number. */
START_TEST(kicks)
{
	struct program c;
	long long n = start_client(&c), again;
	char what[64], said[128];
	json_t *row;

	snprintf(what, sizeof(what), "session:%lld", n);
	good(RUN("kick", what));
	snprintf(said, sizeof(said), "kicked %s of ", what);
	ck_assert_msg(strncmp(out, said, strlen(said)) == 0, "%s", out);
	do {
		good(RUN("ls", "-q", "--json"));
		row = json_loads(out, JSON_DISABLE_EOF_CHECK, NULL);
		again = row ? (long long)json_integer_value(json_object_get(row, "session")) : 0;
		json_decref(row);
	} while (again == 0 || again == n);
	bad(RUN("kick", what), 5);
	bad(RUN("kick", "door"), 2);
	end_client(&c);
}
END_TEST

START_TEST(freezes_and_thaws)
{
	struct program c, w;
	char uid[32];

	snprintf(uid, sizeof(uid), "uid:%d", (int)getuid());
	start_client(&c);
	good(RUN("freeze", uid));
	ck_assert_ptr_nonnull(strstr(out, "frozen "));
	good(RUN("status"));
	ck_assert_ptr_nonnull(strstr(out, "is frozen"));
	good(RUN("explain", uid));
	ck_assert_ptr_nonnull(strstr(out, ": frozen\n"));
	/* New ones are refused, and say why. */
	START(&w, "wait", "--socket", session_path, name_of("bell", bell[0], ""));
	expect_exit(&w, "", 6);
	/* What becomes ready meanwhile is told after it. */
	ck_assert_int_eq(write(door[1], "x", 1), 1);
	good(RUN("freeze", uid, "--json"));
	ck_assert_ptr_nonnull(strstr(out, "\"was\":true"));
	good(RUN("thaw", uid));
	expect_line(&c, "door in\n");
	good(RUN("thaw", uid));
	ck_assert_ptr_nonnull(strstr(out, "was not frozen"));
	end_client(&c);
}
END_TEST

START_TEST(log_level)
{
	good(RUN("log-level"));
	ck_assert_str_eq(out, "info\n");
	good(RUN("log-level", "debug"));
	ck_assert_str_eq(out, "log level debug, was info\n");
	good(RUN("log-level", "--json"));
	ck_assert_str_eq(out, "{\"log_level\":\"debug\"}\n");
	good(RUN("log-level", "info", "-q"));
	ck_assert_str_eq(out, "");
	bad(RUN("log-level", "loud"), 2);
}
END_TEST

static void says(const char *part)
{
	ck_assert_msg(strstr(out, part), "'%s' is not in: %s", part, out);
}

static void complains(const char *part)
{
	ck_assert_msg(strstr(err, part), "'%s' is not in: %s", part, err);
}

START_TEST(configuration)
{
	good(RUN("config", "show"));
	says("KEY ");
	says("quota.default.sessions       32           default\n");
	says("1000/s");
	says("command line\n");
	good(RUN("config", "check"));
	ck_assert_str_eq(out, "the configuration is good: 1 file, 0 keys would change\n");
	good(RUN("config", "diff"));
	ck_assert_str_eq(out, "");
	write_config("limits: {sessions: 7}\nreactors: 9\n");
	good(RUN("config", "check"));
	says("1 file, 1 key would change, 1 waits for a restart\n");
	good(RUN("config", "diff"));
	says("  limits.sessions: 7, was 1024   (");
	says("c.yaml:1)\n  reactors: 9, was auto   (");
	says(", at a restart)\n");
	good(RUN("reload"));
	says("reloaded, generation 2: 1 file, 1 key changed, 1 waits for a restart\n");
	good(RUN("reload", "-q"));
	ck_assert_str_eq(out, "");
	good(RUN("config", "show"));
	says("auto (then 9)");
	good(RUN("config", "show", "--json"));
	says("\"generation\":3");
	says("\"key\":\"limits.sessions\",\"value\":\"7\"");
	good(RUN("status"));
	says("  config generation 3, loaded ");
	says("  ! 1 key of it waits for a restart: ");
	write_config("\nlimts: {sessions: 7}\n");
	bad(RUN("reload"), 1);
	complains("c.yaml:2:1: unknown key 'limts'\n");
	complains("nothing has changed: still generation 3 of ");
	complains("did you mean 'limits'?");
	bad(RUN("config", "check"), 1);
	bad(RUN("config", "diff"), 1);
	good(RUN("status"));
	says("  ! a reload was refused ");
	bad(RUN("config"), 2);
	bad(RUN("config", "shaw"), 2);
	complains("did you mean 'show'?");
	bad(RUN("config", "show", "check"), 2);
	bad(RUN("reload", "now"), 2);
	bad(RUN("config", "show", "-q"), 2);
}
END_TEST

START_TEST(top)
{
	struct program c;

	start_client(&c);
	good(RUN("top", "--once"));
	says("users 1   sessions 1   registrations 1   events/s 0\n");
	says("USER ");
	says("EV/S");
	good(RUN("top", "--once", "--json"));
	says("\"events_per_s\":0");
	bad(RUN("top", "now"), 2);
	bad(RUN("status", "--once"), 2);
	end_client(&c);
}
END_TEST

START_TEST(metrics)
{
	good(RUN("metrics", "--json"));
	says("{\"text\":\"# TYPE readyd_build info");
}
END_TEST

START_TEST(who_one_is)
{
	char want[64];
	struct program c;

	start_client(&c);
	good(RUN("whoami"));
	says("you are ");
	snprintf(want, sizeof(want), "(uid %u), pid ", (unsigned int)geteuid());
	says(want);
	says(", in the user instance of readyd ");
	says("\n  may    connect,inspect,admin, and administers everything\n"
	     "  quota  sessions 1/32  registrations 1/1,024  control 1/8  connects 1,000/s\n");
	good(RUN("whoami", "--json"));
	says("\"charged_to\":null,\"quotas\":[{\"name\":\"sessions\",\"limit\":32,\"used\":1},");
	bad(RUN("whoami", "root"), 2);
	end_client(&c);
}
END_TEST

START_TEST(reports)
{
	static const char *const has[8] = {"\"machine\":{\"readyctl\":\"", "\"kernel\":\"",
		"\"key\":\"quota.users.*.sessions\",\"value\":\"99\"", "\"registrations\":[{",
		"\"name\":\"(left out)\",\"state\":\"serving\"",
		"\"name\":\"registrations\",\"limit\":1024", "\"files\":1,",
		"\"text\":\"# TYPE readyd_build info"};
	const char *const has_not[] = {"secretgroup", "users.root", "\"readyctl\",\"state\"", dir};
	struct program c;

	write_config("quota: {users: {root: {sessions: 99}}}\nadmin: {group: secretgroup}\n");
	good(RUN("reload", "-q"));
	start_client(&c);
	good(RUN("report", "--json"));
	for (size_t i = 0; i < 8; i++)
		says(has[i]);
	for (size_t i = 0; i < sizeof(has_not) / sizeof(has_not[0]); i++)
		ck_assert_ptr_null(strstr(out, has_not[i]));
	ck_assert_int_eq(RUN("report"), 0);
	end_client(&c);
	good(RUN("report", "--json", "--socket", "/nonexistent/control.sock"));
	says("\"status\":{\"failed\":\"NOT_RUNNING\",\"exit\":3}");
}
END_TEST

START_TEST(what_the_policy_says)
{
	char me[32];

	snprintf(me, sizeof(me), "%u", (unsigned int)geteuid());
	good(RUN("explain", "--can", me, "connect"));
	says(" may connect self:*\n  rule   root, and the user of a private instance, may do");
	good(RUN("explain", "--can", "4242", "inspect"));
	says("  rule   who: any, allow: [connect, inspect], names: \"self:*\"\n"
	     "  from   what is built in\n");
	good(RUN("explain", "--can", "4242", "inspect", "*:*"));
	ck_assert_str_eq(out, "no: 4242 may not inspect *:*\n"
			      "  rule   none fits, and without one it is no\n");
	write_config("policy:\n- {who: any, allow: [inspect], names: \"*:*\"}\n");
	good(RUN("reload"));
	good(RUN("explain", "--can", "4242", "inspect", "root:*"));
	says("yes: 4242 may inspect root:*\n  rule   who: any, allow: [inspect], names: \"*:*\"\n");
	says("c.yaml:2\n");
	good(RUN("explain", "--can", "4242", "inspect", "*:*"));
	says("yes: ");
	good(RUN("explain", "--can", "uid:4242", "admin", "self:*", "--json"));
	says("{\"allowed\":false,");
	bad(RUN("explain", "--can", "4242", "park"), 2);
	bad(RUN("explain", "--can", "4242"), 2);
	bad(RUN("explain", "--can", "4242", "admin", "a", "b"), 2);
	bad(RUN("explain", "--can", "4242", "admin", ""), 2);
	bad(RUN("explain", "--can", "nobody-is-called-so", "admin"), 5);
	bad(RUN("kick", "--can", "session:1"), 2);
}
END_TEST

START_TEST(wrong_command_lines)
{
	bad(RUN("kick"), 2);
	bad(RUN("explain"), 2);
	bad(RUN("freeze", "uid:0", "uid:1"), 2);
	bad(RUN("status", "now"), 2);
	bad(RUN("status", "--quiet"), 2);
	bad(RUN("ls", "--agents", "--registrations"), 2);
	bad(RUN("ls", "--session", "0"), 2);
	bad(RUN("ls", "--session", "12x"), 2);
	ck_assert_int_eq(RUN("ls", "--json=tall"), 2);
	bad(RUN("sttaus"), 2);
	ck_assert_ptr_nonnull(strstr(err, "did you mean 'status'?"));
	bad(RUN("ls", "--local"), 2);
	/* JSON was asked for: the failure is JSON, too. */
	ck_assert_int_eq(RUN("kick", "--json"), 2);
	ck_assert_ptr_nonnull(strstr(err, "\"error\":\"USAGE\""));
}
END_TEST

START_TEST(nobody_is_there)
{
	struct program c;
	char gone[128];

	snprintf(gone, sizeof(gone), "%s/gone.sock", dir);
	START(&c, "status", "--socket", gone);
	expect_exit(&c, "", 3);
	/* There, and silent. */
	kill(readyd, SIGSTOP);
	bad(RUN("status", "--timeout", "200ms"), 4);
	kill(readyd, SIGCONT);
	good(RUN("status"));
}
END_TEST

static void end_other(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

_Noreturn static void serve_log_level(int sock, int n_hangups)
{
	for (int n = 0;; n++) {
		static const char reply[] = "{\"parameters\":{\"log_level\":\"info\"}}";
		char call[4096];
		int peer = accept(sock, NULL, NULL);

		if (recv(peer, call, sizeof(call), 0) <= 0)
			_exit(1);
		if (n >= n_hangups)
			send(peer, reply, sizeof(reply), MSG_NOSIGNAL);
		close(peer);
	}
}

/* Listens at control_path, hangs up on n_hangups callers, says a log level to the next, and so on. */
static pid_t hang_up_on(int n_hangups)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(control_path, sizeof(control_path), "%s/other.sock", dir);
	strcpy(a.sun_path, control_path);
	unlink(control_path);
	ck_assert_int_eq(bind(sock, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(sock, 8), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		serve_log_level(sock, n_hangups);
	close(sock);
	return pid;
}

/* What a restart of readyd looks like to who has just called. */
START_TEST(hung_up_on)
{
	pid_t other = hang_up_on(3);

	good(RUN("log-level"));
	ck_assert_str_eq(out, "info\n");
	end_other(other);

	other = hang_up_on(4);
	bad(RUN("log-level"), 1);
	complains("the answer of readyd broke off");
	end_other(other);

	/* Nobody knows whether that has been done. */
	other = hang_up_on(1);
	bad(RUN("kick", "session:1"), 1);
	complains("the answer of readyd broke off");
	end_other(other);
}
END_TEST

START_TEST(pages_of_help)
{
	static const char *const verbs[] = {"status", "ls", "explain", "kick", "freeze", "thaw",
		"log-level", "config", "reload"};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct program c;
		char usage[64];

		START(&c, verbs[i], "--help");
		read_text(c.out, out, sizeof(out), false);
		snprintf(usage, sizeof(usage), "usage: readyctl %s ", verbs[i]);
		ck_assert_msg(strncmp(out, usage, strlen(usage)) == 0, "%s", out);
		ck_assert_ptr_nonnull(strstr(out, "\nExamples:\n"));
		ck_assert_ptr_nonnull(strstr(out, "\nExit codes: 0"));
		ck_assert_int_eq(waitpid(c.pid, NULL, 0), c.pid);
		close(c.in);
		close(c.out);
		close(c.err);
	}
}
END_TEST

UNIT_MAIN_WITH("ctl/control", setup, teardown, status, lists, explains, kicks, freezes_and_thaws,
	log_level, configuration, top, metrics, who_one_is, reports, what_the_policy_says,
	wrong_command_lines, nobody_is_there, hung_up_on, pages_of_help)
