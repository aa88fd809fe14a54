/* SPDX-License-Identifier: MIT */
/* Quotas of single users and ranges of uids in files: what is taken, what adds up, what is refused. */
#include "files.h"

static const struct mistake mistakes[] = {
	/* Quotas of users */
	{"quota: {users: 5}", ":1:16", "quota.users: '5' is not allowed", "a section of users",
		"users: {}"},
	{"quota: {users: [mail]}", ":1:16", "'quota.users' has no value", "a list", "users: {}"},
	{"quota: {users: {mail: 5}}", ":1:23", "'quota.users.mail' is a section", "a value",
		"mail: {sessions: 64}"},
	{"quota: {users: {mail: [a]}}", ":1:23", "'quota.users.mail' is a section", "a list", ""},
	{"quota: {users: {m/x: {}}}", ":1:17", "'m/x' is not allowed as a user", "a name", "mail"},
	{"quota: {users: {a123456789b123456789c123456789d12: {}}}", ":1:17", "not allowed", "", ""},
	{"quota: {users: {'': {}}}", ":1:17", "'' is not allowed as a user", "", ""},
	{"quota: {users: {[a]: {}}}", ":1:17", "a list stands where a user's name", "", ""},
	{"quota: {users: {\"a\\0b\": {}}}", ":1:17", "a user's name", "", ""},
	{"quota: {users: {a: {sessions: 1}, b: {}, a: {}}}", ":1:42", "'a' is there twice",
		"line 1", "take one away"},
	{"quota: {users: {a: {sessions: 1, sessions: 1}}}", ":1:34",
		"'quota.users.a.sessions' is there twice", "line 1", ""},
	{"quota:\n  users: {a: {}}\n  users: {b: {}}", ":3:3", "'quota.users' is there twice",
		"line 2", ""},
	{"quota: {users: {a: {sesions: 1}}}", ":1:21", "unknown key 'quota.users.a.sesions'", "",
		"'sessions'?"},
	{"quota: {users: {a: {holdings: 1}}}", ":1:21", "unknown key 'quota.users.a.holdings'", "",
		"connects_per_s, control, registrations or sessions"},
	{"quota: {users: {a: {[b]: 1}}}", ":1:21", "a list stands where a quota's name", "", ""},
	{"quota: {users: {a: {sessions: many}}}", ":1:31", "quota.users.a.sessions: 'many'",
		"a number", "sessions: 32"},
	{"quota: {users: {a: {sessions: 0}}}", ":1:31", "quota.users.a.sessions: '0'",
		"out of range", "from 1 to 65536"},
	{"quota: {users: {a: {registrations: 1000001}}}", ":1:36", "'1000001'", "out of range", ""},
	{"quota: {users: {a: {connects_per_s: 5/m}}}", ":1:37", "'5/m'", "per second", "10"},
	{"quota: {users: {a: {sessions: {b: 1}}}}", ":1:31",
		"'quota.users.a.sessions' has no value", "a section", ""},
	{"quota: {users: {a: {sessions: }}}", ":1:31", "has no value", "nothing", ""},
	{"quota: {users: {a: &b {}}}", ":1:20", "anchors", "", ""},
	{"quota: {users: {a: {sessions: 1", ":2:1", "not YAML", "", ""},
	/* Ranges of uids */
	{"quota: {uid_ranges: 5}", ":1:21", "quota.uid_ranges: '5' is not allowed", "a list of",
		"uid_ranges: []"},
	{"quota: {uid_ranges: {from: 1}}", ":1:21", "'quota.uid_ranges' has no value", "a section",
		""},
	{"quota: {uid_ranges: ~}", ":1:21", "'quota.uid_ranges' has no value", "nothing", ""},
	{"quota: {uid_ranges: [5]}", ":1:22", "a range is a section", "from, count and charge_to",
		"charge_to: ann"},
	{"quota: {uid_ranges: [{from: 1, count: 5}]}", ":1:40", "a part of a range is missing", "",
		""},
	{"quota: {uid_ranges: [{}]}", ":1:23", "a part of a range is missing", "", ""},
	{"quota: {uid_ranges: [{to: 1}]}", ":1:23", "something else in a range", "", ""},
	{"quota: {uid_ranges: [{[to]: 1}]}", ":1:23", "something else in a range", "", ""},
	{"quota: {uid_ranges: [{from: 1, from: 2}]}", ":1:32", "'from' is there twice", "", ""},
	{"quota: {uid_ranges: [{from: [1]}]}", ":1:29", "a value is missing", "", ""},
	{"quota: {uid_ranges: [{from: x}]}", ":1:29", "quota.uid_ranges.from: 'x'", "a number",
		"from: 100000"},
	{"quota: {uid_ranges: [{from: 0}]}", ":1:29", "quota.uid_ranges.from: '0'", "out of range",
		"from 1 to 4294967294"},
	{"quota: {uid_ranges: [{from: 4294967295}]}", ":1:29", "'4294967295'", "", ""},
	{"quota: {uid_ranges: [{count: 0}]}", ":1:30", "quota.uid_ranges.count: '0'", "", ""},
	{"quota: {uid_ranges: [{charge_to: a/b}]}", ":1:34", "'a/b' is not allowed as charge_to",
		"name of a user", ""},
	{"quota: {uid_ranges: [{from: 4294967294, count: 2, charge_to: a}]}", ":1:63",
		"are not allowed", "last uid", "smaller count"},
	{"quota:\n  uid_ranges:\n  - {from: 5, count: 2, charge_to: a}\n"
	 "  - {from: 1, count: 5, charge_to: b}",
		":4:", "1 and the 4 after it are not allowed", "line 3", "one range"},
	{"quota: {uid_ranges: [{from: 5, count: 9, charge_to: a}, {from: 6, count: 1, charge_to: "
	 "a}]}",
		":1:", "not allowed", "line 1", ""},
};

