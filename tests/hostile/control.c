/* SPDX-License-Identifier: MIT */
/*
 * Bad manners on the control socket: what is said there is nonsense, too much, half of something or nothing, and an
 * administrator is answered all the while.
 */
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "attack.h"
#include "base/clock.h"
#include "base/fd.h"
#include "unit.h"
#include "varlink.h"

#define STATUS "{\"method\":\"io.readyd.Status\"}"
#define SESSIONS "{\"method\":\"io.readyd.ListSessions\",\"more\":true}"
#define ADMIN_CALLS 20
#define HELD 6 /* of 8 connections that a user may have */
#define IDLE 1000
#define PIPELINED 3000u

/* ---- the administrator ---- */

static struct varlink admin;
static int64_t admin_worst_ns;

static void admin_comes(const struct instance *in, const struct attack *a)
{
	(void)a;
	admin_worst_ns = 0;
	varlink_open(&admin, in, geteuid());
	varlink_do(&admin, STATUS);
}

static void admin_asks(const struct instance *in)
{
	(void)in;
	for (int i = 0; i < ADMIN_CALLS; i++) {
		int64_t took = now_ns();

		varlink_do(&admin, STATUS);
		took = now_ns() - took;
		admin_worst_ns = took > admin_worst_ns ? took : admin_worst_ns;
	}
}

/* As attack(), with the administrator beside it. */
static void attack_control(struct attack *a)
{
	a->begin = admin_comes;
	a->meanwhile = admin_asks;
	attack(a);
	varlink_close(&admin);
	note("%s: the administrator's longest call took %lld ms", a->name,
		(long long)(admin_worst_ns / RDY__NS_PER_MS));
	need_int(admin_worst_ns, <, PATIENCE_MS * RDY__NS_PER_MS / 10);
}

/* ---- the attacker ---- */

/* All of it, or what is taken before the other side has had enough. */
static void send_all(int sock, const char *bytes, size_t n)
{
	struct pollfd p = {.fd = sock, .events = POLLOUT};

	while (n) {
		ssize_t k = send(sock, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k < 0 && errno == EAGAIN) {
			need_int(poll(&p, 1, PATIENCE_MS), ==, 1);
			continue;
		}
		if (k < 0)
			return;
		bytes += k;
		n -= (size_t)k;
	}
}

/* Is the reply a refusal, because the connections of the round before have not all ended yet? */
static bool is_busy(const struct control_reply *r)
{
	return r->error == CONTROL_E_BUSY;
}

/* Send these bytes; this error comes, and then the end. */
static void expect_error(
	const struct instance *in, const char *bytes, size_t n, enum control_error error)
{
	int64_t start = now_ns();
	struct control_reply reply;
	struct varlink v;
	bool again;

	do {
		varlink_open(&v, in, UID_ATTACKER);
		send_all(v.sock, bytes, n);
		need(varlink_read(&v, &reply) == 1, "no reply to %zu bytes", n);
		again = is_busy(&reply);
		if (!again)
			need(reply.error == error, "%s", reply.name);
		control_reply_deinit(&reply);
		need_int(varlink_read(&v, &reply), ==, 0);
		varlink_close(&v);
	} while (again && look_again(start));
	need(!again, "always refused");
}

static void nesting(const struct instance *in, uint32_t n, void *arg)
{
	static char deep[100001];
	/* As deep as a message can be; and deeper than that. */
	size_t depth = n % 2 ? CONTROL_MESSAGE_MAX - 1 : sizeof(deep) - 1;

	(void)arg;
	memset(deep, n % 4 < 2 ? '[' : '{', depth);
	if (n % 4 >= 2)
		for (size_t i = 0; i + 5 <= depth; i += 5)
			memcpy(deep + i, "{\"a\":", 5);
	deep[depth] = 0;
	expect_error(
		in, deep, depth + 1, n % 2 ? CONTROL_E_INVALID_PARAMETER : CONTROL_E_TOO_LARGE);
}

START_TEST(deep_nesting)
{
	struct attack a = {.name = "deep_nesting", .round = nesting};

	attack_control(&a);
}
END_TEST

