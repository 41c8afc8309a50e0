/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/hugetlb.h"

#include "fixture.h"

#define MIB (UINT64_C(1) << 20)

static void assert_hugetlb(struct lab *lab, const char *path, uint64_t page_size, uint64_t limit,
			   uint64_t usage, uint64_t reserved)
{
	struct cg_hugetlb h = { .limit = 77, .usage = 77, .reserved = 77 };
	struct cg_node *node = node_at(lab, path);

	assert_int_equal(cg_hugetlb_read(node, page_size, &h), 0);
	assert_true(h.limit == limit);
	assert_int_equal(h.usage, usage);
	assert_int_equal(h.reserved, reserved);
	cg_node_unref(node);
}

static void assert_fails(struct lab *lab, const char *path, uint64_t page_size, int error)
{
	struct cg_hugetlb h = { .limit = 77 };
	struct cg_node *node = node_at(lab, path);

	assert_int_equal(cg_hugetlb_read(node, page_size, &h), error);
	assert_int_equal(h.limit, 77);
	cg_node_unref(node);
}

static void test_v2_limit_is_the_smallest_of_the_chain(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/hugetlb.2MB.max", "20971520\n");
	lab_write(&lab, "cg/a/hugetlb.2MB.current", "9999\n");
	lab_write(&lab, "cg/a/b/hugetlb.2MB.max", "max\n");
	lab_write(&lab, "cg/a/b/hugetlb.2MB.current", "4194304\n");
	lab_write(&lab, "cg/a/b/hugetlb.2MB.rsvd.current", "6291456\n");
	assert_hugetlb(&lab, "/a/b", 2 * MIB, 20 * MIB, 4 * MIB, 6 * MIB);
	lab_write(&lab, "cg/a/b/hugetlb.2MB.max", "8388608\n");
	assert_hugetlb(&lab, "/a/b", 2 * MIB, 8 * MIB, 4 * MIB, 6 * MIB);
	lab_write(&lab, "cg/a/b/hugetlb.2MB.max", "max\n");
	lab_write(&lab, "cg/a/hugetlb.2MB.max", "max\n");
	assert_hugetlb(&lab, "/a/b", 2 * MIB, CG_UNLIMITED, 4 * MIB, 6 * MIB);
	lab_end(&lab);
}

static void test_v1_names(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/hugetlb.1GB.limit_in_bytes", "3221225472\n");
	lab_write(&lab, "cg/a/hugetlb.1GB.usage_in_bytes", "1073741824\n");
	lab_write(&lab, "cg/a/hugetlb.1GB.rsvd.usage_in_bytes", "2147483648\n");
	assert_hugetlb(&lab, "/a", 1024 * MIB, 3072 * MIB, 1024 * MIB, 2048 * MIB);
	lab_end(&lab);
}

static void test_sizes_are_named_as_the_kernel_does(void **state)
{
	static const struct {
		uint64_t size;
		const char *name;
	} rows[] = {
		{ UINT64_C(64) << 10, "64KB" }, { 1 * MIB, "1MB" },     { 2 * MIB, "2MB" },
		{ 32 * MIB, "32MB" },           { 512 * MIB, "512MB" }, { 1024 * MIB, "1GB" },
		{ 16384 * MIB, "16GB" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("cg/a/hugetlb.%s.current", rows[i].name);
		struct lab lab;

		lab_make_v2(&lab);
		lab_write(&lab, path, "5\n");
		assert_hugetlb(&lab, "/a", rows[i].size, CG_UNLIMITED, 5, 0);
		lab_end(&lab);
	}
}

static void test_size_that_the_kernel_has_not(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/hugetlb.2MB.current", "5\n");
	assert_fails(&lab, "/a", 1024 * MIB, -ENOENT);
	lab_end(&lab);
}

/* On v2 a cgroup that was not handed the controller is governed by those above it. */
static void test_v2_cgroup_without_the_controller(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/a/b/c");
	lab_write(&lab, "cg/a/hugetlb.2MB.max", "20971520\n");
	lab_write(&lab, "cg/a/hugetlb.2MB.current", "4194304\n");
	assert_hugetlb(&lab, "/a/b/c", 2 * MIB, 20 * MIB, 4 * MIB, 0);
	lab_end(&lab);
}

static void test_garbage_is_told(void **state)
{
	static const char *const bad[] = {
		"", "\n", "x\n", "-1\n", "5 6\n", "maximum\n", "99999999999999999999999\n"
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct lab lab;

		lab_make_v2(&lab);
		lab_write(&lab, "cg/a/hugetlb.2MB.current", bad[i]);
		assert_fails(&lab, "/a", 2 * MIB, -EBADMSG);
		lab_write(&lab, "cg/a/hugetlb.2MB.current", "5\n");
		lab_write(&lab, "cg/a/hugetlb.2MB.max", bad[i]);
		assert_fails(&lab, "/a", 2 * MIB, -EBADMSG);
		lab_end(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2_limit_is_the_smallest_of_the_chain),
		cmocka_unit_test(test_v1_names),
		cmocka_unit_test(test_sizes_are_named_as_the_kernel_does),
		cmocka_unit_test(test_size_that_the_kernel_has_not),
		cmocka_unit_test(test_v2_cgroup_without_the_controller),
		cmocka_unit_test(test_garbage_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
