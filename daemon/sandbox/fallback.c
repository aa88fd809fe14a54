/* SPDX-License-Identifier: MIT */
/*
 * No system call filter: built without libseccomp, or with a sanitizer, whose runtime makes calls that the
 * filter forbids.
 */
#include "filter.h"

#include <errno.h>

bool sandbox_available(void)
{
	return false;
}

int sandbox_filter_install(enum sandbox_role role)
{
	return -ENOSYS;
}
