/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/node.h"

#include "fixture.h"

static int get(struct lab *lab, const char *path, struct cg_node **ret)
{
	return cg_tree_get(lab->tree, 0, place_of(path), ret);
}

static unsigned open_descriptors(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

static void test_chain_goes_up_and_ends_with_null(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/a/b/c");
	struct cg_node *c = node_at(&lab, "/a/b/c"), *b = cg_node_parent(c), *a = cg_node_parent(b);

	assert_string_equal(cg_node_path(b), "/a/b");
	assert_string_equal(cg_node_path(a), "/a");
	assert_null(cg_node_parent(a));
	assert_int_equal(cg_node_version(c), CG_V2);
	assert_true(cg_node_ino(c) != cg_node_ino(b) && cg_node_ino(b) != cg_node_ino(a));
	cg_node_unref(c);
	lab_end(&lab);
}

static void test_root_of_the_hierarchy_is_no_node(void **state)
{
	struct cg_node *node = (void *)8;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	assert_int_equal(get(&lab, "/", &node), 0);
	assert_null(node);
	lab_end(&lab);
}

static void test_children_share_their_parent(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/pod/one");
	lab_mkdir(&lab, "cg/pod/two");
	struct cg_node *one = node_at(&lab, "/pod/one"), *two = node_at(&lab, "/pod/two");
	struct cg_node *again = node_at(&lab, "/pod/one"), *pod = node_at(&lab, "/pod");

	assert_ptr_equal(cg_node_parent(one), cg_node_parent(two));
	assert_ptr_equal(cg_node_parent(one), pod);
	assert_ptr_equal(again, one);
	cg_node_unref(pod);
	cg_node_unref(one);
	assert_string_equal(cg_node_path(cg_node_parent(two)), "/pod");
	cg_node_unref(again);
	cg_node_unref(two);
	lab_end(&lab);
}

static void test_same_path_in_two_hierarchies_is_two_nodes(void **state)
{
	struct cg_node *one, *two;
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "memory/a");
	lab_mkdir(&lab, "cpu/a");
	lab_detect(&lab,
		   "30 1 0:26 / /memory rw - cgroup cgroup rw,memory\n"
		   "31 1 0:27 / /cpu rw - cgroup cgroup rw,cpu\n",
		   "2:cpu:/\n1:memory:/\n");
	one = lab_node(&lab, CG_MEMORY, "/a");
	two = lab_node(&lab, CG_CPU, "/a");
	assert_ptr_not_equal(one, two);
	assert_true(cg_node_ino(one) != cg_node_ino(two));
	cg_node_unref(one);
	cg_node_unref(two);
	lab_end(&lab);
}

static void test_last_reference_closes_everything(void **state)
{
	unsigned before;
	struct lab lab;
	char buf[64];

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/b/memory.max", "max\n");
	before = open_descriptors();
	struct cg_node *b = node_at(&lab, "/a/b"), *same = cg_node_ref(b);

	assert_int_equal(cg_node_read(b, CG_FILE_MEMORY_MAX, buf, sizeof(buf)), 4);
	assert_int_equal(open_descriptors(), before + 3);
	cg_node_unref(b);
	assert_int_equal(open_descriptors(), before + 3);
	cg_node_unref(same);
	assert_int_equal(open_descriptors(), before);
	cg_node_unref(NULL);
	lab_end(&lab);
}

/* A cgroup that is gone, two levels below one that nobody holds: nothing of the way to it stays. */
static void test_failed_lookup_leaves_nothing(void **state)
{
	struct cg_node *node = NULL;
	unsigned before;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/a/b/c");
	before = open_descriptors();
	assert_int_equal(get(&lab, "/gone", &node), -ENODEV);
	assert_int_equal(get(&lab, "/a/gone", &node), -ENODEV);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(get(&lab, "/a/b/gone", &node), -ENODEV);
	assert_int_equal(get(&lab, "/a/b/c/gone", &node), -ENODEV);
	assert_null(node);
	assert_int_equal(open_descriptors(), before);
	lab_end(&lab);
}

static void test_hostile_places_are_no_cgroups(void **state)
{
	g_autofree char *too_long = g_strnfill(256, 'n');
	g_autofree char *too_long_path = g_strconcat("/", too_long, NULL);
	const char *const bad[] = {
		"",      "a",       "/..",   "/../outside",  "/a/../../outside", "/../cg/a",
		"/link", "/link/b", "/file", "/a (deleted)", "/a\xff",           too_long_path
	};
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/a/b");
	lab_mkdir(&lab, "outside");
	lab_write(&lab, "cg/file", "");
	g_autofree char *link = g_build_filename(lab.dir, "cg/link", NULL);

	assert_int_equal(symlink("a", link), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct cg_node *node = NULL;

		assert_true(get(&lab, bad[i], &node) < 0);
		assert_null(node);
	}
	struct cg_node *node = NULL;

	assert_int_equal(cg_tree_get(lab.tree, 0, (struct cg_place){ 0 }, &node), -ENOENT);
	lab_end(&lab);
}

