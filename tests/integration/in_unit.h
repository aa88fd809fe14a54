/* SPDX-License-Identifier: MIT */
/*
 * For instance.c and census.c: a readyd that the service manager runs in the sandbox of the unit as it is shipped,
 * where tests/systemd/suite.sh has made a template of it. One thread.
 */
#ifndef IN_UNIT_H
#define IN_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct instance;

/* Do the instances of this test run so? */
bool in_unit(void);

/* Start it with these arguments, the first of which is the program. Returns the end that it gets ready on. */
int in_unit_start(struct instance *in, char *const *args, uint32_t nofile);
/* The status of one that has ended, as waitpid(2) would give it. */
int in_unit_status(const struct instance *in);
/* All processes that any readyd of this instance left or has, but itself. */
size_t in_unit_helpers(const struct instance *in, pid_t *pids, size_t n);
/* What was made for it, but for its log. */
void in_unit_remove(const struct instance *in);

#endif
