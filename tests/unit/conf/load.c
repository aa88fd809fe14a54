/* SPDX-License-Identifier: MIT */
/* Files: what is taken from them, what is refused and where, which are read in which order. */
#include <fcntl.h>

#include "files.h"

START_TEST(what_is_taken)
{
	struct conf defaults = l.conf;
	char rule[CONF_RULE_BYTES];

	static const char *const nothing[] = {"", "\n", "# nothing\n", "---\n", "---\n...\n",
		"{}\n", "limits:\n", "limits: {}\n", "limits: ~\n", "quota:\n  default:\n",
		"\xef\xbb\xbf"};

	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		taken(nothing[i]);
	ck_assert_mem_eq(&l.conf, &defaults, sizeof(defaults));
	taken("limits:\n  sessions: 7\n  uids: 3\nquota:\n  default: {sessions: 5}\n"
	      "agent: {idle_exit: 250ms}\nsockets: {session: {mode: \"0600\", path: 'a.sock'}}\n"
	      "sandbox: off\nuser: x\n");
	ck_assert_uint_eq(l.conf.limit_sessions, 7);
	ck_assert_uint_eq(l.conf.limit_uids, 3);
	ck_assert_uint_eq(l.conf.quota_sessions, 5);
	ck_assert_uint_eq(l.conf.idle_exit_ns, 250000000);
	ck_assert_uint_eq(l.conf.session_mode, 0600);
	ck_assert_str_eq(l.conf.session_path, "a.sock");
	ck_assert_uint_eq(l.conf.sandbox, 0);
	ck_assert_str_eq(l.conf.user, "x");
	taken("policy:\n- {who: user:ann, allow: [connect, admin], names: \"*:*\"}\n"
	      "- who: group:ops\n  names: 'bob:*'\n  allow: []\n"
	      "- {allow: [all], who: any, names: \"self:*\"}\n");
	ck_assert_uint_eq(l.conf.policy.n_rules, 3);
	ck_assert_str_eq(conf_rule_text(&l.conf.policy.rules[0], rule),
		"who: user:ann, allow: [connect, admin], names: \"*:*\"");
	ck_assert_str_eq(conf_rule_text(&l.conf.policy.rules[1], rule),
		"who: group:ops, allow: [], names: \"bob:*\"");
	ck_assert_str_eq(conf_rule_text(&l.conf.policy.rules[2], rule),
		"who: any, allow: [all], names: \"self:*\"");
	ck_assert_uint_eq(l.conf.policy.rules[1].line, 3);
	/* Another list takes the place of it all. */
	taken("policy: [{who: any, allow: [all], names: \"self:*\"}]");
	ck_assert_uint_eq(l.conf.policy.n_rules, 1);
	taken("policy: built-in");
	ck_assert_uint_eq(l.conf.policy.n_rules, 0);
	/* JSON is YAML. */
	taken("{\"limits\": {\"sessions\": 9}}");
	ck_assert_uint_eq(l.conf.limit_sessions, 9);
	ck_assert_uint_eq(l.conf.limit_uids, 3);
}
END_TEST

