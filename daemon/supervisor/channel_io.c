/* SPDX-License-Identifier: MIT */
#include "channel_io.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "bouncer.h"
#include "channel/channel.h"
#include "control.h"
#include "log.h"
#include "monitor.h"
#include "supervisor.h"
#include "upgrade.h"

#define MESSAGES 32u /* read per event, so that no agent has us for itself */
#define RETRY_NS (20 * RDY__NS_PER_MS)
#define CLOSERS_STUCK_MAX 1u  /* replaced once; then the agent keeps what it cannot close */
#define CLOSERS_GONE_MAX 100u /* killed by somebody, again and again */
#define CLOSERS_LEFT_MAX 3u   /* killed ones that the kernel has not let go of */

/* Returns 0 or -errno. */
static int send_message(
	struct agent *agent, const struct channel_message *m, const int *fds, size_t n)
{
	static uint8_t buf[CHANNEL_BYTES_MAX];
	struct channel_message spoken = *m;

	spoken.version = agent->version;
	return rdy__send_fds(agent->channel, buf, channel_encode(buf, &spoken), fds, n);
}

/* What the configuration does not name. */
static uint32_t kinds_refused(uint64_t kinds)
{
	static const uint32_t bits[CONF_KINDS] = {
		[CONF_KIND_TCP] = 1u << WIRE_KIND_TCP,
		[CONF_KIND_UDP] = 1u << WIRE_KIND_UDP,
		[CONF_KIND_UNIX] = 1u << WIRE_KIND_UNIX,
		[CONF_KIND_PIPE] = 1u << WIRE_KIND_PIPE | 1u << WIRE_KIND_FIFO,
		[CONF_KIND_EVENTFD] = 1u << WIRE_KIND_EVENTFD,
		[CONF_KIND_TIMERFD] = 1u << WIRE_KIND_TIMERFD,
		[CONF_KIND_PIDFD] = 1u << WIRE_KIND_PIDFD,
		[CONF_KIND_INOTIFY] = 1u << WIRE_KIND_INOTIFY,
		[CONF_KIND_PTY] = 1u << WIRE_KIND_PTY,
	};
	uint32_t refused = 0;

	for (unsigned int i = 0; i < CONF_KINDS; i++)
		if (!(kinds >> i & 1))
			refused |= bits[i];
	return refused;
}

int channel_io_config(struct supervisor *sv, struct agent *agent)
{
	static const uint32_t selectors[] = {
		[CONF_SELECTOR_AUTO] = CHANNEL_SELECTOR_AUTO,
		[CONF_SELECTOR_EPOLL] = CHANNEL_SELECTOR_EPOLL,
		[CONF_SELECTOR_POLL] = CHANNEL_SELECTOR_POLL,
	};
	const struct conf *c = &sv->options->conf;
	uint32_t sessions = quotas_of(&sv->quotas, agent->uid, CONF_Q_SESSIONS),
		 registrations = quotas_of(&sv->quotas, agent->uid, CONF_Q_REGISTRATIONS);
	uint64_t per_session = registrations * c->per_session_percent / 100;
	const struct channel_message m = {
		.type = CHANNEL_CONFIG,
		.u.config =
			{
				.uid = agent->uid,
				.registrations = registrations,
				.registrations_session = per_session ? (uint32_t)per_session : 1,
				.fd_reserve = supervisor_fd_reserve(c),
				.send_buffer_bytes = (uint32_t)c->send_buffer_bytes,
				.selector = selectors[c->selector],
				.closer_batch = (uint32_t)c->closer_batch,
				.flags = agent->frozen ? CHANNEL_FROZEN : 0,
				.hello_timeout_ns = (int64_t)c->hello_timeout_ns,
				.idle_exit_ns = (int64_t)c->idle_exit_ns,
				.reactors = supervisor_reactors(c),
				.log_level = (uint32_t)sv->log_level,
				.flood_rate = (uint32_t)c->flood_rate,
				.flood_burst = (uint32_t)c->flood_burst,
				.grace_ns = adopt_grace_ns(sv),
				.program = agent->program,
				.sessions = sessions,
				.kinds_refused = kinds_refused(c->kinds),
				.supervisor = getpid(),
				.closer = agent->closer ? agent->closer->pid : 0,
			},
	};

	return send_message(agent, &m, NULL, 0);
}

static void watch(struct supervisor *sv, struct agent *agent, bool full)
{
	if (agent->channel_full == full)
		return;
	if (rdy_poll_modify(sv->poll, agent->channel,
		    TOKEN(TOKEN_CHANNEL, agent->index, sv->agents.generations[agent->index]),
		    RDY_READABLE | (full ? RDY_WRITABLE : 0), RDY_LEVEL) == 0)
		agent->channel_full = full;
}

