/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

/* Hierarchies 0 and 1 of the layout have the ids 5 (memory, v1) and 0 (v2). */
static void lab_make_places(struct lab *lab)
{
	lab_make(lab);
	lab_mkdir(lab, "a");
	lab_mkdir(lab, "b");
	lab_detect(lab,
		   "30 1 0:26 / /a rw - cgroup cgroup rw,memory\n"
		   "31 1 0:27 / /b rw - cgroup2 cgroup2 rw\n",
		   "5:memory:/\n0::/\n");
	assert_int_equal(lab->layout->n_hierarchies, 2);
}

static void assert_place(struct cg_place place, const char *want)
{
	if (!want) {
		assert_null(place.path);
		return;
	}
	assert_non_null(place.path);
	assert_int_equal(place.len, strlen(want));
	assert_memory_equal(place.path, want, place.len);
}

static void assert_places(const char *text, const char *memory, const char *unified)
{
	struct cg_place places[CG_MAX_HIERARCHIES];
	struct lab lab;

	lab_make_places(&lab);
	memset(places, 0xa5, sizeof(places));
	cg_places_parse(lab.layout, text, places);
	assert_place(places[0], memory);
	assert_place(places[1], unified);
	assert_place(places[2], NULL);
	lab_end(&lab);
}

static void test_each_hierarchy_gets_its_line(void **state)
{
	(void)state;
	assert_places("9:pids:/x\n5:memory:/pod/app\n1:name=systemd:/y\n0::/init.scope\n",
		      "/pod/app", "/init.scope");
	assert_places("0::/b\n5:memory:/a\n", "/a", "/b");
}

static void test_hierarchy_without_a_line_is_not_told(void **state)
{
	(void)state;
	assert_places("0::/b\n", NULL, "/b");
	assert_places("", NULL, NULL);
	assert_places("50:memory:/a\n55:x:/b\n", NULL, NULL);
}

static void test_names_are_taken_as_they_are(void **state)
{
	g_autofree char *longest = g_strnfill(255, 'n');
	g_autofree char *text = g_strdup_printf("5:memory:/%s\n0::/..\n", longest);
	g_autofree char *want = g_strconcat("/", longest, NULL);

	(void)state;
	assert_places("5:memory:/two words/a:b::c\n0::/ \n", "/two words/a:b::c", "/ ");
	assert_places("5:memory:/\xff\xfe/\x80\n0::/a\\x2db\n", "/\xff\xfe/\x80", "/a\\x2db");
	assert_places("5:memory:/a (deleted)\n0::/a\tb\n", "/a (deleted)", "/a\tb");
	assert_places("5:memory:/../../x\n0::/0::/y\n", "/../../x", "/0::/y");
	assert_places(text, want, "/..");
}

static void test_lines_of_no_form_are_passed_over(void **state)
{
	(void)state;
	assert_places("memory:/a\n5\n5:\n5:memory\n:\n::/c\n\n 5:memory:/d\n-5:memory:/e\n0::/b",
		      NULL, "/b");
}

static void test_below_means_itself_or_a_child(void **state)
{
	static const struct {
		const char *below, *above;
		bool want;
	} rows[] = {
		{ "/a", "/a", true },
		{ "/a/b", "/a", true },
		{ "/a/b/c", "/a", true },
		{ "/a", "/a/b", false },
		{ "/ab", "/a", false },
		{ "/a b", "/a", false },
		{ "/b", "/a", false },
		{ "/a", "/", true },
		{ "/", "/", true },
		{ "/", "/a", false },
		{ "/a (deleted)", "/a", false },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_true(cg_place_is_below(place_of(rows[i].below), place_of(rows[i].above)) ==
			    rows[i].want);
}

static void test_untold_place_is_nowhere(void **state)
{
	struct cg_place untold = { 0 };

	(void)state;
	assert_false(cg_place_is_below(untold, place_of("/")));
	assert_false(cg_place_is_below(place_of("/a"), untold));
	assert_false(cg_place_is_root(untold));
}

static void test_root_is_the_slash_alone(void **state)
{
	(void)state;
	assert_true(cg_place_is_root(place_of("/")));
	assert_false(cg_place_is_root(place_of("/a")));
	assert_false(cg_place_is_root(place_of("")));
}

static void feed_places(const char *text, void *data)
{
	struct cg_place places[CG_MAX_HIERARCHIES];

	cg_places_parse(((struct lab *)data)->layout, text, places);
	for (size_t i = 0; i < CG_MAX_HIERARCHIES; i++)
		assert_true(!places[i].path ||
			    (places[i].path >= text &&
			     places[i].path + places[i].len <= text + strlen(text)));
}

static void test_hostile_text(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_places(&lab);
	feed_hostile("9:pids:/\n5:memory:/pod/app\n1:name=systemd:/\n0::/init.scope\n", feed_places,
		     &lab);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_hierarchy_gets_its_line),
		cmocka_unit_test(test_hierarchy_without_a_line_is_not_told),
		cmocka_unit_test(test_names_are_taken_as_they_are),
		cmocka_unit_test(test_lines_of_no_form_are_passed_over),
		cmocka_unit_test(test_below_means_itself_or_a_child),
		cmocka_unit_test(test_untold_place_is_nowhere),
		cmocka_unit_test(test_root_is_the_slash_alone),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
