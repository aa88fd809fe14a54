/* SPDX-License-Identifier: MIT */
/*
 * The process, see agent.h. The main thread. Here are the counters, the channel's incoming messages and the
 * lifetime; the disposal link is in closer.c, the channel's outgoing side in outbox.c, the threads in
 * reactors.c.
 */
#include "agent.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "closer.h"
#include "hand_over.h"
#include "log.h"
#include "outbox.h"
#include "reactors.h"
#include "take_over.h"

#define CHANNEL_MESSAGES 16u /* read per round */
/*
 * Every reactor may be about to receive a full message, and to open one descriptor for vetting it; what the
 * channel brings (2) comes on top, the rest is slack.
 */
#define ROOM_REACTOR (RDY__FDS_MAX + 1u)
#define ROOM_PROCESS 8u
#define RESERVE_MORE 56u

static int raise_limit(uint32_t *ret)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	if (l.rlim_cur < l.rlim_max) {
		struct rlimit hard = {.rlim_cur = l.rlim_max, .rlim_max = l.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &hard) == 0)
			l = hard;
	}
	*ret = l.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)l.rlim_cur;
	return 0;
}

static void set_reserve(struct agent *a, uint32_t reserve)
{
	atomic_store_explicit(&a->reserve, reserve, memory_order_relaxed);
}

/* What is open now, before any client's descriptor, is in use for good. */
static int count_descriptors(uint32_t *ret)
{
	DIR *d = opendir("/proc/self/fd");
	uint32_t n = 0;

	if (!d)
		return -errno;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	*ret = n - 1; /* less the directory's */
	return 0;
}

/* Reactor 0, with a mailbox for the process: any other reactor opens as many descriptors. */
static int start_first(struct agent *a)
{
	uint32_t before = 0, after = 0;
	int e = count_descriptors(&before);

	if (e == 0)
		e = reactor_init(&a->reactor, a, 0, &a->config);
	if (e == 0)
		e = mailbox_init(&a->mailbox, a->reactor.poll, TOKEN(TOKEN_MAILBOX, 0, 0));
	if (e == 0)
		e = count_descriptors(&after);
	a->reactor_descriptors = after - before;
	a->n_reactors = 1;
	atomic_store_explicit(&a->n_receivers, 1, memory_order_relaxed);
	return e;
}

int agent_init(struct agent *a, const struct channel_config *config, int take_channel,
	int take_link, pid_t supervisor)
{
	uint32_t limit = 0, n_open = 0;
	int e;

	memset(a, 0, sizeof(*a));
	a->inited = true;
	rdy__list_init(&a->owed);
	pumps_init(&a->pumps);
	queries_init(&a->queries);
	a->main_thread = pthread_self();
	a->channel = take_channel;
	a->link = LINK_SENDER_NULL;
	a->vet = VET_NULL;
	a->adoption = ADOPTION_NULL;
	a->config = *config;
	link_sender_init(&a->link, take_link, config->closer_batch);
	quota_init(&a->registrations, config->registrations);
	set_reserve(a, config->fd_reserve);
	if (getrandom(&a->cookie_seed, sizeof(a->cookie_seed), 0) != sizeof(a->cookie_seed))
		a->cookie_seed = (uint64_t)rdy__now_ns(); /* guessable: costs its own uid time */
	e = raise_limit(&limit);
	quota_init(&a->descriptors, limit);
	if (e == 0)
		e = sockets_init(&a->sockets);
	if (e == 0)
		e = park_init(&a->park);
	if (e == 0)
		e = vet_init(&a->vet, supervisor);
	if (e == 0)
		e = start_first(a);
	if (e == 0)
		e = rdy_timer_new(a->reactor.poll, TOKEN(TOKEN_LINK_TIMER, 0, 0), &a->link_timer);
	if (e == 0)
		e = rdy_timer_new(a->reactor.poll, TOKEN(TOKEN_IDLE_TIMER, 0, 0), &a->idle_timer);
	if (e == 0)
		e = rdy_poll_register(a->reactor.poll, a->channel, TOKEN(TOKEN_CHANNEL, 0, 0),
			RDY_READABLE, RDY_LEVEL);
	if (e == 0)
		e = closer_watch(a);
	if (e == 0)
		e = count_descriptors(&n_open);
	quota_add(&a->descriptors, n_open);
	return e;
}

