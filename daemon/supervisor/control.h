/* SPDX-License-Identifier: MIT */
/*
 * Control connections: accepted here, pumped by the caller's agent, parsed and answered here. The supervisor
 * has a copy of each socket, in a struct session like any other, and never reads or writes it: bytes come
 * as CHANNEL_CONTROL_DATA and go so, both within CHANNEL_CONTROL_WINDOW.
 *
 *     control_data()      control_step()                                    control_step()
 *     bytes -> inbox ---> one call in work ---> queries to agents, rows ---> out ---> CONTROL_DATA
 *                         ^                                                  |
 *                         +---- the next call, when all of it was sent <-----+
 *
 * At most one call in work per connection; the next ones wait in its inbox, and as their bytes are not given
 * back, then in its socket. A list is made page by page, the next when the last one was sent.
 * What has something to do is in `runnable` and gets its step at the end of each round (controls_run()), so no
 * hook below calls back into whoever called it.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "channel/channel.h"
#include "control/control.h"
#include "frozen.h"
#include "policy.h"
#include "wire/wire.h"

#define CONTROL_RESERVED 4u	/* connections, and agents, beyond the limits, for administrators */
#define CONTROL_PAGE_UNITS 128u /* a page is full: so many times 500 bytes */
/*
 * Rows of sessions or registrations: what is made without a pause is what somebody's event may wait for. 128 at
 * once: the p99 of another session 300 to 580 us beside a long list, 16: 120 us, 8: no better.
 */
#define CONTROL_PAGE_ROWS 16u
#define CONTROL_EMPTY_PAGES 4096u /* in a row, then an agent has nothing to say */

struct agent;
struct control;
struct session;
struct supervisor;

/* One question to one agent. It belongs to the agent, because that owes the answer also when nobody waits. */
struct query {
	struct rdy__list link; /* in agent.queries, the first of which is sent */
	uint32_t number;
	uint32_t kind;
	uint32_t rows_max;
	uint64_t session, cursor;
	bool sent;
	int64_t sent_at_ns;
	struct control *control; /* who waits; NULL: nobody any more */
};

/* Sums for Status. */
struct control_sums {
	uint64_t events, requests, surprises, paused;
	uint64_t agents, reactors, sessions, registrations, descriptors;
};

/* What the call in work has got so far; all zero between calls. */
struct control_job {
	uint64_t uid_next;	      /* agents below it are done with */
	uint64_t uid_only, session;   /* filters; UINT64_MAX, 0: none */
	uint64_t cursor;	      /* of the agent at uid_next */
	uint32_t n_empty;	      /* pages in a row */
	json_t *rows;		      /* of the page that is being filled */
	uint64_t n_lost;	      /* Monitor: events for which there was no room */
	uint32_t units;		      /* how full that is */
	json_t *silent;		      /* uids */
	json_t *reactors;	      /* ListAgents: of the agent at uid_next */
	bool answered;		      /* that one's REACTORS came */
	struct control_sums sums;     /* Status */
	uint32_t stage;		      /* Explain */
	bool asked_silent;	      /* the query's agent has died or been replaced */
	uint64_t wanted;	      /* Explain: a registration's cookie, or id */
	bool wanted_id, found;	      /* wanted is an id; it was found */
	bool for_registration;	      /* and not its session alone */
	struct channel_row_session s; /* Explain */
	struct channel_row_registration r;
};

struct control {
	struct rdy__list link; /* in controls.all */
	struct rdy__list run;  /* in controls.runnable */
	uint64_t number;       /* of its session */
	struct agent *agent;   /* who pumps it; never NULL */
	uid_t uid;
	bool admin, sees_all, sees_own; /* what its policy allows, asked most */
	struct policy *policy;		/* that there was when it connected */
	struct policy_peer peer;
	struct control_inbox in;
	uint32_t n_owed;      /* bytes read that are to be given back */
	char *out;	      /* a message on its way, malloc()ed */
	size_t n_out, out_at; /* its bytes, and those sent */
	uint32_t n_in_flight; /* sent, not given back */
	bool peer_shut;	      /* nothing more comes */
	bool ending, ended;   /* LAST has to follow what is in out; was sent */
	bool busy;	      /* call is in work */
	struct control_call call;
	struct control_job job;
	struct query *query; /* that it waits for */
};

