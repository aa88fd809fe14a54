/* SPDX-License-Identifier: MIT */
/*
 * libready: what else can be waited for: signals, the end of a child, changes of files. Each is an io
 * (ready/io.h): register it as RDY_READABLE, take what happened until -EAGAIN, free it with rdy_io_free().
 */
#ifndef READY_OS_H
#define READY_OS_H

#include <ready/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Signals. Those listed must be blocked in every thread, by the caller, before and as long as they are waited
 * for: the library changes no mask and no disposition.
 * signals: n numbers. Errors: -EINVAL NULL, n is 0, no signal of that number, SIGKILL or SIGSTOP · -EMFILE,
 *   -ENFILE, -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_signals_new(const int *signals, size_t n, struct rdy_io **ret);

/* A signal that came. pid and uid: of who sent it with kill(2) or sigqueue(3), and of a child. Since: 0.1. */
struct rdy_signal {
	int signal;
	int code; /* SI_USER ..., CLD_EXITED ... as sigaction(2) */
	int pid;
	uint32_t uid;
	int status; /* SIGCHLD: exit status, or the signal that ended the child */
	int value;  /* sigqueue(3)'s */
};

/*
 * Take the next signal. Equal ones that came before the first was taken may be one, as with any handler.
 * Errors: -EINVAL NULL, or the io is none of signals · -EAGAIN none. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_signals_next(struct rdy_io *io, struct rdy_signal *ret);

/*
 * The end of a child of this process (or of any process, whose status then stays unknown).
 * Errors: -EINVAL NULL, pid below 1 · -ESRCH no such process (a thread is none) · -ENOSYS before
 *   Linux 5.3 (the status needs 5.4) · -EMFILE, -ENFILE, -ENOMEM.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_child_new(int pid, struct rdy_io **ret);

/* How a child ended. Since: 0.1. */
struct rdy_child_status {
	int exited; /* 1: status is what it gave to exit(3); 0: it was killed by the signal of that number */
	int status;
	int dumped_core;
	int pad0; /* 0 */
};

/*
 * Take the status; the child is reaped and its number free.
 * Errors: -EINVAL NULL, or the io is none of a child · -EAGAIN it still runs · -ECHILD no child of this process,
 *   or reaped by somebody else. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_child_status(struct rdy_io *io, struct rdy_child_status *ret);

/* What can happen to a file; the first line can be asked for. Since: 0.1. */
#define RDY_FILE_MODIFIED 0x01u	  /* its contents, or what is in the folder was written to */
#define RDY_FILE_ATTRIBUTES 0x02u /* mode, owner, times, links */
#define RDY_FILE_CREATED 0x04u	  /* in the folder, also by moving in */
#define RDY_FILE_DELETED 0x08u /* from the folder, also by moving out; or the watched one itself */
#define RDY_FILE_CLOSED 0x10u  /* after writing */
#define RDY_FILE_MOVED 0x20u   /* the watched one itself: it is still watched */
#define RDY_FILE_CHANGES 0x3fu /* all of them */
#define RDY_FILE_GONE 0x100u   /* event only: the watch has ended */
#define RDY_FILE_LOST 0x200u   /* event only, watch = -1: some changes were lost, look yourself */

/*
 * Changes of files and folders. Errors: -EINVAL NULL · -EMFILE (also fs.inotify.max_user_instances), -ENFILE,
 * -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_files_new(struct rdy_io **ret);

/*
 * Watch a file or a folder; what is in folders of it is not watched. The same file again replaces its changes.
 * Returns the number of the watch, >= 0.
 * Errors: -EINVAL NULL, no or unknown changes, or the io is none of files · -ENOENT, -EACCES, -ENOTDIR, -ELOOP,
 *   -ENAMETOOLONG the path · -ENOSPC fs.inotify.max_user_watches · -ENOMEM. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_files_watch(struct rdy_io *io, const char *path, uint32_t changes);

/* End a watch; what it saw before may still be taken, and RDY_FILE_GONE follows.
 * Errors: -EINVAL NULL, no such watch, or the io is none of files. Thread: the io's. Since: 0.1. */
RDY_API int rdy_files_unwatch(struct rdy_io *io, int watch);

/* A change. name: in the folder, empty for the watched one itself; cut above 255 bytes. Since: 0.1. */
struct rdy_file_change {
	int watch;
	uint32_t changes; /* RDY_FILE_* */
	char name[256];
};

/*
 * Take the next change. Several are read at once and kept in the io, of which no mode tells again:
 * take all.
 * Errors: -EINVAL NULL, or the io is none of files · -EAGAIN none.
 * Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_files_next(struct rdy_io *io, struct rdy_file_change *ret);

#ifdef __cplusplus
}
#endif
#endif
