/* SPDX-License-Identifier: MIT */
/* Signals as readiness: signalfd(2). Threads: one at a time for one io. May not touch a mask or a disposition. */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "net/io.h"
#include "ready/os.h"

int rdy_signals_new(const int *signals, size_t n, struct rdy_io **ret)
{
	sigset_t set;
	int fd;

	if (!signals || n == 0 || !ret)
		return -EINVAL;
	sigemptyset(&set);
	for (size_t i = 0; i < n; i++) {
		/* These two never arrive: signalfd(2) would pass over them in silence. */
		if (signals[i] == SIGKILL || signals[i] == SIGSTOP ||
			sigaddset(&set, signals[i]) < 0)
			return -EINVAL;
	}
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : rdy__io_take(fd, RDY__IO_SIGNALS, 0, ret);
}

int rdy_signals_next(struct rdy_io *io, struct rdy_signal *ret)
{
	struct signalfd_siginfo info;
	ssize_t r;

	if (!io || io->kind != RDY__IO_SIGNALS || !ret)
		return -EINVAL;
	do
		r = read(io->fd, &info, sizeof(info));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return (int)rdy__io_done(io, -errno);
	*ret = (struct rdy_signal){
		.signal = (int)info.ssi_signo,
		.code = info.ssi_code,
		.pid = (int)info.ssi_pid,
		.uid = info.ssi_uid,
		.status = info.ssi_status,
		.value = info.ssi_int,
	};
	return 0;
}
