/* SPDX-License-Identifier: MIT */
/*
 * The agent's log: one line per call to standard error, "<N>readyd-agent[uid]: key=value ...", N being a
 * syslog priority. Any thread. It never blocks: what standard error cannot take now, and what is over the
 * rate, is dropped, and the next line that goes out says how many were.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#define LOG_LINE_BYTES 512u /* well below PIPE_BUF: lines of several processes do not mix */
#define LOG_LINES_PER_S 20

void log_init(uint32_t uid);

/* Lines of a lower priority (a higher number) are not written. */
void log_set_level(int priority);

__attribute__((format(printf, 2, 3))) void log_line(int priority, const char *format, ...);

/* What a client wrote, fit for a line: anything but plain printable ASCII becomes \xNN. Returns buf. */
const char *log_escape(char *buf, size_t buf_bytes, const char *text);

#endif
