/* SPDX-License-Identifier: MIT */
/*
 * What every helper gives up, with or without a system call filter.
 * Threads: the process's only one. May not allocate memory.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"

int sandbox_start(int argc, char *const *argv, const char *name)
{
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	if (argc <= 1)
		return 1;
	return argc == 2 && strcmp(argv[1], "--no-sandbox") == 0 ? 0 : -EINVAL;
}

int sandbox_close_from(int first)
{
	struct rlimit limit;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned int)first, ~0u, 0u) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
#endif
	/* Linux before 5.9. The limit is set before the exec, so nothing lies above it. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	for (rlim_t fd = (rlim_t)first; fd < limit.rlim_cur; fd++)
		(void)close((int)fd);
	return 0;
}

int sandbox_reset(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction sa = {.sa_handler = SIG_DFL};

		if (sig == SIGINT || sig == SIGHUP)
			sa.sa_handler = SIG_IGN;
		/* KILL, STOP and the C library's own signals refuse; they can't be changed by a parent. */
		(void)sigaction(sig, &sa, NULL);
	}
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -errno;
	(void)umask(077);
	if (chdir("/") < 0 || clearenv() != 0)
		return errno ? -errno : -ENOMEM;
	return 0;
}

int sandbox_enter(enum sandbox_role role)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Not dumpable: no ptrace and no /proc/PID/fd for other processes of the same user. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -errno;
	if (!sandbox_available())
		return 1;
	return sandbox_filter_install(role);
}
