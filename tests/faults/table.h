/* SPDX-License-Identifier: MIT */
/*
 * Faults by table: a row is one public call. It is made once to see which system calls and allocations it makes;
 * then once for each of them and each way it can fail, alone and from there on. Each time: the error is a
 * documented one, nothing leaks, what was there still works, and the same call succeeds when it is repeated.
 * Some faults are none to the caller: then the call must have done its work.
 */
#ifndef FAULTS_TABLE_H
#define FAULTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "inject.h"

struct fault_row {
	const char *name;
	unsigned int kinds;
	/* The errors that its header lists, positive, ended by 0. */
	const int *errors;
	/* Errors of its system calls that this call can never see. Optional. */
	const int *absurd;
	/* A failure may leave memory behind in an object that was there before, which frees it. */
	bool may_keep;

	/* What the call needs. Optional. */
	void (*prepare)(void *world);
	/* The call. Returns >= 0, or -errno with its output untouched, which it checks after inject_stop(). */
	int (*call)(void *world);
	/* It failed with r: is all as before? Returns false if the call cannot be repeated. Optional. */
	bool (*unharmed)(void *world, int r);
	/* It succeeded: does what it made work? */
	void (*works)(void *world);
};

/* Where the calls are made. close() ends all that prepare() and call() made. */
struct fault_place {
	void (*open)(void *world);
	void (*close)(void *world);
	void *world;
};

/* Returns how many faults were tried. */
size_t fault_run(const struct fault_row *row, const struct fault_place *place);

#define FAULT_ERRORS(...) ((const int[]){__VA_ARGS__, 0})

#endif
