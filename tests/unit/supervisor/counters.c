/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "log.h"
#include "unit.h"

static char path[] = "/tmp/readyd-counters-XXXXXX";
static int dir = -1;
static struct counters_kept kept;
static struct counters c;

static void setup(void)
{
	unit_setup();
	strcpy(path + strlen(path) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log_set_level(LOG_P_ERROR);
}

static void teardown(void)
{
	unlinkat(dir, "counters", 0);
	unlinkat(dir, "elsewhere", 0);
	dir = rdy__fd_close(dir);
	ck_assert_int_eq(rmdir(path), 0);
	unit_teardown();
}

static bool is_there(void)
{
	return faccessat(dir, "counters", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

START_TEST(a_restart_goes_on)
{
	counters_load(&kept, dir, &c);
	ck_assert_uint_eq(c.sessions, 0);
	c.sessions = 7;
	c.refused[3] = UINT64_MAX;
	c.reloads_refused = 2;
	counters_save(&kept, &c);
	c.sessions = 8;
	counters_save(&kept, &c);
	counters_close(&kept, dir, true);
	counters_close(&kept, dir, true);
	memset(&c, 0x55, sizeof(c));
	counters_load(&kept, dir, &c);
	ck_assert_uint_eq(c.sessions, 8);
	ck_assert(c.refused[3] == UINT64_MAX);
	ck_assert_uint_eq(c.reloads_refused, 2);
	ck_assert_uint_eq(c.agents_lost, 0);
	counters_close(&kept, dir, false);
	ck_assert(!is_there());
}
END_TEST

/* Another layout, half a file, somebody else's, a link, a folder: as if there were none. */
START_TEST(what_is_not_ours)
{
	static const char nonsense[4096] = "rdycnt0";
	int fd;

	for (int i = 0; i < 5; i++) {
		switch (i) {
		case 0:
		case 1:
			fd = openat(dir, "counters", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
			ck_assert_int_gt(
				write(fd, i ? "rdycnt1" : nonsense, i ? 8 : sizeof(nonsense)), 0);
			rdy__fd_close(fd);
			break;
		case 2:
			ck_assert_int_eq(symlinkat("elsewhere", dir, "counters"), 0);
			break;
		case 3:
			ck_assert_int_eq(mkdirat(dir, "counters", 0700), 0);
			break;
		default:
			ck_assert_int_eq(mkfifoat(dir, "counters", 0666), 0);
			ck_assert_int_eq(fchmodat(dir, "counters", 0666, 0), 0);
			break;
		}
		memset(&c, 0x55, sizeof(c));
		counters_load(&kept, dir, &c);
		ck_assert_uint_eq(c.sessions, 0);
		/* Written, or given up once and for all; nothing else is touched. */
		c.sessions = 1;
		counters_save(&kept, &c);
		ck_assert_int_eq(kept.failed, i >= 2);
		c.sessions = 2;
		counters_save(&kept, &c);
		ck_assert_int_ne(faccessat(dir, "elsewhere", F_OK, 0), 0);
		counters_close(&kept, dir, true);
		unlinkat(dir, "counters", i == 3 ? AT_REMOVEDIR : 0);
	}
}
END_TEST

UNIT_MAIN_WITH("supervisor/counters", setup, teardown, a_restart_goes_on, what_is_not_ours)
