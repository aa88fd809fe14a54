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

static const struct channel_query query = {.cursor = UINT64_MAX,
	.session = 7,
	.query = 5,
	.kind = CHANNEL_ROWS_SESSIONS,
	.rows_max = CHANNEL_ROWS_MAX};

static const struct channel_snapshot snapshot = {.epoch = 9,
	.program = 8,
	.uid = 1000,
	.n_sessions = 3,
	.closer = 17,
	.flags = CHANNEL_FROZEN};

static const struct channel_snapshot_session remembered = {
	.session = 4, .uid = 1000, .gid = 100, .pid = 4711, .since_ns = INT64_MAX};

static const struct channel_rows rows = {
	.next_cursor = 6, .query = 5, .kind = CHANNEL_ROWS_SESSIONS, .n_rows = 2};

static const struct channel_row_session row_data[CHANNEL_ROWS_MAX];

#define N_SAMPLES 26

static size_t samples(struct sample *s)
{
	const struct sample all[N_SAMPLES] = {
		{{CHANNEL_CONFIG, 0, {.config = config}, NULL, 0}, 104, 0, 0},
		{{CHANNEL_SESSION, 0, {.session = session}, NULL, 0}, 40, 1, 2},
		{{CHANNEL_REFUSE, 0, {.session = refusal}, NULL, 0}, 40, 1, 1},
		{{CHANNEL_CLOSER, 0, {{0}}, NULL, 0}, 8, 1, 1},
		{{CHANNEL_END, 0, {{0}}, NULL, 0}, 8, 0, 0},
		{{CHANNEL_HELLO, 0, {{0}}, NULL, 0}, 8, 0, 0},
		{{CHANNEL_TAKEN, 0, {.session = {.session = 5}}, NULL, 0}, 16, 0, 0},
		{{CHANNEL_SESSION_END, 0, {.session = {.session = UINT64_MAX}}, NULL, 0}, 16, 0, 0},
		{{CHANNEL_CLOSER_STUCK, 0, {{0}}, NULL, 0}, 8, 0, 0},
		{{CHANNEL_CLOSER_GONE, 0, {{0}}, NULL, 0}, 8, 0, 0},
		{{CHANNEL_IDLE, 0, {{0}}, NULL, 0}, 8, 0, 0},
		{{CHANNEL_ADOPT, 0, {.adopt = {.epoch = 0}}, NULL, 0}, 16, 0, 0},
		{{CHANNEL_QUERY, 0, {.query = query}, NULL, 0}, 40, 0, 0},
		{{CHANNEL_KICK, 0, {.session = {.session = 1}}, NULL, 0}, 16, 0, 0},
		{{CHANNEL_CONTROL, 0, {.session = session}, NULL, 0}, 40, 1, 2},
		{{CHANNEL_CONTROL_DATA, 0, {.control = {.session = 3}}, "call", 5}, 29, 0, 0},
		{{CHANNEL_CONTROL_DATA, 0,
			 {.control = {.session = 3, .flags = CHANNEL_CONTROL_LAST}}, NULL, 0},
			24, 0, 0},
		{{CHANNEL_CONTROL_CREDIT, 0,
			 {.control = {.session = 3, .n_bytes = CHANNEL_CONTROL_WINDOW}}, NULL, 0},
			24, 0, 0},
		{{CHANNEL_TAKE_OVER, 0, {{0}}, NULL, 0}, 8, 1, 1},
		{{CHANNEL_HAND_OVER, 0, {{0}}, NULL, 0}, 8, 1, 1},
		{{CHANNEL_SNAPSHOT, 0, {.snapshot = snapshot}, NULL, 0}, 40, 0, 0},
		{{CHANNEL_SNAPSHOT_SESSION, 0, {.snapshot_session = remembered}, NULL, 0}, 40, 0,
			0},
		{{CHANNEL_ROWS, 0, {.rows = rows}, row_data, 2 * sizeof(row_data[0])}, 240, 0, 0},
		{{CHANNEL_TAKEN_OVER, 0, {.count = 0}, NULL, 0}, 16, 0, 0},
		{{CHANNEL_HANDED_OVER, 0, {.count = UINT64_MAX}, NULL, 0}, 16, 0, 0},
		{{CHANNEL_HANDOVER_FAILED, 0, {{0}}, NULL, 0}, 8, 0, 0},
	};

	memcpy(s, all, sizeof(all));
	return N_SAMPLES;
}

/* What version 1 has: everything up to and with IDLE. */
#define N_SAMPLES_1 11

