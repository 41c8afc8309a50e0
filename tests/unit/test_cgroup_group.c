/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/group.h"

#include "fixture.h"

/* Two hierarchies, as on a hybrid host. */
static void lab_hybrid(struct lab *lab)
{
	lab_make(lab);
	lab_mkdir(lab, "v1");
	lab_write(lab, "v2/cgroup.controllers", "memory\n");
	lab_write(lab, "v2/cgroup.subtree_control", "");
	lab_detect(lab,
		   "30 1 0:26 / /v1 rw - cgroup cgroup rw,cpuset,pids,freezer\n"
		   "31 1 0:27 / /v2 rw - cgroup2 cgroup2 rw\n",
		   "4:cpuset,pids,freezer:/\n0::/\n");
}

static void assert_text(const struct lab *lab, const char *path, const char *want)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);
	g_autofree char *text = NULL;

	assert_true(g_file_get_contents(full, &text, NULL, NULL));
	assert_string_equal(text, want);
}

static bool exists(const struct lab *lab, const char *path)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);

	return g_file_test(full, G_FILE_TEST_EXISTS);
}

static void test_made_in_every_hierarchy_and_removed_with_what_is_below(void **state)
{
	struct cg_group g;
	struct lab lab;
	size_t at;

	(void)state;
	lab_hybrid(&lab);
	assert_int_equal(cg_group_make(lab.layout, "above", "x", &g, &at), 0);
	assert_true(exists(&lab, "v1/above/x") && exists(&lab, "v2/above/x"));
	assert_true(cg_group_dir(&g, CG_PIDS) >= 0 && cg_group_dir(&g, CG_MEMORY) >= 0);
	assert_true(cg_group_dir(&g, CG_MEMORY) == cg_group_v2_dir(&g));
	assert_int_equal(cg_group_dir(&g, CG_IO), -1);
	lab_mkdir(&lab, "v1/above/x/a/b/c");
	lab_mkdir(&lab, "v1/above/x/a/d");
	lab_mkdir(&lab, "v2/above/other");
	assert_int_equal(cg_group_remove(&g, 0), 0);
	assert_false(exists(&lab, "v1/above"));
	assert_false(exists(&lab, "v2/above/x"));
	assert_true(exists(&lab, "v2/above/other"));
	cg_group_clear(&g);
	lab_end(&lab);
}

static void test_one_that_is_left_over_is_made_anew(void **state)
{
	struct cg_group g;
	struct lab lab;
	size_t at;

	(void)state;
	lab_hybrid(&lab);
	lab_mkdir(&lab, "v2/above/x/of/before");
	assert_int_equal(cg_group_make(lab.layout, "above", "x", &g, &at), 0);
	assert_true(exists(&lab, "v2/above/x"));
	assert_false(exists(&lab, "v2/above/x/of"));
	cg_group_clear(&g);
	lab_end(&lab);
}

static void test_one_hierarchy_that_refuses_leaves_nothing_in_the_others(void **state)
{
	struct cg_group g;
	struct lab lab;
	size_t at = 9;

	(void)state;
	lab_hybrid(&lab);
	/* a file keeps its directory, as a process its cgroup */
	lab_write(&lab, "v2/above/x/busy", "");
	assert_true(cg_group_make(lab.layout, "above", "x", &g, &at) < 0);
	assert_int_equal(at, 1);
	assert_false(exists(&lab, "v1/above"));
	assert_true(exists(&lab, "v2/above/x/busy"));
	lab_end(&lab);
}

static void test_name_that_is_a_symlink_leads_nowhere(void **state)
{
	g_autofree char *link = NULL;
	struct cg_group g;
	struct lab lab;
	size_t at;

	(void)state;
	lab_hybrid(&lab);
	lab_mkdir(&lab, "elsewhere/kept");
	lab_mkdir(&lab, "v1/above");
	link = g_build_filename(lab.dir, "v1/above/x", NULL);
	assert_int_equal(symlink("../../elsewhere", link), 0);
	assert_true(cg_group_make(lab.layout, "above", "x", &g, &at) < 0);
	assert_true(exists(&lab, "elsewhere/kept"));
	lab_end(&lab);
}

static void test_deep_nesting_is_removed(void **state)
{
	g_autoptr(GString) path = g_string_new("v1/above/x");
	struct cg_group g;
	struct lab lab;

	(void)state;
	lab_hybrid(&lab);
	/*
	 * as long as a path may be: more levels than descriptors that a process may have by default
	 */
	while (path->len < 3900)
		g_string_append(path, "/d");
	lab_mkdir(&lab, path->str);
	assert_int_equal(cg_group_open(lab.layout, "above", "x", &g), 0);
	assert_int_equal(cg_group_v2_dir(&g), -1);
	assert_int_equal(cg_group_remove(&g, 0), 0);
	assert_false(exists(&lab, "v1/above"));
	cg_group_clear(&g);
	assert_int_equal(cg_group_open(lab.layout, "above", "x", &g), -ENOENT);
	lab_end(&lab);
}

