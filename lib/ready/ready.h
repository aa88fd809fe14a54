/* SPDX-License-Identifier: MIT */
/* libready: everything. The parts are documented in their own headers and in libready(3). */
#ifndef READY_READY_H
#define READY_READY_H

#include <ready/client.h>
#include <ready/event.h>
#include <ready/poll.h>
#include <ready/registry.h>
#include <ready/source.h>
#include <ready/timer.h>
#include <ready/types.h>
#include <ready/waker.h>

#endif
