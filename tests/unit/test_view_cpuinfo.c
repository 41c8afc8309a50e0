/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/cpuinfo.h"

#include "golden.h"
#include "view/views.h"

static char *render(const char *host_text, const char *visible)
{
	struct text t = output_begin();
	struct cpuset set;

	assert_int_equal(cpuset_parse(visible, &set), 0);
	cpuinfo_render(host_text, &set, &t);
	return output_end(&t);
}

/* fixtures/cpuinfo/ARCH/host, and beside it what a container with these cpus sees. */
static const struct {
	const char *arch, *all, *visible;
} architectures[] = {
	{ "x86_64", "0-3", "1-2" },
	{ "arm64", "0-3", "2" },
	{ "arm64-with-trailer", "0-3", "0,3" },
	{ "arm", "0-3", "1" },
	{ "s390x", "0-3", "0,2" },
	{ "s390x-with-topology", "0-1", "1" },
	{ "ppc64le", "0,8,16,24", "8,16" },
	{ "riscv64", "0-3", "1,3" },
};

static void test_each_architecture(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(architectures); i++) {
		const char *arch = architectures[i].arch;
		g_autofree char *host_path = g_strdup_printf("cpuinfo/%s/host", arch);
		g_autofree char *golden =
			g_strdup_printf("cpuinfo/%s/cpus-%s", arch, architectures[i].visible);
		g_autofree char *host_text = fixture_read(host_path);
		g_autofree char *text = render(host_text, architectures[i].visible);

		assert_golden(golden, text);
	}
}

static void test_all_cpus_visible_is_the_hosts_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(architectures); i++) {
		g_autofree char *path = g_strdup_printf("cpuinfo/%s/host", architectures[i].arch);
		g_autofree char *host_text = fixture_read(path);
		g_autofree char *text = render(host_text, architectures[i].all);

		assert_string_equal(text, host_text);
	}
}

static char *x86_block(unsigned cpu, unsigned siblings, unsigned cores)
{
	return g_strdup_printf("processor\t: %u\n"
			       "vendor_id\t: GenuineIntel\n"
			       "model name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\n"
			       "physical id\t: %u\n"
			       "siblings\t: %u\n"
			       "core id\t\t: %u\n"
			       "cpu cores\t: %u\n"
			       "flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr\n"
			       "power management:\n\n",
			       cpu, cpu / 128, siblings, cpu % 64, cores);
}

static void test_512_cpus(void **state)
{
	GString *host_text = g_string_new(NULL), *want = g_string_new(NULL);
	g_autofree char *text = NULL;

	(void)state;
	for (unsigned cpu = 0; cpu < 512; cpu++) {
		g_autofree char *block = x86_block(cpu, 128, 64);

		g_string_append(host_text, block);
		if ((cpu >= 7 && cpu <= 20) || (cpu >= 470 && cpu <= 511)) {
			g_autofree char *seen = x86_block(cpu, 56, 56);

			g_string_append(want, seen);
		}
	}
	text = render(host_text->str, "7-20,470-511");
	assert_string_equal(text, want->str);
	g_string_free(host_text, TRUE);
	g_string_free(want, TRUE);
}

static void test_counts_are_capped_and_never_raised(void **state)
{
	static const char host_text[] = "processor\t: 0\nsiblings\t: 8\ncpu cores\t: 1\n\n"
					"processor\t: 1\nsiblings\t: 2\ncpu cores\t: 4\n\n";
	g_autofree char *two = render(host_text, "0-1");
	g_autofree char *one = render(host_text, "1");

	(void)state;
	assert_string_equal(two, "processor\t: 0\nsiblings\t: 2\ncpu cores\t: 1\n\n"
				 "processor\t: 1\nsiblings\t: 2\ncpu cores\t: 2\n\n");
	assert_string_equal(one, "processor\t: 1\nsiblings\t: 1\ncpu cores\t: 1\n\n");
}

static void test_keys_are_matched_whole(void **state)
{
	static const char host_text[] = "processor\t: 0\n"
					"siblings of mine\t: 8\n"
					"cpu cores max\t: 8\n"
					"siblings\t: 8 or so\n"
					"cpu cores\t:\n"
					"processors\t: 9\n"
					"processor rev: 7\n"
					"\n"
					"processor version: 5\n"
					"\n"
					"processor\t: 1 and a half\n";
	g_autofree char *text = render(host_text, "0");

	(void)state;
	assert_string_equal(text, host_text);
}

static void test_recorded_host(void **state)
{
	struct text t = output_begin();
	g_autofree char *text = NULL;
	struct scene s;

	(void)state;
	scene_open(&s, "v2-6.1");
	assert_int_equal(cpuinfo_generate(&s.req, &t), 0);
	text = output_end(&t);
	assert_golden("golden/cpuinfo-v2-6.1", text);
	scene_end(&s);
}

static void test_odd_texts(void **state)
{
	static const char *const same[] = { "",
					    "\n",
					    "\n\n\n",
					    "x",
					    "processor",
					    "processor:",
					    "processor : 1x\n",
					    "processor : 99999999999999999999999\n" };
	static const char *const hidden[] = { "processor : 8192\n", "processor : 5",
					      "cpu number : 4294967296\n", "processor 7: x" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(same); i++) {
		g_autofree char *text = render(same[i], "0-1");

		assert_string_equal(text, same[i]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++) {
		g_autofree char *text = render(hidden[i], "0-1");

		assert_string_equal(text, "");
	}
}

static void feed(const char *host_text, void *data)
{
	(void)data;
	g_free(render(host_text, "0,3"));
}

static void test_hostile_texts(void **state)
{
	static const char sample[] = "vendor_id       : IBM/S390\n# processors    : 2\n"
				     "processor 0: version = FF\nprocessor 1: version = FF\n\n"
				     "cpu number      : 0\nsiblings        : 9\n\n"
				     "processor\t: 1\ncpu cores\t: 4\n\nHardware\t: x\n";

	(void)state;
	feed_hostile(sample, feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_architecture),
		cmocka_unit_test(test_all_cpus_visible_is_the_hosts_file),
		cmocka_unit_test(test_512_cpus),
		cmocka_unit_test(test_counts_are_capped_and_never_raised),
		cmocka_unit_test(test_keys_are_matched_whole),
		cmocka_unit_test(test_recorded_host),
		cmocka_unit_test(test_odd_texts),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
