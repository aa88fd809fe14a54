/* SPDX-License-Identifier: MIT */
/* See call.h. */
#include "call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* Of a readyd that hangs up each time there will be no more. */
#define AGAIN_MAX 3

static int unreachable(struct ctl_problem *p, const char *path, int r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
		ctl_problem_set(
			p, CTL_NOT_RUNNING, "NOT_RUNNING", "cannot reach readyd at %s", path);
		ctl_problem_why(
			p, "there is no such socket: it is not running, or listens elsewhere");
		ctl_problem_hint(p, "systemctl start readyd, or --socket PATH, or --user");
		break;
	case -ECONNREFUSED:
		ctl_problem_set(
			p, CTL_NOT_RUNNING, "NOT_RUNNING", "cannot reach readyd at %s", path);
		ctl_problem_why(p, "nobody listens: it is not running any more");
		ctl_problem_hint(p, "systemctl start readyd");
		break;
	case -EACCES:
	case -EPERM:
		ctl_problem_set(p, CTL_REFUSED, "ACCESS", "cannot reach readyd at %s", path);
		ctl_problem_why(p, "the socket's permissions do not admit you");
		ctl_problem_hint(p, "ls -l %s        or ask an administrator", path);
		break;
	case -EAGAIN:
	case -ETIMEDOUT:
		ctl_problem_set(p, CTL_SILENT, "SILENT", "readyd at %s does not answer", path);
		ctl_problem_why(p, "it is there, and said nothing in time");
		ctl_problem_hint(
			p, "a longer --timeout, or as root: cat /proc/$(pidof readyd)/stack");
		break;
	default:
		ctl_problem_errno(p, "reach readyd", r);
		break;
	}
	return p->exit;
}

void ctl_call_close(struct ctl_call *c)
{
	c->sock = rdy__fd_close(c->sock);
	control_inbox_deinit(&c->in);
	control_reply_deinit(&c->reply);
	free(c->text);
	c->text = NULL;
}

static int connect_to(const char *path, int *ret)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int sock;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int r = -errno;

		rdy__fd_close(sock);
		return r;
	}
	*ret = sock;
	return 0;
}

/* Until the socket is ready or the time is over. Returns 0, -ETIMEDOUT or -errno. */
static int wait_for(struct ctl_call *c, short events, int64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = {.fd = c->sock, .events = events};
		int64_t left_ns = rdy__left_ns(rdy__now_ns(), deadline_ns);
		int r = poll(&p, 1, rdy__ns_to_poll_ms(left_ns));

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			return -ETIMEDOUT;
	}
}

