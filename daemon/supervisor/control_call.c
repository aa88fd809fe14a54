/* SPDX-License-Identifier: MIT */
/* Calls: what each may be asked by whom, and the ones that are answered at once. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "base/clock.h"
#include "channel_io.h"
#include "control.h"
#include "control_rows.h"
#include "control_words.h"
#include "log.h"
#include "monitor.h"
#include "supervisor.h"

#define UID_MAX_OF_JSON (UINT32_MAX - 1)
#define WHAT_BYTES 128

void control_invalid(struct control *c, const char *parameter)
{
	control_error(c, CONTROL_E_INVALID_PARAMETER, json_pack("{s:s}", "parameter", parameter));
}

void control_denied(struct control *c, const char *why)
{
	control_error(c, CONTROL_E_PERMISSION_DENIED, json_pack("{s:s}", "why", why));
}

void control_busy(struct control *c, const char *why)
{
	control_error(c, CONTROL_E_BUSY, json_pack("{s:s}", "why", why));
}

void control_not_found(struct control *c, const char *format, ...)
{
	char what[WHAT_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	control_error(c, CONTROL_E_NOT_FOUND, json_pack("{s:s}", "what", what));
}

bool control_may_see(const struct control *c, uid_t uid)
{
	if (c->sees_all || (c->sees_own && uid == c->uid))
		return true;
	return policy_allows(c->policy, &c->peer, CONF_INSPECT, uid, NULL);
}

bool control_may_steer(const struct control *c, uid_t uid)
{
	return c->admin || policy_allows(c->policy, &c->peer, CONF_ADMIN, uid, NULL);
}

struct session *control_find_session(
	struct supervisor *sv, const struct control *c, uint64_t number, struct agent **ret_agent)
{
	struct session *s = agents_find_session(&sv->agents, number, ret_agent);

	if (!s || s->control || s->refuse != WIRE_OK)
		return NULL;
	/* Somebody else's is not there at all: numbers tell nothing about others. */
	return control_may_see(c, (*ret_agent)->uid) ? s : NULL;
}

static void get_info(struct control *c)
{
	control_reply(c,
		json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "readyd", "product", "readyd",
			"version", READYD_VERSION, "url", "readyd-control(7)", "interfaces",
			"org.varlink.service", CONTROL_INTERFACE),
		false);
}

static void get_description(struct control *c)
{
	const char *name, *text;

	if (control_get_string(c->call.parameters, "interface", true, &name) < 0) {
		control_invalid(c, "interface");
		return;
	}
	text = control_interface_text(name);
	if (text)
		control_reply(c, json_pack("{s:s}", "description", text), false);
	else
		control_error(
			c, CONTROL_E_INTERFACE_NOT_FOUND, json_pack("{s:s}", "interface", name));
}

static void kick(struct supervisor *sv, struct control *c)
{
	struct agent *agent;
	struct session *s;
	int64_t number = 0;

	if (control_get_int(c->call.parameters, "session", true, 1, INT64_MAX, &number) < 0) {
		control_invalid(c, "session");
		return;
	}
	s = control_find_session(sv, c, (uint64_t)number, &agent);
	if (!s) {
		control_not_found(c, "session:%lld", (long long)number);
		return;
	}
	if (agent->uid != c->uid && !control_may_steer(c, agent->uid)) {
		control_denied(c, "the policy lets you see it, and no more");
		return;
	}
	log_line(LOG_P_NOTICE, "kick session=%lld uid=%u by=%u", (long long)number,
		(unsigned int)agent->uid, (unsigned int)c->uid);
	monitor_say(sv, &(struct monitor_event){"kicked", agent->uid, s->pid, s->number, NULL});
	if (!s->kick) {
		s->kick = true;
		agent->n_kicks++;
	}
	control_reply(c,
		json_pack("{s:I, s:o}", "uid", (json_int_t)agent->uid, "pid", control_pid(s->pid)),
		false);
	channel_io_flush(sv, agent);
}

