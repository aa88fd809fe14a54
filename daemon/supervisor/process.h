/* SPDX-License-Identifier: MIT */
/* A process that is not our child: is it one of ours, and a descriptor that stays its. */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A pidfd of the process, if it runs under our uid and has that name ("readyd-agent"). kernel_says: number and
 * uid come from the kernel, so one that /proc hides from us (hidepid, ProtectProc) will do, too.
 * Returns it, or -ESRCH (gone, or another one), or -errno.
 */
int process_open(pid_t pid, const char *name, bool kernel_says);

#endif
