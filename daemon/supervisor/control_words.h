/* SPDX-License-Identifier: MIT */
/* What the supervisor itself knows of agents and of the daemon, as JSON; and sentences for people. */
#ifndef SUPERVISOR_CONTROL_WORDS_H
#define SUPERVISOR_CONTROL_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct agent;
struct control;
struct control_sums;
struct supervisor;

/* An Agent. reactors: an array (borrowed) with the sums of it, or NULL: it has not been asked. */
json_t *control_words_agent(struct supervisor *sv, const struct agent *agent, json_t *reactors,
	const struct control_sums *sums);

/* Status, from the job's sums. */
json_t *control_words_status(struct supervisor *sv, struct control *c);

/* A Configuration; what was wrong with a file is for administrators. control_config.c */
json_t *control_words_configuration(const struct supervisor *sv, bool admin);

/* Agents of the uid that are stuck in the kernel; -1: of all. */
size_t control_words_wedged(const struct supervisor *sv, uid_t uid);

/* "error" ... "debug", and back: the syslog priority, or -1. */
const char *control_words_level(int priority);
int control_words_priority(const char *word);

/* Append a sentence. Without memory it is missing. */
void control_words_say(json_t *sentences, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Append a Process; nothing for a pid of 0. */
void control_words_process(json_t *processes, int32_t pid, const char *role, bool stuck);

#endif
