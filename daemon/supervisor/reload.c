/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <errno.h>
#include <stdio.h>

#include "agents.h"
#include "base/clock.h"
#include "channel_io.h"
#include "nofile.h"
#include "log.h"
#include "monitor.h"
#include "supervisor.h"

int reload_log_level(const struct conf *c)
{
	static const int priorities[] = {
		[CONF_LOG_ERROR] = LOG_P_ERROR,
		[CONF_LOG_WARNING] = LOG_P_WARNING,
		[CONF_LOG_NOTICE] = LOG_P_NOTICE,
		[CONF_LOG_INFO] = LOG_P_INFO,
		[CONF_LOG_DEBUG] = LOG_P_DEBUG,
	};

	return priorities[c->log_level];
}

void reload_init(struct reload *l)
{
	*l = (struct reload){.generation = 1, .loaded_at_ns = rdy__now_ns()};
}

/* What would be in force: keys that need a restart stay as they are. */
static struct conf in_force(const struct supervisor *sv, const struct conf *loaded)
{
	struct conf c = sv->options->conf;
	struct conf_row row;

	for (size_t i = 0; conf_row(i, &row); i++)
		if (row.live)
			conf_copy(&c, loaded, i);
	return c;
}

int reload_check(const struct supervisor *sv, struct conf_loaded *ret, struct conf_error *ret_error)
{
	int r = options_load(sv->options, ret, ret_error);
	struct conf next;

	if (r < 0)
		return r;
	next = in_force(sv, &ret->conf);
	/* Now, and after the restart that some of it may wait for. */
	r = nofile_check(&next, ret_error);
	return r < 0 ? r : nofile_check(&ret->conf, ret_error);
}

static void tell_agents(struct supervisor *sv)
{
	rdy__list_for_each (l, &sv->agents.all) {
		struct agent *agent = rdy__list_entry(l, struct agent, link);

		agent->config_owed = true;
		channel_io_flush(sv, agent);
	}
}

static void apply(struct supervisor *sv, const struct conf *before)
{
	const struct conf *c = &sv->options->conf;

	/* What readyctl log-level has set stays, unless the file says something new. */
	if (c->log_level != before->log_level) {
		sv->log_level = reload_log_level(c);
		log_set_level(sv->log_level);
	}
	log_set_rate((uint32_t)c->log_rate);
	quotas_init(&sv->quotas, c);
	tell_agents(sv);
}

int reload_run(struct supervisor *sv, struct conf *ret_before, struct conf_error *ret_error)
{
	struct conf_loaded loaded;
	struct policy *policy;
	char generation[24];
	int r;

	notify_reloading(sv);
	r = reload_check(sv, &loaded, ret_error);
	if (r < 0) {
		conf_loaded_deinit(&loaded);
		sv->reload.refused = *ret_error;
		sv->reload.refused_at_ns = rdy__now_ns();
		sv->counters.reloads_refused++;
		log_line(LOG_P_ERROR, "reload=refused generation=%llu error=\"%s%s%s\"",
			(unsigned long long)sv->reload.generation, ret_error->where,
			ret_error->where[0] ? ": " : "", ret_error->what);
		monitor_say(sv, &(struct monitor_event){
					"reload_refused", POLICY_EVERYBODY, 0, 0, ret_error->what});
		notify_reloaded(sv, "the last reload was refused: readyctl config check");
		return r;
	}
	if (policy_new(&loaded.conf, sv->options->user, &policy) < 0) {
		conf_loaded_deinit(&loaded);
		snprintf(ret_error->what, sizeof(ret_error->what), "there is no memory");
		snprintf(ret_error->why, sizeof(ret_error->why), "a policy takes some");
		snprintf(ret_error->fix, sizeof(ret_error->fix), "again later");
		ret_error->where[0] = 0;
		notify_reloaded(sv, "the last reload failed: there was no memory");
		return -ENOMEM;
	}
	*ret_before = sv->options->conf;
	/* Who is there keeps what he was judged by. */
	policy_unref(sv->policy);
	sv->policy = policy;
	conf_loaded_deinit(&sv->options->loaded);
	sv->options->loaded = loaded;
	/* Invariant: CONF-1: values in use change all at once. Why: nobody may see a half. Test:
	 * tests/integration/reload.c/refused */
	sv->options->conf = in_force(sv, &loaded.conf);
	sv->reload.generation++;
	sv->counters.reloads++;
	sv->reload.loaded_at_ns = rdy__now_ns();
	sv->reload.refused_at_ns = 0;
	apply(sv, ret_before);
	log_line(LOG_P_NOTICE, "reload=done generation=%llu files=%zu",
		(unsigned long long)sv->reload.generation, loaded.n_files);
	snprintf(generation, sizeof(generation), "%llu", (unsigned long long)sv->reload.generation);
	monitor_say(sv, &(struct monitor_event){"reloaded", POLICY_EVERYBODY, 0, 0, generation});
	notify_reloaded(sv, "");
	return 0;
}
