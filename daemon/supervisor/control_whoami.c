/* SPDX-License-Identifier: MIT */
/* WhoAmI: how readyd sees who asks, what he may, and what he may have. Everybody may ask that of himself. */
#include "agents.h"
#include "control.h"
#include "control_words.h"
#include "supervisor.h"

static json_t *verbs(const struct control *c)
{
	json_t *may = json_array();

	for (uint32_t verb = 1; verb <= CONF_VERBS; verb <<= 1)
		if (policy_allows(c->policy, &c->peer, verb, c->uid, NULL))
			json_array_append_new(may, json_string(conf_verb_word(verb)));
	return may;
}

/* used null: nobody counts that. */
static void add(json_t *quotas, const char *name, uint32_t limit, json_t *take_used)
{
	json_array_append_new(quotas, json_pack("{s:s, s:I, s:o}", "name", name, "limit",
					      (json_int_t)limit, "used", take_used));
}

static json_t *quotas(struct supervisor *sv, const struct control *c)
{
	const struct quotas *q = &sv->quotas;
	json_t *all = json_array();

	add(all, "sessions", quotas_of(q, c->uid, CONF_Q_SESSIONS),
		json_integer(quotas_sessions(q, &sv->agents, c->uid)));
	add(all, "registrations", quotas_of(q, c->uid, CONF_Q_REGISTRATIONS),
		json_integer((json_int_t)c->job.sums.registrations));
	add(all, "control", quotas_of(q, c->uid, CONF_Q_CONTROLS),
		json_integer(control_connections(sv, c->uid)));
	add(all, "connects_per_s", quotas_of(q, c->uid, CONF_Q_CONNECTS), json_null());
	return all;
}

void control_whoami_reply(struct supervisor *sv, struct control *c)
{
	uid_t payer = quotas_payer(&sv->quotas, c->uid);
	struct agent *agent;
	const struct session *s = agents_find_session(&sv->agents, c->number, &agent);

	control_reply(c,
		json_pack("{s:I, s:o, s:s, s:s, s:b, s:b, s:o, s:o, s:o}", "uid",
			(json_int_t)c->uid, "pid",
			s && s->pid > 0 ? json_integer(s->pid) : json_null(), "instance",
			sv->options->user ? "user" : "system", "version", READYD_VERSION, "admin",
			c->admin, "frozen", frozen_has(&sv->frozen, c->uid), "may", verbs(c),
			"charged_to",
			payer == c->uid ? json_null() : json_integer((json_int_t)payer), "quotas",
			quotas(sv, c)),
		false);
}
