/* SPDX-License-Identifier: MIT */
#ifndef REACTOR_SYS_CAN_POLL_H
#define REACTOR_SYS_CAN_POLL_H

#include <sys/types.h>

/*
 * Can a file of that kind (st_mode) be watched? For selectors that would call it always ready. Regular files,
 * folders and devices only: sockets, pipes and what has no kind can. Where the kernel cannot be asked, the kind
 * decides. Returns 0 or -EPERM.
 */
int rdy__can_poll(int fd, mode_t mode);

#endif
