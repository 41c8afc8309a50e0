/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/keyed.h"

#include "fixture.h"

struct target {
	uint64_t file, file_mapped, slab, anon;
};

static const struct keyed_field fields[] = {
	{ .key = KEY("anon"), .offset = offsetof(struct target, anon) },
	{ .key = KEY("file"), .offset = offsetof(struct target, file) },
	{ .key = KEY("file_mapped"), .offset = offsetof(struct target, file_mapped) },
	{ .key = KEY("slab"), .offset = offsetof(struct target, slab) },
};

static int parse(const char *text, char sep, struct target *ret)
{
	return keyed_parse(text, sep, fields, G_N_ELEMENTS(fields), ret);
}

static void assert_target(const struct target *t, uint64_t anon, uint64_t file, uint64_t mapped,
			  uint64_t slab)
{
	assert_int_equal(t->anon, anon);
	assert_int_equal(t->file, file);
	assert_int_equal(t->file_mapped, mapped);
	assert_int_equal(t->slab, slab);
}

static void test_values_go_to_their_fields(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_int_equal(parse("anon 1\nfile 2\nfile_mapped 3\nslab 4\n", ' ', &t), 0);
	assert_target(&t, 1, 2, 3, 4);
}

static void test_key_is_matched_whole(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_int_equal(parse("file_mapped 3\nfile_dirty 9\nfil 9\nslab_reclaimable 9\nfilee 9\n"
			       " file 9\nFILE 9\n",
			       ' ', &t),
			 0);
	assert_target(&t, 0, 0, 3, 0);
}

static void test_order_does_not_matter(void **state)
{
	static const char *const lines[] = { "anon 1\n", "file 2\n", "file_mapped 3\n",
					     "slab 4\n" };

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		unsigned a = i & 3, b = i >> 2 & 3, c = i >> 4 & 3, d = i >> 6;
		g_autofree char *text =
			g_strconcat(lines[a], "junk 7\n", lines[b], lines[c], lines[d], NULL);
		struct target t = { 0 };

		if ((1u << a | 1u << b | 1u << c | 1u << d) != 15)
			continue;
		assert_int_equal(parse(text, ' ', &t), 0);
		assert_target(&t, 1, 2, 3, 4);
	}
}

static void test_absent_key_leaves_its_field(void **state)
{
	struct target t = { .file = 5, .slab = 6 };

	(void)state;
	assert_int_equal(parse("anon 1\n", ' ', &t), 0);
	assert_target(&t, 1, 5, 0, 6);
	assert_int_equal(parse("", ' ', &t), 0);
	assert_target(&t, 1, 5, 0, 6);
}

static void test_blanks_and_units_around_the_value(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_int_equal(parse("anon:       12 kB\nfile:\t3\nslab:4 \n", ':', &t), 0);
	assert_target(&t, 12, 3, 0, 4);
}

static void test_last_line_needs_no_newline(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_int_equal(parse("anon 1\nslab 4", ' ', &t), 0);
	assert_target(&t, 1, 0, 0, 4);
}

static void test_known_key_without_a_number_is_an_error(void **state)
{
	static const char *const bad[] = { "file x\n",
					   "file \n",
					   "file ",
					   "file -1\n",
					   "file 1x\n",
					   "file +1\n",
					   "file 18446744073709551616\n",
					   "file \nanon 3\n" };
	struct target t = { 0 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(parse(bad[i], ' ', &t), -EBADMSG);
}

static void test_unknown_lines_may_be_anything(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_int_equal(
		parse("\n\n \nunknown\nother value text\nfile\nanon 1\n\xff\xfe 3\n", ' ', &t), 0);
	assert_target(&t, 1, 0, 0, 0);
}

static void test_find_begins_at_the_cursor_and_wraps(void **state)
{
	size_t cursor = 3;

	(void)state;
	assert_int_equal(keyed_find(fields, sizeof(fields[0]), 4, "slab", 4, &cursor), 3);
	assert_int_equal(cursor, 0);
	assert_int_equal(keyed_find(fields, sizeof(fields[0]), 4, "file", 4, &cursor), 1);
	assert_int_equal(cursor, 2);
	assert_int_equal(keyed_find(fields, sizeof(fields[0]), 4, "anon", 4, &cursor), 0);
	assert_int_equal(cursor, 1);
	assert_int_equal(keyed_find(fields, sizeof(fields[0]), 4, "", 0, &cursor), 4);
	assert_int_equal(keyed_find(fields, sizeof(fields[0]), 4, "file_mapped", 4, &cursor), 1);
	assert_int_equal(cursor, 2);
}

static void feed_keyed(const char *text, void *data)
{
	struct target t = { 0 };
	int r = parse(text, ' ', &t);

	(void)data;
	assert_true(r == 0 || r == -EBADMSG);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("anon 1\nfile 22\nfile_mapped 333\nslab 4\n", feed_keyed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_go_to_their_fields),
		cmocka_unit_test(test_key_is_matched_whole),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_absent_key_leaves_its_field),
		cmocka_unit_test(test_blanks_and_units_around_the_value),
		cmocka_unit_test(test_last_line_needs_no_newline),
		cmocka_unit_test(test_known_key_without_a_number_is_an_error),
		cmocka_unit_test(test_unknown_lines_may_be_anything),
		cmocka_unit_test(test_find_begins_at_the_cursor_and_wraps),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
