/* SPDX-License-Identifier: MIT */
/* The verbs that change something, each said in one line when it is done; and what all control verbs share. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "control.h"
#include "words.h"

int ctl_put_json(const struct ctl_options *o, const json_t *value, struct ctl_problem *p)
{
	char *text = json_dumps(
		value, (o->pretty ? JSON_INDENT(2) : JSON_COMPACT) | JSON_REAL_PRECISION(9));

	if (!text)
		return ctl_problem_errno(p, "print", -ENOMEM);
	puts(text);
	free(text);
	return 0;
}

int ctl_flush(struct ctl_problem *p)
{
	if (fflush(stdout) == 0)
		return 0;
	return errno == EPIPE ? (int)CTL_CLOSED
			      : ctl_problem_errno(p, "write to standard output", -errno);
}

int ctl_find_uid(const char *text, int64_t *ret, struct ctl_problem *p)
{
	const struct passwd *user;
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end) {
		if (errno == 0 && n < UINT32_MAX) {
			*ret = (int64_t)n;
			return 0;
		}
	} else {
		user = getpwnam(text);
		if (user) {
			*ret = user->pw_uid;
			return 0;
		}
	}
	ctl_problem_set(p, CTL_NOT_FOUND, "NOT_FOUND", "there is no user '%.60s'", text);
	ctl_problem_why(p, "it is neither a name that this system knows nor a uid");
	ctl_problem_hint(p, "uid:1000, or a name of: getent passwd");
	return p->exit;
}

/* "session:12" or "12". */
static int find_session(const char *text, int64_t *ret, struct ctl_problem *p)
{
	const char *number = strncmp(text, "session:", 8) == 0 ? text + 8 : text;
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(number, &end, 10);
	if (number[0] >= '1' && number[0] <= '9' && !*end && errno == 0 && n <= INT64_MAX) {
		*ret = (int64_t)n;
		return 0;
	}
	ctl_problem_set(p, CTL_USAGE, "USAGE", "'%.60s' is not a session", text);
	ctl_problem_why(p, "a session is a number, as in session:12");
	ctl_problem_hint(p, "readyctl ls");
	return p->exit;
}

static int make_parameters(const struct ctl_options *o, json_t **ret, struct ctl_problem *p)
{
	const char *word = o->target;
	int64_t n;
	int r;

	switch (o->verb) {
	case CTL_VERB_KICK:
		r = find_session(word, &n, p);
		*ret = r ? NULL : json_pack("{s:I}", "session", (json_int_t)n);
		return r;
	case CTL_VERB_LOG_LEVEL:
		*ret = json_pack("{s:s}", "level", word);
		return 0;
	default:
		r = ctl_find_uid(strncmp(word, "uid:", 4) == 0 ? word + 4 : word, &n, p);
		*ret = r ? NULL : json_pack("{s:I}", "uid", (json_int_t)n);
		return r;
	}
}

static void say(const struct ctl_options *o, const json_t *reply)
{
	bool was = json_is_true(json_object_get(reply, "was"));
	long long sessions = (long long)json_integer_value(json_object_get(reply, "sessions"));
	char user[64];

	switch (o->verb) {
	case CTL_VERB_KICK:
		ctl_words_user(
			json_integer_value(json_object_get(reply, "uid")), user, sizeof(user));
		printf("kicked %s of %s\n", o->target, user);
		break;
	case CTL_VERB_FREEZE:
		printf("%s %s: %lld session%s wait%s, new ones are refused\n",
			was ? "still frozen" : "frozen", o->target, sessions,
			sessions == 1 ? "" : "s", sessions == 1 ? "s" : "");
		break;
	case CTL_VERB_THAW:
		printf("%s %s: %lld session%s go%s on\n",
			was ? "thawed" : "was not frozen:", o->target, sessions,
			sessions == 1 ? "" : "s", sessions == 1 ? "es" : "");
		break;
	default:
		printf("log level %s, was %s\n", o->target,
			json_string_value(json_object_get(reply, "was")));
		break;
	}
}

/* log-level without a word: what it is. */
static int show_log_level(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c;
	const json_t *reply;
	bool more;
	int r = ctl_call_open(&c, path, o->answer_ns, CONTROL_STATUS, json_object(), p);

	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0) {
		json_t *level = json_object_get(reply, "log_level");

		if (o->json) {
			json_t *out = json_pack("{s:O}", "log_level", level);

			r = ctl_put_json(o, out, p);
			json_decref(out);
		} else {
			puts(json_string_value(level));
		}
	}
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}

int ctl_act(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	static const enum control_method methods[] = {
		[CTL_VERB_KICK] = CONTROL_KICK,
		[CTL_VERB_FREEZE] = CONTROL_FREEZE,
		[CTL_VERB_THAW] = CONTROL_THAW,
		[CTL_VERB_LOG_LEVEL] = CONTROL_SET_LOG_LEVEL,
	};
	struct ctl_call c = CTL_CALL_NULL;
	const json_t *reply;
	json_t *parameters;
	bool more;
	int r;

	if (!o->target)
		return show_log_level(o, path, p);
	r = make_parameters(o, &parameters, p);
	if (r == 0)
		r = ctl_call_open(&c, path, o->answer_ns, methods[o->verb], parameters, p);
	c.about = o->target;
	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0 && o->json)
		r = ctl_put_json(o, reply, p);
	else if (r == 0 && !o->quiet)
		say(o, reply);
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
