/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/rundir.h"

#include "fixture.h"

#include <sys/un.h>

static void test_slashes_are_escaped(void **state)
{
	g_autofree char *path = run_path("/var/lib/lxcfs-clone", ".lock");

	(void)state;
	assert_string_equal(path, "/run/lxcfs-clone/%2Fvar%2Flib%2Flxcfs-clone.lock");
}

static void test_escapes_are_not_mixed_up(void **state)
{
	g_autofree char *a = run_path("/a%2Fb", "");
	g_autofree char *b = run_path("/a/b", "");

	(void)state;
	assert_string_not_equal(a, b);
}

static void test_long_mount_points_fit_a_socket_and_differ(void **state)
{
	g_autofree char *long_a = g_strnfill(4000, 'a');
	g_autofree char *long_b = g_strnfill(4001, 'a');
	g_autofree char *a = run_path(long_a, ".holder");
	g_autofree char *b = run_path(long_b, ".holder");

	(void)state;
	assert_true(strlen(a) < sizeof(((struct sockaddr_un *)NULL)->sun_path));
	assert_string_not_equal(a, b);
	assert_true(g_str_has_suffix(a, ".holder"));
}

static void test_every_length_fits_a_socket(void **state)
{
	(void)state;
	for (size_t n = 0; n < 300; n++) {
		g_autofree char *point = g_strnfill(n, n % 2 ? '/' : 'x');
		g_autofree char *path = run_path(point, ".holder");

		assert_true(strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slashes_are_escaped),
		cmocka_unit_test(test_escapes_are_not_mixed_up),
		cmocka_unit_test(test_long_mount_points_fit_a_socket_and_differ),
		cmocka_unit_test(test_every_length_fits_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