/* What sendmsg() did not take: tried again when there is room, or soon. A dead agent's end is seen elsewhere. */
static void not_sent(struct supervisor *sv, struct agent *agent, int error)
{
	if (error == -EAGAIN)
		watch(sv, agent, true);
	else if (error == -ETOOMANYREFS || error == -ENOBUFS || error == -ENOMEM)
		agent->retry_at_ns = rdy__deadline_ns(rdy__now_ns(), RETRY_NS);
}

int channel_io_send(struct supervisor *sv, struct agent *agent, const struct channel_message *m)
{
	int r;

	if (agent->state != AGENT_SERVING || agent->channel_full || agent->retry_at_ns)
		return -EAGAIN;
	r = send_message(agent, m, NULL, 0);
	if (r < 0)
		not_sent(sv, agent, r);
	return r;
}

int channel_io_adopt(struct supervisor *sv, struct agent *agent)
{
	const struct channel_message m = {
		.type = CHANNEL_ADOPT,
		.u.adopt = {.epoch = sv->adoption.epoch},
	};

	/* Of which version it is, its SNAPSHOT says; until then the oldest that it may be. */
	if (CHANNEL_VERSION_OLDEST >= CHANNEL_ADOPT_SINCE)
		agent->version = CHANNEL_VERSION_OLDEST;
	return send_message(agent, &m, NULL, 0);
}

int channel_io_link(struct supervisor *sv, struct agent *agent, uint32_t type, int link)
{
	const struct channel_message m = {.type = type};
	int r;

	if (agent->channel_full || agent->retry_at_ns)
		return -EAGAIN;
	r = send_message(agent, &m, &link, 1);
	if (r < 0)
		not_sent(sv, agent, r);
	return r;
}

void channel_io_end(struct supervisor *sv, struct agent *agent)
{
	const struct channel_message m = {.type = CHANNEL_END};

	/* If it does not get through, it is late and killed. */
	(void)send_message(agent, &m, NULL, 0);
	agent->state = AGENT_ENDING;
	agent->ending_at_ns = rdy__now_ns();
}

void session_free(struct supervisor *sv, struct session *s)
{
	assert(s->sock < 0);
	rdy__fd_close(s->pidfd);
	if (s->control)
		control_free(sv, s->control);
	else if (s->refuse == WIRE_OK && !s->beyond)
		sv->agents.n_sessions--;
	free(s);
}

static struct session *find(struct rdy__list *sessions, uint64_t number)
{
	rdy__list_for_each (l, sessions) {
		struct session *s = rdy__list_entry(l, struct session, link);

		if (s->number == number)
			return s;
	}
	return NULL;
}

static bool in_use(const struct agents *a, uint64_t number)
{
	rdy__list_for_each (l, &a->all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		if (find(&agent->waiting, number) || find(&agent->handed, number) ||
			find(&agent->serving, number))
			return true;
	}
	return false;
}

/* Never 0. An agent that we adopted may have claimed the highest one: then we start again. */
static uint64_t next_number(struct agents *a)
{
	do {
		if (++a->last_session == 0) {
			a->sessions_wrapped = true;
			a->last_session = 1;
		}
	} while (a->sessions_wrapped && in_use(a, a->last_session));
	return a->last_session;
}

static struct session *new_session(struct supervisor *sv, int take_sock, const struct identity *who)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	rdy__list_init(&s->link);
	s->number = next_number(&sv->agents);
	s->sock = take_sock;
	s->pidfd = who->pidfd;
	s->uid = who->uid;
	s->gid = who->gid;
	s->pid = who->pid;
	return s;
}

int agents_hand_over_control(struct supervisor *sv, struct agent *agent, int take_sock,
	const struct identity *who, struct control *control)
{
	struct session *s = new_session(sv, take_sock, who);

	if (!s)
		return -ENOMEM;
	s->control = control;
	control->agent = agent;
	control->number = s->number;
	rdy__list_append(&agent->waiting, &s->link);
	channel_io_flush(sv, agent);
	return 0;
}

int agents_hand_over(struct supervisor *sv, struct agent *agent, int take_sock,
	const struct identity *who, enum wire_error refuse, uint32_t detail)
{
	struct session *s = new_session(sv, take_sock, who);

	if (!s)
		return -ENOMEM;
	s->refuse = refuse;
	s->detail = detail;
	if (refuse == WIRE_OK) {
		sv->agents.n_sessions++;
		agent->n_sessions++;
	}
	rdy__list_append(&agent->waiting, &s->link);
	channel_io_flush(sv, agent);
	return 0;
}

