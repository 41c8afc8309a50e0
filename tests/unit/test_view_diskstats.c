/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/diskstats.h"

#include "golden.h"
#include "view/views.h"

static const char host_text[] =
	"   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
	" 254       0 vda 50148 10948 4299482 43737 12693 12520 2402760 4853 0 1 2 3 4 5 6 7 8\n"
	" 254       1 vda1 1 1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 1\n"
	" 259       0 nvme0n1 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
	" 253    1048 dm-with-a-long-name 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n";

static char *render(const char *text, struct cg_io_device *dev, size_t n)
{
	const struct cg_io io = { .n = n, .dev = dev };
	struct text t = output_begin();

	diskstats_render(text, &io, &t);
	return output_end(&t);
}

static void test_used_devices_in_the_order_of_the_host(void **state)
{
	struct cg_io_device dev[] = {
		{ .major = 253, .minor = 1048, .rios = 1, .rbytes = 512 },
		{ .major = 259, .minor = 0 }, /* known, but never used */
		{ .major = 254,
		  .minor = 0,
		  .rios = 20,
		  .wios = 30,
		  .dios = 40,
		  .rbytes = 10 << 20,
		  .wbytes = 4096,
		  .dbytes = 1 << 20 },
		{ .major = 8, .minor = 0, .rios = 5 }, /* not on this host */
	};
	g_autofree char *text = render(host_text, dev, G_N_ELEMENTS(dev));

	(void)state;
	assert_string_equal(text,
			    " 254       0 vda 20 0 20480 0 30 0 8 0 0 0 0 40 0 2048 0 0 0\n"
			    " 253    1048 dm-with-a-long-name 1 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

static void test_any_use_makes_a_line(void **state)
{
	const struct cg_io_device used[] = { { .rios = 1 },   { .wios = 1 },   { .dios = 1 },
					     { .rbytes = 1 }, { .wbytes = 1 }, { .dbytes = 1 } };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(used); i++) {
		struct cg_io_device dev = used[i];
		g_autofree char *text = NULL;
		g_auto(GStrv) words = NULL;

		dev.major = 254;
		text = render(host_text, &dev, 1);
		words = g_strsplit(g_strstrip(text), " ", -1);
		assert_true(g_str_has_prefix(text, "254       0 vda "));
		/* "254", six blanks, "0", "vda" and 17 counters */
		assert_int_equal(g_strv_length(words), 1 + 6 + 2 + 17);
	}
}

static void test_nothing_used_is_an_empty_file(void **state)
{
	g_autofree char *none = render(host_text, NULL, 0);
	g_autofree char *no_host = render("", NULL, 0);

	(void)state;
	assert_string_equal(none, "");
	assert_string_equal(no_host, "");
}

static void test_kernels_with_fewer_counters_and_odd_lines(void **state)
{
	static const char odd[] = "not a device\n"
				  "\n"
				  " 254\n"
				  " 254 0\n"
				  " 254x0 vdb 1\n"
				  "-254 0 vdc 1\n"
				  "99999999999999999999999 0 vdd 1\n"
				  " 254       0 vda 1 2 3 4 5 6 7 8 9 10 11\n" /* before 4.18 */
				  " 254       0 vda";                          /* cut off */
	struct cg_io_device dev = { .major = 254, .minor = 0, .wios = 1, .wbytes = 1024 };
	g_autofree char *text = render(odd, &dev, 1);

	(void)state;
	assert_string_equal(text, " 254       0 vda 0 0 0 0 1 0 2 0 0 0 0 0 0 0 0 0 0\n"
				  " 254       0 vda 0 0 0 0 1 0 2 0 0 0 0 0 0 0 0 0 0\n");
}

static void test_recorded_hosts(void **state)
{
	static const char *const hosts[] = { "hybrid-6.18", "v1-6.1", "v2-6.1" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		g_autofree char *golden = g_strdup_printf("golden/diskstats-%s", hosts[i]);
		struct text t = output_begin();
		g_autofree char *text = NULL;
		struct scene s;

		scene_open(&s, hosts[i]);
		assert_int_equal(diskstats_generate(&s.req, &t), 0);
		text = output_end(&t);
		assert_golden(golden, text);
		scene_end(&s);
	}
}

static void test_no_controller_is_the_hosts_file(void **state)
{
	struct text t = output_begin();
	struct scene s;

	(void)state;
	scene_open(&s, "v2-6.1");
	cg_node_unref(s.ct.held.nodes[CG_IO]);
	s.ct.held.nodes[CG_IO] = NULL;
	assert_int_equal(diskstats_generate(&s.req, &t), VIEW_E_PASSTHROUGH);
	g_free(t.buf);
	scene_end(&s);
}

static void feed(const char *text, void *data)
{
	(void)data;
	g_free(render(text, &(struct cg_io_device){ .major = 254, .rios = 1 }, 1));
}

static void test_hostile_texts(void **state)
{
	(void)state;
	feed_hostile(host_text, feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_used_devices_in_the_order_of_the_host),
		cmocka_unit_test(test_any_use_makes_a_line),
		cmocka_unit_test(test_nothing_used_is_an_empty_file),
		cmocka_unit_test(test_kernels_with_fewer_counters_and_odd_lines),
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_no_controller_is_the_hosts_file),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
