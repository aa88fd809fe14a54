/* SPDX-License-Identifier: MIT */
/*
 * A file whose file system is a process of ours, which at some point stops answering: then whoever closes the
 * file, or has it open when he ends, waits until that process is gone.
 *
 * The mount is attached nowhere (fsmount(2)), so that nothing has to be unmounted: it ends with the process,
 * and that ends when told, or when the other end of its socket is closed. That end has a lower number than
 * the file, so a process that dies with both gives up the socket first and is not held up by the file.
 */
#ifndef FUSE_H
#define FUSE_H

#include <stdbool.h>
#include <sys/types.h>

struct fuse {
	int control;
	int file;
	pid_t pid;
};

/* Takes root. Returns 0 or -errno: no FUSE here. */
int fuse_start(struct fuse *f);
/* From here on nothing is answered. */
void fuse_silence(struct fuse *f);
/* It ends, and frees everybody who waits for an answer. The file is closed. */
void fuse_end(struct fuse *f);

#endif
