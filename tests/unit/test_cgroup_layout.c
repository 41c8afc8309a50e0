/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/layout.h"

#include "fixture.h"
#include "util/fd.h"

/* Texts alone: layouts/<name>/{mountinfo,cgroup}; the mount points are made in a scratch host. */
static void lab_layout(struct lab *lab, const char *name, const char *const points[])
{
	g_autofree char *mountinfo_path = g_build_filename("layouts", name, "mountinfo", NULL);
	g_autofree char *cgroup_path = g_build_filename("layouts", name, "cgroup", NULL);
	g_autofree char *mountinfo = fixture_read(mountinfo_path);
	g_autofree char *cgroup = fixture_read(cgroup_path);

	lab_make(lab);
	for (; *points; points++) {
		g_autofree char *controllers = g_strconcat(*points, "/cgroup.controllers", NULL);

		if (strstr(*points, "unified") || g_str_has_suffix(*points, "sys/fs/cgroup"))
			lab_write(lab, controllers,
				  strcmp(name, "hybrid") ? "cpuset cpu io memory hugetlb pids\n"
							 : "io hugetlb\n");
		else
			lab_mkdir(lab, *points);
	}
	lab_detect(lab, mountinfo, cgroup);
}

static const struct cg_hierarchy *of(const struct lab *lab, enum cg_controller c)
{
	int i = lab->layout->controllers[c];

	return i < 0 ? NULL : &lab->layout->hierarchies[i];
}

static void assert_controller(const struct lab *lab, enum cg_controller c, enum cg_version version,
			      unsigned id)
{
	assert_non_null(of(lab, c));
	assert_int_equal(of(lab, c)->version, version);
	assert_int_equal(of(lab, c)->id, id);
}

/* The directory that was opened is the one at @path of the lab. */
static void assert_dir(const struct lab *lab, const struct cg_hierarchy *h, const char *path)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);
	struct stat want, got;

	assert_int_equal(stat(full, &want), 0);
	assert_int_equal(fstat(h->dir, &got), 0);
	assert_true(want.st_ino == got.st_ino && want.st_dev == got.st_dev);
}

static void test_pure_v2(void **state)
{
	struct lab lab;

	(void)state;
	lab_layout(&lab, "v2", (const char *const[]){ "sys/fs/cgroup", NULL });
	assert_int_equal(lab.layout->n_hierarchies, 1);
	for (enum cg_controller c = 0; c < CG_N_CONTROLLERS; c++)
		assert_controller(&lab, c, CG_V2, 0);
	assert_dir(&lab, of(&lab, CG_CPU), "sys/fs/cgroup");
	assert_string_equal(of(&lab, CG_CPU)->root, "/");
	lab_end(&lab);
}

static void test_v2_controller_that_the_root_does_not_offer(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "cg/cgroup.controllers", "memory iocost cpusets\n");
	lab_detect(&lab, "30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\n", "0::/\n");
	assert_controller(&lab, CG_MEMORY, CG_V2, 0);
	assert_controller(&lab, CG_CPUACCT, CG_V2, 0); /* cpu.stat is there without a controller */
	assert_null(of(&lab, CG_CPU));
	assert_null(of(&lab, CG_CPUSET));
	assert_null(of(&lab, CG_IO));
	assert_null(of(&lab, CG_HUGETLB));
	lab_end(&lab);
}

static void test_pure_v1_with_cpu_and_cpuacct_together(void **state)
{
	struct lab lab;

	(void)state;
	lab_layout(&lab, "v1",
		   (const char *const[]){ "sys/fs/cgroup/systemd", "sys/fs/cgroup/memory",
					  "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpuset",
					  "sys/fs/cgroup/blkio", "sys/fs/cgroup/hugetlb",
					  "sys/fs/cgroup/pids", NULL });
	assert_int_equal(lab.layout->n_hierarchies, 7);
	assert_controller(&lab, CG_CPU, CG_V1, 4);
	assert_controller(&lab, CG_CPUACCT, CG_V1, 4);
	assert_controller(&lab, CG_MEMORY, CG_V1, 9);
	assert_controller(&lab, CG_CPUSET, CG_V1, 2);
	assert_controller(&lab, CG_IO, CG_V1, 6);
	assert_controller(&lab, CG_HUGETLB, CG_V1, 3);
	assert_dir(&lab, of(&lab, CG_CPUACCT), "sys/fs/cgroup/cpu,cpuacct");
	assert_dir(&lab, of(&lab, CG_MEMORY), "sys/fs/cgroup/memory");
	lab_end(&lab);
}

