/* SPDX-License-Identifier: MIT */
/* readyctl explain --can: what the policy lets a user do, and which rule says so. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "control.h"

#define GROUPS_MAX 1024

/* The groups that the user would have after logging in. */
static json_t *groups_of(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	gid_t groups[GROUPS_MAX];
	json_t *all = json_array();
	int n = GROUPS_MAX;

	if (!user || getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
		return all;
	for (int i = 0; i < n; i++)
		json_array_append_new(all, json_integer((json_int_t)groups[i]));
	return all;
}

/* "self:*", "*:*", "bob:*", and the same without ":*". Null: everybody's. */
static int find_owner(const char *names, int64_t uid, json_t **ret, struct ctl_problem *p)
{
	size_t n = strlen(names);
	char owner[64];
	int64_t found;
	int r;

	if (n > 2 && strcmp(names + n - 2, ":*") == 0)
		n -= 2;
	if (n == 0 || n >= sizeof(owner)) {
		ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is nobody", names);
		ctl_problem_why(p, "it says whose things: a user's, one's own, or everybody's");
		ctl_problem_hint(p, "bob:*, self:* or '*:*'");
		return p->exit;
	}
	memcpy(owner, names, n);
	owner[n] = 0;
	if (strcmp(owner, "*") == 0) {
		*ret = json_null();
		return 0;
	}
	if (strcmp(owner, "self") == 0) {
		*ret = json_integer(uid);
		return 0;
	}
	r = ctl_find_uid(owner, &found, p);
	if (r == 0)
		*ret = json_integer(found);
	return r;
}

static void say(const struct ctl_options *o, const json_t *reply)
{
	const char *rule = json_string_value(json_object_get(reply, "rule")),
		   *file = json_string_value(json_object_get(reply, "file"));

	printf("%s: %s may %s%s %s\n",
		json_is_true(json_object_get(reply, "allowed")) ? "yes" : "no", o->target,
		json_is_true(json_object_get(reply, "allowed")) ? "" : "not ", o->can_verb,
		o->can_names);
	printf("  rule   %s\n", rule ? rule : "none fits, and without one it is no");
	if (file)
		printf("  from   %s:%lld\n", file,
			(long long)json_integer_value(json_object_get(reply, "line")));
	else if (rule)
		puts("  from   what is built in");
}

int ctl_can(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c = CTL_CALL_NULL;
	json_t *owner = NULL;
	const json_t *reply;
	int64_t uid;
	bool more;
	int r = ctl_find_uid(
		strncmp(o->target, "uid:", 4) == 0 ? o->target + 4 : o->target, &uid, p);

	if (r == 0)
		r = find_owner(o->can_names, uid, &owner, p);
	if (r == 0)
		r = ctl_call_open(&c, path, o->answer_ns, CONTROL_CAN,
			json_pack("{s:I, s:o, s:s, s:o}", "uid", (json_int_t)uid, "groups",
				groups_of((uid_t)uid), "verb", o->can_verb, "owner", owner),
			p);
	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0 && o->json)
		r = ctl_put_json(o, reply, p);
	else if (r == 0)
		say(o, reply);
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
