/* SPDX-License-Identifier: MIT */
/* See upgrade.h. One thread, the supervisor's; nothing here waits. */
#include "upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "channel_io.h"
#include "control.h"
#include "log.h"
#include "supervisor.h"

#define TAKES_NS (10 * RDY__NS_PER_S) /* a start, and up to thousands of descriptors */

struct upgrade {
	struct agent *old, *fresh; /* NULL: dead */
	int link[2]; /* our copies of its ends: the old one's, the fresh one's; to cut it */
	int64_t deadline_ns;
	bool ready;	     /* the fresh one has said HELLO */
	bool offered, asked; /* TAKE_OVER, HAND_OVER are sent */
	bool taken, handed;  /* TAKEN_OVER, HANDED_OVER have come */
	uint64_t n_taken, n_handed;
};

static void upgrade_free(struct upgrade *u)
{
	if (u->old)
		u->old->upgrade = NULL;
	if (u->fresh)
		u->fresh->upgrade = NULL;
	rdy__fd_close(u->link[0]);
	rdy__fd_close(u->link[1]);
	free(u);
}

static void move(struct agent *from, struct agent *to)
{
	struct rdy__list *l;

	rdy__list_for_each_safe (at, tmp, &from->serving) {
		/* A control connection stays with who pumps it, and ends with that one. */
		if (rdy__list_entry(at, struct session, link)->control)
			continue;
		rdy__list_unlink(at);
		rdy__list_append(&to->serving, at);
	}
	while ((l = rdy__list_pop(&from->waiting))) {
		struct session *s = rdy__list_entry(l, struct session, link);

		rdy__list_append(&to->waiting, l);
		if (s->control)
			s->control->agent = to;
	}
	to->n_sessions += from->n_sessions;
	to->n_kicks += from->n_kicks;
	from->n_sessions = from->n_kicks = 0;
}

static void serve(struct supervisor *sv, struct upgrade *u)
{
	struct agent *fresh = u->fresh;

	log_line(LOG_P_NOTICE, "upgrade=done uid=%u pid=%d sessions=%u", (unsigned int)fresh->uid,
		(int)fresh->process->pid, fresh->n_sessions);
	upgrade_free(u);
	fresh->state = AGENT_SERVING;
	channel_io_flush(sv, fresh);
}

static void finish(struct supervisor *sv, struct upgrade *u)
{
	struct agent *old = u->old;

	if (u->n_taken != u->n_handed) {
		/* Nobody knows who has what. */
		log_line(LOG_P_ERROR, "upgrade=confused uid=%u handed=%llu taken=%llu",
			(unsigned int)old->uid, (unsigned long long)u->n_handed,
			(unsigned long long)u->n_taken);
		u->deadline_ns = 0;
		return;
	}
	move(old, u->fresh);
	serve(sv, u);
	channel_io_end(sv, old);
}

/* As if nothing had been. */
static void go_back(struct supervisor *sv, struct upgrade *u)
{
	struct agent *old = u->old;

	log_line(LOG_P_WARNING, "upgrade=failed uid=%u pid=%d effect=\"the old agent serves on\"",
		(unsigned int)old->uid, (int)old->process->pid);
	upgrade_free(u);
	old->state = AGENT_SERVING;
	channel_io_flush(sv, old);
}

static int start(struct supervisor *sv, struct agent *old)
{
	struct upgrade *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->link[0] = u->link[1] = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, u->link) < 0 ||
		agents_start(sv, old->uid, &u->fresh) < 0) {
		upgrade_free(u);
		return -EAGAIN;
	}
	u->old = old;
	u->deadline_ns = rdy__deadline_ns(rdy__now_ns(), TAKES_NS);
	old->upgrade = u->fresh->upgrade = u;
	old->state = AGENT_HANDING;
	u->fresh->state = AGENT_TAKING;
	upgrade_flush(sv, u->fresh);
	return 0;
}

void upgrade_consider(struct supervisor *sv, struct agent *agent)
{
	if (agent->state != AGENT_SERVING || sv->stopping ||
		agent->program == sv->children.ids[CHILD_AGENT] ||
		(agent->version && agent->version < CHANNEL_HAND_OVER_SINCE))
		return;
	log_line(LOG_P_INFO, "upgrade=started uid=%u pid=%d sessions=%u", (unsigned int)agent->uid,
		(int)agent->process->pid, agent->n_sessions);
	if (agent->n_sessions == 0)
		channel_io_end(sv, agent);
	else if (start(sv, agent) < 0)
		log_line(LOG_P_WARNING,
			"upgrade=failed uid=%u pid=%d effect=\"the old agent serves on\"",
			(unsigned int)agent->uid, (int)agent->process->pid);
}

