/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/jsontext.h"

#include "fixture.h"

static void test_what_is_json(void **state)
{
	static const char *const texts[] = {
		"{}",
		" \r\n\t[ ] ",
		"\"a\\u00e9\\n\\\"\"",
		"-0.5e+10",
		"{\"a\": [1, true, null, {\"b\": \"c\"}]}",
		"0",
		"{\"\": \"\"}",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct json_span root;

		assert_true(jsontext_check(texts[i], strlen(texts[i]), &root, NULL));
	}
}

static void test_what_is_not(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "line 1, column 1: a value is missing" },
		{ "{", "line 1, column 2: a string is missing" },
		{ "{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: a comma or } is missing" },
		{ "{\"a\": 1,}", "line 1, column 9: a string is missing" },
		{ "[1,]", "line 1, column 4: a value is missing" },
		{ "{\"a\" 1}", "line 1, column 6: a colon is missing" },
		{ "{} {}", "line 1, column 4: something follows its end" },
		{ "{\"a\": \"b\nc\"}", "line 1, column 9: a string does not end" },
		{ "\"\\x41\"", "line 1, column 3: there is no such escape" },
		{ "\"\\u12", "line 1, column 3: an escape has not four hexadecimal digits" },
		{ "01", "line 1, column 2: something follows its end" },
		{ "-", "line 1, column 2: a number has no digit" },
		{ "1.", "line 1, column 3: a number ends in its point" },
		{ "1e+", "line 1, column 4: a number has no exponent" },
		{ "// no\n{}", "line 1, column 1: a value is missing" },
		{ "{a: 1}", "line 1, column 2: a string is missing" },
		{ "\"\xff\"", "line 1, column 2: it is not UTF-8" },
		{ "\xef\xbb\xbf{}", "line 1, column 1: a value is missing" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct json_span root;

		assert_false(jsontext_check(cases[i].text, strlen(cases[i].text), &root, &error));
		assert_string_equal(error->message, cases[i].says);
	}
}

static void test_a_nul_is_not_the_end(void **state)
{
	g_autoptr(GError) error = NULL;
	struct json_span root;

	(void)state;
	assert_false(jsontext_check("{}\0{", 4, &root, &error));
	assert_non_null(error);
}

static void test_depth_is_bounded(void **state)
{
	g_autofree char *deep = g_strnfill(100000, '[');
	g_autoptr(GError) error = NULL;
	struct json_span root;

	(void)state;
	assert_false(jsontext_check(deep, strlen(deep), &root, &error));
	assert_non_null(strstr(error->message, "it goes too deep"));
}

static struct json_span root_of(const char *text)
{
	struct json_span root;

	assert_true(jsontext_check(text, strlen(text), &root, NULL));
	return root;
}

static void test_strings_and_their_escapes(void **state)
{
	static const char text[] = "\"a\\/\\\"\\\\\\t\\u00e9\\ud83d\\ude00\\ud800\\u0000\"";
	g_autofree char *plain = jsontext_string(text, root_of(text));
	g_autofree char *quoted = jsontext_quote("a\"\\\n\xc3\xa9");

	(void)state;
	assert_string_equal(plain, "a/\"\\\t\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(quoted, "\"a\\\"\\\\\\u000a\xc3\xa9\"");
}

