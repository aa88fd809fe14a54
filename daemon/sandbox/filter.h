/* SPDX-License-Identifier: MIT */
/*
 * The seam between what is always done and the system call filter; seccomp.c or fallback.c is behind it,
 * chosen by the build. Threads: the process's only one.
 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include "sandbox/sandbox.h"

/* Install the filter of the role for the rest of the process's life. 0, or -errno with none installed. */
int sandbox_filter_install(enum sandbox_role role);

#endif
