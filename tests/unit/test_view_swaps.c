/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "golden.h"
#include "view/meminfo.h"
#include "view/views.h"

#define KIB    UINT64_C(1024)
#define MIB    (1024 * KIB)
#define HEADER "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
#define NAME   "none                                    virtual\t"

static char *render(uint64_t total, uint64_t usage)
{
	struct text t = output_begin();

	swaps_render(total, usage, &t);
	return output_end(&t);
}

static void test_header_is_the_kernels(void **state)
{
	g_autofree char *host = fixture_read("v1-6.1/proc/swaps");

	(void)state;
	assert_true(g_str_has_prefix(host, HEADER));
}

static void test_lines(void **state)
{
	static const struct {
		uint64_t total, usage;
		const char *want;
	} rows[] = {
		{ 0, 0, HEADER },
		{ 1023, 0, HEADER }, /* SwapTotal is 0 kB */
		{ 1024, 0, HEADER NAME "\t1\t\t0\t\t0\n" },
		{ 512 * MIB, 12 * MIB, HEADER NAME "\t524288\t\t12288\t\t0\n" },
		/* the kernel leaves out a tab from 10,000,000 kB on */
		{ 9999999 * KIB, 9999999 * KIB, HEADER NAME "\t9999999\t\t9999999\t\t0\n" },
		{ 10000000 * KIB, 5 * KIB, HEADER NAME "\t10000000\t5\t\t0\n" },
		{ 20000000 * KIB, 10000000 * KIB, HEADER NAME "\t20000000\t10000000\t0\n" },
		/* more used than there is cannot be */
		{ 4096, 8192, HEADER NAME "\t4\t\t4\t\t0\n" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = render(rows[i].total, rows[i].usage);

		assert_string_equal(text, rows[i].want);
	}
}

static uint64_t number_behind(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	assert_non_null(p);
	return g_ascii_strtoull(p + strlen(key), NULL, 10);
}

/* Size and Used are SwapTotal and SwapTotal - SwapFree to the last kB, whatever the bytes are. */
static void test_numbers_agree_with_meminfo(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(8);

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct meminfo_input in = {
			.host.swap_total = g_rand_int(rand),
			.swap = { .limit = g_rand_int(rand), .usage = g_rand_int(rand) >> n % 20 },
		};
		uint64_t total = swap_total(&in.host, &in.swap);
		g_autofree char *swaps = render(total, in.swap.usage);
		uint64_t mem_total, mem_free;
		g_autofree char *meminfo = NULL;
		g_autofree char *want = NULL;
		struct text t = output_begin();

		meminfo_render("SwapTotal: 0 kB\nSwapFree: 0 kB\n", &in, &t);
		meminfo = output_end(&t);
		mem_total = number_behind(meminfo, "SwapTotal:");
		mem_free = number_behind(meminfo, "SwapFree:");
		if (mem_total == 0) {
			assert_string_equal(swaps, HEADER);
			continue;
		}
		want = g_strdup_printf(HEADER NAME "\t%llu\t\t%llu\t\t0\n",
				       (unsigned long long)mem_total,
				       (unsigned long long)(mem_total - mem_free));
		assert_string_equal(swaps, want);
	}
}

static void test_recorded_hosts(void **state)
{
	static const char *const hosts[] = { "hybrid-6.18", "v1-6.1", "v2-6.1" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		g_autofree char *golden = g_strdup_printf("golden/swaps-%s", hosts[i]);
		struct text t = output_begin();
		g_autofree char *text = NULL;
		struct scene s;

		scene_open(&s, hosts[i]);
		assert_int_equal(swaps_generate(&s.req, &t), 0);
		text = output_end(&t);
		assert_golden(golden, text);
		scene_end(&s);
	}
}

static void test_switched_off_there_is_no_line(void **state)
{
	struct text t = output_begin();
	g_autofree char *text = NULL;
	struct scene s;

	(void)state;
	scene_open(&s, "v2-6.1");
	s.options.swap = false;
	assert_int_equal(swaps_generate(&s.req, &t), 0);
	text = output_end(&t);
	assert_string_equal(text, HEADER);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_is_the_kernels),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_numbers_agree_with_meminfo),
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_switched_off_there_is_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
