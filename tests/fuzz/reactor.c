/* SPDX-License-Identifier: MIT */
/*
 * Bytes into operations on the reactor, which run in lock-step on epoll, on poll(2) and on a model that asks
 * poll(2) about each descriptor by itself. Both selectors answer alike; what comes is what the model allows, and
 * what has to come comes.
 *
 * The first byte chooses flags, the second the size of a batch; then two bytes each: operation and number,
 * argument. The model is in reactor_model.h, the files are in reactor_things.h.
 */
#include "reactor_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Calls: the answers of both selectors are what the model says. */

/* EXCLUSIVE takes two bits, so that it is not in every second registration. */
static bool is_exclusive(uint8_t arg)
{
	return arg >> 6 == 3;
}

static uint32_t mode_of(uint8_t arg)
{
	return (arg >> 4 & 3) | (is_exclusive(arg) ? RDY_EXCLUSIVE : 0);
}

static bool is_valid(uint8_t arg)
{
	if (is_exclusive(arg) &&
		(arg & (RDY_PRIORITY | RDY_HANGUP_ONLY) || (arg >> 4 & 3) == RDY_ONESHOT))
		return false;
	return arg & 15 && arg >> 4 & 3;
}

static void set_up(int i, uint64_t token, uint8_t arg)
{
	regs[i] = (struct registration){token, arg >> 4 & 3, want_of(arg & 15), is_exclusive(arg)};
	if (regs[i].exclusive)
		regs[i].want &= ~(uint32_t)POLLRDHUP;
}

static void do_register(int i, uint8_t arg)
{
	uint64_t token = ++last_token;
	bool is_new = false;

	for_each_world(w)
	{
		struct view *v = &w->views[i];
		int r = rdy_poll_register(w->poll, NUMBER(i), token, arg & 15, mode_of(arg));

		if (!is_valid(arg)) {
			must(r == -EINVAL);
		} else if (!things[i].open) {
			must(r == -EBADF);
			gone(w, i);
		} else if (v->state == LIVE) {
			must(r == -EEXIST);
		} else if (things[i].kind == FILE_) {
			must(r == -EPERM);
		} else {
			must(r == 0);
			v->state = LIVE;
			is_new = true;
		}
	}
	if (!is_new)
		return;
	set_up(i, token, arg);
	for_each_world(w) fresh(w, i);
}

static void do_modify(int i, uint8_t arg)
{
	uint64_t token = ++last_token;
	bool done = false;

	for_each_world(w)
	{
		int r = rdy_poll_modify(w->poll, NUMBER(i), token, arg & 15, mode_of(arg));

		if (!is_valid(arg)) {
			must(r == -EINVAL);
		} else if (w->views[i].state != NONE && (regs[i].exclusive || is_exclusive(arg))) {
			must(r == -EINVAL);
		} else if (w->views[i].state == LIVE) {
			must(r == 0);
			done = true;
		} else {
			must(r == -ENOENT);
			gone(w, i);
		}
	}
	if (!done)
		return;
	set_up(i, token, arg);
	for_each_world(w) fresh(w, i);
}

static void do_rearm(int i)
{
	for_each_world(w)
	{
		int r = rdy_poll_rearm(w->poll, NUMBER(i));

		switch (w->views[i].state) {
		case NONE:
			must(r == -ENOENT);
			break;
		case GHOST:
			/* Where nothing has to be done, nobody notices. */
			must(r == 0 || r == -ENOENT);
			if (r < 0)
				gone(w, i);
			break;
		case LIVE:
			must(r == 0);
			if (regs[i].mode == RDY_ONESHOT ||
				(regs[i].mode == RDY_EDGE && !is_native(w)))
				fresh(w, i);
			break;
		}
	}
}

static void do_deregister(int i)
{
	for_each_world(w)
	{
		int r = rdy_poll_deregister(w->poll, NUMBER(i));

		/* Of a ghost whose number is used again poll(2) cannot know. */
		if (w->views[i].state == GHOST && things[i].open)
			must(r == 0 || r == -ENOENT);
		else
			must(r == (w->views[i].state == LIVE ? 0 : -ENOENT));
		gone(w, i);
	}
}

static void do_close(int i, uint8_t arg)
{
	if (!things[i].open)
		return;
	if (arg & 1 && worlds[0].views[i].state == LIVE)
		do_deregister(i);
	for_each_world(w) if (w->views[i].state == LIVE)
	{
		w->views[i].state = GHOST;
		w->views[i].epoch++;
		phantoms = true;
	}
	thing_close(&things[i], arg & 2);
}

/* Another file comes under the number: what was registered there must have been deregistered. */
static void before_reuse(int i)
{
	if (worlds[0].views[i].state == LIVE)
		do_deregister(i);
}

static void after_reuse(int i)
{
	for_each_world(w) if (w->views[i].state == GHOST)
	{
		do_deregister(i);
		return;
	}
}

static void do_open(int i, uint8_t arg)
{
	before_reuse(i);
	thing_open(&things[i], arg % N_KINDS);
	after_reuse(i);
}

