/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the tests of parsers stand on: recorded hosts (tests/fixtures/<host>/{proc,sys}), scratch
 * hosts made by a test, and hostile texts. Includes cmocka with what it needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup/layout.h"
#include "cgroup/node.h"

#define FIXTURE_UNUSED __attribute__((unused))

FIXTURE_UNUSED static char *fixture_path(const char *path)
{
	assert_non_null(g_getenv("FIXTURES"));
	return g_build_filename(g_getenv("FIXTURES"), path, NULL);
}

/* An owned text. */
FIXTURE_UNUSED static char *fixture_read(const char *path)
{
	g_autofree char *full = fixture_path(path);
	char *text = NULL;

	assert_true(g_file_get_contents(full, &text, NULL, NULL));
	return text;
}

/* A scratch host or a recorded one, and its cgroups. */
struct lab {
	char *dir;
	bool scratch; /* removed at the end */
	struct cg_layout *layout;
	struct cg_tree *tree;
};

FIXTURE_UNUSED static void lab_make(struct lab *lab)
{
	*lab = (struct lab){ .dir = g_dir_make_tmp("lxcfs-clone-test-XXXXXX", NULL),
			     .scratch = true };
	assert_non_null(lab->dir);
}

FIXTURE_UNUSED static void lab_mkdir(struct lab *lab, const char *path)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);

	assert_int_equal(g_mkdir_with_parents(full, 0755), 0);
}

/* A file of the scratch host with the directories above it. */
FIXTURE_UNUSED static void lab_write(struct lab *lab, const char *path, const char *text)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);
	g_autofree char *above = g_path_get_dirname(full);

	int fd;

	assert_int_equal(g_mkdir_with_parents(above, 0755), 0);
	/* In place: who has the file open sees the new text, as with a file of the kernel. */
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

FIXTURE_UNUSED static int lab_remove_one(const char *path, const struct stat *st, int type,
					 struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

FIXTURE_UNUSED static void lab_remove(struct lab *lab, const char *path)
{
	g_autofree char *full = g_build_filename(lab->dir, path, NULL);

	assert_true(lab->scratch);
	assert_int_equal(nftw(full, lab_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Finds the hierarchies that the two texts tell of below the lab's directory. */
FIXTURE_UNUSED static void lab_detect(struct lab *lab, const char *mountinfo, const char *cgroup)
{
	int fd = open(lab->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(cg_layout_detect(mountinfo, cgroup, fd, false, &lab->layout), 0);
	close(fd);
	lab->tree = cg_tree_new(lab->layout);
}

/* A scratch host with one hierarchy at /cg: all controllers are v2's. */
FIXTURE_UNUSED static void lab_make_v2(struct lab *lab)
{
	lab_make(lab);
	lab_write(lab, "cg/cgroup.controllers", "cpuset cpu io memory hugetlb\n");
	lab_detect(lab, "30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\n", "0::/\n");
}

/* The same, all controllers together in one v1 hierarchy. */
FIXTURE_UNUSED static void lab_make_v1(struct lab *lab)
{
	lab_make(lab);
	lab_mkdir(lab, "cg");
	lab_detect(lab, "30 1 0:26 / /cg rw - cgroup cgroup rw,cpu,cpuacct,cpuset,memory,blkio\n",
		   "1:cpu,cpuacct,cpuset,memory,blkio:/\n");
}

/* A recorded host, with the texts of its own. */
FIXTURE_UNUSED static void lab_open(struct lab *lab, const char *host)
{
	g_autofree char *mountinfo_path = g_build_filename(host, "proc/self/mountinfo", NULL);
	g_autofree char *cgroup_path = g_build_filename(host, "proc/self/cgroup", NULL);
	g_autofree char *mountinfo = fixture_read(mountinfo_path);
	g_autofree char *cgroup = fixture_read(cgroup_path);

	*lab = (struct lab){ .dir = fixture_path(host) };
	lab_detect(lab, mountinfo, cgroup);
}

FIXTURE_UNUSED static void lab_end(struct lab *lab)
{
	cg_tree_free(lab->tree);
	cg_layout_free(lab->layout);
	if (lab->scratch)
		lab_remove(lab, "");
	g_free(lab->dir);
}

FIXTURE_UNUSED static struct cg_place place_of(const char *path)
{
	return (struct cg_place){ .path = path, .len = strlen(path) };
}

/* A reference to the cgroup at @path of the hierarchy that has @controller. */
FIXTURE_UNUSED static struct cg_node *lab_node(struct lab *lab, enum cg_controller controller,
					       const char *path)
{
	struct cg_node *node = NULL;

	assert_true(lab->layout->controllers[controller] >= 0);
	assert_int_equal(cg_tree_get(lab->tree, (size_t)lab->layout->controllers[controller],
				     place_of(path), &node),
			 0);
	assert_non_null(node);
	return node;
}

/* A reference to the cgroup at @path of the only hierarchy. */
FIXTURE_UNUSED static struct cg_node *node_at(struct lab *lab, const char *path)
{
	struct cg_node *node = NULL;

	assert_int_equal(cg_tree_get(lab->tree, 0, place_of(path), &node), 0);
	assert_non_null(node);
	assert_string_equal(cg_node_path(node), path);
	return node;
}

/* A parser under test: it may say what it likes, but must not read or write out of bounds. */
typedef void feed_fn(const char *text, void *data);

/* In memory of its exact size, so that a sanitizer sees the first byte beyond it. */
FIXTURE_UNUSED static void feed_exactly(const char *bytes, size_t len, feed_fn *feed, void *data)
{
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	feed(copy, data);
	free(copy);
}

/*
 * Feeds @text truncated at every byte (which is also: empty, and without its newline), with each
 * byte replaced by another, with numbers grown huge, and random bytes; from a fixed seed.
 */
FIXTURE_UNUSED static void feed_hostile(const char *text, feed_fn *feed, void *data)
{
	static const char likely[] = " \n\t:,-=/.0123456789\\()max";
	g_autofree char *changed = g_strdup(text);
	g_autoptr(GRand) rand = g_rand_new_with_seed(20231);
	g_auto(GStrv) parts = g_strsplit(text, "1", -1);
	g_autofree char *huge = g_strjoinv("99999999999999999999999", parts);
	size_t len = strlen(text);
	char noise[256];

	for (size_t n = 0; n <= len; n++)
		feed_exactly(text, n, feed, data);
	for (size_t i = 0; i < len; i++) {
		changed[i] = i % 2 ? likely[(unsigned)g_rand_int_range(rand, 0, sizeof(likely) - 1)]
				   : (char)g_rand_int_range(rand, 1, 256);
		feed_exactly(changed, len, feed, data);
		changed[i] = text[i];
	}
	feed_exactly(huge, strlen(huge), feed, data);
	for (unsigned round = 0; round < 500; round++) {
		size_t n = (size_t)g_rand_int_range(rand, 0, sizeof(noise));

		for (size_t i = 0; i < n; i++)
			noise[i] = round % 2 ? likely[(unsigned)g_rand_int_range(
						       rand, 0, sizeof(likely) - 1)]
					     : (char)g_rand_int_range(rand, 1, 256);
		feed_exactly(noise, n, feed, data);
	}
}
