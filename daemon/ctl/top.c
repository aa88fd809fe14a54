/* SPDX-License-Identifier: MIT */
/*
 * readyctl top: the users that are served, the busiest first, every second; on a terminal in place, with keys. Rates
 * are differences of two looks. The terminal is as it was whenever this ends, by a signal too.
 */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "call.h"
#include "control.h"
#include "print.h"
#include "table.h"
#include "words.h"

#define EVERY_NS RDY__NS_PER_S
#define LINES_MIN 4

enum order { BY_RATE, BY_REGISTRATIONS, BY_SESSIONS, BY_USER, ORDERS };

static const char *const order_words[ORDERS] = {"events/s", "registrations", "sessions", "user"};

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
	ended = signal;
}

/* One look: rows of ListAgents, with rates against the look before. */
static int look(const struct ctl_options *o, const char *path, json_t **ret, struct ctl_problem *p)
{
	struct ctl_call c = CTL_CALL_NULL;
	json_t *all = json_array();
	bool more = true;
	int r = ctl_call_open(&c, path, o->answer_ns, CONTROL_LIST_AGENTS, json_object(), p);

	while (r == 0 && more) {
		const json_t *page;

		r = ctl_call_next(&c, &page, &more, p);
		if (r == 0)
			json_array_extend(all, json_object_get(page, "agents"));
	}
	ctl_call_close(&c);
	if (r)
		json_decref(all);
	else
		*ret = all;
	return r;
}

static json_int_t get(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static const json_t *of_uid(const json_t *all, json_int_t uid)
{
	for (size_t i = 0; i < json_array_size(all); i++)
		if (get(json_array_get(all, i), "uid") == uid)
			return json_array_get(all, i);
	return NULL;
}

/* events_per_s of each row; null for one that was not there, and for an agent that started meanwhile. */
static void add_rates(json_t *now, const json_t *before, double seconds)
{
	for (size_t i = 0; i < json_array_size(now); i++) {
		json_t *row = json_array_get(now, i);
		const json_t *old = before ? of_uid(before, get(row, "uid")) : NULL;
		json_int_t n = old ? get(row, "events") - get(old, "events") : -1;

		if (!old || n < 0 || get(row, "pid") != get(old, "pid") || seconds <= 0)
			json_object_set_new(row, "events_per_s", json_null());
		else
			json_object_set_new(row, "events_per_s", json_real((double)n / seconds));
	}
}

static enum order order;

static int compare(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	double d = 0;

	if (order == BY_RATE)
		d = json_number_value(json_object_get(y, "events_per_s")) -
		    json_number_value(json_object_get(x, "events_per_s"));
	else if (order == BY_REGISTRATIONS)
		d = (double)(get(y, "registrations") - get(x, "registrations"));
	else if (order == BY_SESSIONS)
		d = (double)(get(y, "sessions") - get(x, "sessions"));
	if (d == 0)
		d = (double)(get(x, "uid") - get(y, "uid"));
	return d < 0 ? -1 : d > 0;
}

/* The rows in order; freed by the caller, they are borrowed. NULL without memory. */
static const json_t **sorted(const json_t *all)
{
	size_t n = json_array_size(all);
	const json_t **rows = calloc(n + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < n; i++)
		rows[i] = json_array_get(all, i);
	if (rows)
		qsort(rows, n, sizeof(*rows), compare);
	return rows;
}

static void user(const json_t *row, char *buf)
{
	ctl_words_user(get(row, "uid"), buf, CTL_CELL_BYTES);
}

#define COUNT_CELL(name, key) \
	static void name(const json_t *row, char *buf) \
	{ \
		ctl_words_count(json_object_get(row, key), buf, CTL_CELL_BYTES); \
	}
COUNT_CELL(sessions, "sessions")
COUNT_CELL(registrations, "registrations")
COUNT_CELL(descriptors, "descriptors")
COUNT_CELL(events, "events")

static void rate(const json_t *row, char *buf)
{
	const json_t *n = json_object_get(row, "events_per_s");

	if (json_is_number(n))
		snprintf(buf, CTL_CELL_BYTES, "%.0f", json_number_value(n));
	else
		strcpy(buf, "-");
}

static void flags(const json_t *row, char *buf)
{
	const char *state = json_string_value(json_object_get(row, "state"));
	bool frozen = json_is_true(json_object_get(row, "frozen"));

	snprintf(buf, CTL_CELL_BYTES, "%s%s%s", frozen ? "frozen" : "",
		frozen && get(row, "wedged") ? "," : "", get(row, "wedged") ? "wedged" : "");
	if (!buf[0])
		snprintf(buf, CTL_CELL_BYTES, "%.40s",
			state && strcmp(state, "serving") != 0 ? state : "-");
}

static const struct ctl_column columns[] = {
	{"USER", false, user},
	{"SESS", true, sessions},
	{"REGS", true, registrations},
	{"FDS", true, descriptors},
	{"EV/S", true, rate},
	{"EVENTS", true, events},
	{"FLAGS", false, flags},
};

/* At most so many rows. */
static int put_rows(
	const struct ctl_options *o, const json_t *all, size_t max, struct ctl_problem *p)
{
	struct libscols_table *t = ctl_table_new(columns, RDY__ARRAY_SIZE(columns), o->color_out);
	const json_t **rows = sorted(all);
	int r = t && rows ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < json_array_size(all) && i < max; i++)
		r = ctl_table_add(t, columns, RDY__ARRAY_SIZE(columns), rows[i]);
	free(rows);
	if (r < 0) {
		if (t)
			scols_unref_table(t);
		return ctl_problem_errno(p, "make the table", -ENOMEM);
	}
	ctl_table_print(t, stdout);
	return 0;
}

