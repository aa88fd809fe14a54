/* SPDX-License-Identifier: MIT */
#include "control_sentences.h"

#include <inttypes.h>
#include <string.h>

#include "agents.h"
#include "base/clock.h"
#include "control.h"
#include "control_rows.h"
#include "control_words.h"
#include "supervisor.h"
#include "wire/wire.h"

#define WHY(...) control_words_say(e->why, __VA_ARGS__)
#define NEXT(...) control_words_say(e->next, __VA_ARGS__)

static bool say_frozen(struct explained *e)
{
	int64_t since = frozen_since(&e->sv->frozen, e->uid);

	if (!since)
		return false;
	WHY("an administrator froze uid %u %.1f s ago; what becomes ready is kept",
		(unsigned int)e->uid, control_seconds(since, e->now_ns));
	NEXT("readyctl thaw uid:%u", (unsigned int)e->uid);
	return true;
}

static bool say_wedged(struct explained *e)
{
	size_t n = control_words_wedged(e->sv, e->uid);

	if (n == 0)
		return false;
	WHY("wedged: %zu of %u agents of uid %u are stuck in the kernel, killed and not gone", n,
		AGENTS_STUCK_MAX, (unsigned int)e->uid);
	NEXT("end what they wait for: a silent FUSE server, a pipe's other end; for root the "
	     "kernel lines say which");
	if (n >= AGENTS_STUCK_MAX)
		NEXT("until then uid %u is refused with UID_WEDGED", (unsigned int)e->uid);
	else
		NEXT("a fresh agent serves uid %u meanwhile; clients reconnect by themselves",
			(unsigned int)e->uid);
	return true;
}

static void say_quotas(struct explained *e)
{
	const struct quotas *q = &e->sv->quotas;
	uint32_t n = quotas_sessions(q, &e->sv->agents, e->uid),
		 n_max = quotas_of(q, e->uid, CONF_Q_SESSIONS),
		 registrations_max = quotas_of(q, e->uid, CONF_Q_REGISTRATIONS);
	uid_t payer = quotas_payer(q, e->uid);

	if (e->answered && e->sums->registrations >= registrations_max)
		WHY("quota used up: %" PRIu64 " of %u registrations", e->sums->registrations,
			registrations_max);
	if (n >= n_max)
		WHY("quota used up: %u of %u sessions", n, n_max);
	if (payer != e->uid)
		WHY("uid %u uses the quotas of uid %u with it and all uids of its ranges "
		    "(quota.uid_ranges): %u of %u sessions",
			(unsigned int)e->uid, (unsigned int)payer, n, n_max);
}

/* The state of what there is of an agent. */
static const char *say_agent(struct explained *e)
{
	const struct agent *agent = e->agent;

	if (e->silent) {
		WHY("its agent has not answered for %g s (agent.heartbeat), so it was killed; "
		    "its "
		    "sessions ended",
			(double)e->sv->options->conf.heartbeat_ns / (double)RDY__NS_PER_S);
		NEXT("clients reconnect, and a fresh agent serves them");
		return "wedged";
	}
	if (!agent && failures_block(&e->sv->agents.failures, e->uid, e->now_ns)) {
		WHY("its agents died as soon as they started");
		NEXT("another one may be started %d s after the last died; readyd's log says more",
			FAILURES_PAUSE_S);
		return "failing";
	}
	if (!agent) {
		WHY("uid %u has no agent: it has no sessions", (unsigned int)e->uid);
		NEXT("an agent is started when a client of uid %u connects", (unsigned int)e->uid);
		return "none";
	}
	if (agent->state == AGENT_STARTING) {
		WHY("its agent was started %.1f s ago and has not said a word",
			control_seconds(agent->started_at_ns, e->now_ns));
		NEXT("what has connected waits; after 10 s the agent is killed and replaced");
		return "starting";
	}
	if (agent->state == AGENT_HANDING || agent->state == AGENT_TAKING) {
		WHY("its agent hands %u sessions over to a fresh one of the program that is "
		    "installed "
		    "now",
			agent->n_sessions);
		NEXT("what has connected waits; after 10 s the old agent serves on");
		return "upgrading";
	}
	if (!e->answered) {
		WHY("its agent is on its way out");
		NEXT("another one is started when a client of uid %u connects",
			(unsigned int)e->uid);
		return "ending";
	}
	WHY("its agent serves; sessions: %u, registrations: %" PRIu64, agent->n_sessions,
		e->sums->registrations);
	if (agent->n_sessions == 0 && e->sv->options->conf.idle_exit_ns)
		NEXT("an agent without sessions ends after %.0f s",
			(double)e->sv->options->conf.idle_exit_ns / (double)RDY__NS_PER_S);
	return "serving";
}

const char *explain_uid(struct explained *e)
{
	const char *state;
	bool wedged, frozen;

	frozen = say_frozen(e);
	wedged = say_wedged(e);
	state = say_agent(e);
	say_quotas(e);
	if (e->agent && e->agent->closers_stuck)
		WHY("its closer got stuck: closing a descriptor blocks, so closes are deferred and "
		    "count on its quota");
	if (wedged)
		return "wedged";
	return frozen ? "frozen" : state;
}

static void say_blocked(struct explained *e, const struct channel_row_session *s)
{
	WHY("the client has not read its socket for %.1f s",
		control_seconds(s->blocked_ns, e->now_ns));
	NEXT("when it reads, it gets all that is ready: readiness merges meanwhile, nothing is "
	     "lost");
}

