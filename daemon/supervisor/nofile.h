/* SPDX-License-Identifier: MIT */
/* What the process may open, and whether that carries a configuration. The supervisor's thread. */
#ifndef SUPERVISOR_NOFILE_H
#define SUPERVISOR_NOFILE_H

#include "conf/conf.h"

/* As many descriptors as we and what we start may have. */
void nofile_raise(void);

/*
 * A quota that the process limits cannot carry is an error now, not a surprise later. Returns 0, or -EINVAL with
 * *ret_error filled.
 */
int nofile_check(const struct conf *c, struct conf_error *ret_error);

#endif