static void long_line(const struct instance *in, uint32_t n, void *arg)
{
	static char line[1 << 20];

	(void)arg;
	memset(line, n % 2 ? 'a' : ' ', sizeof(line));
	/* With an end that is too late, and without one. */
	line[sizeof(line) - 1] = n % 4 < 2 ? 0 : ' ';
	expect_error(in, line, sizeof(line), CONTROL_E_TOO_LARGE);
}

START_TEST(a_long_line)
{
	struct attack a = {.name = "a_long_line", .round = long_line};

	attack_control(&a);
}
END_TEST

static void not_text(const struct instance *in, uint32_t n, void *arg)
{
	static const char *const texts[] = {"{\"method\":\"io.readyd.\xff\xfe\"}", /* no UTF-8 */
		"{\"method\":\"io.readyd.\xc0\xaf\"}",	       /* longer than it need be */
		"{\"method\":\"io.readyd.\xed\xa0\x80\"}",     /* half a pair */
		"{\"method\":\"io.readyd.\xf4\x90\x80\x80\"}", /* beyond the last one */
		"{\"method\":\"io.readyd.Status\",\"parameters\":{\"\xe2\x82\":1}}",
		"{\"method\":\"io.readyd.Status\\u0000\"}", "\xef\xbb\xbf{}", "", " ", "null",
		"1e999", "{\"method\":1}", "{\"method\":\"x\",\"method\":\"y\"}", "[]", "{}{}",
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"{\"method\":\"io.readyd.Status\",\"more\":1}",
		"{\"method\":\"io.readyd.Status\",\"parameters\":[]}"};
	const char *text = texts[n % (sizeof(texts) / sizeof(texts[0]))];

	(void)arg;
	expect_error(in, text, strlen(text) + 1, CONTROL_E_INVALID_PARAMETER);
}

START_TEST(invalid_text)
{
	struct attack a = {.name = "invalid_text", .round = not_text, .rounds = 40};

	attack_control(&a);
}
END_TEST

/* One more connection, on which everything is as it should be. */
static void behave(const struct instance *in)
{
	int64_t start = now_ns();
	enum control_error e;
	struct varlink v;

	do {
		varlink_open(&v, in, UID_ATTACKER);
		e = varlink_error(&v, STATUS);
		varlink_close(&v);
	} while (e == CONTROL_E_BUSY && look_again(start));
	need_int(e, ==, CONTROL_OK);
}

static const char half[] = "{\"method\":\"io.readyd.Status\",\"parameters\":{\"a\":\"";

/* The first round leaves them behind; they stay to the attacker's end. */
static void half_and_silence(const struct instance *in, uint32_t n, void *arg)
{
	struct varlink v;

	(void)arg;
	if (n == 0) {
		for (int i = 0; i < HELD; i++) {
			varlink_open(&v, in, UID_ATTACKER);
			send_all(v.sock, half, sizeof(half) - 1);
		}
	}
	behave(in);
}

START_TEST(half_a_message_and_silence)
{
	struct attack a = {
		.name = "half_a_message_and_silence", .round = half_and_silence, .dies = true};

	attack_control(&a);
}
END_TEST

/* A process that says half a message, or a call and a half, and is killed. */
static void half_and_death(const struct instance *in, uint32_t n, void *arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		struct varlink v;

		varlink_open(&v, in, UID_ATTACKER);
		if (n % 2)
			send_all(v.sock, SESSIONS, sizeof(SESSIONS));
		send_all(v.sock, half, sizeof(half) - 1);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	need_int(waitpid(pid, &status, 0), ==, pid);
	need(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);
}

START_TEST(half_a_message_and_death)
{
	struct attack a = {
		.name = "half_a_message_and_death", .round = half_and_death, .rounds = 100};

	attack_control(&a);
}
END_TEST

static void more_descriptors(void *arg)
{
	struct rlimit l;

	(void)arg;
	need(getrlimit(RLIMIT_NOFILE, &l) == 0, "%s", strerror(errno));
	l.rlim_cur = l.rlim_max = l.rlim_max > IDLE + 500 ? l.rlim_max : IDLE + 500;
	need(setrlimit(RLIMIT_NOFILE, &l) == 0, "%s", strerror(errno));
}

