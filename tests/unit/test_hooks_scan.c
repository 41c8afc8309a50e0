/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/scan.h"

#include <json-glib/json-glib.h>

#include "fixture.h"

/* In memory of its exact size, which has no NUL. */
static bool is_json(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	struct scan whole = { NULL, 0 };
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, len);
	ok = scan_open(copy, len, &whole, NULL);
	if (ok)
		assert_true(whole.at >= copy && whole.at + whole.len <= copy + len);
	free(copy);
	return ok;
}

static struct scan opened(const char *text)
{
	struct scan whole;

	assert_true(scan_open(text, strlen(text), &whole, NULL));
	return whole;
}

static void test_what_json_is(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		" [ ] ",
		"null",
		"true",
		"\t-0.5e+10\n",
		"\"\"",
		"\"\\u00e9\\n\\/\"",
		"[1,2,[3,{\"a\":[]}]]",
		"{\"a\":1,\"a\":2}",
		"18446744073709551615",
		"\"\xc3\xa9\"",
	};
	static const char *const bad[] = {
		"",        " ",      "{",          "}",        "[1,]",        "[1 2]",
		"{\"a\"}", "{a:1}",  "{,}",        "{\"a\":}", "01",          "1.",
		"-",       "+1",     ".5",         "1e",       "nul",         "nulls",
		"True",    "'a'",    "\"",         "\"\\x\"",  "\"\\u12g4\"", "\"\n\"",
		"[] []",   "//\n{}", "{\"a\":1,}", "\"\xff\"", "NaN",         "\xef\xbb\xbf{}",
		"[1]x",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(is_json(good[i], strlen(good[i])));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(is_json(bad[i], strlen(bad[i])));
	assert_false(is_json("[]\0", 3));
	assert_false(is_json("\0[]", 3));
}

static void test_depth_is_bounded(void **state)
{
	g_autofree char *deep = g_strnfill(1000000, '[');
	GString *limit = g_string_new(NULL);

	(void)state;
	assert_false(is_json(deep, 1000000));
	for (unsigned i = 0; i < SCAN_DEPTH_MAX; i++)
		g_string_append_c(limit, '[');
	for (unsigned i = 0; i < SCAN_DEPTH_MAX; i++)
		g_string_append_c(limit, ']');
	assert_true(is_json(limit->str, limit->len));
	g_string_prepend(limit, "[");
	g_string_append(limit, "]");
	assert_false(is_json(limit->str, limit->len));
	g_string_free(limit, TRUE);
}

static void test_members(void **state)
{
	struct scan o = opened(" { \"a\" : [ 1 ] , \"ab\":\"x\\\"}\",\"a\": null } ");
	struct scan v = { NULL, 0 };

	(void)state;
	assert_true(scan_is_object(o));
	assert_false(scan_is_empty(o));
	assert_int_equal(scan_member(o, "a", &v), 2);
	assert_memory_equal(v.at, "[ 1 ]", v.len);
	assert_int_equal(scan_member(o, "ab", &v), 1);
	assert_memory_equal(v.at, "\"x\\\"}\"", v.len);
	assert_int_equal(scan_member(o, "b", &v), 0);
	assert_true(scan_is_empty(opened("{ \n}")));
	assert_true(scan_is_empty(opened("[]")));
	assert_int_equal(scan_member(opened("{}"), "a", &v), 0);
	assert_true(scan_is_null(opened("null")));
}

static void test_elements(void **state)
{
	struct scan array = opened("[ 1 ,\"/a/b\", {\"c\":[]},[ ] ]"), e = { NULL, 0 };
	static const char *const parts[] = { "1", "\"/a/b\"", "{\"c\":[]}", "[ ]" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		assert_true(scan_next(array, &e));
		assert_int_equal(e.len, strlen(parts[i]));
		assert_memory_equal(e.at, parts[i], e.len);
	}
	assert_false(scan_next(array, &e));
	e = (struct scan){ NULL, 0 };
	assert_false(scan_next(opened("[ ]"), &e));
}

static void test_last_name(void **state)
{
	(void)state;
	assert_true(scan_names(opened("\"/usr/bin/a\""), "a"));
	assert_true(scan_names(opened("\"\\/usr\\/bin\\/a\""), "a"));
	assert_true(scan_names(opened("\"a\""), "a"));
	assert_false(scan_names(opened("\"ba\""), "a"));
	assert_false(scan_names(opened("\"a/b\""), "a"));
	assert_false(scan_names(opened("\"\""), "a"));
	assert_false(scan_names(opened("7"), "7"));
}

/* What we take, a parser of trees takes; the other way round not: it knows comments and the like. */
static void test_50000_mutated_texts(void **state)
{
	static const char text[] =
		"{\"a\": [1, -2.5e3, \"x\\u00e9\\\"\", null, true], \"b\":{\"c\":{}}}";
	static const char marks[] = "{}[]\",:\\u0e-. \n\xc3\xa9tfn/";
	g_autoptr(GRand) rand = g_rand_new_with_seed(77);
	g_autoptr(JsonParser) parser = json_parser_new();
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 50000; round++) {
		char bytes[sizeof(text)];
		size_t len = sizeof(text) - 1;

		memcpy(bytes, text, sizeof(text));
		for (int left = g_rand_int_range(rand, 0, 4); left > 0; left--) {
			size_t at = (size_t)g_rand_int_range(rand, 0, (int)len);

			if (left == 3)
				len = at + 1;
			bytes[at] = marks[g_rand_int_range(rand, 0, sizeof(marks))];
		}
		if (!is_json(bytes, len))
			continue;
		taken++;
		assert_true(json_parser_load_from_data(parser, bytes, (gssize)len, NULL));
	}
	assert_in_range(taken, 10000, 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_json_is), cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_members),      cmocka_unit_test(test_elements),
		cmocka_unit_test(test_last_name),    cmocka_unit_test(test_50000_mutated_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
