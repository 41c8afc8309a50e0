/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/io.h"

#include "fixture.h"

static const struct cg_io_device *device_of(const struct cg_io *io, uint64_t major, uint64_t minor)
{
	for (size_t i = 0; i < io->n; i++)
		if (io->dev[i].major == major && io->dev[i].minor == minor)
			return &io->dev[i];
	fail_msg("no device %u:%u", (unsigned)major, (unsigned)minor);
	return NULL;
}

static void assert_device(const struct cg_io *io, const struct cg_io_device *want)
{
	assert_memory_equal(device_of(io, want->major, want->minor), want, sizeof(*want));
}

static struct cg_io io_at(struct lab *lab, const char *path)
{
	struct cg_node *node = lab_node(lab, CG_IO, path);
	struct cg_io io = { 0 };

	assert_int_equal(cg_io_read(node, &io), 0);
	cg_node_unref(node);
	return io;
}

static void test_v2_line_of_each_device(void **state)
{
	struct cg_io io = { 0 };

	(void)state;
	assert_int_equal(
		cg_io_parse_v2("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
			       "259:1048575 rbytes=7 wbytes=8 rios=9 wios=10 dbytes=11 dios=12\n",
			       &io),
		0);
	assert_int_equal(io.n, 2);
	assert_device(&io, &(struct cg_io_device){ .major = 8,
						   .minor = 16,
						   .rbytes = 1,
						   .wbytes = 2,
						   .rios = 3,
						   .wios = 4,
						   .dbytes = 5,
						   .dios = 6 });
	assert_device(&io, &(struct cg_io_device){ .major = 259,
						   .minor = 1048575,
						   .rbytes = 7,
						   .wbytes = 8,
						   .rios = 9,
						   .wios = 10,
						   .dbytes = 11,
						   .dios = 12 });
	cg_io_clear(&io);
	assert_true(io.n == 0 && !io.dev);
}

static void test_v2_pairs_of_any_order_and_unknown_ones(void **state)
{
	struct cg_io io = { 0 };

	(void)state;
	assert_int_equal(cg_io_parse_v2("8:0 dios=6 cost.vrate=100.00 wios=4 rbytes=1 use_delay=0 "
					"rbytes_max=9 rios=3\n",
					&io),
			 0);
	assert_device(&io, &(struct cg_io_device){
				   .major = 8, .rbytes = 1, .rios = 3, .wios = 4, .dios = 6 });
	cg_io_clear(&io);
}

static void test_v2_line_without_pairs(void **state)
{
	static const char *const texts[] = { "8:0 \n", "8:0\n", "8:0 ", "8:0" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct cg_io io = { 0 };

		assert_int_equal(cg_io_parse_v2(texts[i], &io), 0);
		for (size_t k = 0; k < io.n; k++)
			assert_device(&io, &(struct cg_io_device){ .major = 8 });
		cg_io_clear(&io);
	}
}

/* Some kernels name a device without numbers and no newline: the pairs are the last one's. */
static void test_v2_line_of_several_devices_counts_for_the_last(void **state)
{
	struct cg_io io = { 0 };

	(void)state;
	assert_int_equal(
		cg_io_parse_v2(
			"7:7 7:6 7:5 8:0 rbytes=28672 wbytes=0 rios=22 wios=0 dbytes=0 dios=0\n"
			"8:16 rbytes=1 wbytes=0 rios=2 wios=0 dbytes=0 dios=0\n",
			&io),
		0);
	assert_device(&io, &(struct cg_io_device){ .major = 8, .rbytes = 28672, .rios = 22 });
	assert_device(&io,
		      &(struct cg_io_device){ .major = 8, .minor = 16, .rbytes = 1, .rios = 2 });
	for (size_t i = 0; i < io.n; i++)
		assert_true(io.dev[i].major == 8 || io.dev[i].rbytes == 0);
	cg_io_clear(&io);
}