static int send_session(struct agent *agent, const struct session *s)
{
	const struct channel_message m = {
		.type = s->control	       ? CHANNEL_CONTROL
			: s->refuse == WIRE_OK ? CHANNEL_SESSION
					       : CHANNEL_REFUSE,
		.u.session =
			{
				.session = s->number,
				.uid = s->uid,
				.gid = s->gid,
				.pid = s->pid,
				.error = s->refuse,
				.detail = s->detail,
			},
	};
	const int fds[2] = {s->sock, s->pidfd};

	return send_message(agent, &m, fds, s->refuse == WIRE_OK && s->pidfd >= 0 ? 2 : 1);
}

static void send_closer(struct supervisor *sv, struct agent *agent)
{
	const struct channel_message m = {.type = CHANNEL_CLOSER};
	int r = send_message(agent, &m, &agent->closer_end, 1);

	if (r < 0)
		not_sent(sv, agent, r);
	else
		agent->closer_end = rdy__fd_close(agent->closer_end);
}

void channel_io_flush(struct supervisor *sv, struct agent *agent)
{
	upgrade_flush(sv, agent);
	if (agent->state != AGENT_SERVING || agent->channel_full || agent->retry_at_ns)
		return;
	if (agent->config_owed) {
		int r = channel_io_config(sv, agent);

		if (r < 0) {
			not_sent(sv, agent, r);
			return;
		}
		agent->config_owed = false;
	}
	if (agent->closer_end >= 0)
		send_closer(sv, agent);
	while (!rdy__list_empty(&agent->waiting) && agent->n_handed < CHANNEL_CREDITS) {
		struct session *s = rdy__list_entry(agent->waiting.next, struct session, link);
		int r = send_session(agent, s);

		if (r < 0) {
			not_sent(sv, agent, r);
			return;
		}
		s->pidfd = rdy__fd_close(s->pidfd);
		s->sent_at_ns = rdy__now_ns();
		rdy__list_unlink(&s->link);
		rdy__list_append(&agent->handed, &s->link);
		agent->n_handed++;
	}
	control_flush(sv, agent);
}

/* Returns false for a number that we never sent. */
static bool taken(struct supervisor *sv, struct agent *agent, uint64_t number)
{
	struct session *s = find(&agent->handed, number);

	if (!s)
		return false;
	rdy__list_unlink(&s->link);
	agent->n_handed--;
	if (s->refuse == WIRE_OK) {
		rdy__list_append(&agent->serving, &s->link);
		if (!s->control)
			monitor_say(sv, &(struct monitor_event){"session_opened", agent->uid,
						s->pid, s->number, NULL});
	} else {
		/*
		 * The agent answers and its closer closes; whose close() is the last, nobody knows. Not shut:
		 * the answer may still be on its way to the closer.
		 */
		bouncer_let_go(sv, s->uid, rdy__steal_fd(&s->sock));
		session_free(sv, s);
	}
	channel_io_flush(sv, agent);
	return true;
}

static bool session_ended(struct supervisor *sv, struct agent *agent, uint64_t number)
{
	struct session *s = find(&agent->serving, number);

	/* What an agent says last and the other one first may come in either order. */
	if (!s && upgrade_peer(agent)) {
		agent = upgrade_peer(agent);
		s = find(&agent->serving, number);
	}
	if (!s)
		return agent->state == AGENT_ENDING;
	rdy__list_unlink(&s->link);
	agent->n_sessions -= !s->control;
	agent->n_kicks -= s->kick;
	if (!s->control)
		monitor_say(sv, &(struct monitor_event){
					"session_ended", agent->uid, s->pid, s->number, NULL});
	/* Shut and drained by the agent: nothing is queued in it, so this cannot block. */
	s->sock = rdy__fd_close(s->sock);
	session_free(sv, s);
	/* Accepting may have paused for want of a descriptor. */
	sv->listen_again_ns = RDY__NEVER;
	return true;
}

/*
 * Only the agent knows which: one whose link has ended may still be on its way out, or hang in its exit,
 * so what the kernel says of the process tells nothing.
 */
static bool may_replace(const struct supervisor *sv, struct agent *agent, bool stuck)
{
	if (stuck)
		return agent->closers_stuck++ < CLOSERS_STUCK_MAX;
	return agent->closers_gone++ < CLOSERS_GONE_MAX &&
	       children_stuck(&sv->children, CHILD_CLOSER, agent->uid) < CLOSERS_LEFT_MAX;
}

