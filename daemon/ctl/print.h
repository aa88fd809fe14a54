/* SPDX-License-Identifier: MIT */
/* readyctl's output: a line per event, text or JSON, written at once. */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "errors.h"
#include "options.h"
#include "source.h"

/* Words of a set of RDY_* bits: "in hup". buf must have room for CTL_WORDS_BYTES. */
#define CTL_WORDS_BYTES 40u
void ctl_ready_words(char *buf, uint32_t ready, char between);

/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void ctl_json_string(FILE *f, const char *s);

/* CLOCK_REALTIME in ns, for people. */
int64_t ctl_realtime_ns(void);

/*
 * One event line on f, flushed. realtime_ns: for JSON's time.
 * Returns 0, CTL_CLOSED when nobody reads any more, or an exit code with *p set.
 */
int ctl_print_event(FILE *f, bool json, const struct ctl_name *name, const struct ctl_event *e,
	int64_t realtime_ns, struct ctl_problem *p);

#endif
