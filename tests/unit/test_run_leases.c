/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/leases.h"

#include "fixture.h"
#include "run/users.h"

static const struct leases_wish any = { .first = 2, .last = 4, .wanted = LEASES_ANY };

static uint32_t take(struct lab *lab, const char *name, const struct leases_wish *wish)
{
	g_autoptr(GError) error = NULL;
	uint32_t n = 0;

	if (!leases_take(lab->dir, "things", name, wish, &n, &error))
		fail_msg("%s", error->message);
	return n;
}

static void test_smallest_free_number_kept_by_name_until_dropped(void **state)
{
	g_autoptr(GError) error = NULL;
	struct lab lab;
	uint32_t n;

	(void)state;
	lab_make(&lab);
	assert_int_equal(take(&lab, "a", &any), 2);
	assert_int_equal(take(&lab, "b", &any), 3);
	assert_int_equal(take(&lab, "a", &any), 2);
	assert_int_equal(take(&lab, "c", &any), 4);
	assert_false(leases_take(lab.dir, "things", "d", &any, &n, &error));
	assert_true(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
	assert_int_equal(leases_others(lab.dir, "things", "b", NULL), 2);
	assert_true(leases_drop(lab.dir, "things", "b", NULL));
	assert_int_equal(take(&lab, "d", &any), 3);
	assert_true(leases_drop(lab.dir, "things", "nobody", NULL));
	assert_int_equal(leases_others(lab.dir, "things", "nobody", NULL), 3);
	lab_end(&lab);
}

static void test_wanted_number_is_had_or_told_who_has_it(void **state)
{
	struct leases_wish three = any, nine = any;
	g_autoptr(GError) error = NULL, out = NULL;
	struct lab lab;
	uint32_t n;

	(void)state;
	lab_make(&lab);
	three.wanted = 3;
	nine.wanted = 9;
	assert_int_equal(take(&lab, "a", &any), 2);
	assert_int_equal(take(&lab, "a", &three), 3);
	assert_false(leases_take(lab.dir, "things", "b", &three, &n, &error));
	assert_non_null(strstr(error->message, "held by container a"));
	assert_false(leases_take(lab.dir, "things", "b", &nine, &n, &out));
	assert_int_equal(leases_others(lab.dir, "things", "a", NULL), 0);
	lab_end(&lab);
}

static void test_kinds_are_those_with_leases(void **state)
{
	g_auto(GStrv) kinds = NULL, none = NULL, locks = NULL;
	struct lab lab;
	uint32_t n;

	(void)state;
	lab_make(&lab);
	(void)take(&lab, "a", &any);
	assert_true(leases_take(lab.dir, "x.lock", "a", &any, &n, NULL));
	locks = leases_kinds(lab.dir, "x");
	assert_int_equal(g_strv_length(locks), 1);
	assert_string_equal(locks[0], "x.lock");
	kinds = leases_kinds(lab.dir, "th");
	assert_int_equal(g_strv_length(kinds), 1);
	assert_string_equal(kinds[0], "things");
	assert_true(leases_drop(lab.dir, "things", "a", NULL));
	none = leases_kinds(lab.dir, "th");
	assert_int_equal(g_strv_length(none), 0);
	lab_end(&lab);
}

static void test_damaged_file_costs_its_bad_lines(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "things", "2 a\nx\n\n3\n99999999999 b\n4294967295 c\n3 d");
	assert_int_equal(take(&lab, "e", &any), 4);
	assert_int_equal(take(&lab, "d", &any), 3);
	lab_end(&lab);
}

/* Who holds what cannot be known then. */
static void test_file_that_cannot_be_read_is_an_error(void **state)
{
	g_autoptr(GError) error = NULL;
	struct lab lab;
	uint32_t n;

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "things/file", "");
	assert_false(leases_take(lab.dir, "things", "a", &any, &n, &error));
	assert_non_null(strstr(error->message, "things"));
	assert_int_equal(leases_others(lab.dir, "things", "a", NULL), -1);
	assert_false(leases_drop(lab.dir, "things", "a", NULL));
	lab_end(&lab);
}

static void assert_range(const char *subuid, const char *subgid, uint32_t number, uint32_t uid,
			 uint32_t gid)
{
	struct users u = { 0 };

	assert_true(users_range(subuid, subgid, number, &u));
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
}

static void test_user_ranges_of_root(void **state)
{
	static const char subuid[] = "me:100000:65536\nroot:200000:131072\n0:600000:65537\n";
	static const char subgid[] = "root:300000:1000000\n";

	(void)state;
	assert_range(subuid, subgid, 0, 200000, 300000);
	assert_range(subuid, subgid, 1, 265536, 365536);
	assert_range(subuid, subgid, 2, 600000, 431072);
	/* a container of LXD's may have all of them */
	assert_range(subuid, subgid, 3, 0x70000000, 0x70000000);
	assert_range(subuid, subgid, 4, 0x70010000, 0x70010000);
}

static void test_user_ranges_where_nobody_is(void **state)
{
	struct users u;

	(void)state;
	/* above 0x6fffffff, up to which systemd-nspawn helps itself */
	assert_range("", "", 0, 0x70000000, 0x70000000);
	assert_range("me:100000:65536\n", "me:100000:65536\n", 1, 0x70010000, 0x70010000);
	/* a neighbour reaches into it */
	assert_false(users_range("me:1879000000:65536\n", "", 0, &u));
	assert_range("me:1879000000:65536\n", "", 1, 0x70010000, 0x70010000);
	assert_range("", "", 0xffd, 0x7ffd0000, 0x7ffd0000);
	assert_false(users_range("", "", 0xffe, &u));
	assert_false(users_range("", "", UINT32_MAX, &u));
	/* too small to be of use, or no numbers at all */
	assert_range("root:100000:1000\n", "root:x:y\nroot\n:::\n", 0, 0x70000000, 0x70000000);
}

static void test_who_has_a_range(void **state)
{
	(void)state;
	assert_true(users_map_has("         0     200000      65536\n", 200000));
	assert_true(users_map_has("0 0 1\n1 265535 1\n", 200000));
	assert_false(users_map_has("0 0 1\n1 265536 1\n2 199999 1\n", 200000));
	assert_false(users_map_has("         0          0 4294967295\n", 200000));
	assert_false(users_map_has("0 0 1\n1 1 4294967294\n", 200000));
	assert_false(users_map_has("", 200000));
}

static void feed_range(const char *text, void *data)
{
	struct users u;

	(void)data;
	(void)users_map_has(text, 100000);
	if (users_range(text, "", 0, &u) || users_range(text, text, 5, &u))
		assert_true(u.uid <= UINT32_MAX - USERS_N);
}

static void test_hostile_subuid(void **state)
{
	(void)state;
	feed_hostile("root:100000:65536\nme:4294901760:1000000\n0:1:65536\n", feed_range, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smallest_free_number_kept_by_name_until_dropped),
		cmocka_unit_test(test_wanted_number_is_had_or_told_who_has_it),
		cmocka_unit_test(test_kinds_are_those_with_leases),
		cmocka_unit_test(test_damaged_file_costs_its_bad_lines),
		cmocka_unit_test(test_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(test_user_ranges_of_root),
		cmocka_unit_test(test_user_ranges_where_nobody_is),
		cmocka_unit_test(test_who_has_a_range),
		cmocka_unit_test(test_hostile_subuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
