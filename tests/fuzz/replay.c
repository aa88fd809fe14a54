/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files: `replay FILE|DIRECTORY...`, every regular file of a directory. For the
 * normal test run, for AFL++ (afl-clang-fast, one file as @@), and to look at a finding in a debugger.
 * Exit status 0: all ran; a finding aborts; 2: nothing was there to run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fail(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	return 2;
}

static int run_file(const char *path, unsigned int *n_run)
{
	uint8_t *data = malloc(INPUT_MAX), *exact;
	FILE *f = fopen(path, "rbe");
	size_t n;

	if (!data || !f)
		return fail(path);
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* Its own size, so that a sanitizer sees a byte too far. */
	exact = realloc(data, n ? n : 1);
	if (!exact)
		return fail(path);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	++*n_run;
	return 0;
}

static int run_directory(const char *path, unsigned int *n_run)
{
	DIR *d = opendir(path);
	int r = 0;

	if (!d)
		return fail(path);
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		char file[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		r = run_file(file, n_run);
	}
	closedir(d);
	return r;
}

int main(int argc, char **argv)
{
	unsigned int n_run = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		int r = stat(argv[i], &st);

		r = r < 0 ? fail(argv[i])
			  : (S_ISDIR(st.st_mode) ? run_directory : run_file)(argv[i], &n_run);
		if (r)
			return r;
	}
	printf("replay: %u inputs\n", n_run);
	return n_run ? 0 : 2;
}
