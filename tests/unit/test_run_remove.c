/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/remove.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "util/fd.h"

static void test_all_kinds_of_files_but_not_where_links_lead(void **state)
{
	g_autofree char *top = g_dir_make_tmp("remove-XXXXXX", NULL);
	AUTO_FD int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(mkdirat(dir, "kept", 0755), 0);
	assert_int_equal(mkdirat(dir, "kept/inner", 0755), 0);
	assert_int_equal(mkdirat(dir, "tree", 0755), 0);
	assert_int_equal(mkdirat(dir, "tree/a", 0700), 0);
	assert_int_equal(mkdirat(dir, "tree/a/.lifted-0", 0700), 0);
	assert_int_equal(mkdirat(dir, "tree/.lifted-0", 0700), 0);
	assert_int_equal(mkdirat(dir, "tree/.lifted-0/x", 0700), 0);
	assert_int_equal(mknodat(dir, "tree/a/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(mknodat(dir, "tree/file", S_IFREG | 0, 0), 0);
	assert_int_equal(symlinkat("../kept", dir, "tree/link"), 0);
	assert_int_equal(symlinkat("../../kept", dir, "tree/a/link"), 0);
	assert_int_equal(remove_tree(dir, "tree"), 0);
	assert_int_equal(faccessat(dir, "tree", F_OK, 0), -1);
	assert_int_equal(faccessat(dir, "kept/inner", F_OK, 0), 0);
	assert_int_equal(remove_tree(dir, "kept"), 0);
	assert_int_equal(g_rmdir(top), 0);
}

static void test_what_is_not_there_is_removed(void **state)
{
	(void)state;
	assert_int_equal(remove_tree(AT_FDCWD, "nonexistent"), 0);
}

/* Deeper than a path can say. */
static void test_any_depth(void **state)
{
	g_autofree char *top = g_dir_make_tmp("remove-XXXXXX", NULL);
	AUTO_FD int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int at = dup(dir);

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(at, "folder", 0755), 0);
		next = openat(at, "folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(remove_tree(dir, "folder"), 0);
	assert_int_equal(g_rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds_of_files_but_not_where_links_lead),
		cmocka_unit_test(test_what_is_not_there_is_removed),
		cmocka_unit_test(test_any_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