static void do_restore(int i)
{
	if (things[i].dup < 0)
		return;
	before_reuse(i);
	thing_restore(&things[i]);
	after_reuse(i);
}

/* Batches */

static void drain(struct world *w);

static void do_wait(struct world *w, int64_t timeout_ns)
{
	int n_must = 0, r;
	int64_t now;

	drain(w);
	for (int i = 0; i < N_THINGS; i++) {
		struct view *v = &w->views[i];

		v->f.raw = raw_now(w, i);
		v->f.must = must_come(w, i);
		v->f.touched = v->touched;
		v->f.owed = v->owed && v->f.raw;
		v->f.epoch = v->epoch;
		/* Whether it was delivered is seen when it is taken. */
		v->touched = v->owed = false;
		n_must += v->f.must;
	}
	for (int k = 0; k < N_PARTS; k++) {
		w->woken[k].fetched = w->woken[k].set;
		n_must += w->woken[k].set;
	}
	r = rdy_poll_wait(w->poll, w->events, timeout_ns);
	now = rdy_now_ns();
	for (int k = 0; k < N_PARTS; k++)
		w->timed[k].fetched = w->timed[k].set && w->timed[k].deadline_ns <= now;
	must(r >= 0 && r <= (int)capacity);
	w->left = r;
	w->taken = 0;
	/* The wake descriptor takes a place, too; and files that nobody can deregister take more. */
	w->whole = r + 1 < (int)capacity && !phantoms;
	must(r > 0 || n_must == 0 || phantoms);
}

static void took_thing(struct world *w, int i, const struct rdy_event *e)
{
	struct view *v = &w->views[i];

	if (v->state == GHOST) {
		/* Only epoll goes on watching; but it may have been fetched before. */
		must(is_native(w) || v->f.raw);
		return;
	}
	must(!(w->taken & 1u << i));
	w->taken |= 1u << i;
	must(v->f.raw && e->ready == ready_of(v->f.raw));
	if (v->f.epoch != v->epoch)
		return;
	if (regs[i].mode == RDY_ONESHOT || (regs[i].mode == RDY_EDGE && v->f.raw & HANG))
		v->armed = false;
	v->asked &= ~v->f.raw;
	if (v->f.raw & POLLRDHUP)
		v->asked &= ~(uint32_t)POLLIN;
}

/* Take one event. Returns false at the end. */
static bool take(struct world *w)
{
	struct rdy_event e;
	int i;

	if (!rdy_events_next(w->events, &e))
		return false;
	must(w->left-- > 0);
	must(e.pad0 == 0);
	if (e.token >= WAKER_TOKEN) {
		struct part *p = &w->woken[e.token - WAKER_TOKEN];

		must(e.ready == (RDY_WAKE | RDY_READABLE) && p->fetched);
		/* What came after the fetch is one more. */
		p->fetched = false;
		p->set = p->deadline_ns;
		p->deadline_ns = 0;
		return true;
	}
	if (e.token >= TIMER_TOKEN) {
		struct part *p = &w->timed[e.token - TIMER_TOKEN];

		must(e.ready == RDY_TIMER && p->fetched);
		p->set = p->fetched = false;
		return true;
	}
	for (i = 0; i < N_THINGS; i++)
		if (w->views[i].state != NONE && regs[i].token == e.token)
			break;
	/* Nothing of what has ended. */
	must(i < N_THINGS);
	took_thing(w, i, &e);
	return true;
}

/* Take the rest. What was not in the batch is still to come. */
static void drain(struct world *w)
{
	while (take(w))
		;
	for (int i = 0; i < N_THINGS; i++) {
		struct view *v = &w->views[i];

		if (!(w->taken & 1u << i) && v->f.epoch == v->epoch) {
			must(!w->whole || !v->f.must);
			v->touched |= v->f.touched;
			v->owed |= v->f.owed;
		}
		v->f.raw = 0;
		v->f.must = v->f.touched = v->f.owed = false;
	}
	for (int k = 0; k < N_PARTS; k++) {
		must(!w->whole || !w->woken[k].fetched);
		w->woken[k].fetched = w->timed[k].fetched = false;
		w->woken[k].deadline_ns = 0;
	}
	w->taken = 0;
	w->whole = false;
	w->left = 0;
}

/* However small the batch: everything that is ready comes, in some waits. */
static void settle(struct world *w)
{
	uint32_t need = 0;
	bool near = false;
	int rounds = 0;

	drain(w);
	for (int i = 0; i < N_THINGS; i++)
		need |= (uint32_t)must_come(w, i) << i;
	do {
		must(rounds++ < 300);
		do_wait(w, near ? 100000 : 0);
		while (take(w))
			;
		need &= ~w->taken;
		drain(w);
		near = false;
		for (int k = 0; k < N_PARTS; k++)
			near |= w->woken[k].set ||
				(w->timed[k].set &&
					w->timed[k].deadline_ns < rdy_now_ns() + HOUR_NS / 2);
	} while (need || near);
}

