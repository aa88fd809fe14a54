/* SPDX-License-Identifier: MIT */
/*
 * silent-file COMMAND...: run it with a descriptor, $SILENT_FD, on a file whose FUSE server answers nothing any more;
 * the server lives until our standard input ends. Takes root. Exit status: 77 there is no FUSE here; 0 else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse.h"

int main(int argc, char *argv[])
{
	struct fuse f;
	int r = fuse_start(&f);
	char number[16], c;
	pid_t pid;

	if (r < 0 || argc < 2) {
		fprintf(stderr, "no FUSE: %s\n", strerror(-r));
		return 77;
	}
	fuse_silence(&f);
	snprintf(number, sizeof(number), "%d", f.file);
	setenv("SILENT_FD", number, 1);
	pid = fork();
	if (pid == 0) {
		/* Not another number: what is closed on the way would wait for the server. */
		fcntl(f.file, F_SETFD, 0);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	/* The command cannot end before: its last close is asked of the server, too. */
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	fuse_end(&f);
	waitpid(pid, NULL, 0);
	return 0;
}
