/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/memory.h"

#include "fixture.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

static struct cg_memory parsed(enum cg_version version, const char *text, unsigned nid)
{
	struct cg_memory m = { 0 };

	assert_int_equal(cg_memory_parse_numa_stat(version, text, nid, &m), 0);
	return m;
}

static void assert_nothing(const struct cg_memory *m)
{
	static const struct cg_memory nothing;

	assert_memory_equal(m, &nothing, sizeof(nothing));
}

static void test_recorded_v2(void **state)
{
	g_autofree char *text = fixture_read("v2-6.1/sys/fs/cgroup/level1/level2/memory.numa_stat");
	struct cg_memory m = parsed(CG_V2, text, 0);

	(void)state;
	assert_int_equal(m.anon, 114454528);
	assert_int_equal(m.file, 16334848);
	assert_int_equal(m.kernel_stack, 0);
	assert_int_equal(m.pagetables, 327680);
	assert_int_equal(m.sec_pagetables, 0);
	assert_int_equal(m.shmem, 9441280);
	assert_int_equal(m.file_mapped, 3903488);
	assert_int_equal(m.swapcached, 892928);
	assert_int_equal(m.anon_thp, 8388608);
	assert_int_equal(m.inactive_anon, 122023936);
	assert_int_equal(m.active_anon, 2408448);
	assert_int_equal(m.inactive_file, 2039808);
	assert_int_equal(m.active_file, 4853760);
	assert_int_equal(m.slab_reclaimable, 73200);
	assert_int_equal(m.slab_unreclaimable, 22600);
	assert_int_equal(m.slab, 73200 + 22600);
	assert_int_equal(m.usage, 114454528 + 16334848 + 327680 + 73200 + 22600);
	assert_int_equal(m.limit, 0); /* not a matter of this file */
}

/* In pages, and of the whole tree below: the hierarchical_ lines. */
static void test_recorded_v1(void **state)
{
	static const struct {
		const char *host;
		uint64_t total, file, anon;
	} rows[] = {
		{ "v1-6.1", 31548, 1622, 29926 },
		{ "hybrid-6.18", 31408, 2053, 29355 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path =
			g_build_filename(rows[i].host, "sys/fs/cgroup/memory/level1/level2",
					 "memory.numa_stat", NULL);
		g_autofree char *text = fixture_read(path);
		struct cg_memory m = parsed(CG_V1, text, 0);

		assert_int_equal(m.usage, rows[i].total * PAGE);
		assert_int_equal(m.file, rows[i].file * PAGE);
		assert_int_equal(m.anon, rows[i].anon * PAGE);
		assert_int_equal(m.unevictable, 0);
	}
}

static void test_v1_counts_the_groups_below(void **state)
{
	static const char text[] = "total=3 N0=1 N1=2\n"
				   "file=1 N0=1 N1=0\n"
				   "hierarchical_total=60 N0=40 N1=20\n"
				   "hierarchical_file=30 N0=25 N1=5\n"
				   "hierarchical_anon=22 N0=10 N1=12\n"
				   "hierarchical_unevictable=8 N0=5 N1=3\n";
	struct cg_memory zero = parsed(CG_V1, text, 0), one = parsed(CG_V1, text, 1);

	(void)state;
	assert_int_equal(zero.usage, 40 * PAGE);
	assert_int_equal(zero.file, 25 * PAGE);
	assert_int_equal(zero.anon, 10 * PAGE);
	assert_int_equal(zero.unevictable, 5 * PAGE);
	assert_int_equal(one.usage, 20 * PAGE);
	assert_int_equal(one.file, 5 * PAGE);
	assert_int_equal(one.anon, 12 * PAGE);
	assert_int_equal(one.unevictable, 3 * PAGE);
}

/* Numbers of nodes are whole numbers: 1 is not 11, nor 10. */
static void test_nodes_by_their_whole_number(void **state)
{
	static const char text[] = "anon N0=5 N11=7 N1=9 N10=13\n";
	static const struct {
		unsigned nid;
		uint64_t anon;
	} rows[] = { { 0, 5 }, { 1, 9 }, { 10, 13 }, { 11, 7 } };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct cg_memory m = parsed(CG_V2, text, rows[i].nid);

		assert_int_equal(m.anon, rows[i].anon);
		assert_int_equal(m.usage, rows[i].anon);
	}
}

static void test_keys_are_whole(void **state)
{
	struct cg_memory m = parsed(CG_V2,
				    "anon_th N0=1\nanon_thpx N0=2\nano N0=3\nxanon N0=4\n"
				    "workingset_refault_anon N0=5\n N0=6\n\n",
				    0);

	(void)state;
	assert_nothing(&m);
	m = parsed(CG_V1,
		   "total=1 N0=1\nhierarchical_tota=2 N0=2\nhierarchical_totalx=3 N0=3\n"
		   "hierarchical_total 4 N0=4\n",
		   0);
	assert_nothing(&m);
}

/* The kernel names the nodes that have memory, no others. */
static void test_node_that_is_not_named_has_nothing(void **state)
{
	struct cg_memory m = parsed(CG_V2, "anon N0=5 N2=7\nfile N0=1 N2=2\n", 1);

	(void)state;
	assert_nothing(&m);
	m = parsed(CG_V1, "hierarchical_total=5 N0=5\nhierarchical_file=5 N0=5\n", 1);
	assert_nothing(&m);
	m = parsed(CG_V2, "anon\nfile \n", 0);
	assert_nothing(&m);
	/* A line ends where it ends: the node of the next one is not its own. */
	m = parsed(CG_V2, "anon N0=5\nfile N1=7\n", 1);
	assert_int_equal(m.anon, 0);
	assert_int_equal(m.file, 7);
	m = parsed(CG_V2, "", 0);
	assert_nothing(&m);
}

