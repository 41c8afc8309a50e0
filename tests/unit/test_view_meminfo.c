/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/meminfo.h"

#include "golden.h"
#include "view/views.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static char *render(const char *host_text, const struct meminfo_input *in)
{
	struct text t = output_begin();

	meminfo_render(host_text, in, &t);
	return output_end(&t);
}

static char *generate(struct scene *s)
{
	struct text t = output_begin();

	assert_int_equal(meminfo_generate(&s->req, &t), 0);
	return output_end(&t);
}

/* The number of the line @key. */
static uint64_t number(const char *text, const char *key)
{
	g_autofree char *start = g_strdup_printf("\n%s:", key);
	g_autofree char *with_newline = g_strdup_printf("\n%s", text);
	const char *line = strstr(with_newline, start);

	assert_non_null(line);
	return g_ascii_strtoull(line + strlen(start), NULL, 10);
}

/* A host of 8 GiB, with swap, and a container of 1 GiB. */
static struct meminfo_input usual(void)
{
	return (struct meminfo_input){
		.host = { .mem_total = 8 * GIB,
			  .mem_free = 4 * GIB,
			  .mem_available = 6 * GIB,
			  .mlocked = 8 * MIB,
			  .swap_total = 2 * GIB,
			  .swap_free = 2 * GIB,
			  .hugepage_size = 2 * MIB },
		.cg = { .limit = 1 * GIB, .free = 600 * MIB, .available = 700 * MIB },
		.swap = { .limit = 512 * MIB, .usage = 12 * MIB },
		.overcommit_ratio = 50,
	};
}

static uint64_t shown(const struct meminfo_input *in, const char *key)
{
	g_autofree char *line = g_strdup_printf("%s: 77 kB\n", key);
	g_autofree char *text = render(line, in);

	return number(text, key);
}

static void test_recorded_hosts(void **state)
{
	static const char *const hosts[] = { "hybrid-6.18", "v1-6.1", "v2-6.1" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		g_autofree char *golden = g_strdup_printf("golden/meminfo-%s", hosts[i]);
		g_autofree char *text = NULL;
		struct scene s;

		scene_open(&s, hosts[i]);
		text = generate(&s);
		assert_golden(golden, text);
		scene_end(&s);
	}
}

/* Names, order and padding are the host's: what differs are digits and the blanks before them. */
static void test_lines_are_those_of_the_host(void **state)
{
	static const char *const hosts[] = { "hybrid-6.18", "v1-6.1", "v2-6.1" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		g_autofree char *path = g_build_filename(hosts[i], "proc/meminfo", NULL);
		g_autofree char *host_text = fixture_read(path);
		g_auto(GStrv) want = g_strsplit(host_text, "\n", -1);
		g_auto(GStrv) got = NULL;
		g_autofree char *text = NULL;
		struct scene s;

		scene_open(&s, hosts[i]);
		text = generate(&s);
		got = g_strsplit(text, "\n", -1);
		assert_int_equal(g_strv_length(got), g_strv_length(want));
		for (size_t n = 0; want[n]; n++) {
			assert_int_equal(strlen(got[n]), strlen(want[n]));
			assert_int_equal(strcspn(got[n], " "), strcspn(want[n], " "));
			assert_memory_equal(got[n], want[n], strcspn(want[n], " "));
			assert_int_equal(g_str_has_suffix(got[n], " kB"),
					 g_str_has_suffix(want[n], " kB"));
		}
		scene_end(&s);
	}
}