START_TEST(mistakes_in_a_file)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		mistaken(&mistakes[i]);
}
END_TEST

static uint32_t of_user(const char *name, enum conf_quota q)
{
	size_t user = conf_find_user(&l.conf, name, strlen(name));

	ck_assert_uint_ne(user, SIZE_MAX);
	return l.conf.users.users[user].quotas[q];
}

START_TEST(users)
{
	char key[CONF_USER_KEY_BYTES], value[CONF_VALUE_BYTES];
	struct conf defaults = l.conf;

	taken("quota:\n  users:\n");
	taken("quota:\n  users: {}\n  uid_ranges: []\n");
	ck_assert_mem_eq(&l.conf, &defaults, sizeof(defaults));
	taken("quota:\n  users:\n    mail:\n      sessions: 256\n      connects_per_s: 50/s\n"
	      "    a.b-c: {registrations: 9, control: 3}\n    none:\n    empty: {}\n");
	ck_assert_uint_eq(l.conf.users.n, 4);
	ck_assert_uint_eq(of_user("mail", CONF_Q_SESSIONS), 256);
	ck_assert_uint_eq(of_user("mail", CONF_Q_CONNECTS), 50);
	ck_assert_uint_eq(of_user("mail", CONF_Q_REGISTRATIONS), 0);
	ck_assert_uint_eq(of_user("a.b-c", CONF_Q_REGISTRATIONS), 9);
	ck_assert_uint_eq(of_user("a.b-c", CONF_Q_CONTROLS), 3);
	ck_assert_uint_eq(of_user("none", CONF_Q_SESSIONS), 0);
	ck_assert_uint_eq(l.user_origins[0][CONF_Q_SESSIONS].line, 4);
	ck_assert_uint_eq(l.user_origins[0][CONF_Q_CONNECTS].line, 5);
	ck_assert_uint_eq(l.user_origins[1][CONF_Q_CONTROLS].line, 6);
	ck_assert(!conf_user_text(&l.conf, 0, CONF_Q_REGISTRATIONS, key, value));
	ck_assert(conf_user_text(&l.conf, 0, CONF_Q_CONNECTS, key, value));
	ck_assert_str_eq(key, "quota.users.mail.connects_per_s");
	ck_assert_str_eq(value, "50/s");
	/* Another file adds to it; the command line goes before all. */
	ck_assert_int_eq(
		conf_load_file(&l,
			write_file("second.yaml",
				"quota: {users: {new: {sessions: 1}, mail: {sessions: 2}}}"),
			&e),
		0);
	ck_assert_uint_eq(of_user("mail", CONF_Q_SESSIONS), 2);
	ck_assert_uint_eq(of_user("mail", CONF_Q_CONNECTS), 50);
	ck_assert_uint_eq(of_user("new", CONF_Q_SESSIONS), 1);
	ck_assert_str_eq(l.user_origins[0][CONF_Q_SESSIONS].file, path("second.yaml"));
	ck_assert_str_eq(l.user_origins[0][CONF_Q_CONNECTS].file, path("good.yaml"));
	ck_assert_int_eq(conf_loaded_set_pair(&l, "quota.users.a.b-c.sessions=7", &e), 0);
	ck_assert_uint_eq(of_user("a.b-c", CONF_Q_SESSIONS), 7);
	ck_assert_ptr_eq(l.user_origins[1][CONF_Q_SESSIONS].file, CONF_FROM_COMMAND);
	defaults = l.conf;
	for (size_t i = 0; i < 7; i++) {
		const char *wrong[] = {"quota.users.x.session=7", "quota.users.x=7",
			"quota.users.=7", "quota.users.x.sessions=0", "quota.users..sessions=1",
			"quota.users.x/y.sessions=1", "quota.users=x"};

		ck_assert_int_eq(conf_loaded_set_pair(&l, wrong[i], &e), -EINVAL);
		ck_assert_mem_eq(&l.conf, &defaults, sizeof(defaults));
		ck_assert(e.what[0] && e.why[0] && e.fix[0]);
	}
	ck_assert_int_eq(conf_loaded_set_pair(&l, "quota.users={}", &e), 0);
	ck_assert_uint_eq(l.conf.users.n, 5);
}
END_TEST

