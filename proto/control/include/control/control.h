/* SPDX-License-Identifier: MIT */
/*
 * The control protocol: varlink, that is JSON objects that end with a NUL byte each. io.readyd.varlink is the
 * interface, readyd-control(7) its manual. Used by the supervisor (calls in, replies out) and by readyctl
 * (the other way round).
 *
 * Pure: no I/O, no clock; any thread. What comes is untrusted: length, nesting (before the JSON parser, which
 * recurses, sees it), UTF-8, types and unknown members are checked.
 * Ownership: take_parameters is consumed, also on failure; NULL stands for an empty object, or for what could
 * not be built (then -ENOMEM). json_t in structs belongs to the struct, until its deinit.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#define CONTROL_INTERFACE "io.readyd"
#define CONTROL_MESSAGE_MAX 65536u /* bytes of a message, its NUL included */
#define CONTROL_DEPTH_MAX 32u	   /* arrays and objects in each other */
#define CONTROL_ROWS_MAX 128u	   /* in one page: so many fit a message, whatever they hold */

/* One table: names in control_method_name() and control_error_name(), used by both sides. */
enum control_method {
	CONTROL_GET_INFO,
	CONTROL_GET_INTERFACE_DESCRIPTION,
	CONTROL_STATUS,
	CONTROL_LIST_AGENTS,
	CONTROL_LIST_SESSIONS,
	CONTROL_LIST_REGISTRATIONS,
	CONTROL_EXPLAIN,
	CONTROL_KICK,
	CONTROL_FREEZE,
	CONTROL_THAW,
	CONTROL_SET_LOG_LEVEL,
	CONTROL_GET_CONFIGURATION,
	CONTROL_CHECK_CONFIGURATION,
	CONTROL_RELOAD,
	CONTROL_CAN,
	CONTROL_WHO_AM_I,
	CONTROL_METRICS,
	CONTROL_MONITOR,
	CONTROL_METHODS
};

enum control_error {
	CONTROL_OK,
	CONTROL_E_NOT_FOUND,
	CONTROL_E_PERMISSION_DENIED,
	CONTROL_E_AGENT_SILENT,
	CONTROL_E_BUSY,
	CONTROL_E_TOO_LARGE,
	CONTROL_E_BAD_CONFIGURATION,
	CONTROL_E_INTERFACE_NOT_FOUND,
	CONTROL_E_METHOD_NOT_FOUND,
	CONTROL_E_INVALID_PARAMETER,
	CONTROL_E_EXPECTED_MORE,
	CONTROL_E_OTHER, /* a reply's error that this version has no name for */
	CONTROL_ERRORS
};

/* "io.readyd.Status", "io.readyd.NotFound". Static; NULL out of range and for OK, OTHER. */
const char *control_method_name(enum control_method method);
const char *control_error_name(enum control_error error);
/* Its replies come in pages, and it has to be called with `more`. */
bool control_method_is_list(enum control_method method);
/* The text of an interface file that the daemon knows (io.readyd, org.varlink.service), or NULL. Static. */
const char *control_interface_text(const char *interface);

/*
 * Framing: bytes in, whole messages out. Memory is taken as they come, at most CONTROL_MESSAGE_MAX.
 */
struct control_inbox {
	char *bytes;
	size_t n_bytes, room_bytes;
	size_t n_given;	  /* bytes of the message that next() gave out, its NUL included */
	size_t n_scanned; /* of those after it, known to have no NUL */
};

#define CONTROL_INBOX_NULL \
	(struct control_inbox) \
	{ \
		0 \
	}

void control_inbox_deinit(struct control_inbox *in);

/* How many bytes may be put, after what next() gave out is forgotten. */
size_t control_inbox_room(const struct control_inbox *in);

/* Copy bytes in. Ends what next() gave out. Returns 0, -ENOMEM, or -EMSGSIZE (more than the room). */
int control_inbox_put(struct control_inbox *in, const void *bytes, size_t n_bytes);

/*
 * The next whole message: borrowed, until the next call with this inbox; its NUL stands behind it and is not
 * counted. Returns 1, 0 when there is none yet, or -EMSGSIZE when CONTROL_MESSAGE_MAX bytes have no end.
 */
int control_inbox_next(struct control_inbox *in, const char **ret, size_t *ret_n_bytes);

/* A call. */
struct control_call {
	json_t *root;
	const char *name;	    /* as it came; borrowed from root */
	enum control_method method; /* CONTROL_METHODS: unknown */
	json_t *parameters;	    /* an object, borrowed from root */
	bool more, oneway;
};

#define CONTROL_CALL_NULL \
	(struct control_call) \
	{ \
		0 \
	}

void control_call_deinit(struct control_call *call);

/*
 * Parse one message (as from control_inbox_next()). Returns 0; -ENOMEM; -EBADMSG: no UTF-8, no JSON, nested too
 * deep, a member twice, or not a call: the connection is of no use any more. *ret is untouched then.
 */
int control_call_parse(const char *text, size_t n_bytes, struct control_call *ret);

/*
 * What a call says of a parameter. Returns 0; or -EINVAL where it has another type or is out of range, or is
 * absent (required) while `required`; absent or null, *ret untouched: 0 while not `required`.
 */
int control_get_int(const json_t *parameters, const char *name, bool required, int64_t min,
	int64_t max, int64_t *ret);
int control_get_string(const json_t *parameters, const char *name, bool required, const char **ret);

/*
 * The first parameter of a call that its method does not have, or NULL. A method's parameters are known from
 * the table.
 */
const char *control_call_unknown(const struct control_call *call);

/* A reply. */
struct control_reply {
	json_t *root;
	enum control_error error; /* CONTROL_OK: it is none */
	const char *name;	  /* the error's, as it came; NULL; borrowed from root */
	json_t *parameters;	  /* an object, borrowed from root */
	bool continues;		  /* another one follows */
};

#define CONTROL_REPLY_NULL \
	(struct control_reply) \
	{ \
		0 \
	}

void control_reply_deinit(struct control_reply *reply);

/* As control_call_parse(). */
int control_reply_parse(const char *text, size_t n_bytes, struct control_reply *ret);

/*
 * Whole messages, the NUL included in *ret_n_bytes; the caller frees *ret with free(). Returns 0, -ENOMEM, or
 * -EMSGSIZE (longer than CONTROL_MESSAGE_MAX).
 */
int control_make_call(enum control_method method, json_t *take_parameters, bool more, char **ret,
	size_t *ret_n_bytes);
int control_make_reply(json_t *take_parameters, bool continues, char **ret, size_t *ret_n_bytes);
int control_make_error(
	enum control_error error, json_t *take_parameters, char **ret, size_t *ret_n_bytes);

#endif
