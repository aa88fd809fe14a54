/* SPDX-License-Identifier: MIT */
/* The words of readyctl's failures. One thread. Prints nothing but what it is asked to print. */
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "color.h"
#include "print.h"
#include "ready/client.h"

/* What a user can do about an error of the broker, and which exit code it is. By name: names are stable. */
static const struct advice {
	const char *error;
	int exit;
	const char *hint;
} advices[] = {
	{"FD_KIND_REFUSED", CTL_REFUSED,
		"a socket, pipe, FIFO, pty or event descriptor; accepted kinds: readyctl(1), "
		"DESCRIPTORS"},
	{"FD_OWN_SOCKET", CTL_REFUSED, "another descriptor: readyd does not watch its own sockets"},
	{"FD_NOT_POLLABLE", CTL_REFUSED,
		"a socket, pipe, FIFO, pty or event descriptor; accepted kinds: readyctl(1), "
		"DESCRIPTORS"},
	{"QUOTA_SESSIONS", CTL_QUOTA,
		"end other clients of yours, or ask an administrator to raise your "
		"quota.users.NAME.sessions"},
	{"QUOTA_CONNECTS", CTL_QUOTA,
		"wait a second; one 'readyctl watch' instead of a loop of 'wait' connects once"},
	{"QUOTA_REGISTRATIONS", CTL_QUOTA,
		"fewer names, or ask an administrator to raise your "
		"quota.users.NAME.registrations"},
	{"LIMIT_SESSIONS", CTL_QUOTA,
		"again later, or ask an administrator to raise limits.sessions"},
	{"LIMIT_UIDS", CTL_QUOTA, "again later, or ask an administrator to raise limits.uids"},
	{"OUT_OF_DESCRIPTORS", CTL_QUOTA,
		"again later, or ask an administrator to raise LimitNOFILE of readyd"},
	{"UID_WEDGED", CTL_REFUSED, "end the processes of yours that hold a dead file system open"},
	{"KICKED", CTL_REFUSED,
		"ask who administers readyd here; connecting again is allowed after a second"},
	{"POLICY_DENIED", CTL_REFUSED,
		"ask an administrator: the key 'policy' of readyd.yaml; readyctl explain --can"},
	{"UID_FROZEN", CTL_REFUSED,
		"again later; an administrator takes it back: readyctl thaw uid:N"},
	{"DEADLINE_INVALID", CTL_REFUSED,
		"without --idle; or --local; or restart readyd after its update"},
	{"SHUTTING_DOWN", CTL_NOT_RUNNING, "again when readyd has started"},
	{"FDS_LOST", CTL_FAILED,
		"a higher limit of open files for readyd; a security module's log may say more"},
};

static void format(char *buf, size_t buf_bytes, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, buf_bytes, fmt, ap);

	/* Words of the command line stand in here: nothing may steer a terminal. */
	for (int i = 0; i < n && buf[i]; i++)
		if ((unsigned char)buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = '?';
}

int ctl_problem_set(struct ctl_problem *p, int code, const char *error, const char *what, ...)
{
	va_list ap;

	memset(p, 0, sizeof(*p));
	p->exit = code;
	snprintf(p->error, sizeof(p->error), "%s", error);
	va_start(ap, what);
	format(p->what, sizeof(p->what), what, ap);
	va_end(ap);
	return code;
}

void ctl_problem_why(struct ctl_problem *p, const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	format(p->why, sizeof(p->why), why, ap);
	va_end(ap);
}

void ctl_problem_hint(struct ctl_problem *p, const char *hint, ...)
{
	va_list ap;

	va_start(ap, hint);
	format(p->hint, sizeof(p->hint), hint, ap);
	va_end(ap);
}

static const struct advice *advice_for(const char *error)
{
	static const struct advice unknown = {
		NULL, CTL_REFUSED, "the meaning of each name: readyd-protocol(7), ERRORS"};

	for (size_t i = 0; i < RDY__ARRAY_SIZE(advices); i++)
		if (strcmp(advices[i].error, error) == 0)
			return &advices[i];
	return &unknown;
}

int ctl_problem_session(struct ctl_problem *p, const char *path, uint32_t error)
{
	const char *name = rdy_client_error_name(error);
	const struct advice *advice = advice_for(name);

	ctl_problem_set(p, advice->exit, name, "readyd at %s refuses us (%s)", path, name);
	ctl_problem_why(p, "%s", rdy_client_error_text(error));
	ctl_problem_hint(p, "%s", advice->hint);
	return p->exit;
}

