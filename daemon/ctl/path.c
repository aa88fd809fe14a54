/* SPDX-License-Identifier: MIT */
/* Where the daemon's socket is, see options.h. Reads nothing but its arguments. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "ready/client.h"

/* The control socket beside a session socket. Returns what snprintf() does. */
static int beside(char *path, const char *session_socket)
{
	const char *slash = strrchr(session_socket, '/');

	return snprintf(path, CTL_PATH_MAX, "%.*scontrol.sock",
		slash ? (int)(slash - session_socket) + 1 : 0, session_socket);
}

int ctl_options_path(const struct ctl_options *o, const char *env_socket, const char *env_runtime,
	char *path, struct ctl_problem *p)
{
	bool control = ctl_options_control(o);
	int n;

	if (o->user) {
		if (!env_runtime || env_runtime[0] != '/') {
			ctl_problem_set(p, CTL_USAGE, "USAGE",
				"--user: where the instance is, is not known");
			ctl_problem_why(p, "XDG_RUNTIME_DIR is not set, or is no absolute path");
			ctl_problem_hint(p, "--socket PATH, or XDG_RUNTIME_DIR=/run/user/$(id -u)");
			return p->exit;
		}
		n = snprintf(path, CTL_PATH_MAX, "%s/readyd/%s.sock", env_runtime,
			control ? "control" : "session");
	} else if (o->socket) {
		n = snprintf(path, CTL_PATH_MAX, "%s", o->socket);
	} else {
		const char *from =
			env_socket && env_socket[0] ? env_socket : RDY_CLIENT_SYSTEM_PATH;

		n = control ? beside(path, from) : snprintf(path, CTL_PATH_MAX, "%s", from);
	}
	if (n >= 0 && (size_t)n < CTL_PATH_MAX)
		return 0;
	ctl_problem_set(p, CTL_USAGE, "USAGE", "the socket's path is too long: %.100s...", path);
	ctl_problem_why(p, "the system takes at most 107 bytes");
	ctl_problem_hint(p, "a path relative to the current directory");
	return p->exit;
}
