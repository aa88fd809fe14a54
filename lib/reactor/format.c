/* SPDX-License-Identifier: MIT */
/* Interests and events as text. Threads: any. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ready/event.h"

static const struct {
	uint32_t bit;
	const char *name;
} names[] = {
	{RDY_READABLE, "READABLE"},
	{RDY_WRITABLE, "WRITABLE"},
	{RDY_PRIORITY, "PRIORITY"},
	{RDY_HANGUP_ONLY, "HANGUP_ONLY"},
	{RDY_ERROR, "ERROR"},
	{RDY_READ_CLOSED, "READ_CLOSED"},
	{RDY_WRITE_CLOSED, "WRITE_CLOSED"},
	{RDY_TIMER, "TIMER"},
	{RDY_WAKE, "WAKE"},
};

int rdy_ready_format(uint32_t ready, char *buf, size_t buf_bytes)
{
	char text[RDY_READY_TEXT_BYTES] = "", number[16];
	size_t n;

	if (!buf)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(ready & names[i].bit))
			continue;
		strcat(strcat(text, *text ? " | " : ""), names[i].name);
		ready &= ~names[i].bit;
	}
	if (ready || !*text) {
		snprintf(number, sizeof(number), ready ? "%#x" : "%u", ready);
		strcat(strcat(text, *text ? " | " : ""), number);
	}
	n = strlen(text);
	if (n >= buf_bytes)
		return -ENOSPC;
	memcpy(buf, text, n + 1);
	return (int)n;
}
