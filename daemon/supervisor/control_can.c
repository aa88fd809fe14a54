/* SPDX-License-Identifier: MIT */
/* What the policy says of a user, for readyctl explain --can. Asks nobody: groups come with the call. */
#include <string.h>

#include "control.h"
#include "supervisor.h"

#define GROUPS_MAX 1024u

/* Returns how many, or -1. */
static int get_groups(const struct control *c, gid_t groups[GROUPS_MAX])
{
	const json_t *all = json_object_get(c->call.parameters, "groups");

	if (!json_is_array(all) || json_array_size(all) > GROUPS_MAX)
		return -1;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *group = json_array_get(all, i);
		json_int_t n = json_integer_value(group);

		if (!json_is_integer(group) || n < 0 || n >= UINT32_MAX)
			return -1;
		groups[i] = (gid_t)n;
	}
	return (int)json_array_size(all);
}

static void answer(struct supervisor *sv, struct control *c, bool allowed,
	const struct policy_rule *rule, bool master)
{
	const struct conf_loaded *l = &sv->options->loaded;
	json_t *text = json_null(), *file = json_null(), *line = json_null();
	char buf[CONF_RULE_BYTES];
	struct conf_row row;

	if (rule)
		text = json_string(conf_rule_text(&rule->rule, buf));
	else if (master)
		text = json_string("root, and the user of a private instance, may do everything");
	for (size_t i = 0; rule && rule->rule.line && conf_row(i, &row); i++) {
		if (strcmp(row.key, "policy") != 0)
			continue;
		file = json_string(l->origins[i].file);
		line = json_integer((json_int_t)rule->rule.line);
	}
	control_reply(c,
		json_pack("{s:b, s:o, s:o, s:o}", "allowed", allowed, "rule", text, "file", file,
			"line", line),
		false);
}

void control_can(struct supervisor *sv, struct control *c)
{
	const json_t *p = c->call.parameters;
	const struct policy_rule *rule = NULL;
	int64_t uid = 0, owner = POLICY_EVERYBODY;
	gid_t groups[GROUPS_MAX];
	struct policy_peer peer;
	const char *word;
	uint32_t verb;
	bool allowed;
	int n;

	if (control_get_int(p, "uid", true, 0, UINT32_MAX - 1, &uid) < 0) {
		control_invalid(c, "uid");
	} else if ((n = get_groups(c, groups)) < 0) {
		control_invalid(c, "groups");
	} else if (control_get_string(p, "verb", true, &word) < 0 ||
		   (verb = conf_verb(word, strlen(word))) == 0 || verb == CONF_VERBS) {
		control_invalid(c, "verb");
	} else if (control_get_int(p, "owner", false, 0, UINT32_MAX - 1, &owner) < 0) {
		control_invalid(c, "owner");
	} else if (!c->admin && (uid_t)uid != c->uid) {
		control_denied(c, "it is not your own uid");
	} else {
		peer = policy_somebody(sv->policy, (uid_t)uid, groups, (size_t)n);
		allowed = policy_allows(sv->policy, &peer, verb, (uid_t)owner, &rule);
		answer(sv, c, allowed, rule, allowed && !rule);
	}
}
