/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/join.h"

#include "fixture.h"

static void assert_text(const struct lab *lab, const char *path, const char *want)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);
	g_autofree char *text = NULL;

	assert_true(g_file_get_contents(full, &text, NULL, NULL));
	assert_string_equal(text, want);
}

static void test_v1_cpuset_gets_what_the_top_has(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/cpuset.cpus", "0-3\n");
	lab_write(&lab, "cg/cpuset.mems", "0\n");
	lab_write(&lab, "cg/ours/cpuset.cpus", "");
	lab_write(&lab, "cg/ours/cpuset.mems", "");
	lab_write(&lab, "cg/ours/cgroup.procs", "");
	assert_int_equal(cg_join(lab.layout, "ours"), 0);
	assert_text(&lab, "cg/ours/cpuset.cpus", "0-3\n");
	assert_text(&lab, "cg/ours/cpuset.mems", "0\n");
	assert_text(&lab, "cg/ours/cgroup.procs", "0");
	lab_end(&lab);
}

static void test_v2_is_joined_and_left(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/cgroup.procs", "");
	lab_write(&lab, "cg/ours/cgroup.procs", "");
	assert_int_equal(cg_join(lab.layout, "ours"), 0);
	assert_text(&lab, "cg/ours/cgroup.procs", "0");
	/* as the kernel has it: files do not keep a directory */
	lab_remove(&lab, "cg/ours/cgroup.procs");
	cg_leave(lab.layout, "ours");
	assert_text(&lab, "cg/cgroup.procs", "0");
	assert_int_equal(openat(lab.layout->hierarchies[0].dir, "ours", O_PATH | O_CLOEXEC), -1);
	lab_end(&lab);
}

static void test_group_is_made(void **state)
{
	struct lab lab;
	struct stat st;

	(void)state;
	lab_make_v2(&lab);
	/* here the kernel would put its files */
	assert_int_equal(cg_join(lab.layout, "ours"), -ENOENT);
	assert_int_equal(fstatat(lab.layout->hierarchies[0].dir, "ours", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	lab_end(&lab);
}

static void test_part_of_a_hierarchy_is_told(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "cg/cgroup.controllers", "memory\n");
	lab_write(&lab, "cg/ours/cgroup.procs", "");
	lab_detect(&lab, "30 1 0:26 /kubepods/pod1 /cg rw - cgroup2 cgroup2 rw\n", "0::/\n");
	assert_int_equal(cg_join(lab.layout, "ours"), -EXDEV);
	assert_text(&lab, "cg/ours/cgroup.procs", "0");
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1_cpuset_gets_what_the_top_has),
		cmocka_unit_test(test_v2_is_joined_and_left),
		cmocka_unit_test(test_group_is_made),
		cmocka_unit_test(test_part_of_a_hierarchy_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