static int put_json(const struct ctl_options *o, const json_t *all, struct ctl_problem *p)
{
	const json_t **rows = sorted(all);
	int r = rows ? 0 : ctl_problem_errno(p, "sort", -ENOMEM);

	for (size_t i = 0; r == 0 && i < json_array_size(all); i++)
		r = ctl_put_json(o, rows[i], p);
	free(rows);
	return r;
}

static void put_head(const json_t *all, bool keys)
{
	json_int_t n_sessions = 0, n_registrations = 0;
	double per_s = 0;

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *row = json_array_get(all, i);

		n_sessions += get(row, "sessions");
		n_registrations += get(row, "registrations");
		per_s += json_number_value(json_object_get(row, "events_per_s"));
	}
	printf("users %zu   sessions %lld   registrations %lld   events/s %.0f\n",
		json_array_size(all), (long long)n_sessions, (long long)n_registrations, per_s);
	if (keys)
		printf("by %s   keys: s sort, q quit\n", order_words[order]);
}

/* A second, or a key. Returns it, or 0. */
static char pause_or_key(bool keys)
{
	struct pollfd in = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
	char key = 0;

	if (poll(&in, 1, (int)(EVERY_NS / RDY__NS_PER_MS)) > 0 && read(STDIN_FILENO, &key, 1) != 1)
		return 'q'; /* nobody types any more */
	return key;
}

static size_t lines_of_terminal(void)
{
	struct winsize w = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_row < LINES_MIN + 1)
		return 24;
	return w.ws_row;
}

static int show(const struct ctl_options *o, const json_t *all, bool screen, bool keys,
	struct ctl_problem *p)
{
	int r;

	if (o->json)
		return put_json(o, all, p);
	/* From the top, to the end of the screen: not cleared before, which would flicker. */
	if (screen)
		fputs("\033[H\033[J", stdout);
	put_head(all, keys);
	r = put_rows(o, all, screen ? lines_of_terminal() - LINES_MIN : SIZE_MAX, p);
	return r ? r : ctl_flush(p);
}

static int run(const struct ctl_options *o, const char *path, bool screen, bool keys,
	struct ctl_problem *p)
{
	json_t *before = NULL, *now = NULL;
	int64_t before_ns = 0, now_ns;
	int r = look(o, path, &before, p);

	before_ns = rdy__now_ns();
	while (r == 0 && !ended) {
		char key = pause_or_key(keys);

		if (key == 'q' || ended)
			break;
		if (key == 's')
			order = (order + 1) % ORDERS;
		r = look(o, path, &now, p);
		if (r)
			break;
		now_ns = rdy__now_ns();
		add_rates(now, before, (double)(now_ns - before_ns) / (double)RDY__NS_PER_S);
		r = show(o, now, screen, keys, p);
		json_decref(before);
		before = now;
		before_ns = now_ns;
		if (o->once)
			break;
	}
	json_decref(before);
	return r;
}

int ctl_top(const struct ctl_options *o, const char *path, struct ctl_problem *p)
{
	bool screen = !o->once && !o->json && isatty(STDOUT_FILENO),
	     keys = screen && isatty(STDIN_FILENO);
	const struct sigaction sa = {.sa_handler = on_signal};
	struct termios was, raw;
	int r;

	if (keys && tcgetattr(STDIN_FILENO, &was) < 0)
		keys = false;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	if (keys) {
		raw = was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	/* A screen of its own, without a cursor; what stood there comes back. */
	if (screen)
		fputs("\033[?1049h\033[?25l", stdout);
	r = run(o, path, screen, keys, p);
	if (screen)
		fputs("\033[?25h\033[?1049l", stdout);
	(void)fflush(stdout);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return r;
}
