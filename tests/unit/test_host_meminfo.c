/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/meminfo.h"

#include "fixture.h"

#define KIB UINT64_C(1024)

static void test_recorded_host(void **state)
{
	g_autofree char *text = fixture_read("v1-6.1/proc/meminfo");
	struct host_meminfo m;

	(void)state;
	assert_int_equal(host_meminfo_parse(text, &m), 0);
	assert_int_equal(m.mem_total, 736820 * KIB);
	assert_int_equal(m.mem_free, 544992 * KIB);
	assert_int_equal(m.mem_available, 499392 * KIB);
	assert_int_equal(m.swap_total, 204796 * KIB);
	assert_int_equal(m.swap_free, 177748 * KIB);
	assert_int_equal(m.mlocked, 0);
	assert_int_equal(m.hugepage_size, 2048 * KIB);
	assert_int_equal(m.hugetlb, 0);
}

static void test_counts_are_no_kilobytes(void **state)
{
	struct host_meminfo m;

	(void)state;
	assert_int_equal(host_meminfo_parse("Mlocked:           13196 kB\n"
					    "HugePages_Total:      12\n"
					    "HugePages_Free:       11\n"
					    "HugePages_Rsvd:        3\n"
					    "HugePages_Surp:        2\n"
					    "Hugepagesize:       2048 kB\n"
					    "Hugetlb:         1073152 kB\n",
					    &m),
			 0);
	assert_int_equal(m.mlocked, 13196 * KIB);
	assert_int_equal(m.hugepages_total, 12);
	assert_int_equal(m.hugepages_free, 11);
	assert_int_equal(m.hugepages_rsvd, 3);
	assert_int_equal(m.hugepages_surp, 2);
	assert_int_equal(m.hugepage_size, 2048 * KIB);
	assert_int_equal(m.hugetlb, 1073152 * KIB);
}

static void test_keys_are_matched_whole_and_absent_ones_are_0(void **state)
{
	static const struct host_meminfo none;
	struct host_meminfo m;

	(void)state;
	assert_int_equal(host_meminfo_parse("MemTotalX: 5 kB\nXMemTotal: 5 kB\nSwap: 1 kB\n\n", &m),
			 0);
	assert_memory_equal(&m, &none, sizeof(none));
	assert_int_equal(host_meminfo_parse("", &m), 0);
	assert_memory_equal(&m, &none, sizeof(none));
}

static void test_no_number_changes_nothing(void **state)
{
	static const char *const bad[] = { "MemTotal: x kB\n", "MemTotal:\n", "MemFree: -1 kB\n",
					   "MemTotal: 5kB\n",
					   "SwapFree: 99999999999999999999999 kB\n" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct host_meminfo m = { .mem_total = 77 };

		assert_int_equal(host_meminfo_parse(bad[i], &m), -EBADMSG);
		assert_int_equal(m.mem_total, 77);
	}
}

static void test_bytes_saturate(void **state)
{
	struct host_meminfo m;

	(void)state;
	assert_int_equal(host_meminfo_parse("MemTotal: 18446744073709551615 kB\n", &m), 0);
	assert_true(m.mem_total == UINT64_MAX);
}

static void feed(const char *text, void *data)
{
	struct host_meminfo m;

	(void)data;
	(void)host_meminfo_parse(text, &m);
}

static void test_hostile_texts(void **state)
{
	(void)state;
	feed_hostile("MemTotal:       24684096 kB\nHugePages_Total:       1\nHugetlb: 1 kB\n", feed,
		     NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_host),
		cmocka_unit_test(test_counts_are_no_kilobytes),
		cmocka_unit_test(test_keys_are_matched_whole_and_absent_ones_are_0),
		cmocka_unit_test(test_no_number_changes_nothing),
		cmocka_unit_test(test_bytes_saturate),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
