/* SPDX-License-Identifier: MIT */
/*
 * Are there descriptors in what a stranger has sent and nobody has read? Whoever closes such a socket closes
 * them, and may wait for ever. Any thread; no state.
 */
#ifndef SUPERVISOR_LOADED_H
#define SUPERVISOR_LOADED_H

#include <stdbool.h>

/*
 * Shuts sock (SEQPACKET or STREAM) for receiving, so that the answer stays true, and looks without taking
 * anything out. Nobody else may have it: what he took out meanwhile would be ours to close.
 * true: there are, or it cannot be told. Never blocks.
 */
bool loaded(int sock);

#endif