/* On its way through the mailbox. */
struct agent_mail {
	struct rdy__list link;
	struct agent_message m;
	int fds[]; /* DISPOSE */
};

static void free_mail(struct agent *a)
{
	struct rdy__list all, *node;

	if (!a->mailbox.waker)
		return;
	rdy__list_init(&all);
	mailbox_take(&a->mailbox, &all);
	while ((node = rdy__list_pop(&all)))
		free(rdy__list_entry(node, struct agent_mail, link));
	mailbox_deinit(&a->mailbox);
}

void agent_deinit(struct agent *a)
{
	if (!a->inited)
		return;
	a->inited = false;
	hand_over_cancel(a);
	a->taking = take_over_free(a);
	park_open(a);
	reactors_deinit(a);
	free_mail(a);
	queries_deinit(&a->queries);
	pumps_deinit(&a->pumps);
	park_deinit(&a->park);
	adopt_deinit(a);
	roster_deinit(&a->roster);
	a->link_timer = rdy_timer_free(a->link_timer);
	a->idle_timer = rdy_timer_free(a->idle_timer);
	reactor_deinit(&a->reactor);
	link_sender_deinit(&a->link, true);
	vet_deinit(&a->vet);
	sockets_deinit(&a->sockets);
	a->channel = rdy__fd_close(a->channel);
	outbox_deinit(&a->outbox);
}

void agent_hello(struct agent *a)
{
	outbox_say(a, CHANNEL_HELLO, 0);
	closer_idle_check(a);
}

static uint32_t room(const struct agent *a)
{
	return atomic_load_explicit(&a->n_receivers, memory_order_relaxed) * ROOM_REACTOR +
	       ROOM_PROCESS;
}

/*
 * Invariant: FD-4: there is room for one full message of each reactor before any of them receives. Why: they look
 * at the same count at the same time, and what does not fit the kernel closes, which ends the session.
 * Test: tests/hostile/accept.c/more_to_close_than_fits_in_flight
 */
bool agent_room(const struct agent *a)
{
	return quota_room(&a->descriptors, room(a));
}

bool agent_may_keep(const struct agent *a)
{
	uint32_t reserve = atomic_load_explicit(&a->reserve, memory_order_relaxed);
	uint32_t least = room(a) + RESERVE_MORE;

	return quota_room(&a->descriptors, reserve > least ? reserve : least);
}

void agent_fail(struct agent *a, const char *why)
{
	/* Once, whoever comes first. */
	if (!atomic_exchange(&a->done, true) || !atomic_load(&a->status))
		log_line(LOG_ERR, "ends=\"%s\" registrations=%u descriptors=%u", why,
			atomic_load(&a->registrations.used), atomic_load(&a->descriptors.used));
	atomic_store(&a->status, EXIT_FAILURE);
	if (!pthread_equal(pthread_self(), a->main_thread))
		mailbox_wake(&a->mailbox);
}

static void session_failed(struct agent *a, const struct agent_message *m)
{
	uint8_t answer[WIRE_HEADER_BYTES + WIRE_ERROR_BYTES];

	if (m->u.failed.take_pidfd >= 0) {
		rdy__fd_close(m->u.failed.take_pidfd);
		quota_release(&a->descriptors, 1);
	}
	closer_take(a, m->u.failed.take_sock, answer,
		wire_make_error(answer, 0, WIRE_E_OUT_OF_MEMORY, 0, true));
	reactors_taken(a, m->u.failed.session);
	a->n_sessions--;
	roster_remove(&a->roster, m->u.failed.session);
	reactors_session_end(a, m->reactor, m->u.failed.session);
	closer_idle_check(a);
}

