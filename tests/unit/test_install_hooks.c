/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "golden.h"
#include "install/ways.h"
#include "util/jsontext.h"

static const struct way_options usual = { .mountpoint = "/var/lib/lxcfs-clone" };

static void test_files_of_our_own(void **state)
{
	g_autofree char *hooks = hooks_add(NULL, &usual, NULL);
	g_autofree char *cdi = cdi_add(NULL, &usual, NULL);
	g_autofree char *lxc = lxc_add(NULL, &usual, NULL);

	(void)state;
	assert_golden("golden/install-hooks", hooks);
	assert_golden("golden/install-cdi", cdi);
	assert_golden("golden/install-lxc", lxc);
}

static void test_another_mount_point(void **state)
{
	const struct way_options other = { .mountpoint = "/mnt/a \"b'" };
	g_autofree char *hooks = hooks_add(NULL, &other, NULL);
	g_autofree char *cdi = cdi_add(NULL, &other, NULL);
	g_autofree char *lxc = lxc_add(NULL, &other, NULL);
	g_autofree char *docker = docker_add("{\"a\": 1}", &other, NULL);
	struct json_span root;

	(void)state;
	assert_non_null(strstr(hooks, "[\"lxcfs-clone-hook\", \"--mountpoint\", "
				      "\"/mnt/a \\\"b'\"]"));
	assert_true(jsontext_check(hooks, strlen(hooks), &root, NULL));
	assert_true(jsontext_check(cdi, strlen(cdi), &root, NULL));
	assert_non_null(
		strstr(docker, "\"--runtime\", \"runc\", \"--mountpoint\", \"/mnt/a \\\"b'\"]"));
	assert_null(containerd_add(NULL, &other, NULL));
	assert_non_null(strstr(lxc, "LXCFS_CLONE='/mnt/a \"b'\\''' /usr/share"));
}

static void test_a_mount_point_that_no_file_can_name(void **state)
{
	static const char *const points[] = { "/mnt/\xff", "/mnt/a\nlxc.rootfs.path = /" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(points); i++) {
		const struct way_options other = { .mountpoint = points[i] };

		assert_null(hooks_add(NULL, &other, NULL));
		assert_null(cdi_add(NULL, &other, NULL));
		assert_null(lxc_add(NULL, &other, NULL));
		assert_null(docker_add(NULL, &other, NULL));
	}
}

static void test_all_files_of_the_tree(void **state)
{
	g_autoptr(GPtrArray) files = way_files();

	(void)state;
	assert_true(files->len >= 9);
	for (guint i = 0; i < files->len; i++)
		assert_true(g_str_has_prefix(files->pdata[i], "proc/") ||
			    g_str_has_prefix(files->pdata[i], "sys/devices/system/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_of_our_own),
		cmocka_unit_test(test_another_mount_point),
		cmocka_unit_test(test_a_mount_point_that_no_file_can_name),
		cmocka_unit_test(test_all_files_of_the_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