static void replace_closer(struct supervisor *sv, struct agent *agent, bool stuck)
{
	int r;

	log_line(LOG_P_WARNING, "closer=%s uid=%u", stuck ? "stuck" : "died",
		(unsigned int)agent->uid);
	child_kill(sv, rdy__steal(agent->closer));
	if (!may_replace(sv, agent, stuck)) {
		log_line(LOG_P_ERROR, "closer=none uid=%u effect=\"closing waits\"",
			(unsigned int)agent->uid);
		return;
	}
	agent->closer_end = rdy__fd_close(agent->closer_end);
	r = agents_start_closer(sv, agent, &agent->closer_end);
	if (r < 0) {
		log_line(LOG_P_ERROR, "closer=failed uid=%u error=\"%s\"", (unsigned int)agent->uid,
			strerror(-r));
		return;
	}
	/* First the pid of the new one, for whoever adopts this agent: if we die in between, the link ends it. */
	agent->config_owed = true;
	channel_io_flush(sv, agent);
}

static void idle(struct supervisor *sv, struct agent *agent)
{
	/* A session on its way makes it busy again; it will ask anew. Control connections count, too. */
	if (!rdy__list_empty(&agent->serving) || agent->n_handed ||
		!rdy__list_empty(&agent->waiting))
		return;
	log_line(LOG_P_DEBUG, "agent=idle uid=%u", (unsigned int)agent->uid);
	channel_io_end(sv, agent);
}

/* Returns false when the other side is not what we started. */
static bool apply(struct supervisor *sv, struct agent *agent, const struct channel_message *m,
	const struct rdy__received *got)
{
	if (agent->state == AGENT_ADOPTING)
		return adopt_message(sv, agent, m, got);
	switch (m->type) {
	case CHANNEL_HELLO:
		if (agent->state == AGENT_STARTING)
			agent->state = AGENT_SERVING;
		upgrade_message(sv, agent, m);
		channel_io_flush(sv, agent);
		return true;
	case CHANNEL_TAKEN_OVER:
	case CHANNEL_HANDED_OVER:
	case CHANNEL_HANDOVER_FAILED:
		upgrade_message(sv, agent, m);
		return true;
	case CHANNEL_TAKEN:
		return taken(sv, agent, m->u.session.session);
	case CHANNEL_ROWS:
		return control_rows(sv, agent, m);
	case CHANNEL_CONTROL_DATA:
		return control_data(sv, agent, m);
	case CHANNEL_CONTROL_CREDIT:
		return control_credit(sv, agent, m);
	case CHANNEL_SESSION_END:
		return session_ended(sv, agent, m->u.session.session);
	case CHANNEL_CLOSER_STUCK:
	case CHANNEL_CLOSER_GONE:
		if (agent->state != AGENT_ENDING)
			replace_closer(sv, agent, m->type == CHANNEL_CLOSER_STUCK);
		return true;
	case CHANNEL_IDLE:
		if (agent->state == AGENT_SERVING)
			idle(sv, agent);
		return true;
	default:
		return false;
	}
}

/* Returns 1 for a message, 0 when there is none, -errno when the channel is of no use any more. */
static int receive(struct agent *agent, struct channel_message *ret, struct rdy__received *ret_got)
{
	static uint8_t buf
		[CHANNEL_BYTES_MAX]; /* one thread; what *ret points into is used before the next */
	int fds[RDY__FDS_MAX];
	struct rdy__received got = {0};
	int r = rdy__recv_fds(agent->channel, buf, sizeof(buf), fds, 0, &got);

	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	if (got.n_bytes == 0 && got.n_fds == 0)
		return -EPIPE;
	*ret_got = got;
	return channel_decode(buf, got.n_bytes, got.n_fds, ret) < 0 ? -EPROTO : 1;
}

void agents_event(struct supervisor *sv, uint32_t index, uint32_t generation, uint32_t ready)
{
	struct agents *a = &sv->agents;
	struct rdy__received got;
	struct channel_message m;
	struct agent *agent;
	int r;

	if (index >= a->n_slots || a->generations[index] != generation || !a->slots[index])
		return;
	agent = a->slots[index];
	if (ready & RDY_WRITABLE) {
		watch(sv, agent, false);
		channel_io_flush(sv, agent);
	}
	for (uint32_t i = 0; i < MESSAGES; i++) {
		r = receive(agent, &m, &got);
		if (r == 0)
			return;
		if ((r == -EPIPE || r == -ECONNRESET) && agent->state == AGENT_ADOPTING) {
			adopt_channel_ended(sv, agent);
			return;
		}
		if (r < 0 || !apply(sv, agent, &m, &got)) {
			if (r != -EPIPE && r != -ECONNRESET)
				log_line(LOG_P_ERROR, "agent=confused uid=%u",
					(unsigned int)agent->uid);
			else if (agent->state != AGENT_ENDING)
				log_line(LOG_P_WARNING, "agent=died uid=%u pid=%d sessions=%u",
					(unsigned int)agent->uid,
					agent->process ? (int)agent->process->pid : 0,
					agent->n_sessions);
			agents_note_lost(sv, agent, agent->process ? agent->process->pid : 0);
			agents_lose(sv, agent);
			return;
		}
	}
}
