/* SPDX-License-Identifier: MIT */
/*
 * See log.h. One write(2) a line, one lock, no allocation.
 */
#include "log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
	pthread_mutex_t lock;
	uint32_t uid;
	int level;
	int64_t full_at_ns; /* when the token bucket is full again */
	uint64_t dropped;
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

void log_init(uint32_t uid)
{
	log_state.uid = uid;
}

void log_set_level(int priority)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.level = priority;
	pthread_mutex_unlock(&log_state.lock);
}

/* A bucket of one second's lines, kept as the time at which it would be full. */
static int over_rate(int64_t now_ns)
{
	if (log_state.full_at_ns < now_ns)
		log_state.full_at_ns = now_ns;
	if (log_state.full_at_ns - now_ns > RDY__NS_PER_S)
		return 1;
	log_state.full_at_ns += RDY__NS_PER_S / LOG_LINES_PER_S;
	return 0;
}

static void say(int priority, const char *format, va_list ap)
{
	/* Standard error belongs to whoever started us; its flags are not ours to change. */
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[LOG_LINE_BYTES];
	int n, m;

	if (over_rate(rdy__now_ns()) || poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) {
		log_state.dropped++;
		return;
	}
	n = snprintf(line, sizeof(line), "<%d>readyd-agent[%u]: ", priority, log_state.uid);
	if (log_state.dropped)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "dropped=%llu ",
			(unsigned long long)log_state.dropped);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
	n += m < 0 ? 0 : m;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	log_state.dropped = write(STDERR_FILENO, line, (size_t)n) < 0 ? log_state.dropped + 1 : 0;
}

void log_line(int priority, const char *format, ...)
{
	va_list ap;

	pthread_mutex_lock(&log_state.lock);
	va_start(ap, format);
	if (priority <= log_state.level)
		say(priority, format, ap);
	va_end(ap);
	pthread_mutex_unlock(&log_state.lock);
}

const char *log_escape(char *buf, size_t buf_bytes, const char *text)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p && n + 5 <= buf_bytes; p++) {
		if (*p > ' ' && *p < 0x7f && *p != '\\' && *p != '"')
			buf[n++] = (char)*p;
		else
			n += (size_t)snprintf(buf + n, buf_bytes - n, "\\x%02x", *p);
	}
	buf[n] = 0;
	return buf;
}