/* The kernel has no number for a hidden path of a multipath NVMe disk. */
static void test_device_of_unknown_number_is_passed_over(void **state)
{
	struct cg_io io = { 0 };

	(void)state;
	assert_int_equal(
		cg_io_parse_v2("(unknown) rbytes=5 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
			       "8:0 rbytes=1 wbytes=0 rios=2 wios=0 dbytes=0 dios=0\n",
			       &io),
		0);
	assert_int_equal(io.n, 1);
	assert_device(&io, &(struct cg_io_device){ .major = 8, .rbytes = 1, .rios = 2 });
	cg_io_clear(&io);
	assert_int_equal(
		cg_io_parse_v1(
			"(unknown) Read 5\n(unknown) Total 5\n8:0 Read 1\n8:0 Total 1\nTotal 6\n",
			false, &io),
		0);
	assert_int_equal(io.n, 1);
	assert_device(&io, &(struct cg_io_device){ .major = 8, .rbytes = 1 });
	cg_io_clear(&io);
}

static void test_v1_bytes_and_operations_meet_in_one_device(void **state)
{
	struct cg_io io = { 0 };

	(void)state;
	assert_int_equal(
		cg_io_parse_v1(
			"8:0 Read 10\n8:0 Write 20\n8:0 Sync 1\n8:0 Async 2\n8:0 Discard 30\n"
			"8:0 Total 60\n254:1 Read 7\n254:1 Total 7\nTotal 67\n",
			false, &io),
		0);
	assert_int_equal(
		cg_io_parse_v1("254:1 Read 1\n8:0 Discard 4\n8:0 Write 3\n8:0 Read 2\nTotal 10\n",
			       true, &io),
		0);
	assert_int_equal(io.n, 2);
	assert_device(&io, &(struct cg_io_device){ .major = 8,
						   .rbytes = 10,
						   .wbytes = 20,
						   .dbytes = 30,
						   .rios = 2,
						   .wios = 3,
						   .dios = 4 });
	assert_device(&io,
		      &(struct cg_io_device){ .major = 254, .minor = 1, .rbytes = 7, .rios = 1 });
	cg_io_clear(&io);
}

static void test_v1_total_alone_is_no_device(void **state)
{
	struct cg_io io = { 0 };

	(void)state;
	assert_int_equal(cg_io_parse_v1("Total 0\n", false, &io), 0);
	assert_int_equal(cg_io_parse_v1("", true, &io), 0);
	assert_int_equal(io.n, 0);
}

static void test_bad_numbers_are_errors(void **state)
{
	static const char *const v2[] = { "8:0 rbytes=x\n",
					  "8:0 rbytes=\n",
					  "8:0 rbytes=-1\n",
					  "8: rbytes=1\n",
					  ":0 rbytes=1\n",
					  "8 rbytes=1\n",
					  "8:0 rbytes=18446744073709551616\n" };
	static const char *const v1[] = { "8:0 Read\n",    "8:0 Read x\n",
					  "8:0 Read -1\n", "8: Read 1\n",
					  "Read 1\n",      "8:0 Read 18446744073709551616\n" };
	struct cg_io io = { 0 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(v2); i++)
		assert_int_equal(cg_io_parse_v2(v2[i], &io), -EBADMSG);
	for (size_t i = 0; i < G_N_ELEMENTS(v1); i++)
		assert_int_equal(cg_io_parse_v1(v1[i], false, &io), -EBADMSG);
	cg_io_clear(&io);
}

static void test_v1_files_in_the_order_of_preference(void **state)
{
	static const char *const files[] = { "blkio.bfq.io_service%s_recursive",
					     "blkio.throttle.io_service%s",
					     "blkio.throttle.io_service%s_recursive" };

	(void)state;
	for (size_t have = 1; have <= G_N_ELEMENTS(files); have++) {
		struct lab lab;
		struct cg_io io;

		lab_make_v1(&lab);
		lab_write(&lab, "cg/a/cgroup.procs", "");
		for (size_t i = 0; i < have; i++) {
			g_auto(GStrv) parts = g_strsplit(files[i], "%s", 2);
			g_autofree char *bytes =
				g_strconcat("cg/a/", parts[0], "_bytes", parts[1], NULL);
			g_autofree char *ops = g_strconcat("cg/a/", parts[0], "d", parts[1], NULL);
			g_autofree char *text = g_strdup_printf("8:0 Read %zu\nTotal 1\n", i + 1);

			lab_write(&lab, bytes, text);
			lab_write(&lab, ops, text);
		}
		io = io_at(&lab, "/a");
		assert_int_equal(io.n, 1);
		assert_device(&io,
			      &(struct cg_io_device){ .major = 8, .rbytes = have, .rios = have });
		cg_io_clear(&io);
		lab_end(&lab);
	}
}

