/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/memory.h"

#include "fixture.h"

static void assert_swap(struct lab *lab, const char *path, uint64_t limit, uint64_t usage)
{
	struct cg_node *node = lab_node(lab, CG_MEMORY, path);
	struct cg_swap swap = { .limit = 77, .usage = 77 };

	assert_int_equal(cg_swap_read(node, &swap), 0);
	assert_true(swap.limit == limit);
	assert_true(swap.usage == usage);
	cg_node_unref(node);
}

static void test_v2_swap_limit_is_the_smallest_of_the_chain(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/memory.swap.max", "4000\n");
	lab_write(&lab, "cg/a/b/memory.swap.max", "8000\n");
	lab_write(&lab, "cg/a/b/memory.swap.current",
		  "5000\n"); /* above the limit: told as it is */
	assert_swap(&lab, "/a/b", 4000, 5000);
	lab_write(&lab, "cg/a/memory.swap.max", "max\n");
	lab_write(&lab, "cg/a/b/memory.swap.max", "max\n");
	assert_swap(&lab, "/a/b", CG_UNLIMITED, 5000);
	lab_write(&lab, "cg/a/memory.swap.max", "0\n");
	assert_swap(&lab, "/a/b", 0, 5000);
	lab_end(&lab);
}

static void memsw(struct lab *lab, const char *limit, const char *usage, const char *swappiness)
{
	lab_make_v1(lab);
	lab_write(lab, "cg/a/b/memory.usage_in_bytes", "1000\n");
	lab_write(lab, "cg/a/memory.memsw.limit_in_bytes", "9999\n");
	if (limit)
		lab_write(lab, "cg/a/b/memory.memsw.limit_in_bytes", limit);
	if (usage)
		lab_write(lab, "cg/a/b/memory.memsw.usage_in_bytes", usage);
	if (swappiness)
		lab_write(lab, "cg/a/b/memory.swappiness", swappiness);
}

static void test_v1_swap(void **state)
{
	static const struct {
		const char *limit, *usage, *swappiness;
		uint64_t want_limit, want_usage;
	} rows[] = {
		/* no accounting */
		{ NULL, NULL, "60\n", 0, 0 },
		/* a limit of its own, of its parent alone */
		{ "7000\n", "1000\n", "60\n", 7000, 0 },
		{ "9223372036854771712\n", "1000\n", "60\n", 9999, 0 },
		/* usage is what memory and swap hold beyond memory; never below 0 */
		{ "7000\n", "1400\n", "60\n", 7000, 400 },
		{ "7000\n", "900\n", "60\n", 7000, 0 },
		/* told not to swap: none, as long as nothing is there */
		{ "7000\n", "1000\n", "0\n", 0, 0 },
		{ "7000\n", "1400\n", "0\n", 7000, 400 },
		/* no such file: as if it may */
		{ "7000\n", "1000\n", NULL, 7000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct lab lab;

		memsw(&lab, rows[i].limit, rows[i].usage, rows[i].swappiness);
		assert_swap(&lab, "/a/b", rows[i].want_limit, rows[i].want_usage);
		lab_end(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2_swap_limit_is_the_smallest_of_the_chain),
		cmocka_unit_test(test_v1_swap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
