/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/memory.h"

#include <time.h>

#include "levels.h"

#define MIB (UINT64_C(1) << 20)

static void assert_swap(struct lab *lab, const char *path, uint64_t limit, uint64_t usage)
{
	struct cg_node *node = lab_node(lab, CG_MEMORY, path);
	struct cg_swap swap = { .limit = 77, .usage = 77 };

	assert_int_equal(cg_swap_read(node, &swap), 0);
	assert_true(swap.limit == limit);
	assert_true(swap.usage == usage);
	cg_node_unref(node);
}

static void test_limit_of_the_parent_alone(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/pod", "1000000\n", "600000\n",
	      "anon 500000\nfile 100000\ninactive_file 100000\n");
	level(&lab, "/pod/app", "max\n", "200000\n", "anon 200000\n");
	m = memory_at(&lab, "/pod/app");
	assert_int_equal(m.limit, 1000000);
	assert_int_equal(m.free, 400000);
	assert_int_equal(m.available, 500000);
	assert_int_equal(m.usage, 200000);
	assert_int_equal(m.anon, 200000); /* its own, not the parent's */
	assert_int_equal(m.file, 0);
	lab_end(&lab);
}

static void test_child_larger_than_its_parent(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "900\n",
	      "inactive_file 50\nactive_file 7\nslab_reclaimable 3\n");
	level(&lab, "/a/b", "max\n", "850\n", "");
	level(&lab, "/a/b/c", "5000\n", "100\n", "active_file 10\n");
	m = memory_at(&lab, "/a/b/c");
	assert_int_equal(m.limit, 1000);
	assert_int_equal(m.free, 100);
	assert_int_equal(m.available, 160);
	assert_int_equal(m.usage, 100);
	lab_end(&lab);
}

static void test_tightest_of_three_levels_for_each_value(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "990\n", "inactive_file 500\n"); /* least free */
	level(&lab, "/a/b", "800\n", "600\n", "inactive_file 0\n");  /* least available */
	level(&lab, "/a/b/c", "300\n", "10\n", "inactive_file 0\n"); /* smallest limit */
	m = memory_at(&lab, "/a/b/c");
	assert_int_equal(m.limit, 300);
	assert_int_equal(m.free, 10);
	assert_int_equal(m.available, 200);
	lab_end(&lab);
}

static void test_unlimited_chain(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "max\n", "990\n", "file 1\n");
	level(&lab, "/a/b", "max\n", "600\n", "file 500\nanon 100\n");
	m = memory_at(&lab, "/a/b");
	assert_true(m.limit == CG_UNLIMITED && m.free == CG_UNLIMITED &&
		    m.available == CG_UNLIMITED);
	assert_int_equal(m.usage, 600);
	assert_int_equal(m.file, 500);
	lab_end(&lab);
}

static void test_v1_unlimited_is_the_biggest_page_aligned_number(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	level(&lab, "/a", "9223372036854771712\n", "990\n", "total_rss 7\n");
	m = memory_at(&lab, "/a");
	assert_true(m.limit == CG_UNLIMITED && m.free == CG_UNLIMITED &&
		    m.available == CG_UNLIMITED);
	assert_int_equal(m.usage, 990);
	lab_end(&lab);
}

static void test_usage_above_limit_does_not_wrap(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "5000\n", "inactive_file 100\n");
	m = memory_at(&lab, "/a");
	assert_int_equal(m.free, 0);
	assert_int_equal(m.available, 0);
	lab_end(&lab);
}

static void test_limit_of_zero(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "0\n", "4096\n", "");
	m = memory_at(&lab, "/a");
	assert_true(m.limit == 0 && m.free == 0 && m.available == 0);
	lab_end(&lab);
}

static void test_high_bounds_what_is_available_alone(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "300\n", "active_file 20\n");
	lab_write(&lab, "cg/a/memory.high", "500\n");
	m = memory_at(&lab, "/a");
	assert_int_equal(m.limit, 1000);
	assert_int_equal(m.free, 700);
	assert_int_equal(m.available, 220);
	lab_write(&lab, "cg/b/memory.high", "500\n"); /* without a maximum */
	level(&lab, "/b", "max\n", "100\n", "");
	level(&lab, "/b/c", "max\n", "60\n", "");
	m = memory_at(&lab, "/b/c");
	assert_true(m.limit == CG_UNLIMITED && m.free == CG_UNLIMITED);
	assert_int_equal(m.available, 400);
	lab_end(&lab);
}

