/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/tree.h"

#include "forest.h"

static void test_each_path_has_its_kind(void **state)
{
	static const struct {
		const char *path;
		int kind; /* or a negative errno */
	} rows[] = {
		{ "", NODE_DIR },
		{ "proc", NODE_DIR },
		{ "proc/meminfo", NODE_VFILE },
		{ "proc/loadavg", NODE_VFILE },
		{ "sys/devices/system", NODE_DIR },
		{ "sys/devices/system/cpu", NODE_HOST_DIR },
		{ "sys/devices/system/cpu/online", NODE_VFILE },
		{ "sys/devices/system/cpu/possible", NODE_HOST_FILE },
		{ "sys/devices/system/cpu/cpu0", NODE_HOST_DIR },
		{ "sys/devices/system/cpu/cpu0/online", NODE_VFILE },
		{ "sys/devices/system/cpu/cpu1/online", NODE_VFILE },
		{ "sys/devices/system/cpu/cpu1/topology/core_id", NODE_HOST_FILE },
		{ "sys/devices/system/cpu/cpu1/subsystem", NODE_HOST_LINK },
		{ "sys/devices/system/node/node12/meminfo", NODE_VFILE },
		{ "containers", NODE_CONTAINERS },
		{ "containers/1000", NODE_DIR },
		{ "containers/1000/proc/meminfo", NODE_VFILE },
		{ "containers/1000/sys/devices/system/cpu/cpu0/online", NODE_VFILE },
		/* not there */
		{ "proc/swaps", -ENOENT }, /* not on this host */
		{ "proc/version", -ENOENT },
		{ "sys/devices/system/secret", -ENOENT },
		{ "sys/devices/system/cpu/cpu2", -ENOENT },
		{ "sys/devices/system/cpu/cpufreq/online", -ENOENT },
		{ "sys/devices/system/node/online", -ENOENT },
		{ "sys/devices/system/cpu/cpufreq/cpu1/online", -ENOENT },
		{ "containers/1000/containers", -ENOENT },
		{ "proc/meminfo/x", -ENOTDIR },
		{ "sys/devices/system/cpu/possible/x", -ENOTDIR },
		{ "sys/devices/system/cpu/online/x", -ENOTDIR },
		{ "sys/devices/system/cpu/cpu1/subsystem/x", -ENOTDIR },
	};
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct node node;
		int r = walk(&f, rows[i].path, &node);

		if (r < 0)
			assert_int_equal(r, rows[i].kind);
		else
			assert_int_equal(node.kind, rows[i].kind);
	}
	forest_end(&f);
}

static void test_ids_are_steady_and_lead_back(void **state)
{
	static const char *const paths[] = { "proc/stat", "sys/devices/system/cpu/cpu1/online",
					     "sys/devices/system/cpu/cpu0/topology/core_id",
					     "containers/1000/proc/stat" };
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		struct node before, after;

		assert_int_equal(walk(&f, paths[i], &before), 0);
		names_free(f.tree.names); /* another process takes over */
		f.tree.names = names_new(f.memory);
		assert_int_equal(tree_node(&f.tree, before.id, &after), 0);
		assert_int_equal(after.id, before.id);
		assert_int_equal(after.kind, before.kind);
		assert_int_equal(after.pid, before.pid);
		assert_int_equal(after.number, before.number);
		assert_string_equal(after.path, before.path);
		assert_int_equal(walk(&f, paths[i], &after), 0);
		assert_int_equal(after.id, before.id);
	}
	forest_end(&f);
}

static void test_what_a_node_stands_for(void **state)
{
	struct forest f;
	struct node n;

	(void)state;
	forest_make(&f);
	assert_int_equal(walk(&f, "containers/1000/proc/stat", &n), 0);
	assert_int_equal(n.pid, 1000);
	assert_int_equal(n.file->host, HOST_STAT);
	assert_string_equal(n.path, "stat");
	assert_false(n.in_sys);
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu1/online", &n), 0);
	assert_int_equal(n.pid, 0);
	assert_int_equal(n.number, 1);
	assert_string_equal(n.file->path, "sys/devices/system/cpu/cpu%/online");
	assert_string_equal(n.path, "devices/system/cpu/cpu1/online");
	assert_true(n.in_sys);
	forest_end(&f);
}

static void test_hostile_names_lead_nowhere(void **state)
{
	static const char *const dirs[] = { "",
					    "proc",
					    "sys/devices",
					    "sys/devices/system/cpu",
					    "sys/devices/system/cpu/cpu1",
					    "containers/1000",
					    "containers" };
	g_autofree char *longest = g_strnfill(255, 'x');
	g_autofree char *too_long = g_strnfill(4000, 'x');
	const char *const names[] = {
		".",        "..",   "",      "../secret", "cpu1/online", "cpu1/../../secret",
		"\xff",     "a\nb", "cpu01", "cpu-1",     "cpu",         "cpu99999999999999",
		"meminfo ", "/",    longest, too_long,    "/etc/passwd", "devices/system",
	};
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t d = 0; d < G_N_ELEMENTS(dirs); d++) {
		struct node dir, child;

		assert_int_equal(walk(&f, dirs[d], &dir), 0);
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
			assert_true(tree_lookup(&f.tree, &dir, names[i], &child) < 0);
	}
	forest_end(&f);
}

static void test_pids_in_containers(void **state)
{
	static const char *const wrong[] = { "1",
					     "01000",
					     "1000 ",
					     "+1000",
					     "-1",
					     "0",
					     "1000\n",
					     "4294968296",
					     "self",
					     "",
					     "99999999999999999999",
					     "2147483648" };
	struct node dir, child;
	struct forest f;

	(void)state;
	forest_make(&f);
	assert_int_equal(walk(&f, "containers", &dir), 0);
	assert_int_equal(tree_lookup(&f.tree, &dir, "1000", &child), 0);
	assert_int_equal(child.pid, 1000);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_int_equal(tree_lookup(&f.tree, &dir, wrong[i], &child), -ENOENT);
	forest_end(&f);
}

static void test_ids_that_were_never_given(void **state)
{
	const uint64_t wrong[] = { 0,
				   n_vfiles + 1,
				   65535,
				   65536,
				   65537,
				   UINT32_MAX,
				   UINT64_C(1000) << 32,
				   UINT64_C(1) << 63 | 1,
				   UINT64_MAX };
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct node n;

		assert_true(tree_node(&f.tree, wrong[i], &n) < 0);
	}
	forest_end(&f);
}

static void test_modes_are_the_hosts_and_sizes_none(void **state)
{
	struct forest f;
	struct node n = { 0 };
	struct stat st = { 0 };

	(void)state;
	forest_make(&f);
	{
		g_autofree char *path = g_build_filename(f.lab.dir, "proc/meminfo", NULL);

		assert_int_equal(chmod(path, 0400), 0);
	}
	assert_int_equal(walk(&f, "proc/meminfo", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_size, 4096); /* whole pages, see fs/tree.h */
	assert_int_equal(st.st_ino, n.id);
	assert_int_equal(walk(&f, "containers", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0500); /* root's alone */
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu0/online", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu1/subsystem", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	forest_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_path_has_its_kind),
		cmocka_unit_test(test_ids_are_steady_and_lead_back),
		cmocka_unit_test(test_what_a_node_stands_for),
		cmocka_unit_test(test_hostile_names_lead_nowhere),
		cmocka_unit_test(test_pids_in_containers),
		cmocka_unit_test(test_ids_that_were_never_given),
		cmocka_unit_test(test_modes_are_the_hosts_and_sizes_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
