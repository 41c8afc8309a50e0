/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/config.h"

#include <json-glib/json-glib.h>

#include "fixture.h"

#define OURS "{\"path\":\"/usr/bin/lxcfs-clone-hook\"}"

static char *added(const char *text)
{
	g_autoptr(GError) error = NULL;
	char *got = NULL;

	assert_true(config_add(text, strlen(text), OURS, &got, &error));
	assert_null(error);
	return got;
}

static void test_all_else_stays(void **state)
{
	static const struct {
		const char *before, *after;
	} texts[] = {
		{ "{}", "{\n    \"hooks\": {\"createRuntime\":[" OURS "]}\n}" },
		{ " {\n \"a\": 18446744073709551615 }\n",
		  " {\n \"a\": 18446744073709551615,\n \"hooks\": {\"createRuntime\":[" OURS
		  "]} }\n" },
		{ "{\"hooks\":null,\"b\":1.50}",
		  "{\"hooks\":{\"createRuntime\":[" OURS "]},\"b\":1.50}" },
		{ "{\"hooks\": { }}", "{\"hooks\": {\"createRuntime\": [" OURS "]}}" },
		{ "{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}}",
		  "{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}], \"createRuntime\":[" OURS "]}}" },
		{ "{\"hooks\":{\"createRuntime\":null}}",
		  "{\"hooks\":{\"createRuntime\":[" OURS "]}}" },
		{ "{\"hooks\":{\"createRuntime\":[ ]}}",
		  "{\"hooks\":{\"createRuntime\":[ " OURS "]}}" },
		{ "{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"} ]}}",
		  "{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"} ," OURS "]}}" },
		{ "{\"\\u0068ooks\":{\"createRuntime\":[7]}}",
		  "{\"\\u0068ooks\":{\"createRuntime\":[7," OURS "]}}" },
		{ "{\"process\":{\"hooks\":7},\"x\":\"\"}",
		  "{\"process\":{\"hooks\":7},\"x\":\"\",\"hooks\":{\"createRuntime\":[" OURS
		  "]}}" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *once = added(texts[i].before);
		g_autofree char *twice = added(texts[i].after);

		assert_string_equal(once, texts[i].after);
		assert_null(twice);
	}
}

static void test_ours_in_another_stage(void **state)
{
	(void)state;
	assert_null(added(
		"{\"hooks\":{\"prestart\":[{\"path\":\"\\/usr\\/bin\\/lxcfs-clone-hook\"}]}}"));
	assert_null(
		added("{\"hooks\":{\"createContainer\":[7,{\"path\":\"/x/lxcfs-clone-hook\"}]}}"));
}

/* Where the container's program has begun, or the hook would be looked for inside. */
static void test_ours_too_late(void **state)
{
	static const char *const late[] = { "startContainer", "poststart", "poststop" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(late); i++) {
		g_autofree char *text = g_strdup_printf("{\"hooks\":{\"%s\":[" OURS "]}}", late[i]);
		g_autofree char *got = added(text);

		assert_non_null(got);
		assert_non_null(strstr(got, "\"createRuntime\":[" OURS "]"));
	}
}

static void refused(const char *text, const char *sentence)
{
	g_autoptr(GError) error = NULL;
	char *got = NULL;

	assert_false(config_add(text, strlen(text), OURS, &got, &error));
	assert_null(got);
	assert_string_equal(error->message, sentence);
}