struct controls {
	struct rdy__list all, runnable;
	uint32_t n;
	uint32_t last_query;
};

void controls_init(struct supervisor *sv);
/* All connections are gone by then (their agents are). Idempotent. */
void controls_deinit(struct supervisor *sv);

/* control_accept.c: the listener gave a connection (consumed). */
void control_take(struct supervisor *sv, int take_sock);
/* control_accept.c: an answer to somebody who gets no connection (consumed). why: as in Busy. */
void control_refuse(struct supervisor *sv, uid_t uid, int take_sock, const char *why);
/* The word for why there is no agent. Static. */
const char *control_busy_word(enum wire_error e);

/* Hooks of the channel; `false`: this is not what we started. */
bool control_data(struct supervisor *sv, struct agent *agent, const struct channel_message *m);
bool control_credit(struct supervisor *sv, struct agent *agent, const struct channel_message *m);
bool control_rows(struct supervisor *sv, struct agent *agent, const struct channel_message *m);
/* The channel may have room: configuration, kicks, queries; connections get their turn. */
void control_flush(struct supervisor *sv, struct agent *agent);
/* Its session is freed. */
void control_free(struct supervisor *sv, struct control *c);
/* The agent is gone: who waits for it hears of that. */
void control_agent_lost(struct supervisor *sv, struct agent *agent);
/* When the agent's oldest question has to be answered, or RDY__NEVER. */
int64_t control_deadline(const struct agent *agent, int64_t owes_ns);

/* End of a round. Returns true when there is more to do at once. */
bool controls_run(struct supervisor *sv);

/*
 * Within the control files.
 */
void control_make_runnable(struct supervisor *sv, struct control *c);
/* Answer the call in work: a page of it, or all (then the call is done). parameters as in control/control.h. */
void control_reply(struct control *c, json_t *take_parameters, bool continues);
void control_error(struct control *c, enum control_error error, json_t *take_parameters);
/* control_call.c: the call in work, begun and gone on with; may ask an agent, or answer. */
void control_begin(struct supervisor *sv, struct control *c);
void control_go_on(struct supervisor *sv, struct control *c);
/* Errors with their parameters. */
void control_invalid(struct control *c, const char *parameter);
void control_denied(struct control *c, const char *why);
/* May it see what is uid's, or end, freeze and thaw it? */
bool control_may_see(const struct control *c, uid_t uid);
bool control_may_steer(const struct control *c, uid_t uid);
void control_busy(struct control *c, const char *why);
void control_not_found(struct control *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* control_query.c. Ask; the job goes on with the answer. Returns 0 or -ENOMEM. */
int control_ask(struct supervisor *sv, struct control *c, struct agent *agent, uint32_t kind,
	uint64_t session, uint64_t cursor, uint32_t rows_max);

/* control_list.c: lists and Status. An answer came: rows go into the job. */
void control_list_begin(struct supervisor *sv, struct control *c);
void control_list_step(struct supervisor *sv, struct control *c);
void control_list_rows(
	struct control *c, struct agent *agent, const struct channel_rows *rows, const void *data);

/* control_explain.c: the same. */
void control_explain_begin(struct supervisor *sv, struct control *c);
void control_explain_step(struct supervisor *sv, struct control *c);
void control_explain_rows(
	struct control *c, struct agent *agent, const struct channel_rows *rows, const void *data);

/* control_metrics.c: what an agent has said; and the answer, when all have. */
void control_metrics_add(
	struct control *c, const struct agent *agent, const struct control_sums *s);
void control_metrics_reply(struct supervisor *sv, struct control *c);

/* control_accept.c: how many there are of all who use uid's quotas. */
uint32_t control_connections(const struct supervisor *sv, uid_t uid);

/* control_whoami.c: WhoAmI, when the caller's agent has said what it has. */
void control_whoami_reply(struct supervisor *sv, struct control *c);

/* control_can.c: Can; answered at once. */
void control_can(struct supervisor *sv, struct control *c);

/* control_config.c: Reload, CheckConfiguration, GetConfiguration; answered at once. */
void control_configuration(struct supervisor *sv, struct control *c);

/* A session that c's owner may know of, or NULL; never a control connection. */
struct session *control_find_session(
	struct supervisor *sv, const struct control *c, uint64_t number, struct agent **ret_agent);

#endif