static const struct mistake mistakes[] = {
	/* Keys */
	{"selektor: epoll", ":1:1", "unknown key 'selektor'", "no such key", "'selector'?"},
	{"limits:\n  sesions: 5", ":2:3", "unknown key 'limits.sesions'", "", "'limits.sessions'?"},
	{"limts:\n  sessions: 5", ":1:1", "unknown key 'limts'", "", "'limits'?"},
	{"quota: {defult: {sessions: 5}}", ":1:9", "unknown key 'quota.defult'", "",
		"'quota.default'?"},
	{"qqqqqqqqqqqqqqq: 1", ":1:1", "unknown key", "", "readyd --help-config"},
	{"limits.sessions: 5", ":1:1", "unknown key 'limits.sessions'", "a dot", "limits:, and"},
	{"reactors: {x: 1}", ":1:11", "'reactors' has no value", "a section", "reactors: auto"},
	{"\"\": 1", ":1:1", "unknown key ''", "", ""},
	{"\"a\\0b\": 1", ":1:1", "unknown key", "", ""},
	{"\"\\e[2J.x\": 1", ":1:1", "unknown key '?[2J.x'", "", ""},
	{"limits:\n  sessions: 5\n  sessions: 6", ":3:3", "'limits.sessions' is there twice",
		"line 2", "take one away"},
	{"limits: {uids: 5}\nlog: {level: info}\nlimits: {sessions: 6}", ":3:1",
		"'limits' is there twice", "line 1", ""},
	{"<<: 1", ":1:1", "unknown key '<<'", "", ""},
	{"? [a, b]\n: 1", ":1:3", "stands where a key should", "keys are words", ""},
	{"[1]: 2", ":1:1", "", "", ""},
	/* Values */
	{"limits:\n  sessions: many", ":2:13", "limits.sessions: 'many'", "it takes",
		"for example sessions: 1024"},
	{"limits:\n  sessions: 0", ":2:13", "'0'", "out of range", "from 1 to 65536"},
	{"limits:\n  sessions: -1", ":2:13", "'-1'", "", ""},
	{"limits:\n  sessions: 1e3", ":2:13", "'1e3'", "", ""},
	{"limits:\n  sessions: 0x10", ":2:13", "'0x10'", "", ""},
	{"agent: {idle_exit: 5}", ":1:20", "agent.idle_exit: '5'", "no unit", "idle_exit: 5s"},
	{"session: {send_buffer: 64}", ":1:24", "'64'", "no unit", "send_buffer: 64"},
	{"sandbox: true", ":1:10", "'true'", "off|on", "sandbox: on"},
	{"selector: io_uring", ":1:11", "'io_uring'", "one of", ""},
	{"limits:\n  sessions:\n  uids: 5", ":2:12", "'limits.sessions' has no value", "nothing",
		"sessions: 1024"},
	{"user: ~", ":1:7", "'user' has no value", "", ""},
	{"user: null", ":1:7", "'user' has no value", "", ""},
	{"user: ''", ":1:7", "user: ''", "", ""},
	{"user: \"a\\0b\"", ":1:7", "'user' has no value", "", ""},
	{"reactors: [1, 2]", ":1:11", "'reactors' has no value", "a list", ""},
	{"limits: 5", ":1:9", "'limits' is a section", "a value", "limits:, and"},
	{"limits: [sessions]", ":1:9", "'limits' is a section", "a list", ""},
	{"limits: ''", ":1:9", "'limits' is a section", "", ""},
	{"kinds: [tcp, tpc]", ":1:14", "kinds: 'tpc' is not allowed", "all, or a list of tcp, udp",
		"for example kinds: all"},
	{"kinds: []", ":1:9", "kinds: '' is not allowed", "", ""},
	{"kinds: [[tcp]]", ":1:9", "kinds: ''", "", ""},
	{"kinds: {tcp: on}", ":1:8", "'kinds' has no value", "a section", ""},
	{"kinds: none", ":1:8", "kinds: 'none'", "", ""},
	/* Documents */
	{"5", ":1:1", "there are no keys", "a value", "limits"},
	{"- limits", ":1:1", "there are no keys", "a list", ""},
	{"limits: {uids: 5}\n---\nlimits: {uids: 6}\n", ":2:1", "a second document", "one",
		"conf.d"},
	{"user: &a x", ":1:7", "anchors", "one place", ""},
	{"limits: &a {uids: 5}", ":1:9", "anchors", "", ""},
	{"user: *a", ":1:7", "", "", ""},
	{"user: !!str x", ":1:7", "tags are not allowed", "type", ""},
	{"limits: !x {uids: 5}", ":1:9", "tags", "", ""},
	{"!x [1]", ":1:1", "tags", "", ""},
	/* The policy */
	{"policy: 5", ":1:9", "policy: '5' is not allowed", "it takes a list of rules", "policy: "},
	{"policy: {who: any}", ":1:9", "'policy' has no value", "a section", "built-in"},
	{"policy: []", ":1:10", "there is no rule", "nobody but root", "who: any"},
	{"policy: [any]", ":1:10", "'any' is not allowed as a rule", "a section", "who: any"},
	{"policy: [[any]]", ":1:10", "a list or a section", "", ""},
	{"policy:\n- {who: any, allow: [all]}", ":2:26", "a rule has no 'names'", "", "names"},
	{"policy: [{}]", ":1:11", "a rule has no 'who'", "", ""},
	{"policy: [{who: any}]", ":1:19", "a rule has no 'allow'", "", ""},
	{"policy: [{who: any, who: any}]", ":1:21", "'who' is there twice", "once", ""},
	{"policy: [{whom: any}]", ":1:11", "'whom' is not allowed as a part", "", "names"},
	{"policy: [{[a]: any}]", ":1:11", "a list or a section", "", ""},
	{"policy: [{who: ann}]", ":1:16", "'ann' is not allowed as who", "", "user:NAME"},
	{"policy: [{who: \"user:\"}]", ":1:16", "'user:' is not allowed", "", ""},
	{"policy: [{who: user:a/b}]", ":1:16", "'user:a/b'", "", ""},
	{"policy: [{who: group:a123456789b123456789c123456789d12}]", ":1:16", "'group:a", "", ""},
	{"policy: [{who: {a: b}}]", ":1:16", "a list or a section", "", ""},
	{"policy: [{allow: all}]", ":1:18", "'all' is not allowed as allow", "a list",
		"[] to deny"},
	{"policy: [{allow: [al]}]", ":1:19", "'al' is not allowed as allow", "", "connect"},
	{"policy: [{allow: [[all]]}]", ":1:19", "a list or a section", "", ""},
	{"policy: [{names: \"*\"}]", ":1:18", "'*' is not allowed as names", "", "self:*"},
	{"policy: [{names: \"ann:x*\"}]", ":1:18", "'ann:x*'", "nothing else has a name", ""},
	{"policy: [{names: \":*\"}]", ":1:18", "':*'", "", ""},
	{"policy: [{names: *a}]", ":1:18", "", "", ""},
	{"policy: [{who: any", ":2:1", "not YAML", "", ""},
	{"policy: !x [{who: any}]", ":1:9", "tags", "", ""},
	/* No YAML, no text */
	{"limits:\n\tsessions: 5", ":2:1", "not YAML", "a tab", "spaces"},
	{"limits: {uids: 5", ":2:1", "not YAML", "", ""},
	{"user: \"x", "", "not YAML", "", ""},
	{"limits:\n  uids: 5\n sessions: 6", ":3:2", "not YAML", "", ""},
	{"user: b: c", ":1:8", "not YAML", "", ""},
	{"@", ":1:1", "not YAML", "", ""},
	{"user: x\nlog:\n  level: \x01", ":3:10", "not text", "control", "UTF-8"},
	{"user: \xff", ":1:7", "not text", "", "UTF-8"},
	{"user: \xc3(", ":1:8", "not text", "", ""},
	{"user: \xed\xa0\x80", ":1:", "not text", "", ""},
};

