/* SPDX-License-Identifier: MIT */
/*
 * Accepting: identity and limits, then to the uid's agent. Nothing that a stranger can write to is read or
 * closed here. Refusals go to the uid's agent if it has one, else to the bouncer.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "bouncer.h"
#include "control.h"
#include "identity.h"
#include "log.h"
#include "monitor.h"
#include "supervisor.h"

#define ACCEPTS 64u	       /* per event */
#define PAUSE_NS RDY__NS_PER_S /* when the kernel has no descriptor or memory for us */
#define REFUSALS_MAX 64u       /* that may wait for an agent; beyond that the bouncer has them */

/* Groups are asked of the socket only where a rule asks for them. */
static bool may_connect(const struct supervisor *sv, int sock, const struct identity *who)
{
	struct policy_peer peer;

	if (sv->policy->built_in)
		return true;
	peer = policy_peer(sv->policy, sock, who);
	return policy_allows(sv->policy, &peer, CONF_CONNECT, who->uid, NULL);
}

static enum wire_error admit(struct supervisor *sv, int sock, const struct identity *who,
	struct agent **ret_agent, uint32_t *ret_detail)
{
	const struct conf *c = &sv->options->conf;
	uint32_t n;

	*ret_agent = agents_find(&sv->agents, who->uid);
	if (sv->stopping)
		return WIRE_E_SHUTTING_DOWN;
	n = quotas_of(&sv->quotas, who->uid, CONF_Q_CONNECTS);
	if (!rate_connect(&sv->rate, quotas_payer(&sv->quotas, who->uid), n, rdy__now_ns())) {
		*ret_detail = n;
		return WIRE_E_QUOTA_CONNECTS;
	}
	if (!may_connect(sv, sock, who))
		return WIRE_E_POLICY_DENIED;
	if (frozen_has(&sv->frozen, who->uid))
		return WIRE_E_UID_FROZEN;
	if (sv->agents.n_sessions >= c->limit_sessions) {
		*ret_detail = (uint32_t)c->limit_sessions;
		return WIRE_E_LIMIT_SESSIONS;
	}
	n = quotas_of(&sv->quotas, who->uid, CONF_Q_SESSIONS);
	if (quotas_sessions(&sv->quotas, &sv->agents, who->uid) >= n) {
		*ret_detail = n;
		return WIRE_E_QUOTA_SESSIONS;
	}
	return agents_get(sv, who->uid, 0, ret_agent, ret_detail);
}

static bool agent_may_refuse(const struct agent *agent)
{
	size_t n = 0;

	if (!agent)
		return false;
	rdy__list_for_each (l, &agent->waiting)
		if (++n >= REFUSALS_MAX)
			return false;
	return true;
}

static void take(struct supervisor *sv, int take_sock)
{
	struct identity who = {.pidfd = -1};
	struct agent *agent = NULL;
	uint32_t detail = 0;
	enum wire_error e;

	if (identity_of(take_sock, &who) < 0) {
		bouncer_close(sv, BOUNCER_NOBODY, take_sock);
		return;
	}
	e = admit(sv, take_sock, &who, &agent, &detail);
	if (e != WIRE_OK)
		log_line(LOG_P_NOTICE, "refused=%s uid=%u pid=%d detail=%u", wire_error_name(e),
			(unsigned int)who.uid, (int)who.pid, detail);
	if (e == WIRE_OK)
		sv->counters.sessions++;
	else if ((unsigned int)e < COUNTERS_ERRORS)
		sv->counters.refused[e]++;
	if (e != WIRE_OK)
		monitor_say(sv, &(struct monitor_event){
					"refused", who.uid, who.pid, 0, wire_error_name(e)});
	if ((e == WIRE_OK || agent_may_refuse(agent)) &&
		agents_hand_over(sv, agent, take_sock, &who, e, detail) == 0)
		return;
	rdy__fd_close(who.pidfd);
	bouncer_refuse(sv, who.uid, take_sock, e != WIRE_OK ? e : WIRE_E_AGENT_FAILED, detail);
}

/* A listener that stays ready would have us spin: it is left alone until something was freed, or a while. */
static void pause_accepting(struct supervisor *sv, const char *why)
{
	log_line(LOG_P_WARNING, "accept=paused why=\"%s\" sessions=%u", why, sv->agents.n_sessions);
	sv->listen_again_ns = rdy__deadline_ns(rdy__now_ns(), PAUSE_NS);
}

/* The kernel gives the lowest free number. */
static bool is_low(const struct supervisor *sv)
{
	int fd = fcntl(sv->signals, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return true;
	rdy__fd_close(fd);
	return fd >= sv->fd_low;
}

static void accept_from(
	struct supervisor *sv, int listener, void (*take_one)(struct supervisor *sv, int take_sock))
{
	if (is_low(sv)) {
		pause_accepting(sv, "descriptors are running out");
		return;
	}
	for (uint32_t i = 0; i < ACCEPTS && !bouncer_overwhelmed(sv); i++) {
		int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (sock >= 0) {
			take_one(sv, sock);
			if (sock >= sv->fd_low)
				return; /* still readable: the next round pauses */
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		pause_accepting(sv, strerror(errno));
		return;
	}
}

void accept_clients(struct supervisor *sv)
{
	accept_from(sv, sv->runtime->listener, take);
}

void accept_controls(struct supervisor *sv)
{
	accept_from(sv, sv->runtime->control, control_take);
}

static void watch(struct supervisor *sv, int listener, uint32_t kind, bool want, bool *is)
{
	if (want == *is)
		return;
	if (!want)
		rdy_poll_deregister(sv->poll, listener);
	else if (rdy_poll_register(sv->poll, listener, TOKEN(kind, 0, 0), RDY_READABLE, RDY_LEVEL) <
		 0)
		return;
	*is = want;
}

void accept_update(struct supervisor *sv, int64_t now_ns)
{
	bool want;

	if (sv->listen_again_ns != RDY__NEVER && now_ns >= sv->listen_again_ns)
		sv->listen_again_ns = RDY__NEVER;
	want = !sv->stopping && sv->listen_again_ns == RDY__NEVER && !bouncer_overwhelmed(sv);
	watch(sv, sv->runtime->listener, TOKEN_LISTENER, want, &sv->listening);
	watch(sv, sv->runtime->control, TOKEN_CONTROL_LISTENER, want, &sv->control_listening);
}
