/* SPDX-License-Identifier: MIT */
/*
 * What an agent, a closer and the bouncer give up before they touch anything a client sent. The supervisor
 * has already set uid, gid and limits; this is what a process has to do itself.
 * Order in main(): sandbox_close_from(), sandbox_reset(), open what is needed for life, sandbox_enter().
 * Threads: call while the process has one; threads that start later inherit everything.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>

enum sandbox_role {
	SANDBOX_AGENT,
	SANDBOX_CLOSER,
	SANDBOX_BOUNCER,
};

/*
 * A helper's command line: nothing, or --no-sandbox (readyd's `sandbox: off`, for debuggers and tracers).
 * Also gives the process its name: it was started through a descriptor, whose number the kernel would show.
 * Returns 1 to enter the sandbox, 0 not to, -EINVAL for anything else.
 */
int sandbox_start(int argc, char *const *argv, const char *name);

/*
 * Close every descriptor from `first` on: what leaked in through the exec is nobody's.
 * Closer and bouncer: LINK_FD_SELF + 1; agent: CHANNEL_FD_CLOSER + 1. Returns 0 or -errno.
 */
int sandbox_close_from(int first);

/*
 * A known state, whatever the parent had: empty environment, umask 077, working directory /, no signal
 * blocked, every disposition the default one, except that SIGINT and SIGHUP are ignored: Ctrl-C goes to a
 * terminal's whole process group, and helpers end when their socket does. Returns 0 or -errno.
 */
int sandbox_reset(void);

/*
 * No new privileges, not dumpable, no core file, and only the system calls of the role: any other one
 * ends the process with SIGSYS, a few harmless ones that a C library tries on its own fail with EPERM.
 * Returns 0; 1 if everything is done but the filter (sandbox_available() is false); or -errno: the process
 * must not go on.
 */
int sandbox_enter(enum sandbox_role role);

/*
 * Is there a system call filter: in this build (libseccomp, no sanitizer) and in this kernel?
 * Ask before sandbox_enter(): behind the filter the question itself is forbidden.
 */
bool sandbox_available(void);

#endif
