/* SPDX-License-Identifier: MIT */
/*
 * oldkernel PROGRAM [ARGUMENT]...: run it as on a kernel that lacks what newer ones have. One thread, no state:
 * a system call filter, which everything that the program starts inherits, answers as such a kernel would.
 *
 *     6.5    SO_PEERPIDFD     ENOPROTOOPT
 *     6.10   F_DUPFD_QUERY    EINVAL
 *     6.16   SO_PASSRIGHTS    ENOPROTOOPT
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* include/uapi/asm-generic/socket.h */
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* include/uapi/asm-generic/socket.h */
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3) /* include/uapi/linux/fcntl.h */
#endif

static const int options[] = {SO_PEERPIDFD, SO_PASSRIGHTS};
static const int option_calls[] = {SCMP_SYS(getsockopt), SCMP_SYS(setsockopt)};
static const int fcntl_calls[] = {SCMP_SYS(fcntl), SCMP_SYS(fcntl64)};

/* A call that this architecture does not have is a negative number. */
static int fill(scmp_filter_ctx ctx)
{
	/* No code of others runs here. */
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2 && r == 0; k++)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOPROTOOPT), option_calls[i], 2,
				SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET),
				SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)options[k]));
		if (r == 0 && fcntl_calls[i] >= 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), fcntl_calls[i], 1,
				SCMP_A1_32(SCMP_CMP_EQ, F_DUPFD_QUERY));
	}
	return r == 0 ? seccomp_load(ctx) : r;
}

/* Nothing is as the name says before this has been seen. */
static const char *what_is_new(void)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), value;
	socklen_t n = sizeof(value);

	if (sock < 0)
		return "no socket";
	if (getsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &value, &n) == 0 || errno != ENOPROTOOPT)
		return "SO_PASSRIGHTS";
	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &value, &n) == 0 || errno != ENOPROTOOPT)
		return "SO_PEERPIDFD";
	if (fcntl(sock, F_DUPFD_QUERY, sock) >= 0 || errno != EINVAL)
		return "F_DUPFD_QUERY";
	close(sock);
	return NULL;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx;
	const char *found;
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: oldkernel PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	r = ctx ? fill(ctx) : -ENOMEM;
	seccomp_release(ctx);
	if (r < 0) {
		fprintf(stderr, "oldkernel: no filter: %s\n", strerror(-r));
		return 125;
	}
	found = what_is_new();
	if (found) {
		fprintf(stderr, "oldkernel: it is still there: %s\n", found);
		return 125;
	}
	/* For tests that want to know; readyd itself does not look. */
	setenv("READYD_TEST_OLD_KERNEL", "1", 1);
	execvp(argv[1], argv + 1);
	fprintf(stderr, "oldkernel: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
