/* SPDX-License-Identifier: MIT */
/* See agents.h: the table, starting and losing agents, and what they owe. The channel is in channel_io.c. */
#include "agents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "adopt.h"
#include "base/clock.h"
#include "base/fd.h"
#include "bouncer.h"
#include "channel_io.h"
#include "control.h"
#include "log.h"
#include "monitor.h"
#include "remains.h"
#include "supervisor.h"
#include "upgrade.h"

#define STARTS_NS (10 * RDY__NS_PER_S) /* the first word: a program may come from a slow disk */

void agents_init(struct agents *a)
{
	memset(a, 0, sizeof(*a));
	rdy__list_init(&a->all);
	failures_init(&a->failures);
}

struct agent *agents_find(const struct agents *a, uid_t uid)
{
	rdy__list_for_each (l, &a->all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		/* Until it has everything it is nobody's, unless there is no other any more. */
		if (agent->uid == uid && agent->state != AGENT_ENDING &&
			!(agent->state == AGENT_TAKING && upgrade_peer(agent)))
			return agent;
	}
	return NULL;
}

static struct session *find_in(const struct rdy__list *sessions, uint64_t number)
{
	rdy__list_for_each (l, sessions) {
		struct session *s = rdy__list_entry(l, struct session, link);

		if (s->number == number)
			return s;
	}
	return NULL;
}

struct session *agents_find_session(
	const struct agents *a, uint64_t number, struct agent **ret_agent)
{
	rdy__list_for_each (l, &a->all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);
		struct session *s = find_in(&agent->serving, number);

		if (!s)
			s = find_in(&agent->handed, number);
		if (!s)
			s = find_in(&agent->waiting, number);
		if (s) {
			*ret_agent = agent;
			return s;
		}
	}
	return NULL;
}

static int take_slot(struct agents *a, uint32_t *ret)
{
	uint32_t n = a->n_slots ? a->n_slots * 2 : 8;
	uint32_t *generations;
	struct agent **slots;

	for (uint32_t i = 0; i < a->n_slots; i++) {
		if (!a->slots[i]) {
			*ret = i;
			return 0;
		}
	}
	slots = realloc(a->slots, n * sizeof(struct agent *));
	if (!slots)
		return -ENOMEM;
	a->slots = slots;
	generations = realloc(a->generations, n * sizeof(*generations));
	if (!generations)
		return -ENOMEM;
	a->generations = generations;
	memset(slots + a->n_slots, 0, (n - a->n_slots) * sizeof(struct agent *));
	memset(generations + a->n_slots, 0, (n - a->n_slots) * sizeof(*generations));
	*ret = a->n_slots;
	a->n_slots = n;
	return 0;
}

static void note_failure(struct agents *a, uid_t uid)
{
	if (failures_note(&a->failures, uid, rdy__now_ns()))
		log_line(LOG_P_ERROR, "agent=failing uid=%u pause=%ds", (unsigned int)uid,
			FAILURES_PAUSE_S);
}

static void close_pair(int *pair)
{
	pair[0] = rdy__fd_close(pair[0]);
	pair[1] = rdy__fd_close(pair[1]);
}

static int socket_pair(int *ret)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) < 0)
		return -errno;
	return 0;
}

/* A closer and the agent's end of the link to it. */
int agents_start_closer(struct supervisor *sv, struct agent *agent, int *ret_link)
{
	int pair[2], r = socket_pair(pair);

	if (r < 0)
		return r;
	r = child_start(sv, CHILD_CLOSER, agent->uid, &pair[1], 1, &agent->closer);
	rdy__fd_close(pair[1]);
	if (r < 0) {
		rdy__fd_close(pair[0]);
		return r;
	}
	agent->closer->agent = agent;
	*ret_link = pair[0];
	return 0;
}

static int start_processes(struct supervisor *sv, struct agent *agent)
{
	int channel[2] = {-1, -1}, link = -1, listener = -1, r;

	agent->program = sv->children.ids[CHILD_AGENT];
	r = socket_pair(channel);
	if (r == 0)
		r = adopt_listener(sv, agent, &listener);
	if (r == 0)
		r = agents_start_closer(sv, agent, &link);
	if (r == 0) {
		agent->channel = rdy__steal_fd(&channel[0]);
		/* It is there when the agent starts to read, with the closer's pid. */
		r = channel_io_config(sv, agent);
	}
	if (r == 0) {
		const int fds[3] = {channel[1], link, listener};

		r = child_start(
			sv, CHILD_AGENT, agent->uid, fds, listener >= 0 ? 3 : 2, &agent->process);
	}
	rdy__fd_close(listener);
	rdy__fd_close(link);
	close_pair(channel);
	if (r < 0)
		return r;
	agent->process->agent = agent;
	adopt_started(sv, agent);
	return rdy_poll_register(sv->poll, agent->channel,
		TOKEN(TOKEN_CHANNEL, agent->index, sv->agents.generations[agent->index]),
		RDY_READABLE, RDY_LEVEL);
}

