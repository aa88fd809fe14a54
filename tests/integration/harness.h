/* SPDX-License-Identifier: MIT */
/*
 * For tests that see the daemon from outside: a private readyd, client processes of other users, raw frames,
 * and what /proc says about them. One thread. A failure in a client process is reported to the test that
 * started it. Everything waits for a condition, with a generous limit.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/wire.h"

#define PATIENCE_MS 20000 /* how long anything may take before the test fails */

/* Numbers without an owner on most systems; "nobody" is the one with the bad manners. */
#ifndef UID_ATTACKER /* of the test's own */
#define UID_ATTACKER 65534u
#endif
#define UID_INNOCENT 61002u

/* Fail unless it is so, in the test itself as well as in a process of proc_start(). */
#define need(condition, ...) \
	do { \
		if (!(condition)) \
			harness_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
	} while (0)
#define need_int(a, op, b) \
	do { \
		long long need_a_ = (long long)(a), need_b_ = (long long)(b); \
		if (!(need_a_ op need_b_)) \
			harness_fail(__FILE__, __LINE__, #a " " #op " " #b, "%lld and %lld", \
				need_a_, need_b_); \
	} while (0)
_Noreturn void harness_fail(const char *file, int line, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

int64_t now_ns(void);
/* Between two looks at a condition; false when the time since start_ns is over. */
bool look_again(int64_t start_ns);

/* A diagnostic line of the test's output (TAP). */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* May we start processes as other users? If not, says so once; the case then returns. */
bool other_users(const char *what_is_skipped);

/* The end of a main(): without root the whole of it is skipped, with the reason printed. */
bool harness_is_root(void);

/* Where a file of this test may be that readyd reads. */
void harness_path(char *buf, size_t n_bytes, const char *name);

/* Does readyd run as on a kernel without the newest features (tests/oldkernel)? */
bool harness_old_kernel(void);

/* ---- a private readyd ---- */

#define INSTANCE_EXPECTS 16
#define INSTANCE_OPTIONS 16

struct instance {
	pid_t pid;
	int pidfd;
	char dir[64];	  /* of ours, with everything in it */
	char runtime[80]; /* readyd's */
	char sock[108];
	char log[80];
	/* Lines of its log that are no surprise: what they contain. */
	const char *expects[INSTANCE_EXPECTS];
	size_t n_expects;
	const char *options[INSTANCE_OPTIONS];
	size_t n_options;
	bool killed;	  /* once: some of its helpers may be ours */
	int ready_fd;	  /* of one that was started and is not waited for, else -1 */
	unsigned int nth; /* in_unit(): how often it was started */
};

/*
 * Start it and wait until it can serve; as root the system instance, for everybody. Then come "key=value",
 * up to a NULL.
 */
void instance_start(struct instance *in, ...) __attribute__((sentinel));
void instance_start_with(struct instance *in, const char *const *options, size_t n);
/* From here on a limit of descriptors in every process of an instance that is started; 0 = ours. */
void instance_limit(uint32_t nofile);
/* From here on this configuration file is read (borrowed); NULL = none. */
void instance_config(const char *path);
/* From here on this readyd is started (borrowed); NULL = the one that was built. */
void instance_program(const char *path);
/* This in a line of its log is no surprise. The text is borrowed. */
void instance_expect(struct instance *in, const char *text);
/*
 * SIGTERM, and wait: it exits with 0, nothing of it is left, and its log has no warning that was not
 * expected and no sanitizer's report.
 */
void instance_stop(struct instance *in);
/* The first half of it, up to readyd's own end. */
void instance_terminate(struct instance *in);
/* The second half: it has ended, or something else ends it. */
void instance_gone(struct instance *in);
/* kill -9 of readyd alone: its helpers become ours. */
void instance_kill(struct instance *in);
/* And once more in the same directory, with the same options or with others. */
void instance_again(struct instance *in);
void instance_again_with(struct instance *in, const char *const *options, size_t n);
/* The same in two halves: start it, and wait until it can serve; it may be killed in between. */
void instance_begin(struct instance *in);
void instance_await(struct instance *in);
/* Can it serve, or has it ended? */
bool instance_begun(const struct instance *in);
/* A test has failed: its log is shown, and nothing of it stays behind. */
void instance_abandon(void);
/* All that it has logged; static. */
char *instance_log(const struct instance *in);
bool instance_said(const struct instance *in, const char *text);

/*
 * Its helpers by name, "agent", "closer", "bouncer", or NULL for every process under it (after its end: for
 * every process that it left). Fills up to n, returns how many.
 */
size_t instance_helpers(const struct instance *in, const char *name, pid_t *pids, size_t n);
/* How many processes under it are about to end, which takes no time unless something in the kernel does. */
size_t instance_ending(const struct instance *in);
/* The agent that serves this user now, 0 = none. */
pid_t instance_agent(const struct instance *in, uid_t uid);
pid_t instance_wait_agent(const struct instance *in, uid_t uid);
void wait_gone(pid_t pid);

/* Entries of /proc/PID/fd; -1: no such process. */
int count_fds(pid_t pid);

/* The processes of an instance and their descriptors. */
struct census {
	size_t n;
	struct {
		pid_t pid;
		int n_fds;
	} of[32];
};
void census_take(const struct instance *in, struct census *ret);
/* Wait until it is as it was: the same processes with as many descriptors each. */
void census_wait(const struct instance *in, const struct census *before);
/* Take one when nothing changes any more. */
void census_settle(const struct instance *in, struct census *ret);

/* ---- client processes ---- */

struct proc {
	pid_t pid;
	int sock; /* to the other side, in both */
};

/* Fork and run as that user; the process ends when run() returns. */
void proc_start(struct proc *p, uid_t uid, void (*run)(struct proc *self, void *arg), void *arg);
/* A message of up to 4096 bytes to the other side, and from it; hearing fails with what failed there. */
void proc_say(struct proc *p, const void *buf, size_t n_bytes);
void proc_hear(struct proc *p, void *buf, size_t n_bytes);
/* Something to hear within this time? The end of the other side counts. */
bool proc_waits(const struct proc *p, int timeout_ms);
/* Fails if it has failed by now; what else it has said is forgotten. */
void proc_check(struct proc *p);
/* Wait for its end, which is exit status 0. */
void proc_end(struct proc *p);
/* SIGKILL and wait. */
void proc_kill(struct proc *p);
/* Is this a process that the test itself has started, and that has not ended? */
bool proc_is_ours(pid_t pid);
void proc_started(pid_t pid);
void proc_ended(pid_t pid);

/* ---- raw frames ---- */

struct raw_frame {
	uint8_t buf[WIRE_FRAME_MAX + 1];
	size_t n_bytes;
	struct wire_frame f;
};

#define RAW_FEATURES (WIRE_FEATURE_ONESHOT | WIRE_FEATURE_EDGE)
#define RAW_ANY UINT32_MAX /* any detail will do */

int raw_connect(const char *path);
/* Connect, HELLO, WELCOME. */
int raw_open(const char *path);
size_t raw_put_hello(uint8_t *buf, uint64_t features);
/* Returns 0 or -errno; waits for room at most PATIENCE_MS (-EAGAIN then). */
int raw_send(int sock, const void *buf, size_t n_bytes, const int *fds, size_t n_fds);
/* One frame: 1, 0 at the end, -ETIMEDOUT or another -errno. */
int raw_recv(int sock, struct raw_frame *ret, int timeout_ms);
/* The next frame, which is of this type. */
void raw_recv_type(int sock, struct raw_frame *ret, uint16_t type);
/* The next frame of this type; events before it are passed over. */
void raw_recv_past_events(int sock, struct raw_frame *ret, uint16_t type);
/* Next come this ERROR with the fatal bit, and the end. */
void raw_expect_fatal(int sock, uint32_t error, uint32_t detail);
void raw_expect_end(int sock);
/* One REGISTER with one record, and its answer. */
struct wire_result raw_register(
	int sock, int fd, uint64_t cookie, uint16_t interest, uint8_t mode, uint8_t flags);
uint64_t raw_register_ok(
	int sock, int fd, uint64_t cookie, uint16_t interest, uint8_t mode, uint8_t flags);
uint32_t raw_deregister(int sock, uint64_t id);
void raw_rearm(int sock, uint64_t id, uint32_t seq);
/*
 * PING and PONG: whatever was sent before has been worked off, and an event that came of it would have been
 * told. Fails when one is.
 */
void raw_ping(int sock);

#endif
