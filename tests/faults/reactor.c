/* SPDX-License-Identifier: MIT */
/* The reactor's calls, on each selector with each waker. A witness that was registered before works after. */
#include <pthread.h>
#include <stdatomic.h>

#include "world.h"

/* Polls */

static int new_poll(struct world *w, const char *selector)
{
	struct rdy_poll_options o = {
		.size = sizeof(o), .selector = selector, .flags = w->b.v->flags};
	struct rdy_poll *ret = UNTOUCHED;
	int r = rdy_poll_new(&o, &ret);

	put_out(ret, r, &w->poll);
	return r;
}

static int call_poll_new(void *world)
{
	struct world *w = world;

	return new_poll(w, w->b.v->selector);
}

static int call_poll_new_best(void *world)
{
	return new_poll(world, NULL);
}

/* Not even a parent's registrations are touched by a child, whatever the guard is made of. */
static void a_child_is_refused(struct rdy_poll *poll, int fd)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		unit_exit(rdy_poll_deregister(poll, fd) == -ECHILD ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void poll_works(void *world)
{
	struct world *w = world;
	struct bench b = {.poll = w->poll, .events = w->b.events};
	struct rdy_waker *waker;
	int fd = an_eventfd(1);

	ck_assert_int_eq(rdy_poll_register(b.poll, fd, TOKEN, RDY_READABLE, RDY_ONESHOT), 0);
	expect(&b, TOKEN, RDY_READABLE);
	ck_assert_int_eq(rdy_waker_new(b.poll, 1, &waker), 0);
	ck_assert_int_eq(rdy_waker_wake(waker), 0);
	expect(&b, 1, RDY_WAKE | RDY_READABLE);
	rdy_waker_free(waker);
	a_child_is_refused(b.poll, fd);
	ck_assert_int_eq(rdy_poll_deregister(b.poll, fd), 0);
	shut(&fd);
}

static int call_events_new(void *world)
{
	struct rdy_events *ret = UNTOUCHED;
	int r = rdy_events_new(3, &ret);

	put_out(ret, r, &((struct world *)world)->events);
	return r;
}

static void events_work(void *world)
{
	struct world *w = world;
	struct rdy_event e;

	ck_assert_int_eq(rdy_poll_wait(w->b.poll, w->events, 0), 1);
	ck_assert_int_eq(rdy_events_next(w->events, &e), 1);
	ck_assert_uint_eq(e.token, WITNESS);
}

/* Timers and wakers */

static void sixteen_timers(void *world)
{
	struct world *w = world;

	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(rdy_timer_new(w->b.poll, 1, &w->timers[i]), 0);
}

static int call_timer_new(void *world)
{
	struct world *w = world;
	struct rdy_timer *ret = UNTOUCHED;
	int r = rdy_timer_new(w->b.poll, TOKEN, &ret);

	put_out(ret, r, &w->timers[16]);
	return r;
}

static void timer_works(void *world)
{
	struct world *w = world;

	ck_assert_int_eq(rdy_timer_set(w->timers[16], 0), 0);
	ck_assert_uint_eq(seen(w, TOKEN), RDY_TIMER);
}

static int call_waker_new(void *world)
{
	struct world *w = world;
	struct rdy_waker *ret = UNTOUCHED;
	int r = rdy_waker_new(w->b.poll, TOKEN, &ret);

	put_out(ret, r, &w->waker);
	return r;
}

static void waker_works(void *world)
{
	struct world *w = world;

	ck_assert_int_eq(rdy_waker_wake(w->waker), 0);
	ck_assert_uint_eq(seen(w, TOKEN), RDY_WAKE | RDY_READABLE);
}

/* Registrations */

static void a_descriptor(void *world)
{
	((struct world *)world)->fd = an_eventfd(1);
}

/* Its registration makes everything grow. */
static void a_distant_descriptor(void *world)
{
	struct world *w = world;
	int fd = an_eventfd(1);

	w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	ck_assert_int_ge(w->fd, 900);
	shut(&fd);
	for (int i = 0; i < OTHERS - 1; i++) {
		w->others[i] = an_eventfd(0);
		ck_assert_int_eq(
			rdy_poll_register(w->b.poll, w->others[i], 1, RDY_READABLE, RDY_LEVEL), 0);
	}
}

static void registered_as(struct world *w, uint32_t mode)
{
	a_descriptor(w);
	ck_assert_int_eq(rdy_poll_register(w->b.poll, w->fd, TOKEN, RDY_READABLE, mode), 0);
}

static void registered(void *world)
{
	registered_as(world, RDY_LEVEL);
}

/* Closed behind the poll's back, and a new file has the number. */
static void closed_and_opened(void *world)
{
	struct world *w = world;
	int number;

	registered(w);
	number = w->fd;
	shut(&w->fd);
	ck_assert_uint_eq(seen(w, TOKEN), 0);
	w->fd = an_eventfd(1);
	ck_assert_int_eq(w->fd, number);
}

static int call_register(void *world)
{
	struct world *w = world;

	return rdy_poll_register(w->b.poll, w->fd, TOKEN, RDY_READABLE, RDY_LEVEL);
}

static bool is_not_registered(void *world, int r)
{
	struct world *w = world;

	ck_assert_uint_eq(seen(w, TOKEN), 0);
	ck_assert_int_eq(
		rdy_poll_modify(w->b.poll, w->fd, TOKEN, RDY_READABLE, RDY_LEVEL), -ENOENT);
	ck_assert_int_eq(rdy_poll_rearm(w->b.poll, w->fd), -ENOENT);
	ck_assert_int_eq(rdy_poll_deregister(w->b.poll, w->fd), -ENOENT);
	return true;
}

static void is_reported(void *world)
{
	struct world *w = world;

	ck_assert_uint_eq(seen(w, TOKEN), RDY_READABLE);
	ck_assert_int_eq(
		rdy_poll_register(w->b.poll, w->fd, TOKEN, RDY_READABLE, RDY_LEVEL), -EEXIST);
	ck_assert_int_eq(rdy_poll_deregister(w->b.poll, w->fd), 0);
	ck_assert_uint_eq(seen(w, TOKEN), 0);
}

/* The selector said that it does not watch it: forgotten, and as good as new. */
static void is_forgotten(struct world *w)
{
	is_not_registered(w, 0);
	ck_assert_int_eq(call_register(w), 0);
	is_reported(w);
}

static int call_modify(void *world)
{
	struct world *w = world;

	return rdy_poll_modify(w->b.poll, w->fd, TOKEN + 1, RDY_READABLE | RDY_WRITABLE, RDY_LEVEL);
}

static bool is_not_modified(void *world, int r)
{
	struct world *w = world;

	if (r != -ENOENT) {
		ck_assert_uint_eq(seen(w, TOKEN), RDY_READABLE);
		return true;
	}
	is_forgotten(w);
	return false;
}

static void is_modified(void *world)
{
	ck_assert_uint_eq(seen(world, TOKEN + 1), RDY_READABLE | RDY_WRITABLE);
}

static void delivered_once(void *world)
{
	struct world *w = world;

	registered_as(w, RDY_ONESHOT);
	ck_assert_uint_eq(seen(w, TOKEN), RDY_READABLE);
}

static int call_rearm(void *world)
{
	struct world *w = world;

	return rdy_poll_rearm(w->b.poll, w->fd);
}

static bool is_not_rearmed(void *world, int r)
{
	struct world *w = world;

	ck_assert_uint_eq(seen(w, TOKEN), 0);
	if (r != -ENOENT)
		return true;
	is_forgotten(w);
	return false;
}

static void is_rearmed(void *world)
{
	ck_assert_uint_eq(seen(world, TOKEN), RDY_READABLE);
	ck_assert_uint_eq(seen(world, TOKEN), 0);
}

static int call_deregister(void *world)
{
	struct world *w = world;

	return rdy_poll_deregister(w->b.poll, w->fd);
}

static bool is_deregistered(void *world, int r)
{
	ck_assert_int_eq(r, -ENOENT);
	is_forgotten(world);
	return false;
}

static void is_silent(void *world)
{
	is_not_registered(world, 0);
}

/* A source of two descriptors: its first half is taken back when the second fails. */

static int add_both(struct rdy_source *source, struct rdy_registry *registry, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	struct world *w = (struct world *)((char *)source - offsetof(struct world, source));
	int r = rdy_registry_register(registry, w->fd, token, interest, mode);

	if (r < 0)
		return r;
	r = rdy_registry_register(registry, w->others[0], token, interest, mode);
	if (r < 0)
		(void)rdy_registry_deregister(registry, w->fd);
	return r;
}

static int remove_both(struct rdy_source *source, struct rdy_registry *registry)
{
	struct world *w = (struct world *)((char *)source - offsetof(struct world, source));
	int r = rdy_registry_deregister(registry, w->fd);
	int other = rdy_registry_deregister(registry, w->others[0]);

	return r < 0 ? r : other;
}

static void a_source(void *world)
{
	static const struct rdy_source_ops ops = {.add = add_both, .remove = remove_both};
	struct world *w = world;

	a_descriptor(w);
	w->others[0] = an_eventfd(0);
	rdy_source_init(&w->source, &ops);
}

static int call_source_register(void *world)
{
	struct world *w = world;
	int r = rdy_source_register(
		&w->source, rdy_poll_registry(w->b.poll), TOKEN, RDY_READABLE, RDY_LEVEL);

	inject_stop();
	ck_assert_int_eq(rdy_source_is_registered(&w->source), r == 0);
	return r;
}

static bool source_is_not_registered(void *world, int r)
{
	struct world *w = world;

	ck_assert_int_eq(rdy_source_deregister(&w->source), -ENOENT);
	return is_not_registered(w, r);
}

static void source_works(void *world)
{
	struct world *w = world;

	ck_assert_uint_eq(seen(w, TOKEN), RDY_READABLE);
	ck_assert_int_eq(rdy_source_deregister(&w->source), 0);
	is_not_registered(w, 0);
}

/* Waits */

static int call_wait(void *world)
{
	struct world *w = world;

	return rdy_poll_wait(w->b.poll, w->b.events, LONG_NS);
}

static void has_the_witness(void *world)
{
	struct world *w = world;
	struct rdy_event e;

	ck_assert_int_eq(rdy_events_next(w->b.events, &e), 1);
	ck_assert_uint_eq(e.token, WITNESS);
	ck_assert_int_eq(rdy_events_next(w->b.events, &e), 0);
}

static void nothing_is_ready(void *world)
{
	struct world *w = world;

	ck_assert_int_eq(
		rdy_poll_modify(w->b.poll, w->witness, WITNESS, RDY_PRIORITY, RDY_LEVEL), 0);
}

static int call_wait_in_vain(void *world)
{
	struct world *w = world;
	int64_t start = rdy_now_ns();
	int r = rdy_poll_wait(w->b.poll, w->b.events, 2 * MS + 1);

	inject_stop();
	if (r == 0)
		ck_assert_int_gt(rdy_now_ns() - start, 2 * MS);
	return r;
}

static void brought_nothing(void *world)
{
	struct world *w = world;
	struct rdy_event e;

	ck_assert_int_eq(rdy_events_next(w->b.events, &e), 0);
	ck_assert_int_eq(
		rdy_poll_modify(w->b.poll, w->witness, WITNESS, RDY_READABLE, RDY_LEVEL), 0);
	expect(&w->b, WITNESS, RDY_READABLE);
}

static void a_timer_is_near(void *world)
{
	struct world *w = world;

	nothing_is_ready(w);
	ck_assert_int_eq(rdy_timer_new(w->b.poll, TOKEN, &w->timers[0]), 0);
	ck_assert_int_eq(rdy_timer_set(w->timers[0], rdy_now_ns() + MS), 0);
}

static void has_the_timer(void *world)
{
	struct world *w = world;
	struct rdy_event e;

	ck_assert_int_eq(rdy_events_next(w->b.events, &e), 1);
	ck_assert_uint_eq(e.token, TOKEN);
	ck_assert_uint_eq(e.ready, RDY_TIMER);
	brought_nothing(w);
}

#define OF_POLL FAULT_ERRORS(EMFILE, ENFILE, ENOMEM, EPERM, ENOSPC, ENOTSUP)
#define OF_REGISTER FAULT_ERRORS(EBADF, EPERM, ENOMEM, ENOSPC, ELOOP)

/* Its own descriptors are open, and watch nothing. */
#define NOT_OF_POLL FAULT_ERRORS(EBADF, ELOOP)

static const struct fault_row rows[] = {
	{"poll_new", KINDS, OF_POLL, NOT_OF_POLL, false, NULL, call_poll_new, nothing_is_seen,
		poll_works},
	{"poll_new, any", KINDS, OF_POLL, NOT_OF_POLL, false, NULL, call_poll_new_best,
		nothing_is_seen, poll_works},
	{"events_new", KINDS, FAULT_ERRORS(ENOMEM), NULL, false, NULL, call_events_new, NULL,
		events_work},
	{"timer_new", KINDS, FAULT_ERRORS(ENOMEM), NULL, false, NULL, call_timer_new,
		nothing_is_seen, timer_works},
	{"timer_new, the 17th", KINDS, FAULT_ERRORS(ENOMEM), NULL, false, sixteen_timers,
		call_timer_new, nothing_is_seen, timer_works},
	{"waker_new", KINDS, FAULT_ERRORS(EMFILE, ENFILE, ENOMEM), NULL, false, NULL,
		call_waker_new, nothing_is_seen, waker_works},
	{"register", KINDS, OF_REGISTER, NULL, true, a_descriptor, call_register, is_not_registered,
		is_reported},
	{"register, all full", KINDS, OF_REGISTER, NULL, true, a_distant_descriptor, call_register,
		is_not_registered, is_reported},
	{"register, number used again", KINDS, OF_REGISTER, NULL, true, closed_and_opened,
		call_register, nothing_is_seen, is_reported},
	{"modify", KINDS, FAULT_ERRORS(ENOENT, ENOMEM), NULL, false, registered, call_modify,
		is_not_modified, is_modified},
	{"rearm", KINDS, FAULT_ERRORS(ENOENT, ENOMEM), NULL, false, delivered_once, call_rearm,
		is_not_rearmed, is_rearmed},
	{"deregister", KINDS, FAULT_ERRORS(ENOENT), NULL, false, registered, call_deregister,
		is_deregistered, is_silent},
	{"source_register", KINDS, OF_REGISTER, NULL, true, a_source, call_source_register,
		source_is_not_registered, source_works},
	{"wait", KINDS, FAULT_ERRORS(ENOMEM), NULL, false, NULL, call_wait, NULL, has_the_witness},
	{"wait in vain", KINDS, FAULT_ERRORS(ENOMEM), NULL, false, nothing_is_ready,
		call_wait_in_vain, NULL, brought_nothing},
	{"wait for a timer", KINDS, FAULT_ERRORS(ENOMEM), NULL, false, a_timer_is_near, call_wait,
		NULL, has_the_timer},
};

static void all_rows(const char *selector)
{
	size_t tried = 0;

	for (size_t v = 0; v < sizeof(variants) / sizeof(variants[0]); v++) {
		struct world w = {.b.v = &variants[v]};
		struct fault_place place = {open_world, close_world, &w};

		if (strcmp(variants[v].selector, selector) != 0)
			continue;
		fprintf(stderr, "# %s, flags %#x\n", selector, variants[v].flags);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			tried += fault_run(&rows[i], &place);
	}
	fprintf(stderr, "# %zu faults\n", tried);
	/* So that nobody loses the linker's arguments. */
	ck_assert_uint_ge(tried, 150);
}

START_TEST(on_epoll)
{
	all_rows("epoll");
}
END_TEST

START_TEST(on_poll)
{
	all_rows("poll");
}
END_TEST

/* A wait in progress: the array that grows is the kernel's at the moment. */

struct waiter {
	struct world *w;
	atomic_uint seen; /* how often TOKEN came */
	atomic_bool stop;
};

static void *wait_until_stopped(void *arg)
{
	struct waiter *t = arg;
	struct rdy_event e;

	while (!atomic_load(&t->stop)) {
		int r = rdy_poll_wait(t->w->b.poll, t->w->b.events, -1);

		/* Whoever looks whether this thread waits may be in the way. */
		if (r == -EBUSY)
			continue;
		if (r < 0)
			return t;
		while (rdy_events_next(t->w->b.events, &e))
			atomic_fetch_add(&t->seen, e.token == TOKEN);
	}
	return NULL;
}

static void full_while_waiting(struct world *w, size_t n)
{
	struct waiter t = {.w = w};
	struct rdy_event e;
	struct rdy_events *mine;
	pthread_t thread;
	void *failed;
	int r;

	open_world(w);
	a_distant_descriptor(w);
	nothing_is_ready(w);
	ck_assert_int_eq(rdy_waker_new(w->b.poll, 1, &w->waker), 0);
	ck_assert_int_eq(rdy_events_new(1, &mine), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_until_stopped, &t), 0);
	while (rdy_poll_wait(w->b.poll, mine, 0) != -EBUSY)
		ck_assert_int_eq(rdy_events_next(mine, &e), 0);
	inject_fail(KINDS, n, ENOMEM, false);
	r = call_register(w);
	inject_stop();
	ck_assert(r == 0 || r == -ENOMEM);
	if (r < 0)
		ck_assert_int_eq(call_register(w), 0);
	/* It reaches the thread, whatever failed before. */
	while (!atomic_load(&t.seen))
		;
	ck_assert_int_eq(rdy_poll_deregister(w->b.poll, w->fd), 0);
	atomic_store(&t.stop, true);
	ck_assert_int_eq(rdy_waker_wake(w->waker), 0);
	ck_assert_int_eq(pthread_join(thread, &failed), 0);
	ck_assert_ptr_null(failed);
	rdy_events_free(mine);
	close_world(w);
}

START_TEST(while_another_waits)
{
	for (size_t v = 0; v < sizeof(variants) / sizeof(variants[0]); v++) {
		struct world w = {.b.v = &variants[v]};
		long held = inject_held();

		for (size_t n = 0; n < 10 && !(variants[v].flags & RDY_POLL_SINGLE_THREAD); n++)
			full_while_waiting(&w, n);
		ck_assert_int_eq(inject_held(), held);
	}
}
END_TEST

UNIT_MAIN("faults/reactor", on_epoll, on_poll, while_another_waits)