int ctl_problem_connect(struct ctl_problem *p, const char *path, int r, uint32_t error)
{
	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED:
		ctl_problem_set(
			p, CTL_NOT_RUNNING, "NOT_RUNNING", "readyd is not running at %s", path);
		ctl_problem_why(p, r == -ENOENT ? "there is no such socket"
						: "the socket is there, but nobody listens");
		ctl_problem_hint(p, "a private instance: readyd --user and readyctl --user; or no "
				    "daemon at all: readyctl ... --local");
		return p->exit;
	case -EACCES:
		ctl_problem_denied(p, path);
		return p->exit;
	case -ETIMEDOUT:
		ctl_problem_set(
			p, CTL_SILENT, "SILENT", "readyd at %s is there and does not answer", path);
		ctl_problem_why(p, "it accepted nothing in time: stopped, overloaded, or wedged");
		ctl_problem_hint(p, "its log; then restart it");
		return p->exit;
	case -EDQUOT:
	case -EPERM:
		if (error)
			return ctl_problem_session(p, path, error);
		ctl_problem_set(p, r == -EDQUOT ? CTL_QUOTA : CTL_REFUSED, "REFUSED",
			"readyd at %s refuses us", path);
		ctl_problem_why(p, "it gave no reason that this version knows");
		ctl_problem_hint(p, "its log");
		return p->exit;
	case -EPROTO:
	case -ECONNRESET:
		ctl_problem_set(p, CTL_FAILED, r == -EPROTO ? "PROTOCOL" : "HUNG_UP",
			"what listens at %s %s", path,
			r == -EPROTO ? "does not speak this protocol" : "hung up");
		ctl_problem_why(p, r == -EPROTO
					   ? "another program, or versions without one in common"
					   : "it ended the connection before its welcome");
		ctl_problem_hint(p, "readyctl version; readyd --version; then its log");
		return p->exit;
	case -ENAMETOOLONG:
		ctl_problem_set(
			p, CTL_USAGE, "USAGE", "%s is too long for a socket's address", path);
		ctl_problem_why(p, "the system takes at most 107 bytes");
		ctl_problem_hint(p, "a shorter --socket, relative to the current directory");
		return p->exit;
	default:
		ctl_problem_errno(p, "connect to readyd", r);
		ctl_problem_hint(p, "is %s the session socket of readyd?", path);
		return p->exit;
	}
}

/* What the descriptor is, where that says more than the broker's words; else NULL. */
static const char *reason_of_kind(int fd, const char *error)
{
	struct statx stx;

	/* DONT_SYNC: a file system that does not answer must not hold us. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0)
		return NULL;
	if (S_ISREG(stx.stx_mode))
		return "a regular file is always ready, so there is nothing to wait for";
	if (S_ISDIR(stx.stx_mode))
		return "a directory has no readiness; an inotify descriptor tells of its changes";
	if (S_ISCHR(stx.stx_mode) || S_ISBLK(stx.stx_mode))
		return "a device can block its holder for ever, so readyd takes none but pty "
		       "masters";
	if (strcmp(error, "FD_KIND_REFUSED") == 0 &&
		(S_ISSOCK(stx.stx_mode) || S_ISFIFO(stx.stx_mode)))
		return "this kind of socket or pipe is not accepted here: the key 'kinds' of "
		       "readyd.yaml";
	return NULL;
}

int ctl_problem_registration(
	struct ctl_problem *p, const char *name, int fd, const char *error, const char *text)
{
	const struct advice *advice = advice_for(error);
	const char *kind = strncmp(error, "FD_", 3) == 0 ? reason_of_kind(fd, error) : NULL;

	ctl_problem_set(p, advice->exit, error, "cannot register %s (fd %d): %s", name, fd, error);
	ctl_problem_why(p, "%s", kind ? kind : text);
	ctl_problem_hint(p, "%s", advice->hint);
	return p->exit;
}

int ctl_problem_errno(struct ctl_problem *p, const char *what, int r)
{
	ctl_problem_set(p, CTL_FAILED, "FAILED", "cannot %s: %s", what, strerror(-r));
	ctl_problem_why(p, "the system said so");
	ctl_problem_hint(p, "%s",
		r == -EMFILE || r == -ENFILE ? "a higher limit of open files: ulimit -n"
					     : "readyctl(1), EXIT STATUS");
	return p->exit;
}

void ctl_problem_print(const struct ctl_problem *p, bool json, bool color)
{
	if (!json) {
		fprintf(stderr, "%sreadyctl:%s %s\n", color ? CTL_COLOR_BAD : "",
			color ? CTL_COLOR_END : "", p->what);
		if (p->why[0])
			fprintf(stderr, "  why: %s\n", p->why);
		if (p->hint[0])
			fprintf(stderr, "  try: %s\n", p->hint);
		return;
	}
	fputs("{\"error\":", stderr);
	ctl_json_string(stderr, p->error);
	fputs(",\"what\":", stderr);
	ctl_json_string(stderr, p->what);
	fputs(",\"why\":", stderr);
	ctl_json_string(stderr, p->why);
	fputs(",\"try\":", stderr);
	ctl_json_string(stderr, p->hint);
	fprintf(stderr, ",\"exit\":%d}\n", p->exit);
}

void ctl_note(bool quiet, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (quiet)
		return;
	va_start(ap, fmt);
	format(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "readyctl: %s\n", text);
}