/* Bytes of any length may follow. */
static bool is_long(const struct sample *s, size_t n_bytes)
{
	size_t most = s->n_bytes - s->m.n_data + CHANNEL_DATA_MAX;

	return s->m.type == CHANNEL_CONTROL_DATA && n_bytes <= most &&
	       n_bytes > s->n_bytes - s->m.n_data;
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
		uint8_t buf[512], again[sizeof(buf)];
		struct channel_message out;
		size_t n_body = s[i].n_bytes - 8 - s[i].m.n_data;

		ck_assert_uint_eq(channel_encode(buf, &s[i].m), s[i].n_bytes);
		for (size_t fds = s[i].fds_min; fds <= s[i].fds_max; fds++) {
			ck_assert_int_eq(channel_decode(buf, s[i].n_bytes, fds, &out), 0);
			ck_assert_uint_eq(out.type, s[i].m.type);
			ck_assert_uint_eq(out.version, CHANNEL_VERSION);
			ck_assert_mem_eq(&out.u, &s[i].m.u, n_body);
			for (size_t k = n_body; k < sizeof(out.u); k++)
				ck_assert_uint_eq(((uint8_t *)&out.u)[k], 0);
			ck_assert_uint_eq(out.n_data, s[i].m.n_data);
			ck_assert(out.data == (out.n_data ? buf + 8 + n_body : NULL));
			if (out.n_data)
				ck_assert_mem_eq(out.data, s[i].m.data, out.n_data);
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
		static uint8_t buf[CHANNEL_BYTES_MAX + 64];

		memset(buf, 0, sizeof(buf));
		channel_encode(buf, &s[i].m);
		for (size_t len = 0; len <= sizeof(buf); len += len < 512 ? 1 : 97)
			if (len != s[i].n_bytes && !is_long(&s[i], len))
				refused(buf, len, s[i].fds_min);
		/* The rows that are said to be there, and not one more, whatever their kind. */
		refused(buf, sizeof(buf), s[i].fds_min);
	}
}
END_TEST

START_TEST(every_other_count_of_descriptors_is_refused)
{
	struct sample s[N_SAMPLES];
	size_t n = samples(s);

	for (size_t i = 0; i < n; i++) {
		uint8_t buf[512];
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
	const uint32_t versions[] = {
		CHANNEL_VERSION_OLDEST - 1, CHANNEL_VERSION + 1, 256, UINT32_MAX};
	struct sample s[N_SAMPLES];
	size_t n = samples(s);
	uint8_t buf[512];

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
		if (known)
			continue;
		memset(buf, 0, sizeof(buf));
		patch32(buf, 0, type);
		patch32(buf, 4, CHANNEL_VERSION);
		for (size_t len = 0; len <= sizeof(struct channel_message); len++)
			refused(buf, len, 0);
	}
}
END_TEST