/* Its memory and our end of its channel; not its sessions. */
static void forget(struct supervisor *sv, struct agent *agent)
{
	control_agent_lost(sv, agent);
	upgrade_drop(agent);
	if (agent->channel >= 0)
		rdy_poll_deregister(sv->poll, agent->channel);
	rdy__fd_close(agent->channel);
	rdy__fd_close(agent->closer_end);
	rdy__list_unlink(&agent->link);
	sv->agents.slots[agent->index] = NULL;
	sv->agents.generations[agent->index]++;
	sv->agents.n--;
	free(agent);
}

/* And its processes. */
static void destroy(struct supervisor *sv, struct agent *agent)
{
	adopt_forget(sv, agent);
	child_kill(sv, agent->process);
	child_kill(sv, agent->closer);
	forget(sv, agent);
}

int agents_new(struct supervisor *sv, uid_t uid, struct agent **ret)
{
	struct agents *a = &sv->agents;
	struct agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return -ENOMEM;
	rdy__list_init(&agent->link);
	rdy__list_init(&agent->waiting);
	rdy__list_init(&agent->handed);
	rdy__list_init(&agent->serving);
	rdy__list_init(&agent->queries);
	agent->uid = uid;
	agent->frozen = frozen_has(&sv->frozen, uid);
	agent->channel = agent->closer_end = -1;
	agent->started_at_ns = rdy__now_ns();
	r = take_slot(a, &agent->index);
	if (r < 0) {
		free(agent);
		return r;
	}
	a->slots[agent->index] = agent;
	a->n++;
	rdy__list_append(&a->all, &agent->link);
	*ret = agent;
	return 0;
}

int agents_start(struct supervisor *sv, uid_t uid, struct agent **ret)
{
	struct agent *agent = NULL;
	int r = agents_new(sv, uid, &agent);

	if (r == 0) {
		agent->state = AGENT_STARTING;
		r = start_processes(sv, agent);
	}
	if (r < 0) {
		log_line(LOG_P_ERROR, "agent=failed uid=%u error=\"%s\"", (unsigned int)uid,
			strerror(-r));
		if (agent)
			destroy(sv, agent);
		note_failure(&sv->agents, uid);
		return r;
	}
	sv->counters.agents_started++;
	monitor_say(
		sv, &(struct monitor_event){"agent_started", uid, agent->process->pid, 0, NULL});
	log_line(LOG_P_INFO, "agent=started uid=%u pid=%d", (unsigned int)uid,
		(int)agent->process->pid);
	*ret = agent;
	return 0;
}

static uint32_t count_serving(const struct agents *a)
{
	uint32_t n = 0;

	rdy__list_for_each (l, &a->all) {
		const struct agent *agent = rdy__list_entry(l, struct agent, link);

		n += agent->state != AGENT_ENDING && agent->state != AGENT_TAKING;
	}
	return n;
}

/*
 * One that was told to end is known to be stuck only when its time is over; whoever makes them faster than that
 * must not have any number of them.
 */
static bool has_wedged(const struct supervisor *sv, uid_t uid)
{
	size_t n = children_stuck(&sv->children, CHILD_AGENT, uid);

	if (n >= AGENTS_STUCK_MAX ||
		children_stuck(&sv->children, CHILD_CLOSER, uid) >= REMAINS_STUCK_MAX)
		return true;
	rdy__list_for_each (l, &sv->agents.all) {
		const struct agent *agent = rdy__list_entry(l, struct agent, link);

		n += agent->uid == uid && agent->state == AGENT_ENDING;
	}
	return n >= AGENTS_LEAVING_MAX;
}

enum wire_error agents_get(struct supervisor *sv, uid_t uid, uint32_t n_reserved,
	struct agent **ret, uint32_t *ret_detail)
{
	struct agent *agent = agents_find(&sv->agents, uid);

	if (agent) {
		*ret = agent;
		return WIRE_OK;
	}
	if (has_wedged(sv, uid))
		return WIRE_E_UID_WEDGED;
	if (failures_block(&sv->agents.failures, uid, rdy__now_ns()))
		return WIRE_E_AGENT_FAILED;
	if (count_serving(&sv->agents) >= sv->options->conf.limit_uids + n_reserved) {
		*ret_detail = (uint32_t)sv->options->conf.limit_uids;
		return WIRE_E_LIMIT_UIDS;
	}
	return agents_start(sv, uid, ret) < 0 ? WIRE_E_AGENT_FAILED : WIRE_OK;
}