static void test_what_is_not_understood(void **state)
{
	(void)state;
	refused("[]", "it is no JSON object");
	refused("{\"hooks\":[]}", "its 'hooks' is no object");
	refused("{\"hooks\":{},\"hooks\":{}}", "it has 'hooks' twice");
	refused("{\"hooks\":{\"createRuntime\":{}}}", "its 'hooks.createRuntime' is no array");
	refused("{\"hooks\":{\"createRuntime\":[],\"createRuntime\":[]}}",
		"it has 'createRuntime' twice");
	refused("{\"Hooks\":{}}", "it has 'Hooks', which some take for 'hooks'");
	refused("{\"hooks\":{},\"HOOKS\":null}", "it has 'HOOKS', which some take for 'hooks'");
	refused("{\"hoo\\u212as\":{}}", "it has 'hoo\u212as', which some take for 'hooks'");
	refused("{\"hook\u017f\":{}}", "it has 'hook\u017f', which some take for 'hooks'");
	refused("{\"hooks\":{\"CreateRuntime\":[]}}",
		"it has 'CreateRuntime', which some take for 'createRuntime'");
	refused("{\"hooks\":{\"createRuntime\":[],\"preStart\":[]}}",
		"it has 'preStart', which some take for 'prestart'");
	refused("{} {}", "line 1, column 4: something follows its end");
}

static void test_text_of_the_hook(void **state)
{
	static const char *const args[] = { "--mountpoint", "/a \"b\"\n", NULL };
	static const char *const bad[] = { "\xff", NULL };
	g_autofree char *hook = config_hook("/usr/bin/lxcfs-clone-hook", args, NULL);

	(void)state;
	assert_string_equal(
		hook, "{\"path\":\"/usr/bin/lxcfs-clone-hook\",\"args\":[\"lxcfs-clone-hook\","
		      "\"--mountpoint\",\"/a \\\"b\\\"\\u000a\"]}");
	assert_null(config_hook("/a", bad, NULL));
}

static void test_file_is_replaced(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("lxcfs-clone-test-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "config.json", NULL);
	g_autofree char *link = g_build_filename(dir, "link", NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct stat before, after;

	(void)state;
	assert_true(g_file_set_contents(path, "{\"a\":1}", -1, NULL));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_true(config_edit(dir, "config.json", OURS, NULL));
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "{\"a\":1, \"hooks\":{\"createRuntime\":[" OURS "]}}");
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_true(before.st_ino != after.st_ino);
	/* Once is enough. */
	assert_true(config_edit(dir, "config.json", OURS, NULL));
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(after.st_ino, before.st_ino);

	assert_int_equal(symlink("config.json", link), 0);
	assert_true(config_edit(dir, "link", OURS, NULL));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
	assert_false(config_edit(dir, "config.json", OURS, &error));
	assert_non_null(strstr(error->message, "/config.json: it cannot be opened: "));
	/* Nothing is left beside it. */
	assert_int_equal(rmdir(dir), 0);
}

/* What comes out is JSON with one hook more, whatever went in. */
static void test_20000_mutated_texts(void **state)
{
	static const char text[] =
		"{\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"}],\"prestart\":[]},\"a\":[1]}";
	static const char marks[] = "{}[]\",: n1";
	g_autoptr(GRand) rand = g_rand_new_with_seed(12);
	g_autoptr(JsonParser) parser = json_parser_new();
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char *bytes = g_strdup(text);
		g_autofree char *got = NULL;

		for (int left = g_rand_int_range(rand, 0, 4); left > 0; left--)
			bytes[g_rand_int_range(rand, 0, sizeof(text) - 1)] =
				marks[g_rand_int_range(rand, 0, sizeof(marks) - 1)];
		if (config_add(bytes, sizeof(text) - 1, OURS, &got, NULL) && got) {
			assert_true(json_parser_load_from_data(parser, got, -1, NULL));
			assert_non_null(strstr(got, OURS));
			taken++;
		}
		g_free(bytes);
	}
	assert_in_range(taken, 5000, 18000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_else_stays),
		cmocka_unit_test(test_ours_in_another_stage),
		cmocka_unit_test(test_ours_too_late),
		cmocka_unit_test(test_what_is_not_understood),
		cmocka_unit_test(test_text_of_the_hook),
		cmocka_unit_test(test_file_is_replaced),
		cmocka_unit_test(test_20000_mutated_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
