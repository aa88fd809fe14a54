/* SPDX-License-Identifier: MIT */
/* readyctl explain: what the daemon knows of one thing, and what the kernel knows of its processes. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "call.h"
#include "control.h"
#include "kernel.h"
#include "words.h"

#define INDENT 9u /* "  why    " */
#define WIDTH_MIN 40u

/* SIZE_MAX: no terminal, lines stay whole. */
static size_t width_of_terminal(void)
{
	struct winsize w = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
		return SIZE_MAX;
	return w.ws_col >= WIDTH_MIN ? w.ws_col : WIDTH_MIN;
}

/* A sentence in lines that are no longer than that, unless a word is. */
static void put_wrapped(const char *title, const char *text, size_t width)
{
	size_t room = width == SIZE_MAX ? SIZE_MAX : width - INDENT;

	while (*text || *title) {
		size_t n = strlen(text), at = n;

		if (n > room) {
			at = room;
			while (at > 0 && text[at] != ' ')
				at--;
			if (at == 0) /* one long word */
				at = strcspn(text, " ");
		}
		printf("  %-6s %.*s\n", title, (int)at, text);
		title = "";
		text += at + (text[at] == ' ');
	}
}

/* Words of the daemon; what a client chose is among them. */
static void put_sentences(const char *title, const json_t *all)
{
	size_t width = width_of_terminal();
	char line[512];

	for (size_t i = 0; i < json_array_size(all); i++) {
		ctl_words_text(json_array_get(all, i), line, sizeof(line));
		put_wrapped(i ? "" : title, line, width);
	}
}

static void put_kernel(const json_t *process)
{
	pid_t pid = (pid_t)json_integer_value(json_object_get(process, "pid"));
	bool stuck = json_is_true(json_object_get(process, "stuck"));
	struct ctl_kernel k;
	char role[32];

	ctl_kernel_look(pid, &k);
	ctl_words_text(json_object_get(process, "role"), role, sizeof(role));
	printf("  %-6s %s %d%s: %s%s%s\n", "kernel", role, (int)pid, stuck ? " (stuck)" : "",
		k.state[0] ? k.state : "gone", k.waits[0] ? ", in " : "", k.waits);
	if (!stuck && (k.state[0] != 'D'))
		return;
	for (size_t i = 0; i < k.n_stack; i++)
		printf("  %-6s   %s\n", "", k.stack[i]);
	if (k.fuse)
		printf("  %-6s a user-space file system does not answer: end its server, or as "
		       "root\n"
		       "  %-6s   echo 1 >/sys/fs/fuse/connections/N/abort   (ls that folder for "
		       "N)\n",
			"way out", "");
	else if (k.n_stack == 0 && geteuid() != 0)
		printf("  %-6s   root sees where in the kernel: sudo readyctl explain ...\n", "");
}

static void put_session(const json_t *s)
{
	char regs[32], ready[32], age[32], user[64], name[64];

	ctl_words_count(json_object_get(s, "registrations"), regs, sizeof(regs));
	ctl_words_count(json_object_get(s, "ready"), ready, sizeof(ready));
	ctl_words_age(json_object_get(s, "age"), age, sizeof(age));
	ctl_words_user(json_integer_value(json_object_get(s, "uid")), user, sizeof(user));
	ctl_words_text(json_object_get(s, "name"), name, sizeof(name));
	printf("  %-6s %s of %s, for %s; registrations: %s, ready: %s\n", "is", name, user, age,
		regs, ready);
}

static void put_registration(const json_t *r)
{
	char kind[32], mode[32], wants[64], pending[64];

	ctl_words_text(json_object_get(r, "kind"), kind, sizeof(kind));
	ctl_words_text(json_object_get(r, "mode"), mode, sizeof(mode));
	ctl_words_list(json_object_get(r, "interest"), wants, sizeof(wants));
	ctl_words_list(json_object_get(r, "pending"), pending, sizeof(pending));
	printf("  %-6s %s, %s, waits for %s, has %s, %lld events so far\n", "is", kind, mode, wants,
		pending, (long long)json_integer_value(json_object_get(r, "seq")));
}

static void put_explanation(const json_t *e)
{
	const json_t *all = json_object_get(e, "processes"), *part;
	char what[128], state[64];

	ctl_words_text(json_object_get(e, "what"), what, sizeof(what));
	ctl_words_text(json_object_get(e, "state"), state, sizeof(state));
	printf("%s: %s\n", what, state);
	part = json_object_get(e, "registration");
	if (json_is_object(part))
		put_registration(part);
	part = json_object_get(e, "session");
	if (json_is_object(part))
		put_session(part);
	put_sentences("why", json_object_get(e, "why"));
	put_sentences("next", json_object_get(e, "next"));
	for (size_t i = 0; i < json_array_size(all); i++)
		put_kernel(json_array_get(all, i));
}

/* uid:NAME -> uid:NUMBER; everything else goes as it is. */
static int make_what(const char *target, char *buf, size_t n, struct ctl_problem *p)
{
	int64_t uid;
	int r;

	if (strncmp(target, "uid:", 4) != 0) {
		snprintf(buf, n, "%s", target);
		return 0;
	}
	r = ctl_find_uid(target + 4, &uid, p);
	if (r == 0)
		snprintf(buf, n, "uid:%lld", (long long)uid);
	return r;
}

int ctl_explain(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	struct ctl_call c = CTL_CALL_NULL;
	const json_t *reply;
	char what[256];
	bool more;
	int r = make_what(o->target, what, sizeof(what), p);

	if (r == 0)
		r = ctl_call_open(&c, path, o->answer_ns, CONTROL_EXPLAIN,
			json_pack("{s:s}", "what", what), p);
	c.about = o->target;
	if (r == 0)
		r = ctl_call_next(&c, &reply, &more, p);
	if (r == 0 && o->json)
		r = ctl_put_json(o, reply, p);
	else if (r == 0)
		put_explanation(reply);
	ctl_call_close(&c);
	return r ? r : ctl_flush(p);
}