static void test_reclaimable_memory_counts_active_and_inactive_files_and_slab(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "900\n",
	      "file 700\nactive_file 1\ninactive_file 20\nslab_reclaimable 300\nslab_unreclaimable "
	      "9\n");
	m = memory_at(&lab, "/a");
	assert_int_equal(m.available, 421);
	lab_end(&lab);
}

static void test_stat_without_the_newer_fields(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "500\n", "anon 4\nfile 5\n"); /* no memory.high either */
	m = memory_at(&lab, "/a");
	assert_int_equal(m.anon, 4);
	assert_int_equal(m.file, 5);
	assert_true(m.shmem == 0 && m.slab == 0 && m.zswap == 0 && m.swapcached == 0 &&
		    m.anon_thp == 0 && m.sec_pagetables == 0 && m.vmalloc == 0 && m.percpu == 0 &&
		    m.unevictable == 0);
	assert_int_equal(m.available, 500);
	assert_swap(&lab, "/a", 0, 0); /* no accounting: no swap */
	lab_end(&lab);
}

static void test_v2_keys_are_matched_whole(void **state)
{
	struct cg_memory m = { 0 };

	(void)state;
	assert_int_equal(
		cg_memory_parse_stat(CG_V2,
				     "file_mapped 3\nfile_thp 4\nanon_thp 5\nslab_reclaimable 6\n"
				     "zswapped 7\npgactivate 8\nvmalloc 9\n",
				     &m),
		0);
	assert_true(m.file == 0 && m.anon == 0 && m.slab == 0 && m.zswap == 0);
	assert_true(m.file_mapped == 3 && m.file_thp == 4 && m.anon_thp == 5 &&
		    m.slab_reclaimable == 6 && m.zswapped == 7 && m.vmalloc == 9);
}

static void test_v1_counts_the_cgroups_below_too(void **state)
{
	struct cg_memory m = { 0 };

	(void)state;
	assert_int_equal(
		cg_memory_parse_stat(CG_V1,
				     "cache 1\nrss 2\nmapped_file 3\ntotal_cache 10\ntotal_rss 20\n"
				     "total_mapped_file 30\ntotal_rss_huge 40\n",
				     &m),
		0);
	assert_true(m.file == 10 && m.anon == 20 && m.file_mapped == 30 && m.anon_thp == 40);
}

static void test_bad_stat_is_an_error_and_changes_nothing(void **state)
{
	struct cg_memory m = { .limit = 77 };
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	level(&lab, "/a", "1000\n", "500\n", "anon x\n");
	assert_int_equal(read_at(&lab, "/a", &m), -EBADMSG);
	level(&lab, "/b", "1000x\n", "500\n", "anon 1\n");
	assert_int_equal(read_at(&lab, "/b", &m), -EBADMSG);
	level(&lab, "/c", "1000\n", "500\n", NULL);
	assert_int_equal(read_at(&lab, "/c", &m), -ENOENT);
	assert_int_equal(m.limit, 77);
	lab_end(&lab);
}

static void test_v1_kernel_memory_is_slab(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	level(&lab, "/a", "5000\n", "1000\n", "");
	lab_write(&lab, "cg/a/memory.kmem.usage_in_bytes", "300\n");
	m = memory_at(&lab, "/a");
	assert_true(m.slab == 300 && m.slab_unreclaimable == 300 && m.slab_reclaimable == 0);
	lab_end(&lab);
}

static void test_recorded_v2_container(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_open(&lab, "v2-6.1");
	m = memory_at(&lab, "/level1/level2");
	assert_int_equal(m.limit, 160 * MIB);
	assert_int_equal(m.usage, 131780608);
	assert_int_equal(m.free, 160 * MIB - 131780608);
	assert_int_equal(m.available, 128 * MIB - 131780608 + 4853760 + 2039808 + 73200);
	assert_swap(&lab, "/level1/level2", 64 * MIB, 28528640);
	assert_int_equal(m.swapcached, 892928);
	assert_int_equal(m.anon, 114454528);
	assert_int_equal(m.file, 16334848);
	assert_int_equal(m.shmem, 9441280);
	assert_int_equal(m.file_mapped, 3903488);
	assert_int_equal(m.slab, 95800);
	assert_int_equal(m.anon_thp, 8388608);
	assert_int_equal(m.pagetables, 327680);
	lab_end(&lab);
}

