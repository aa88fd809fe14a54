/* SPDX-License-Identifier: MIT */
/*
 * Log lines, key=value: entries of the journal, or one write() each on standard error, there with a `<N>` priority
 * prefix where it is no terminal. Never fails, never waits: a journal that takes nothing has its lines on standard
 * error, a pipe that nobody empties loses them, and a site that has much to say is cut short. What was lost is counted.
 */
#ifndef SUPERVISOR_LOG_H
#define SUPERVISOR_LOG_H

#include <stdint.h>

/* syslog(3)'s priorities. */
#define LOG_P_ERROR 3
#define LOG_P_WARNING 4
#define LOG_P_NOTICE 5
#define LOG_P_INFO 6
#define LOG_P_DEBUG 7

#define LOG_SITE_LINES 20u /* of one site per second, until the configuration says so */

/* One place that logs: what it has said in this second. */
struct log_site {
	int64_t since_ns;
	uint32_t n, lost;
};

/* Lines above this priority are not written. */
void log_set_level(int priority);
int log_get_level(void);
void log_set_rate(uint32_t lines_per_s);
/* From here on to the journal at path, which is borrowed (NULL: the system's), or again to standard error. Errors as journal_open(). */
int log_to_journal(const char *path);
void log_to_stderr(void);

/* log_line(priority, format, ...): each place has its own limit, so that clients cannot fill the log. */
#define log_line(priority, ...) \
	do { \
		static struct log_site log_site_; \
		log_from(&log_site_, priority, __VA_ARGS__); \
	} while (0)
void log_from(struct log_site *site, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The three lines that a person gets who started us in vain: what, why, what to do. */
void log_three(const char *what, const char *why, const char *fix);

#endif
