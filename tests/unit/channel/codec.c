/* SPDX-License-Identifier: MIT */
/* The channel codec: every type, every truncation, every count of descriptors, every impossible value. */
#include "channel/channel.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

struct sample {
	struct channel_message m;
	size_t n_bytes;
	size_t fds_min, fds_max;
};

static const struct channel_config config = {
	.uid = 1000,
	.registrations = 4096,
	.registrations_session = 1024,
	.fd_reserve = 317,
	.send_buffer_bytes = 65536,
	.selector = CHANNEL_SELECTOR_POLL,
	.closer_batch = 64,
	.hello_timeout_ns = 5000000000,
	.idle_exit_ns = -1,
	.reactors = 8,
	.log_level = 6,
	.grace_ns = 5000000000,
	.supervisor = 4711,
};

static const struct channel_session session = {
	.session = 0x0102030405060708, .uid = 1000, .gid = 100, .pid = 4711};

static const struct channel_session refusal = {
	.session = 9, .uid = 1000, .gid = 100, .pid = 0, .error = 12, .detail = 7};

#define N_SAMPLES 11

static size_t samples(struct sample *s)
{
	const struct sample all[N_SAMPLES] = {
		{{CHANNEL_CONFIG, 0, {.config = config}}, 104, 0, 0},
		{{CHANNEL_SESSION, 0, {.session = session}}, 40, 1, 2},
		{{CHANNEL_REFUSE, 0, {.session = refusal}}, 40, 1, 1},
		{{CHANNEL_CLOSER, 0, {{0}}}, 8, 1, 1},
		{{CHANNEL_END, 0, {{0}}}, 8, 0, 0},
		{{CHANNEL_HELLO, 0, {{0}}}, 8, 0, 0},
		{{CHANNEL_TAKEN, 0, {.session = {.session = 5}}}, 16, 0, 0},
		{{CHANNEL_SESSION_END, 0, {.session = {.session = UINT64_MAX}}}, 16, 0, 0},
		{{CHANNEL_CLOSER_STUCK, 0, {{0}}}, 8, 0, 0},
		{{CHANNEL_CLOSER_GONE, 0, {{0}}}, 8, 0, 0},
		{{CHANNEL_IDLE, 0, {{0}}}, 8, 0, 0},
	};

	memcpy(s, all, sizeof(all));
	return N_SAMPLES;
}

/* Decode must refuse, and must leave its output alone. */
static void refused(const uint8_t *buf, size_t n_bytes, size_t n_fds)
{
	struct channel_message out, untouched;
	uint8_t *exact =
		malloc(n_bytes ? n_bytes : 1); /* so that a sanitizer sees a byte too far */

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, buf, n_bytes);
	memset(&out, 0xa5, sizeof(out));
	untouched = out;
	ck_assert_int_eq(channel_decode(exact, n_bytes, n_fds, &out), -EPROTO);
	ck_assert_mem_eq(&out, &untouched, sizeof(out));
	free(exact);
}

START_TEST(every_type_comes_back)
{
	struct sample s[N_SAMPLES];
	size_t n = samples(s);

	for (size_t i = 0; i < n; i++) {
		uint8_t buf[sizeof(struct channel_message)], again[sizeof(buf)];
		struct channel_message out;

		ck_assert_uint_eq(channel_encode(buf, &s[i].m), s[i].n_bytes);
		for (size_t fds = s[i].fds_min; fds <= s[i].fds_max; fds++) {
			ck_assert_int_eq(channel_decode(buf, s[i].n_bytes, fds, &out), 0);
			ck_assert_uint_eq(out.type, s[i].m.type);
			ck_assert_uint_eq(out.version, CHANNEL_VERSION);
			ck_assert_mem_eq(&out.u, &s[i].m.u, s[i].n_bytes - 8);
			for (size_t k = s[i].n_bytes - 8; k < sizeof(out.u); k++)
				ck_assert_uint_eq(((uint8_t *)&out.u)[k], 0);
		}
		ck_assert_uint_eq(channel_encode(again, &out), s[i].n_bytes);
		ck_assert_mem_eq(buf, again, s[i].n_bytes);
	}
}
END_TEST

START_TEST(every_other_length_is_refused)
{
	struct sample s[N_SAMPLES];
	size_t n = samples(s);

	for (size_t i = 0; i < n; i++) {
		uint8_t buf[sizeof(struct channel_message) + 16] = {0};

		channel_encode(buf, &s[i].m);
		for (size_t len = 0; len <= sizeof(buf); len++)
			if (len != s[i].n_bytes)
				refused(buf, len, s[i].fds_min);
	}
}
END_TEST

START_TEST(every_other_count_of_descriptors_is_refused)
{
	struct sample s[N_SAMPLES];
	size_t n = samples(s);

	for (size_t i = 0; i < n; i++) {
		uint8_t buf[sizeof(struct channel_message)];
		size_t len = channel_encode(buf, &s[i].m);

		for (size_t fds = 0; fds < 256; fds++)
			if (fds < s[i].fds_min || fds > s[i].fds_max)
				refused(buf, len, fds);
	}
}
END_TEST

static void patch32(uint8_t *buf, size_t at, uint32_t v)
{
	memcpy(buf + at, &v, sizeof(v));
}

