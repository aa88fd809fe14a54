/* SPDX-License-Identifier: MIT */
/* Between the files of this layer. */
#ifndef CONTROL_PRIVATE_H
#define CONTROL_PRIVATE_H

#include <stdbool.h>

#include "control/control.h"

#define CONTROL__PARAMETERS_MAX 4

struct control_method_row {
	const char *name;
	const char *parameters[CONTROL__PARAMETERS_MAX];
	bool list;
};

extern const struct control_method_row control__methods[CONTROL_METHODS];

/* CONTROL_METHODS when there is none; CONTROL_E_OTHER when there is none. */
enum control_method control__find_method(const char *name);
enum control_error control__find_error(const char *name);

#endif
