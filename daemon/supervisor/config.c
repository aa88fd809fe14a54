/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER_BYTES 400u

/* The user's, as the XDG Base Directory Specification says; empty if he has none. */
static void find_user_folder(char *buf, size_t n)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int written = 0;

	if (xdg && xdg[0] == '/')
		written = snprintf(buf, n, "%s/readyd", xdg);
	else if (home && home[0] == '/')
		written = snprintf(buf, n, "%s/.config/readyd", home);
	if (written <= 0 || (size_t)written >= n)
		buf[0] = 0;
}

int config_load(struct conf_loaded *l, const char *file, bool user, struct conf_error *ret_error)
{
	struct conf_folders folders = {READYD_VENDORDIR, READYD_SYSCONFDIR, "/run/readyd"};
	char own[FOLDER_BYTES];

	if (file && strcmp(file, "none") == 0)
		return 0;
	if (file)
		return conf_load_file(l, file, ret_error);
	if (user) {
		find_user_folder(own, sizeof(own));
		folders = (struct conf_folders){NULL, own[0] ? own : NULL, NULL};
	}
	return conf_load_all(l, &folders, ret_error);
}
