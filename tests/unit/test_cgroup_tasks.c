/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/tasks.h"

#include "fixture.h"

static void add(pid_t tid, void *arg)
{
	GArray *tids = arg;

	g_array_append_val(tids, tid);
}

static gint by_number(gconstpointer a, gconstpointer b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* "1 2 3", sorted. */
static char *tasks_of(struct lab *lab, const char *path)
{
	g_autoptr(GArray) tids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	struct cg_node *node = node_at(lab, path);
	GString *out = g_string_new(NULL);

	assert_int_equal(cg_tasks_each(node, 0, add, tids), 0);
	g_array_sort(tids, by_number);
	for (guint i = 0; i < tids->len; i++)
		g_string_append_printf(out, i ? " %d" : "%d", g_array_index(tids, pid_t, i));
	cg_node_unref(node);
	return g_string_free(out, FALSE);
}

static void assert_tasks(struct lab *lab, const char *path, const char *want)
{
	g_autofree char *got = tasks_of(lab, path);

	assert_string_equal(got, want);
}

static void test_threads_of_all_cgroups_below(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/cgroup.threads", "1\n");
	lab_write(&lab, "cg/a/cgroup.threads", "20\n10\n");
	lab_write(&lab, "cg/a/cgroup.procs", "999\n");
	lab_write(&lab, "cg/a/b/cgroup.threads", "");
	lab_write(&lab, "cg/a/b/c d\n(deleted)/cgroup.threads", "30\n");
	lab_write(&lab, "cg/a/b/.hidden/e/cgroup.threads", "40\n");
	lab_write(&lab, "cg/sibling/cgroup.threads", "50\n");
	assert_tasks(&lab, "/a", "10 20 30 40");
	assert_tasks(&lab, "/a/b", "30 40");
	lab_end(&lab);
}

static void test_v1_list(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/tasks", "1\n2\n");
	lab_write(&lab, "cg/a/cgroup.threads", "999\n");
	lab_write(&lab, "cg/a/b/tasks", "3\n");
	assert_tasks(&lab, "/a", "1 2 3");
	lab_end(&lab);
}

/* Longer than any buffer, so that numbers are cut between two reads. */
static void test_very_many_threads(void **state)
{
	GString *list = g_string_new(NULL), *want = g_string_new(NULL);
	struct lab lab;

	(void)state;
	for (int tid = 4000000; tid < 4005000; tid++) {
		g_string_append_printf(list, "%d\n", tid);
		g_string_append_printf(want, tid > 4000000 ? " %d" : "%d", tid);
	}
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cgroup.threads", list->str);
	assert_tasks(&lab, "/a", want->str);
	lab_end(&lab);
	g_string_free(list, TRUE);
	g_string_free(want, TRUE);
}

static void test_no_more_cgroups_than_asked_for(void **state)
{
	g_autoptr(GArray) tids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	struct cg_node *node;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cgroup.threads", "1\n");
	lab_write(&lab, "cg/a/b/cgroup.threads", "1\n");
	lab_write(&lab, "cg/a/b/c/cgroup.threads", "1\n");
	for (unsigned i = 0; i < 20; i++) {
		g_autofree char *path = g_strdup_printf("cg/a/%u/cgroup.threads", i);

		lab_write(&lab, path, "1\n2\n");
	}
	node = node_at(&lab, "/a");
	assert_int_equal(cg_tasks_each(node, 1, add, tids), 0);
	assert_int_equal(tids->len, 1);
	g_array_set_size(tids, 0);
	assert_int_equal(cg_tasks_each(node, 10, add, tids), 0);
	assert_in_range(tids->len, 10, 19);
	g_array_set_size(tids, 0);
	assert_int_equal(cg_tasks_each(node, 23, add, tids), 0);
	assert_int_equal(tids->len, 43);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_odd_lists(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	/* 0: a process of a pid namespace that we cannot see */
	lab_write(&lab, "cg/a/cgroup.threads", "0\n\n\n7\n99999999999\nx\n8\n");
	assert_tasks(&lab, "/a", "7 8");
	lab_end(&lab);
}

static void test_links_are_not_followed(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cgroup.threads", "1\n");
	lab_write(&lab, "cg/other/cgroup.threads", "2\n");
	{
		g_autofree char *dir = g_build_filename(lab.dir, "cg/a/dir", NULL);
		g_autofree char *list = g_build_filename(lab.dir, "cg/a/b/cgroup.threads", NULL);

		assert_int_equal(symlink("../other", dir), 0);
		lab_mkdir(&lab, "cg/a/b");
		assert_int_equal(symlink("../../other/cgroup.threads", list), 0);
	}
	assert_tasks(&lab, "/a", "1");
	lab_end(&lab);
}

static void test_cgroup_that_is_gone(void **state)
{
	g_autoptr(GArray) tids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	struct cg_node *node;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cgroup.threads", "1\n");
	node = node_at(&lab, "/a");
	lab_remove(&lab, "cg/a");
	assert_int_equal(cg_tasks_each(node, 0, add, tids), -ENODEV);
	assert_int_equal(tids->len, 0);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_deep_trees_are_walked_whole(void **state)
{
	GString *path = g_string_new("cg/a");
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	for (int depth = 0; depth < 400; depth++) {
		g_string_append(path, "/d");
		if (depth == 100 || depth == 399) {
			g_autofree char *list = g_strconcat(path->str, "/cgroup.threads", NULL);

			lab_write(&lab, list, depth == 100 ? "5\n" : "6\n");
		}
	}
	lab_write(&lab, "cg/a/cgroup.threads", "4\n");
	assert_tasks(&lab, "/a", "4 5 6");
	lab_end(&lab);
	g_string_free(path, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_of_all_cgroups_below),
		cmocka_unit_test(test_v1_list),
		cmocka_unit_test(test_very_many_threads),
		cmocka_unit_test(test_no_more_cgroups_than_asked_for),
		cmocka_unit_test(test_odd_lists),
		cmocka_unit_test(test_links_are_not_followed),
		cmocka_unit_test(test_cgroup_that_is_gone),
		cmocka_unit_test(test_deep_trees_are_walked_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