static void test_hybrid_with_some_controllers_on_v2(void **state)
{
	struct lab lab;

	(void)state;
	lab_layout(&lab, "hybrid",
		   (const char *const[]){ "sys/fs/cgroup/unified", "sys/fs/cgroup/systemd",
					  "sys/fs/cgroup/memory", "sys/fs/cgroup/cpu,cpuacct",
					  "sys/fs/cgroup/cpuset", NULL });
	assert_controller(&lab, CG_MEMORY, CG_V1, 5);
	assert_controller(&lab, CG_CPU, CG_V1, 3);
	assert_controller(&lab, CG_CPUSET, CG_V1, 2);
	assert_controller(&lab, CG_IO, CG_V2, 0);
	assert_controller(&lab, CG_HUGETLB, CG_V2, 0);
	assert_dir(&lab, of(&lab, CG_IO), "sys/fs/cgroup/unified");
	lab_end(&lab);
}

static void test_mount_that_shows_all_wins_over_one_that_shows_a_part(void **state)
{
	struct lab lab;

	(void)state;
	lab_layout(&lab, "several-mounts",
		   (const char *const[]){ "mnt/part", "sys/fs/cgroup/memory", "mnt/again",
					  "sys/fs/cgroup/unified", "mnt/part2", "mnt/only-part",
					  NULL });
	assert_controller(&lab, CG_MEMORY, CG_V1, 5);
	assert_dir(&lab, of(&lab, CG_MEMORY), "sys/fs/cgroup/memory");
	assert_string_equal(of(&lab, CG_MEMORY)->root, "/");
	assert_controller(&lab, CG_CPUSET, CG_V1, 2);
	assert_dir(&lab, of(&lab, CG_CPUSET), "mnt/only-part");
	assert_string_equal(of(&lab, CG_CPUSET)->root, "/pod");
	assert_int_equal(lab.layout->n_hierarchies, 3);
	lab_end(&lab);
}

static void test_escapes_in_a_mount_point(void **state)
{
	struct lab lab;

	(void)state;
	lab_layout(&lab, "escapes",
		   (const char *const[]){ "mnt/two words", "mnt/tab\tline\nback\\slash", NULL });
	assert_controller(&lab, CG_MEMORY, CG_V1, 5);
	assert_dir(&lab, of(&lab, CG_MEMORY), "mnt/two words");
	assert_string_equal(of(&lab, CG_MEMORY)->root, "/a part");
	assert_controller(&lab, CG_CPUSET, CG_V1, 2);
	assert_dir(&lab, of(&lab, CG_CPUSET), "mnt/tab\tline\nback\\slash");
	lab_end(&lab);
}

static void test_recorded_hosts(void **state)
{
	struct lab lab;

	(void)state;
	lab_open(&lab, "hybrid-6.18");
	assert_int_equal(lab.layout->n_hierarchies, 6);
	assert_controller(&lab, CG_CPU, CG_V1, 1);
	assert_controller(&lab, CG_CPUACCT, CG_V1, 2);
	assert_controller(&lab, CG_CPUSET, CG_V1, 3);
	assert_controller(&lab, CG_MEMORY, CG_V1, 4);
	assert_controller(&lab, CG_IO, CG_V1, 7);
	lab_end(&lab);
	lab_open(&lab, "v1-6.1");
	assert_controller(&lab, CG_CPU, CG_V1, 2);
	assert_controller(&lab, CG_CPUACCT, CG_V1, 2);
	lab_end(&lab);
	lab_open(&lab, "v2-6.1");
	assert_int_equal(lab.layout->n_hierarchies, 1);
	assert_controller(&lab, CG_HUGETLB, CG_V2, 0);
	lab_end(&lab);
}

static void test_host_without_cgroups_has_no_hierarchy(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_detect(&lab, "22 1 0:20 / /proc rw - proc proc rw\n", "");
	assert_int_equal(lab.layout->n_hierarchies, 0);
	for (enum cg_controller c = 0; c < CG_N_CONTROLLERS; c++)
		assert_null(of(&lab, c));
	lab_end(&lab);
}

static void test_mount_point_that_is_not_there_is_passed_over(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_detect(&lab, "30 1 0:26 / /cg rw - cgroup cgroup rw,memory\n", "1:memory:/\n");
	assert_int_equal(lab.layout->n_hierarchies, 0);
	assert_null(of(&lab, CG_MEMORY));
	lab_end(&lab);
}