/* Clients see the end at once; what is queued in the sockets may block whoever closes them. */
static void shut_sessions(
	struct supervisor *sv, uid_t uid, struct remains *r, struct rdy__list *sessions)
{
	struct rdy__list *l;

	while ((l = rdy__list_pop(sessions))) {
		struct session *s = rdy__list_entry(l, struct session, link);

		if (!s->control)
			monitor_say(sv, &(struct monitor_event){
						"session_ended", uid, s->pid, s->number, "agent"});
		/* Of an adopted one we have no copy: the agent's exit closes it, or the client's ping finds out. */
		if (s->sock >= 0)
			remains_take(sv, r, uid, rdy__steal_fd(&s->sock));
		session_free(sv, s);
	}
}

static void refuse(struct supervisor *sv, struct session *s, enum wire_error e, uint32_t detail)
{
	int sock = rdy__steal_fd(&s->sock);

	if (s->control)
		control_refuse(sv, s->uid, sock, control_busy_word(e));
	else if (s->refuse != WIRE_OK)
		bouncer_refuse(sv, s->uid, sock, s->refuse, s->detail);
	else
		bouncer_refuse(sv, s->uid, sock, e, detail);
	session_free(sv, s);
}

/* Those that no agent has seen get a fresh one, or hear why not. */
static void move_waiting(struct supervisor *sv, uid_t uid, struct rdy__list *waiting)
{
	enum wire_error e = WIRE_E_SHUTTING_DOWN;
	struct agent *fresh = NULL;
	struct rdy__list *l;
	uint32_t detail = 0;

	if (rdy__list_empty(waiting))
		return;
	if (!sv->stopping)
		e = agents_get(sv, uid, 0, &fresh, &detail);
	while ((l = rdy__list_pop(waiting))) {
		struct session *s = rdy__list_entry(l, struct session, link);

		if (e == WIRE_OK) {
			rdy__list_append(&fresh->waiting, &s->link);
			fresh->n_sessions += s->refuse == WIRE_OK && !s->control;
			fresh->n_kicks += s->kick;
			if (s->control)
				s->control->agent = fresh;
			continue;
		}
		refuse(sv, s, e, detail);
	}
	if (fresh)
		channel_io_flush(sv, fresh);
}

void agents_lose(struct supervisor *sv, struct agent *agent)
{
	int64_t now = rdy__now_ns();
	struct rdy__list waiting, *l;
	struct remains remains;
	uid_t uid = agent->uid;

	upgrade_lost(sv, agent);
	rdy__list_init(&waiting);
	while ((l = rdy__list_pop(&agent->waiting)))
		rdy__list_append(&waiting, l);
	remains_init(&remains);
	shut_sessions(sv, uid, &remains, &agent->handed);
	shut_sessions(sv, uid, &remains, &agent->serving);
	remains_leave(sv, &remains, uid);
	if (agent->state == AGENT_ADOPTING)
		; /* neither a start that failed nor one that worked */
	else if (now - agent->started_at_ns >= FAILURES_QUICK_NS && agent->state != AGENT_STARTING)
		failures_forgive(&sv->agents.failures, uid);
	else if (agent->state != AGENT_ENDING && !sv->stopping)
		note_failure(&sv->agents, uid);
	destroy(sv, agent);
	move_waiting(sv, uid, &waiting);
}

void agents_note_lost(struct supervisor *sv, const struct agent *agent, pid_t pid)
{
	if (agent->state == AGENT_ENDING || sv->stopping)
		return;
	sv->counters.agents_lost++;
	monitor_say(sv, &(struct monitor_event){"agent_lost", agent->uid, pid, 0, NULL});
}

void agents_child_died(struct supervisor *sv, struct child *child)
{
	struct agent *agent = child->agent;

	child->agent = NULL;
	if (child == agent->closer) {
		/* The agent sees its link end and asks for a fresh one. */
		agent->closer = NULL;
		return;
	}
	agent->process = NULL;
	agents_note_lost(sv, agent, child->pid);
	agents_lose(sv, agent);
}

/* When this agent has to have done something. */
static int64_t deadline_of(const struct supervisor *sv, const struct agent *agent)
{
	int64_t owes_ns = (int64_t)sv->options->conf.heartbeat_ns;
	int64_t d = RDY__NEVER;

	if (agent->state == AGENT_STARTING)
		d = rdy__deadline_ns(agent->started_at_ns, STARTS_NS);
	else if (agent->state == AGENT_ADOPTING)
		d = rdy__deadline_ns(agent->started_at_ns, owes_ns);
	else if (agent->state == AGENT_ENDING)
		d = rdy__deadline_ns(agent->ending_at_ns, owes_ns);
	else if (!rdy__list_empty(&agent->handed))
		d = rdy__deadline_ns(
			rdy__list_entry(agent->handed.next, struct session, link)->sent_at_ns,
			owes_ns);
	else if (agent->state == AGENT_HANDING || agent->state == AGENT_TAKING)
		d = upgrade_deadline(agent);
	if (agent->state == AGENT_SERVING && control_deadline(agent, owes_ns) < d)
		d = control_deadline(agent, owes_ns);
	return d;
}