static void take_post(struct agent *a, const struct agent_message *m)
{
	switch (m->type) {
	case AGENT_SESSION_TAKEN:
		reactors_taken(a, m->u.session);
		break;
	case AGENT_SESSION_FAILED:
		session_failed(a, m);
		break;
	case AGENT_SESSION_END:
		a->n_sessions--;
		roster_remove(&a->roster, m->u.session);
		reactors_session_end(a, m->reactor, m->u.session);
		closer_idle_check(a);
		break;
	case AGENT_DISPOSE:
		for (size_t i = 0; i < m->u.dispose.n; i++)
			closer_take(a, m->u.dispose.take_fds[i], NULL, 0);
		break;
	case AGENT_QUARANTINED:
		/* Once: what a client does must not fill the log. */
		if (a->n_quarantined++ == 0)
			log_line(LOG_NOTICE, "quarantine=first sessions=%u", a->n_sessions);
		break;
	case AGENT_MARK:
		reactors_mark(a, m->reactor, m->u.mark);
		break;
	case AGENT_PARKED:
		park_arrived(a, m->u.mark);
		break;
	case AGENT_ENDED:
		reactors_ended(a);
		break;
	case AGENT_QUERIED:
		query_gathered(a, m->u.query);
		break;
	}
}

void agent_post(struct agent *a, const struct agent_message *m)
{
	size_t n = m->type == AGENT_DISPOSE ? m->u.dispose.n : 0;
	struct agent_mail *mail;

	if (pthread_equal(pthread_self(), a->main_thread)) {
		take_post(a, m);
		return;
	}
	mail = malloc(sizeof(*mail) + n * sizeof(int));
	if (!mail) {
		agent_fail(a, "out of memory");
		return;
	}
	mail->m = *m;
	if (n) {
		memcpy(mail->fds, m->u.dispose.take_fds, n * sizeof(int));
		mail->m.u.dispose.take_fds = mail->fds;
	}
	rdy__list_init(&mail->link);
	mailbox_post(&a->mailbox, &mail->link);
}

static void read_mailbox(struct agent *a)
{
	struct rdy__list all, *node;

	rdy__list_init(&all);
	mailbox_take(&a->mailbox, &all);
	while ((node = rdy__list_pop(&all))) {
		struct agent_mail *mail = rdy__list_entry(node, struct agent_mail, link);

		take_post(a, &mail->m);
		free(mail);
	}
}

static void take_session(
	struct agent *a, const struct channel_session *info, const int *fds, size_t n_fds)
{
	const struct channel_snapshot_session s = {
		.session = info->session,
		.uid = info->uid,
		.gid = info->gid,
		.pid = info->pid,
		.since_ns = rdy__now_ns(),
	};

	a->n_sessions++;
	a->idle_said = false;
	if (roster_add(&a->roster, &s) < 0)
		agent_fail(a, "out of memory");
	rdy_timer_clear(a->idle_timer);
	reactors_give(a, reactors_choose(a), info, fds[0], n_fds > 1 ? fds[1] : -1);
}

static void take_refusal(struct agent *a, const struct channel_session *info, int take_sock)
{
	uint8_t answer[WIRE_HEADER_BYTES + WIRE_ERROR_BYTES];

	outbox_say(a, CHANNEL_TAKEN, info->session);
	closer_take(
		a, take_sock, answer, wire_make_error(answer, 0, info->error, info->detail, true));
	/* While it was on its way the supervisor did not listen to a wish to end. */
	a->idle_said = false;
	closer_idle_check(a);
}

static void take_config(struct agent *a, const struct channel_config *config)
{
	a->config = *config;
	if (config->supervisor > 0)
		vet_set_supervisor(&a->vet, config->supervisor);
	log_set_level((int)config->log_level);
	quota_set_limit(&a->registrations, config->registrations);
	set_reserve(a, config->fd_reserve);
	reactors_config(a);
	closer_idle_check(a);
}

static void take_kick(struct agent *a, uint64_t session)
{
	if (pump_kick(a, session))
		return;
	/* A session that is half somewhere else cannot be ended; it stays here, or has gone. */
	hand_over_cancel(a);
	if (!a->taking)
		reactors_kick(a, session);
}