static void test_no_file_and_bad_file(void **state)
{
	struct cg_io io = { .n = 77 };
	struct cg_node *node;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cgroup.procs", "");
	node = lab_node(&lab, CG_IO, "/a");
	assert_int_equal(cg_io_read(node, &io), -ENOENT);
	cg_node_unref(node);
	lab_write(&lab, "cg/b/blkio.throttle.io_service_bytes_recursive",
		  "8:0 Read 1\n8:16 Read x\n");
	node = lab_node(&lab, CG_IO, "/b");
	assert_int_equal(cg_io_read(node, &io), -EBADMSG);
	cg_node_unref(node);
	assert_int_equal(io.n, 77);
	lab_end(&lab);
}

static void test_many_devices(void **state)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct cg_io io = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		g_string_append_printf(
			text, "8:%u rbytes=%u wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n", i, i);
	assert_int_equal(cg_io_parse_v2(text->str, &io), 0);
	assert_int_equal(io.n, 1000);
	assert_int_equal(device_of(&io, 8, 999)->rbytes, 999);
	cg_io_clear(&io);
}

static void test_recorded_hosts(void **state)
{
	struct lab lab;
	struct cg_io io;

	(void)state;
	lab_open(&lab, "v2-6.1");
	io = io_at(&lab, "/level1/level2");
	assert_int_equal(io.n, 1);
	assert_device(&io, &(struct cg_io_device){ .major = 254,
						   .rbytes = 11350016,
						   .wbytes = 28790784,
						   .rios = 231,
						   .wios = 7029 });
	cg_io_clear(&io);
	lab_end(&lab);
	lab_open(&lab, "hybrid-6.18");
	io = io_at(&lab, "/level1/level2");
	assert_device(&io, &(struct cg_io_device){ .major = 254, .rbytes = 12288, .rios = 3 });
	cg_io_clear(&io);
	lab_end(&lab);
}

static void test_v1_and_v2_of_one_container_are_equal(void **state)
{
	struct cg_io a, b;
	struct lab v1, v2;

	(void)state;
	lab_open(&v1, "v1-6.1");
	lab_open(&v2, "same-as-v1-6.1");
	a = io_at(&v1, "/level1/level2");
	b = io_at(&v2, "/level1/level2");
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 1);
	assert_true(a.dev[0].rbytes > 0);
	assert_memory_equal(a.dev, b.dev, sizeof(*a.dev));
	cg_io_clear(&a);
	cg_io_clear(&b);
	lab_end(&v1);
	lab_end(&v2);
}

static void feed_io(const char *text, void *data)
{
	struct cg_io io = { 0 };

	(void)data;
	(void)cg_io_parse_v2(text, &io);
	cg_io_clear(&io);
	(void)cg_io_parse_v1(text, false, &io);
	(void)cg_io_parse_v1(text, true, &io);
	cg_io_clear(&io);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:0 \n", feed_io, NULL);
	feed_hostile("8:0 Read 10\n8:0 Write 20\n8:0 Discard 30\nTotal 60\n", feed_io, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2_line_of_each_device),
		cmocka_unit_test(test_v2_pairs_of_any_order_and_unknown_ones),
		cmocka_unit_test(test_v2_line_without_pairs),
		cmocka_unit_test(test_v2_line_of_several_devices_counts_for_the_last),
		cmocka_unit_test(test_device_of_unknown_number_is_passed_over),
		cmocka_unit_test(test_v1_bytes_and_operations_meet_in_one_device),
		cmocka_unit_test(test_v1_total_alone_is_no_device),
		cmocka_unit_test(test_bad_numbers_are_errors),
		cmocka_unit_test(test_v1_files_in_the_order_of_preference),
		cmocka_unit_test(test_no_file_and_bad_file),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_v1_and_v2_of_one_container_are_equal),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
