/* SPDX-License-Identifier: MIT */
/*
 * Accepting control connections: who it is, limits, then to the caller's own agent. As with sessions nothing that
 * a stranger can write to is read or closed here; a refusal is an answer that the bouncer gives.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "bouncer.h"
#include "control.h"
#include "identity.h"
#include "log.h"
#include "supervisor.h"

void controls_init(struct supervisor *sv)
{
	struct controls *cs = &sv->controls;

	rdy__list_init(&cs->all);
	rdy__list_init(&cs->runnable);
}

uint32_t control_connections(const struct supervisor *sv, uid_t uid)
{
	uid_t payer = quotas_payer(&sv->quotas, uid);
	uint32_t n = 0;

	rdy__list_for_each (l, &sv->controls.all)
		n += quotas_payer(&sv->quotas, rdy__list_entry(l, struct control, link)->uid) ==
		     payer;
	return n;
}

/* Returns NULL, or why not. */
static const char *admit(
	struct supervisor *sv, const struct identity *who, bool admin, struct agent **ret_agent)
{
	const struct conf *c = &sv->options->conf;
	uint32_t reserved = admin ? CONTROL_RESERVED : 0, detail;

	if (sv->stopping)
		return "stopping";
	if (!rate_connect(&sv->rate, quotas_payer(&sv->quotas, who->uid),
		    quotas_of(&sv->quotas, who->uid, CONF_Q_CONNECTS), rdy__now_ns()))
		return "rate";
	if (sv->controls.n >= c->limit_controls + reserved)
		return "limit";
	if (control_connections(sv, who->uid) >= quotas_of(&sv->quotas, who->uid, CONF_Q_CONTROLS))
		return "quota";
	return control_busy_word(agents_get(sv, who->uid, reserved, ret_agent, &detail));
}

const char *control_busy_word(enum wire_error e)
{
	switch (e) {
	case WIRE_OK:
		return NULL;
	case WIRE_E_UID_WEDGED:
		return "wedged";
	case WIRE_E_LIMIT_UIDS:
		return "uids";
	case WIRE_E_SHUTTING_DOWN:
		return "stopping";
	default:
		return "failed";
	}
}

void control_refuse(struct supervisor *sv, uid_t uid, int take_sock, const char *why)
{
	char *text = NULL;
	size_t n;

	if (control_make_error(CONTROL_E_BUSY, json_pack("{s:s}", "why", why), &text, &n) < 0)
		bouncer_close(sv, uid, take_sock);
	else
		bouncer_answer(sv, uid, take_sock, text, n);
	free(text);
}

/* Room that is kept for them: administrators of everything. */
static bool is_admin(const struct supervisor *sv, const struct policy_peer *peer)
{
	return policy_allows(sv->policy, peer, CONF_ADMIN, POLICY_EVERYBODY, NULL);
}

static struct control *new_control(struct supervisor *sv, const struct policy_peer *peer)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	rdy__list_init(&c->link);
	rdy__list_init(&c->run);
	c->uid = peer->uid;
	c->policy = policy_ref(sv->policy);
	c->peer = *peer;
	c->admin = is_admin(sv, peer);
	c->sees_all = policy_allows(sv->policy, peer, CONF_INSPECT, POLICY_EVERYBODY, NULL);
	c->sees_own = policy_allows(sv->policy, peer, CONF_INSPECT, peer->uid, NULL);
	rdy__list_append(&sv->controls.all, &c->link);
	sv->controls.n++;
	return c;
}

void control_take(struct supervisor *sv, int take_sock)
{
	struct identity who = {.pidfd = -1};
	struct policy_peer peer;
	struct control *c = NULL;
	struct agent *agent;
	const char *why;

	if (identity_of(take_sock, &who) < 0) {
		bouncer_close(sv, BOUNCER_NOBODY, take_sock);
		return;
	}
	/* Whose process ends has its socket closed: that is all a control connection needs to know. */
	who.pidfd = rdy__fd_close(who.pidfd);
	peer = policy_peer(sv->policy, take_sock, &who);
	why = admit(sv, &who, is_admin(sv, &peer), &agent);
	if (!why) {
		c = new_control(sv, &peer);
		if (c && agents_hand_over_control(sv, agent, take_sock, &who, c) == 0) {
			sv->counters.controls++;
			return;
		}
		why = "memory";
	}
	if (c)
		control_free(sv, c);
	sv->counters.controls_refused++;
	log_line(LOG_P_NOTICE, "control=refused why=%s uid=%u pid=%d", why, (unsigned int)who.uid,
		(int)who.pid);
	control_refuse(sv, who.uid, take_sock, why);
}