static void take_channel_message(
	struct agent *a, const struct channel_message *m, const int *fds, size_t n_fds)
{
	switch (m->type) {
	case CHANNEL_CONFIG:
		take_config(a, &m->u.config);
		break;
	case CHANNEL_SESSION:
		take_session(a, &m->u.session, fds, n_fds);
		break;
	case CHANNEL_REFUSE:
		take_refusal(a, &m->u.session, fds[0]);
		break;
	case CHANNEL_CLOSER:
		closer_replace(a, fds[0]);
		break;
	case CHANNEL_TAKE_OVER:
		take_over_start(a, fds[0]);
		break;
	case CHANNEL_HAND_OVER:
		hand_over_start(a, fds[0]);
		break;
	case CHANNEL_END:
		reactors_end(a);
		break;
	case CHANNEL_QUERY:
		query_take(a, &m->u.query);
		break;
	case CHANNEL_KICK:
		take_kick(a, m->u.session.session);
		break;
	case CHANNEL_CONTROL:
		pump_take(a, &m->u.session, fds[0], n_fds > 1 ? fds[1] : -1);
		break;
	case CHANNEL_CONTROL_DATA:
		pump_data(a, m);
		break;
	case CHANNEL_CONTROL_CREDIT:
		pump_credit(a, &m->u.control);
		break;
	case CHANNEL_ADOPT:
		adopt_take(a, &m->u.adopt);
		break;
	default: /* one of ours, come back */
		agent_fail(a, "the channel speaks something else");
		break;
	}
}

/* From whom did not say ADOPT first: he is not our supervisor, and what he sent is closed. */
static void stranger(struct agent *a, const int *take_fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		closer_take(a, take_fds[i], NULL, 0);
	(void)adopt_channel_gone(a);
}

void agent_read_channel(struct agent *a)
{
	for (uint32_t i = 0; i < CHANNEL_MESSAGES && a->channel >= 0 && !a->ending; i++) {
		static uint8_t buf[CHANNEL_BYTES_MAX]; /* the main thread's; used before the next */
		int fds[RDY__FDS_MAX];
		struct rdy__received got;
		struct channel_message m;
		int e = rdy__recv_fds(a->channel, buf, sizeof(buf), fds, 0, &got);

		if (e == -EAGAIN)
			return;
		if (e == 0)
			quota_add(&a->descriptors, (uint32_t)got.n_fds);
		if (e < 0 || (got.n_bytes == 0 && got.n_fds == 0)) {
			/* Half taken over, or handed over: nobody needs this one. */
			if (a->taking || a->handed_over || !adopt_channel_gone(a))
				reactors_end(a);
			return;
		}
		if (got.flags & (RDY__RECV_FDS_LOST | RDY__RECV_CUT) ||
			channel_decode(buf, got.n_bytes, got.n_fds, &m) < 0) {
			if (a->adoption.orphan) {
				stranger(a, fds, got.n_fds);
				return;
			}
			agent_fail(a, "the channel speaks something else");
			return;
		}
		if (a->adoption.orphan && m.type != CHANNEL_ADOPT) {
			stranger(a, fds, got.n_fds);
			return;
		}
		take_channel_message(a, &m, fds, got.n_fds);
	}
}

void agent_event(struct agent *a, uint64_t token, uint32_t ready)
{
	switch (token >> TOKEN_KIND_SHIFT) {
	case TOKEN_CHANNEL:
		if (ready & RDY_WRITABLE)
			outbox_flush(a);
		/* A hangup too is found by reading. */
		if (ready & ~RDY_WRITABLE)
			agent_read_channel(a);
		break;
	case TOKEN_LINK:
		closer_readable(a);
		break;
	case TOKEN_MAILBOX:
		read_mailbox(a);
		break;
	case TOKEN_HANDOVER:
		hand_over_event(a, ready);
		take_over_event(a, ready);
		break;
	case TOKEN_LINK_TIMER:
		closer_timer(a);
		break;
	case TOKEN_IDLE_TIMER:
		closer_idle_timer(a);
		break;
	case TOKEN_ADOPT:
		adopt_connection(a);
		break;
	case TOKEN_GRACE_TIMER:
		adopt_timer(a);
		break;
	case TOKEN_CONTROL:
		pump_event(a, token, ready);
		break;
	default:
		a->reactor.counters.surprises++;
		break;
	}
}

void agent_round(struct agent *a, int64_t timeout_ns)
{
	reactor_round(&a->reactor, pump_has_work(a) ? 0 : timeout_ns);
	if (atomic_load_explicit(&a->done, memory_order_relaxed))
		return;
	query_work(a);
	pump_work(a);
	closer_flush(a);
	if (a->leaving && (!link_sender_pending(&a->link) || a->closer_stuck))
		atomic_store_explicit(&a->done, true, memory_order_relaxed);
	/* Whatever could give room back is on its way; if nothing is, it never will be. */
	if (reactors_stuck(a))
		agent_fail(a, "no descriptor left");
}
