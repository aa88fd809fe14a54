/* SPDX-License-Identifier: MIT */
/* Names and one-line explanations of errors and kinds. Pure, static. */
#include "wire/wire.h"

struct name {
	const char *name, *text;
};

#define MAX_ERROR WIRE_E_DEADLINE_INVALID

static const struct name errors[MAX_ERROR + 1] = {
	[WIRE_OK] = {"OK", "no error"},
	[WIRE_E_BAD_MAGIC] = {"BAD_MAGIC", "the first message is no HELLO of this protocol"},
	[WIRE_E_VERSION_UNSUPPORTED] = {"VERSION_UNSUPPORTED", "no protocol version in common"},
	[WIRE_E_FRAME_TRUNCATED] = {"FRAME_TRUNCATED", "a frame is shorter than it says"},
	[WIRE_E_FRAME_OVERSIZED] = {"FRAME_OVERSIZED",
		"a frame is longer than allowed, or than it says"},
	[WIRE_E_FRAME_MALFORMED] = {"FRAME_MALFORMED",
		"count, size or reserved bits of a frame are wrong"},
	[WIRE_E_TYPE_UNKNOWN] = {"TYPE_UNKNOWN", "there is no such request"},
	[WIRE_E_FD_COUNT_MISMATCH] = {"FD_COUNT_MISMATCH",
		"the descriptors that came are not as many as the frame says or takes"},
	[WIRE_E_FDS_LOST] = {"FDS_LOST", "the kernel dropped descriptors on the way: a limit, or a "
					 "security module's denial"},
	[WIRE_E_FD_BEFORE_WELCOME] = {"FD_BEFORE_WELCOME", "a descriptor came before the welcome"},
	[WIRE_E_HELLO_REPEATED] = {"HELLO_REPEATED", "a second HELLO"},
	[WIRE_E_HELLO_TIMEOUT] = {"HELLO_TIMEOUT", "no HELLO came in time"},
	[WIRE_E_QUARANTINE_FULL] = {"QUARANTINE_FULL",
		"too many descriptors with a path were handed in and refused in one session"},
	[WIRE_E_QUOTA_SESSIONS] = {"QUOTA_SESSIONS", "the user's quota of sessions is used up"},
	[WIRE_E_QUOTA_CONNECTS] = {"QUOTA_CONNECTS", "the user connects too often"},
	[WIRE_E_LIMIT_SESSIONS] = {"LIMIT_SESSIONS", "the daemon's limit of sessions is reached"},
	[WIRE_E_LIMIT_UIDS] = {"LIMIT_UIDS", "the daemon's limit of users at once is reached"},
	[WIRE_E_UID_WEDGED] = {"UID_WEDGED",
		"too many of the user's agents are stuck in the kernel"},
	[WIRE_E_SHUTTING_DOWN] = {"SHUTTING_DOWN", "the daemon is stopping"},
	[WIRE_E_AGENT_FAILED] = {"AGENT_FAILED", "the user's agent could not be started"},
	[WIRE_E_KICKED] = {"KICKED", "an administrator ended the session"},
	[WIRE_E_UID_FROZEN] = {"UID_FROZEN", "an administrator froze the user"},
	[WIRE_E_POLICY_DENIED] = {"POLICY_DENIED",
		"the policy of readyd does not let the user connect"},
	[WIRE_E_REGISTRATION_UNKNOWN] = {"REGISTRATION_UNKNOWN",
		"no registration of this session has that id"},
	[WIRE_E_COOKIE_DUPLICATE] = {"COOKIE_DUPLICATE",
		"a live registration of this session has that cookie"},
	[WIRE_E_INTEREST_INVALID] = {"INTEREST_INVALID",
		"the interest is empty or has unknown bits"},
	[WIRE_E_MODE_INVALID] = {"MODE_INVALID", "the mode is unknown or was not negotiated"},
	[WIRE_E_FLAGS_INVALID] = {"FLAGS_INVALID",
		"unknown flags, or flags that exclude each other"},
	[WIRE_E_FD_KIND_REFUSED] = {"FD_KIND_REFUSED", "this kind of descriptor is not accepted"},
	[WIRE_E_FD_OWN_SOCKET] = {"FD_OWN_SOCKET", "a socket of readyd itself is not accepted"},
	[WIRE_E_FD_NOT_POLLABLE] = {"FD_NOT_POLLABLE",
		"the kernel refuses to poll this descriptor"},
	[WIRE_E_QUOTA_REGISTRATIONS] = {"QUOTA_REGISTRATIONS",
		"the quota of registrations of the user or the session is used up"},
	[WIRE_E_OUT_OF_DESCRIPTORS] = {"OUT_OF_DESCRIPTORS",
		"the user's agent has no descriptor to spare"},
	[WIRE_E_OUT_OF_MEMORY] = {"OUT_OF_MEMORY", "the user's agent is out of memory"},
	[WIRE_E_INTERNAL] = {"INTERNAL", "unexpected; the daemon's log says more"},
	[WIRE_E_DEADLINE_INVALID] = {"DEADLINE_INVALID",
		"the deadline is too far away, or deadlines were not negotiated"},
};

const char *wire_error_name(uint32_t error)
{
	return error <= MAX_ERROR && errors[error].name ? errors[error].name : "UNKNOWN";
}

const char *wire_error_text(uint32_t error)
{
	return error <= MAX_ERROR && errors[error].name ? errors[error].text
							: "an error of a newer daemon";
}

const char *wire_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[WIRE_KIND_UNKNOWN] = "unknown",
		[WIRE_KIND_TCP] = "tcp",
		[WIRE_KIND_UDP] = "udp",
		[WIRE_KIND_UNIX] = "unix",
		[WIRE_KIND_PIPE] = "pipe",
		[WIRE_KIND_FIFO] = "fifo",
		[WIRE_KIND_EVENTFD] = "eventfd",
		[WIRE_KIND_TIMERFD] = "timerfd",
		[WIRE_KIND_PIDFD] = "pidfd",
		[WIRE_KIND_INOTIFY] = "inotify",
		[WIRE_KIND_PTY] = "pty",
		[WIRE_KIND_PATH] = "path",
		[WIRE_KIND_EPOLL] = "epoll",
		[WIRE_KIND_IO_URING] = "io_uring",
		[WIRE_KIND_SIGNALFD] = "signalfd",
		[WIRE_KIND_SOCKET_OTHER] = "other socket",
		[WIRE_KIND_MEMFD] = "memfd",
		[WIRE_KIND_ANON_OTHER] = "other anonymous file",
	};

	return kind < sizeof(names) / sizeof(names[0]) && names[kind] ? names[kind] : "unknown";
}
