/* SPDX-License-Identifier: MIT */
#include "failures.h"

#include <string.h>

#include "base/clock.h"

void failures_init(struct failures *f)
{
	memset(f, 0, sizeof(*f));
}

bool failures_note(struct failures *f, uid_t uid, int64_t now_ns)
{
	struct failure *at = NULL;

	for (size_t i = 0; i < FAILURES_KEPT; i++) {
		struct failure *k = &f->kept[i];

		if (k->n && k->uid == uid) {
			at = k;
			break;
		}
		if (!at || (at->n && (!k->n || k->last_ns < at->last_ns)))
			at = k;
	}
	if (!at->n || at->uid != uid)
		*at = (struct failure){.uid = uid};
	at->n++;
	at->last_ns = now_ns;
	return at->n >= FAILURES_MAX;
}

void failures_forgive(struct failures *f, uid_t uid)
{
	for (size_t i = 0; i < FAILURES_KEPT; i++)
		if (f->kept[i].n && f->kept[i].uid == uid)
			f->kept[i] = (struct failure){0};
}

bool failures_block(const struct failures *f, uid_t uid, int64_t now_ns)
{
	for (size_t i = 0; i < FAILURES_KEPT; i++) {
		const struct failure *k = &f->kept[i];

		if (k->n >= FAILURES_MAX && k->uid == uid)
			return now_ns <
			       rdy__deadline_ns(k->last_ns, FAILURES_PAUSE_S * RDY__NS_PER_S);
	}
	return false;
}
