/* SPDX-License-Identifier: MIT */
/*
 * The events that have an id: packaging/systemd/readyd.catalog explains each, readyd(8) lists them, and
 * tests/lint/catalog.py holds the three together. An id stays what it is for ever.
 */
#include <string.h>

#include "base/cleanup.h"
#include "journal.h"

static const struct journal_event events[] = {
	{"ready", NULL, "ready", "a70aa460f29249739569ee7a16c2301a"},
	{"stopping", NULL, "stopping", "b91b0cd1e2254a4592ef04e481b9afe0"},
	{"stopped=yes", "stuck=", "stopped_stuck", "a6e178047c854bc1b070d2f6a0dcc09d"},
	{"failed=", NULL, "failed", "c5e9adc457d14ff6921d2a1bffc1b094"},
	{"agent=died", NULL, "agent_lost", "0ec97dcab026404b9a0cb5b9e4934af7"},
	{"agent=wedged", NULL, "agent_wedged", "1f48c368d6394ca5a098577f10ad08a4"},
	{"agent=failed", NULL, "agent_failed", "74b26ed7dc11452cbece337481af4e53"},
	{"agent=failing", NULL, "agent_failing", "d72549c4f670480887d6334b2a07348b"},
	{"agent=confused", NULL, "agent_confused", "4469565fff2f4e5e83b3c00dd082da79"},
	{"child=", "stuck=yes", "process_stuck", "7d02462ccc2d46a2aea33c6ef8f19254"},
	{"closer=stuck", NULL, "closer_stuck", "1a33047912084314a98a763db61225d8"},
	{"closer=none", NULL, "closer_none", "28b8404e239f4ca9b0b88ccd074eac62"},
	{"bouncer=stuck", NULL, "bouncer_stuck", "a4e0b1b33ea5458a94378f3602298184"},
	{"refused=", NULL, "refused", "13a5fef6f0ab467a9571c7fe68edff6e"},
	{"control=refused", NULL, "control_refused", "ec4babf250ba4c159e698a63d9b6621c"},
	{"accept=paused", NULL, "accept_paused", "e036e64f738248eab0ec2dc0fb81312d"},
	{"kick", NULL, "kicked", "f5f6f87ff4ea479ca147ebf68fc13b1a"},
	{"freeze", NULL, "frozen", "8a2ab1b367854582828f00fd0abc96e3"},
	{"thaw", NULL, "thawed", "f92ae597c6f04937917823af0f290e9c"},
	{"reload=done", NULL, "reloaded", "91e98b96badc42d789b3cf0287472c95"},
	{"reload=refused", NULL, "reload_refused", "5dde290c63ca48c09e2a5fba4f3b1977"},
	{"upgrade=done", NULL, "upgraded", "d8365ea952184709a4f445f4eb2fe5a6"},
	{"upgrade=failed", NULL, "upgrade_failed", "2368d63515b44b22917e344694a42cb6"},
	{"adopt=died", NULL, "adopt_lost", "5f53c62385be4f78a337d3efd0792613"},
	{"adopt=failed", NULL, "adopt_failed", "b5f8df0d0c2049269d789f8df930d23f"},
	{"adopt=lie", NULL, "adopt_lie", "08c709eb6e334b54b0e1ba2b237302fd"},
	{"store=failed", NULL, "store_failed", "fc67d87d1fd643ee8d41a7951ad20644"},
};

const struct journal_event *journal_event(const char *line)
{
	size_t n = strcspn(line, " ");

	/* How many were lost before stands in front. */
	if (strncmp(line, "lost=", 5) == 0 && line[n])
		return journal_event(line + n + 1);
	for (size_t i = 0; i < RDY__ARRAY_SIZE(events); i++) {
		const char *first = events[i].first;
		size_t n_first = strlen(first);
		bool fits = first[n_first - 1] == '=' ? n >= n_first : n == n_first;

		if (fits && memcmp(line, first, n_first) == 0 &&
			(!events[i].also || strstr(line, events[i].also)))
			return &events[i];
	}
	return NULL;
}
