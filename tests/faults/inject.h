/* SPDX-License-Identifier: MIT */
/*
 * Fault injection: a program that is linked with inject.c and its --wrap arguments can have the n-th system call
 * or allocation of this thread fail with a chosen errno, or do something else in its midst, and knows how much
 * memory is held.
 * Calls of the C library to itself are not seen; close(2), free(3) and munmap(2) never fail.
 * Threads: what is armed is the calling thread's; inject_held() sums all.
 */
#ifndef FAULTS_INJECT_H
#define FAULTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>

/* What can fail. */
#define INJECT_MEMORY 0x1u
#define INJECT_KERNEL 0x2u
#define INJECT_IO 0x4u /* read, write and their like: for code whose business they are */

/* Look on: number the calls of these kinds from here to inject_stop(). */
void inject_watch(unsigned int kinds);

/*
 * Have call number n fail with error, without being made; sticky: so will all that come after it and can fail
 * that way.
 */
void inject_fail(unsigned int kinds, size_t n, int error, bool sticky);

/* Neither. Returns the number of calls since inject_watch() or inject_fail(). */
size_t inject_stop(void);

/* Of call n of the last watch: its name, and how it can fail, ended by 0. */
const char *inject_name(size_t n);
const int *inject_errors(size_t n);

/*
 * Have fn(arg) run in the midst of this thread's next call of that name, just before it is made or when it was: as
 * if another thread had been there. Once; NULL takes it back.
 */
void inject_before(const char *name, void (*fn)(void *arg), void *arg);
void inject_after(const char *name, void (*fn)(void *arg), void *arg);

/* Allocations and mappings that were made and not given back. */
long inject_held(void);

#endif