static void test_something_mounted_over_a_hierarchy_is_not_taken_for_it(void **state)
{
	struct cg_layout *layout = NULL;
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "cg");
	AUTO_FD int fd = open(lab.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(cg_layout_detect("30 1 4095:1048575 / /cg rw - cgroup cgroup rw,memory\n",
					  "1:memory:/\n", fd, true, &layout),
			 0);
	assert_int_equal(layout->n_hierarchies, 0);
	cg_layout_free(layout);
	lab_end(&lab);
}

static void test_optional_fields_and_a_dash_as_source(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "cg");
	lab_detect(&lab, "30 1 0:26 / /cg rw shared:9 master:1 - cgroup - rw,memory\n",
		   "1:memory:/\n");
	assert_controller(&lab, CG_MEMORY, CG_V1, 1);
	lab_end(&lab);
}

static void test_controller_name_is_matched_whole(void **state)
{
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "a");
	lab_mkdir(&lab, "b");
	lab_detect(&lab,
		   "30 1 0:26 / /a rw - cgroup cgroup rw,cpuacct\n"
		   "31 1 0:27 / /b rw - cgroup cgroup rw,name=cpu\n",
		   "1:name=cpu:/\n2:cpuacct:/\n");
	assert_controller(&lab, CG_CPUACCT, CG_V1, 2);
	assert_null(of(&lab, CG_CPU));
	lab_end(&lab);
}

static void test_no_more_hierarchies_than_there_is_room_for(void **state)
{
	g_autoptr(GString) mountinfo = g_string_new(NULL);
	g_autoptr(GString) cgroup = g_string_new(NULL);
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "cg");
	for (unsigned i = 1; i < 40; i++) {
		g_string_append_printf(mountinfo,
				       "30 1 0:26 / /cg rw - cgroup cgroup rw,name=n%u\n", i);
		g_string_append_printf(cgroup, "%u:name=n%u:/\n", i, i);
	}
	lab_detect(&lab, mountinfo->str, cgroup->str);
	assert_int_equal(lab.layout->n_hierarchies, CG_MAX_HIERARCHIES);
	lab_end(&lab);
}

static void feed_mountinfo(const char *text, void *data)
{
	struct cg_layout *layout = NULL;

	assert_int_equal(cg_layout_detect(text, "0::/\n5:memory:/\n", *(int *)data, false, &layout),
			 0);
	cg_layout_free(layout);
}

static void feed_cgroup(const char *text, void *data)
{
	struct cg_layout *layout = NULL;

	assert_int_equal(cg_layout_detect("30 1 0:26 / /cg rw - cgroup cgroup rw,memory\n"
					  "31 1 0:27 / /cg rw - cgroup2 cgroup2 rw\n",
					  text, *(int *)data, false, &layout),
			 0);
	cg_layout_free(layout);
}

static void no_log(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
	(void)domain, (void)level, (void)message, (void)data;
}

static void test_hostile_text(void **state)
{
	GLogFunc log = g_log_set_default_handler(no_log, NULL);
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "cg");
	AUTO_FD int fd = open(lab.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	feed_hostile("30 1 0:26 /a\\040b /cg rw shared:1 - cgroup cgroup rw,memory\n"
		     "31 1 0:27 / /cg rw - cgroup2 cgroup2 rw\n",
		     feed_mountinfo, &fd);
	feed_hostile("5:memory:/a\n1:name=systemd:/\n0::/b\n", feed_cgroup, &fd);
	lab_end(&lab);
	g_log_set_default_handler(log, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pure_v2),
		cmocka_unit_test(test_v2_controller_that_the_root_does_not_offer),
		cmocka_unit_test(test_pure_v1_with_cpu_and_cpuacct_together),
		cmocka_unit_test(test_hybrid_with_some_controllers_on_v2),
		cmocka_unit_test(test_mount_that_shows_all_wins_over_one_that_shows_a_part),
		cmocka_unit_test(test_escapes_in_a_mount_point),
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_host_without_cgroups_has_no_hierarchy),
		cmocka_unit_test(test_mount_point_that_is_not_there_is_passed_over),
		cmocka_unit_test(test_something_mounted_over_a_hierarchy_is_not_taken_for_it),
		cmocka_unit_test(test_optional_fields_and_a_dash_as_source),
		cmocka_unit_test(test_controller_name_is_matched_whole),
		cmocka_unit_test(test_no_more_hierarchies_than_there_is_room_for),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