/* What holds for the session as a whole. */
static void say_session(struct explained *e, const struct channel_row_session *s)
{
	const struct conf *c = &e->sv->options->conf;
	uint64_t per_session = (uint64_t)quotas_of(&e->sv->quotas, e->uid, CONF_Q_REGISTRATIONS) *
			       c->per_session_percent / 100;

	if (s->flags & CHANNEL_SESSION_ENDING) {
		WHY("it has ended and is being cleared away");
		NEXT("its registrations go, a slice in each round");
	}
	say_frozen(e);
	if (s->flags & CHANNEL_SESSION_NEW) {
		WHY("the client connected %.1f s ago and has not said hello",
			control_seconds(s->since_ns, e->now_ns));
		NEXT("session.hello_timeout ends it after %.1f s",
			(double)c->hello_timeout_ns / (double)RDY__NS_PER_S);
	}
	if (s->blocked_ns)
		say_blocked(e, s);
	if (s->flags & CHANNEL_SESSION_PAUSED) {
		WHY("%u answers wait for the client, so its requests are not read",
			s->n_unanswered);
		NEXT("it has to read its socket");
	}
	if (s->flags & CHANNEL_SESSION_STARVED) {
		WHY("its agent is at its reserve of descriptors, so requests are not read");
		NEXT("when descriptors are let go of; else limits.fd_reserve, or LimitNOFILE of "
		     "the "
		     "service");
	}
	if (s->n_quarantined)
		WHY("%u refused descriptors are kept because closing them could block",
			s->n_quarantined);
	if (s->n_registrations >= per_session)
		WHY("quota used up: %u of %" PRIu64 " registrations a session may have",
			s->n_registrations, per_session);
}

const char *explain_session(struct explained *e, const struct channel_row_session *s)
{
	say_session(e, s);
	if (json_array_size(e->why) == 0 && s->n_ready)
		WHY("events that are about to be sent: %u", s->n_ready);
	else if (json_array_size(e->why) == 0)
		WHY("the client has been told everything: nothing waits for it");
	if (json_array_size(e->next) == 0)
		NEXT("an event as soon as one of its registrations (%u) becomes ready",
			s->n_registrations);
	return control_session_state(s);
}

static void join_words(char *buf, size_t n, uint32_t bits)
{
	json_t *words = control_ready_words(bits), *word;
	size_t i, at = 0;

	buf[0] = 0;
	json_array_foreach(words, i, word)
	{
		int k = snprintf(
			buf + at, n - at, "%s%s", at ? " or " : "", json_string_value(word));

		at += k > 0 && (size_t)k < n - at ? (size_t)k : 0;
	}
	json_decref(words);
}

static void say_deadlines(struct explained *e, const struct channel_row_registration *r)
{
	if (r->at_ns > e->now_ns)
		NEXT("a TIMEOUT event in %.1f s, its deadline",
			control_seconds(e->now_ns, r->at_ns));
	if (r->idle_ns > e->now_ns)
		NEXT("a TIMEOUT event in %.1f s if nothing becomes ready",
			control_seconds(e->now_ns, r->idle_ns));
}

const char *explain_registration(struct explained *e, const struct channel_row_session *s,
	const struct channel_row_registration *r)
{
	const char *state = control_registration_state(r);
	char words[96];

	if (strcmp(state, "ended") == 0) {
		join_words(words, sizeof(words), r->pending);
		WHY("a hangup or an error has ended it%s%s", *words ? ": " : "", words);
		NEXT("its id is dead; the client closes the descriptor");
	} else if (strcmp(state, "ready") == 0) {
		join_words(words, sizeof(words), r->pending);
		WHY("it is %s; the event waits for its session's socket", words);
	} else if (strcmp(state, "paused") == 0) {
		WHY("paused: floods: more events than delivery.flood_rate (%" PRIu64 "/s)",
			e->sv->options->conf.flood_rate);
		NEXT("it goes on when its rate allows, and what is ready then is reported");
	} else if (strcmp(state, "disarmed") == 0) {
		WHY(r->mode == WIRE_LEVEL ? "disarmed: event %u waits for the client's "
					    "acknowledgement"
					  : "disarmed: waits for the client's REARM after event %u",
			r->seq);
		NEXT("with it, what is still ready is reported again");
	} else {
		join_words(words, sizeof(words), r->interest);
		WHY("armed: it has not become %s since its last event (number %u)", words, r->seq);
		NEXT("an event when it becomes %s", words);
	}
	say_deadlines(e, r);
	say_session(e, s);
	return state;
}

void explain_processes(struct explained *e, int32_t client)
{
	control_words_process(e->processes, client, "client", false);
	if (e->agent && e->agent->process)
		control_words_process(e->processes, e->agent->process->pid, "agent", false);
	if (e->agent && e->agent->closer)
		control_words_process(e->processes, e->agent->closer->pid, "closer", false);
	rdy__list_for_each (l, &e->sv->children.all) {
		const struct child *child = rdy__list_entry(l, struct child, link);

		if (child->killed && child->uid == e->uid && child->kind != CHILD_BOUNCER)
			control_words_process(e->processes, child->pid,
				child->kind == CHILD_AGENT ? "agent" : "closer", true);
	}
}
