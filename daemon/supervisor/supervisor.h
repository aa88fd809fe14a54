/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: one thread, one poll. It never has a client's descriptor in its table, never reads a
 * session socket and never closes the last reference of one, so it can always go on and always exit.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "adopt.h"
#include "agents.h"
#include "bouncer.h"
#include "child.h"
#include "control.h"
#include "counters.h"
#include "frozen.h"
#include "holders.h"
#include "monitor.h"
#include "notify.h"
#include "quotas.h"
#include "rate.h"
#include "options.h"
#include "policy.h"
#include "ready/poll.h"
#include "ready/timer.h"
#include "reload.h"
#include "runtime.h"

/* Tokens in the poll: kind:8 | index:24 | generation:32. */
enum token_kind {
	TOKEN_LISTENER = 1,
	TOKEN_SIGNALS,
	TOKEN_TIMER,
	TOKEN_BOUNCER,
	TOKEN_CHILD,
	TOKEN_CHANNEL,
	TOKEN_CONTROL_LISTENER,
};
#define TOKEN(kind, index, generation) \
	((uint64_t)(kind) << 56 | (uint64_t)(index) << 32 | (uint32_t)(generation))

struct supervisor {
	struct options *options; /* its configuration changes by reload_run() alone */
	struct runtime *runtime;
	struct rdy_poll *poll;
	struct rdy_events *events;
	struct rdy_timer *timer; /* the next deadline of anything */
	int64_t timer_set_ns;
	int signals; /* signalfd */
	struct children children;
	struct agents agents;
	struct bouncer bouncer;
	struct holders holders;
	struct quotas quotas; /* as in options->conf, with names looked up */
	struct rate rate;
	struct controls controls;
	struct frozen frozen;
	struct reload reload;
	struct notify notify;
	struct counters counters;
	struct counters_kept kept;
	struct monitor_history history;
	struct policy *policy; /* for who connects now */
	bool controls_busy;    /* some have more to do at once */
	int log_level;	       /* syslog priority, ours and our agents' */
	int64_t started_at_ns;
	bool listening, control_listening;
	int fd_low;		 /* a number this high says that descriptors are running out */
	int64_t listen_again_ns; /* accepting pauses until then; RDY__NEVER = it does not */
	struct adoption adoption;
	bool adopting; /* agents of an earlier supervisor have still to answer: nothing is accepted */
	bool stopping, kill_sent;
	bool leaving; /* stopping, but the service manager keeps the channels: agents live on */
	int64_t stop_deadline_ns;
};

/* runtime and options are borrowed. Returns 0 or -errno; deinit is legal after either. */
int supervisor_init(struct supervisor *sv, struct options *options, struct runtime *runtime);
void supervisor_deinit(struct supervisor *sv);

/* Serve until SIGINT or SIGTERM, then end everything. Returns 0, or -errno when the poll failed. */
int supervisor_run(struct supervisor *sv);

/* Reactors of an agent at most, from the configuration and the CPUs that we may use. */
uint32_t supervisor_reactors(const struct conf *c);

/* Descriptors that an agent keeps free, from the configuration. */
uint32_t supervisor_fd_reserve(const struct conf *c);

/* A listener is readable (accept.c). */
void accept_clients(struct supervisor *sv);
void accept_controls(struct supervisor *sv);
/* Watch the listeners or not, as things are now (accept.c). */
void accept_update(struct supervisor *sv, int64_t now_ns);

#endif
