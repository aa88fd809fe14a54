/* SPDX-License-Identifier: MIT */
/* The one table of keys. Help, manual page and defaults are made from it. */
#include "schema.h"

#include "conf/conf.h"

#define AT(member) offsetof(struct conf, member)
#define S UINT64_C(1000000000)

const struct conf_key conf_schema[] = {
	{"agent.idle_exit", CONF_DURATION, AT(idle_exit_ns), 10 * S / 1000, 86400 * S, NULL, "60s",
		"an agent without sessions ends after this"},
	{"closer.batch", CONF_COUNT, AT(closer_batch), 1, 64, NULL, "64",
		"descriptors in one message to a closer"},
	{"limits.fd_reserve", CONF_COUNT, AT(fd_reserve), 320, 65536, "auto", "auto",
		"descriptors an agent keeps free; below it sessions are not read; auto: 253 + 64"},
	{"limits.sessions", CONF_COUNT, AT(limit_sessions), 1, 65536, NULL, "1024",
		"sessions of the whole daemon"},
	{"limits.uids", CONF_COUNT, AT(limit_uids), 1, 4096, NULL, "64",
		"users served at once, each by an agent of its own"},
	{"log.level", CONF_CHOICE, AT(log_level), 0, 0, "error|warning|notice|info|debug", "info",
		"what is logged"},
	{"quota.default.connects_per_s", CONF_RATE, AT(quota_connects_per_s), 1, 100000, NULL, "10",
		"connections a user may make per second, with a burst of twice that"},
	{"quota.default.registrations", CONF_COUNT, AT(quota_registrations), 1, 1000000, NULL,
		"1024", "registrations of a user"},
	{"quota.default.sessions", CONF_COUNT, AT(quota_sessions), 1, 65536, NULL, "32",
		"sessions of a user"},
	{"quota.per_session", CONF_PERCENT, AT(per_session_percent), 1, 100, NULL, "50%",
		"share of the user's registrations that one session may take"},
	{"sandbox", CONF_CHOICE, AT(sandbox), 0, 0, "off|on", "on",
		"system call filter of agents, closers and bouncer"},
	{"selector", CONF_CHOICE, AT(selector), 0, 0, "auto|epoll|poll", "auto",
		"mechanism of the reactors; poll offers oneshot only"},
	{"session.hello_timeout", CONF_DURATION, AT(hello_timeout_ns), 10 * S / 1000, 3600 * S,
		NULL, "5s", "a client must say hello within this"},
	{"session.send_buffer", CONF_SIZE, AT(send_buffer_bytes), 16384, 1 << 24, NULL, "64KiB",
		"what may wait for a client in its socket; beyond that readiness merges"},
	{"sockets.session.group", CONF_NAME, AT(session_group), 0, 0, NULL, "readyd",
		"group of the session socket, where it exists (system instance)"},
	{"sockets.session.mode", CONF_MODE, AT(session_mode), 0, 0777, NULL, "0660",
		"permissions of the session socket (system instance; --user: always 0600)"},
	{"sockets.session.path", CONF_PATH, AT(session_path), 0, 0, NULL, "session.sock",
		"the session socket, relative to the runtime directory"},
	{"user", CONF_NAME, AT(user), 0, 0, NULL, "readyd",
		"who the system instance becomes after it was started as root"},
};

const size_t conf_schema_n = sizeof(conf_schema) / sizeof(conf_schema[0]);