static void test_settings_are_written_where_their_controller_is(void **state)
{
	struct cg_setting pids = { .controller = CG_PIDS,
				   .file = "pids.max",
				   .text = g_strdup("7") };
	struct cg_setting none = { .controller = CG_IO, .file = "io.max", .text = NULL };
	struct cg_group g;
	struct lab lab;

	(void)state;
	lab_hybrid(&lab);
	lab_write(&lab, "v1/above/x/pids.max", "");
	assert_int_equal(cg_group_open(lab.layout, "above", "x", &g), 0);
	assert_int_equal(cg_group_set(&g, &pids), 0);
	assert_text(&lab, "v1/above/x/pids.max", "7");
	assert_int_equal(cg_group_set(&g, &none), -ENOENT);
	cg_setting_clear(&pids);
	cg_group_clear(&g);
	lab_end(&lab);
}

static void test_pids_of_all_hierarchies_once_each(void **state)
{
	g_autoptr(GArray) pids = NULL;
	struct cg_group g;
	struct lab lab;
	size_t at;

	(void)state;
	lab_hybrid(&lab);
	lab_write(&lab, "v1/above/x/cgroup.procs", "30\n4\n");
	lab_write(&lab, "v1/above/x/a/b/cgroup.procs", "0\n99999999999999999999\n");
	lab_write(&lab, "v2/above/x/cgroup.procs", "4\n");
	lab_write(&lab, "v2/above/x/c/cgroup.procs", "0\n5\n");
	assert_int_equal(cg_group_open(lab.layout, "above", "x", &g), 0);
	pids = cg_group_pids(&g);
	assert_int_equal(pids->len, 3);
	assert_int_equal(g_array_index(pids, pid_t, 0), 4);
	assert_int_equal(g_array_index(pids, pid_t, 1), 5);
	assert_int_equal(g_array_index(pids, pid_t, 2), 30);
	assert_int_equal(cg_group_enter(&g, 77, &at), 0);
	assert_text(&lab, "v2/above/x/cgroup.procs", "77");
	cg_group_clear(&g);
	lab_end(&lab);
}

static void test_frozen_is_asked_of_the_freezer(void **state)
{
	struct cg_group g;
	struct lab lab;

	(void)state;
	lab_hybrid(&lab);
	lab_write(&lab, "v1/above/x/freezer.self_freezing", "0\n");
	assert_int_equal(cg_group_open(lab.layout, "above", "x", &g), 0);
	assert_int_equal(cg_group_is_frozen(&g), 0);
	lab_write(&lab, "v1/above/x/freezer.self_freezing", "1\n");
	assert_int_equal(cg_group_is_frozen(&g), 1);
	/* no such file */
	assert_int_equal(cg_group_freeze(&g, true), -ENOENT);
	cg_group_clear(&g);
	lab_end(&lab);
}

static void test_v2_controllers_are_handed_down(void **state)
{
	struct cg_group g;
	struct lab lab;
	size_t at;

	(void)state;
	lab_hybrid(&lab);
	lab_write(&lab, "v2/above/cgroup.subtree_control", "");
	assert_int_equal(cg_group_make(lab.layout, "above", "x", &g, &at), 0);
	/* each written alone, over the former here: one that is refused is no hindrance */
	assert_text(&lab, "v2/cgroup.subtree_control", "+pidsry");
	assert_text(&lab, "v2/above/cgroup.subtree_control", "+pidsry");
	cg_group_clear(&g);
	lab_end(&lab);
}

/* As the root of a cgroup namespace may have: that cgroup would become threaded. */
static void test_nothing_is_handed_down_from_a_cgroup_with_processes(void **state)
{
	struct cg_group g;
	struct lab lab;
	size_t at;

	(void)state;
	lab_hybrid(&lab);
	lab_write(&lab, "v2/cgroup.type", "domain\n");
	lab_write(&lab, "v2/cgroup.procs", "1\n");
	assert_int_equal(cg_group_make(lab.layout, "above", "x", &g, &at), 0);
	assert_text(&lab, "v2/cgroup.subtree_control", "");
	cg_group_clear(&g);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_in_every_hierarchy_and_removed_with_what_is_below),
		cmocka_unit_test(test_one_that_is_left_over_is_made_anew),
		cmocka_unit_test(test_one_hierarchy_that_refuses_leaves_nothing_in_the_others),
		cmocka_unit_test(test_name_that_is_a_symlink_leads_nowhere),
		cmocka_unit_test(test_deep_nesting_is_removed),
		cmocka_unit_test(test_settings_are_written_where_their_controller_is),
		cmocka_unit_test(test_pids_of_all_hierarchies_once_each),
		cmocka_unit_test(test_frozen_is_asked_of_the_freezer),
		cmocka_unit_test(test_v2_controllers_are_handed_down),
		cmocka_unit_test(test_nothing_is_handed_down_from_a_cgroup_with_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
