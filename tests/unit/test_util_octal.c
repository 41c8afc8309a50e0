/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/octal.h"

#include "fixture.h"

static void unescapes(const char *from, const char *to)
{
	g_autofree char *copy = g_strdup(from);

	assert_string_equal(octal_unescape(copy), to);
}

static void test_what_the_kernel_escapes(void **state)
{
	(void)state;
	unescapes("/a\\040b\\011c\\012d\\134e\\043f", "/a b\tc\nd\\e#f");
	unescapes("/plain", "/plain");
	unescapes("", "");
}

static void test_an_escaped_escape_is_text(void **state)
{
	(void)state;
	unescapes("\\134040", "\\040");
}

static void test_what_is_no_escape_stays(void **state)
{
	(void)state;
	unescapes("\\", "\\");
	unescapes("\\04", "\\04");
	unescapes("\\08x0", "\\08x0");
	unescapes("\\400", "\\400");
	unescapes("a\\000b", "a\\000b");
}

static void test_one_word_of_one_line(void **state)
{
	g_autofree char *got = octal_escaped("a b\nc\\d\x7f\x1b[2J\xc3\xa4");

	(void)state;
	assert_string_equal(got, "a\\040b\\012c\\134d\\177\\033[2J\xc3\xa4");
}

/* A terminal of UTF-8 takes U+009B for ESC [, and writes backwards behind U+202E. */
static void test_what_terminals_obey_is_escaped(void **state)
{
	g_autofree char *got = octal_escaped("\xc2\x9b"
					     "2J\xe2\x80\xae\x9b\xff\xe4\xb8\xad");

	(void)state;
	assert_string_equal(got, "\\302\\2332J\\342\\200\\256\\233\\377\xe4\xb8\xad");
}

static void check_way_and_back(const char *text, void *data)
{
	g_autofree char *there = octal_escaped(text);

	(void)data;
	assert_string_equal(octal_unescape(there), text);
}

static void test_anything_comes_back(void **state)
{
	(void)state;
	feed_hostile("/a b\\040\n\\\\134 0 \x01\xff", check_way_and_back, NULL);
}

static void unescape_copy(const char *text, void *data)
{
	g_autofree char *copy = g_strdup(text);

	(void)data;
	assert_true(strlen(octal_unescape(copy)) <= strlen(text));
}

static void test_hostile(void **state)
{
	(void)state;
	feed_hostile("\\040\\134\\0a\\77\\177\\\\012", unescape_copy, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_kernel_escapes),
		cmocka_unit_test(test_an_escaped_escape_is_text),
		cmocka_unit_test(test_what_is_no_escape_stays),
		cmocka_unit_test(test_one_word_of_one_line),
		cmocka_unit_test(test_what_terminals_obey_is_escaped),
		cmocka_unit_test(test_anything_comes_back),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