static int say(struct ctl_call *c, const char *text, size_t n_bytes, int64_t deadline_ns)
{
	while (n_bytes) {
		ssize_t n = send(c->sock, text, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			text += n;
			n_bytes -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(c, POLLOUT, deadline_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What these do is not to be done twice. */
static bool changes(enum control_method method)
{
	switch (method) {
	case CONTROL_KICK:
	case CONTROL_FREEZE:
	case CONTROL_THAW:
	case CONTROL_SET_LOG_LEVEL:
	case CONTROL_RELOAD:
		return true;
	default:
		return false;
	}
}

/* Returns 0 or -errno. */
static int connect_and_say(struct ctl_call *c, int64_t deadline_ns)
{
	int r = connect_to(c->path, &c->sock);

	if (r == 0)
		r = say(c, c->text, c->n_text_bytes, deadline_ns);
	/* It hung up before it had read all: why stands in what it said. */
	return r == -EPIPE ? 0 : r;
}

int ctl_call_open(struct ctl_call *c, const char *path, int64_t answer_ns,
	enum control_method method, json_t *take_parameters, struct ctl_problem *p)
{
	int r;

	*c = CTL_CALL_NULL;
	c->path = path;
	c->answer_ns = answer_ns;
	c->n_again = changes(method) ? 0 : AGAIN_MAX;
	r = control_make_call(method, take_parameters, control_method_is_list(method), &c->text,
		&c->n_text_bytes);
	if (r < 0)
		return ctl_problem_errno(p, "make the call", r);
	r = connect_and_say(c, rdy__deadline_ns(rdy__now_ns(), answer_ns));
	return r < 0 ? unreachable(p, path, r) : 0;
}

/* What the daemon's refusals mean here. */
static const struct {
	enum control_error error;
	int exit;
	const char *name, *why, *hint;
} refusals[] = {
	{CONTROL_E_NOT_FOUND, CTL_NOT_FOUND, "NOT_FOUND",
		"it has ended, or was never there, or is not yours", "readyctl ls"},
	{CONTROL_E_PERMISSION_DENIED, CTL_REFUSED, "PERMISSION_DENIED",
		"only root and members of the admin group may",
		"as root, or be added to the group readyd-admin"},
	{CONTROL_E_AGENT_SILENT, CTL_SILENT, "AGENT_SILENT",
		"the user's agent has not answered for two seconds; it is being replaced",
		"again in a moment, or readyctl explain uid:U"},
	/* Where it is awaited its own words are said. */
	{CONTROL_E_BAD_CONFIGURATION, CTL_FAILED, "BAD_CONFIGURATION",
		"there is a mistake in the configuration", "readyctl config check"},
	{CONTROL_E_TOO_LARGE, CTL_FAILED, "TOO_LARGE", "the message is too long", "fewer bytes"},
	{CONTROL_E_METHOD_NOT_FOUND, CTL_FAILED, "METHOD_NOT_FOUND",
		"readyd is older than this readyctl", "the same version of both"},
	{CONTROL_E_INTERFACE_NOT_FOUND, CTL_FAILED, "INTERFACE_NOT_FOUND",
		"readyd is older than this readyctl", "the same version of both"},
	{CONTROL_E_INVALID_PARAMETER, CTL_USAGE, "INVALID_PARAMETER",
		"a number or a word in it is not understood, or out of range",
		"readyctl help explain; a user is uid:N or uid:NAME"},
};

static const struct {
	const char *why;
	int exit;
	const char *text, *hint;
} busy[] = {
	{"quota", CTL_QUOTA, "you have too many control connections",
		"end other readyctl of yours"},
	{"limit", CTL_QUOTA, "there are too many control connections", "again later"},
	{"rate", CTL_QUOTA, "you connect too often", "wait a second"},
	{"uids", CTL_QUOTA, "too many users are served at once", "again later"},
	{"wedged", CTL_REFUSED, "your agents are stuck in the kernel",
		"as root: readyctl explain uid:U"},
	{"failed", CTL_FAILED, "your agent cannot be started", "readyd's log says why"},
	{"stopping", CTL_NOT_RUNNING, "readyd is stopping", "again when it has started"},
	{"memory", CTL_FAILED, "readyd is out of memory", "again later"},
};

static int refused(const struct control_reply *reply, const char *about, struct ctl_problem *p)
{
	const char *why = json_string_value(json_object_get(reply->parameters, "why"));

	ctl_problem_set(p, CTL_FAILED, "REFUSED", "readyd refuses: %.100s", reply->name);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].error != reply->error)
			continue;
		ctl_problem_set(p, refusals[i].exit, refusals[i].name, "readyd refuses%s%.120s",
			about ? ": " : "", about ? about : "");
		if (reply->error == CONTROL_E_NOT_FOUND && about)
			ctl_problem_set(p, CTL_NOT_FOUND, "NOT_FOUND", "there is no %.120s", about);
		ctl_problem_why(p, "%s", refusals[i].why);
		ctl_problem_hint(p, "%s", refusals[i].hint);
		return p->exit;
	}
	for (size_t i = 0;
		reply->error == CONTROL_E_BUSY && why && i < sizeof(busy) / sizeof(busy[0]); i++) {
		if (strcmp(busy[i].why, why) != 0)
			continue;
		ctl_problem_set(p, busy[i].exit, "BUSY", "readyd is busy");
		ctl_problem_why(p, "%s", busy[i].text);
		ctl_problem_hint(p, "%s", busy[i].hint);
		return p->exit;
	}
	ctl_problem_why(p, "an answer that this version does not know");
	ctl_problem_hint(p, "the same version of readyd and readyctl");
	return p->exit;
}

/* More bytes. Returns 0 or -errno; -ECONNRESET at the end. */
static int read_some(struct ctl_call *c, int64_t deadline_ns)
{
	char bytes[8192];
	size_t room = control_inbox_room(&c->in);
	ssize_t n;

	for (;;) {
		n = recv(c->sock, bytes, room < sizeof(bytes) ? room : sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			return control_inbox_put(&c->in, bytes, (size_t)n);
		if (n == 0)
			return -ECONNRESET;
		if (errno == EAGAIN) {
			int r = wait_for(c, POLLIN, deadline_ns);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

static int broken(struct ctl_call *c, int r, struct ctl_problem *p)
{
	if (r == -ETIMEDOUT)
		return unreachable(p, c->path, r);
	ctl_problem_set(p, CTL_FAILED, "BROKEN", "the answer of readyd broke off");
	ctl_problem_why(p, "%s",
		r == -EBADMSG || r == -EMSGSIZE ? "it is not what readyd says"
						: "readyd has hung up");
	ctl_problem_hint(p, "again; if it stays so, readyd's log says more");
	return p->exit;
}

int ctl_call_next(struct ctl_call *c, const json_t **ret, bool *ret_more, struct ctl_problem *p)
{
	int64_t deadline_ns = rdy__deadline_ns(rdy__now_ns(), c->answer_ns);
	const char *text;
	size_t n_bytes;
	int r;

	control_reply_deinit(&c->reply);
	while ((r = control_inbox_next(&c->in, &text, &n_bytes)) == 0) {
		r = read_some(c, deadline_ns);
		if (r == -ECONNRESET && c->n_again > 0) {
			c->n_again--;
			c->sock = rdy__fd_close(c->sock);
			r = connect_and_say(c, deadline_ns);
			if (r < 0)
				return unreachable(p, c->path, r);
		} else if (r < 0) {
			return broken(c, r, p);
		} else {
			c->n_again = 0;
		}
	}
	if (r == 1)
		r = control_reply_parse(text, n_bytes, &c->reply);
	if (r < 0)
		return broken(c, r, p);
	if (c->reply.name)
		return refused(&c->reply, c->about, p);
	*ret = c->reply.parameters;
	*ret_more = c->reply.continues;
	return 0;
}
