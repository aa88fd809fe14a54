/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 512

static int level = LOG_P_INFO;

void log_set_level(int priority)
{
	level = priority;
}

void log_line(int priority, const char *format, ...)
{
	char line[LINE_BYTES];
	size_t n = 0;
	va_list ap;
	int k;

	if (priority > level)
		return;
	if (!isatty(STDERR_FILENO))
		n = (size_t)snprintf(line, sizeof(line), "<%d>", priority);
	n += (size_t)snprintf(line + n, sizeof(line) - n, "readyd: ");
	va_start(ap, format);
	k = vsnprintf(line + n, sizeof(line) - n - 1, format, ap);
	va_end(ap);
	if (k < 0)
		return;
	n += (size_t)k < sizeof(line) - n - 1 ? (size_t)k : sizeof(line) - n - 2;
	line[n++] = '\n';
	/* A log that cannot be written is nobody's fault here. */
	(void)!write(STDERR_FILENO, line, n);
}

void log_three(const char *what, const char *why, const char *fix)
{
	fprintf(stderr, "readyd: %s\n  why: %s\n  try: %s\n", what, why, fix);
}
