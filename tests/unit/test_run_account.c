/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/account.h"

#include "fixture.h"

static const char passwd[] = "root:x:0:0::/root:/bin/sh\n"
			     "broken:x\n"
			     "app:x:1000:100::/srv/app:/bin/sh\n"
			     "odd:x:4294967295:1::relative:/bin/sh\n"
			     "nogroup:x:7:::/:/bin/sh\n";
static const char group[] =
	"root:x:0:\nusers:x:100:\nextra:x:77:other,app\nbad:x:x:app\nshort:x:5\n";

static bool find(const char *user, struct account *ret)
{
	g_autoptr(GError) error = NULL;
	bool ok = account_find(user, passwd, group, ret, &error);

	assert_true(ok || error);
	return ok;
}

static void assert_found(const char *user, uid_t uid, gid_t gid, const char *home, guint n_groups)
{
	AUTO_ACCOUNT struct account a = { 0 };

	assert_true(find(user, &a));
	assert_int_equal(a.uid, uid);
	assert_int_equal(a.gid, gid);
	assert_string_equal(a.home, home);
	assert_int_equal(a.groups->len, n_groups);
}

static void test_numbers_and_names(void **state)
{
	(void)state;
	assert_found("0", 0, 0, "/root", 0);
	assert_found("root", 0, 0, "/root", 0);
	assert_found("app", 1000, 100, "/srv/app", 1);
	assert_found("1000", 1000, 100, "/srv/app", 1);
	assert_found("app:extra", 1000, 77, "/srv/app", 0);
	assert_found("app:5", 1000, 5, "/srv/app", 0);
	assert_found("4000", 4000, 0, "/", 0);
	assert_found("4000:4001", 4000, 4001, "/", 0);
}

static void test_nobody_of_that_name(void **state)
{
	static const char *const bad[] = { "nobody", "app:nobody", "broken", "odd", "",   "app:",
					   "-1",     "4294967295", "7",      "1\n", "x:0" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct account a = { 0 };

		assert_false(find(bad[i], &a));
		assert_null(a.groups);
	}
}

static void feed(const char *text, void *data)
{
	AUTO_ACCOUNT struct account a = { 0 };
	AUTO_ACCOUNT struct account b = { 0 };

	(void)data;
	(void)account_find("app", text, text, &a, NULL);
	(void)account_find(text, passwd, group, &b, NULL);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("app:x:1000:100::/srv/app:/bin/sh\n", feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_and_names),
		cmocka_unit_test(test_nobody_of_that_name),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