/* All that are let in say nothing. */
static void idle_peers(const struct instance *in, uint32_t n, void *arg)
{
	struct control_reply reply;
	struct varlink v;

	(void)arg;
	for (int i = 0; n == 0 && i < IDLE; i++) {
		varlink_open(&v, in, UID_ATTACKER);
		if (i % 2)
			send_all(v.sock, half, sizeof(half) - 1);
	}
	varlink_open(&v, in, UID_ATTACKER);
	need_int(varlink_read(&v, &reply), ==, 1);
	need(is_busy(&reply), "%s", reply.name);
	control_reply_deinit(&reply);
	varlink_close(&v);
}

/* So many are let in, and take every place there is but the administrators'. */
START_TEST(a_thousand_idle_peers)
{
	struct attack a = {.name = "a_thousand_idle_peers",
		.round = idle_peers,
		.prepare = more_descriptors,
		.rounds = 5,
		.options = {"limits.control=1000", "quota.default.control=1000"},
		.dies = true};

	attack_control(&a);
}
END_TEST

/* And here all but a few are turned away. */
static void refused_peers(const struct instance *in, uint32_t n, void *arg)
{
	struct varlink v[40];

	(void)arg;
	(void)n;
	for (size_t i = 0; i < 40; i++)
		varlink_open(&v[i], in, UID_ATTACKER);
	for (size_t i = 0; i < 40; i++)
		varlink_close(&v[i]);
}

START_TEST(refused)
{
	struct attack a = {.name = "refused", .round = refused_peers};

	attack_control(&a);
}
END_TEST

/* A kernel that can be told so does not send them; on any other they are the end of it. */
static void with_descriptors(const struct instance *in, uint32_t n, void *arg)
{
	int pipes[2], fds[RDY__FDS_MAX], r;
	struct control_reply reply;
	struct varlink v;

	(void)arg;
	(void)n;
	need(pipe(pipes) == 0, "%s", strerror(errno));
	for (size_t i = 0; i < RDY__FDS_MAX; i++)
		fds[i] = pipes[i % 2];
	varlink_open(&v, in, UID_ATTACKER);
	r = rdy__send_fds(v.sock, STATUS, sizeof(STATUS), fds, n % 2 ? 1 : RDY__FDS_MAX);
	need(r != -EPERM || !harness_old_kernel(), "the kernel refuses it");
	if (r == 0) {
		for (int i = 0; i < 3 && r == 0; i++)
			r = rdy__send_fds(v.sock, "x", 1, fds, RDY__FDS_MAX);
		/* No reply but that there is no place. */
		while (varlink_read(&v, &reply) == 1) {
			need(is_busy(&reply), "%s", reply.name);
			control_reply_deinit(&reply);
		}
	} else if (r == -ETOOMANYREFS) {
		/* His own bound: those of refused connections are in flight for a while. */
		need(harness_old_kernel(), "%s", strerror(-r));
	} else if (r != -EPIPE && r != -ECONNRESET) {
		need_int(r, ==, -EPERM);
		varlink_send(&v, STATUS);
		need_int(varlink_read(&v, &reply), ==, 1);
		need(reply.error == CONTROL_OK || is_busy(&reply), "%s", reply.name);
		control_reply_deinit(&reply);
	}
	varlink_close(&v);
	close(pipes[0]);
	close(pipes[1]);
}

START_TEST(descriptors)
{
	struct attack a = {.name = "descriptors", .round = with_descriptors, .rounds = 50};

	attack_control(&a);
}
END_TEST