void upgrade_flush(struct supervisor *sv, struct agent *agent)
{
	struct upgrade *u = agent->upgrade;

	if (!u)
		return;
	if (agent == u->fresh && !u->offered)
		u->offered = channel_io_link(sv, agent, CHANNEL_TAKE_OVER, u->link[1]) == 0;
	/* It stops serving when it hears this: not before somebody is there. */
	if (agent == u->old && u->ready && !u->asked)
		u->asked = channel_io_link(sv, agent, CHANNEL_HAND_OVER, u->link[0]) == 0;
}

static void fail(struct supervisor *sv, struct upgrade *u)
{
	struct agent *fresh = u->fresh;

	if (fresh) {
		u->fresh = NULL;
		fresh->upgrade = NULL;
		agents_lose(sv, fresh);
	}
	go_back(sv, u);
}

static void from_old(struct supervisor *sv, struct upgrade *u, const struct channel_message *m)
{
	if (m->type == CHANNEL_HANDOVER_FAILED) {
		fail(sv, u);
	} else if (m->type == CHANNEL_HANDED_OVER) {
		u->handed = true;
		u->n_handed = m->u.count;
		if (!u->fresh)
			u->deadline_ns = 0; /* they have died with it */
		else if (u->taken)
			finish(sv, u);
	}
}

static void from_fresh(struct supervisor *sv, struct upgrade *u, const struct channel_message *m)
{
	if (m->type == CHANNEL_HELLO) {
		u->ready = true;
		if (u->old)
			upgrade_flush(sv, u->old);
	} else if (m->type == CHANNEL_TAKEN_OVER) {
		u->taken = true;
		u->n_taken = m->u.count;
		if (!u->old)
			serve(sv, u);
		else if (u->handed)
			finish(sv, u);
	}
}

void upgrade_message(struct supervisor *sv, struct agent *agent, const struct channel_message *m)
{
	struct upgrade *u = agent->upgrade;

	if (u && agent == u->old)
		from_old(sv, u, m);
	else if (u)
		from_fresh(sv, u, m);
}

struct agent *upgrade_peer(const struct agent *agent)
{
	const struct upgrade *u = agent->upgrade;

	return !u ? NULL : agent == u->old ? u->fresh : u->old;
}

static void old_lost(struct supervisor *sv, struct upgrade *u, struct agent *old)
{
	u->old = NULL;
	if (!u->fresh) {
		upgrade_free(u);
		return;
	}
	/* If it has them all, it serves; if not, they are lost with it. Who waits, waits for it. */
	move(old, u->fresh);
	if (u->taken)
		serve(sv, u);
}

static void fresh_lost(struct supervisor *sv, struct upgrade *u)
{
	u->fresh = NULL;
	if (!u->old)
		upgrade_free(u);
	else if (!u->asked)
		go_back(sv, u);
	else if (u->handed)
		u->deadline_ns = 0;
}

void upgrade_lost(struct supervisor *sv, struct agent *agent)
{
	struct upgrade *u = agent->upgrade;

	if (!u)
		return;
	agent->upgrade = NULL;
	/* Killed is not gone: what hangs in the kernel keeps its end open. What was said already can be read. */
	shutdown(u->link[0], SHUT_RDWR);
	u->deadline_ns = rdy__deadline_ns(rdy__now_ns(), (int64_t)sv->options->conf.heartbeat_ns);
	if (agent == u->old)
		old_lost(sv, u, agent);
	else
		fresh_lost(sv, u);
}

void upgrade_drop(struct agent *agent)
{
	if (agent->upgrade)
		upgrade_free(agent->upgrade);
}

int64_t upgrade_deadline(const struct agent *agent)
{
	return agent->upgrade ? agent->upgrade->deadline_ns : RDY__NEVER;
}

void upgrade_tick(struct supervisor *sv, struct agent *agent)
{
	struct upgrade *u = agent->upgrade;
	struct agent *old = u->old, *fresh = u->fresh;

	log_line(LOG_P_WARNING, "upgrade=%s uid=%u", u->handed && !fresh ? "lost" : "late",
		(unsigned int)agent->uid);
	if (fresh)
		agents_lose(sv, fresh); /* the old one has to say what it has */
	else
		agents_lose(sv, old);
}
