/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "golden.h"
#include "install/ways.h"
#include "util/jsontext.h"

static const struct way_options usual = { .mountpoint = "/var/lib/lxcfs-clone" };
static const struct way_options standard = { .mountpoint = "/var/lib/lxcfs-clone",
					     .make_default = true };

static char *added(const char *text, const struct way_options *o)
{
	g_autoptr(GError) error = NULL;
	char *after = docker_add(text, o, &error);

	assert_null(error);
	return after;
}

static char *stripped(const char *text, const char *original)
{
	g_autoptr(GError) error = NULL;
	char *after = docker_strip(text, original, &error);

	assert_null(error);
	return after;
}

static void test_no_file(void **state)
{
	g_autofree char *after = added(NULL, &usual), *blank = added(" \n", &usual);

	(void)state;
	assert_golden("golden/install-docker-new", after);
	assert_string_equal(blank, after);
}

/* fixtures/install: daemon.json files as operators have them. */
static void test_an_operators_file(void **state)
{
	static const char *const names[] = { "plain", "tabs", "oneline", "runtimes", "crlf" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_strdup_printf("install/docker-%s.json", names[i]);
		g_autofree char *golden = g_strdup_printf("golden/install-docker-%s", names[i]);
		g_autofree char *before = fixture_read(path);
		g_autofree char *after = added(before, &standard);
		g_autofree char *undone = stripped(after, before);

		assert_golden(golden, after);
		assert_string_equal(undone, before);
		assert_true(docker_makes_default(after));
		assert_false(docker_makes_default(before));
	}
}

static void test_others_changes_stay(void **state)
{
	static const char before[] = "{\"debug\": true, \"default-runtime\": \"crun\"}";
	g_autofree char *after = added(before, &standard);
	g_auto(GStrv) halves = g_strsplit(after, "true", 2);
	g_autofree char *changed = g_strconcat(halves[0], "false", halves[1], NULL);
	g_autofree char *undone = stripped(changed, before);
	g_autofree char *unknown = stripped(changed, NULL);

	(void)state;
	assert_string_equal(undone, "{\"debug\": false, \"default-runtime\": \"crun\"}");
	/* What the default was is lost: none is dockerd's own. */
	assert_string_equal(unknown, "{\"debug\": false}");
}

static void test_what_an_operator_gave_ours_goes_with_it(void **state)
{
	g_autofree char *undone = stripped("{\"a\": 1, \"runtimes\": {\"x\": {\"path\": \"/x\"}, "
					   "\"lxcfs-clone\": {\"runtimeArgs\": [\"-v\"], "
					   "\"path\": \"/usr/bin/lxcfs-clone-runtime\"}}}",
					   NULL);

	(void)state;
	assert_string_equal(undone, "{\"a\": 1, \"runtimes\": {\"x\": {\"path\": \"/x\"}}}");
}