static void test_what_is_no_number(void **state)
{
	static const char *const bad[] = { "anon N0=\n",   "anon N0=x\n",
					   "anon N0=-1\n", "anon N0\n",
					   "anon N=1\n",   "anon Nx=1\n",
					   "anon N0= 1\n", "anon N0=99999999999999999999999\n" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct cg_memory m = { 0 };

		assert_int_equal(cg_memory_parse_numa_stat(CG_V2, bad[i], 0, &m), -EBADMSG);
	}
}

static void test_huge_numbers_saturate(void **state)
{
	struct cg_memory m = parsed(CG_V1, "hierarchical_total=1 N0=18446744073709551615\n", 0);

	(void)state;
	assert_true(m.usage == UINT64_MAX);
}

static void feed_v1(const char *text, void *data)
{
	(void)data;
	for (unsigned nid = 0; nid < 2; nid++) {
		struct cg_memory m = { 0 };
		int r = cg_memory_parse_numa_stat(CG_V1, text, nid, &m);

		assert_true(r == 0 || r == -EBADMSG);
	}
}

static void feed_v2(const char *text, void *data)
{
	(void)data;
	for (unsigned nid = 0; nid < 2; nid++) {
		struct cg_memory m = { 0 };
		int r = cg_memory_parse_numa_stat(CG_V2, text, nid, &m);

		assert_true(r == 0 || r == -EBADMSG);
	}
}

static void test_hostile(void **state)
{
	static const char *const short_ones[] = { "anon ",
						  "anon \n",
						  "anon  ",
						  "anon N",
						  "anon N0",
						  "anon N0=",
						  "hierarchical_total=",
						  "hierarchical_total= ",
						  "hierarchical_total=1 N" };
	g_autofree char *v2 = fixture_read("v2-6.1/sys/fs/cgroup/level1/level2/memory.numa_stat");
	g_autofree char *v1 =
		fixture_read("v1-6.1/sys/fs/cgroup/memory/level1/level2/memory.numa_stat");

	(void)state;
	feed_hostile(v2, feed_v2, NULL);
	feed_hostile(v1, feed_v1, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(short_ones); i++) {
		feed_exactly(short_ones[i], strlen(short_ones[i]), feed_v1, NULL);
		feed_exactly(short_ones[i], strlen(short_ones[i]), feed_v2, NULL);
	}
}

static uint64_t limit_at(struct lab *lab, const char *path)
{
	struct cg_node *node = lab_node(lab, CG_MEMORY, path);
	uint64_t limit = 77;

	assert_int_equal(cg_memory_limit_read(node, &limit), 0);
	cg_node_unref(node);
	return limit;
}

static void test_smallest_limit_of_the_chain(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/memory.max", "3000000\n");
	lab_write(&lab, "cg/a/b/memory.max", "1000000\n");
	lab_write(&lab, "cg/a/b/c/memory.max", "2000000\n");
	lab_write(&lab, "cg/a/open/memory.max", "max\n");
	lab_write(&lab, "cg/free/memory.max", "max\n");
	assert_int_equal(limit_at(&lab, "/a/b/c"), 1000000);
	assert_int_equal(limit_at(&lab, "/a/b"), 1000000);
	assert_int_equal(limit_at(&lab, "/a/open"), 3000000);
	assert_int_equal(limit_at(&lab, "/a"), 3000000);
	assert_true(limit_at(&lab, "/free") == CG_UNLIMITED);
	lab_write(&lab, "cg/a/b/memory.max", "max\n");
	assert_int_equal(limit_at(&lab, "/a/b/c"), 2000000);
	lab_end(&lab);
}

static void test_recorded_limits(void **state)
{
	static const char *const hosts[] = { "v1-6.1", "v2-6.1", "hybrid-6.18" };
	static const uint64_t limits[] = { 134217728, 167772160, 167772160 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		struct lab lab;

		lab_open(&lab, hosts[i]);
		assert_int_equal(limit_at(&lab, "/level1/level2"), limits[i]);
		assert_int_equal(limit_at(&lab, "/level1"), 419430400);
		lab_end(&lab);
	}
}

static void test_read_of_a_recorded_host(void **state)
{
	struct cg_node *node;
	struct cg_memory m;
	struct lab lab;

	(void)state;
	memset(&m, 0xa5, sizeof(m));
	lab_open(&lab, "v1-6.1");
	node = lab_node(&lab, CG_MEMORY, "/level1/level2");
	assert_int_equal(cg_memory_read_node(node, 0, &m), 0);
	assert_int_equal(m.usage, 31548 * PAGE);
	assert_int_equal(m.shmem, 0); /* v1 does not tell: 0, not what stood there */
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_kernel_without_the_file(void **state)
{
	struct cg_node *node;
	struct cg_memory m;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/memory.max", "max\n");
	node = lab_node(&lab, CG_MEMORY, "/a");
	assert_int_equal(cg_memory_read_node(node, 0, &m), -ENOENT);
	cg_node_unref(node);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_v2),
		cmocka_unit_test(test_recorded_v1),
		cmocka_unit_test(test_v1_counts_the_groups_below),
		cmocka_unit_test(test_nodes_by_their_whole_number),
		cmocka_unit_test(test_keys_are_whole),
		cmocka_unit_test(test_node_that_is_not_named_has_nothing),
		cmocka_unit_test(test_what_is_no_number),
		cmocka_unit_test(test_huge_numbers_saturate),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_smallest_limit_of_the_chain),
		cmocka_unit_test(test_recorded_limits),
		cmocka_unit_test(test_read_of_a_recorded_host),
		cmocka_unit_test(test_kernel_without_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
