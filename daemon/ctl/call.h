/* SPDX-License-Identifier: MIT */
/*
 * A call over readyd's control socket and its replies, with a deadline for each. One thread; waits.
 */
#ifndef CTL_CALL_H
#define CTL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "errors.h"

struct ctl_call {
	const char *path; /* borrowed */
	int sock;
	int64_t answer_ns; /* how long one reply may take */
	char *text;	   /* what was said, owned, as long as it may be said again */
	size_t n_text_bytes;
	int n_again; /* how often it still may be */
	const char *
		about; /* borrowed: what the caller's user named, for the words of a refusal; NULL */
	struct control_inbox in;
	struct control_reply reply;
};

#define CTL_CALL_NULL \
	(struct ctl_call) \
	{ \
		.sock = -1 \
	}

void ctl_call_close(struct ctl_call *c);

/*
 * Connect and say it (take_parameters is consumed). A call that changes nothing is said again, to whoever listens then,
 * when readyd hangs up before it has said anything: that is what a restart looks like. Returns 0 or an exit code.
 */
int ctl_call_open(struct ctl_call *c, const char *path, int64_t answer_ns,
	enum control_method method, json_t *take_parameters, struct ctl_problem *p);

/*
 * The next reply: *ret is borrowed until the next call. *ret_more: another one follows. An error of the daemon
 * is an exit code with its words in *p. Returns 0 or an exit code.
 */
int ctl_call_next(struct ctl_call *c, const json_t **ret, bool *ret_more, struct ctl_problem *p);

#endif
