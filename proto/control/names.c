/* SPDX-License-Identifier: MIT */
/* The one table of methods and errors. Constant. */
#include <string.h>

#include "control/control.h"
#include "private.h"

#define OWN CONTROL_INTERFACE "."
#define SERVICE "org.varlink.service."

const struct control_method_row control__methods[CONTROL_METHODS] = {
	[CONTROL_GET_INFO] = {SERVICE "GetInfo"},
	[CONTROL_GET_INTERFACE_DESCRIPTION] = {SERVICE "GetInterfaceDescription", {"interface"}},
	[CONTROL_STATUS] = {OWN "Status"},
	[CONTROL_LIST_AGENTS] = {OWN "ListAgents", .list = true},
	[CONTROL_LIST_SESSIONS] = {OWN "ListSessions", {"uid"}, true},
	[CONTROL_LIST_REGISTRATIONS] = {OWN "ListRegistrations", {"session", "uid"}, true},
	[CONTROL_EXPLAIN] = {OWN "Explain", {"what"}},
	[CONTROL_KICK] = {OWN "Kick", {"session"}},
	[CONTROL_FREEZE] = {OWN "Freeze", {"uid"}},
	[CONTROL_THAW] = {OWN "Thaw", {"uid"}},
	[CONTROL_SET_LOG_LEVEL] = {OWN "SetLogLevel", {"level"}},
	[CONTROL_GET_CONFIGURATION] = {OWN "GetConfiguration"},
	[CONTROL_CHECK_CONFIGURATION] = {OWN "CheckConfiguration"},
	[CONTROL_RELOAD] = {OWN "Reload"},
	[CONTROL_CAN] = {OWN "Can", {"uid", "groups", "verb", "owner"}},
	[CONTROL_WHO_AM_I] = {OWN "WhoAmI"},
	[CONTROL_METRICS] = {OWN "Metrics"},
	[CONTROL_MONITOR] = {OWN "Monitor", {"since"}, true},
};

static const char *const errors[CONTROL_ERRORS] = {
	[CONTROL_E_NOT_FOUND] = OWN "NotFound",
	[CONTROL_E_PERMISSION_DENIED] = OWN "PermissionDenied",
	[CONTROL_E_AGENT_SILENT] = OWN "AgentSilent",
	[CONTROL_E_BUSY] = OWN "Busy",
	[CONTROL_E_TOO_LARGE] = OWN "TooLarge",
	[CONTROL_E_BAD_CONFIGURATION] = OWN "BadConfiguration",
	[CONTROL_E_INTERFACE_NOT_FOUND] = SERVICE "InterfaceNotFound",
	[CONTROL_E_METHOD_NOT_FOUND] = SERVICE "MethodNotFound",
	[CONTROL_E_INVALID_PARAMETER] = SERVICE "InvalidParameter",
	[CONTROL_E_EXPECTED_MORE] = SERVICE "ExpectedMore",
};

const char *control_method_name(enum control_method method)
{
	return (unsigned int)method < CONTROL_METHODS ? control__methods[method].name : NULL;
}

const char *control_error_name(enum control_error error)
{
	return (unsigned int)error < CONTROL_ERRORS ? errors[error] : NULL;
}

bool control_method_is_list(enum control_method method)
{
	return (unsigned int)method < CONTROL_METHODS && control__methods[method].list;
}

enum control_method control__find_method(const char *name)
{
	int i = 0;

	while (i < CONTROL_METHODS && strcmp(control__methods[i].name, name) != 0)
		i++;
	return (enum control_method)i;
}

enum control_error control__find_error(const char *name)
{
	for (int i = 0; i < CONTROL_ERRORS; i++)
		if (errors[i] && strcmp(errors[i], name) == 0)
			return (enum control_error)i;
	return CONTROL_E_OTHER;
}