START_TEST(uid_ranges)
{
	char value[CONF_VALUE_BYTES];

	taken("quota:\n  uid_ranges:\n  - {from: 100000, count: 65536, charge_to: ann}\n"
	      "  - {charge_to: bob, count: 1, from: 4294967294}\n"
	      "  - {from: 99999, count: 1, charge_to: ann}\n");
	ck_assert_uint_eq(l.conf.ranges.n, 3);
	ck_assert_uint_eq(l.conf.ranges.ranges[0].from, 100000);
	ck_assert_uint_eq(l.conf.ranges.ranges[0].count, 65536);
	ck_assert_str_eq(l.conf.ranges.ranges[0].charge_to, "ann");
	ck_assert_uint_eq(l.conf.ranges.ranges[1].line, 4);
	ck_assert_str_eq(conf_value(&l.conf, row_of("quota.uid_ranges"), value), "3 ranges");
	/* Another list takes the place of it all. */
	taken("quota: {uid_ranges: [{from: 1, count: 1, charge_to: a}]}");
	ck_assert_str_eq(conf_value(&l.conf, row_of("quota.uid_ranges"), value), "1 range");
	taken("quota: {uid_ranges: []}");
	ck_assert_str_eq(conf_value(&l.conf, row_of("quota.uid_ranges"), value), "[]");
}
END_TEST

/* 256 of each, and one more. */
START_TEST(as_many_as_there_can_be)
{
	for (unsigned int n = 256; n <= 257; n++) {
		char *text;
		size_t size;
		FILE *f = open_memstream(&text, &size);

		fputs("quota:\n  users:\n", f);
		for (unsigned int i = 0; i < n; i++)
			fprintf(f, "    u%u: {sessions: 1}\n", i);
		fclose(f);
		ck_assert_int_eq(conf_load_file(&l, write_file("many.yaml", text), &e),
			n == 256 ? 0 : -EINVAL);
		free(text);
		ck_assert_uint_eq(l.conf.users.n, 256);
		f = open_memstream(&text, &size);
		fputs("quota:\n  uid_ranges:\n", f);
		for (unsigned int i = 1; i <= n; i++)
			fprintf(f, "  - {from: %u, count: 10, charge_to: a}\n", 10 * i);
		fclose(f);
		ck_assert_int_eq(conf_load_file(&l, write_file("many.yaml", text), &e),
			n == 256 ? 0 : -EINVAL);
		free(text);
		ck_assert_uint_eq(l.conf.ranges.n, 256);
	}
}
END_TEST

UNIT_MAIN_WITH("conf/quotas", setup, teardown, mistakes_in_a_file, users, uid_ranges,
	as_many_as_there_can_be)
