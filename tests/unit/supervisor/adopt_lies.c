/* SPDX-License-Identifier: MIT */
/* Agents that are left when a supervisor starts, and do not say the truth, or nothing at all. */
#include "adopt_rig.h"

static void lie_uid(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID + 1, 0);
	wait_for_death();
}

static void lie_session_uid(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 1);
	tell_session(sock, 1, UID + 1);
	wait_for_death();
}

static void lie_twice(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 7, UID);
	tell_session(sock, 7, UID);
	wait_for_death();
}

static void lie_too_many(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 65537);
	wait_for_death();
}

static void lie_fewer(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 7, UID);
	tell(sock, &(struct channel_message){.type = CHANNEL_SESSION_END, .u.session.session = 7});
	wait_for_death();
}

/* Another process speaks for it, which the kernel tells. */
static void lie_sender(int sock, uint64_t epoch)
{
	pid_t pid = fork();

	if (pid == 0) {
		tell_snapshot(sock, epoch, UID, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	wait_for_death();
}

static void nonsense(int sock, uint64_t epoch)
{
	(void)epoch;
	sure(send(sock, "nonsense", 8, 0) == 8);
	wait_for_death();
}

/* Invariant: ADOPT-1 */
START_TEST(lies)
{
	script *const all[] = {
		lie_uid, lie_session_uid, lie_twice, lie_too_many, lie_fewer, lie_sender, nonsense};

	/* Each beside an honest one of another user. */
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char file[16];

		snprintf(file, sizeof(file), "1000-%zu", i);
		fake(file, all[i]);
	}
	start();
	ck_assert_ptr_null(agents_find(&sv.agents, UID));
	ck_assert_uint_eq(sv.agents.n_sessions, 0);
	for (int i = 0; i < n_fakes; i++)
		ck_assert_int_eq(end_of(fakes[i]), 1000 + SIGKILL);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char file[16];

		snprintf(file, sizeof(file), "1000-%zu", i);
		ck_assert(!is_there(file));
	}
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
}
END_TEST

static void more(int sock, uint64_t epoch)
{
	struct channel_message m;

	tell_snapshot(sock, epoch, UID, 1);
	tell_session(sock, 1, UID);
	sure(hear(sock, &m) && m.type == CHANNEL_CONFIG);
	tell_session(sock, 2, UID);
	wait_for_death();
}

static void again(int sock, uint64_t epoch)
{
	struct channel_message m;

	tell_snapshot(sock, epoch, UID, 0);
	sure(hear(sock, &m) && m.type == CHANNEL_CONFIG);
	tell_snapshot(sock, epoch, UID, 0);
	wait_for_death();
}

/* Found out when it serves already. */
START_TEST(later_lies)
{
	fake("1000-0", more);
	fake("1000-1", again);
	start();
	while (agents_find(&sv.agents, UID))
		ck_assert(turn(PATIENCE_MS));
	for (int i = 0; i < n_fakes; i++)
		ck_assert_int_eq(end_of(fakes[i]), 1000 + SIGKILL);
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
}
END_TEST

static void other_epoch(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch ^ 1, UID, 0);
	wait_for_death();
}

static void silent(int sock, uint64_t epoch)
{
	(void)sock;
	(void)epoch;
	wait_for_death();
}

static void half(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, UID, 2);
	tell_session(sock, 1, UID);
	wait_for_death();
}

static void honest_other(int sock, uint64_t epoch)
{
	tell_snapshot(sock, epoch, 2000, 0);
	stay(sock);
}

/* Killed and counted, together and not one after the other; who answers is served all the same. */
START_TEST(silence)
{
	int64_t before = rdy__now_ns(), took;

	fake("1000-0", silent);
	fake("1000-1", other_epoch);
	fake("1000-2", half);
	fake("2000-0", honest_other);
	start();
	took = rdy__now_ns() - before;
	ck_assert_int_ge(took, 2 * RDY__NS_PER_S);
	ck_assert_int_lt(took, 4 * RDY__NS_PER_S);
	ck_assert_ptr_null(agents_find(&sv.agents, UID));
	adopted(2000);
	ck_assert(!is_there("1000-0"));
	ck_assert(is_there("2000-0"));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(end_of(fakes[i]), 1000 + SIGKILL);
	while (children_stuck(&sv.children, CHILD_AGENT, UID))
		ck_assert(turn(PATIENCE_MS));
	agents_kill(&sv);
	ck_assert_int_eq(end_of(fakes[3]), 1000 + SIGKILL);
}
END_TEST

UNIT_MAIN_WITH("supervisor/adopt_lies", prepare, finish, lies, later_lies, silence)