/* Calls as long as somebody takes them. */
static void call_until_full(int sock, const char *text, size_t n)
{
	struct pollfd p = {.fd = sock, .events = POLLOUT};

	while (poll(&p, 1, 100) == 1 && !(p.revents & (POLLERR | POLLHUP)))
		if (send(sock, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			return;
}

static void never_reads(const struct instance *in, uint32_t n, void *arg)
{
	struct varlink v;

	(void)arg;
	if (n == 0) {
		for (int i = 0; i < HELD; i++) {
			varlink_open(&v, in, UID_ATTACKER);
			call_until_full(v.sock, i % 2 ? SESSIONS : STATUS,
				i % 2 ? sizeof(SESSIONS) : sizeof(STATUS));
		}
	}
	behave(in);
}

START_TEST(calls_and_never_reads)
{
	struct attack a = {.name = "calls_and_never_reads", .round = never_reads, .dies = true};

	attack_control(&a);
}
END_TEST

/* The longest text that there is, asked for again and again by somebody who goes before it comes. */
static void calls_and_goes(const struct instance *in, uint32_t n, void *arg)
{
	static const char text[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				   "\"parameters\":{\"interface\":\"io.readyd\"}}";
	struct varlink v;

	(void)arg;
	varlink_open(&v, in, UID_ATTACKER);
	for (uint32_t i = 0; i < 200; i++)
		if (send(v.sock, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	if (n % 2)
		shutdown(v.sock, SHUT_RD);
	varlink_close(&v);
}

START_TEST(calls_and_is_gone)
{
	struct attack a = {.name = "calls_and_is_gone", .round = calls_and_goes, .rounds = 50};

	attack_control(&a);
}
END_TEST

/* Some bytes of the calls that are left, in pieces that end anywhere. */
static void send_piece(int sock, uint32_t *sent, size_t *at, uint32_t n)
{
	size_t left = sizeof(STATUS) - *at, piece = 1 + (n + *sent) % left;
	ssize_t k = send(sock, &STATUS[*at], piece, MSG_DONTWAIT | MSG_NOSIGNAL);

	need(k > 0 || errno == EAGAIN || errno == EPIPE, "%s", strerror(errno));
	if (k > 0)
		*at += (size_t)k;
	if (*at == sizeof(STATUS)) {
		*at = 0;
		++*sent;
	}
}

/* The replies that are there. Returns false when it was refused. */
static bool take_replies(struct varlink *v, uint32_t *got)
{
	struct control_reply reply;
	const char *text;
	char buf[16384];
	ssize_t k = recv(v->sock, buf, sizeof(buf), MSG_DONTWAIT);
	size_t n;

	need(k > 0, "%zd after %u replies", k, *got);
	need_int(control_inbox_put(&v->in, buf, (size_t)k), ==, 0);
	while (control_inbox_next(&v->in, &text, &n) == 1) {
		bool busy;

		need_int(control_reply_parse(text, n, &reply), ==, 0);
		busy = is_busy(&reply);
		need(busy || reply.error == CONTROL_OK, "%s", reply.name);
		control_reply_deinit(&reply);
		if (busy)
			return false;
		++*got;
	}
	return true;
}

/* All of them are answered, whatever is sent meanwhile. */
static void pipeline(const struct instance *in, uint32_t n, void *arg)
{
	uint32_t sent = 0, got = 0;
	size_t at = 0;
	struct varlink v;

	(void)arg;
	varlink_open(&v, in, UID_ATTACKER);
	while (got < PIPELINED) {
		struct pollfd p = {
			.fd = v.sock, .events = POLLIN | (sent < PIPELINED ? POLLOUT : 0)};

		need_int(poll(&p, 1, PATIENCE_MS), ==, 1);
		if (p.revents & POLLOUT)
			send_piece(v.sock, &sent, &at, n);
		if (p.revents & POLLIN && !take_replies(&v, &got)) {
			/* The one of the round before is still there. */
			varlink_close(&v);
			varlink_open(&v, in, UID_ATTACKER);
			sent = got = 0;
			at = 0;
		}
	}
	need_int(sent, ==, PIPELINED);
	varlink_close(&v);
}

START_TEST(thousands_of_calls)
{
	struct attack a = {.name = "thousands_of_calls", .round = pipeline, .rounds = 2};

	attack_control(&a);
}
END_TEST

UNIT_MAIN("hostile/control", deep_nesting, a_long_line, invalid_text, half_a_message_and_silence,
	half_a_message_and_death, a_thousand_idle_peers, refused, descriptors,
	calls_and_never_reads, calls_and_is_gone, thousands_of_calls)
