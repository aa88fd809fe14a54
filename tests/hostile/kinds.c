/* SPDX-License-Identifier: MIT */
/* Everything that is a descriptor and none of ours: it is refused by kind and disposed of (threats: e, j). */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "unit.h"

#define ANY RAW_ANY

static int path(const char *name)
{
	return open(name, O_RDONLY | O_CLOEXEC);
}

static int dev_zero(void)
{
	return path("/dev/zero");
}

static int dev_urandom(void)
{
	return path("/dev/urandom");
}

static int dev_full(void)
{
	return path("/dev/full");
}

static int dev_kmsg(void)
{
	return path("/dev/kmsg");
}

static int dev_tun(void)
{
	return open("/dev/net/tun", O_RDWR | O_CLOEXEC);
}

/* Not mounted: it could be polled. */
static int dev_fuse(void)
{
	return open("/dev/fuse", O_RDWR | O_CLOEXEC);
}

static int proc_mounts(void)
{
	return path("/proc/self/mounts");
}

static int sys_file(void)
{
	return path("/sys/kernel/uevent_seqnum");
}

static int place(void)
{
	return open("/", O_PATH | O_CLOEXEC);
}

static int tree(void)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, "/", O_CLOEXEC);
}

static int name_space(void)
{
	return path("/proc/self/ns/net");
}

static int secret(void)
{
	return (int)syscall(SYS_memfd_secret, O_CLOEXEC);
}

static int memory(void)
{
	return memfd_create("x", MFD_CLOEXEC);
}

static int sealed(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)!ftruncate(fd, 4096);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return fd;
}

/* Whoever maps it is charged for it. */
static int huge(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	(void)!ftruncate(fd, (off_t)1 << 40);
	return fd;
}

static int signals(void)
{
	sigset_t set;

	sigfillset(&set);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int faults(void)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */);
}

static int perf(void)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(a),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1};

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int fanotify(void)
{
	return fanotify_init(FAN_CLOEXEC | FAN_CLASS_NOTIF, O_RDONLY);
}

static int bpf_map(void)
{
	union bpf_attr a = {.map_type = BPF_MAP_TYPE_ARRAY};

	a.key_size = a.value_size = 4;
	a.max_entries = 1;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}

