/* SPDX-License-Identifier: MIT */
/*
 * The service manager's descriptor store: what is in it survives us and comes back at the next start
 * (sd_notify(3), FDSTORE=1). Only the channels to our agents go there, never what a client can touch: the
 * manager would poll and close it.
 */
#ifndef SUPERVISOR_STORE_H
#define SUPERVISOR_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_NAME_BYTES 48u
#define STORE_PROBE "probe" /* a name of store_probe() itself */

/*
 * Is there a service manager that keeps descriptors? It does not say: it is given one, and seen whether that is
 * kept. Waits for it, at most 2 s.
 */
bool store_probe(void);

/* Keep a descriptor (borrowed) under a name that no other has. Returns 0 or -errno. */
int store_put(const char *name, int fd);
void store_remove(const char *name);

#endif