START_TEST(mistakes_in_a_file)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		mistaken(&mistakes[i]);
}
END_TEST

/* What stands before a mistake does not count either. */
START_TEST(all_or_nothing)
{
	const char *p = write_file("bad.yaml", "limits: {sessions: 5}\nuser: 'a b'\n");

	ck_assert_int_eq(refused(p), -EINVAL);
	ck_assert_uint_eq(l.conf.limit_sessions, 1024);
}
END_TEST

/* A string of one byte again and again. */
static const char *write_many(const char *name, char c, size_t n)
{
	char *bytes = malloc(n);
	const char *p;

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, c, n);
	p = write_bytes(name, bytes, n);
	free(bytes);
	return p;
}

START_TEST(files_that_are_none)
{
	ck_assert_int_eq(refused(path("nowhere")), -ENOENT);
	ck_assert_int_eq(refused(dir), -EINVAL);
	has(e.why, "a folder");
	ck_assert_int_eq(mkfifo(path("fifo"), 0600), 0);
	ck_assert_int_eq(refused(path("fifo")), -EINVAL);
	has(e.why, "not a regular file");
	ck_assert_int_eq(refused("/dev/zero"), -EINVAL);
	ck_assert_int_eq(refused(write_many("long", '#', 10 << 20)), -EINVAL);
	has(e.why, "longer than 1 MiB");
	ck_assert_int_eq(conf_load_file(&l, write_many("full", '#', CONF_FILE_BYTES_MAX), &e), 0);
	conf_loaded_deinit(&l);
	ck_assert_int_eq(refused(write_many("over", '#', CONF_FILE_BYTES_MAX + 1)), -EINVAL);
	ck_assert_int_eq(refused(write_many("nul", 0, 100)), -EINVAL);
	has(e.what, "not text");
	has(e.where, "nul:1:1");
	ck_assert_int_eq(refused(write_bytes("nul2", "user: x\0y\n", 10)), -EINVAL);
	has(e.where, "nul2:1:8");
	/* Depth costs nothing. */
	ck_assert_int_eq(refused(write_many("deep", '[', CONF_FILE_BYTES_MAX)), -EINVAL);
	ck_assert_int_eq(refused(write_many("deeper", '{', CONF_FILE_BYTES_MAX)), -EINVAL);
	ck_assert_int_eq(refused(write_many("minus", '-', CONF_FILE_BYTES_MAX)), -EINVAL);
	if (geteuid() != 0) {
		write_file("secret", "");
		ck_assert_int_eq(chmod(path("secret"), 0), 0);
		ck_assert_int_eq(refused(path("secret")), -EACCES);
	}
}
END_TEST

