/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/memory.h"

#include "levels.h"

/*
 * v1's memory.stat tells the least limit of the chain: the container's own need not be asked for.
 */
static void test_v1_limit_is_taken_from_memory_stat(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	level(&lab, "/a", "1000\n", "900\n", "hierarchical_memory_limit 1000\n");
	level(&lab, "/a/b", NULL, "100\n",
	      "hierarchical_memory_limit 300\ntotal_inactive_file 30\n");
	level(&lab, "/a/c", NULL, "100\n", "hierarchical_memory_limit 1000\n");
	level(&lab, "/d", "9223372036854771712\n", "5\n",
	      "hierarchical_memory_limit 9223372036854771712\n");
	m = memory_at(&lab, "/a/b"); /* its own limit, and the parent has less left */
	assert_int_equal(m.limit, 300);
	assert_int_equal(m.free, 100);
	assert_int_equal(m.available, 100);
	m = memory_at(&lab, "/a/c"); /* the parent's limit */
	assert_int_equal(m.limit, 1000);
	assert_int_equal(m.free, 100);
	m = memory_at(&lab, "/d");
	assert_true(m.limit == CG_UNLIMITED && m.free == CG_UNLIMITED);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1_limit_is_taken_from_memory_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
