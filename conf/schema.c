/* SPDX-License-Identifier: MIT */
/* The one table of keys. Help, manual page and defaults are made from it. */
#include "schema.h"

#include "conf/load.h"

#define AT(member) offsetof(struct conf, member)
#define S UINT64_C(1000000000)
#define LIVE true

const struct conf_key conf_schema[] = {
	{"admin.group", CONF_NAME, AT(admin_group), 0, 0, NULL, "readyd-admin",
		"members see and control everything over the control socket, as root does", false},
	{"adoption.grace", CONF_DURATION, AT(grace_ns), 10 * S / 1000, 3600 * S, "off", "5s",
		"how long agents wait for the next readyd when theirs has died; off: they end with "
		"it",
		false},
	{"agent.heartbeat", CONF_DURATION, AT(heartbeat_ns), S / 10, 60 * S, NULL, "2s",
		"an agent that owes an answer for longer is wedged: it is killed and replaced",
		LIVE},
	{"agent.idle_exit", CONF_DURATION, AT(idle_exit_ns), 10 * S / 1000, 86400 * S, NULL, "60s",
		"an agent without sessions ends after this", LIVE},
	{"closer.batch", CONF_COUNT, AT(closer_batch), 1, 64, NULL, "16",
		"descriptors in one message to a closer", false},
	{"delivery.flood_burst", CONF_COUNT, AT(flood_burst), 1, 65535, NULL, "2000",
		"events at once of one edge registration before its rate counts", LIVE},
	{"delivery.flood_rate", CONF_RATE, AT(flood_rate), 1, 1000000, "off", "10000/s",
		"events of one edge registration; above it, it is silent for a while; off: no "
		"bound",
		LIVE},
	{"kinds", CONF_SET, AT(kinds), 0, 0, "tcp|udp|unix|pipe|eventfd|timerfd|pidfd|inotify|pty",
		"all",
		"what clients may register; pipe: FIFOs, too; what is registered already stays",
		LIVE},
	{"limits.control", CONF_COUNT, AT(limit_controls), 1, 4096, NULL, "64",
		"control connections of the whole daemon", LIVE},
	{"limits.fd_reserve", CONF_COUNT, AT(fd_reserve), 320, 65536, "auto", "auto",
		"descriptors an agent keeps free; below it sessions are not read; auto: reactors x "
		"253 + 64",
		false},
	{"limits.sessions", CONF_COUNT, AT(limit_sessions), 1, 65536, NULL, "1024",
		"sessions of the whole daemon", LIVE},
	{"limits.uids", CONF_COUNT, AT(limit_uids), 1, 4096, NULL, "64",
		"users served at once, each by an agent of its own", LIVE},
	{"log.level", CONF_CHOICE, AT(log_level), 0, 0, "error|warning|notice|info|debug", "info",
		"what is logged", LIVE},
	{"log.rate", CONF_RATE, AT(log_rate), 1, 1000, NULL, "20/s",
		"lines of one kind that readyd itself writes; what is beyond is counted", LIVE},
	{"log.target", CONF_CHOICE, AT(log_target), 0, 0, "auto|journal|stderr", "auto",
		"where lines go; auto: to the journal where standard error leads there, too",
		false},
	{"metrics.per_uid", CONF_COUNT, AT(metrics_per_uid), 1, 100, NULL, "20",
		"users with metrics of their own, the busiest; the rest is summed up as other",
		LIVE},
	{"policy", CONF_POLICY, AT(policy), 0, 0, NULL, "built-in",
		"who may do what, the first rule that fits decides; built-in: everybody with what "
		"is "
		"their own, admin.group everything",
		LIVE},
	{"quota.default.connects_per_s", CONF_RATE, AT(quota_connects_per_s), 1, 100000, NULL, "10",
		"connections a user may make per second, with a burst of twice that", LIVE},
	{"quota.default.control", CONF_COUNT, AT(quota_controls), 1, 4096, NULL, "8",
		"control connections of a user", LIVE},
	{"quota.default.registrations", CONF_COUNT, AT(quota_registrations), 1, 1000000, NULL,
		"1024", "registrations of a user", LIVE},
	{"quota.default.sessions", CONF_COUNT, AT(quota_sessions), 1, 65536, NULL, "32",
		"sessions of a user", LIVE},
	{"quota.per_session", CONF_PERCENT, AT(per_session_percent), 1, 100, NULL, "50%",
		"share of the user's registrations that one session may take", LIVE},
	{"quota.uid_ranges", CONF_RANGES, AT(ranges), 0, 0, NULL, "[]",
		"ranges of uids that use the quotas of a user together with him", LIVE},
	{"quota.users", CONF_USERS, AT(users), 0, 0, NULL, "{}",
		"users with quotas of their own; what is not said is as in quota.default", LIVE},
	{"reactors", CONF_COUNT, AT(reactors), 1, 64, "auto", "auto",
		"threads of an agent at most; auto: one per CPU that may be used, at most 8",
		false},
	{"sandbox", CONF_CHOICE, AT(sandbox), 0, 0, "off|on", "on",
		"system call filter of agents, closers and bouncer", false},
	{"selector", CONF_CHOICE, AT(selector), 0, 0, "auto|epoll|poll", "auto",
		"mechanism of the reactors; poll offers oneshot only", false},
	{"session.hello_timeout", CONF_DURATION, AT(hello_timeout_ns), 10 * S / 1000, 3600 * S,
		NULL, "5s", "a client must say hello within this", LIVE},
	{"session.send_buffer", CONF_SIZE, AT(send_buffer_bytes), 16384, 1 << 24, NULL, "64KiB",
		"what may wait for a client in its socket; beyond that readiness merges", LIVE},
	{"sockets.control.mode", CONF_MODE, AT(control_mode), 0, 0777, NULL, "0666",
		"permissions of the control socket (system instance); what may be done goes by "
		"user",
		false},
	{"sockets.control.path", CONF_PATH, AT(control_path), 0, 0, NULL, "control.sock",
		"the control socket, relative to the runtime directory", false},
	{"sockets.session.group", CONF_NAME, AT(session_group), 0, 0, NULL, "readyd",
		"group of the session socket, where it exists (system instance)", false},
	{"sockets.session.mode", CONF_MODE, AT(session_mode), 0, 0777, NULL, "0660",
		"permissions of the session socket (system instance; --user: always 0600)", false},
	{"sockets.session.path", CONF_PATH, AT(session_path), 0, 0, NULL, "session.sock",
		"the session socket, relative to the runtime directory", false},
	{"user", CONF_NAME, AT(user), 0, 0, NULL, "readyd",
		"who the system instance becomes after it was started as root", false},
};

_Static_assert(sizeof(conf_schema) / sizeof(conf_schema[0]) <= CONF_KEYS_MAX, "an origin each");

const size_t conf_schema_n = sizeof(conf_schema) / sizeof(conf_schema[0]);
