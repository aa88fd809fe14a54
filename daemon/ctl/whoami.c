/* SPDX-License-Identifier: MIT */
/* readyctl whoami: as whom readyd sees the caller, which in a container is not as whom he sees himself. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "control.h"
#include "words.h"

static const char *text(const json_t *reply, const char *key)
{
	const char *s = json_string_value(json_object_get(reply, key));

	return s ? s : "-";
}

static long long number(const json_t *reply, const char *key)
{
	return (long long)json_integer_value(json_object_get(reply, key));
}

static void put_who(const json_t *reply)
{
	const json_t *pid = json_object_get(reply, "pid");
	long long uid = number(reply, "uid");
	char name[64];

	/* Names are those of the system we run on: another user namespace has others. */
	ctl_words_user(uid, name, sizeof(name));
	if (uid == (long long)getuid())
		printf("you are %s (uid %lld)", name, uid);
	else
		printf("readyd sees uid %lld", uid);
	if (json_is_integer(pid))
		printf(", pid %lld", (long long)json_integer_value(pid));
	else
		fputs(", pid unknown", stdout);
	printf(", in the %s instance of readyd %s\n", text(reply, "instance"),
		text(reply, "version"));
	if (uid != (long long)getuid())
		printf("  here   uid %lld: this is another user namespace\n", (long long)getuid());
	if (!json_is_integer(pid))
		puts("  here   in another pid namespace: readyd cannot name your processes");
}

static void put_quotas(const json_t *quotas)
{
	char limit[32], used[32];
	const json_t *q;
	size_t i;

	fputs("  quota ", stdout);
	json_array_foreach(quotas, i, q)
	{
		ctl_words_count(json_object_get(q, "limit"), limit, sizeof(limit));
		ctl_words_count(json_object_get(q, "used"), used, sizeof(used));
		fputs(i ? "  " : " ", stdout);
		if (strcmp(text(q, "name"), "connects_per_s") == 0)
			printf("connects %s/s", limit);
		else
			printf("%s %s/%s", text(q, "name"), used, limit);
	}
	putchar('\n');
}

static void put(const json_t *reply)
{
	const json_t *payer = json_object_get(reply, "charged_to");
	char may[64];

	put_who(reply);
	ctl_words_list(json_object_get(reply, "may"), may, sizeof(may));
	printf("  may    %s%s\n", strcmp(may, "-") == 0 ? "nothing" : may,
		json_is_true(json_object_get(reply, "admin")) ? ", and administers everything"
							      : ", what is yours");
	put_quotas(json_object_get(reply, "quotas"));
	if (json_is_integer(payer))
		printf("  charged to uid %lld, together with all of quota.uid_ranges that are\n",
			(long long)json_integer_value(payer));
	if (json_is_true(json_object_get(reply, "frozen")))
		puts("  ! frozen by an administrator: your sessions are neither read nor written");
}

int ctl_whoami(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c = CTL_CALL_NULL;
	const json_t *reply;
	bool more;
	int r = ctl_call_open(&c, path, o->answer_ns, CONTROL_WHO_AM_I, json_object(), p);

	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0 && o->json)
		r = ctl_put_json(o, reply, p);
	else if (r == 0)
		put(reply);
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
