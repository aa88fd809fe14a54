/* SPDX-License-Identifier: MIT */
/* What Explain says, in sentences for people: of a uid, a session, a registration. */
#ifndef SUPERVISOR_CONTROL_SENTENCES_H
#define SUPERVISOR_CONTROL_SENTENCES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "channel/channel.h"

struct agent;
struct control_sums;
struct supervisor;

struct explained {
	struct supervisor *sv;
	uid_t uid;
	const struct agent *agent; /* its agent of now; NULL: none */
	bool answered;		   /* and it has answered; sums are of it */
	bool silent;		   /* the one that was asked has not */
	const struct control_sums *sums;
	int64_t now_ns;
	json_t *why, *next, *processes; /* sentences, sentences, Process */
};

/* Each appends to why and next, and returns the word for `state`. Static. */
const char *explain_uid(struct explained *e);
const char *explain_session(struct explained *e, const struct channel_row_session *s);
const char *explain_registration(struct explained *e, const struct channel_row_session *s,
	const struct channel_row_registration *r);

/* Who has to do with it; client: a pid, or 0. */
void explain_processes(struct explained *e, int32_t client);

#endif