/* What the version before this one says, and what it could not have said. */
START_TEST(the_version_before)
{
	struct sample s[N_SAMPLES];
	size_t n = samples(s);
	struct channel_message out;
	uint8_t buf[512];

	_Static_assert(CHANNEL_VERSION == 2, "a new version has its own table");
	for (size_t i = 0; i < n; i++) {
		size_t len, want = s[i].m.type == CHANNEL_CONFIG ? 56 : s[i].n_bytes;

		if (i >= N_SAMPLES_1) {
			len = channel_encode(buf, &s[i].m);
			patch32(buf, 4, 1);
			refused(buf, len, s[i].fds_min);
			continue;
		}
		s[i].m.version = 1;
		len = channel_encode(buf, &s[i].m);
		ck_assert_uint_eq(len, want);
		ck_assert_int_eq(channel_decode(buf, len, s[i].fds_min, &out), 0);
		ck_assert_uint_eq(out.version, 1);
		ck_assert_uint_eq(channel_encode(buf, &out), len);
		if (s[i].m.type != CHANNEL_CONFIG) {
			ck_assert_mem_eq(&out.u, &s[i].m.u, len - 8);
			continue;
		}
		/* Completed: what it did not say has a value that is possible. */
		ck_assert_mem_eq(&out.u, &s[i].m.u, 48);
		ck_assert_uint_eq(out.u.config.reactors, 1);
		ck_assert_uint_eq(out.u.config.log_level, 6);
		ck_assert_uint_eq(out.u.config.flood_rate, 0);
		ck_assert_int_eq(out.u.config.grace_ns, 0);
		out.version = 0;
		ck_assert_uint_eq(channel_encode(buf, &out), 104);
		ck_assert_int_eq(channel_decode(buf, 104, 0, &out), 0);
	}
	/* Neither has the length of the other. */
	memset(buf, 0, sizeof(buf));
	channel_encode(buf, &s[0].m);
	for (size_t len = 0; len <= sizeof(buf); len++)
		if (len != 56)
			refused(buf, len, 0);
	/* It could not freeze. */
	s[0].m.u.config.flags = CHANNEL_FROZEN;
	refused(buf, channel_encode(buf, &s[0].m), 0);
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
	ck_assert(CONFIG_WITH(kinds_refused, CHANNEL_KINDS));
	ck_assert(!CONFIG_WITH(kinds_refused, 1));
	ck_assert(!CONFIG_WITH(kinds_refused, CHANNEL_KINDS + 2));
	ck_assert(!CONFIG_WITH(hello_timeout_ns, 0));
	ck_assert(!CONFIG_WITH(hello_timeout_ns, -1));
	ck_assert(CONFIG_WITH(idle_exit_ns, 0));
	ck_assert(CONFIG_WITH(flags, CHANNEL_FROZEN));
	ck_assert(!CONFIG_WITH(flags, CHANNEL_FROZEN << 1));
	ck_assert(!CONFIG_WITH(reactors, 0));
	ck_assert(!CONFIG_WITH(reactors, CHANNEL_REACTORS_MAX + 1));
	ck_assert(CONFIG_WITH(reactors, CHANNEL_REACTORS_MAX));
	ck_assert(CONFIG_WITH(log_level, 7));
	ck_assert(!CONFIG_WITH(log_level, 8));
	ck_assert(CONFIG_WITH(grace_ns, -1));
	ck_assert(CONFIG_WITH(supervisor, 0));
	ck_assert(!CONFIG_WITH(supervisor, -1));
	ck_assert(CONFIG_WITH(closer, 0));
	ck_assert(!CONFIG_WITH(closer, -1));
}
END_TEST

static bool passes(const struct channel_message *m)
{
	static uint8_t buf[CHANNEL_BYTES_MAX];
	struct channel_message out;
	size_t len = channel_encode(buf, m);

	if (channel_decode(buf, len, 0, &out) == 0)
		return true;
	refused(buf, len, 0);
	return false;
}

/* Of a message of that type with one field changed. */
#define PASSES_WITH(message_type, member, from, field, value) \
	({ \
		struct channel_message m_ = {.type = (message_type), .u.member = (from)}; \
		m_.u.member.field = (value); \
		passes(&m_); \
	})

START_TEST(impossible_queries)
{
#define QUERY_WITH(field, value) PASSES_WITH(CHANNEL_QUERY, query, query, field, value)
	ck_assert(QUERY_WITH(cursor, 0));
	ck_assert(QUERY_WITH(session, 0));
	ck_assert(QUERY_WITH(query, UINT32_MAX));
	ck_assert(!QUERY_WITH(kind, 0));
	ck_assert(QUERY_WITH(kind, CHANNEL_ROWS_REACTORS));
	ck_assert(QUERY_WITH(kind, CHANNEL_ROWS_REGISTRATIONS));
	ck_assert(!QUERY_WITH(kind, CHANNEL_ROWS_REGISTRATIONS + 1));
	ck_assert(!QUERY_WITH(rows_max, 0));
	ck_assert(QUERY_WITH(rows_max, 1));
	ck_assert(!QUERY_WITH(rows_max, CHANNEL_ROWS_MAX + 1));
	ck_assert(!QUERY_WITH(pad0, 1));
}
END_TEST

START_TEST(impossible_rows)
{
	static const uint8_t data[CHANNEL_DATA_MAX];

	for (uint32_t kind = 0; kind < 5; kind++) {
		size_t row = channel_row_bytes(kind);

		ck_assert((row != 0) == (kind >= 1 && kind <= 3));
		for (uint32_t n = 0; n <= CHANNEL_ROWS_MAX + 1; n += n < 3 ? 1 : 63) {
			struct channel_message m = {
				.type = CHANNEL_ROWS,
				.u.rows = {.kind = kind, .n_rows = n},
				.data = data,
				.n_data = n * row,
			};
			bool possible = row && n <= CHANNEL_ROWS_MAX;

			ck_assert(passes(&m) == possible);
			m.u.rows.n_rows++;
			ck_assert(!passes(&m));
			m.u.rows.n_rows--;
			m.u.rows.pad0 = 1;
			ck_assert(!passes(&m));
			m.u.rows.pad0 = 0;
			m.n_data++;
			ck_assert(!passes(&m));
		}
	}
}
END_TEST