/* v1 has one number for all kernel memory, and one limit for memory and swap together. */
static void test_v1_and_v2_of_the_same_container_agree(void **state)
{
	static const char *const differ[] = { "Slab",         "SReclaimable", "SUnreclaim",
					      "KReclaimable", "SwapTotal",    "SwapFree",
					      "CommitLimit" };
	g_auto(GStrv) v1_lines = NULL;
	g_auto(GStrv) v2_lines = NULL;
	g_autofree char *v1_text = NULL;
	g_autofree char *v2_text = NULL;
	struct scene v1, v2;

	(void)state;
	scene_open(&v1, "v1-6.1");
	scene_make(&v2, "v1-6.1", "same-as-v1-6.1", "0::/level1/level2\n");
	v1_text = generate(&v1);
	v2_text = generate(&v2);
	v1_lines = g_strsplit(v1_text, "\n", -1);
	v2_lines = g_strsplit(v2_text, "\n", -1);
	assert_int_equal(g_strv_length(v1_lines), g_strv_length(v2_lines));
	for (size_t i = 0; v1_lines[i]; i++) {
		bool skip = false;

		for (size_t k = 0; k < G_N_ELEMENTS(differ); k++)
			skip = skip || g_str_has_prefix(v1_lines[i], differ[k]);
		if (!skip)
			assert_string_equal(v1_lines[i], v2_lines[i]);
	}
	scene_end(&v1);
	scene_end(&v2);
}

static void test_no_memory_controller_is_the_hosts_file(void **state)
{
	struct text t = output_begin();
	struct scene s;

	(void)state;
	scene_open(&s, "v2-6.1");
	cg_node_unref(s.ct.held.nodes[CG_MEMORY]);
	s.ct.held.nodes[CG_MEMORY] = NULL;
	assert_int_equal(meminfo_generate(&s.req, &t), VIEW_E_PASSTHROUGH);
	assert_int_equal(t.len, 0);
	g_free(t.buf);
	scene_end(&s);
}

static void test_swap_can_be_switched_off(void **state)
{
	g_autofree char *text = NULL;
	struct scene s;

	(void)state;
	scene_open(&s, "v2-6.1");
	s.options.swap = false;
	text = generate(&s);
	assert_int_equal(number(text, "SwapTotal"), 0);
	assert_int_equal(number(text, "SwapFree"), 0);
	scene_end(&s);
}

static void test_total_free_and_available(void **state)
{
	static const struct {
		uint64_t limit, free, available;    /* of the chain */
		uint64_t host_free, host_available; /* the host has 8 GiB */
		uint64_t want_total, want_free, want_avail;
	} rows[] = {
		/* a limit and room below it */
		{ GIB, 600 * MIB, 700 * MIB, 4 * GIB, 6 * GIB, GIB, 600 * MIB, 700 * MIB },
		/* usage at or above the limit */
		{ GIB, 0, 0, 4 * GIB, 6 * GIB, GIB, 0, 0 },
		/* no limit: the host's */
		{ CG_UNLIMITED, CG_UNLIMITED, CG_UNLIMITED, 4 * GIB, 6 * GIB, 8 * GIB, 4 * GIB,
		  6 * GIB },
		/* a limit larger than the host */
		{ 64 * GIB, 63 * GIB, 64 * GIB, 4 * GIB, 6 * GIB, 8 * GIB, 4 * GIB, 6 * GIB },
		/* a full host, with and without a limit */
		{ GIB, 600 * MIB, 700 * MIB, 3 * MIB, 5 * MIB, GIB, 3 * MIB, 5 * MIB },
		{ CG_UNLIMITED, CG_UNLIMITED, CG_UNLIMITED, 0, 0, 8 * GIB, 0, 0 },
		/* a full parent: its free is the smallest of the chain */
		{ GIB, 2 * MIB, 3 * MIB, 4 * GIB, 6 * GIB, GIB, 2 * MIB, 3 * MIB },
		/* never above the total, whatever the numbers say */
		{ GIB, 2 * GIB, 3 * GIB, 4 * GIB, 6 * GIB, GIB, GIB, GIB },
		{ CG_UNLIMITED, CG_UNLIMITED, CG_UNLIMITED, 9 * GIB, 10 * GIB, 8 * GIB, 8 * GIB,
		  8 * GIB },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct meminfo_input in = usual();

		in.cg.limit = rows[i].limit;
		in.cg.free = rows[i].free;
		in.cg.available = rows[i].available;
		in.host.mem_free = rows[i].host_free;
		in.host.mem_available = rows[i].host_available;
		assert_int_equal(shown(&in, "MemTotal"), rows[i].want_total / KIB);
		assert_int_equal(shown(&in, "MemFree"), rows[i].want_free / KIB);
		assert_int_equal(shown(&in, "MemAvailable"), rows[i].want_avail / KIB);
	}
}

