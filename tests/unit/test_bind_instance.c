/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/instance.h"

#include <sys/un.h>

#include "fixture.h"

static void test_the_name_says_the_mount_point(void **state)
{
	g_autofree char *path = instance_path("/var/lib/a b", "lock");

	(void)state;
	assert_string_equal(path, "/run/lxcfs-clone/%2Fvar%2Flib%2Fa%20b.lock");
}

static void test_a_long_name_still_is_an_address(void **state)
{
	g_autofree char *deep = g_strnfill(4000, 'd');
	g_autofree char *deeper = g_strconcat(deep, "d", NULL);
	g_autofree char *path = instance_path(deep, "sock");
	g_autofree char *other = instance_path(deeper, "sock");

	(void)state;
	assert_true(strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path));
	assert_string_not_equal(path, other);
}

static void test_the_longest_readable_name(void **state)
{
	(void)state;
	for (size_t len = 60; len < 120; len++) {
		g_autofree char *point = g_strnfill(len, 'd');
		g_autofree char *path = instance_path(point, "sock");

		assert_true(strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path));
	}
}

static void test_mount_point_without_symlinks(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("lxcfs-clone-test-XXXXXX", NULL);
	g_autofree char *real = realpath(dir, NULL);
	g_autofree char *link = g_build_filename(dir, "link", NULL);
	g_autofree char *given = g_build_filename(link, "missing", NULL);
	g_autofree char *wanted = g_build_filename(real, "missing", NULL);
	g_autofree char *got = NULL;

	(void)state;
	assert_int_equal(symlink(dir, link), 0);
	got = instance_mountpoint(given);
	assert_string_equal(got, wanted);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_no_id_yet(void **state)
{
	char *source = NULL;

	(void)state;
	assert_int_equal(instance_source("/no/such/mount/point", &source), -ENOENT);
	assert_null(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_name_says_the_mount_point),
		cmocka_unit_test(test_a_long_name_still_is_an_address),
		cmocka_unit_test(test_the_longest_readable_name),
		cmocka_unit_test(test_mount_point_without_symlinks),
		cmocka_unit_test(test_no_id_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