int64_t agents_deadline(const struct supervisor *sv)
{
	int64_t d = RDY__NEVER;

	rdy__list_for_each (l, &sv->agents.all) {
		const struct agent *agent = rdy__list_entry(l, struct agent, link);
		int64_t own = deadline_of(sv, agent);

		if (own < d)
			d = own;
		if (agent->retry_at_ns && agent->retry_at_ns < d)
			d = agent->retry_at_ns;
	}
	return d;
}

void agents_tick(struct supervisor *sv, int64_t now_ns)
{
	rdy__list_for_each_safe (l, tmp, &sv->agents.all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		if (agent->upgrade && now_ns >= upgrade_deadline(agent)) {
			upgrade_tick(sv, agent);
			return;
		}
		if (now_ns >= deadline_of(sv, agent)) {
			log_line(LOG_P_ERROR, "agent=wedged uid=%u pid=%d sessions=%u",
				(unsigned int)agent->uid,
				agent->process ? (int)agent->process->pid : 0, agent->n_sessions);
			sv->counters.agents_wedged++;
			monitor_say(sv, &(struct monitor_event){"agent_wedged", agent->uid,
						agent->process ? agent->process->pid : 0, 0, NULL});
			agents_lose(sv, agent);
			/* A fresh agent may have been appended: the next tick looks at it. */
			return;
		}
		if (agent->retry_at_ns && now_ns >= agent->retry_at_ns) {
			agent->retry_at_ns = 0;
			if (agent->state == AGENT_ADOPTING && agent->channel < 0)
				adopt_retry(sv, agent);
			else
				channel_io_flush(sv, agent);
		}
	}
}

void agents_keep_session(struct supervisor *sv, struct agent *agent, struct session *take_s,
	const struct channel_snapshot_session *info)
{
	struct agents *a = &sv->agents;

	rdy__list_init(&take_s->link);
	take_s->number = info->session;
	take_s->sock = take_s->pidfd = -1;
	take_s->uid = info->uid;
	take_s->gid = info->gid;
	take_s->pid = info->pid;
	take_s->refuse = WIRE_OK;
	/* A limit that was lowered ends nobody's session, and an agent that lies takes no room from others. */
	take_s->beyond = quotas_sessions(&sv->quotas, a, agent->uid) >=
			 quotas_of(&sv->quotas, agent->uid, CONF_Q_SESSIONS);
	a->n_sessions += !take_s->beyond;
	agent->n_sessions++;
	rdy__list_append(&agent->serving, &take_s->link);
	if (info->session > a->last_session)
		a->last_session = info->session;
}

void agents_leave(struct supervisor *sv)
{
	rdy__list_for_each (l, &sv->agents.all)
		move_waiting(sv, rdy__list_entry(l, struct agent, link)->uid,
			&rdy__list_entry(l, struct agent, link)->waiting);
}

void agents_stop(struct supervisor *sv)
{
	rdy__list_for_each (l, &sv->agents.all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		upgrade_drop(agent);
		/* Who has to answer first gets it then. */
		if (agent->state != AGENT_ENDING && agent->state != AGENT_ADOPTING)
			channel_io_end(sv, agent);
		move_waiting(sv, agent->uid, &agent->waiting);
	}
}

void agents_kill(struct supervisor *sv)
{
	while (!rdy__list_empty(&sv->agents.all))
		agents_lose(sv, rdy__list_entry(sv->agents.all.next, struct agent, link));
}

/* The process ends, and the kernel closes our copies; the agent has others. */
static void drop_sessions(struct supervisor *sv, struct rdy__list *sessions)
{
	struct rdy__list *l;

	while ((l = rdy__list_pop(sessions))) {
		struct session *s = rdy__list_entry(l, struct session, link);

		s->sock = -1;
		session_free(sv, s);
	}
}

void agents_deinit(struct supervisor *sv)
{
	struct agents *a = &sv->agents;

	if (!a->all.next)
		return;
	/* Who lives on is not killed, and whose channel is in the store keeps its place. */
	for (struct rdy__list *l = a->all.next; sv->leaving && l != &a->all; l = a->all.next) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		drop_sessions(sv, &agent->handed);
		drop_sessions(sv, &agent->serving);
		drop_sessions(sv, &agent->waiting);
		forget(sv, agent);
	}
	agents_kill(sv);
	free(a->slots);
	free(a->generations);
	agents_init(a);
}