static void test_swap_total_and_free(void **state)
{
	static const struct {
		uint64_t limit, usage, host, want_total, want_free;
	} rows[] = {
		{ 512 * MIB, 12 * MIB, 2 * GIB, 512 * MIB, 500 * MIB },
		{ 0, 0, 2 * GIB, 0, 0 },
		{ CG_UNLIMITED, 5 * MIB, 2 * GIB, 2 * GIB, 2 * GIB - 5 * MIB },
		{ 8 * GIB, 0, 2 * GIB, 2 * GIB, 2 * GIB },
		/* a host without swap */
		{ 512 * MIB, 0, 0, 0, 0 },
		/* usage above the limit: as much as is used, and none free */
		{ 4 * MIB, 12 * MIB, 2 * GIB, 12 * MIB, 0 },
		{ 0, 12 * MIB, 2 * GIB, 12 * MIB, 0 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct meminfo_input in = usual();

		in.swap.limit = rows[i].limit;
		in.swap.usage = rows[i].usage;
		in.host.swap_total = rows[i].host;
		assert_int_equal(shown(&in, "SwapTotal"), rows[i].want_total / KIB);
		assert_int_equal(shown(&in, "SwapFree"), rows[i].want_free / KIB);
	}
}

static void test_sums_and_bounds(void **state)
{
	struct meminfo_input in = usual();

	(void)state;
	in.cg.active_anon = 10 * MIB;
	in.cg.active_file = 3 * MIB;
	in.cg.inactive_anon = 20 * MIB;
	in.cg.inactive_file = 5 * MIB;
	in.cg.unevictable = 4 * MIB;
	in.cg.anon = 30 * MIB;
	in.cg.shmem = 2 * MIB;
	assert_int_equal(shown(&in, "Active"), 13 * KIB);
	assert_int_equal(shown(&in, "Inactive"), 25 * KIB);
	assert_int_equal(shown(&in, "Mlocked"), 4 * KIB);
	in.cg.unevictable = 40 * MIB;
	assert_int_equal(shown(&in, "Mlocked"), 8 * KIB);
	assert_int_equal(shown(&in, "Unevictable"), 40 * KIB);
	assert_int_equal(shown(&in, "Committed_AS"), (30 + 2 + 12) * KIB);
	assert_int_equal(shown(&in, "Buffers"), 0);
}

static void test_commit_limit_is_the_kernels_formula(void **state)
{
	struct meminfo_input in = usual();

	(void)state;
	assert_int_equal(shown(&in, "CommitLimit"), (512 + 512) * KIB);
	in.overcommit_ratio = 100;
	in.host.hugetlb = 100 * MIB;
	in.hugetlb.limit = 24 * MIB;
	assert_int_equal(shown(&in, "CommitLimit"), (1000 + 512) * KIB);
	in.overcommit_bytes = 3 * MIB;
	assert_int_equal(shown(&in, "CommitLimit"), (3 + 512) * KIB);
}

static void assert_hugepages(const struct meminfo_input *in, uint64_t total, uint64_t free,
			     uint64_t reserved, uint64_t surplus, uint64_t hugetlb_kib)
{
	assert_int_equal(shown(in, "HugePages_Total"), total);
	assert_int_equal(shown(in, "HugePages_Free"), free);
	assert_int_equal(shown(in, "HugePages_Rsvd"), reserved);
	assert_int_equal(shown(in, "HugePages_Surp"), surplus);
	assert_int_equal(shown(in, "Hugetlb"), hugetlb_kib);
}

static void test_huge_pages_are_bounded_by_their_controller(void **state)
{
	struct meminfo_input in = usual();

	(void)state;
	in.host.hugepages_total = 100;
	in.host.hugepages_free = 40;
	in.host.hugepages_rsvd = 10;
	in.host.hugepages_surp = 3;
	in.host.hugetlb = 200 * MIB;
	assert_hugepages(&in, 0, 0, 0, 0, 0); /* no controller */
	in.hugetlb =
		(struct cg_hugetlb){ .limit = 20 * MIB, .usage = 6 * MIB, .reserved = 10 * MIB };
	assert_hugepages(&in, 10, 7, 2, 3, 20 * KIB);
	in.hugetlb.usage = 30 * MIB; /* above the limit */
	assert_hugepages(&in, 10, 0, 0, 3, 20 * KIB);
	in.hugetlb = (struct cg_hugetlb){ .limit = CG_UNLIMITED };
	assert_hugepages(&in, 100, 40, 0, 3, 200 * KIB);
	in.host.hugepage_size = 0; /* a kernel without them */
	assert_hugepages(&in, 0, 0, 0, 0, 200 * KIB);
}

/* Whole lines, so that padding is seen. */
static void test_columns(void **state)
{
	struct meminfo_input in = usual();
	g_autofree char *text = NULL;

	(void)state;
	in.cg.limit = in.host.mem_total = UINT64_MAX;
	in.cg.zswap = 7 * KIB + 1023; /* rounded down */
	in.host.hugepages_total = 1234567;
	in.hugetlb.limit = CG_UNLIMITED;
	text = render("MemTotal:       24684096 kB\n"
		      "Zswap:                 0 kB\n"
		      "Inactive(anon):   646964 kB\n"
		      "VmallocTotal:   34359738367 kB\n"
		      "HugePages_Total:       0\n"
		      "HugePages_Free:        5\n",
		      &in);
	assert_string_equal(text, "MemTotal:       18014398509481983 kB\n"
				  "Zswap:                 7 kB\n"
				  "Inactive(anon):        0 kB\n"
				  "VmallocTotal:   34359738367 kB\n"
				  "HugePages_Total:   1234567\n"
				  "HugePages_Free:        0\n");
}

static void test_unknown_and_odd_lines_are_kept(void **state)
{
	static const char odd[] = "Some:New    Thing: 5 kB\n"
				  "\n"
				  "no colon\n"
				  "MemTotalExtra:         1 kB\n"
				  "Mem:                   1 kB\n"
				  "memtotal:              1 kB\n"
				  ": 3\n"
				  "DirectMap4k:       26624 kB\n"
				  "last without a newline";
	struct meminfo_input in = usual();
	g_autofree char *text = render(odd, &in);
	g_autofree char *none = render("", &in);

	(void)state;
	assert_string_equal(text, odd);
	assert_string_equal(none, "");
}

static void feed(const char *host_text, void *data)
{
	struct text t = output_begin();
	struct meminfo_input in = usual();

	(void)data;
	(void)host_meminfo_parse(host_text, &in.host);
	meminfo_render(host_text, &in, &t);
	g_free(t.buf);
}

static void test_hostile_texts(void **state)
{
	(void)state;
	feed_hostile("MemTotal:  24684096 kB\nMemFree: 1 kB\nActive(anon): 5 kB\nHugetlb: 1 kB\n",
		     feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_lines_are_those_of_the_host),
		cmocka_unit_test(test_v1_and_v2_of_the_same_container_agree),
		cmocka_unit_test(test_no_memory_controller_is_the_hosts_file),
		cmocka_unit_test(test_swap_can_be_switched_off),
		cmocka_unit_test(test_total_free_and_available),
		cmocka_unit_test(test_swap_total_and_free),
		cmocka_unit_test(test_sums_and_bounds),
		cmocka_unit_test(test_commit_limit_is_the_kernels_formula),
		cmocka_unit_test(test_huge_pages_are_bounded_by_their_controller),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_unknown_and_odd_lines_are_kept),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
