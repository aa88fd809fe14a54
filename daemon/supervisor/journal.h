/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log as entries of systemd's journal, by its native protocol. Not sd_journal_send(3), which waits for a
 * journal that is slow: a supervisor never waits. The supervisor's thread.
 * Source: systemd.io/JOURNAL_NATIVE_PROTOCOL, systemd.journal-fields(7).
 */
#ifndef SUPERVISOR_JOURNAL_H
#define SUPERVISOR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_ENTRY_BYTES 2048u

/* Does standard error lead to the journal? By $JOURNAL_STREAM, systemd.exec(5). */
bool journal_has_stderr(void);

/* A socket for journal_send(), or -errno of socket(2) or connect(2): nobody listens at path. */
int journal_open(const char *path);

/*
 * A line of key=value pairs as an entry: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, each pair as READYD_KEY, and for what
 * journal_events knows MESSAGE_ID and READYD_EVENT. Cut to n_max bytes between two fields. Returns its length.
 */
size_t journal_entry(char *buf, size_t n_max, int priority, const char *line);

/* Send an entry to the journal at path. Never waits. Returns 0 or -errno. */
int journal_send(int sock, const char *path, const char *entry, size_t n_bytes);

/* What an administrator may look for. */
struct journal_event {
	const char *first; /* the line's first pair; one that ends in '=': any value */
	const char *also;  /* what else is in the line, or NULL */
	const char *name;  /* READYD_EVENT */
	const char *id;	   /* MESSAGE_ID; never changes, the catalog has a text for it */
};

/* NULL: none of them. */
const struct journal_event *journal_event(const char *line);

#endif