static void test_recorded_v1_container(void **state)
{
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_open(&lab, "v1-6.1");
	m = memory_at(&lab, "/level1/level2");
	assert_int_equal(m.limit, 128 * MIB);
	assert_int_equal(m.usage, 130338816);
	assert_swap(&lab, "/level1/level2", 192 * MIB, 29257728); /* "swap" of its memory.stat */
	assert_int_equal(m.anon, 112107520);
	assert_int_equal(m.slab, 454656);
	lab_end(&lab);
	lab_open(&lab, "hybrid-6.18");
	m = memory_at(&lab, "/level1/level2");
	assert_int_equal(m.limit, 160 * MIB);
	assert_int_equal(m.usage, 129437696);
	assert_swap(&lab, "/level1/level2", 192 * MIB, 0);
	lab_end(&lab);
}

/* same-as-v1-6.1: that container's numbers in the files of v2. */
static void test_v1_and_v2_of_one_container_are_equal(void **state)
{
	struct cg_memory a, b;
	struct lab v1, v2;

	(void)state;
	lab_open(&v1, "v1-6.1");
	lab_open(&v2, "same-as-v1-6.1");
	a = memory_at(&v1, "/level1/level2");
	b = memory_at(&v2, "/level1/level2");
	assert_swap(&v1, "/level1/level2", 192 * MIB, 29257728); /* v1: both together */
	assert_swap(&v2, "/level1/level2", 64 * MIB, 29257728);
	assert_memory_equal(&a, &b, sizeof(a));
	lab_end(&v1);
	lab_end(&v2);
}

static void feed_stat(const char *text, void *data)
{
	struct cg_memory m = { 0 };
	int r = cg_memory_parse_stat(*(enum cg_version *)data, text, &m);

	assert_true(r == 0 || r == -EBADMSG);
}

/* memory.stat is kept for a moment (see memory.h); limits and usage never are. */
static void test_what_is_kept_and_what_is_not(void **state)
{
	const struct timespec longer = { .tv_nsec = 40000000 };
	struct cg_memory m;
	struct cg_node *node;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	level(&lab, "/a", "1000\n", "500\n", "hierarchical_memory_limit 1000\ntotal_cache 7\n");
	node = lab_node(&lab, CG_MEMORY, "/a");
	assert_int_equal(cg_memory_read(node, &m), 0);
	assert_int_equal(m.file, 7);
	level(&lab, "/a", "1000\n", "600\n", NULL);
	assert_int_equal(cg_memory_read(node, &m), 0);
	assert_int_equal(m.usage, 600);
	assert_int_equal(m.free, 400);
	level(&lab, "/a", "2000\n", "600\n", "hierarchical_memory_limit 2000\ntotal_cache 8\n");
	assert_int_equal(cg_memory_read(node, &m), 0);
	assert_int_equal(m.limit, 2000);
	assert_int_equal(m.file, 8);
	level(&lab, "/a", NULL, NULL, "hierarchical_memory_limit 2000\ntotal_cache 9\n");
	nanosleep(&longer, NULL);
	assert_int_equal(cg_memory_read(node, &m), 0);
	assert_int_equal(m.file, 9);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_hostile_text(void **state)
{
	g_autofree char *v1 = fixture_read("v1-6.1/sys/fs/cgroup/memory/level1/level2/memory.stat");
	g_autofree char *v2 = fixture_read("v2-6.1/sys/fs/cgroup/level1/level2/memory.stat");
	enum cg_version version = CG_V1;

	(void)state;
	feed_hostile(v1, feed_stat, &version);
	version = CG_V2;
	feed_hostile(v2, feed_stat, &version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_of_the_parent_alone),
		cmocka_unit_test(test_child_larger_than_its_parent),
		cmocka_unit_test(test_tightest_of_three_levels_for_each_value),
		cmocka_unit_test(test_unlimited_chain),
		cmocka_unit_test(test_v1_unlimited_is_the_biggest_page_aligned_number),
		cmocka_unit_test(test_usage_above_limit_does_not_wrap),
		cmocka_unit_test(test_limit_of_zero),
		cmocka_unit_test(test_high_bounds_what_is_available_alone),
		cmocka_unit_test(test_reclaimable_memory_counts_active_and_inactive_files_and_slab),
		cmocka_unit_test(test_stat_without_the_newer_fields),
		cmocka_unit_test(test_v2_keys_are_matched_whole),
		cmocka_unit_test(test_v1_counts_the_cgroups_below_too),
		cmocka_unit_test(test_bad_stat_is_an_error_and_changes_nothing),
		cmocka_unit_test(test_v1_kernel_memory_is_slab),
		cmocka_unit_test(test_recorded_v2_container),
		cmocka_unit_test(test_recorded_v1_container),
		cmocka_unit_test(test_v1_and_v2_of_one_container_are_equal),
		cmocka_unit_test(test_what_is_kept_and_what_is_not),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