START_TEST(versions_and_types)
{
	const uint32_t versions[] = {0, CHANNEL_VERSION + 1, 256, UINT32_MAX};
	struct sample s[N_SAMPLES];
	size_t n = samples(s);
	uint8_t buf[sizeof(struct channel_message)];

	for (size_t i = 0; i < n; i++) {
		size_t len = channel_encode(buf, &s[i].m);

		for (size_t k = 0; k < sizeof(versions) / sizeof(versions[0]); k++) {
			patch32(buf, 4, versions[k]);
			refused(buf, len, s[i].fds_min);
		}
	}
	/* An unknown type has no length that would be right. */
	for (uint32_t type = 0; type < 300; type++) {
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= s[i].m.type == type;
		if (known || (type >= CHANNEL_ADOPT && type <= CHANNEL_HAND_OVER) ||
			(type >= CHANNEL_SNAPSHOT && type <= CHANNEL_HANDOVER_FAILED))
			continue;
		memset(buf, 0, sizeof(buf));
		patch32(buf, 0, type);
		patch32(buf, 4, CHANNEL_VERSION);
		for (size_t len = 0; len <= sizeof(buf); len++)
			refused(buf, len, 0);
	}
}
END_TEST

static bool config_passes(struct channel_config c)
{
	struct channel_message m = {.type = CHANNEL_CONFIG, .u.config = c}, out;
	uint8_t buf[sizeof(m)];
	size_t len = channel_encode(buf, &m);

	if (channel_decode(buf, len, 0, &out) == 0)
		return true;
	refused(buf, len, 0);
	return false;
}

#define CONFIG_WITH(field, value) \
	({ \
		struct channel_config c_ = config; \
		c_.field = (value); \
		config_passes(c_); \
	})

START_TEST(impossible_configurations)
{
	ck_assert(config_passes(config));
	ck_assert(!CONFIG_WITH(uid, UINT32_MAX));
	ck_assert(CONFIG_WITH(uid, 0));
	ck_assert(!CONFIG_WITH(send_buffer_bytes, UINT32_C(1) << 31));
	ck_assert(CONFIG_WITH(send_buffer_bytes, 0));
	ck_assert(!CONFIG_WITH(selector, CHANNEL_SELECTOR_POLL + 1));
	ck_assert(!CONFIG_WITH(closer_batch, 0));
	ck_assert(!CONFIG_WITH(closer_batch, 65));
	ck_assert(CONFIG_WITH(closer_batch, 1));
	ck_assert(!CONFIG_WITH(pad1, 1));
	ck_assert(!CONFIG_WITH(hello_timeout_ns, 0));
	ck_assert(!CONFIG_WITH(hello_timeout_ns, -1));
	ck_assert(CONFIG_WITH(idle_exit_ns, 0));
}
END_TEST

static bool session_passes(uint32_t type, struct channel_session s)
{
	struct channel_message m = {.type = type, .u.session = s}, out;
	uint8_t buf[sizeof(m)];
	size_t n_fds = type == CHANNEL_SESSION || type == CHANNEL_REFUSE;
	size_t len = channel_encode(buf, &m);

	if (channel_decode(buf, len, n_fds, &out) == 0)
		return true;
	refused(buf, len, n_fds);
	return false;
}

#define SESSION_WITH(type, from, field, value) \
	({ \
		struct channel_session s_ = (from); \
		s_.field = (value); \
		session_passes(type, s_); \
	})

START_TEST(impossible_sessions)
{
	const uint32_t types[] = {
		CHANNEL_SESSION, CHANNEL_REFUSE, CHANNEL_TAKEN, CHANNEL_SESSION_END};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		ck_assert(!SESSION_WITH(
			types[i], types[i] == CHANNEL_REFUSE ? refusal : session, session, 0));
	for (size_t i = 0; i < 2; i++) {
		struct channel_session from = types[i] == CHANNEL_REFUSE ? refusal : session;

		ck_assert(session_passes(types[i], from));
		ck_assert(!SESSION_WITH(types[i], from, uid, UINT32_MAX));
		ck_assert(!SESSION_WITH(types[i], from, gid, UINT32_MAX));
		ck_assert(!SESSION_WITH(types[i], from, pid, -1));
		ck_assert(SESSION_WITH(types[i], from, pid, 0));
		ck_assert(!SESSION_WITH(types[i], from, pad0, 1));
	}
	ck_assert(!SESSION_WITH(CHANNEL_SESSION, session, error, 1));
	ck_assert(!SESSION_WITH(CHANNEL_SESSION, session, detail, 1));
	ck_assert(!SESSION_WITH(CHANNEL_REFUSE, refusal, error, 0));
	ck_assert(SESSION_WITH(CHANNEL_REFUSE, refusal, detail, 0));
}
END_TEST

/* Upward only the number travels, whatever else the struct holds. */
START_TEST(only_what_belongs_travels)
{
	struct channel_message m = {.type = CHANNEL_TAKEN, .u.session = refusal}, out;
	uint8_t buf[sizeof(m)];
	size_t len = channel_encode(buf, &m);

	ck_assert_uint_eq(len, 16);
	ck_assert_int_eq(channel_decode(buf, len, 0, &out), 0);
	ck_assert_uint_eq(out.u.session.session, refusal.session);
	ck_assert_uint_eq(out.u.session.uid, 0);
	ck_assert_uint_eq(out.u.session.error, 0);
}
END_TEST

START_TEST(an_unknown_type_is_not_encoded)
{
	struct channel_message m = {.type = 31};
	uint8_t buf[sizeof(m)];
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(STDERR_FILENO); /* assert() need not be seen */
		signal(SIGABRT, SIG_DFL);
		channel_encode(buf, &m);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
#ifdef NDEBUG
	ck_assert(WIFSIGNALED(status)); /* no assertion, and no way on */
#else
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#endif
}
END_TEST

UNIT_MAIN("channel/codec", every_type_comes_back, every_other_length_is_refused,
	every_other_count_of_descriptors_is_refused, versions_and_types, impossible_configurations,
	impossible_sessions, only_what_belongs_travels, an_unknown_type_is_not_encoded)