static void test_odd_names_are_found(void **state)
{
	g_autofree char *longest = g_strnfill(255, 'n');
	const char *const names[] = { "two words", "a:b", "\xff\xfe",  "a (deleted)",    "...",
				      "..a",       "-",   "tab\there", "back\\x2dslash", longest };
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *dir = g_strconcat("cg/pod/", names[i], NULL);
		g_autofree char *path = g_strconcat("/pod/", names[i], NULL);

		lab_mkdir(&lab, dir);
		cg_node_unref(node_at(&lab, path));
	}
	lab_end(&lab);
}

static void test_place_ends_at_its_length(void **state)
{
	struct cg_node *node = NULL;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/a");
	assert_int_equal(
		cg_tree_get(lab.tree, 0, (struct cg_place){ .path = "/a/gone\n", .len = 2 }, &node),
		0);
	assert_string_equal(cg_node_path(node), "/a");
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_removed_and_remade_directory_is_another_node(void **state)
{
	struct lab lab;
	char buf[16];

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/b/memory.max", "1\n");
	struct cg_node *old = node_at(&lab, "/a/b");

	assert_int_equal(cg_node_read(old, CG_FILE_MEMORY_MAX, buf, sizeof(buf)), 2);
	lab_remove(&lab, "cg/a");
	struct cg_node *none = NULL;

	assert_int_equal(get(&lab, "/a/b", &none), -ENODEV);
	lab_write(&lab, "cg/a/b/memory.max", "22\n");
	struct cg_node *new = node_at(&lab, "/a/b"), *again = node_at(&lab, "/a/b");

	assert_ptr_not_equal(new, old);
	assert_ptr_equal(new, again);
	assert_true(cg_node_ino(new) != cg_node_ino(old));
	assert_ptr_not_equal(cg_node_parent(new), cg_node_parent(old));
	assert_int_equal(cg_node_read(new, CG_FILE_MEMORY_MAX, buf, sizeof(buf)), 3);
	cg_node_unref(old); /* the last of the old must not take the new one out of the table */
	struct cg_node *still = node_at(&lab, "/a/b");

	assert_ptr_equal(still, new);
	cg_node_unref(still);
	cg_node_unref(again);
	cg_node_unref(new);
	lab_end(&lab);
}

static void test_mount_that_shows_a_part_of_the_hierarchy(void **state)
{
	struct cg_node *node = NULL;
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "cg/app");
	lab_mkdir(&lab, "cg/lication");
	lab_detect(&lab, "30 1 0:26 /pod /cg rw - cgroup cgroup rw,memory\n", "1:memory:/\n");
	node = lab_node(&lab, CG_MEMORY, "/pod/app");
	assert_string_equal(cg_node_path(cg_node_parent(node)), "/pod");
	assert_null(cg_node_parent(cg_node_parent(node)));
	cg_node_unref(node);
	node = NULL;
	assert_int_equal(get(&lab, "/other", &node), -ENOENT);
	assert_int_equal(get(&lab, "/po", &node), -ENOENT);
	/* "/podlication" begins with "/pod", but is no cgroup below it. */
	assert_int_equal(get(&lab, "/podlication", &node), -ENOENT);
	assert_null(node);
	lab_end(&lab);
}

static void *get_often(void *data)
{
	for (unsigned i = 0; i < 300; i++) {
		struct cg_node *node = NULL;
		char buf[16];

		if (get(data, i % 2 ? "/a/b" : "/a/c", &node) < 0 ||
		    cg_node_read(node, CG_FILE_MEMORY_MAX, buf, sizeof(buf)) != 2)
			return data;
		cg_node_unref(node);
	}
	return NULL;
}

static void test_threads_share_nodes(void **state)
{
	GThread *threads[4];
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/b/memory.max", "1\n");
	lab_write(&lab, "cg/a/c/memory.max", "2\n");
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new(NULL, get_often, &lab);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		assert_null(g_thread_join(threads[i]));
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_goes_up_and_ends_with_null),
		cmocka_unit_test(test_root_of_the_hierarchy_is_no_node),
		cmocka_unit_test(test_children_share_their_parent),
		cmocka_unit_test(test_same_path_in_two_hierarchies_is_two_nodes),
		cmocka_unit_test(test_last_reference_closes_everything),
		cmocka_unit_test(test_failed_lookup_leaves_nothing),
		cmocka_unit_test(test_hostile_places_are_no_cgroups),
		cmocka_unit_test(test_odd_names_are_found),
		cmocka_unit_test(test_place_ends_at_its_length),
		cmocka_unit_test(test_removed_and_remade_directory_is_another_node),
		cmocka_unit_test(test_mount_that_shows_a_part_of_the_hierarchy),
		cmocka_unit_test(test_threads_share_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
