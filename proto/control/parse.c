/* SPDX-License-Identifier: MIT */
/* What came, judged: one message, a call or a reply. */
#include <errno.h>
#include <string.h>

#include "control/control.h"
#include "private.h"

/*
 * Invariant: CONTROL-1: the JSON parser sees no more than CONTROL_DEPTH_MAX arrays and objects in each other.
 *   Why: it recurses, and 64 KiB of '[' are 64 KiB deep.
 *   Test: tests/unit/control/parse.c/nesting_is_bounded
 * Brackets in strings do not count; what is no JSON at all is the parser's to say.
 */
static bool is_shallow(const char *text, size_t n)
{
	bool quoted = false;
	uint32_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > CONTROL_DEPTH_MAX)
				return false;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return true;
}

/* One JSON object. Returns 0, -ENOMEM or -EBADMSG. */
static int load(const char *text, size_t n, json_t **ret)
{
	json_error_t e;
	json_t *root;

	if (n >= CONTROL_MESSAGE_MAX || !is_shallow(text, n))
		return -EBADMSG;
	/* It checks UTF-8, and refuses NULs in strings. */
	root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	if (!root)
		return json_error_code(&e) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	if (!json_is_object(root)) {
		json_decref(root);
		return -EBADMSG;
	}
	*ret = root;
	return 0;
}

/* Returns false when it is there and no boolean. */
static bool get_flag(const json_t *root, const char *name, bool *ret)
{
	const json_t *v = json_object_get(root, name);

	*ret = json_is_true(v);
	return !v || json_is_boolean(v) || json_is_null(v);
}

/* The parameters, an empty object where there are none. Returns 0, -ENOMEM or -EBADMSG. */
static int get_parameters(json_t *root, json_t **ret)
{
	json_t *p = json_object_get(root, "parameters");

	if (!p || json_is_null(p)) {
		if (json_object_set_new(root, "parameters", json_object()) < 0)
			return -ENOMEM;
		p = json_object_get(root, "parameters");
	}
	if (!json_is_object(p))
		return -EBADMSG;
	*ret = p;
	return 0;
}

void control_call_deinit(struct control_call *call)
{
	json_decref(call->root);
	*call = CONTROL_CALL_NULL;
}

int control_call_parse(const char *text, size_t n_bytes, struct control_call *ret)
{
	struct control_call c = CONTROL_CALL_NULL;
	int r = load(text, n_bytes, &c.root);

	if (r < 0)
		return r;
	c.name = json_string_value(json_object_get(c.root, "method"));
	if (!c.name || !get_flag(c.root, "more", &c.more) ||
		!get_flag(c.root, "oneway", &c.oneway) || (c.more && c.oneway))
		r = -EBADMSG;
	if (r == 0)
		r = get_parameters(c.root, &c.parameters);
	if (r < 0) {
		json_decref(c.root);
		return r;
	}
	c.method = control__find_method(c.name);
	*ret = c;
	return 0;
}

void control_reply_deinit(struct control_reply *reply)
{
	json_decref(reply->root);
	*reply = CONTROL_REPLY_NULL;
}

int control_reply_parse(const char *text, size_t n_bytes, struct control_reply *ret)
{
	struct control_reply reply = CONTROL_REPLY_NULL;
	int r = load(text, n_bytes, &reply.root);
	const json_t *error;

	if (r < 0)
		return r;
	error = json_object_get(reply.root, "error");
	reply.name = json_string_value(error);
	if ((error && !reply.name && !json_is_null(error)) ||
		!get_flag(reply.root, "continues", &reply.continues) ||
		(reply.name && reply.continues))
		r = -EBADMSG;
	if (r == 0)
		r = get_parameters(reply.root, &reply.parameters);
	if (r < 0) {
		json_decref(reply.root);
		return r;
	}
	reply.error = reply.name ? control__find_error(reply.name) : CONTROL_OK;
	*ret = reply;
	return 0;
}

int control_get_int(const json_t *parameters, const char *name, bool required, int64_t min,
	int64_t max, int64_t *ret)
{
	const json_t *v = json_object_get(parameters, name);
	json_int_t i;

	if (!v || json_is_null(v))
		return required ? -EINVAL : 0;
	if (!json_is_integer(v))
		return -EINVAL;
	i = json_integer_value(v);
	if (i < min || i > max)
		return -EINVAL;
	*ret = i;
	return 0;
}

int control_get_string(const json_t *parameters, const char *name, bool required, const char **ret)
{
	const json_t *v = json_object_get(parameters, name);

	if (!v || json_is_null(v))
		return required ? -EINVAL : 0;
	if (!json_is_string(v))
		return -EINVAL;
	*ret = json_string_value(v);
	return 0;
}

static bool has_parameter(enum control_method method, const char *name)
{
	for (size_t i = 0; i < CONTROL__PARAMETERS_MAX; i++) {
		const char *p = control__methods[method].parameters[i];

		if (p && strcmp(p, name) == 0)
			return true;
	}
	return false;
}

const char *control_call_unknown(const struct control_call *call)
{
	const char *name;
	json_t *value;

	if (call->method == CONTROL_METHODS)
		return NULL;
	json_object_foreach(
		call->parameters, name, value) if (!has_parameter(call->method, name)) return name;
	return NULL;
}
