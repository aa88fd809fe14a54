/* SPDX-License-Identifier: MIT */
/* What the kernel says of a process: where it waits, and the way out. Reads /proc, changes nothing. */
#ifndef CTL_KERNEL_H
#define CTL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CTL_STACK_LINES 6u

struct ctl_kernel {
	char state[64]; /* "D (disk sleep)"; empty: it is gone */
	char waits[64]; /* the kernel function it sleeps in; empty: none, or not to be seen */
	char stack[CTL_STACK_LINES][96]; /* root only */
	size_t n_stack;
	bool fuse; /* a user-space filesystem is in it */
};

void ctl_kernel_look(pid_t pid, struct ctl_kernel *ret);

#endif
