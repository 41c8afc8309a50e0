/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

static void test_v2_cgroup_without_a_controller_is_governed_by_its_parent(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/pod/memory.max", "1\n");
	lab_write(&lab, "cg/pod/app/cpu.max", "max 100000\n");
	lab_mkdir(&lab, "cg/pod/app/deep");
	struct cg_node *deep = node_at(&lab, "/pod/app/deep"), *app = cg_node_parent(deep);

	assert_ptr_equal(cg_node_with(deep, CG_FILE_MEMORY_MAX), cg_node_parent(app));
	assert_ptr_equal(cg_node_with(deep, CG_FILE_CPU_MAX), app);
	assert_ptr_equal(cg_node_with(app, CG_FILE_CPU_MAX), app);
	assert_null(cg_node_with(deep, CG_FILE_IO_STAT));
	assert_null(cg_node_with(NULL, CG_FILE_IO_STAT));
	/* The controller is handed down later. */
	lab_write(&lab, "cg/pod/app/deep/memory.max", "2\n");
	assert_ptr_equal(cg_node_with(deep, CG_FILE_MEMORY_MAX), deep);
	cg_node_unref(deep);
	lab_end(&lab);
}

static void test_absent_file(void **state)
{
	struct cg_node *node;
	uint64_t v = 5;
	struct lab lab;
	char buf[16];

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cgroup.procs", "");
	node = lab_node(&lab, CG_MEMORY, "/a");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(cg_node_read(node, CG_FILE_MEMORY_MAX, buf, sizeof(buf)), -ENOENT);
		assert_int_equal(cg_node_read_u64(node, CG_FILE_MEMORY_HIGH, &v), -ENOENT);
		assert_int_equal(cg_node_read(node, CG_FILE_IO_STAT, buf, sizeof(buf)), -ENOENT);
	}
	assert_int_equal(v, 5);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_file_that_is_a_symlink_is_not_followed(void **state)
{
	struct cg_node *node;
	struct lab lab;
	char buf[16];

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/secret", "1\n");
	g_autofree char *link = g_build_filename(lab.dir, "cg/a/memory.max", NULL);

	assert_int_equal(symlink("secret", link), 0);
	node = node_at(&lab, "/a");
	assert_int_equal(cg_node_read(node, CG_FILE_MEMORY_MAX, buf, sizeof(buf)), -ELOOP);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_one_number(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t want;
	} rows[] = {
		{ "4096\n", 0, 4096 },
		{ "0\n", 0, 0 },
		{ "12", 0, 12 },
		{ "max\n", 0, CG_UNLIMITED },
		{ "-1\n", 0, CG_UNLIMITED },
		{ "9223372036854771712\n", 0, CG_UNLIMITED }, /* 4 KiB pages */
		{ "9223372036854710272\n", 0, CG_UNLIMITED }, /* 64 KiB pages */
		{ "9223372036854775807\n", 0, CG_UNLIMITED },
		{ "18446744073709551615\n", 0, CG_UNLIMITED },
		{ "1152921504606846976\n", 0, 1152921504606846976 }, /* 1 EiB */
		{ "", -EBADMSG, 7 },
		{ "\n", -EBADMSG, 7 },
		{ "maximum\n", -EBADMSG, 7 },
		{ "-2\n", -EBADMSG, 7 },
		{ "1 2\n", -EBADMSG, 7 },
		{ "1\n2\n", -EBADMSG, 7 },
		{ "18446744073709551616\n", -EBADMSG, 7 },
		{ "0000000000000000000000000000000000000000000000000000000000000000000001\n",
		  -EFBIG, 7 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct cg_node *node;
		uint64_t v = 7;
		struct lab lab;

		lab_make_v2(&lab);
		lab_write(&lab, "cg/a/memory.max", rows[i].text);
		node = node_at(&lab, "/a");
		assert_int_equal(cg_node_read_u64(node, CG_FILE_MEMORY_MAX, &v), rows[i].r);
		assert_true(v == rows[i].want);
		cg_node_unref(node);
		lab_end(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2_cgroup_without_a_controller_is_governed_by_its_parent),
		cmocka_unit_test(test_absent_file),
		cmocka_unit_test(test_file_that_is_a_symlink_is_not_followed),
		cmocka_unit_test(test_one_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