static void freeze(struct supervisor *sv, struct control *c, bool on)
{
	struct agent *agent;
	int64_t uid = 0;
	int was;

	if (control_get_int(c->call.parameters, "uid", true, 0, UID_MAX_OF_JSON, &uid) < 0) {
		control_invalid(c, "uid");
		return;
	}
	if (!control_may_steer(c, (uid_t)uid)) {
		control_denied(c, "only root and the members of admin.group may");
		return;
	}
	was = on ? frozen_add(&sv->frozen, (uid_t)uid, rdy__now_ns())
		 : frozen_remove(&sv->frozen, (uid_t)uid);
	if (was < 0) {
		control_busy(c, was == -ENOMEM ? "memory" : "limit");
		return;
	}
	monitor_say(sv, &(struct monitor_event){on ? "frozen" : "thawed", (uid_t)uid, 0, 0, NULL});
	/* frozen_add(): 0, it was; frozen_remove(): 1, it was. */
	was = on ? !was : was;
	log_line(LOG_P_NOTICE, "%s uid=%u by=%u", on ? "freeze" : "thaw", (unsigned int)uid,
		(unsigned int)c->uid);
	agent = agents_find(&sv->agents, (uid_t)uid);
	control_reply(c,
		json_pack("{s:b, s:I}", "was", was, "sessions",
			(json_int_t)(agent ? agent->n_sessions : 0)),
		false);
	if (!agent)
		return;
	agent->frozen = on;
	agent->config_owed = true;
	channel_io_flush(sv, agent);
}

static void set_level(struct supervisor *sv, struct control *c)
{
	const char *word, *was = control_words_level(sv->log_level);
	int priority;

	if (control_get_string(c->call.parameters, "level", true, &word) < 0 ||
		(priority = control_words_priority(word)) < 0) {
		control_invalid(c, "level");
		return;
	}
	log_line(LOG_P_NOTICE, "log-level=%s was=%s by=%u", control_words_level(priority), was,
		(unsigned int)c->uid);
	monitor_say(sv, &(struct monitor_event){"log_level", POLICY_EVERYBODY, 0, 0,
				control_words_level(priority)});
	sv->log_level = priority;
	log_set_level(priority);
	control_reply(c, json_pack("{s:s}", "was", was), false);
	rdy__list_for_each (l, &sv->agents.all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		agent->config_owed = true;
		channel_io_flush(sv, agent);
	}
}

static bool is_for_admins(enum control_method m)
{
	return m == CONTROL_SET_LOG_LEVEL || m == CONTROL_RELOAD ||
	       m == CONTROL_CHECK_CONFIGURATION || m == CONTROL_GET_CONFIGURATION;
}

void control_begin(struct supervisor *sv, struct control *c)
{
	const char *unknown = control_call_unknown(&c->call);

	if (c->call.method == CONTROL_METHODS)
		control_error(
			c, CONTROL_E_METHOD_NOT_FOUND, json_pack("{s:s}", "method", c->call.name));
	else if (unknown)
		control_invalid(c, unknown);
	else if (is_for_admins(c->call.method) && !c->admin)
		control_denied(c, "only root and the members of admin.group may");
	else if (control_method_is_list(c->call.method) && !c->call.more)
		control_error(c, CONTROL_E_EXPECTED_MORE, json_object());
	else
		switch (c->call.method) {
		case CONTROL_GET_INFO:
			get_info(c);
			break;
		case CONTROL_GET_INTERFACE_DESCRIPTION:
			get_description(c);
			break;
		case CONTROL_KICK:
			kick(sv, c);
			break;
		case CONTROL_FREEZE:
		case CONTROL_THAW:
			freeze(sv, c, c->call.method == CONTROL_FREEZE);
			break;
		case CONTROL_SET_LOG_LEVEL:
			set_level(sv, c);
			break;
		case CONTROL_RELOAD:
		case CONTROL_CHECK_CONFIGURATION:
		case CONTROL_GET_CONFIGURATION:
			control_configuration(sv, c);
			break;
		case CONTROL_MONITOR:
			monitor_begin(sv, c);
			break;
		case CONTROL_CAN:
			control_can(sv, c);
			break;
		case CONTROL_EXPLAIN:
			control_explain_begin(sv, c);
			break;
		default:
			control_list_begin(sv, c);
			break;
		}
}

void control_go_on(struct supervisor *sv, struct control *c)
{
	if (c->call.method == CONTROL_EXPLAIN)
		control_explain_step(sv, c);
	else
		control_list_step(sv, c);
}
