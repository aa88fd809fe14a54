/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_BYTES 512

static int level = LOG_P_INFO;
static uint32_t rate = LOG_SITE_LINES;

void log_set_level(int priority)
{
	level = priority;
}

void log_set_rate(uint32_t lines_per_s)
{
	rate = lines_per_s;
}

int log_get_level(void)
{
	return level;
}

/* May this site say one more line in this second? */
static bool may_say(struct log_site *site, int64_t now_ns)
{
	if (now_ns - site->since_ns >= RDY__NS_PER_S) {
		site->since_ns = now_ns;
		site->n = 0;
	}
	return site->n < rate;
}

/*
 * A pipe with room has room for a whole line, PIPE_BUF in pipe(7); only somebody else who fills it in this
 * moment could hold us up. O_NONBLOCK is not ours to set: whoever started us has the same description.
 */
static bool has_room(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

static size_t append(char *line, size_t n, const char *format, va_list ap)
{
	/* The last byte is for the line's end. */
	size_t room = LINE_BYTES - 1 - n;
	int k = vsnprintf(line + n, room, format, ap);

	if (k < 0)
		return n;
	return n + ((size_t)k < room ? (size_t)k : room - 1);
}

static size_t append_f(char *line, size_t n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	n = append(line, n, format, ap);
	va_end(ap);
	return n;
}

void log_from(struct log_site *site, int priority, const char *format, ...)
{
	char line[LINE_BYTES];
	size_t n = 0;
	va_list ap;

	if (priority > level)
		return;
	if (!may_say(site, rdy__now_ns()) || !has_room()) {
		site->lost++;
		return;
	}
	if (!isatty(STDERR_FILENO))
		n = append_f(line, n, "<%d>", priority);
	n = append_f(line, n, "readyd: ");
	if (site->lost)
		n = append_f(line, n, "lost=%u ", site->lost);
	va_start(ap, format);
	n = append(line, n, format, ap);
	va_end(ap);
	line[n++] = '\n';
	site->n++;
	site->lost = 0;
	/* A log that cannot be written is nobody's fault here. */
	(void)!write(STDERR_FILENO, line, n);
}

void log_three(const char *what, const char *why, const char *fix)
{
	fprintf(stderr, "readyd: %s\n  why: %s\n  try: %s\n", what, why, fix);
}
