/* SPDX-License-Identifier: MIT */
#include "color.h"

#include <string.h>

bool ctl_color(enum ctl_color asked, bool is_tty, const char *env_no_color, const char *env_term)
{
	if (asked != CTL_COLOR_AUTO)
		return asked == CTL_COLOR_ALWAYS;
	if (!is_tty || (env_no_color && env_no_color[0]))
		return false;
	return env_term && env_term[0] && strcmp(env_term, "dumb") != 0;
}
