/* SPDX-License-Identifier: MIT */
/* Whole messages, made. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

/* Microseconds of a year have 14 digits. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

static int dump(json_t *take_root, char **ret, size_t *ret_n_bytes)
{
	char *text = json_dumps(take_root, DUMP_FLAGS);
	size_t n;

	json_decref(take_root);
	if (!text)
		return -ENOMEM;
	n = strlen(text) + 1;
	if (n > CONTROL_MESSAGE_MAX) {
		free(text);
		return -EMSGSIZE;
	}
	*ret = text;
	*ret_n_bytes = n;
	return 0;
}

int control_make_call(enum control_method method, json_t *take_parameters, bool more, char **ret,
	size_t *ret_n_bytes)
{
	json_t *root;

	if (!take_parameters)
		return -ENOMEM;
	root = json_pack(
		"{s:s, s:o}", "method", control_method_name(method), "parameters", take_parameters);
	if (!root)
		return -ENOMEM;
	if (more && json_object_set_new(root, "more", json_true()) < 0) {
		json_decref(root);
		return -ENOMEM;
	}
	return dump(root, ret, ret_n_bytes);
}

int control_make_reply(json_t *take_parameters, bool continues, char **ret, size_t *ret_n_bytes)
{
	json_t *root;

	if (!take_parameters)
		return -ENOMEM;
	root = json_pack("{s:o}", "parameters", take_parameters);
	if (!root)
		return -ENOMEM;
	if (continues && json_object_set_new(root, "continues", json_true()) < 0) {
		json_decref(root);
		return -ENOMEM;
	}
	return dump(root, ret, ret_n_bytes);
}

int control_make_error(
	enum control_error error, json_t *take_parameters, char **ret, size_t *ret_n_bytes)
{
	json_t *root;

	if (!take_parameters)
		return -ENOMEM;
	root = json_pack(
		"{s:s, s:o}", "error", control_error_name(error), "parameters", take_parameters);
	return root ? dump(root, ret, ret_n_bytes) : -ENOMEM;
}