static void test_what_is_no_character_is_replaced(void **state)
{
	static const char *const texts[][2] = {
		{ "", "" },
		{ "{\"a\\u0041\": \"\\ud83d\\ude00\\n\\\"\"}", NULL },
		{ "\"\\\\ud800\"", NULL },
		{ "\"\\\\\\ud800\"", "\"\\\\\ufffd\"" },
		{ "\"\\ud83d\\u0041\"", "\"\ufffd\\u0041\"" },
		{ "\"\\ude00\\ud83d\\ude00\"", "\"\ufffd\\ud83d\\ude00\"" },
		{ "\"\\u0000\"", "\"\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *got = jsontext_of_characters(texts[i][0]);

		assert_string_equal(got, texts[i][1] ? texts[i][1] : texts[i][0]);
	}
}

static void test_a_key_is_found_by_what_it_means(void **state)
{
	static const char text[] = "{\"ab\": 1, \"a\": {\"b\": 2}, \"\\u0062\": 3, \"b\": 4}";
	struct json_member m;

	(void)state;
	assert_int_equal(jsontext_find(text, root_of(text), "b", &m), 2);
	assert_memory_equal(text + m.value.begin, "4}", 2);
	assert_int_equal(jsontext_find(text, root_of(text), "c", &m), 0);
}

/* The laid out texts with a member more, and what they become without it again. */
static void test_blanks_between_parts_go(void **state)
{
	static const char text[] = " { \"a b\" :\t[ 1 ,\n\"\\\" \\\\\" , \" {\" ] } ";
	g_autofree char *compact = NULL;
	struct json_span root;

	(void)state;
	assert_true(jsontext_check(text, strlen(text), &root, NULL));
	compact = jsontext_compact(text, root);
	assert_string_equal(compact, "{\"a b\":[1,\"\\\" \\\\\",\" {\"]}");
}

static void test_one_member_more_and_less(void **state)
{
	static const struct {
		const char *before, *after, *undone; /* .undone NULL: as before */
	} cases[] = {
		{ "{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"k\": 0\n}\n", NULL },
		{ "{\r\n\t\"a\": 1\r\n}", "{\r\n\t\"a\": 1,\r\n\t\"k\": 0\r\n}", NULL },
		{ "{\"a\":1}", "{\"a\":1, \"k\":0}", NULL },
		{ "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2,\"k\":0}", NULL },
		{ "{ \"a\" : [1,\n2] }\n", "{ \"a\" : [1,\n2], \"k\" : 0 }\n", NULL },
		{ "{\n\"a\": {\n}}", "{\n\"a\": {\n},\n\"k\": 0}", NULL },
		{ "{}\n", "{\n    \"k\": 0\n}\n", NULL },
		{ "{ }", "{\n    \"k\": 0\n}", "{}" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct json_span root = root_of(cases[i].before);
		g_autofree char *after = jsontext_insert(cases[i].before, root, root, "k", "0");
		g_autofree char *undone = NULL;
		struct json_member m;

		assert_string_equal(after, cases[i].after);
		root = root_of(after);
		assert_int_equal(jsontext_find(after, root, "k", &m), 1);
		undone = jsontext_remove(after, root, &m);
		assert_string_equal(undone, cases[i].undone ? cases[i].undone : cases[i].before);
	}
}

static void test_the_first_and_the_middle_go(void **state)
{
	static const char text[] = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}";
	struct json_span root = root_of(text);
	g_autofree char *first = NULL, *middle = NULL;
	struct json_member m;

	(void)state;
	jsontext_find(text, root, "a", &m);
	first = jsontext_remove(text, root, &m);
	assert_string_equal(first, "{\n  \"b\": 2,\n  \"c\": 3\n}");
	jsontext_find(text, root, "b", &m);
	middle = jsontext_remove(text, root, &m);
	assert_string_equal(middle, "{\n  \"a\": 1,\n  \"c\": 3\n}");
}

static void edit(const char *text, void *count)
{
	g_autofree char *after = NULL, *undone = NULL;
	struct json_span root;
	struct json_member m;

	if (!jsontext_check(text, strlen(text), &root, NULL) || text[root.begin] != '{')
		return;
	if (jsontext_find(text, root, "new", &m))
		return;
	after = jsontext_insert(text, root, root, "new", "{}");
	assert_true(jsontext_check(after, strlen(after), &root, NULL));
	assert_int_equal(jsontext_find(after, root, "new", &m), 1);
	undone = jsontext_remove(after, root, &m);
	assert_true(jsontext_check(undone, strlen(undone), &root, NULL));
	++*(unsigned *)count;
}

static void test_whatever_is_taken_stays_json(void **state)
{
	unsigned edited = 0;

	(void)state;
	feed_hostile("{\n\t\"a\": [1, 2.5e1],\n\t\"b\": {\"c\": \"d\\u0041\"}, \"e\": null\n}\n",
		     edit, &edited);
	assert_true(edited > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_json),
		cmocka_unit_test(test_what_is_not),
		cmocka_unit_test(test_a_nul_is_not_the_end),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_strings_and_their_escapes),
		cmocka_unit_test(test_what_is_no_character_is_replaced),
		cmocka_unit_test(test_a_key_is_found_by_what_it_means),
		cmocka_unit_test(test_blanks_between_parts_go),
		cmocka_unit_test(test_one_member_more_and_less),
		cmocka_unit_test(test_the_first_and_the_middle_go),
		cmocka_unit_test(test_whatever_is_taken_stays_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