static int fs_context(void)
{
	return (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
}

static int netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int packet(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int raw_icmp(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static int raw_udp(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
}

static int vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int crypto(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static const struct foreign {
	const char *name;
	int (*open)(void);
	uint32_t kind;
} foreign[] = {
	{"/dev/zero", dev_zero, WIRE_KIND_PATH},
	{"/dev/urandom", dev_urandom, WIRE_KIND_PATH},
	{"/dev/full", dev_full, WIRE_KIND_PATH},
	{"/dev/kmsg", dev_kmsg, WIRE_KIND_PATH},
	{"/dev/net/tun", dev_tun, WIRE_KIND_PATH},
	{"/dev/fuse", dev_fuse, WIRE_KIND_PATH},
	{"/proc file", proc_mounts, WIRE_KIND_PATH},
	{"/sys file", sys_file, WIRE_KIND_PATH},
	{"O_PATH", place, WIRE_KIND_PATH},
	{"open_tree", tree, WIRE_KIND_PATH},
	{"namespace", name_space, ANY},
	{"memfd_secret", secret, ANY},
	{"memfd", memory, WIRE_KIND_MEMFD},
	{"sealed memfd", sealed, WIRE_KIND_MEMFD},
	{"memfd of 1 TiB", huge, WIRE_KIND_MEMFD},
	{"signalfd", signals, WIRE_KIND_SIGNALFD},
	{"userfaultfd", faults, WIRE_KIND_ANON_OTHER},
	{"perf_event", perf, WIRE_KIND_ANON_OTHER},
	{"fanotify", fanotify, WIRE_KIND_ANON_OTHER},
	{"BPF map", bpf_map, WIRE_KIND_ANON_OTHER},
	{"file system context", fs_context, WIRE_KIND_ANON_OTHER},
	{"netlink", netlink, WIRE_KIND_SOCKET_OTHER},
	{"packet", packet, WIRE_KIND_SOCKET_OTHER},
	{"raw ICMP", raw_icmp, WIRE_KIND_SOCKET_OTHER},
	{"raw UDP", raw_udp, WIRE_KIND_SOCKET_OTHER},
	{"vsock", vsock, WIRE_KIND_SOCKET_OTHER},
	{"kernel crypto", crypto, WIRE_KIND_SOCKET_OTHER},
};

#define N_FOREIGN (sizeof(foreign) / sizeof(foreign[0]))
#define TESTED_MIN 20u

struct opened {
	int fds[N_FOREIGN];
};

/* As root, who may have all of them. */
static void open_all(void *arg)
{
	struct opened *o = arg;
	uint32_t n = 0;

	for (size_t i = 0; i < N_FOREIGN; i++) {
		o->fds[i] = foreign[i].open();
		n += o->fds[i] >= 0;
		if (o->fds[i] < 0)
			note("not here: %s: %s", foreign[i].name, strerror(errno));
	}
	need_int(n, >=, TESTED_MIN);
}

/* Each is answered, and the session goes on. */
static void hand_in_all(const struct instance *in, uint32_t n, void *arg)
{
	const struct opened *o = arg;
	int sock = -1;

	for (size_t i = 0; i < N_FOREIGN; i++) {
		struct wire_result r;

		/* What has a path stays with the session; there may be only so many. */
		if (i % 8 == 0) {
			rdy__fd_close(sock);
			sock = raw_open(in->sock);
		}
		if (o->fds[i] < 0)
			continue;
		r = raw_register(sock, o->fds[i], i, WIRE_READABLE, WIRE_EDGE, 0);
		need(r.error == WIRE_E_FD_KIND_REFUSED && r.id == 0 &&
				(foreign[i].kind == ANY || r.detail == foreign[i].kind),
			"%s: %s detail %u", foreign[i].name, wire_error_name(r.error), r.detail);
	}
	raw_ping(sock);
	rdy__fd_close(sock);
}

START_TEST(every_foreign_kind)
{
	struct opened o;

	attack(&(struct attack){.name = "every foreign kind",
		.round = hand_in_all,
		.prepare = open_all,
		.arg = &o,
		.rounds_max = 100,
		.agent_ends = true,
		/* A session without a path among them leaves an agent that need not end. */
		.options = {"agent.idle_exit=100ms"}});
}
END_TEST

/* The kernel is asked to send a signal to somebody whenever the descriptor becomes ready. */
static void sign(int fd, pid_t pid)
{
	need(fcntl(fd, F_SETOWN, pid) == 0 && fcntl(fd, F_SETSIG, SIGKILL) == 0 &&
			fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0,
		"%s", strerror(errno));
}

static void kill_by_descriptor(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock);
	struct raw_frame frame;
	pid_t pids[8];
	size_t n_pids = instance_helpers(in, NULL, pids, 7);

	pids[n_pids++] = in->pid;
	for (size_t i = 0; i < n_pids; i++) {
		int sv[2];
		uint64_t id;

		need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, "%s",
			strerror(errno));
		sign(sv[0], pids[i]);
		id = raw_register_ok(sock, sv[0], i, WIRE_READABLE, WIRE_EDGE, 0);
		need(write(sv[1], "x", 1) == 1, "%s", strerror(errno));
		raw_recv_type(sock, &frame, WIRE_EVENTS);
		need_int(raw_deregister(sock, id), ==, WIRE_OK);
		rdy__fd_close(sv[0]);
		rdy__fd_close(sv[1]);
	}
	raw_ping(sock);
	rdy__fd_close(sock);
}

/* Every process is the same one afterwards: attack() sees to that. */
START_TEST(signals_by_descriptor)
{
	attack(&(struct attack){.name = "signals by descriptor", .round = kill_by_descriptor});
}
END_TEST

static void hand_in_memory(const struct instance *in, uint32_t n, void *arg)
{
	int sock = raw_open(in->sock);
	int (*const open_one[])(void) = {memory, sealed, huge};
	int fd = open_one[n % 3]();
	struct wire_result r = raw_register(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);

	need(r.error == WIRE_E_FD_KIND_REFUSED && r.detail == WIRE_KIND_MEMFD, "%s detail %u",
		wire_error_name(r.error), r.detail);
	/* Whoever had it mapped would die now. */
	need(ftruncate(fd, 0) == 0 || n % 3 == 1, "%s", strerror(errno));
	raw_ping(sock);
	rdy__fd_close(fd);
	rdy__fd_close(sock);
}

static void nothing_is_mapped(const struct instance *in, const struct attack *a)
{
	pid_t pids[8];
	size_t n = instance_helpers(in, NULL, pids, 7);

	pids[n++] = in->pid;
	for (size_t i = 0; i < n; i++) {
		char path_name[64], line[512];
		FILE *f;

		snprintf(path_name, sizeof(path_name), "/proc/%d/maps", (int)pids[i]);
		f = fopen(path_name, "re");
		need(f, "%s: %s", path_name, strerror(errno));
		while (fgets(line, sizeof(line), f))
			need(!strstr(line, "memfd:"), "process %d: %s", (int)pids[i], line);
		fclose(f);
	}
}

START_TEST(memory_of_a_client)
{
	attack(&(struct attack){
		.name = "memory of a client", .round = hand_in_memory, .end = nothing_is_mapped});
}
END_TEST

UNIT_MAIN("hostile/kinds", every_foreign_kind, signals_by_descriptor, memory_of_a_client)
