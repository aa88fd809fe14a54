/* SPDX-License-Identifier: MIT */
/*
 * Log lines on standard error, key=value, one write() each. With a `<N>` priority prefix where standard error
 * is no terminal (the service manager's journal reads it). Never blocks for long, never fails.
 */
#ifndef SUPERVISOR_LOG_H
#define SUPERVISOR_LOG_H

/* syslog(3)'s priorities. */
#define LOG_P_ERROR 3
#define LOG_P_WARNING 4
#define LOG_P_NOTICE 5
#define LOG_P_INFO 6
#define LOG_P_DEBUG 7

/* Lines above this priority are not written. */
void log_set_level(int priority);
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The three lines that a person gets who started us in vain: what, why, what to do. */
void log_three(const char *what, const char *why, const char *fix);

#endif