static void do_wake(unsigned int k)
{
	for_each_world(w)
	{
		must(rdy_waker_wake(w->wakers[k]) == 0);
		w->woken[k].set = true;
		/* Beside the one that may be in the batch. */
		w->woken[k].deadline_ns = w->woken[k].fetched;
	}
}

static void do_timer(unsigned int k, uint8_t arg)
{
	int64_t deadline_ns = 0;

	if (arg % 4 == 1)
		deadline_ns = rdy_now_ns() + arg * 500;
	else if (arg % 4 == 2)
		deadline_ns = rdy_now_ns() + HOUR_NS;
	for_each_world(w)
	{
		if (arg % 4 == 3)
			must(rdy_timer_clear(w->timers[k]) == 0);
		else
			must(rdy_timer_set(w->timers[k], deadline_ns) == 0);
		/* An event that was fetched is withdrawn. */
		w->timed[k] = (struct part){arg % 4 != 3, false, deadline_ns};
	}
}

static void new_batches(uint8_t arg)
{
	capacity = arg % 4 ? arg % 4 : 16;
	for_each_world(w)
	{
		if (w->events)
			drain(w);
		rdy_events_free(w->events);
		must(rdy_events_new(capacity, &w->events) == 0);
	}
}

static void step(unsigned int operation, int i, uint8_t arg)
{
	struct thing *t = &things[i];
	uint32_t before = mask_of(t);

	switch (operation) {
	case 0:
	case 1:
		do_register(i, arg);
		break;
	case 2:
		do_modify(i, arg);
		break;
	case 3:
		do_rearm(i);
		break;
	case 4:
		do_deregister(i);
		break;
	case 5:
		do_close(i, arg);
		break;
	case 6:
		do_open(i, arg);
		break;
	case 7:
		do_restore(i);
		break;
	case 8:
		write_to(other_end(t), t->kind, false);
		break;
	case 9:
		write_to(arg & 1 ? own_end(t) : other_end(t), t->kind, true);
		break;
	case 10:
		read_from(arg & 1 ? own_end(t) : other_end(t), t->kind, arg & 2);
		break;
	case 11:
		hang_up(t, arg);
		break;
	case 12:
		if (t->kind == STREAM && t->peer >= 0)
			(void)send(t->peer, "!", 1, MSG_OOB | MSG_NOSIGNAL);
		break;
	case 13:
		write_to(t->dup, t->dup_kind, false);
		break;
	case 14:
	case 15:
		for_each_world(w) do_wait(w, 0);
		break;
	case 16:
		for_each_world(w) take(w);
		break;
	case 17:
		for_each_world(w) settle(w);
		break;
	case 18:
		if (arg & 1)
			do_wake(arg >> 1 & 1);
		else
			do_timer(arg >> 1 & 1, arg >> 2);
		break;
	default:
		new_batches(arg);
		break;
	}
	if (operation >= 8 && operation <= 13)
		after_touch(i, before);
}

static void begin(uint8_t flags, uint8_t batch)
{
	struct rdy_poll_options o = {
		.size = sizeof(o), .flags = flags & (RDY_POLL_SINGLE_THREAD | RDY_POLL_PIPE_WAKER)};

	memset(worlds, 0, sizeof(worlds));
	memset(regs, 0, sizeof(regs));
	last_token = 0;
	phantoms = false;
	for (int i = 0; i < N_THINGS; i++) {
		things[i] = (struct thing){.peer = -1, .dup = -1};
		thing_open(&things[i], (enum kind)(i % FILE_));
	}
	for_each_world(w)
	{
		o.selector = is_native(w) ? "epoll" : "poll";
		must(rdy_poll_new(&o, &w->poll) == 0);
		for (unsigned int k = 0; k < N_PARTS; k++) {
			must(rdy_waker_new(w->poll, WAKER_TOKEN + k, &w->wakers[k]) == 0);
			must(rdy_timer_new(w->poll, TIMER_TOKEN + k, &w->timers[k]) == 0);
		}
	}
	new_batches(batch);
}

static void end(void)
{
	for_each_world(w)
	{
		settle(w);
		for (int k = 0; k < N_PARTS; k++) {
			rdy_waker_free(w->wakers[k]);
			rdy_timer_free(w->timers[k]);
		}
		rdy_poll_free(w->poll);
		rdy_events_free(w->events);
	}
	for (int i = 0; i < N_THINGS; i++)
		thing_end(&things[i]);
}

static int lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	must(fd >= 0 && close(fd) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int lowest;

	n_steps = 0;
	if (size < 2)
		return 0;
	/* Pipes have no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	lowest = lowest_free();
	steps = data + 2;
	begin(data[0], data[1]);
	for (size_t i = 0; i < (size - 2) / 2 && i < MAX_STEPS; i++) {
		n_steps = i + 1;
		step(steps[2 * i] / N_THINGS % N_OPERATIONS, steps[2 * i] % N_THINGS,
			steps[2 * i + 1]);
	}
	end();
	must(lowest_free() == lowest);
	return 0;
}
