/* SPDX-License-Identifier: MIT */
/* See journal.h. */
#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define PREFIX "READYD_"
#define KEY_MAX 64u /* of a field's name, systemd.journal-fields(7) */

bool journal_has_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	char end;

	return stream && sscanf(stream, "%llu:%llu%c", &dev, &ino, &end) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static int address(struct sockaddr_un *ret, const char *path)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

int journal_open(const char *path)
{
	struct sockaddr_un to;
	int sock = -1, r = address(&to, path);

	if (r == 0)
		sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r == 0 && sock < 0)
		r = -errno;
	/* The journal's socket is looked for again with every entry; here only whether there is one. */
	if (r == 0 && connect(sock, (const struct sockaddr *)&to, sizeof(to)) < 0)
		r = -errno;
	if (r == 0)
		return sock;
	rdy__fd_close(sock);
	return r;
}

struct entry {
	char *buf;
	size_t n, max;
};

/* All of the field or nothing: half a value would be another one. */
static void put(struct entry *e, const char *key, const char *value, size_t n_value)
{
	size_t n_key = strlen(key);

	if (e->n + n_key + 1 + n_value + 1 > e->max)
		return;
	memcpy(e->buf + e->n, key, n_key);
	e->n += n_key;
	e->buf[e->n++] = '=';
	/* A line's end would begin another field: a value with one takes the form with a length, which none needs. */
	for (size_t i = 0; i < n_value; i++)
		e->buf[e->n++] = (unsigned char)value[i] < ' ' ? ' ' : value[i];
	e->buf[e->n++] = '\n';
}

static void put_text(struct entry *e, const char *key, const char *value)
{
	put(e, key, value, strlen(value));
}

/* "peer-pid" as READYD_PEER_PID. Returns false for what cannot be a field's name. */
static bool name_field(char name[KEY_MAX], const char *key, size_t n)
{
	size_t at = strlen(PREFIX);

	if (n == 0 || at + n >= KEY_MAX)
		return false;
	memcpy(name, PREFIX, at);
	for (size_t i = 0; i < n; i++) {
		char c = key[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (c == '-')
			c = '_';
		else if (!(c >= '0' && c <= '9'))
			return false;
		name[at++] = c;
	}
	name[at] = 0;
	return true;
}

/* The end of a quoted value: a quote that a blank follows, or nothing. */
static const char *closing_quote(const char *at)
{
	while (*at && !(*at == '"' && (at[1] == ' ' || at[1] == 0)))
		at++;
	return at;
}

static void put_pairs(struct entry *e, const char *line)
{
	const char *at = line;

	while (*at) {
		size_t n_key = strcspn(at, " =");
		const char *value = at + n_key, *end;
		char name[KEY_MAX];

		if (*value != '=') { /* a word */
			at = value + (*value == ' ');
			continue;
		}
		value++;
		if (*value == '"')
			end = closing_quote(++value);
		else
			end = value + strcspn(value, " ");
		if (name_field(name, at, n_key))
			put(e, name, value, (size_t)(end - value));
		at = end + (*end == '"');
		at += *at == ' ';
	}
}

size_t journal_entry(char *buf, size_t n_max, int priority, const char *line)
{
	const struct journal_event *event = journal_event(line);
	struct entry e = {buf, 0, n_max};
	char number[2] = {(char)('0' + (priority & 7)), 0};

	put_text(&e, "MESSAGE", line);
	put_text(&e, "PRIORITY", number);
	put_text(&e, "SYSLOG_IDENTIFIER", "readyd");
	if (event) {
		put_text(&e, "MESSAGE_ID", event->id);
		put_text(&e, PREFIX "EVENT", event->name);
	}
	put_pairs(&e, line);
	return e.n;
}

int journal_send(int sock, const char *path, const char *entry, size_t n_bytes)
{
	struct sockaddr_un to;
	int r = address(&to, path);

	if (r < 0)
		return r;
	return sendto(sock, entry, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
		       (const struct sockaddr *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}
