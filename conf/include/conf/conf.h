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

/* In the order of the words of the key `kinds`. */
enum conf_kind {
	CONF_KIND_TCP,
	CONF_KIND_UDP,
	CONF_KIND_UNIX,
	CONF_KIND_PIPE,
	CONF_KIND_EVENTFD,
	CONF_KIND_TIMERFD,
	CONF_KIND_PIDFD,
	CONF_KIND_INOTIFY,
	CONF_KIND_PTY,
	CONF_KINDS
};
enum conf_target { CONF_TARGET_AUTO, CONF_TARGET_JOURNAL, CONF_TARGET_STDERR };

#define CONF_RULES_MAX 62u /* of a policy */

enum conf_who { CONF_WHO_ANY, CONF_WHO_USER, CONF_WHO_GROUP };
enum conf_owner { CONF_OWNER_SELF, CONF_OWNER_ALL, CONF_OWNER_USER };

/* What a rule allows, bits. */
#define CONF_CONNECT 0x1u /* open sessions, and all that a session can do */
#define CONF_INSPECT 0x2u /* see over the control socket, and end what is one's own */
#define CONF_ADMIN 0x4u	  /* end, freeze, reload */
#define CONF_VERBS 0x7u

/* Who may do what with whose things. The first rule that fits a peer and an owner decides. */
struct conf_rule {
	uint32_t line;
	uint8_t who, owner; /* enum conf_who, enum conf_owner */
	uint8_t allow;	    /* CONF_CONNECT... */
	uint8_t pad0;
	char who_name[CONF_NAME_BYTES], owner_name[CONF_NAME_BYTES];
};

/* n_rules 0: what is built in. */
struct conf_policy {
	uint32_t n_rules;
	struct conf_rule rules[CONF_RULES_MAX];
};

#define CONF_USERS_MAX 256u  /* with quotas of their own */
#define CONF_RANGES_MAX 256u /* of uids */

/* What a user has a quota of; the words are those of quota.default. */
enum conf_quota { CONF_Q_CONNECTS, CONF_Q_CONTROLS, CONF_Q_REGISTRATIONS, CONF_Q_SESSIONS };
#define CONF_QUOTAS 4u

struct conf_user {
	char name[CONF_NAME_BYTES];
	uint32_t quotas[CONF_QUOTAS]; /* 0: what everybody has */
};

struct conf_users {
	uint32_t n;
	struct conf_user users[CONF_USERS_MAX];
};

/* The uids from..from + count - 1 use the quotas of a user together with him. Ranges do not overlap. */
struct conf_range {
	uint32_t from, count, line;
	char charge_to[CONF_NAME_BYTES];
};

struct conf_ranges {
	uint32_t n;
	struct conf_range ranges[CONF_RANGES_MAX];
};

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
	uint64_t metrics_per_uid;
	uint64_t quota_controls;
	uint64_t heartbeat_ns;		  /* an agent that owes an answer for longer is wedged */
	uint64_t log_rate;		  /* lines of one kind per second */
	uint64_t kinds;			  /* bit i: the i-th of enum conf_kind */
	uint64_t log_target;		  /* enum conf_target */
	uint64_t flood_rate, flood_burst; /* events of one edge registration; rate 0 = no bound */
	uint64_t
		grace_ns; /* agents wait this long for the next supervisor; 0 = they end with this one */
	char user[CONF_NAME_BYTES];
	char session_group[CONF_NAME_BYTES];
	char admin_group[CONF_NAME_BYTES];
	char session_path[CONF_PATH_BYTES];
	char control_path[CONF_PATH_BYTES];
	struct conf_policy policy;
	struct conf_users users;
	struct conf_ranges ranges;
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
 * Set one value from its text; quota.users.NAME.sessions and so on are keys, too. Returns 0, or -EINVAL with *c unchanged and *ret_error filled: unknown key
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
/* A rule as it stands in a file, without its braces. Returns buf. */
#define CONF_RULE_BYTES 192u
const char *conf_rule_text(const struct conf_rule *rule, char *buf);
/* The bit of "connect" and so on, or 0; and back, or NULL. */
uint32_t conf_verb(const char *word, size_t n);
const char *conf_verb_word(uint32_t verb);

/* "quota.users.mail.sessions", and its value as in a file; false: it is not set. */
#define CONF_USER_KEY_BYTES 64u
bool conf_user_text(const struct conf *c, size_t user, enum conf_quota q,
	char key[CONF_USER_KEY_BYTES], char value[CONF_VALUE_BYTES]);
/* What a user has for whom it is not set, as in a file. */
const char *conf_quota_fallback(
	const struct conf *c, enum conf_quota q, char buf[CONF_VALUE_BYTES]);
/* The user with this name of n bytes, or SIZE_MAX. */
size_t conf_find_user(const struct conf *c, const char *name, size_t n);

/* Is row i the same in both? */
bool conf_same(const struct conf *a, const struct conf *b, size_t i);
/* Row i as it is in another one. */
void conf_copy(struct conf *c, const struct conf *from, size_t i);

#endif
