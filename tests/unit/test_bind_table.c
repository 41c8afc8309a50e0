/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/table.h"

#include <sys/mman.h>

#include "fixture.h"

#define SOURCE "lxcfs-clone@/m#0123456789abcdef"

/* A descriptor of a file that has @text, at its beginning. */
static int table_of(const char *text)
{
	int fd = memfd_create("table", MFD_CLOEXEC);
	size_t len = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static GPtrArray *ours_of(const char *text)
{
	const struct ours ours = { .source = SOURCE, .serving = true, .major = 0, .minor = 9 };
	GPtrArray *found = NULL;
	int fd = table_of(text);

	assert_int_equal(table_ours(fd, &ours, UINT64_MAX, &found), 0);
	close(fd);
	return found;
}

static bool count_one(const struct mountinfo *m, void *arg)
{
	(void)m;
	++*(unsigned *)arg;
	return true;
}

static unsigned lines_of(const char *text)
{
	unsigned count = 0;
	int fd = table_of(text);

	assert_int_equal(table_each(fd, UINT64_MAX, count_one, &count), 0);
	close(fd);
	return count;
}

static void test_what_lies_on_ours(void **state)
{
	g_autoptr(GPtrArray) found =
		ours_of("1 0 8:1 / / rw - ext4 /dev/a rw\n"
			"2 1 0:5 /proc/meminfo /proc/meminfo ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"3 2 0:6 / /proc/meminfo rw - tmpfs none rw\n"
			"4 1 0:5 /cpu /sys/cpu ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"5 4 0:6 / /sys/cpu/cpu0 rw - tmpfs none rw\n");
	const struct bound *file = found->pdata[0], *folder = found->pdata[1];

	assert_int_equal(found->len, 2);
	assert_true(file->covered);
	assert_false(folder->covered);
	(void)state;
}

static void test_ours_by_type_and_whole_source(void **state)
{
	g_autoptr(GPtrArray) found = ours_of(
		"1 0 8:1 / / rw - ext4 /dev/a rw\n"
		"2 1 0:5 /proc/meminfo /proc/meminfo ro,nodev - fuse.lxcfs-clone " SOURCE " ro\n"
		"3 1 0:6 /proc/stat /proc/stat ro - fuse.lxcfs-clone " SOURCE "0 ro\n"
		"4 1 0:7 /proc/stat /proc/stat ro - fuse.lxcfs-clone lxcfs-clone@/m ro\n"
		"5 1 0:8 /proc/stat /proc/stat ro - fuse.other " SOURCE " ro\n"
		"6 1 0:9 / /m ro shared:3 - fuse.lxcfs-clone " SOURCE " ro\n");
	const struct bound *dead = found->pdata[0], *live = found->pdata[1];

	(void)state;
	assert_int_equal(found->len, 2);
	assert_int_equal(dead->id, 2);
	assert_string_equal(dead->root, "/proc/meminfo");
	assert_false(dead->live);
	assert_int_equal(live->id, 6);
	assert_int_equal(live->peers, 3);
	assert_true(live->live);
}

static void test_a_stack_from_top_to_bottom(void **state)
{
	g_autoptr(GPtrArray) found =
		ours_of("30 20 0:7 /s /p ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"20 10 0:6 /s /p ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"10 1 0:5 /s /p ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"40 10 0:5 /s /p/below ro - fuse.lxcfs-clone " SOURCE " ro\n");
	const struct bound *top = found->pdata[0], *middle = found->pdata[1];
	const struct bound *bottom = found->pdata[2];

	(void)state;
	assert_true(table_is_top(found, top));
	assert_false(table_is_top(found, middle));
	assert_false(table_is_top(found, bottom));
	assert_true(table_is_top(found, found->pdata[3]));
	assert_ptr_equal(table_below(found, top), middle);
	assert_ptr_equal(table_below(found, middle), bottom);
	assert_null(table_below(found, bottom));
	assert_null(table_below(found, found->pdata[3]));
}

static void test_a_mount_that_is_its_own_parent(void **state)
{
	g_autoptr(GPtrArray) found = ours_of("1 1 0:5 / / ro - fuse.lxcfs-clone " SOURCE " ro\n");

	(void)state;
	assert_null(table_below(found, found->pdata[0]));
	assert_true(table_is_top(found, found->pdata[0]));
}

static void test_what_is_done_elsewhere_too(void **state)
{
	g_autoptr(GPtrArray) found =
		ours_of("20 10 0:6 /a /p/a ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"21 11 0:6 /a /q/a ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"10 1 0:4 / /p rw - proc proc rw\n"
			"11 1 0:4 / /q rw shared:7 - proc proc rw\n"
			"12 1 0:4 / /r rw master:7 - proc proc rw\n"
			"22 12 0:6 /a /r/a ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"23 10 0:6 /b /p/b ro shared:9 - fuse.lxcfs-clone " SOURCE " ro\n"
			"24 10 0:6 /c /p/c ro master:9 - fuse.lxcfs-clone " SOURCE " ro\n"
			"25 99 0:6 /d /d ro - fuse.lxcfs-clone " SOURCE " ro\n"
			"26 20 0:7 /a /p/a ro - fuse.lxcfs-clone " SOURCE " ro\n");
	/* 21, 22: by what they are mounted on; 23, 24: by themselves; 25: nobody knows on what. */
	static const bool want[] = { true, false, false, false, false, false, true };

	(void)state;
	assert_int_equal(found->len, G_N_ELEMENTS(want));
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
		const struct bound *b = found->pdata[i];

		assert_int_equal(b->alone, want[i]);
	}
}

static void test_a_hundred_thousand_lines(void **state)
{
	GString *text = g_string_new(NULL);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		g_string_append_printf(text, "%u 1 0:5 / /some/where/%u rw - tmpfs tmpfs rw\n",
				       i + 2, i);
	assert_int_equal(lines_of(text->str), 100000);
	g_string_free(text, TRUE);
}

static void test_a_table_without_end(void **state)
{
	GString *text = g_string_new(NULL);
	unsigned count;

	(void)state;
	for (unsigned i = 0; i < 2 * TABLE_LINES_MAX; i++)
		g_string_append(text, "2 1 0:5 / /p rw - tmpfs tmpfs rw\n");
	count = lines_of(text->str);
	assert_true(count >= TABLE_LINES_MAX && count < TABLE_LINES_MAX + 1000);
	g_string_free(text, TRUE);
}

static void test_what_is_kept_is_bounded(void **state)
{
	GString *text = g_string_new(NULL);

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		g_string_append_printf(
			text, "%u 1 0:5 / /p/%u rw - fuse.lxcfs-clone " SOURCE " rw\n", i + 2, i);
	g_autoptr(GPtrArray) found = ours_of(text->str);

	assert_int_equal(found->len, TABLE_OURS_MAX);
	g_string_free(text, TRUE);
}

static void test_too_long_a_line_is_passed_over(void **state)
{
	g_autofree char *path = g_strnfill(2 * TABLE_LINE_MAX, 'x');
	g_autofree char *fits = g_strnfill(TABLE_LINE_MAX / 2, 'y');
	g_autofree char *text = g_strdup_printf("1 0 0:1 / / rw - tmpfs a rw\n"
						"2 1 0:1 / /%s rw - tmpfs b rw\n"
						"3 1 0:1 / /%s rw - tmpfs c rw\n"
						"4 1 0:1 / /z rw - tmpfs d rw\n",
						path, fits);

	(void)state;
	assert_int_equal(lines_of(text), 3);
}

static void test_garbage_between_lines_and_half_a_line_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(lines_of("\n\nnonsense\n1 0 0:1 / / rw - tmpfs a rw\n \n"
				  "2 1 0:1 / /z rw - tmpfs d r"),
			 1);
	assert_int_equal(lines_of(""), 0);
}

static void test_no_time_left(void **state)
{
	unsigned count = 0;
	int fd = table_of("1 0 0:1 / / rw - tmpfs a rw\n");

	(void)state;
	assert_int_equal(table_each(fd, 0, count_one, &count), -ETIME);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_lies_on_ours),
		cmocka_unit_test(test_ours_by_type_and_whole_source),
		cmocka_unit_test(test_a_stack_from_top_to_bottom),
		cmocka_unit_test(test_a_mount_that_is_its_own_parent),
		cmocka_unit_test(test_what_is_done_elsewhere_too),
		cmocka_unit_test(test_a_hundred_thousand_lines),
		cmocka_unit_test(test_a_table_without_end),
		cmocka_unit_test(test_what_is_kept_is_bounded),
		cmocka_unit_test(test_too_long_a_line_is_passed_over),
		cmocka_unit_test(test_garbage_between_lines_and_half_a_line_at_the_end),
		cmocka_unit_test(test_no_time_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