static void test_who_did_the_work_does_it(void **state)
{
	static const struct {
		const char *text, *args;
	} cases[] = {
		{ .text = "{}", .args = "[\"--runtime\", \"runc\"]" },
		{ .text = "{\"default-runtime\": \"crun\"}", .args = "[\"--runtime\", \"crun\"]" },
		{ .text = "{\"default-runtime\": \"crun\", \"runtimes\": {\"crun\": {\"path\": "
			  "\"/opt/a b\", \"runtimeArgs\": [ \"--debug\", \"x\" ]}}}",
		  .args = "[\"--runtime\", \"/opt/a b\", \"--debug\", \"x\"]" },
		{ .text = "{\"default-runtime\": \"x\", \"runtimes\": {\"x\": {\"path\": "
			  "\"/usr/bin/lxcfs-clone-runtime\", \"runtimeArgs\": [\"-v\"]}}}",
		  .args = "[\"--runtime\", \"runc\"]" },
		{ .text = "{\"default-runtime\": \"io.containerd.runc.v2\", \"runtimes\": "
			  "{\"y\": {\"path\": \"/y\"}}}",
		  .args = "[\"--runtime\", \"runc\"]" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *after = added(cases[i].text, &usual);
		g_autofree char *wanted = g_strdup_printf("\"runtimeArgs\":%s", cases[i].args);
		g_auto(GStrv) spaced = g_strsplit(after, "\"runtimeArgs\": [\"--r", 2);
		g_autofree char *text = g_strjoinv("\"runtimeArgs\":[\"--r", spaced);
		g_autofree char *undone = stripped(after, cases[i].text);

		assert_non_null(strstr(text, wanted));
		assert_string_equal(undone, cases[i].text);
	}
}

static void test_an_operators_own_entry(void **state)
{
	static const char before[] =
		"{\"runtimes\": {\"lxcfs-clone\": {\"path\": \"/usr/bin/lxcfs-clone-runtime\", "
		"\"runtimeArgs\": [\"--require\"]}}}";
	g_autofree char *same = added(before, &usual), *after = added(before, &standard);
	g_auto(GStrv) halves = g_strsplit(after, "--require", 2);
	g_autofree char *changed = g_strconcat(halves[0], "--other", halves[1], NULL);
	g_autofree char *undone = stripped(changed, before);
	g_autofree char *again = added(after, &standard), *kept = stripped(after, after);

	(void)state;
	assert_true(docker_has_arguments(before));
	assert_false(docker_has_arguments("{}"));
	assert_string_equal(same, before);
	assert_true(docker_makes_default(after));
	assert_non_null(strstr(after, "[\"--require\"]"));
	assert_string_equal(undone, before);
	assert_string_equal(again, after);
	assert_string_equal(kept, after);
}

static void test_nothing_of_ours(void **state)
{
	static const char text[] = "{ \"runtimes\":{} , \"default-runtime\" : \"x\" }\n";
	g_autofree char *undone = stripped(text, NULL);
	g_autofree char *blank = stripped("", NULL);

	(void)state;
	assert_string_equal(undone, text);
	assert_string_equal(blank, "");
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
		bool make_default;
	} cases[] = {
		{ .text = "[]", .says = "it is no JSON object" },
		{ .text = "{\"a\": 1,}", .says = "line 1, column 9: a string is missing" },
		{ .text = "# comment\n{}", .says = "line 1, column 1: a value is missing" },
		{ .text = "{\"runtimes\": []}", .says = "\"runtimes\" is an array there" },
		{ .text = "{\"runtimes\": null}", .says = "\"runtimes\" is null there" },
		{ .text = "{\"runtimes\": {}, \"runtimes\": {}}",
		  .says = "it has \"runtimes\" twice" },
		{ .text = "{\"runtimes\": {\"lxcfs-clone\": \"x\"}}",
		  .says = "\"lxcfs-clone\" is a string there" },
		{ .text = "{\"runtimes\": {\"lxcfs-clone\": {\"path\": \"/opt/x\"}}}",
		  .says = "it has a runtime \"lxcfs-clone\" that is not "
			  "/usr/bin/lxcfs-clone-runtime" },
		{ .text = "{\"default-runtime\": 1}",
		  .says = "\"default-runtime\" is a number there" },
		{ .text = "{\"default-runtime\": \"x\", \"runtimes\": {\"x\": []}}",
		  .says = "\"x\" is an array there" },
		{ .text = "{\"default-runtime\": \"x\", \"runtimes\": {\"x\": {\"path\": "
			  "\"/x\", \"runtimeArgs\": {}}}}",
		  .says = "\"runtimeArgs\" is an object there" },
		{ .text = "{\"default-runtime\": \"nvidia\"}",
		  .says = "its \"default-runtime\" is \"nvidia\", which --default would put out of "
			  "work",
		  .make_default = true },
		{ .text = "{\"default-runtime\": \"a\\n\\u007f\"}",
		  .says = "its \"default-runtime\" is \"a\\u000a\\u007f\", which --default would "
			  "put "
			  "out of work",
		  .make_default = true },
		{ .text = "{\"default-runtime\": \"a\\n\", \"runtimes\": {\"a\\n\": []}}",
		  .says = "\"a\\u000a\" is an array there" },
		{ .text = "{\"default-runtime\": \"\\n\", \"runtimes\": {\"\\n\": {}, "
			  "\"\\u000a\": {}}}",
		  .says = "it has \"\\u000a\" twice" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *after = docker_add(
			cases[i].text, cases[i].make_default ? &standard : &usual, &error);

		assert_null(after);
		assert_string_equal(error->message, cases[i].says);
	}
}

/* Whatever it is: refused, or changed so that it is JSON and ours can be taken out again. */
static void edit(const char *text, void *count)
{
	g_autofree char *base = docker_strip(text, NULL, NULL);
	g_autofree char *after = base ? docker_add(base, &standard, NULL) : NULL;
	g_autofree char *undone = after ? docker_strip(after, base, NULL) : NULL;
	g_autofree char *again = NULL;
	struct json_span root;

	if (!after)
		return;
	assert_true(jsontext_check(after, strlen(after), &root, NULL));
	assert_non_null(undone);
	again = docker_strip(undone, NULL, NULL);
	assert_string_equal(again, undone);
	assert_false(docker_makes_default(undone));
	++*(unsigned *)count;
}

static void test_hostile_files(void **state)
{
	g_autofree char *with = fixture_read("install/docker-runtimes.json");
	g_autofree char *installed = fixture_read("golden/install-docker-runtimes");
	unsigned edited = 0;

	(void)state;
	feed_hostile(with, edit, &edited);
	feed_hostile(installed, edit, &edited);
	assert_true(edited > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_an_operators_file),
		cmocka_unit_test(test_others_changes_stay),
		cmocka_unit_test(test_what_an_operator_gave_ours_goes_with_it),
		cmocka_unit_test(test_who_did_the_work_does_it),
		cmocka_unit_test(test_an_operators_own_entry),
		cmocka_unit_test(test_nothing_of_ours),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_hostile_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
