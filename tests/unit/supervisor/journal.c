/* SPDX-License-Identifier: MIT */
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
#include "log.h"
#include "unit.h"

static char dir[] = "/tmp/readyd-journal-XXXXXX", path[64], entry[JOURNAL_ENTRY_BYTES];
static int journal; /* a journal of ours */

static void setup(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	unit_setup();
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	strcpy(a.sun_path, path);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(journal, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void teardown(void)
{
	log_to_stderr();
	rdy__fd_close(journal);
	unlink(path);
	rmdir(dir);
	unit_teardown();
}

/* The entry of a line, as text. */
static const char *entry_of(const char *line)
{
	size_t n = journal_entry(entry, sizeof(entry) - 1, 5, line);

	entry[n] = 0;
	return entry;
}

START_TEST(fields_of_a_line)
{
	ck_assert_str_eq(entry_of("agent=wedged uid=1000 pid=12 sessions=3"),
		"MESSAGE=agent=wedged uid=1000 pid=12 sessions=3\nPRIORITY=5\n"
		"SYSLOG_IDENTIFIER=readyd\nMESSAGE_ID=1f48c368d6394ca5a098577f10ad08a4\n"
		"READYD_EVENT=agent_wedged\nREADYD_AGENT=wedged\nREADYD_UID=1000\nREADYD_PID=12\n"
		"READYD_SESSIONS=3\n");
	ck_assert_str_eq(entry_of("nothing special"),
		"MESSAGE=nothing special\nPRIORITY=5\nSYSLOG_IDENTIFIER=readyd\n");
	/* Quotes that end a value, and quotes within. */
	ck_assert_ptr_nonnull(strstr(entry_of("reload=refused error=\"a \"b\", c=d\" by-whom=0"),
		"\nREADYD_RELOAD=refused\nREADYD_ERROR=a \"b\", c=d\nREADYD_BY_WHOM=0\n"));
	ck_assert_ptr_nonnull(strstr(entry_of("a=\"never closed"), "\nREADYD_A=never closed\n"));
	ck_assert_ptr_nonnull(strstr(entry_of("a= b=1"), "\nREADYD_A=\nREADYD_B=1\n"));
}
END_TEST

/* What comes from outside begins no field of its own. */
START_TEST(nothing_is_smuggled_in)
{
	const char *s = entry_of("error=\"x\nPRIORITY=0\nMESSAGE_ID=1\" =2 A=3 a.b=4 c=5");

	ck_assert_ptr_null(strstr(s, "\nPRIORITY=0"));
	ck_assert_ptr_null(strstr(s, "\nMESSAGE_ID"));
	ck_assert_ptr_null(strstr(s, "=2\n"));
	ck_assert_ptr_null(strstr(s, "=3\n"));
	ck_assert_ptr_null(strstr(s, "=4\n"));
	ck_assert_ptr_nonnull(strstr(s, "\nREADYD_ERROR=x PRIORITY=0 MESSAGE_ID=1\nREADYD_C=5\n"));
}
END_TEST

START_TEST(events)
{
	ck_assert_str_eq(journal_event("refused=QUOTA_SESSIONS uid=1")->name, "refused");
	ck_assert_str_eq(journal_event("ready socket=/x uid=1")->name, "ready");
	ck_assert_str_eq(journal_event("lost=7 agent=died uid=1")->name, "agent_lost");
	ck_assert_str_eq(journal_event("child=agent uid=1 pid=2 stuck=yes why=\"x\"")->name,
		"process_stuck");
	ck_assert_ptr_null(journal_event("child=agent uid=1 pid=2 stuck=no"));
	ck_assert_ptr_null(journal_event("ready2"));
	ck_assert_ptr_null(journal_event("agent=started uid=1"));
	ck_assert_ptr_null(journal_event("lost=7"));
	ck_assert_ptr_null(journal_event(""));
}
END_TEST

/* Fields that have no room are not there; those that are, are whole. */
START_TEST(too_long)
{
	char line[512];
	size_t n;

	memset(line, 'x', sizeof(line));
	memcpy(line, "a=", 2);
	line[sizeof(line) - 1] = 0;
	n = journal_entry(entry, 700, 3, line);
	ck_assert_uint_le(n, 700);
	ck_assert_int_eq(entry[n - 1], '\n');
	entry[n] = 0;
	ck_assert_ptr_null(strstr(entry, "READYD_A"));
	ck_assert_ptr_nonnull(strstr(entry, "\nPRIORITY=3\nSYSLOG_IDENTIFIER=readyd\n"));
}
END_TEST

START_TEST(an_entry_is_sent)
{
	char got[JOURNAL_ENTRY_BYTES];
	ssize_t n;

	ck_assert_int_eq(log_to_journal(path), 0);
	log_set_level(LOG_P_INFO);
	log_line(LOG_P_ERROR, "agent=failing uid=%u", 7u);
	n = recv(journal, got, sizeof(got) - 1, 0);
	ck_assert_int_gt(n, 0);
	got[n] = 0;
	ck_assert_ptr_nonnull(strstr(got, "MESSAGE=agent=failing uid=7\nPRIORITY=3\n"));
	ck_assert_ptr_nonnull(strstr(got, "\nREADYD_EVENT=agent_failing\n"));
}
END_TEST

/* A journal that is full, or gone, is not waited for, and its lines are not lost. */
START_TEST(a_journal_that_takes_nothing)
{
	int out[2], saved = dup(STDERR_FILENO), sock = journal_open(path), r = 0;
	char got[512];
	ssize_t n;

	ck_assert_int_ge(sock, 0);
	for (int i = 0; r == 0; i++) {
		ck_assert_int_lt(i, 100000);
		r = journal_send(sock, path, "A=1\n", 4);
	}
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_eq(pipe(out), 0);
	dup2(out[1], STDERR_FILENO);
	ck_assert_int_eq(log_to_journal(path), 0);
	log_line(LOG_P_ERROR, "full=1");
	unlink(path);
	log_line(LOG_P_ERROR, "gone=1");
	dup2(saved, STDERR_FILENO);
	n = read(out[0], got, sizeof(got) - 1);
	got[n > 0 ? n : 0] = 0;
	ck_assert_str_eq(got, "<3>readyd: full=1\n<3>readyd: gone=1\n");
	ck_assert_int_eq(journal_send(sock, path, "A=1\n", 4), -ENOENT);
	ck_assert_int_eq(journal_open(path), -ENOENT);
	ck_assert_int_eq(log_to_journal(path), -ENOENT);
	memset(got, 'x', sizeof(got));
	got[sizeof(got) - 1] = 0;
	ck_assert_int_eq(journal_send(sock, got, "A=1\n", 4), -ENAMETOOLONG);
	ck_assert_int_eq(journal_open(got), -ENAMETOOLONG);
	rdy__fd_close(sock);
	rdy__fd_close(saved);
	rdy__fd_close(out[0]);
	rdy__fd_close(out[1]);
}
END_TEST

START_TEST(where_standard_error_leads)
{
	static const char *const wrong[] = {"", "1", "1:", "1:2", "x:y", "1:2:3"};
	char right[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(right, sizeof(right), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	unsetenv("JOURNAL_STREAM");
	ck_assert(!journal_has_stderr());
	setenv("JOURNAL_STREAM", right, 1);
	ck_assert(journal_has_stderr());
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("JOURNAL_STREAM", wrong[i], 1);
		ck_assert_msg(!journal_has_stderr(), "%s", wrong[i]);
	}
	unsetenv("JOURNAL_STREAM");
}
END_TEST

UNIT_MAIN_WITH("supervisor/journal", setup, teardown, fields_of_a_line, nothing_is_smuggled_in,
	events, too_long, an_entry_is_sent, a_journal_that_takes_nothing,
	where_standard_error_leads)
