/* SPDX-License-Identifier: MIT */
/* readyctl's output. One thread. Never keeps a line back: each is flushed. */
#include "print.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ready/types.h"

int64_t ctl_realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * RDY__NS_PER_S + ts.tv_nsec;
}

void ctl_ready_words(char *buf, uint32_t ready, char between)
{
	/* Both directions closed is a hangup; reading alone is the peer's half close. */
	bool hup = ready & RDY_WRITE_CLOSED && (ready & RDY_READ_CLOSED || !(ready & RDY_ERROR));
	const struct {
		bool is;
		const char *word;
	} words[] = {
		{ready & RDY_READABLE, "in"},
		{ready & RDY_WRITABLE, "out"},
		{ready & RDY_PRIORITY, "pri"},
		{ready & RDY_ERROR, "err"},
		{hup, "hup"},
		{!hup && ready & RDY_READ_CLOSED, "rdhup"},
	};
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!words[i].is)
			continue;
		if (n)
			buf[n++] = between;
		strcpy(buf + n, words[i].word);
		n += strlen(words[i].word);
	}
}

/* Length of the UTF-8 sequence at s, 0 if it is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80			 ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void ctl_json_string(FILE *f, const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	fputc('"', f);
	while (*u) {
		size_t n = utf8_length(u);

		if (n == 0) {
			fputs("\\ufffd", f);
			n = 1;
		} else if (*u == '"' || *u == '\\') {
			fprintf(f, "\\%c", *u);
		} else if (*u < 0x20) {
			fprintf(f, "\\u%04x", *u);
		} else {
			fwrite(u, 1, n, f);
		}
		u += n;
	}
	fputc('"', f);
}

static void print_json(
	FILE *f, const struct ctl_name *name, const struct ctl_event *e, int64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / RDY__NS_PER_S);
	char words[CTL_WORDS_BYTES], date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	fputs("{\"name\":", f);
	ctl_json_string(f, name->name);
	fprintf(f, ",\"fd\":%d,\"ready\":[", name->fd);
	ctl_ready_words(words, e->ready, ' ');
	for (char *rest = words, *word, first = 1; (word = strsep(&rest, " ")) && *word; first = 0)
		fprintf(f, "%s\"%s\"", first ? "" : ",", word);
	fprintf(f, "],\"ended\":%s,\"idle\":%s,\"time\":\"%s.%06dZ\"}\n",
		e->ended ? "true" : "false", e->idle ? "true" : "false", date,
		(int)(realtime_ns % RDY__NS_PER_S / 1000));
}

int ctl_print_event(FILE *f, bool json, const struct ctl_name *name, const struct ctl_event *e,
	int64_t realtime_ns, struct ctl_problem *p)
{
	if (json) {
		print_json(f, name, e, realtime_ns);
	} else {
		char words[CTL_WORDS_BYTES];

		ctl_ready_words(words, e->ready, ' ');
		fprintf(f, "%s%s%s%s\n", name->name, words[0] ? " " : "", words,
			e->idle ? " idle" : "");
	}
	if (fflush(f) == 0)
		return 0;
	/* EBADF: standard output was closed when we were started. */
	if (errno == EPIPE || errno == EBADF)
		return CTL_CLOSED;
	return ctl_problem_errno(p, "write to standard output", -errno);
}