static void is_from(const char *key, const char *file, uint32_t line)
{
	const struct conf_origin *o = &l.origins[row_of(key)];

	ck_assert_str_eq(o->file, file);
	ck_assert_uint_eq(o->line, line);
}

START_TEST(origins)
{
	taken("# first\nlimits:\n  # below\n  sessions: 7\nuser: x\n");
	is_from("limits.sessions", path("good.yaml"), 4);
	is_from("user", path("good.yaml"), 5);
	is_from("limits.uids", "default", 0);
	ck_assert_int_eq(conf_loaded_set_pair(&l, "user=y", &e), 0);
	is_from("user", "command line", 0);
	ck_assert_str_eq(l.conf.user, "y");
	ck_assert_int_eq(conf_loaded_set_pair(&l, "user=a b", &e), -EINVAL);
	ck_assert_str_eq(e.where, "");
	ck_assert_int_eq(conf_loaded_set_pair(&l, "usr=a", &e), -EINVAL);
	ck_assert_int_eq(conf_loaded_set_pair(&l, "user", &e), -EINVAL);
	ck_assert_str_eq(l.conf.user, "y");
	/* A later file says it again. */
	ck_assert_int_eq(
		conf_load_file(&l, write_file("second.yaml", "\nlimits: {sessions: 8}\n"), &e), 0);
	is_from("limits.sessions", path("second.yaml"), 2);
	ck_assert_uint_eq(l.n_files, 2);
	ck_assert_str_eq(l.files[0], path("good.yaml"));
}
END_TEST

static void make_folders(struct conf_folders *f)
{
	static char names[3][64];
	static const char *const of[] = {"vendor", "system", "runtime"};

	for (int i = 0; i < 3; i++) {
		snprintf(names[i], sizeof(names[i]), "%s/%s", dir, of[i]);
		ck_assert_int_eq(mkdir(names[i], 0700), 0);
		snprintf(names[i], sizeof(names[i]), "%s/%s/conf.d", dir, of[i]);
		ck_assert_int_eq(mkdir(names[i], 0700), 0);
		snprintf(names[i], sizeof(names[i]), "%s/%s", dir, of[i]);
	}
	*f = (struct conf_folders){names[0], names[1], names[2]};
}

static void all(const struct conf_folders *f)
{
	ck_assert_msg(conf_load_all(&l, f, &e) == 0, "%s: %s: %s", e.where, e.what, e.why);
}

