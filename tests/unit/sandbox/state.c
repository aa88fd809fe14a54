/* SPDX-License-Identifier: MIT */
/* The sandbox beside its filter: what a helper throws away, and what others see of it. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* So that /proc/PID has an owner that can change. */
static void become_nobody(void)
{
	if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		_exit(4);
	prctl(PR_SET_DUMPABLE, 1); /* changing the uid has cleared it */
}

static uid_t owner_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_uid;
}

/* What prctl() says can't be asked behind the filter; the parent looks. */
START_TEST(seen_from_outside)
{
	char path[64], line[256], soft[16], hard[16];
	bool no_new_privs = false, filtered = false, no_core = false;
	char c;
	int status, go[2];
	FILE *f;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, go), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(go[0]);
		become_nobody();
		(void)send(go[1], "x", 1, 0);
		(void)recv(go[1], &c, 1, 0);
		if (sandbox_enter(SANDBOX_CLOSER) < 0)
			_exit(2);
		(void)send(go[1], "x", 1, 0);
		(void)recv(go[1], &c, 1, 0);
		_exit(0);
	}
	close(go[1]);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ck_assert_int_eq(recv(go[0], &c, 1, 0), 1);
	ck_assert_uint_ne(owner_of(path), 0);
	ck_assert_int_eq(send(go[0], "x", 1, 0), 1);
	ck_assert_int_eq(recv(go[0], &c, 1, 0), 1);
	/* Not dumpable: the files in /proc belong to root, and so does ptrace. */
	ck_assert_uint_eq(owner_of(path), 0);
	ck_assert_ptr_nonnull(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f)) {
		no_new_privs |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
		filtered |= strcmp(line, "Seccomp:\t2\n") == 0;
	}
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	ck_assert_ptr_nonnull(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f))
		no_core |= sscanf(line, "Max core file size %15s %15s", soft, hard) == 2 &&
			   strcmp(soft, "0") == 0 && strcmp(hard, "0") == 0;
	fclose(f);
	ck_assert(no_new_privs);
	ck_assert(no_core);
	ck_assert(filtered == sandbox_available());
	close(go[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void count_signal(int sig)
{
}

START_TEST(reset)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct sigaction sa;
		sigset_t set;
		char cwd[64];
		bool ok;

		signal(SIGPIPE, SIG_IGN);
		signal(SIGTERM, count_signal);
		sigfillset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		umask(0);
		setenv("LD_PRELOAD", "x", 1);
		ok = sandbox_reset() == 0 && !getenv("LD_PRELOAD") && !getenv("PATH") &&
		     umask(0) == 077 && getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") == 0;
		for (int sig = 1; sig < NSIG; sig++) {
			if (sigaction(sig, NULL, &sa) < 0)
				continue;
			ok = ok && (sig == SIGINT || sig == SIGHUP ? sa.sa_handler == SIG_IGN
								   : sa.sa_handler == SIG_DFL);
		}
		sigprocmask(SIG_SETMASK, NULL, &set);
		ok = ok && sigisemptyset(&set);
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static bool only_below(int first)
{
	for (int fd = first; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return false;
	return fcntl(first - 1, F_GETFD) >= 0;
}

START_TEST(close_from)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		bool ok = dup2(0, 3) == 3 && dup2(0, 4) == 4 && dup2(0, 5) == 5 &&
			  dup2(0, 700) == 700;

		ok = ok && sandbox_close_from(5) == 0 && only_below(5);
		ok = ok && sandbox_close_from(4) == 0 && only_below(4);
		_exit(ok && sandbox_close_from(4) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* A kernel before 5.9, as far as this call goes. */
static bool without_close_range(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

START_TEST(close_from_on_an_old_kernel)
{
	const struct rlimit limit = {1024, 1024};
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		bool ok = setrlimit(RLIMIT_NOFILE, &limit) == 0 && dup2(0, 3) == 3 &&
			  dup2(0, 1023) == 1023 && without_close_range();

		errno = 0;
		ok = ok && syscall(SYS_close_range, 5, 4, 0) < 0 && errno == ENOSYS;
		_exit(ok && sandbox_close_from(4) == 0 && only_below(4) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_MAIN("sandbox/state", seen_from_outside, reset, close_from, close_from_on_an_old_kernel)
