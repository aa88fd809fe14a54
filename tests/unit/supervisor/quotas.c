/* SPDX-License-Identifier: MIT */
/* Whose quotas a uid uses, and what they are. With users that every system has, and one that none has. */
#include "quotas.h"

#include <pwd.h>

#include "agents.h"
#include "log.h"
#include "unit.h"

#define NOBODY "nobody-is-called-this"

static struct quotas q;
static struct conf c;
static uid_t daemon_uid;

static void setup(void)
{
	const struct passwd *user = getpwnam("daemon");

	unit_setup();
	ck_assert_ptr_nonnull(user);
	daemon_uid = user->pw_uid;
	log_set_level(-1);
	conf_init(&c);
}

static void set(const char *pair)
{
	struct conf_error e;

	ck_assert_msg(conf_set_pair(&c, pair, &e) == 0, "%s", pair);
}

static void charge(uint32_t from, uint32_t count, const char *to)
{
	struct conf_range *r = &c.ranges.ranges[c.ranges.n++];

	*r = (struct conf_range){.from = from, .count = count};
	strcpy(r->charge_to, to);
}

START_TEST(everybody)
{
	set("quota.default.sessions=7");
	quotas_init(&q, &c);
	for (uid_t uid = 0; uid < 3; uid++) {
		ck_assert_uint_eq(quotas_payer(&q, uid), uid);
		ck_assert_uint_eq(quotas_of(&q, uid, CONF_Q_SESSIONS), 7);
		ck_assert_uint_eq(quotas_of(&q, uid, CONF_Q_REGISTRATIONS), 1024);
		ck_assert_uint_eq(quotas_of(&q, uid, CONF_Q_CONNECTS), 10);
		ck_assert_uint_eq(quotas_of(&q, uid, CONF_Q_CONTROLS), 8);
	}
}
END_TEST

START_TEST(users)
{
	set("quota.users.daemon.sessions=100");
	set("quota.users.root.registrations=5");
	set("quota.users." NOBODY ".sessions=3");
	set("quota.default.control=9");
	quotas_init(&q, &c);
	ck_assert_uint_eq(q.n_users, 2);
	ck_assert_uint_eq(quotas_of(&q, daemon_uid, CONF_Q_SESSIONS), 100);
	ck_assert_uint_eq(quotas_of(&q, daemon_uid, CONF_Q_CONTROLS), 9);
	ck_assert_uint_eq(quotas_of(&q, 0, CONF_Q_REGISTRATIONS), 5);
	ck_assert_uint_eq(quotas_of(&q, 0, CONF_Q_SESSIONS), 32);
	ck_assert_uint_eq(quotas_of(&q, (uid_t)-2, CONF_Q_SESSIONS), 32);
	/* Nothing of an earlier configuration is left. */
	conf_init(&c);
	quotas_init(&q, &c);
	ck_assert_uint_eq(quotas_of(&q, daemon_uid, CONF_Q_SESSIONS), 32);
}
END_TEST

START_TEST(ranges)
{
	set("quota.users.daemon.sessions=100");
	charge(200000, 10, "daemon");
	charge(100000, 100000, "root");
	charge(4294967294u, 1, "daemon");
	charge(300000, 10, NOBODY);
	charge(daemon_uid, 1, "root");
	quotas_init(&q, &c);
	ck_assert_uint_eq(q.n_ranges, 4);
	ck_assert_uint_eq(quotas_payer(&q, 99999), 99999);
	ck_assert_uint_eq(quotas_payer(&q, 100000), 0);
	ck_assert_uint_eq(quotas_payer(&q, 199999), 0);
	ck_assert_uint_eq(quotas_payer(&q, 200000), daemon_uid);
	ck_assert_uint_eq(quotas_payer(&q, 200009), daemon_uid);
	ck_assert_uint_eq(quotas_payer(&q, 200010), 200010);
	ck_assert_uint_eq(quotas_payer(&q, 300000), 300000);
	ck_assert_uint_eq(quotas_payer(&q, 4294967294u), daemon_uid);
	ck_assert_uint_eq(quotas_of(&q, 200009, CONF_Q_SESSIONS), 100);
	/* One step: who pays for others may himself be in somebody's range. */
	ck_assert_uint_eq(quotas_payer(&q, daemon_uid), 0);
}
END_TEST

UNIT_MAIN_WITH("supervisor/quotas", setup, unit_teardown, everybody, users, ranges)
