/* SPDX-License-Identifier: MIT */
/* See freeze.h. What has work to do stands in the reactor's lists meanwhile, which are not gone through. */
#include "freeze.h"

#include "base/clock.h"
#include "reactor.h"
#include "session.h"

/*
 * Invariant: FREEZE-1: whoever gets something to do while frozen is put where a thawed reactor looks, and is not
 * taken out before. Why: an edge is reported once. Test: tests/unit/agent/freeze.c/edges_merge
 */
void freeze_set(struct reactor *r, bool frozen)
{
	int64_t now_ns = rdy__now_ns();

	if (r->frozen == frozen)
		return;
	r->frozen = frozen;
	if (frozen)
		return;
	rdy__list_for_each (l, &r->hello)
		rdy__list_entry(l, struct session, hello)->hello_deadline_ns =
			rdy__deadline_ns(now_ns, r->config.hello_timeout_ns);
	reactor_set_hello_timer(r);
}
