/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one schema table from which values are checked, defaults come, and help is printed.
 * Threads: any, each conf its own. No I/O: whoever reads a file or a command line calls conf_set() for each
 * value it finds there. A conf that is in use is never written (CONF-1): change a copy, then swap.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_NAME_BYTES 33u  /* a user or group name and its NUL */
#define CONF_PATH_BYTES 108u /* a socket's path and its NUL, sun_path of unix(7) */
#define CONF_ERROR_BYTES 512u

enum conf_selector { CONF_SELECTOR_AUTO, CONF_SELECTOR_EPOLL, CONF_SELECTOR_POLL };
enum conf_log { CONF_LOG_ERROR, CONF_LOG_WARNING, CONF_LOG_NOTICE, CONF_LOG_INFO, CONF_LOG_DEBUG };

struct conf {
	uint64_t selector;     /* enum conf_selector */
	uint64_t reactors;     /* threads of an agent at most; 0 = auto */
	uint64_t sandbox;      /* 0 or 1 */
	uint64_t log_level;    /* enum conf_log */
	uint64_t session_mode; /* permission bits */
	uint64_t control_mode; /* the same of the control socket */
	uint64_t limit_sessions, limit_uids, limit_controls;
	uint64_t fd_reserve; /* 0 = auto */
	uint64_t hello_timeout_ns, idle_exit_ns;
	uint64_t send_buffer_bytes;
	uint64_t quota_sessions, quota_registrations, quota_connects_per_s;
	uint64_t per_session_percent;
	uint64_t closer_batch;
	uint64_t quota_controls;
	uint64_t flood_rate, flood_burst; /* events of one edge registration; rate 0 = no bound */
	uint64_t
		grace_ns; /* agents wait this long for the next supervisor; 0 = they end with this one */
	char user[CONF_NAME_BYTES];
	char session_group[CONF_NAME_BYTES];
	char admin_group[CONF_NAME_BYTES];
	char session_path[CONF_PATH_BYTES];
	char control_path[CONF_PATH_BYTES];
};

/* What is wrong, why, and what to do: three parts, for people. */
struct conf_error {
	char where[CONF_ERROR_BYTES]; /* "FILE:LINE:COLUMN", "FILE", or empty */
	char what[CONF_ERROR_BYTES];
	char why[CONF_ERROR_BYTES];
	char fix[CONF_ERROR_BYTES];
};

/* All defaults. */
void conf_init(struct conf *c);

/*
 * Set one value from its text. Returns 0, or -EINVAL with *c unchanged and *ret_error filled: unknown key
 * (with the nearest known one), wrong form (with the right one), out of range (with the range).
 */
int conf_set(struct conf *c, const char *key, const char *value, struct conf_error *ret_error);

/* Split "key=value" in place of conf_set()'s two arguments. Errors as conf_set(). */
int conf_set_pair(struct conf *c, const char *pair, struct conf_error *ret_error);

/* One row of the schema, for help and manual pages; false after the last. */
struct conf_row {
	const char *key, *form, *fallback, *text;
	bool quoted;	/* as text: YAML would take it for a number or a truth */
	bool live;	/* a reload changes it; else it counts from the next start */
	char range[64]; /* "10ms..1d"; empty where the form says it all */
};
bool conf_row(size_t i, struct conf_row *ret);

#define CONF_VALUE_BYTES CONF_PATH_BYTES

/* The value of row i as it would be written in a file. Returns buf, of CONF_VALUE_BYTES. */
const char *conf_value(const struct conf *c, size_t i, char *buf);
/* Is row i the same in both? */
bool conf_same(const struct conf *a, const struct conf *b, size_t i);
/* Row i as it is in another one. */
void conf_copy(struct conf *c, const struct conf *from, size_t i);

#endif
