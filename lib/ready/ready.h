/* SPDX-License-Identifier: MIT */
/* libready: everything. The parts are documented in their own headers and in libready(3). */
#ifndef READY_READY_H
#define READY_READY_H

#include <ready/addr.h>
#include <ready/client.h>
#include <ready/event.h>
#include <ready/io.h>
#include <ready/os.h>
#include <ready/pipe.h>
#include <ready/poll.h>
#include <ready/registry.h>
#include <ready/socket.h>
#include <ready/source.h>
#include <ready/tcp.h>
#include <ready/timer.h>
#include <ready/types.h>
#include <ready/udp.h>
#include <ready/unix.h>
#include <ready/waker.h>

#endif
