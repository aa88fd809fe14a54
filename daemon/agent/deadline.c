/* SPDX-License-Identifier: MIT */
/* See deadline.h. */
#include "deadline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "deliver.h"
#include "reactor.h"
#include "session.h"

#define ROWS_FIRST 16u

void deadlines_deinit(struct deadlines *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		rdy_timer_free(d->rows[i].timer);
	free(d->rows);
	*d = (struct deadlines){0};
}

static int grow(struct deadlines *d)
{
	uint32_t n = d->n ? d->n * 2 : ROWS_FIRST;
	struct deadline *rows = realloc(d->rows, n * sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (uint32_t i = d->n; i < n; i++)
		rows[i] = (struct deadline){.next_free = i + 1 < n ? i + 2 : 0};
	d->rows = rows;
	d->free = d->n + 1;
	d->n = n;
	return 0;
}

static int take_row(struct reactor *r, uint32_t index, uint32_t *ret)
{
	struct deadlines *d = &r->deadlines;
	uint32_t generation = registrations_at(&r->registrations, index)->generation, row;
	int e;

	if (!d->free && (e = grow(d)) < 0)
		return e;
	row = d->free;
	e = rdy_timer_new(
		r->poll, TOKEN(TOKEN_DEADLINE_TIMER, index, generation), &d->rows[row - 1].timer);
	if (e < 0)
		return e;
	d->free = d->rows[row - 1].next_free;
	*ret = row;
	return 0;
}

const struct deadline *deadline_of(const struct reactor *r, const struct registration *reg)
{
	return reg->deadline ? &r->deadlines.rows[reg->deadline - 1] : NULL;
}

int64_t deadline_idle_at_ns(const struct deadline *d)
{
	return d->idle_ns && !d->idle_over ? rdy__deadline_ns(d->active_ns, d->idle_ns) : 0;
}

static void set_timer(struct deadline *d)
{
	int64_t idle_at_ns = deadline_idle_at_ns(d), first_ns = d->at_ns;

	if (idle_at_ns && (!first_ns || idle_at_ns < first_ns))
		first_ns = idle_at_ns;
	if (first_ns && first_ns != RDY__NEVER)
		rdy_timer_set(d->timer, first_ns);
	else
		rdy_timer_clear(d->timer);
}

void deadline_clear(struct reactor *r, struct registration *reg)
{
	struct deadline *d;

	if (!reg->deadline)
		return;
	d = &r->deadlines.rows[reg->deadline - 1];
	*d = (struct deadline){.timer = rdy_timer_free(d->timer), .next_free = r->deadlines.free};
	r->deadlines.free = reg->deadline;
	reg->deadline = 0;
}

int deadline_set(
	struct reactor *r, uint32_t index, int64_t at_ns, int64_t idle_ns, int64_t active_ns)
{
	struct registration *reg = registrations_at(&r->registrations, index);
	struct deadline *d;

	if (!at_ns && !idle_ns) {
		deadline_clear(r, reg);
		return 0;
	}
	if (!reg->deadline) {
		uint32_t row;
		int e = take_row(r, index, &row);

		if (e < 0)
			return e;
		reg->deadline = row;
	}
	d = &r->deadlines.rows[reg->deadline - 1];
	d->at_ns = at_ns;
	d->idle_ns = idle_ns;
	d->active_ns = active_ns;
	d->idle_over = false;
	set_timer(d);
	return 0;
}

void deadline_idle_is_over(struct reactor *r, const struct registration *reg)
{
	struct deadline *d = &r->deadlines.rows[reg->deadline - 1];

	d->idle_over = true;
	set_timer(d);
}

void deadline_touch(struct reactor *r, const struct registration *reg)
{
	struct deadline *d = &r->deadlines.rows[reg->deadline - 1];

	d->active_ns = r->now_ns;
	if (!d->idle_over)
		return;
	d->idle_over = false;
	set_timer(d);
}

void deadline_fire(struct session *s, uint32_t index)
{
	struct reactor *r = s->reactor;
	struct registration *reg = registrations_at(&r->registrations, index);
	int64_t now_ns = rdy__now_ns(), idle_at_ns;
	struct deadline *d;
	uint8_t over = 0;

	if (!reg->deadline)
		return;
	d = &r->deadlines.rows[reg->deadline - 1];
	/* It is ready all the time, only nobody looks. */
	if (reg->flags & REGISTRATION_PAUSED)
		d->active_ns = now_ns;
	idle_at_ns = deadline_idle_at_ns(d);
	if (d->at_ns && now_ns >= d->at_ns) {
		over |= WIRE_TIMEOUT_AT;
		d->at_ns = 0;
	}
	if (idle_at_ns && now_ns >= idle_at_ns) {
		over |= WIRE_TIMEOUT_IDLE;
		d->idle_over = true;
	}
	/* It fired for what it was set to; activity since then has moved that away. */
	set_timer(d);
	if (over)
		deliver_timeout(s, index, over);
}