START_TEST(impossible_control)
{
	static const uint8_t data[CHANNEL_DATA_MAX];
	const struct channel_control c = {.session = 1, .n_bytes = 1};
	struct channel_message m = {.type = CHANNEL_CONTROL_DATA,
		.u.control = {.session = 1},
		.data = data,
		.n_data = CHANNEL_DATA_MAX};

#define CREDIT_WITH(field, value) PASSES_WITH(CHANNEL_CONTROL_CREDIT, control, c, field, value)
	ck_assert(CREDIT_WITH(n_bytes, CHANNEL_CONTROL_WINDOW));
	ck_assert(!CREDIT_WITH(n_bytes, CHANNEL_CONTROL_WINDOW + 1));
	ck_assert(!CREDIT_WITH(n_bytes, 0));
	ck_assert(!CREDIT_WITH(session, 0));
	ck_assert(!CREDIT_WITH(flags, CHANNEL_CONTROL_LAST));
	ck_assert(passes(&m));
	m.n_data = 1;
	ck_assert(passes(&m));
	m.u.control.flags = CHANNEL_CONTROL_LAST;
	ck_assert(passes(&m));
	m.u.control.flags = CHANNEL_CONTROL_LAST << 1;
	ck_assert(!passes(&m));
	m.u.control.flags = 0;
	m.u.control.n_bytes = 1;
	ck_assert(!passes(&m));
	m.u.control.n_bytes = 0;
	m.u.control.session = 0;
	ck_assert(!passes(&m));
	m.u.control.session = 1;
	/* It says nothing. */
	m.n_data = 0;
	ck_assert(!passes(&m));
	m.u.control.flags = CHANNEL_CONTROL_LAST;
	ck_assert(passes(&m));
}
END_TEST

START_TEST(impossible_snapshots)
{
#define SNAPSHOT_WITH(field, value) PASSES_WITH(CHANNEL_SNAPSHOT, snapshot, snapshot, field, value)
	ck_assert(SNAPSHOT_WITH(uid, 0));
	ck_assert(!SNAPSHOT_WITH(uid, UINT32_MAX));
	ck_assert(SNAPSHOT_WITH(n_sessions, 0));
	ck_assert(SNAPSHOT_WITH(closer, 0));
	ck_assert(!SNAPSHOT_WITH(closer, -1));
	ck_assert(!SNAPSHOT_WITH(flags, CHANNEL_FROZEN << 1));
#define REMEMBERED_WITH(field, value) \
	PASSES_WITH(CHANNEL_SNAPSHOT_SESSION, snapshot_session, remembered, field, value)
	ck_assert(!REMEMBERED_WITH(session, 0));
	ck_assert(!REMEMBERED_WITH(uid, UINT32_MAX));
	ck_assert(!REMEMBERED_WITH(gid, UINT32_MAX));
	ck_assert(!REMEMBERED_WITH(pid, -1));
	ck_assert(REMEMBERED_WITH(pid, 0));
	ck_assert(!REMEMBERED_WITH(pad0, 1));
	ck_assert(REMEMBERED_WITH(since_ns, 0));
}
END_TEST

static bool session_passes(uint32_t type, struct channel_session s)
{
	struct channel_message m = {.type = type, .u.session = s}, out;
	uint8_t buf[sizeof(m)];
	size_t n_fds = type == CHANNEL_SESSION || type == CHANNEL_REFUSE || type == CHANNEL_CONTROL;
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
	const uint32_t types[] = {CHANNEL_SESSION, CHANNEL_REFUSE, CHANNEL_CONTROL, CHANNEL_TAKEN,
		CHANNEL_SESSION_END, CHANNEL_KICK};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		ck_assert(!SESSION_WITH(
			types[i], types[i] == CHANNEL_REFUSE ? refusal : session, session, 0));
	for (size_t i = 0; i < 3; i++) {
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
	ck_assert(!SESSION_WITH(CHANNEL_CONTROL, session, error, 1));
	ck_assert(!SESSION_WITH(CHANNEL_CONTROL, session, detail, 1));
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
	every_other_count_of_descriptors_is_refused, versions_and_types, the_version_before,
	impossible_configurations, impossible_queries, impossible_rows, impossible_control,
	impossible_snapshots, impossible_sessions, only_what_belongs_travels,
	an_unknown_type_is_not_encoded)
