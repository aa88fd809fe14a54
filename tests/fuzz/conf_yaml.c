/* SPDX-License-Identifier: MIT */
/*
 * Files of the configuration. A refusal changes nothing and says where, what, why and what to do, in a line each; what
 * is taken is within bounds, is taken again, and says of each key that it has set in which line.
 */
#include "conf/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void must_be_line(const char *s)
{
	size_t n = strnlen(s, CONF_ERROR_BYTES);

	must(n > 0 && n < CONF_ERROR_BYTES);
	for (size_t i = 0; i < n; i++)
		must((unsigned char)s[i] >= 0x20 && s[i] != 0x7f);
}

static const char *file_of(const uint8_t *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("conf", MFD_CLOEXEC);
		must(fd >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	must(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = file_of(data, size);
	struct conf_loaded l, again;
	struct conf_error e;
	uint32_t n_lines = 1;
	int r;

	for (size_t i = 0; i < size; i++)
		n_lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80;
	conf_loaded_init(&l);
	conf_loaded_init(&again);
	memset(&e, 0x5a, sizeof(e));
	r = conf_load_file(&l, path, &e);
	must(r == 0 || r == -EINVAL);
	must(conf_load_file(&again, path, &(struct conf_error){{0}}) == r);
	must(memcmp(&l.conf, &again.conf, sizeof(l.conf)) == 0);
	if (r < 0) {
		must_be_line(e.where);
		must_be_line(e.what);
		must_be_line(e.why);
		must_be_line(e.fix);
		must(l.n_files == 0);
	}
	for (size_t i = 0; i < CONF_KEYS_MAX; i++)
		must(r == 0 && l.origins[i].line
				? l.origins[i].line <= n_lines && l.origins[i].file == l.files[0]
				: l.origins[i].file == CONF_FROM_DEFAULT);
	conf_loaded_deinit(&l);
	conf_loaded_deinit(&again);
	return 0;
}
