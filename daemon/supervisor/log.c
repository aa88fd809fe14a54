/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "journal.h"

#define LINE_BYTES 512

static int level = LOG_P_INFO;
static uint32_t rate = LOG_SITE_LINES;
static int journal = -1; /* < 0: lines go to standard error */
static const char *journal_path = JOURNAL_SOCKET;

void log_set_level(int priority)
{
	level = priority;
}

void log_set_rate(uint32_t lines_per_s)
{
	rate = lines_per_s;
}

int log_to_journal(const char *path)
{
	int sock = journal_open(path ? path : JOURNAL_SOCKET);

	if (sock < 0)
		return sock;
	rdy__fd_close(journal);
	journal = sock;
	journal_path = path ? path : JOURNAL_SOCKET;
	return 0;
}

void log_to_stderr(void)
{
	journal = rdy__fd_close(journal);
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
	/* The last byte is for the end. */
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

/* Says it to the journal. False: to standard error, then; what is too much is better there than nowhere. */
static bool tell_journal(int priority, const char *line)
{
	char entry[JOURNAL_ENTRY_BYTES];

	return journal >= 0 && journal_send(journal, journal_path, entry,
				       journal_entry(entry, sizeof(entry), priority, line)) == 0;
}

/* With the priority where a service manager reads it. False: there is no room. */
static bool tell_stderr(int priority, const char *line)
{
	char text[LINE_BYTES + 32];
	int n;

	if (!has_room())
		return false;
	n = isatty(STDERR_FILENO)
		    ? snprintf(text, sizeof(text), "readyd: %s\n", line)
		    : snprintf(text, sizeof(text), "<%d>readyd: %s\n", priority, line);
	/* A log that cannot be written is nobody's fault here. */
	(void)!write(STDERR_FILENO, text, (size_t)n);
	return true;
}

void log_from(struct log_site *site, int priority, const char *format, ...)
{
	char line[LINE_BYTES];
	size_t n = 0;
	va_list ap;

	if (priority > level)
		return;
	if (!may_say(site, rdy__now_ns())) {
		site->lost++;
		return;
	}
	if (site->lost)
		n = append_f(line, n, "lost=%u ", site->lost);
	va_start(ap, format);
	n = append(line, n, format, ap);
	va_end(ap);
	line[n] = 0;
	if (!tell_journal(priority, line) && !tell_stderr(priority, line)) {
		site->lost++;
		return;
	}
	site->n++;
	site->lost = 0;
}

void log_three(const char *what, const char *why, const char *fix)
{
	fprintf(stderr, "readyd: %s\n  why: %s\n  try: %s\n", what, why, fix);
}