START_TEST(which_goes_before_which)
{
	struct conf_folders f;

	make_folders(&f);
	all(&f);
	ck_assert_uint_eq(l.n_files, 0);
	write_file("vendor/readyd.yaml", "limits: {sessions: 1, uids: 1, control: 1}\nuser: v\n");
	all(&f);
	ck_assert_uint_eq(l.conf.limit_sessions, 1);
	write_file("system/readyd.yaml", "limits: {sessions: 2, uids: 2, control: 2}\n");
	/* By name, whichever folder they are in. */
	write_file("system/conf.d/20-b.yaml", "limits: {sessions: 3}\n");
	write_file("runtime/conf.d/30-c.yaml", "limits: {sessions: 4, uids: 4}\n");
	write_file("vendor/conf.d/10-a.yaml", "limits: {sessions: 5, uids: 5}\n");
	all(&f);
	ck_assert_uint_eq(l.conf.limit_sessions, 4);
	ck_assert_uint_eq(l.conf.limit_uids, 4);
	ck_assert_uint_eq(l.conf.limit_controls, 2);
	ck_assert_str_eq(l.conf.user, "v");
	ck_assert_uint_eq(l.n_files, 5);
	ck_assert_str_eq(l.files[2], path("vendor/conf.d/10-a.yaml"));
	ck_assert_str_eq(l.files[4], path("runtime/conf.d/30-c.yaml"));
	is_from("limits.sessions", path("runtime/conf.d/30-c.yaml"), 1);
	/* The same name: system, runtime, vendor. */
	write_file("vendor/conf.d/30-c.yaml", "user: hidden\n");
	all(&f);
	ck_assert_str_eq(l.conf.user, "v");
	write_file("system/conf.d/30-c.yaml", "limits: {uids: 9}\n");
	all(&f);
	ck_assert_uint_eq(l.conf.limit_sessions, 3);
	ck_assert_uint_eq(l.conf.limit_uids, 9);
	/* What hides says nothing itself. */
	ck_assert_int_eq(unlink(path("system/conf.d/30-c.yaml")), 0);
	ck_assert_int_eq(symlink("/dev/null", path("system/conf.d/30-c.yaml")), 0);
	all(&f);
	ck_assert_uint_eq(l.conf.limit_uids, 5);
	ck_assert_uint_eq(l.conf.limit_sessions, 3);
	/* No drop-ins: hidden, of another kind, a folder without. */
	write_file("system/conf.d/.40.yaml", "user: w\n");
	write_file("system/conf.d/40.yaml.bak", "user: w\n");
	write_file("system/conf.d/yaml", "user: w\n");
	write_file("system/conf.d/.yaml", "user: w\n");
	all(&f);
	ck_assert_str_eq(l.conf.user, "v");
	/* A mistake in one: all stays as it was. */
	write_file("system/conf.d/50.yaml", "usr: w\n");
	ck_assert_int_eq(conf_load_all(&l, &f, &e), -EINVAL);
	has(e.where, path("system/conf.d/50.yaml:1:1"));
	ck_assert_str_eq(l.conf.user, "v");
	ck_assert_uint_eq(l.conf.limit_sessions, 3);
	f = (struct conf_folders){NULL, NULL, NULL};
	all(&f);
	ck_assert_uint_eq(l.conf.limit_sessions, 1024);
}
END_TEST

START_TEST(more_files_than_anybody_has)
{
	struct conf_folders f;
	char name[64];

	make_folders(&f);
	for (unsigned int i = 0; i < CONF_FILES_MAX - 2; i++) {
		snprintf(name, sizeof(name), "system/conf.d/%02u.yaml", i);
		write_file(name, "limits: {uids: 5}\n");
	}
	all(&f);
	ck_assert_uint_eq(l.n_files, CONF_FILES_MAX - 2);
	write_file("system/conf.d/99.yaml", "");
	ck_assert_int_eq(conf_load_all(&l, &f, &e), -EINVAL);
	has(e.why, "too many");
	conf_loaded_deinit(&l);
	for (unsigned int i = 0; i < CONF_FILES_MAX; i++)
		taken("");
	ck_assert_int_eq(conf_load_file(&l, path("good.yaml"), &e), -EINVAL);
	has(e.why, "too many");
}
END_TEST

UNIT_MAIN_WITH("conf/load", setup, teardown, what_is_taken, mistakes_in_a_file, all_or_nothing,
	files_that_are_none, origins, which_goes_before_which, more_files_than_anybody_has)
