/* SPDX-License-Identifier: MIT */
/* Whose sockets the shared bouncer gets, and whose it gets no more. The processes are ones that only wait. */
#include <sys/pidfd.h>

#include "control_rig.h"
#include "holders.h"

#define BAD 70001
#define GOOD 70002

static struct child *fake_bouncer(struct rig *r)
{
	struct child *child = calloc(1, sizeof(*child));

	ck_assert_ptr_nonnull(child);
	child->kind = CHILD_BOUNCER;
	child->pid = fork();
	ck_assert_int_ge(child->pid, 0);
	if (child->pid == 0) {
		pause();
		_exit(1);
	}
	child->pidfd = pidfd_open(child->pid, 0);
	ck_assert_int_ge(child->pidfd, 0);
	rdy__list_append(&r->sv.children.all, &child->link);
	return child;
}

/* A client's socket; its other end is among r->peers. */
static int connected(struct rig *r)
{
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	r->peers[r->n_peers++] = pair[1];
	return pair[0];
}

static void queue_with(struct rig *r, int peer)
{
	ck_assert_int_eq(rdy__send_fds(r->peers[peer], "x", 1, &r->peers[peer], 1), 0);
}

static size_t shared(const struct rig *r)
{
	return r->sv.bouncer.link.n_queued;
}

/* The next answer of that peer, or its end. */
static ssize_t heard(const struct rig *r, int peer)
{
	struct pollfd p = {.fd = r->peers[peer], .events = POLLIN};
	char buf[LINK_ANSWER_MAX];

	return poll(&p, 1, 0) == 1 ? recv(r->peers[peer], buf, sizeof(buf), MSG_DONTWAIT) : -1;
}

START_TEST(what_has_descriptors_in_it)
{
	struct rig r;
	int plain, with;

	rig_init(&r, NULL);
	holders_init(&r.sv.holders);
	plain = connected(&r);
	with = connected(&r);
	queue_with(&r, 1);
	bouncer_refuse(&r.sv, GOOD, plain, WIRE_E_LIMIT_UIDS, 1);
	ck_assert_uint_eq(shared(&r), 1);
	bouncer_refuse(&r.sv, GOOD, with, WIRE_E_LIMIT_UIDS, 1);
	ck_assert_uint_eq(shared(&r), 1);
	ck_assert_uint_eq(r.sv.holders.n_waiting, 1);
	/* It is told all the same, and at once. */
	ck_assert_int_gt(heard(&r, 1), 0);
	ck_assert_int_eq(heard(&r, 1), 0);
	rig_bounce(&r);
	ck_assert_int_gt(heard(&r, 0), 0);
	rdy__fd_close(with);
	holders_deinit(&r.sv.holders);
	ck_assert_uint_eq(r.sv.holders.n_waiting, 0);
	rig_deinit(&r);
}
END_TEST

START_TEST(all_of_a_uid_that_one_is_stuck_with)
{
	struct child *child;
	struct rig r;
	int socks[6];

	rig_init(&r, NULL);
	holders_init(&r.sv.holders);
	child = fake_bouncer(&r);
	r.sv.bouncer.child = child;
	for (int i = 0; i < 6; i++)
		socks[i] = connected(&r);
	bouncer_close(&r.sv, BAD, socks[0]);
	bouncer_refuse(&r.sv, BAD, socks[1], WIRE_E_LIMIT_UIDS, 1);
	bouncer_refuse(&r.sv, GOOD, socks[2], WIRE_E_LIMIT_UIDS, 1);
	bouncer_let_go(&r.sv, BAD, socks[3]);
	/* The first is under way for too long. */
	ck_assert_int_eq(link_sender_flush(&r.sv.bouncer.link, 1), 0);
	ck_assert_uint_eq(shared(&r), 3);
	bouncer_tick(&r.sv, 1 + RDY__NS_PER_S);
	ck_assert_uint_eq(shared(&r), 3);
	bouncer_tick(&r.sv, 1 + 3 * RDY__NS_PER_S);
	ck_assert(child->killed);
	ck_assert_uint_eq(child->uid, BAD);
	ck_assert_ptr_null(r.sv.bouncer.child);
	ck_assert_uint_eq(shared(&r), 1);
	ck_assert_uint_eq(r.sv.holders.n_waiting, 2);
	/* And what comes then, but nobody else's. */
	bouncer_let_go(&r.sv, BAD, socks[4]);
	ck_assert_uint_eq(r.sv.holders.n_waiting, 3);
	bouncer_close(&r.sv, GOOD, socks[5]);
	ck_assert_uint_eq(shared(&r), 2);
	ck_assert_uint_eq(r.sv.holders.n, 1);

	rdy__fd_close(socks[1]);
	rdy__fd_close(socks[3]);
	rdy__fd_close(socks[4]);
	ck_assert_int_eq(link_sender_give_back(&r.sv.bouncer.link, GOOD), socks[2]);
	ck_assert_int_eq(link_sender_give_back(&r.sv.bouncer.link, GOOD), socks[5]);
	rdy__fd_close(socks[2]);
	rdy__fd_close(socks[5]);
	ck_assert_int_eq(waitpid(child->pid, NULL, 0), child->pid);
	holders_deinit(&r.sv.holders);
	ck_assert_uint_eq(r.sv.holders.n_waiting, 0);
	rig_deinit(&r);
}
END_TEST

UNIT_MAIN("supervisor/bouncer", what_has_descriptors_in_it, all_of_a_uid_that_one_is_stuck_with)
