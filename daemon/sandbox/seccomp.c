/* SPDX-License-Identifier: MIT */
/*
 * The system call filter, an allowlist per role, by libseccomp.
 * Threads: the process's only one; threads that start later inherit it. A call without a condition on its
 * arguments costs next to nothing (the kernel keeps a bitmap of those, Linux 5.11): keep it so for the calls
 * of the event path. Paths can't be filtered; what limits openat() is the uid.
 */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3) /* Linux 6.10, include/uapi/linux/fcntl.h */
#endif

/* Memory, time, signals to itself, and the ways out: what a C library needs for malloc() and abort(). */
static const int common[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(close),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(gettid),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(write), /* the last words of assert() */
	SCMP_SYS(writev),
};

static const int agent[] = {
	SCMP_SYS(accept4), /* of the next supervisor */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(lseek),
	SCMP_SYS(pipe2),
	SCMP_SYS(read), /* a waker, /proc/self/fdinfo; never a client's descriptor */
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(statx),
};

/* What a C library tries on its own and can do without. fstat() and ioctl() may block on a client's file. */
static const int refused[] = {
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(ioctl),
	SCMP_SYS(newfstatat),
	SCMP_SYS(prctl),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sysinfo),
};

/* F_SETFL is missing on purpose: status flags belong to whoever sent the descriptor. */
static const int agent_fcntl[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_DUPFD_QUERY};

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* A call that this architecture does not have is a negative number: nothing to allow. */
static int add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add_array(ctx, action, calls[i], 0, NULL);

		if (r < 0 && calls[i] >= 0)
			return r;
	}
	return 0;
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp condition)
{
	int r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &condition);

	return call < 0 ? 0 : r;
}

static int add_memory(scmp_filter_ctx ctx)
{
	/* Nothing becomes executable any more. mmap2 is mmap on 32 bit. */
	const struct scmp_arg_cmp not_exec = SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int r = allow_if(ctx, SCMP_SYS(mmap), not_exec);

	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(mmap2), not_exec);
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(mprotect), not_exec);
	/* raise() and abort(), no other process. */
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(tgkill), SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()));
	return r;
}

/*
 * Reactors are threads; a fork would copy every client's descriptor into a child. The flags of clone3() lie in
 * memory, where a filter cannot look: the C library goes on with clone() when the kernel has no clone3().
 */
static int add_threads(scmp_filter_ctx ctx)
{
	const uint64_t thread = CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	int r = allow_if(ctx, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static int add_agent(scmp_filter_ctx ctx)
{
	/* Reading only. O_TMPFILE contains O_DIRECTORY, which reading may use: its own bit is enough. */
	const uint32_t writing =
		O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
	/*
	 * SOL_SOCKET only. Other levels reach into protocols; getsockname() and getpeername() are absent,
	 * too: they take a lock that a client can hold for ever.
	 */
	const struct scmp_arg_cmp sol_socket = SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET);
	int r = allow_if(ctx, SCMP_SYS(openat), SCMP_A2_32(SCMP_CMP_MASKED_EQ, writing, 0));

	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(getsockopt), sol_socket);
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(setsockopt), sol_socket);
	/* Reading a limit, not setting one. */
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
	if (r == 0)
		r = add_threads(ctx);
	for (size_t i = 0; r == 0 && i < RDY__ARRAY_SIZE(agent_fcntl); i++) {
		const struct scmp_arg_cmp cmd = SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)agent_fcntl[i]);

		r = allow_if(ctx, SCMP_SYS(fcntl), cmd);
		if (r == 0)
			r = allow_if(ctx, SCMP_SYS(fcntl64), cmd);
	}
	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, agent, RDY__ARRAY_SIZE(agent));
	return r;
}

bool sandbox_available(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int sandbox_filter_install(enum sandbox_role role)
{
	rdy__cleanup(release) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* No code of others runs here, so no store bypass mitigation, which older kernels tie to a filter. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, common, RDY__ARRAY_SIZE(common));
	if (r == 0)
		r = add(ctx, SCMP_ACT_ERRNO(EPERM), refused, RDY__ARRAY_SIZE(refused));
	if (r == 0)
		r = add_memory(ctx);
	if (r == 0 && role == SANDBOX_AGENT)
		r = add_agent(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	return r;
}
